"""However the command ends, it ends in a sentence that any terminal can show."""

import errno
import io
import sys
import tempfile
from types import SimpleNamespace

import gigaxas.cli
import pytest
from gigaxas.cli import screen, verbs
from gigaxas.cli.error_log import ErrorLog
from gigaxas.cli.outcome import show_truth


def raising(error):
    """A function that raises, whatever it is given."""

    def fail(*words, **named):
        raise error

    return fail


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder for temporary files."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def command(monkeypatch, capsys):
    """The command in this process: exit code, what it printed, and its errors."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["gigaxas", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            gigaxas.cli.main()
        return end.value.code or 0, *capsys.readouterr()

    return run


WORKFLOW = [
    "check",
    "simulate",
    "ingest",
    "sites",
    "classify",
    "phases",
    "report",
    "verify",
    "verify --inject",
]


@pytest.mark.parametrize("verb", [*WORKFLOW, "identify --library x"])
def test_what_nobody_foresaw_is_a_sentence_and_a_file_from_every_verb(temporary, monkeypatch, command, verb):
    for name in ("config.load.load_config", "workflow.identify.identify"):
        monkeypatch.setattr(f"gigaxas.{name}", raising(KeyError("[bold]mu[/]")))
    code, _, said = command(*verb.split(), "run.yaml")
    (file,) = temporary.iterdir()
    assert code == 1
    assert said.count("\n") == 1
    assert "KeyError: '[bold]mu[/]'" in said
    assert f"(details in {file})" in said
    for word in ("Traceback", "in fail", f"gigaxas {verb}"):
        assert word in file.read_text()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ValueError("a\nb  c"), "gigaxas does not know what happened here: ValueError: a b c; run the same"),
        (RuntimeError("x" * 5000), f"RuntimeError: {'x' * 300}; run the same"),
        (EOFError("ends in the middle"), "EOFError: ends in the middle"),
        (ModuleNotFoundError("No module named 'zarr'"), "ModuleNotFoundError: No module named 'zarr'"),
        (RecursionError("too deep"), "RecursionError: too deep"),
        (MemoryError(), "the memory does not suffice; set fewer compute.workers"),
        (
            OSError(errno.EIO, "Input/output error", "/data/[x]"),
            "/data/[x]: Input/output error; see to the disk",
        ),
        (OSError(errno.EMFILE, "Too many open files", "a.tif"), "a.tif: more files are open than the system"),
        (OSError("Unable to open file"), "OSError: Unable to open file"),
    ],
)
def test_a_sentence_says_what_happened_and_what_to_do(temporary, monkeypatch, command, error, sentence):
    monkeypatch.setattr("gigaxas.config.load.load_config", raising(error))
    code, _, said = command("check", "run.yaml")
    assert (code, said.strip().count("\n")) == (1, 0)
    assert sentence in said
    assert type(error).__name__ in next(temporary.iterdir()).read_text()


def test_the_output_folder_of_a_run_keeps_the_details_where_it_can(tmp_path, temporary):
    folder = tmp_path / "out"
    log = ErrorLog(folder)
    assert f"details in {temporary}" in log.sentence(ValueError("no folder yet"))
    folder.mkdir()
    assert f"details in {temporary}" in log.sentence(ValueError("a folder of something else"))
    assert not list(folder.iterdir())
    (folder / "run.json").write_text("{}")
    for word in ("first", "\udcff"):
        assert f"details in {folder / 'error.log'}" in log.sentence(ValueError(word))
    text = (folder / "error.log").read_text()
    assert text.index("ValueError: first") < text.index(r"ValueError: \udcff")
    (folder / "error.log").unlink()
    (folder / "error.log").mkdir()
    assert f"details in {temporary}" in log.sentence(ValueError("no file can be written there"))


def test_where_no_file_can_be_written_the_sentence_tells_the_place(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "not there"))
    with pytest.raises(ValueError) as told:
        raising(ValueError("x"))()
    assert f"in {__file__}, line " in ErrorLog().sentence(told.value)


def test_a_machine_without_any_folder_for_machine_code_is_told(monkeypatch, command):
    monkeypatch.setattr(verbs, "cache_by_version", lambda: None)
    code, _, said = command("check", "run.yaml")
    assert code == 2
    assert "set TMPDIR" in said


def test_ctrl_c_before_anything_is_loaded_is_a_word(monkeypatch, command):
    monkeypatch.delitem(sys.modules, "gigaxas.cli.verbs")
    monkeypatch.delattr(gigaxas.cli, "verbs")
    finder = SimpleNamespace(find_spec=raising(KeyboardInterrupt()))
    monkeypatch.setattr(sys, "meta_path", [finder])
    assert command("check", "run.yaml") == (130, "", "interrupted\n")


@pytest.fixture
def terminal(monkeypatch):
    """A screen of an encoding; what was printed on it."""

    def begin(encoding):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", stream)
        screen.show_plainly()
        return lambda: (stream.flush(), stream.buffer.getvalue().decode(encoding))[1]

    return begin


@pytest.mark.parametrize(
    ("encoding", "text", "shown"),
    [
        ("utf-8", "5 µm … 鉄 ±1", "5 µm … 鉄 ±1"),
        ("utf-8", "a\udcffb", "a?b"),  # a name of bytes that are no text
        ("latin-1", "5 µm, 5 μm, é ±1 ×2", "5 µm, 5 um, é ±1 ×2"),
        ("latin-1", "cut…", "cut..."),
        ("ascii", "5 µm é ±1 ×2 m² Å – ﬁ", "5 um e +-1 x2 m2 A - fi"),
        ("ascii", "cut… 鉄", "cut... ?"),
        ("cp437", "μ…", "u..."),
    ],
)
def test_what_a_terminal_cannot_show_becomes_plain(terminal, encoding, text, shown):
    printed = terminal(encoding)
    screen.out.print(text)
    assert printed() == f"{shown}\n"


NAMES = ["[bold]Fe[/bold]", "[/]", "[red]", ":gold:", "[link=x]y", r"\[x]", "{task} %s"]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
@pytest.mark.parametrize("name", NAMES)
def test_names_stay_as_they_are_in_lines_tables_bars_and_errors(
    terminal, monkeypatch, capsys, encoding, name
):
    printed = terminal(encoding)
    row = SimpleNamespace(phase=f"{name} …", pixels=1, recall=1.0, precision=1.0)
    truth = SimpleNamespace(rows=[row], minority="", right_share=1.0)
    show_truth(screen.out, SimpleNamespace(truth=truth))
    with verbs._bar(f"{name} …", 10) as advance:
        advance(10)
    assert printed().count(name) == 2
    for on_terminal in (False, True):
        monkeypatch.setattr(screen.err, "_force_terminal", on_terminal)
        screen.show_error(f"{name}: wrong\n{name}: wrong too")
        assert capsys.readouterr().err.count(name) == 2

"""The command as a user types it: exit codes, sentences, and what a stop leaves behind."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import gigaxas as gx
import numpy as np
import pytest
import yaml
from gigaxas.cli.verbs import app
from small_runs import edges, scene, write_csv, write_cube

GIGAXAS = [sys.executable, "-c", "from gigaxas.cli.verbs import main; main()"]
INTERRUPTED = """
import os, signal, threading
from gigaxas.stores import cube
create = cube.create_cube
def create_and_be_interrupted(*words, **named):
    create(*words, **named)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
cube.create_cube = create_and_be_interrupted
from gigaxas.cli.verbs import main; main()
"""
"""A run that Ctrl-C reaches while its cube is made, however busy the machine."""
VERBS = ["check", "simulate", "sites", "classify", "report", "identify"]


def gigaxas(*words, **options):
    return subprocess.run(
        [*GIGAXAS, *map(str, words)], capture_output=True, text=True, timeout=120, **options
    )


@pytest.fixture
def run(tmp_path):
    """A configuration file over a small measured cube."""
    rng = np.random.default_rng(2)
    spectra = edges(4, rng)
    write_csv(tmp_path / "references.csv", spectra)
    write_cube(tmp_path / "cube.zarr", scene(rng, spectra, (60, 70)), [16], [16])
    return configure(tmp_path)


def configure(folder, **sections):
    settings = {
        "output": str(folder / "out"),
        "cube": {"path": str(folder / "cube.zarr")},
        "references": {"path": str(folder / "references.csv")},
        "noise": {"c_ref": 3e6},
        "sites": {"mixtures": "none", "method": "net"},
        "compute": {"cluster": "threads", "workers": 2},
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump({**settings, **sections}))
    return path


def test_help_lists_the_verbs_in_the_order_of_work():
    said = gigaxas("--help").stdout
    places = [said.index(f"\n  {verb} ") for verb in VERBS]
    assert places == sorted(places)


def test_the_version_is_told():
    assert gigaxas("--version").stdout == f"gigaxas {gx.__version__}\n"


def test_check_finds_nothing_wrong_and_runs_nothing(run):
    done = gigaxas("check", run)
    assert done.returncode == 0, done.stderr
    assert "60 x 70 pixels, 24 energies" in done.stdout
    assert "nothing wrong found" in done.stdout
    assert not (run.parent / "out").exists()


def test_classify_ends_with_the_clusters_and_the_paths(run):
    done = gigaxas("classify", run)
    assert done.returncode == 0, done.stderr
    for word in ("plan", "assign", "nearest reference", "phase 1", "clusters.csv", "report.html"):
        assert word in done.stdout
    assert done.stderr == ""
    again = gigaxas("report", run)
    assert again.returncode == 0, again.stderr
    assert "report.html" in again.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["classify", "none.yaml"], "no such file"),
        (["classify"], "CONFIG"),
        (["clasify", "x.yaml"], "clasify"),
        (["classify", "x.yaml", "--fast"], "--fast"),
    ],
)
def test_a_wrong_command_is_bad_input(words, sentence, tmp_path):
    done = gigaxas(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_every_error_stands_on_one_screen(run):
    settings = yaml.safe_load(run.read_text())
    settings["clean_up"] = {"p_num": 3}
    settings["sites"]["metod"] = "net"
    run.write_text(yaml.safe_dump(settings))
    done = gigaxas("check", run)
    assert done.returncode == 2
    assert done.stderr.count("error  ") == 2
    assert "p_num is 3" in done.stderr
    assert "sites.metod: unknown key" in done.stderr


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_terminal_of_few_characters_shows_names_with_brackets(run, encoding):
    table = run.parent / "references.csv"
    table.write_text(
        table.read_text().replace("phase 1", "[bold]\u00b5-Fe[/] \u2026 \u9244"), encoding="utf-8"
    )
    done = gigaxas("check", run, env=os.environ | {"PYTHONIOENCODING": encoding}, encoding=encoding)
    assert done.returncode == 0, done.stderr
    assert f"[bold]{'u' if encoding == 'ascii' else chr(0xB5)}-Fe[/] ... ?" in done.stdout


def test_a_pipe_that_is_closed_ends_the_command_without_a_word(run):
    with subprocess.Popen(
        [*GIGAXAS, "check", run], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.fixture
def folder_to_make_in(tmp_path):
    """The Makefile, and an installed command that prints its words, a line each."""
    shutil.copy(Path(__file__).parents[1] / "Makefile", tmp_path)
    for name in ("requirements.lock", "pyproject.toml", ".venv/.installed"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    command = tmp_path / ".venv" / "bin" / "gigaxas"
    command.parent.mkdir()
    command.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    command.chmod(0o755)
    return tmp_path


def make(folder, *words):
    return subprocess.run(["make", "-s", *words], cwd=folder, capture_output=True, text=True)


WORDS = [
    ("--tiff --ome-zarr", ["--tiff", "--ome-zarr"]),
    ("--to 'a b'", ["--to", "a b"]),
    ("a\\ b.h5::x \"$UNKNOWN_WORD\" '$x'", ["a b.h5::x", "", "$x"]),
]


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("a b.yaml", "a b.yaml"),
        ("c d.yaml", "configs/c d.yaml"),
        ("e f/g h.yaml", "e f/g h.yaml"),
        ("sinter.yaml", "configs/sinter.yaml"),
        ('it\'s $$x "y".yaml', 'configs/it\'s $x "y".yaml'),
        ("", "configs/sinter.yaml"),
    ],
)
@pytest.mark.parametrize("verb", ["classify", "check"])
def test_make_takes_any_name_of_a_configuration(folder_to_make_in, verb, given, taken):
    (folder_to_make_in / "a b.yaml").touch()
    done = make(folder_to_make_in, verb, *([f"CONFIG={given}"] if given else []))
    assert done.stdout == f"{verb}\n{taken}\n", done.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
@pytest.mark.parametrize(("given", "taken"), WORDS)
@pytest.mark.parametrize("verb", ["classify", "info"])
def test_make_hands_on_what_args_says(folder_to_make_in, verb, given, taken):
    done = make(folder_to_make_in, verb, f"ARGS={given}")
    config = ["configs/sinter.yaml"] if verb == "classify" else []
    assert done.stdout.splitlines() == [verb, *config, *taken], done.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_make_knows_every_verb(folder_to_make_in):
    for command in app.registered_commands:
        done = make(folder_to_make_in, command.name)
        assert done.stdout.splitlines()[:1] == [command.name], done.stderr


def test_a_damaged_chunk_ends_with_one_sentence(run):
    (run.parent / "cube.zarr" / "mu" / "c" / "0" / "0" / "0").write_bytes(b"torn")
    done = gigaxas("classify", run)
    assert done.returncode == 1
    assert "chunk c/0/0/0 is damaged" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (run.parent / "out" / "result.zarr").exists()


@pytest.mark.slow
def test_a_disk_that_takes_no_more_ends_with_one_sentence(tmp_path):
    run = configure(
        tmp_path,
        cube=None,
        simulate={"scene": "sinter", "shape": [256, 256], "seed": 1, "energies": 40},
        references={"modelled": True},
        noise={},
    )

    def no_file_above_a_megabyte():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))

    done = gigaxas("classify", run, preexec_fn=no_file_above_a_megabyte)
    assert done.returncode == 1, done.stderr
    assert "cannot be written (File too large)" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "cube.zarr").exists()
    again = gigaxas("classify", run)
    assert again.returncode == 0, again.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_that_may_not_be_written_is_bad_input(run):
    (run.parent / "out").mkdir(mode=0o500)
    done = gigaxas("classify", run)
    assert done.returncode == 2
    assert "give a folder you may write to" in done.stderr


@pytest.mark.parametrize("cluster", [pytest.param("threads", marks=pytest.mark.slow), "local"])
def test_ctrl_c_ends_cleanly_and_the_next_run_goes_on(tmp_path, cluster):
    run = configure(
        tmp_path,
        cube=None,
        simulate={"scene": "sinter", "shape": [512, 512], "seed": 1, "chunk": 128, "energies": 60},
        references={"modelled": True},
        noise={},
        compute={"cluster": cluster, "workers": 2, "dashboard": "127.0.0.1:0"},
    )
    stopped = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, "classify", str(run)], capture_output=True, text=True, timeout=120
    )
    assert stopped.returncode == 130, stopped.stderr
    assert f"to go on, type: gigaxas classify {run}" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert not (tmp_path / "out" / "cube.zarr").exists()
    again = gigaxas("classify", run)
    assert again.returncode == 0, again.stderr
    assert (Path(tmp_path) / "out" / "result.zarr").is_dir()

"""The documentation is true: its Python runs, its commands run, its links lead somewhere, its keys exist."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import known_noise
import pytest
from gigaxas.cli.verbs import app
from gigaxas.config.schema import Config
from pydantic import BaseModel

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
COMMANDS = """
import shlex, sys
from gigaxas.cli.verbs import main
for line in sys.stdin.read().splitlines():
    program, *sys.argv[1:] = shlex.split(line)
    assert program == "gigaxas"
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
"""


OWN_DATA = ("how-to/own-data", "how-to/identify", "how-to/measured", "how-to/plan", "reference/python")
"""Pages that make small files of their own and work with them."""
TUTORIAL, REPORT = ROOT / "docs/tutorial.md", ROOT / "docs/how-to/report.md"
SPECKS = "make classify CONFIG=specks.yaml"
"""A command of the tutorial that takes half a minute."""
COMMANDS_IN = ("console", "bash")
"""Languages of blocks of commands."""
NOT_RUN = {
    "make install": "the clone is installed",
    "make lint": ".ci/run does it",
    "make test": "it is running",
    "make test-all": "it is the same, and more",
    "make mutate": "hours",
    "make bench": "an hour",
    "make dist": "test_release.py does it, marked slow",
    "make docs": "test_website.py does it",
    "make verification": "half an hour",
    "python scripts/measured_stack.py": "a measured stack is needed",
    "python scripts/paper_figures.py": "minutes",
    "gigaxas phases configs/sinter.yaml": "test_components_run.py does it, on a smaller image",
    "napari": "test_exports.py opens the file with napari's reader",
    "gigaxas watch": "with an instrument beside it, in a test of its own and in test_watch.py",
    "gigaxas simulate": "with gigaxas watch beside it, in the same tests",
}
"""Commands of the pages that are not run here, by their beginning, and why."""


def blocks(page):
    """The fenced blocks of a page, with their language."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def to_run(text):
    """The lines of a block of commands, without comments and without those that are not run."""
    lines = [line.partition(" #")[0].rstrip() for line in text.splitlines() if line.strip()]
    return [line for line in lines if reason_not_to_run(line) is None]


def reason_not_to_run(line):
    told = [why for start, why in NOT_RUN.items() if f"{line} ".startswith(f"{start} ")]
    return told[0] if told else None


def run_python(code, folder, stdin=""):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, input=stdin, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_block(lines, folder, is_active=True):
    """Run the lines of a block as they are written: in a shell or, where all are gigaxas', in one process."""
    if all(line.startswith("gigaxas ") for line in lines):
        return run_python(COMMANDS, folder, "\n".join(lines))
    path = f"{folder}/.venv/bin:{os.environ['PATH']}" if is_active else os.environ["PATH"]
    done = subprocess.run(
        ["bash", "-euc", "\n".join(lines)],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fresh_clone(folder):
    """A folder as a clone is after `make install`, without anything that a run has made."""
    folder.mkdir(exist_ok=True)
    for name in ("Makefile", "README.md", "configs", "docs", "pipeline", "pyproject.toml", "scripts"):
        (folder / name).symlink_to(ROOT / name)
    for lock in ROOT.glob("*.lock"):
        (folder / lock.name).symlink_to(lock)
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    written = {
        "python": f'exec {sys.executable} "$@"',
        "gigaxas": f'exec {sys.executable} -c "from gigaxas.cli import main; main()" "$@"',
        "activate": f'PATH="{programs}:$PATH"',
    }
    for name, line in written.items():
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    for mark in (".installed", ".installed-dev"):
        (folder / ".venv" / mark).touch()
    return folder


@pytest.fixture(scope="session")
def sinter_clone(tmp_path_factory):
    """A fresh clone that the pages on the sinter share, since each goes on from the map of the one before."""
    return fresh_clone(tmp_path_factory.mktemp("clone"))


def lines_of(page):
    """The commands of a page that are to be run."""
    return [line for language, text in blocks(page) if language in COMMANDS_IN for line in to_run(text)]


def run_page(page, folder, is_active=True, but=None):
    """Run a page from top to bottom, its code and its commands but one; return all that was printed."""
    said = []
    for language, text in blocks(page):
        named = re.match(r"# (\S+\.yaml)\n", text) if language == "yaml" else None
        if named:
            (folder / named[1]).write_text(text, encoding="utf-8")
        if language == "python":
            run_python(text, folder)
        elif language in COMMANDS_IN and (lines := [line for line in to_run(text) if line != but]):
            said.append(run_block(lines, folder, is_active))
    return "".join(said)


@pytest.mark.parametrize("page", [ROOT / f"docs/{page}.md" for page in OWN_DATA], ids=str)
def test_a_page_runs_from_top_to_bottom(page, tmp_path):
    run_page(page, fresh_clone(tmp_path))


def shown(page, number):
    """The lines of one block of text on a page."""
    return [text for language, text in blocks(page) if language == "text"][number].splitlines()


def test_the_tutorial_runs_in_a_fresh_clone(sinter_clone):
    said = run_page(TUTORIAL, sinter_clone, is_active=False, but=SPECKS)
    assert (sinter_clone / "runs/sinter/report.html").is_file()
    for line in shown(TUTORIAL, 0):
        assert line.replace(":8787/status", ":") in said  # another run may have taken that port
    for line in shown(TUTORIAL, 2):
        assert line in (sinter_clone / "scan.yaml").read_text()


def test_the_commands_of_the_front_page_are_those_of_the_tutorial():
    assert set(lines_of(ROOT / "README.md")) <= set(lines_of(TUTORIAL))


@pytest.mark.slow
def test_the_rest_of_the_tutorial_and_the_page_on_the_report_run_in_a_fresh_clone(sinter_clone):
    said = run_block([SPECKS], sinter_clone)
    for line in shown(TUTORIAL, 1):
        assert line in said
    if not (sinter_clone / "runs/sinter/result.zarr").exists():
        run_block(["gigaxas classify configs/sinter.yaml"], sinter_clone)
    run_page(REPORT, sinter_clone)


@pytest.mark.real
def test_the_commands_on_references_run_in_a_fresh_clone(measured_spectra_folder, tmp_path):
    page, folder = ROOT / "docs/how-to/references.md", fresh_clone(tmp_path)
    (folder / "runs").mkdir()
    (folder / "runs/measured-spectra").symlink_to(measured_spectra_folder.absolute())  # what pip would fetch
    said = run_page(page, folder)
    (shown,) = (text for language, text in blocks(page) if language == "text")
    for line in shown.splitlines():
        assert line in said
    assert (folder / "runs/measured-coverage/references.svg").is_file()


def test_every_command_of_the_pages_is_run_or_said_why_not():
    run = {ROOT / "README.md", TUTORIAL, REPORT, ROOT / "docs/how-to/references.md"}
    run |= {ROOT / f"docs/{page}.md" for page in OWN_DATA}
    done = {line for page in run for line in lines_of(page)}
    assert [line for page in set(PAGES) - run for line in lines_of(page) if line not in done] == []
    texts = [text for page in PAGES for language, text in blocks(page) if language in COMMANDS_IN]
    every = [f"{line} " for text in texts for line in text.splitlines()]
    assert [start for start in NOT_RUN if not any(line.startswith(f"{start} ") for line in every)] == []


def test_a_measurement_is_planned_and_watched_as_the_tutorial_says(tmp_path):
    """Its commands, with small fields and an instrument that is done when the watch begins: one report."""
    text = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
    step = text[text.index("## 6. ") :]
    commands = "".join(re.findall(r"^```console\n(.*?)^```$", step, re.MULTILINE | re.DOTALL))
    assert "--paced 2 " in commands
    assert commands.count("gigaxas") == 3
    settings = (ROOT / "configs/watched.yaml").read_text(encoding="utf-8")
    assert "shape: [360, 360]" in settings
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/watched.yaml").write_text(settings.replace("[360, 360]", "[160, 160]"))
    programs = fresh_clone(tmp_path / "clone") / ".venv/bin"
    done_first = commands.replace("--paced 2 ", "--paced 0 ").replace("gigaxas watch", "wait\ngigaxas watch")
    path = {"PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-e", "-c", done_first],
        cwd=tmp_path,
        env=os.environ | path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    planned, enough = re.findall(r"^```text\n(.*?)\n```$", step, re.MULTILINE | re.DOTALL)
    assert f"\n{planned}\n" in done.stdout
    assert f"\n{enough}\n" in done.stdout
    assert (tmp_path / "runs/watched/plan/plan.html").is_file()
    assert "31 of 32" in (tmp_path / "instrument.log").read_text()
    told = json.loads((tmp_path / "runs/watched/stop.json").read_text())
    assert told["scans_needed"] <= told["scans"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    verbs = {command.name for command in app.registered_commands}
    for language, text in blocks(page):
        for line in text.splitlines() if language in ("console", "bash", "text") else ():
            words = line.split()
            if words[:1] == ["make"]:
                assert words[1] in targets
            if words[:1] == ["gigaxas"] and not words[1].startswith("-"):
                assert words[1] in verbs


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_measured_noise_is_as_exact_as_wanted_on_the_page_of_verification():
    page = (ROOT / "docs/verification.md").read_text(encoding="utf-8")
    table = page[page.index(known_noise.HEADER) :].strip()
    assert known_noise.with_section(page, table) == page
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    assert len(rows) >= 19
    for _, sigma, true, measured, space, energy, gain in rows:
        assert 0.9 < float(sigma) < 1.1
        assert max(abs(float(measured) - float(true)), float(space), float(energy)) <= 0.05
        assert 0.9 < float(gain or 1) < 1.1


def keys(model, lead=""):
    for name, field in model.model_fields.items():
        kinds = [kind for kind in (field.annotation, *getattr(field.annotation, "__args__", ())) if kind]
        section = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)
        if section and lead == "":
            yield from keys(section, f"{name}.")
        else:
            yield f"{lead}{field.alias or name}"


def test_the_reference_names_every_key_and_no_other():
    page = (ROOT / "docs/reference/configuration.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `([a-z0-9_.]+)` \|", page, re.MULTILINE))
    assert named == set(keys(Config))

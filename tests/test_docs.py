"""The documentation is true: its Python runs, its commands run, its links lead somewhere, its keys exist."""

import json
import os
import re
import shlex
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
GIGAXAS = [sys.executable, "-c", "from gigaxas.cli.verbs import main; main()"]
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


def blocks(page):
    """The fenced blocks of a page, with their language."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def run_python(code, folder, stdin=""):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, input=stdin, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "page",
    [
        ROOT / f"docs/{page}.md"
        for page in (
            "how-to/own-data",
            "how-to/identify",
            "how-to/measured",
            "how-to/plan",
            "reference/python",
        )
    ],
    ids=str,
)
def test_the_code_of_a_page_runs_from_top_to_bottom(page, tmp_path):
    for language, text in blocks(page):
        named = re.match(r"# (\S+\.yaml)\n", text) if language == "yaml" else None
        if named:
            (tmp_path / named[1]).write_text(text, encoding="utf-8")
        if language == "python":
            run_python(text, tmp_path)
        elif language == "console":
            run_python(COMMANDS, tmp_path, text)


def test_the_tutorial_runs(tmp_path):
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    done = subprocess.run(
        [*GIGAXAS, "classify", "configs/sinter.yaml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    page = ROOT / "docs/tutorial.md"
    shown = next(text for language, text in blocks(page) if language == "text")
    for line in shown.splitlines()[:2]:
        assert line in done.stdout
    run_python(next(text for language, text in blocks(page) if language == "python"), tmp_path)


def test_a_measurement_is_planned_and_watched_as_the_tutorial_says(tmp_path):
    """Its commands, with small fields and an instrument that is done when the watch begins: one report."""
    text = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
    step = text[text.index("## 5. ") :]
    commands = "".join(re.findall(r"^```console\n(.*?)^```$", step, re.MULTILINE | re.DOTALL))
    assert "--paced 2 " in commands
    assert commands.count("gigaxas") == 3
    settings = (ROOT / "configs/watched.yaml").read_text(encoding="utf-8")
    assert "shape: [360, 360]" in settings
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/watched.yaml").write_text(settings.replace("[360, 360]", "[160, 160]"))
    called = tmp_path / "gigaxas"
    called.write_text(f'#!/bin/sh\nexec {shlex.join(GIGAXAS)} "$@"\n')
    called.chmod(0o755)
    done_first = commands.replace("--paced 2 ", "--paced 0 ").replace("gigaxas watch", "wait\ngigaxas watch")
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
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
        for line in text.splitlines() if language in ("console", "text") else ():
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

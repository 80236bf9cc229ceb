"""What is released is whole: wheel, conda recipe, workflow, and a changelog in its form."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest
import release
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA_NAMES = {"msgpack": "msgpack-python"}
VERSION = r"## \[Unreleased\]|## \[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d"
SUPPORTED = ["3.11", "3.12", "3.13", "3.14"]


def test_the_conda_recipe_asks_for_what_the_package_needs():
    recipe = yaml.safe_load((ROOT / ".ci/conda/recipe.yaml").read_text(encoding="utf-8"))
    needed = [f"python {PROJECT['requires-python']}"]
    for requirement in PROJECT["dependencies"]:
        name = re.match(r"[\w.-]+", requirement)[0]
        needed.append(f"{CONDA_NAMES.get(name, name)} {requirement.removeprefix(name)}")
    assert recipe["requirements"]["run"] == needed
    assert recipe["context"]["version"] == PROJECT["version"]
    scripts = [f"{name} = {place}" for name, place in PROJECT["scripts"].items()]
    assert recipe["build"]["python"]["entry_points"] == scripts
    assert recipe["about"]["license"] == PROJECT["license"]


def test_the_workflow_runs_what_must_pass_with_every_supported_python():
    text = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    (job,) = yaml.safe_load(text)["jobs"].values()
    assert job["strategy"]["matrix"]["python"] == SUPPORTED
    assert PROJECT["requires-python"] == f">={SUPPORTED[0]}"
    assert [step for step in job["steps"] if step.get("run") == ".ci/run"]
    assert all(version in (ROOT / ".ci/run").read_text() for version in SUPPORTED)


def test_the_script_that_must_pass_can_be_read_by_its_shell():
    assert subprocess.run(["bash", "-n", ".ci/run"], cwd=ROOT, check=False).returncode == 0


def test_the_changelog_keeps_its_form():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    kinds = "Added|Changed|Deprecated|Removed|Fixed|Security"
    assert text.startswith("# Changelog\n")
    assert "\n## [Unreleased]\n" in text
    headings = re.findall(r"^#{2,} .*$", text, re.MULTILINE)
    for heading in headings:
        assert re.fullmatch(rf"{VERSION}|### ({kinds})", heading)
    for version in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        named = re.findall(r"^### (\w+)\n\n(.*?)(?=^###|\Z)", version, re.MULTILINE | re.DOTALL)
        assert len({kind for kind, _ in named}) == len(named) == version.count("\n### ")
        for _, entries in named:
            lines = entries.strip().splitlines()
            assert lines[0].startswith("- ")
            assert all(line.startswith(("- ", "  ")) for line in lines)


def test_a_file_that_the_wheel_forgot_is_told(tmp_path):
    wheel = tmp_path / "a.whl"
    tracked = subprocess.run(
        ["git", "ls-files", "gigaxas"], cwd=ROOT / "pipeline", capture_output=True, text=True, check=False
    ).stdout.splitlines()
    if not tracked:
        pytest.skip("no git here that tells the files of the package")
    with ZipFile(wheel, "w") as file:
        for name in tracked[1:]:
            file.writestr(name, "")
    assert release.forgotten(wheel) == tracked[:1]


@pytest.mark.slow
def test_a_release_is_built_checked_installed_and_run(tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/release.py"), "--to", str(tmp_path / "dist")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = sorted((tmp_path / "dist").iterdir())
    assert [path.name for path in made] == [
        f"gigaxas-{PROJECT['version']}-py3-none-any.whl",
        f"gigaxas-{PROJECT['version']}.tar.gz",
    ]

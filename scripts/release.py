"""Build sdist and wheel, check them, install the wheel in a clean environment, and run it there.

`make dist` runs it; what it has built lies in dist/. The environment gets the locked dependencies, the wheel,
and nothing of this folder: what the wheel forgot to take along is missing there.

    python scripts/release.py [--to FOLDER] [--python PYTHON ...]
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
SMALL = """
title: Installed from the wheel
output: out
simulate: {scene: sinter, shape: [128, 128], energies: 60, chunk: 64}
references: {modelled: true}
sites: {mixtures: none, method: net}
compute: {cluster: threads}
"""
"""A run that needs every kind of file of the package: spectra of phases, templates, the viewer."""
WRITTEN = ("label.png", "report.html", "report/index.html", "clusters.csv")


def build(folder: Path) -> list[Path]:
    """Build both into a folder, with what is installed here, and check them; return their paths."""
    _run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)])
    made = sorted(folder.glob("gigaxas-*"))
    _run([sys.executable, "-m", "twine", "check", "--strict", *map(str, made)])
    _run(
        [sys.executable, "-m", "check_wheel_contents", *(str(path) for path in made if path.suffix == ".whl")]
    )
    return made


def forgotten(wheel: Path) -> list[str]:
    """Return the tracked files of the package that a wheel does not hold."""
    with ZipFile(wheel) as file:
        held = set(file.namelist())
    told = subprocess.run(
        ["git", "ls-files", "gigaxas"], cwd=ROOT / "pipeline", capture_output=True, text=True, check=True
    )
    return [name for name in told.stdout.splitlines() if name not in held]


def try_out(wheel: Path, python: str, work: Path) -> None:
    """Install a wheel with the locked dependencies in a new environment, and make a small map there."""
    clean = work / "clean"
    _run([python, "-m", "venv", str(clean)])
    pip = [str(clean / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--require-hashes", "-r", str(ROOT / "requirements.lock")])
    _run([*pip, "--no-deps", str(wheel)])
    run_in(clean, work)


def run_in(environment: Path, work: Path) -> None:
    """Run the command of an environment in an empty folder: its version, a configuration, a map."""
    here = work / "run"
    here.mkdir()
    (here / "small.yaml").write_text(SMALL, encoding="utf-8")
    command = str(environment / "bin" / "gigaxas")
    for words in (
        ["--version"],
        ["check", "small.yaml"],
        ["classify", "small.yaml"],
        ["phases", "small.yaml"],
    ):
        _run([command, *words], here)
    missing = [name for name in WRITTEN if not (here / "out" / name).is_file()]
    if missing:
        sys.exit(f"the installed command did not write {', '.join(missing)}")
    _run(
        [str(environment / "bin" / "python"), "-c", "import gigaxas as gx; gx.open_result('out').load()"],
        here,
    )


def _run(command: Sequence[str], folder: Path = ROOT) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    print(f"done  {' '.join(command)[:160]}", flush=True)


def main() -> None:
    """Build, check, install and run."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--to", type=Path, default=ROOT / "dist", help="where both go (dist)")
    words.add_argument(
        "--python", action="append", help="Python of a clean environment; may be given again (this one)"
    )
    given = words.parse_args()
    given.to.mkdir(parents=True, exist_ok=True)
    for old in given.to.glob("gigaxas-*"):
        old.unlink()
    made = build(given.to)
    wheel = next(path for path in made if path.suffix == ".whl")
    if missing := forgotten(wheel):
        sys.exit(f"{wheel.name} lacks {len(missing)} files of the package, such as {missing[0]}")
    for python in given.python or [sys.executable]:
        with tempfile.TemporaryDirectory() as work:
            try_out(wheel, python, Path(work))
    print(*made, sep="\n")


if __name__ == "__main__":
    main()

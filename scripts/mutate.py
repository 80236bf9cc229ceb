"""Break the code on purpose and see whether the tests notice.

Run `python scripts/mutate.py [--room ROOM] [--only NAME] [-j N]`. What is broken stands in
tests/mutations/<room>.toml, each with the tests that must fail of it:

    [[mutation]]
    name = "ties go to the last site"
    file = "nearest/labels.py"      # below pipeline/gigaxas
    old = '''text that occurs exactly once in the file'''
    new = '''what takes its place'''
    tests = ["tests/test_nearest_exact.py::test_ties"]

Everything happens in copies of the tree in a temporary folder. The tests first run once on the code as it is,
then once a mutation; what fails, hangs or crashes is killed. Ends with 1 if a mutation survives or no longer
applies. `--check` runs nothing and only tells entries that do not apply; `make lint` calls it.

Neither mutmut nor cosmic-ray serves: both draw mutations from operators instead of a list, mutmut leaves out
decorated functions, so every kernel, and cosmic-ray runs one command for all mutations.
"""

import argparse
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGE = Path("pipeline/gigaxas")
LISTS = Path("tests/mutations")
STANDARDS = "GIGAXAS_STANDARDS"
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "runs", "*.egg-info"
)
PYTEST = ("-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider")
LIMIT = 300.0
FIELDS = {"name": str, "file": str, "old": str, "new": str, "tests": list}


class Mutation(NamedTuple):
    """One way of breaking the code."""

    room: str
    """The list it stands in: the name of the file without its suffix."""
    name: str
    """What is broken, in plain words."""
    file: str
    """The file to change, below pipeline/gigaxas."""
    old: str
    """Text of that file, occurring exactly once."""
    new: str
    """What takes its place."""
    tests: tuple[str, ...]
    """The tests that must fail, as pytest names them."""


class Verdict(NamedTuple):
    """What the tests said of a mutation."""

    mutation: Mutation
    """The mutation."""
    word: str
    """killed, survived, or not run: nothing was tested (an import failed, a test is not there)."""
    seconds: float
    """Wall time of its tests."""
    output: str
    """What pytest printed."""


def read_mutations(root: Path) -> tuple[list[Mutation], list[str]]:
    """Return the mutations listed under a root folder, and a sentence for each entry that is no mutation."""
    mutations, wrong = [], []
    for path in sorted((root / LISTS).glob("*.toml")):
        for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("mutation", []):
            if {field: type(value) for field, value in entry.items()} == FIELDS:
                mutations.append(Mutation(path.stem, **{**entry, "tests": tuple(entry["tests"])}))
            else:
                wrong.append(f"{path.name}: found {entry}, expected the fields {', '.join(FIELDS)}")
    names = Counter(mutation.name for mutation in mutations)
    wrong += [
        f"found {count} mutations called {name!r}, expected one"
        for name, count in names.items()
        if count != 1
    ]
    return mutations, wrong


def complaint(root: Path, mutation: Mutation) -> str | None:
    """Return why a mutation does not apply to the code under a root folder, or None."""
    source = root / PACKAGE / mutation.file
    if not source.is_file():
        return f"{mutation.file} is not there"
    times = source.read_text(encoding="utf-8").count(mutation.old)
    if times != 1:
        return f"its old text occurs {times} times in {mutation.file}, expected once"
    if mutation.old == mutation.new:
        return "old and new text are the same"
    if not mutation.tests:
        return "no test is named"
    missing = [test for test in mutation.tests if not is_there(root, test)]
    return f"no such test: {', '.join(missing)}" if missing else None


def is_there(root: Path, test: str) -> bool:
    """Tell whether a test that pytest names exists, without running it."""
    file, _, name = test.partition("::")
    function = name.partition("[")[0]
    return (root / file).is_file() and f"def {function}" in (root / file).read_text(encoding="utf-8")


@contextmanager
def broken(root: Path, mutation: Mutation) -> Iterator[None]:
    """Break a file under a root folder, and mend it at the end."""
    source = root / PACKAGE / mutation.file
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        yield
    finally:
        source.write_text(text, encoding="utf-8")


def run_tests(root: Path, tests: Sequence[str], limit: float | None) -> tuple[int | None, str]:
    """Run tests on the code under a root folder: pytest's status (None: too late), and its words."""
    settings = {STANDARDS: str(ROOT.parent / "shared/data/fe_k_standards"), **os.environ}
    settings["PYTHONPATH"] = str(root / PACKAGE.parent)
    settings["NUMBA_CACHE_DIR"] = str(root.parent / "machine-code")  # below it, a folder for every version
    settings["PYTHONDONTWRITEBYTECODE"] = "1"  # its check of whole seconds would miss a quick change
    with subprocess.Popen(
        [sys.executable, *PYTEST, *tests],
        cwd=root,
        env=settings,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            output = process.communicate(timeout=limit)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None, process.communicate()[0]
    return process.returncode, output


def try_mutation(root: Path, mutation: Mutation, limit: float) -> Verdict:
    """Run the tests of a mutation on the code that it breaks, in a copy of the tree."""
    start = time.monotonic()
    with broken(root, mutation):
        status, output = run_tests(root, mutation.tests, limit)
    crashed = status is not None and status < 0
    word = "killed" if crashed else {0: "survived", 1: "killed", None: "killed"}.get(status, "not run")
    return Verdict(mutation, word, time.monotonic() - start, output)


def try_all(mutations: Sequence[Mutation], jobs: int, limit: float) -> Iterator[Verdict]:
    """Yield what the tests say of each mutation, `jobs` at a time, each in its own copy of the tree.

    Raises SystemExit where the tests fail on the code as it is.
    """
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        first = Path(shutil.copytree(ROOT, Path(folder) / "0", ignore=LEFT_OUT))
        tests = sorted({test for mutation in mutations for test in mutation.tests})
        status, output = run_tests(first, tests, None)
        if status != 0:
            raise SystemExit(f"{output}\nfound tests that fail on the code as it is; mend them first")
        copies: queue.Queue[Path] = queue.Queue()
        copies.put(first)
        for number in range(1, jobs):
            copies.put(shutil.copytree(first, Path(folder) / str(number)))

        def try_one(mutation: Mutation) -> Verdict:
            root = copies.get()
            try:
                return try_mutation(root, mutation, limit)
            finally:
                copies.put(root)

        with ThreadPoolExecutor(jobs) as pool:
            yield from pool.map(try_one, mutations)


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--room", help="only the list of this name")
    parser.add_argument("--only", help="only mutations with this in their name")
    parser.add_argument("--check", action="store_true", help="only tell entries that do not apply")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds until a run counts as hanging")
    parser.add_argument("-j", "--jobs", type=int, default=1, help="mutations at a time")
    return parser.parse_args(words)


def tell(verdict: Verdict) -> None:
    """Print one verdict, and what pytest said where nothing was killed."""
    mutation = verdict.mutation
    print(f"{verdict.word:9} {mutation.room}: {mutation.name} ({verdict.seconds:.0f} s)", flush=True)
    if verdict.word != "killed":
        print(verdict.output)


def main(words: Sequence[str] | None = None) -> int:
    """Print what was killed and what survived; return the exit status."""
    options = parse(words)
    mutations, wrong = read_mutations(ROOT)
    chosen = [m for m in mutations if options.room in (None, m.room) and (options.only or "") in m.name]
    complaints = {mutation: complaint(ROOT, mutation) for mutation in chosen}
    wrong += [f"{mutation.room}: {mutation.name}: {why}" for mutation, why in complaints.items() if why]
    for sentence in wrong:
        print(f"does not apply: {sentence}")
    applying = [mutation for mutation, why in complaints.items() if why is None]
    if options.check or not applying:
        print(f"{len(applying)} mutations apply")
        return int(bool(wrong) or not applying)
    counts: Counter[str] = Counter()
    for verdict in try_all(applying, options.jobs, options.limit):
        counts[verdict.word] += 1
        tell(verdict)
    print(", ".join(f"{counts[word]} {word}" for word in ("killed", "survived", "not run")), end="")
    print(f", {len(wrong)} do not apply")
    return int(bool(wrong) or counts["killed"] < len(applying))


if __name__ == "__main__":
    sys.exit(main())

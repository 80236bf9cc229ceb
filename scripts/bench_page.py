"""What the pages of docs/benchmarks have in common: the machine, tables, and the list of all pages."""

import os
import platform
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "docs" / "benchmarks"
INDEX = FOLDER.with_suffix(".md")
HEAD = """# Benchmarks

Written by `make bench` and `make gigapixel`, everything on one machine: {machine}.
Entries of a table are measured in turn, round after round, so that a machine that slows down slows them all;
medians are told, and ratios within a round.

| page | what it says |
|---|---|
"""


def machine() -> str:
    """Return the processor, the cores and the version of Python."""
    return f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def processor() -> str:
    """Return the name of the processor."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        return str(re.findall(r"model name\s*:\s*(.*)", told)[0]).strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table: the first column is text, the others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def write_page(name: str, title: str, lines: Iterable[str]) -> None:
    """Write docs/benchmarks/NAME.md, and the list of all pages anew; print the page."""
    page = "\n".join([f"# {title}", "", *lines]) + "\n"
    print(page)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.md").write_text(page, encoding="utf-8")
    write_index()


def write_index() -> None:
    """Write docs/benchmarks.md: every page with its first paragraph."""
    rows = []
    for page in sorted(FOLDER.glob("*.md")):
        title, *paragraphs = page.read_text(encoding="utf-8").split("\n\n")
        first = " ".join(paragraphs[0].split()).replace("](../", "](")
        rows.append(f"| [{title.removeprefix('# ')}](benchmarks/{page.name}) | {first} |\n")
    INDEX.write_text(HEAD.format(machine=machine()) + "".join(rows), encoding="utf-8")


if __name__ == "__main__":
    write_index()

"""What arrays, and files, of a measurement are for, by the names that people give them."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from gigaxas.raw.readers.described import ENERGY_NAMES
from gigaxas.raw.readers.formats import recognise
from gigaxas.raw.readers.formats.hdf5 import HDF5, describe_lists

Role = Literal["sample", "open", "dark"]
OPEN = frozenset(
    {"i0", "io", "open", "reference", "ref", "flat", "flats", "flatfield", "white"}
    | {"bright", "beam", "incident", "empty"}
)
"""Words for the open beam."""
DARK = frozenset(["dark", "darks", "darkfield", "bias"])
"""Words for what is counted without light."""
LEAST_IMAGES = 3
"""Numbered files of one image each that make a stack, at least."""
LEAST_ENERGY = 50
"""A whole number in the names of files that all lie above this is an energy, not a count."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_WORD = re.compile(r"[^\W\d_]+\d*")


def role_of(name: str) -> Role:
    """Return what the last part of a name says that an array or a file holds."""
    words = set(_WORD.findall(name.rstrip("/").rpartition("/")[2].lower()))
    return "open" if words & OPEN else "dark" if words & DARK else "sample"


def lists_of(path: Path) -> dict[str, int]:
    """Return the lists of numbers in a file by their names, with their lengths; none where it holds none."""
    return describe_lists(path) if recognise(path) is HDF5 else {}


def energy_list(lists: dict[str, int], length: int) -> str | None:
    """Return the name of the list of energies of this length, where it is the only one."""
    fits = [name for name, size in lists.items() if size == length and _is_energy(name)]
    return fits[0] if len(fits) == 1 else None


def stage_axis(lists: dict[str, int], axis: Literal["y", "x"]) -> str | None:
    """Return the name of the only number in a file that is a stage coordinate along an axis."""
    fits = [name for name, size in lists.items() if size == 1 and axis in re.split(r"[\W_]+", name.lower())]
    return fits[0] if len(fits) == 1 else None


def numbered(names: Iterable[str]) -> str | None:
    """Return the pattern, with `{energy}` or `{index}`, of file names that differ in one number.

    None where they are too few, or differ in more.
    """
    parts = [(_NUMBER.split(name), _NUMBER.findall(name)) for name in sorted(names)]
    if len(parts) < LEAST_IMAGES or any(words != parts[0][0] for words, _ in parts):
        return None
    columns = list(zip(*(numbers for _, numbers in parts), strict=True))
    varied = [number for number, column in enumerate(columns) if len(set(column)) > 1]
    if len(varied) != 1:
        return None
    column = columns[varied[0]]
    key = "energy" if any("." in each for each in column) or _are_energies(column) else "index"
    words, numbers = parts[0][0], list(parts[0][1])
    numbers[varied[0]] = f"{{{key}}}"
    return "".join(
        word + (numbers[place] if place < len(numbers) else "") for place, word in enumerate(words)
    )


def kind_of_folder(files: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Return the files of the ending that most files of images have, by name, and those of other endings."""
    images = [path for path in files if path.is_file() and recognise(path) is not None]
    endings = Counter(path.suffix.lower() for path in images)
    most = max(endings, key=lambda ending: endings[ending], default="")
    others = sorted(path for path in images if path.suffix.lower() != most)
    return sorted(path for path in images if path.suffix.lower() == most), others


def _is_energy(name: str) -> bool:
    last = name.rpartition("/")[2].lower()
    return last in ENERGY_NAMES or "energ" in last


def _are_energies(column: Iterable[str]) -> bool:
    values = sorted(map(int, column))
    return values[0] >= LEAST_ENERGY and values[-1] - values[0] >= len(values)

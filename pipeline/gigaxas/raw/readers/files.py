"""Where raw images lie: a pattern of file names, and the array inside files that hold several."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from glob import escape, glob
from hashlib import sha256
from pathlib import Path

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.stores.io.folders import stamps

INSIDE = "::"
PLACES = {"field": r"[^/]+?", "energy": r"\d+(?:\.\d+)?", "index": r"\d+"}
_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Found:
    """The files of one stack: one file, or one for every plane in the order of `keys`.

    `keys` are the energies (from `{energy}`) or numbers (from `{index}`) in the file names, else empty.
    """

    files: tuple[Path, ...]
    keys: tuple[float, ...] = ()


def split_source(text: str) -> tuple[str, str]:
    """Split `files::array` into the pattern of files and the name of the array inside (may be empty)."""
    pattern, _, inner = text.partition(INSIDE)
    return pattern, inner


def has_field(text: str) -> bool:
    """Return whether a source names files for every field."""
    return "{field}" in text


def key_of(text: str) -> str | None:
    """Return `energy` or `index` where the file names of a source count its planes, else None."""
    return next((key for key in ("energy", "index") if f"{{{key}}}" in text), None)


def find_files(text: str, name: str) -> dict[str, Found]:
    """Return the files of a source by field, fields in natural order (f2 before f10).

    `{field}` in the pattern stands for the name of a field, `{energy}` for an energy, `{index}` for a number;
    a source without `{field}` has the one field "". InputError (about `name`): an unknown place, no file.
    """
    pattern, _ = split_source(text)
    unknown = set(_PLACE.findall(pattern)) - set(PLACES)
    if unknown:
        raise InputError(f"{name}: found {{{unknown.pop()}}}; use {{field}}, {{energy}} or {{index}}")
    if "{energy}" in pattern and "{index}" in pattern:
        raise InputError(f"{name}: {pattern} counts by {{energy}} and by {{index}}; keep one of them")
    expression = re.compile(_expression(pattern))
    parts = _PLACE.split(pattern)
    wanted = "".join(escape(part) if i % 2 == 0 else "*" for i, part in enumerate(parts))
    files = glob(wanted)  # noqa: PTH207 - absolute and relative patterns alike
    matches = [(match, path) for path in files if (match := expression.fullmatch(path))]
    if not matches:
        raise InputError(f"{name}: no file fits {pattern}; correct the pattern, or copy the files there")
    key = key_of(text)
    stacks: dict[str, list[tuple[float, Path]]] = {}
    for match, path in matches:
        found = match.groupdict()
        stacks.setdefault(found.get("field", ""), []).append((float(found[key]) if key else 0.0, Path(path)))
    return {field: _found(stacks[field], key) for field in sorted(stacks, key=_natural)}


def files_identity(files: Iterable[str], *numbers: FloatArray) -> str:
    """Return what tells files from others, by their names, sizes and times, and some numbers with them."""
    mark = sha256()
    for values in numbers:
        mark.update(values.tobytes())
    for file in files:
        path = Path(file)
        stat = path.stat()
        inside = sorted(stamps(path).items()) if path.is_dir() else (stat.st_size, stat.st_mtime_ns)
        mark.update(f"{file} {inside}\n".encode())
    return mark.hexdigest()


def _found(files: list[tuple[float, Path]], key: str | None) -> Found:
    ordered = sorted(files)
    return Found(tuple(path for _, path in ordered), tuple(value for value, _ in ordered) if key else ())


def _expression(pattern: str) -> str:
    seen: set[str] = set()
    parts = _PLACE.split(pattern)
    for i in range(1, len(parts), 2):
        place = parts[i]
        parts[i] = f"(?P={place})" if place in seen else f"(?P<{place}>{PLACES[place]})"
        seen.add(place)
    return "".join(re.escape(part) if i % 2 == 0 else part for i, part in enumerate(parts))


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]

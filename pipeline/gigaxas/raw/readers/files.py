"""Where raw images lie: a pattern of file names, and the array inside files that hold several."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from glob import escape, glob
from hashlib import sha256
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from gigaxas.errors import InputError
from gigaxas.raw.readers.formats.stxm import images_of_scan, is_scan_header, read_scan_header
from gigaxas.stores.io.folders import stamps

INSIDE = "::"
"""What stands between the names of files and the array inside them."""
PLACEHOLDERS = {"field": r"[^/]+?", "energy": r"\d+(?:\.\d+)?", "index": r"\d+"}
"""What may stand in a pattern of file names in braces, and the text that each fits."""
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class FileSet:
    """The files of one stack."""

    files: tuple[Path, ...]
    """One file, or one for every image in the order of `keys`."""
    keys: tuple[float, ...] = ()
    """The energies (from `{energy}`) or numbers (from `{index}`) in the file names, else empty."""


def split_source(text: str) -> tuple[str, str]:
    """Split `files::array` into the pattern of files and the name of the array inside (may be empty)."""
    pattern, _, inner = text.partition(INSIDE)
    return pattern, inner


def has_field(text: str) -> bool:
    """Return whether a source names files for every field."""
    return "{field}" in text


def key_of(text: str) -> str | None:
    """Return `energy` or `index` where the file names of a source count its images, else None."""
    return next((key for key in ("energy", "index") if f"{{{key}}}" in text), None)


def find_files(text: str, name: str) -> dict[str, FileSet]:
    """Return the files of a source by field, fields in natural order (f2 before f10).

    `{field}` in the pattern stands for the name of a field, `{energy}` for an energy, `{index}` for a number;
    a source without `{field}` has the one field "". InputError (about `name`): unknown placeholder, no file.
    """
    pattern, _ = split_source(text)
    unknown = set(_PLACEHOLDER.findall(pattern)) - set(PLACEHOLDERS)
    if unknown:
        raise InputError(f"{name}: found {{{unknown.pop()}}}; use {{field}}, {{energy}} or {{index}}")
    if "{energy}" in pattern and "{index}" in pattern:
        raise InputError(f"{name}: {pattern} counts by {{energy}} and by {{index}}; keep one of them")
    expression = re.compile(_expression(pattern))
    parts = _PLACEHOLDER.split(pattern)
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


def find_stack(text: str, name: str) -> FileSet:
    """Return the files of a source that is one for all fields. InputError about `name`: {field}, no file."""
    if has_field(text):
        raise InputError(
            f"{name}: found {{field}} in {text}; expected one file, or one for every energy or frame: number "
            "them by {index}"
        )
    found = find_files(text, name)[""]
    if is_scan_header(text):
        header = found.files[0]
        return FileSet(tuple(images_of_scan(header)), tuple(read_scan_header(header).energy))
    return found


def files_identity(files: Iterable[str], *numbers: NDArray[Any]) -> str:
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


def _found(files: list[tuple[float, Path]], key: str | None) -> FileSet:
    ordered = sorted(files)
    return FileSet(tuple(path for _, path in ordered), tuple(value for value, _ in ordered) if key else ())


def _expression(pattern: str) -> str:
    seen: set[str] = set()
    parts = _PLACEHOLDER.split(pattern)
    for i in range(1, len(parts), 2):
        name = parts[i]
        parts[i] = f"(?P={name})" if name in seen else f"(?P<{name}>{PLACEHOLDERS[name]})"
        seen.add(name)
    return "".join(re.escape(part) if i % 2 == 0 else part for i, part in enumerate(parts))


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]

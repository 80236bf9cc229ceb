"""Raw fields that an instrument is still writing: which files are there, and which of them are whole."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

import numpy as np

from gigaxas.config.schema import Ingest, StageAxes
from gigaxas.errors import InputError, RunError
from gigaxas.raw.readers.acquisition import PACKED_ROWS
from gigaxas.raw.readers.energies import read_energies
from gigaxas.raw.readers.files import (
    FileSet,
    find_scans,
    has_field,
    has_scan,
    key_of,
    split_source,
)
from gigaxas.raw.readers.formats import recognise
from gigaxas.raw.readers.formats.hdf5 import HDF5, opens
from gigaxas.raw.readers.images import Stack, open_stack, read_stack
from gigaxas.raw.readers.positions import listed_positions
from gigaxas.stores.io.folders import stamps

Unit = tuple[str, int]
"""A field and the number of one of its scans, 0 where there are no numbers."""
Stamps = Mapping[str, str | None]
"""Size and time of files by their path; None of one that is not there."""


@dataclass(frozen=True)
class Look:
    """What lies in the folders of raw fields at one moment."""

    units: Mapping[Unit, Mapping[str, FileSet]] = field(default_factory=dict)
    """The files of every scan of every field, by the key of `ingest.fields` that names them."""
    shared: tuple[str, ...] = ()
    """Files that all fields share."""
    stamps: Stamps = field(default_factory=dict)
    """Of every file."""
    moment: float = 0.0
    """When it was, in seconds of a clock that never goes back."""
    since: Mapping[str, float] = field(default_factory=dict)
    """From when on each file that is there has been seen with the stamp it has."""

    def files_of(self, unit: Unit) -> tuple[str, ...]:
        """Return the files of a scan of a field."""
        return tuple(str(file) for found in self.units[unit].values() for file in found.files)

    def is_stable(self, files: tuple[str, ...], seconds: float) -> bool:
        """Return whether files are there and have been as they are for so many seconds."""
        return all(file in self.since and self.moment - self.since[file] >= seconds for file in files)


def look(ingest: Ingest, before: Look | None = None) -> Look:
    """Look at the files that the sources of raw fields name, after the look `before`.

    Raises InputError: an unknown placeholder.
    """
    own, shared, moment = {}, [], time.monotonic()
    for key, source in _sources(ingest).items():
        found = find_scans(source, f"ingest.fields.{key}")
        if key == "transmitted" or has_field(source) or has_scan(source):
            own[key] = found, source
        else:
            names = [str(file) for files in found.values() for file in files.files]
            shared += names or [split_source(source)[0]]
    wanted = ingest.fields
    assert wanted is not None
    if isinstance(wanted.positions, Path):
        shared.append(str(wanted.positions))
    if isinstance(ingest.energies, str):
        shared.append(split_source(ingest.energies)[0])
    units = {
        unit: {
            key: found[part] for key, (found, source) in own.items() if (part := _part(unit, source)) in found
        }
        for unit in own["transmitted"][0]
    }
    files = [str(file) for parts in units.values() for each in parts.values() for file in each.files]
    told = {file: _stamp(Path(file)) for file in dict.fromkeys([*files, *shared])}
    old = before or Look()
    since = {
        file: old.since[file] if file in old.since and old.stamps[file] == stamp else moment
        for file, stamp in told.items()
        if stamp is not None
    }
    return Look(units, tuple(dict.fromkeys(shared)), told, moment, since)


def folders_of(ingest: Ingest) -> tuple[list[Path], bool]:
    """Return the folders that fields come into, and whether they come into folders in these."""
    named = [
        Path(split_source(text)[0]).parent for key, text in _sources(ingest).items() if _is_own(key, text)
    ]
    fixed = [Path(*takewhile(lambda part: "{" not in part, folder.parts)) for folder in named]
    return list(dict.fromkeys(fixed)), fixed != named


def why_not_whole(ingest: Ingest, seen: Look, unit: Unit, images: int | None) -> str | None:
    """Return why a scan whose files are stable is not whole; None where it is. `images` it has, if known.

    A file is whole that opens, has all images, and none of them without a count in its middle row.
    """
    name, parts = unit[0], seen.units[unit]
    absent = [key for key, source in _sources(ingest).items() if _is_own(key, source) and key not in parts]
    if absent:
        return f"there is no {absent[0]} yet"
    if isinstance(ingest.fields and ingest.fields.positions, Path):
        try:
            if name not in listed_positions(Path(str(ingest.fields and ingest.fields.positions))):
                return "the table of positions does not have it yet"
        except InputError as error:
            return str(error)
    for file in seen.files_of(unit):
        if recognise(Path(file)) is HDF5 and not opens(Path(file)):
            return f"{file} is still open, or torn"
    try:
        stack = open_stack(_sources(ingest)["transmitted"], parts["transmitted"], ingest.axes, ingest.missing)
        if images is not None and stack.shape[0] != images:
            return f"it has {stack.shape[0]} of {images} images"
        dark = _without_counts(stack)
    except (InputError, RunError) as error:
        return str(error)
    return None if dark is None else f"image {dark + 1} of {stack.shape[0]} is still empty"


def why_shared_not_whole(seen: Look) -> str | None:
    """Return why files that all fields share, stable ones, are not whole; None where they are."""
    for file in seen.shared:
        path = Path(file)
        if path.is_file() and recognise(path) is HDF5 and not opens(path):
            return f"{file} is still open, or torn"
    return None


def images_of(ingest: Ingest, told: int | None) -> int | None:
    """Return how many images a scan has, where settings or a list of energies tell it.

    Raises InputError where nothing can: a file for every energy, and no number of them.
    """
    if told is None and ingest.energies is not None:
        return len(read_energies(ingest.energies, ingest.unit)[0])
    if told is None and ingest.fields and key_of(ingest.fields.transmitted):
        raise InputError(
            "watch.energies: missing; where every image has a file of its own, say how many a scan has"
        )
    return told


def _sources(ingest: Ingest) -> dict[str, str]:
    wanted = ingest.fields
    assert wanted is not None
    given = {"transmitted": wanted.transmitted, "reference": wanted.reference, "dark": wanted.dark}
    if isinstance(wanted.positions, StageAxes):
        given |= {"positions.y": wanted.positions.y, "positions.x": wanted.positions.x}
    return {key: source for key, source in given.items() if isinstance(source, str)}


def _is_own(key: str, source: str) -> bool:
    return key == "transmitted" or has_field(source) or has_scan(source)


def _part(unit: Unit, source: str) -> Unit:
    """Return which files of a source belong to a scan of a field."""
    return unit[0] if has_field(source) else "", unit[1] if has_scan(source) else 0


def _stamp(path: Path) -> str | None:
    try:
        if path.is_dir():
            return str(sorted(stamps(path).items()))
        stat = path.stat()
    except OSError:
        return None
    return f"{stat.st_size} {stat.st_mtime_ns}"


def _without_counts(stack: Stack) -> int | None:
    """Return the number of an image without a count in its middle row; of packed images, a few are read."""
    (height, width), count = stack.plane, stack.shape[0]
    row = slice(height // 2, height // 2 + 1), slice(0, width)
    packed = stack.piece[0] * stack.piece[1] > PACKED_ROWS * width
    for i in (0, count // 2, count - 1) if packed else range(count):
        if not np.any(read_stack(stack, row, slice(i, i + 1)) > 0):
            return i
    return None

"""The energies of the images, and the stage positions of the fields, from files or their metadata."""

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import h5py
import numpy as np
import tifffile
import zarr

from gigaxas.arrays import FloatArray
from gigaxas.config.schema import StageAxes
from gigaxas.errors import InputError
from gigaxas.raw.readers.field import Position
from gigaxas.raw.readers.files import INSIDE, find_files, split_source
from gigaxas.raw.readers.images import FORMATS
from gigaxas.raw.readers.stxm import read_scan_header
from gigaxas.raw.readers.units import EV, UM

KEV_LOOKS = 100.0
"""An axis that ends below this looks like keV."""
TOO_NEAR, TOO_FAR = 0.02, 20.0
"""Distances of neighbouring fields, in sizes of a field, between which positions are taken for um."""
PIXEL_UM = 0.46
"""Size of a pixel that nothing tells."""
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
"""A line that is one number with a decimal comma, or two whole ones."""
MOST_NAMED = 5
"""Names that one message lists."""


def read_energies(given: str | Sequence[float], unit: str) -> FloatArray:
    """Return the energies (E,) in `unit`: listed, or in a text file's first column, a .hdr, a `file::array`.

    Raises InputError unless they are finite and rise strictly, in eV and not keV where `unit` is eV.
    """
    if not isinstance(given, str):
        return checked_energies(np.array(given, dtype=np.float64), "ingest.energies", unit)
    if INSIDE in given:
        path, inner = split_source(given)
        values, stored_unit = stored_numbers(Path(path), inner)
        factor = EV.get(stored_unit.lower(), 1.0) if unit == "eV" else 1.0
        return checked_energies(np.atleast_1d(values) * factor, given, unit)
    if has_scan_header(given):
        return checked_energies(read_scan_header(Path(given)).energy, given, unit)
    return checked_energies(first_column(Path(given), "ingest.energies"), given, unit)


def pixel_size(given: float | None, energies: str | Sequence[float] | None) -> float:
    """Return the size of a pixel in um: as given, else that of a scan's header with the energies."""
    if given is not None:
        return given
    return read_scan_header(Path(str(energies))).pixel_um if has_scan_header(energies) else PIXEL_UM


def has_scan_header(energies: str | Sequence[float] | None) -> bool:
    """Return whether energies are read from the header of a scan, which tells the pixel size too."""
    return isinstance(energies, str) and energies.lower().endswith(".hdr")


def checked_energies(energy: FloatArray, where: str, unit: str) -> FloatArray:
    """Return energies (E,) that rise strictly; InputError that names the first that does not."""
    if energy.ndim != 1 or energy.size < 1 or not np.all(np.isfinite(energy)):
        raise InputError(f"{where}: found {energy.size} energies, not all numbers; expected one an image")
    wrong = np.flatnonzero(np.diff(energy) <= 0)
    if wrong.size:
        i = int(wrong[0])
        what = "twice" if energy[i + 1] == energy[i] else f"before {energy[i + 1]:g}"
        raise InputError(
            f"{where}: energy {i + 1} is {energy[i]:g}, {what}; expected energies that rise; sort the images "
            "by energy and leave out those taken twice"
        )
    if unit == "eV" and energy[-1] < KEV_LOOKS:
        raise InputError(f"{where}: the energies end at {energy[-1]:g}, which looks like keV; expected eV")
    return energy


def read_positions(
    given: str | Path | StageAxes | None, transmitted: str, names: Sequence[str]
) -> dict[str, Position]:
    """Return (y, x) in um of the top left corner of every field: a CSV, stage arrays, or OME metadata.

    One field alone needs none. InputError names fields without a position, positions without a field, and
    what cannot be read.
    """
    if given is None and len(names) > 1:
        raise InputError(
            f"ingest.fields.positions: missing for {_list(names)}; give a CSV, `metadata` or stage "
            "arrays; only one field alone needs none"
        )
    if given is None:
        return dict.fromkeys(names, (0.0, 0.0))
    if isinstance(given, StageAxes):
        along = [_stage(source, axis, names) for axis, source in (("y", given.y), ("x", given.x))]
        return {name: (along[0][name], along[1][name]) for name in names}
    found = _ome_positions(transmitted) if given == "metadata" else _table(Path(given))
    without = [name for name in names if name not in found]
    extra = [name for name in found if name not in names]
    if without or extra:
        wrong = [f"no position for {_list(without)}"] if without else []
        wrong += [f"no images of {_list(extra)}"] if extra else []
        raise InputError(f"ingest.fields.positions: {given}: {'; '.join(wrong)}; expected one of each")
    return {name: found[name] for name in names}


def check_positions(positions: Mapping[str, Position], extent_um: Position) -> None:
    """Raise InputError where fields lie so near or far from each other that the unit must be wrong."""
    points = np.array(list(positions.values()))
    bad = [name for name, point in positions.items() if not all(map(math.isfinite, point))]
    if bad:
        raise InputError(f"ingest.fields.positions: {_list(bad)} not at a number; expected um")
    if len(points) < 2:
        return
    apart = np.abs(points[:, None] - points[None]) / np.array(extent_um)
    apart = apart.max(axis=2) + np.where(np.eye(len(points)), np.inf, 0.0)
    nearest = float(np.median(apart.min(axis=1)))
    if not TOO_NEAR < nearest < TOO_FAR:
        unit = "mm or pixels" if nearest <= TOO_NEAR else "nm"
        raise InputError(
            f"ingest.fields.positions: neighbouring fields lie {nearest:.3g} field sizes apart, a field is "
            f"{extent_um[0]:.4g} x {extent_um[1]:.4g} um; expected about 1; are the positions in {unit}? "
            "expected um (or columns y_mm, x_mm), and pixel_um to be right"
        )


def _table(path: Path) -> dict[str, Position]:
    try:
        rows = list(csv.DictReader(_text(path).splitlines()))
    except OSError as error:
        raise InputError(f"ingest.fields.positions: {path} cannot be read ({error.strerror})") from None
    names = list(rows[0]) if rows else []
    unit = next((unit for unit in UM if {f"y_{unit}", f"x_{unit}"} <= set(names)), None)
    if unit is None or "field" not in names:
        raise InputError(
            f"ingest.fields.positions: {path} has the columns {_list(names)}; expected field, y_um, x_um "
            "(or y_mm, x_mm)"
        )
    found: dict[str, Position] = {}
    for row in rows:
        try:
            point = float(row[f"y_{unit}"]) * UM[unit], float(row[f"x_{unit}"]) * UM[unit]
        except (TypeError, ValueError):
            raise InputError(f"ingest.fields.positions: {path}: {row['field']} has no numbers") from None
        if row["field"] in found:
            raise InputError(f"ingest.fields.positions: {path}: {row['field']} stands twice; expected once")
        found[row["field"]] = point
    return found


def _text(path: Path) -> str:
    """Return the text of a file, UTF-8 or, as spreadsheets of old write a micro sign, Latin-1."""
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _stage(source: str, axis: str, names: Sequence[str]) -> dict[str, float]:
    files, inner = find_files(source, f"ingest.fields.positions.{axis}"), split_source(source)[1]
    missing = [name for name in names if name not in files]
    if missing:
        raise InputError(f"ingest.fields.positions.{axis}: {source}: nothing for {_list(missing)}")
    found = {}
    for name in names:
        values, unit = stored_numbers(files[name].files[0], inner)
        if values.size != 1 or unit not in UM:
            raise InputError(
                f"{files[name].files[0]}: {inner} holds {values.size} values in {unit or 'no unit'!r}; "
                f"expected one stage coordinate and its attribute units, one of {', '.join(UM)}"
            )
        found[name] = float(values.reshape(-1)[0]) * UM[unit]
    return found


def _ome_positions(transmitted: str) -> dict[str, Position]:
    files = find_files(transmitted, "ingest.fields.transmitted")
    return {name: _ome_position(found.files[0]) for name, found in files.items()}


def _ome_position(path: Path) -> Position:
    plane: Mapping[str, str] = {}
    if FORMATS.get(path.suffix.lower()) == "tiff":
        with tifffile.TiffFile(path) as file:
            document = file.ome_metadata
        found = ElementTree.fromstring(document).find(".//{*}Plane") if document else None
        plane = found.attrib if found is not None else {}
    units = [plane.get(f"Position{axis}Unit", "") for axis in "YX"]
    if not {"PositionX", "PositionY"} <= set(plane) or not set(units) <= set(UM):
        raise InputError(
            f"{path}: its metadata hold no stage position (OME: PositionX, PositionY and their units, of "
            f"{', '.join(UM)}); give the positions as a CSV"
        )
    y, x = (float(plane[f"Position{axis}"]) * UM[unit] for axis, unit in zip("YX", units, strict=True))
    return y, x


def stored_numbers(path: Path, inner: str) -> tuple[FloatArray, str]:
    """Return an array of an HDF5 or Zarr file and its attribute `units` (may be empty). Raises InputError."""
    try:
        if FORMATS.get(path.suffix.lower()) == "zarr":
            array: Any = zarr.open_array(path, path=inner, mode="r")
            return np.asarray(array[...], dtype=np.float64), str(array.attrs.get("units", ""))
        with h5py.File(path, "r", locking=False) as file:
            unit = file[inner].attrs.get("units", "")
            values = np.asarray(file[inner][()], dtype=np.float64)
            return values, unit.decode() if isinstance(unit, bytes) else str(unit)
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: found no numbers at {inner!r} ({error})") from None


def first_column(path: Path, name: str) -> FloatArray:
    """Return the numbers that the lines of a text file start with. Raises InputError about the key `name`."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{name}: {path} cannot be read ({error})") from None
    _refuse_unclear(lines, name)
    return np.array(list(_numbers(lines, name)), dtype=np.float64)


def _refuse_unclear(lines: list[str], name: str) -> None:
    """Raise InputError where the first number of a line may be a part of one, or counts the lines."""
    numbers = [line.strip() for line in lines if line.strip()[:1].isdigit()]
    named = any("," in line for line in lines if not line.strip()[:1].isdigit())
    if numbers and not named and all(DECIMAL_COMMA.fullmatch(line) for line in numbers):
        raise InputError(
            f"{name}: found {numbers[0]!r}: a comma may part two columns, or be a decimal mark; write "
            "decimals with a point"
        )
    rows = [re.split(r"[\s,;]+", line) for line in numbers]
    if len(rows) < 2 or min(map(len, rows)) < 2 or not all(row[0].isdigit() for row in rows):
        return
    count = np.array([int(row[0]) for row in rows])
    try:
        second = np.array([float(row[1]) for row in rows])
    except ValueError:
        return
    if np.all(np.diff(count) == 1) and np.all(np.diff(second) > 0) and np.all(second > count):
        raise InputError(
            f"{name}: the first column counts the lines ({count[0]}, {count[1]}, ...) and the second rises "
            f"from {second[0]:g}; expected the energies first; remove the column before them"
        )


def _numbers(lines: list[str], name: str) -> Iterator[float]:
    """Yield the first number of every line; one line of names and lines that start with # are left out."""
    for i, line in enumerate(lines):
        word = re.split(r"[\s,;]+", line.strip())[0]
        if not word or word.startswith("#"):
            continue
        try:
            yield float(word)
        except ValueError:
            if i > 0:
                raise InputError(f"{name}: line {i + 1} starts with {word!r}, no number") from None


def _list(names: Sequence[str]) -> str:
    unnamed = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {unnamed} more" if unnamed > 0 else "") or "none"

"""The stage positions of the fields, from a table, arrays or metadata, and the size of a pixel."""

import csv
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import tifffile

from gigaxas.config.schema import Ingest, StageAxes
from gigaxas.errors import InputError
from gigaxas.raw.readers.field import Position
from gigaxas.raw.readers.files import FileSet, find_files, split_source
from gigaxas.raw.readers.formats import recognise
from gigaxas.raw.readers.formats.stxm import is_scan_header, read_scan_header
from gigaxas.raw.readers.formats.tiff import TIFF
from gigaxas.raw.readers.images import described
from gigaxas.raw.readers.numbers import stored_numbers
from gigaxas.spectra.readers.columns import read_text
from gigaxas.units import um_per

PIXEL_UM = 0.46
"""Size of a pixel that nothing tells."""
TOO_NEAR, TOO_FAR = 0.02, 20.0
"""Distances of neighbouring fields, in sizes of a field, between which positions are taken for um."""
MOST_NAMED = 5
"""Names that one message lists."""


def pixel_size(ingest: Ingest, found: FileSet) -> float:
    """Return the size of a pixel in um: as given, as a scan's header or the images say, else PIXEL_UM."""
    if ingest.pixel_um is not None:
        return ingest.pixel_um
    header = next((each for each in (ingest.energies, ingest.stack) if is_scan_header(each)), None)
    if header:
        return read_scan_header(Path(str(header))).pixel_um
    source = ingest.stack or (ingest.fields.transmitted if ingest.fields else "")
    try:
        return described(found.files[0], split_source(source)[1], bool(found.keys)).pixel_um or PIXEL_UM
    except InputError as error:
        raise InputError(f"{found.files[0]}: {error}") from None


def read_positions(
    given: str | Path | StageAxes | None,
    transmitted: str,
    names: Sequence[str],
    among: Collection[str] | None = None,
) -> dict[str, Position]:
    """Return (y, x) in um of the top left corner of every field: a CSV, stage arrays, or OME metadata.

    One field alone needs none. Where the files `among` others are whole alone, further positions are those of
    fields to come. InputError names fields without a position, positions without a field, and what cannot be
    read.
    """
    if given is None and len(names) > 1:
        raise InputError(
            f"ingest.fields.positions: missing for {_list(names)}; give a CSV, `metadata` or stage "
            "arrays; only one field alone needs none"
        )
    if given is None:
        return dict.fromkeys(names, (0.0, 0.0))
    if isinstance(given, StageAxes):
        along = [_stage(source, axis, names, among) for axis, source in (("y", given.y), ("x", given.x))]
        return {name: (along[0][name], along[1][name]) for name in names}
    found = _ome_positions(transmitted, among) if given == "metadata" else listed_positions(Path(given))
    without = [name for name in names if name not in found]
    extra = [name for name in found if name not in names] if among is None else []
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


def listed_positions(path: Path) -> dict[str, Position]:
    """Return the positions of a CSV table by the names of their fields. InputError: what is wrong with it."""
    try:
        rows = list(csv.DictReader(read_text(path).splitlines()))
    except InputError as error:
        raise InputError(f"ingest.fields.positions: {error}") from None
    names = list(rows[0]) if rows else []
    units = [name[2:] for name in names if name and name.startswith("y_") and f"x_{name[2:]}" in names]
    if len(units) != 1 or "field" not in names:
        raise InputError(
            f"ingest.fields.positions: {path} has the columns {_list(list(map(str, names)))}; expected "
            "field, y_um, x_um (or y_mm, x_mm)"
        )
    try:
        worth = um_per(units[0])
    except InputError as error:
        raise InputError(f"ingest.fields.positions: {path}: {error}") from None
    found: dict[str, Position] = {}
    for row in rows:
        try:
            point = float(row[f"y_{units[0]}"]) * worth, float(row[f"x_{units[0]}"]) * worth
        except (TypeError, ValueError):
            raise InputError(f"ingest.fields.positions: {path}: {row['field']} has no numbers") from None
        if row["field"] in found:
            raise InputError(f"ingest.fields.positions: {path}: {row['field']} stands twice; expected once")
        found[row["field"]] = point
    return found


def _stage(source: str, axis: str, names: Sequence[str], among: Collection[str] | None) -> dict[str, float]:
    files, inner = find_files(source, f"ingest.fields.positions.{axis}", among), split_source(source)[1]
    missing = [name for name in names if name not in files]
    if missing:
        raise InputError(f"ingest.fields.positions.{axis}: {source}: nothing for {_list(missing)}")
    found = {}
    for name in names:
        values, unit = stored_numbers(files[name].files[0], inner)
        if values.size != 1 or not unit:
            raise InputError(
                f"{files[name].files[0]}: {inner} holds {values.size} values in {unit or 'no unit'!r}; "
                "expected one stage coordinate and its attribute units, as um"
            )
        try:
            found[name] = float(values.reshape(-1)[0]) * um_per(unit)
        except InputError as error:
            raise InputError(f"{files[name].files[0]}: {inner}: {error}") from None
    return found


def _ome_positions(transmitted: str, among: Collection[str] | None) -> dict[str, Position]:
    files = find_files(transmitted, "ingest.fields.transmitted", among)
    return {name: _ome_position(found.files[0]) for name, found in files.items()}


def _ome_position(path: Path) -> Position:
    plane: Mapping[str, str] = {}
    if recognise(path) is TIFF:
        with tifffile.TiffFile(path) as file:
            document = file.ome_metadata
        found = ElementTree.fromstring(document).find(".//{*}Plane") if document else None
        plane = found.attrib if found is not None else {}
    try:
        y, x = (float(plane[f"Position{axis}"]) * um_per(plane[f"Position{axis}Unit"]) for axis in "YX")
    except (KeyError, ValueError, InputError):
        raise InputError(
            f"{path}: its metadata hold no stage position (OME: PositionX, PositionY and their units); give "
            "the positions as a CSV"
        ) from None
    return y, x


def _list(names: Sequence[str]) -> str:
    unnamed = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {unnamed} more" if unnamed > 0 else "") or "none"

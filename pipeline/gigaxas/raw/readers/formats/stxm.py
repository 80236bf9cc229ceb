"""Files of scanning transmission X-ray microscopes: text images, masks in letters, and the scan's header."""

import re
from dataclasses import dataclass
from glob import escape
from pathlib import Path

import numpy as np

from gigaxas.arrays import BoolArray, Float32Array, FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.readers.columns import numbers, read_text, split_header
from gigaxas.units import um_per

UNEQUAL_STEPS = 0.01
"""Share by which the steps along y and x may differ and still be one pixel size."""
_AXIS = re.compile(r"(PAxis|QAxis|StackAxis)\s*=\s*\{(.*?)\}", re.DOTALL)
_UNIT = re.compile(r'Unit\s*=\s*"([^"]*)"')
_POINTS = re.compile(r"Points\s*=\s*\(([^)]*)\)")


@dataclass(frozen=True, eq=False)
class ScanHeader:
    """What the header (.hdr) of a scan says of its stack of images."""

    energy: FloatArray
    """Energies (E,) of the images, in eV."""
    pixel_um: float
    """Step of the stage from pixel to pixel, in um."""


def read_text_image(path: Path) -> Float32Array:
    """Return the image (h, w) of a text matrix (.xim): a row of numbers a line, set apart by blanks.

    Raises InputError that names the line with another number of columns, or with what is no number.
    """
    body = split_header(read_text(path))[1]
    if not body:
        raise InputError(f"{path}: no rows of numbers; expected a matrix of counts, a row of pixels a line")
    commas = next((number for number, line in body if "," in line), None)
    if commas:
        raise InputError(
            f"{path}: line {commas} has a comma; expected numbers with a point, set apart by blanks"
        )
    return np.asarray(numbers(body, path), dtype=np.float32)


def read_letter_mask(path: Path) -> BoolArray:
    """Return the mask (h, w) of a text file (.msk) with a character a pixel: True where it is not blank.

    Lines may end before the last column: what is missing is blank.
    """
    lines = read_text(path).rstrip("\n").split("\n")
    width = max(map(len, lines))
    return np.array([[not letter.isspace() for letter in line.ljust(width)] for line in lines])


def is_scan_header(source: object) -> bool:
    """Return whether a source is the header of a scan, which tells energies and the size of a pixel."""
    return isinstance(source, str) and source.lower().endswith(".hdr")


def read_scan_header(path: Path) -> ScanHeader:
    """Read energies and pixel size from the header of a scan.

    Raises InputError where the energies or the positions are missing, or the steps along y and x differ.
    """
    axes = _AXIS.findall(read_text(path))
    stacks = [_points(path, name, body) for name, body in axes if name == "StackAxis"]
    steps = [_step_um(path, name, body) for name, body in axes if name != "StackAxis"]
    if len(stacks) != 1 or not steps:
        raise InputError(
            f"{path}: found {len(stacks)} StackAxis and {len(steps)} PAxis or QAxis; expected the header "
            "of one stack; give ingest.energies as a list or a text file, and ingest.pixel_um"
        )
    if max(steps) - min(steps) > UNEQUAL_STEPS * max(steps):
        found = ", ".join(f"{step:g}" for step in steps)
        raise InputError(f"{path}: the stage moved in steps of {found} um; expected square pixels")
    return ScanHeader(stacks[0], round(float(np.mean(steps)), 9))


def images_of_scan(path: Path) -> list[Path]:
    """Return the images beside the header of a scan, as NAME_a000.xim. InputError where some are missing."""
    energies = len(read_scan_header(path).energy)
    images = sorted(path.parent.glob(f"{escape(path.stem)}_a*.xim"))
    if len(images) != energies:
        raise InputError(
            f"{path}: tells {energies} energies and has {len(images)} images beside it ({path.stem}_a000.xim "
            "and so on); copy them there, or give their pattern in ingest.stack and this in ingest.energies"
        )
    return images


def _points(path: Path, name: str, body: str) -> FloatArray:
    """Return the points of an axis, which the file gives after their number."""
    found = _POINTS.search(body)
    words = found.group(1).split(",") if found else []
    try:
        count, *points = map(float, words)
    except ValueError:
        raise InputError(
            f"{path}: {name} has no Points in numbers; expected their number and positions"
        ) from None
    if count != len(points):
        raise InputError(
            f"{path}: {name} announces {count:g} points and has {len(points)}; copy the file again"
        )
    return np.array(points)


def _step_um(path: Path, name: str, body: str) -> float:
    points, found = _points(path, name, body), _UNIT.search(body)
    unit = found.group(1) if found else "no unit"
    if len(points) < 2:
        raise InputError(f"{path}: {name} has {len(points)} points; expected at least 2")
    try:
        worth = um_per(unit)
    except InputError as error:
        raise InputError(f"{path}: {name}: {error}; give ingest.pixel_um") from None
    return abs(float(points[-1] - points[0])) / (len(points) - 1) * worth

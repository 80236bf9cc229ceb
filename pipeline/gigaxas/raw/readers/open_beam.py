"""Where the counts of the open beam (I0), those without light, and the mask of an image come from."""

from pathlib import Path

import numpy as np
from skimage.draw import polygon2mask

from gigaxas.arrays import BoolArray, FloatArray
from gigaxas.config.schema import Ingest, OpenArea
from gigaxas.errors import InputError
from gigaxas.raw.readers.field import Dark, OpenPixels, Reference
from gigaxas.raw.readers.files import FileSet, find_stack, split_source
from gigaxas.raw.readers.formats import recognise
from gigaxas.raw.readers.images import Stack, has_one_axis, open_stack, read_stack
from gigaxas.raw.readers.numbers import stored_numbers
from gigaxas.spectra.readers.columns import numbers, read_text, split_header
from gigaxas.tiles import Box, Plane


def open_reference(
    given: str | float | OpenArea, name: str, images: Stack, ingest: Ingest, energy: FloatArray
) -> Reference:
    """Return the open beam of `images` (E, h, w) on their energies (E,). InputError about the key `name`."""
    if isinstance(given, str):
        return open_beam_files(given, find_stack(given, name), name, ingest, energy)
    if isinstance(given, OpenArea):
        return open_pixels(given, name, images.plane)
    return np.full(len(energy), given, dtype=np.float64)


def open_beam_files(
    source: str, found: FileSet, name: str, ingest: Ingest, energy: FloatArray
) -> Stack | FloatArray:
    """Return the images of the open beam in files, or its spectrum (E,) where they hold one.

    A text file has energies and counts in two columns. Raises InputError: a spectrum of other energies, or
    without counts.
    """
    path, inner = found.files[0], split_source(source)[1]
    if recognise(path, inner) is None:
        return _checked(_text_spectrum(path, energy), name, source, energy)
    if has_one_axis(path, inner):
        return _checked(stored_numbers(path, inner)[0].reshape(-1), name, source, energy)
    return open_stack(source, found, ingest.axes, ingest.missing)


def open_pixels(area: OpenArea, name: str, plane: Plane) -> OpenPixels:
    """Return the pixels of an image (h, w) in a polygon or a mask. Raises InputError where there are none."""
    if area.polygon:
        inside = _in_polygon(area.polygon, f"{name}.polygon", plane)
    else:
        mask = open_mask(str(area.mask), f"{name}.mask", plane)
        inside = read_mask(mask, Box(0, plane[0], 0, plane[1]).region)
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        raise InputError(f"{name}: no pixel of the image lies inside; expected a part without specimen")
    box = Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)
    return OpenPixels(box, inside[box.region])


def open_dark(given: str | float | None, name: str, ingest: Ingest) -> Dark:
    """Return the images without light of a source; a number and None as they are."""
    if not isinstance(given, str):
        return given
    return open_stack(given, find_stack(given, name), ingest.axes, ingest.missing)


def open_mask(source: str, name: str, plane: Plane) -> Stack:
    """Describe the image of a mask. Raises InputError where it is not of the size of the image."""
    mask = open_stack(source, find_stack(source, name))
    if mask.shape != (1, *plane):
        found = " x ".join(map(str, mask.shape[1:] if mask.shape[0] == 1 else mask.shape))
        raise InputError(
            f"{name}: {source} has {found} pixels, the images {plane[0]} x {plane[1]}; expected one image "
            "of their size, in which every pixel that counts is not 0"
        )
    return mask


def read_mask(mask: Stack, region: tuple[slice, slice]) -> BoolArray:
    """Read which pixels (h, w) of a region a mask lets count."""
    values = read_stack(mask, region)[0]
    return np.asarray((values != 0) & np.isfinite(values))


def _in_polygon(corners: tuple[tuple[float, float], ...], name: str, plane: Plane) -> BoolArray:
    points = np.array(corners)
    if points.min() < -0.5 or np.any(points.max(axis=0) > plane):
        far = " x ".join(f"{value:g}" for value in points.max(axis=0))
        raise InputError(
            f"{name}: reaches from {points.min():g} to {far}, the image has {plane[0]} x {plane[1]} pixels; "
            "expected [y, x] inside of it"
        )
    return np.asarray(polygon2mask(plane, points), dtype=np.bool_)


def _text_spectrum(path: Path, energy: FloatArray) -> FloatArray:
    """Return the counts of a text file on the energies (E,), where its own agree with them within a step."""
    body = split_header(read_text(path))[1]
    if body and body[0][1][0].isalpha():
        body = body[1:]
    table = numbers(body, path)
    if table.shape[1] != 2:
        raise InputError(
            f"{path}: {table.shape[1]} columns; expected two, energy and counts of the open beam"
        )
    own, counts = table[np.argsort(table[:, 0])].T
    step = np.abs(np.gradient(energy)) if len(energy) > 1 else np.zeros(1)
    nearest = np.abs(energy[:, None] - own[None]).min(axis=1)
    if np.any(nearest > step):
        raise InputError(
            f"{path}: I0 of another length: {len(own)} energies from {own[0]:g} to {own[-1]:g}, the images "
            f"have {len(energy)} from {energy[0]:g} to {energy[-1]:g}; expected I0 within a step of "
            "each image"
        )
    return np.interp(energy, own, counts)


def _checked(counts: FloatArray, name: str, source: str, energy: FloatArray) -> FloatArray:
    if counts.shape != energy.shape:
        raise InputError(
            f"{name}: I0 of another length: {source} has {len(counts)} counts, the images {len(energy)} "
            "energies; expected one count of the open beam for each of them"
        )
    wrong = np.flatnonzero(~(np.isfinite(counts) & (counts > 0)))
    if wrong.size:
        raise InputError(
            f"{name}: {source} is {counts[wrong[0]]:g} at {energy[wrong[0]]:g}; expected counts above 0 at "
            "every energy"
        )
    return counts

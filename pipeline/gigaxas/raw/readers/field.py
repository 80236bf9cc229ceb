"""One field of view: what was counted behind the specimen, in the open beam and without light."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, Float32Array, FloatArray
from gigaxas.raw.absorbance import CountLimits, Counts, mean_of_frames
from gigaxas.raw.readers.files import files_identity
from gigaxas.raw.readers.images import Stack, read_stack
from gigaxas.tiles import Box, Region

Position = tuple[float, float]
"""y and x of the top left corner of a field, in um."""
Dark = Stack | float | None
"""Images without light, or the counts of every sample without it."""


@dataclass(frozen=True, eq=False)
class OpenPixels:
    """Pixels that show no specimen, whose mean counts are those of the open beam."""

    box: Box
    """The part of the image in which they lie."""
    inside: BoolArray
    """Which pixels (h, w) of it they are."""


Reference = Stack | FloatArray | OpenPixels
"""Counts of the open beam: images (E, h, w), a spectrum (E,), or pixels of the images themselves."""


@dataclass(frozen=True, eq=False)
class RawField:
    """One field of view, as it was measured."""

    name: str
    """What its files are called."""
    transmitted: Stack
    """Images (E, h, w) of counts behind the specimen."""
    reference: Reference
    """Counts of the open beam."""
    dark: Dark
    """Images (n, h, w) without light, or one count; None where there are none."""
    stage_um: Position
    """Where the stage says that its top left corner lies, y and x, in um."""
    exposure_ratio: FloatArray | None = None
    """Exposure of the sample over that of the open beam (E,); None where they are equal."""
    reference_dark: float = 0.0
    """What was counted without light in a spectrum of the open beam."""

    @property
    def stacks(self) -> tuple[Stack, ...]:
        """All of its images."""
        return tuple(
            part for part in (self.transmitted, self.reference, self.dark) if isinstance(part, Stack)
        )

    @property
    def bytes_per_pixel(self) -> int:
        """Bytes of the counts, with and without specimen, of one pixel."""
        images = (part for part in (self.transmitted, self.reference) if isinstance(part, Stack))
        return sum(stack.shape[0] * stack.frames * np.dtype(stack.dtype).itemsize for stack in images)


def measurement_identity(fields: Sequence[RawField], energy: FloatArray, others: Sequence[Stack] = ()) -> str:
    """Return what tells fields, and other images, with these energies from others."""
    stacks = (*others, *(stack for field in fields for stack in field.stacks))
    numbers = [energy, np.array([field.stage_um for field in fields])]
    for field in fields:
        if isinstance(field.reference, OpenPixels):
            numbers += [np.array(field.reference.box), field.reference.inside]
        elif not isinstance(field.reference, Stack):
            numbers.append(field.reference)
        if field.exposure_ratio is not None:
            numbers.append(field.exposure_ratio)
    return files_identity(dict.fromkeys(file for stack in stacks for file in stack.files), *numbers)


def read_dark(dark: Dark, region: Region) -> Float32Array:
    """Return the mean (h, w) of the dark images of a region; zeros where there are none."""
    if isinstance(dark, Stack):
        frames = [read_stack(dark, region, frame=number) for number in range(dark.frames)]
        return np.asarray(np.concatenate(frames).mean(axis=0, dtype=np.float64), dtype=np.float32)
    shape = tuple(part.stop - part.start for part in region)
    return np.full(shape, dark or 0.0, dtype=np.float32)


def read_counts(
    field: RawField, region: Region, dark: Float32Array, limits: CountLimits, images: slice = slice(None)
) -> Counts:
    """Read the counts of a region (h, w) of a field, of all its images or of some: means of frames.

    `dark` (h, w) is what `read_dark` gives there.
    """
    transmitted = _frames(field.transmitted, region, limits.saturation, images)
    if isinstance(field.reference, Stack):
        reference = _frames(field.reference, region, limits.reference_saturation, images)
        return Counts(transmitted, reference, dark, dark)
    assert not isinstance(field.reference, OpenPixels), "the open beam is measured first"
    spectrum = field.reference[images].astype(np.float32)[:, None, None]
    reference = np.ascontiguousarray(np.broadcast_to(spectrum, transmitted.shape))
    return Counts(transmitted, reference, dark, np.full_like(dark, field.reference_dark))


def measure_open_beam(field: RawField) -> RawField:
    """Return a field whose open beam is known: mean counts (E,) of its open pixels, and their dark counts.

    The dark of a spectrum that was measured by itself is the mean of the dark images.
    """
    if isinstance(field.reference, Stack):
        return field
    if isinstance(field.reference, OpenPixels):
        region, inside = field.reference.box.region, field.reference.inside
        images = range(field.transmitted.shape[0])
        means = [_mean_count(field.transmitted, region, i)[inside].mean() for i in images]
        dark = float(read_dark(field.dark, region)[inside].mean(dtype=np.float64))
        return replace(field, reference=np.array(means), reference_dark=dark)
    height, width = field.transmitted.plane
    whole = (
        (slice(0, height), slice(0, width)) if isinstance(field.dark, Stack) else (slice(0, 1), slice(0, 1))
    )
    return replace(field, reference_dark=float(read_dark(field.dark, whole).mean(dtype=np.float64)))


def _frames(stack: Stack, region: Region, saturation: float, images: slice) -> NDArray[Any]:
    """Read one frame in the numbers of its file, or the mean of several."""
    if stack.frames == 1:
        return read_stack(stack, region, images)
    frames = (read_stack(stack, region, images, number) for number in range(stack.frames))
    return mean_of_frames(frames, saturation)


def _mean_count(stack: Stack, region: Region, image: int) -> FloatArray:
    counts = _frames(stack, region, np.inf, slice(image, image + 1))[0]
    return np.asarray(counts, dtype=np.float64)

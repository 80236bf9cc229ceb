"""A stack of images (energy, y, x) that becomes a cube, as it is or as the absorbance of its counts."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.config.schema import EnergyUnit, Ingest
from gigaxas.errors import InputError
from gigaxas.raw.absorbance import CountLimits
from gigaxas.raw.readers.acquisition import Acquisition
from gigaxas.raw.readers.energies import energies_of, falls, rising
from gigaxas.raw.readers.exposure import exposure_ratio
from gigaxas.raw.readers.field import RawField, Reference, measurement_identity
from gigaxas.raw.readers.files import FileSet, find_stack, has_field
from gigaxas.raw.readers.images import Stack, open_stack
from gigaxas.raw.readers.open_beam import open_dark, open_mask, open_reference
from gigaxas.raw.readers.positions import pixel_size

ANY_COUNT = CountLimits(np.inf, np.inf, 0.0)
"""Every count above 0 can be used."""


@dataclass(frozen=True)
class StackSource:
    """A stack that becomes a cube."""

    stack: Stack
    """Its images."""
    energy: FloatArray
    """Their energies (E,), in `unit`."""
    unit: EnergyUnit
    """Unit of the energies."""
    pixel_um: float
    """Size of a pixel in um."""
    sample: np.dtype[Any]
    """Type that the samples of the cube have."""
    identity: str
    """What tells these files, with these energies, from others."""
    counts: RawField | None = None
    """The images as counts, with those of the open beam; None where samples are taken as they are."""
    limits: CountLimits = ANY_COUNT
    """Which counts can be used."""
    mask: Stack | None = None
    """Image of the pixels that count; None for all."""

    @property
    def measured(self) -> tuple[RawField, ...]:
        """The images as counts, where they are."""
        return (self.counts,) if self.counts else ()

    @property
    def is_plain(self) -> bool:
        """Whether samples are taken as they are, every pixel of them."""
        stack = self.stack
        told_whole = stack.packing.is_plain and not stack.absent
        return self.counts is None and self.mask is None and stack.frames == 1 and told_whole

    @property
    def bytes_per_pixel(self) -> int:
        """Bytes of one pixel of all images that are read."""
        size = np.dtype(self.stack.dtype).itemsize
        return self.counts.bytes_per_pixel if self.counts else self.stack.shape[0] * self.stack.frames * size


def describe_stack(ingest: Ingest) -> StackSource:
    """Describe a stack by its files. Raises InputError where it is none, or its energies do not fit it."""
    text = ingest.stack
    assert text is not None
    if has_field(text):
        raise InputError("ingest.stack: a stack is one image for every energy; use ingest.fields for {field}")
    found = find_stack(text, "ingest.stack")
    stack, energy, unit = _images(text, found, ingest)
    mask = open_mask(ingest.mask, "ingest.mask", stack.plane) if ingest.mask else None
    counts = _counts(ingest, stack, energy) if ingest.quantity == "counts" else None
    return StackSource(
        stack=stack,
        energy=energy,
        unit=unit,
        pixel_um=pixel_size(ingest, found),
        sample=_sample(stack, counts is None and mask is None and not ingest.is_normalised),
        identity=measurement_identity([counts] if counts else [], energy, [stack, mask] if mask else [stack]),
        counts=counts,
        limits=CountLimits(largest_count(stack), largest_count(counts.reference if counts else stack), 0.0),
        mask=mask,
    )


def field_as_stack(acquisition: Acquisition, saturation: float) -> StackSource:
    """Return the one field of an acquisition as a stack of counts, which is not normalised.

    Raises InputError where there are more: fields are placed by their edge steps.
    """
    if len(acquisition.fields) > 1:
        raise InputError(
            f"ingest.fields.normalise: found {len(acquisition.fields)} fields, which are placed by their "
            "edge steps; set lines or step, or ingest one field"
        )
    field = acquisition.fields[0]
    reference = saturation if isinstance(field.reference, Stack) else np.inf
    return StackSource(
        stack=field.transmitted,
        energy=acquisition.energy,
        unit=acquisition.unit,
        pixel_um=acquisition.pixel_um,
        sample=np.dtype(np.float32),
        identity=acquisition.identity,
        counts=field,
        limits=CountLimits(saturation, reference, 0.0),
    )


def largest_count(counts: Reference) -> float:
    """Return the largest number that images of counts can hold, which stands for any above it too."""
    dtype = np.dtype(counts.dtype) if isinstance(counts, Stack) else np.dtype(np.float64)
    return float(np.iinfo(dtype).max) if dtype.kind in "ui" else np.inf


def _sample(stack: Stack, as_they_are: bool) -> np.dtype[Any]:
    """Return the type of the cube's samples: only whole numbers that stay what they are remain such."""
    small = as_they_are and stack.frames == 1 and np.dtype(stack.dtype) in (np.uint8, np.uint16)
    return np.dtype(np.uint16 if small else np.float32)


def _images(text: str, found: FileSet, ingest: Ingest) -> tuple[Stack, FloatArray, EnergyUnit]:
    """Return the images in the order of rising energy, their energies, and the unit of these."""
    stack = open_stack(text, found, ingest.axes, ingest.missing)
    energy, unit = energies_of(text, found, ingest)
    if len(energy) != stack.shape[0]:
        hint = "; its axes are not energy, y, x: set ingest.axes" if len(energy) in stack.shape else ""
        raise InputError(
            f"ingest.stack: {text} has {stack.shape[0]} images of {stack.plane[0]} x {stack.plane[1]} "
            f"pixels, expected one for each of {len(energy)} energies{hint}"
        )
    if falls(energy) and ingest.quantity != "counts":
        return replace(stack, is_backwards=True), energy[::-1], unit
    return stack, rising(energy, "ingest.stack"), unit


def _counts(ingest: Ingest, stack: Stack, energy: FloatArray) -> RawField:
    assert ingest.i0 is not None
    field = RawField(
        name="",
        transmitted=stack,
        reference=open_reference(ingest.i0, "ingest.i0", stack, ingest, energy),
        dark=open_dark(ingest.dark, "ingest.dark", ingest),
        stage_um=(0.0, 0.0),
        exposure_ratio=exposure_ratio(ingest.exposures, "ingest.exposures", energy),
    )
    for name, other in (("i0", field.reference), ("dark", field.dark)):
        if isinstance(other, Stack) and other.plane != stack.plane:
            raise InputError(
                f"ingest.{name}: its images have {other.plane[0]} x {other.plane[1]} pixels, the stack "
                f"{stack.plane[0]} x {stack.plane[1]}; expected equal images"
            )
    if isinstance(field.reference, Stack) and field.reference.shape[0] != len(energy):
        raise InputError(
            f"ingest.i0: I0 of another length: {ingest.i0} has {field.reference.shape[0]} images, the stack "
            f"{len(energy)}; expected one for every energy"
        )
    return field

"""Pixels, fields and time of an area."""

from dataclasses import dataclass

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError


@dataclass(frozen=True)
class Scan:
    """How an instrument covers an area: field after field, in each of them energy after energy."""

    size_um: tuple[float, float]
    """Height and width of the area."""
    field: tuple[int, int]
    """Rows and columns of a field, in pixels."""
    overlap: int
    """Pixels that neighbouring fields share."""
    pixel_um: float
    """Side of a pixel."""
    energy_dead_s: float
    """Lost at every energy of every field."""
    field_dead_s: float
    """Lost at every field."""

    def __post_init__(self) -> None:
        if min(self.field) <= self.overlap:
            raise InputError(
                f"plan.area: fields of {self.field[0]} x {self.field[1]} pixels cannot share {self.overlap}; "
                "give an overlap smaller than the field"
            )


@dataclass(frozen=True)
class Covered:
    """What it takes to cover an area."""

    plane: tuple[int, int]
    """Rows and columns of the image, in pixels."""
    fields: tuple[int, int]
    """Rows and columns of fields."""
    exposure_s: float | None
    """Light on the specimen; None where no count rate tells it."""
    open_beam_s: float | None
    """The open beam, once at every energy, exposed as long as a field, with its dead time."""
    dead_s: float
    """Lost between energies and fields."""

    @property
    def pixels(self) -> int:
        """Pixels of the image."""
        return self.plane[0] * self.plane[1]

    @property
    def seconds(self) -> float | None:
        """All of it; None where no count rate tells the exposure."""
        if self.exposure_s is None or self.open_beam_s is None:
            return None
        return self.exposure_s + self.open_beam_s + self.dead_s


def cover(scan: Scan, counts: FloatArray, count_rate: float | None) -> Covered:
    """Return what a scan of an area takes at these reference counts a energy (E,).

    `count_rate` are the reference counts of a pixel in a second. InputError: as `Scan`.
    """
    plane = tuple(int(np.ceil(side / scan.pixel_um - 1e-9)) for side in scan.size_um)
    fields = tuple(
        max(1, -(-(side - scan.overlap) // (length - scan.overlap)))
        for side, length in zip(plane, scan.field, strict=True)
    )
    number = fields[0] * fields[1]
    one = None if count_rate is None else float(counts.sum()) / count_rate
    return Covered(
        plane=(plane[0], plane[1]),
        fields=(fields[0], fields[1]),
        exposure_s=None if one is None else number * one,
        open_beam_s=None if one is None else one + counts.size * scan.energy_dead_s,
        dead_s=number * (counts.size * scan.energy_dead_s + scan.field_dead_s),
    )

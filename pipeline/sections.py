"""Sections of a configuration: what all are made of, and those about raw measurements."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Range = tuple[float, float]
Pixels = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A part of a configuration: unknown keys are refused and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EnergyShift(Section):
    """The energy that varies over the field, fitted on a foil, or on the edges of the data themselves."""

    foil: str | None = None
    foil_reference: str | None = None
    degree: Literal[1, 2] = 2

    @model_validator(mode="after")
    def _foil_is_whole(self) -> "EnergyShift":
        if (self.foil is None) != (self.foil_reference is None):
            raise ValueError("give both `foil` and `foil_reference` (stacks of counts), or neither")
        return self


class Stage(Section):
    """Where files keep the stage coordinates of a field, the top left corner of its image."""

    y: str
    x: str


class Fields(Section):
    """Raw fields of view: counts with and without the specimen, for every field and energy.

    Sources are `files` or `files::array`, with `{field}`, and `{energy}` or `{index}` where every image has
    its own file. `edge` is the energy in eV at which the edge step is taken.
    """

    transmitted: str
    reference: str
    dark: str | None = None
    positions: Literal["metadata"] | Path | Stage
    saturation: Annotated[float, Field(gt=0)] = 65535
    normalise: Literal["lines", "step"] = "lines"
    edge: float = 7125.0
    least_step: Annotated[float, Field(ge=0)] = 5.0
    energy_shift: EnergyShift | None = None
    drift: bool = False
    blend: Literal["feathered", "nearest"] = "feathered"
    stage_error_um: Annotated[float, Field(gt=0)] = 10.0


class Ingest(Section):
    """What the cube is made of: raw fields of view, or a stack (energy, y, x) taken as it is."""

    stack: str | None = None
    fields: Fields | None = None
    energies: str | tuple[float, ...] | None = None
    unit: Literal["eV", "1/cm"] = "eV"
    axes: Literal["EYX", "EXY", "YXE", "XYE", "YEX", "XEY"] = "EYX"
    pixel_um: Annotated[float, Field(gt=0)] = 0.46
    chunk: Annotated[int, Field(ge=8)] = 256

    @model_validator(mode="after")
    def _one_kind(self) -> "Ingest":
        if (self.stack is None) == (self.fields is None):
            raise ValueError(
                "give either `stack` (a file of images taken as they are) or `fields` (raw counts)"
            )
        return self


class RawScan(Section):
    """Simulated raw fields: a grid of overlapping images with stage errors, a shift of energy, and drift.

    `energy_shift_ev` is the largest shift in the corners of a field, `drift_px` how far the specimen moves
    during the scan of one field.
    """

    fields: tuple[Pixels, Pixels] = (3, 3)
    overlap: Annotated[int, Field(ge=0)] = 48
    stage_error_px: Annotated[int, Field(ge=0)] = 4
    energy_shift_ev: float = 1.5
    drift_px: Annotated[float, Field(ge=0)] = 0.0

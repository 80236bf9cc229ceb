"""Sections of a configuration: what all are made of, and those about sites and raw measurements."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_serializer, model_validator

Range = tuple[float, float]
Pixels = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A part of a configuration: unknown keys are refused and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)


class Sites(Section):
    """Where site spectra come from (the references, the data, both, or a `file`) and how they are made."""

    source: Literal["library", "observed", "both"] | None = Field(default=None, alias="from")
    file: Path | None = None
    mixtures: Literal["pairs", "none"] = "pairs"
    trials: Annotated[int, Field(ge=0)] = 0
    components: Annotated[int, Field(ge=2)] = 3
    draw: Literal["standards", "candidates"] = "standards"
    criterion: Literal["z", "error"] = "z"
    accept: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    limit: Annotated[float, Field(gt=0, lt=0.5)] = 1e-4
    method: Literal["average", "net"] = "average"
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _built_or_given(self) -> "Sites":
        if self.file and (idle := self._changed({"file", "limit", "seed"})):
            raise ValueError(f"sites from a `file` are not built: remove {', '.join(idle)}")
        if self.source == "observed" and (idle := self._changed({"source", "limit"})):
            raise ValueError(f"sites observed in the data are not built: remove {', '.join(idle)}")
        return self

    def _changed(self, but: set[str]) -> list[str]:
        """Return the YAML names of the keys, those of `but` aside, that differ from their defaults."""
        known = type(self).model_fields
        changed = (name for name in known if name not in but and getattr(self, name) != known[name].default)
        return sorted(known[name].alias or name for name in changed)

    @field_serializer("source")
    def _as_resolved(self, source: str | None) -> str | None:
        # settings that are written out have every key, so that the choice must be among them
        return None if self.file else self.origin

    @property
    def recipe(self) -> dict[str, Any]:
        """The settings that sites are built by."""
        return self.model_dump(exclude={"file", "source"})

    @property
    def _building(self) -> set[str]:
        return self.model_fields_set - {"source", "file", "limit"}

    @property
    def origin(self) -> Literal["library", "observed", "both", "file"]:
        """Where sites come from: as told, else the data, or the library where it is said how to build one."""
        if self.file:
            return "file"
        return self.source or ("library" if self._building else "observed")

    @property
    def need_references(self) -> bool:
        """Whether references must be given: always, unless a file or the data are named as the source."""
        return not self.file and self.source != "observed"


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

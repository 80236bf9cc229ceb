"""What a run is asked to do: a YAML file read into frozen models, every error in it named at once."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PlainSerializer,
    PlainValidator,
    PositiveFloat,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.fields import FieldInfo

from gigaxas.locations import INSIDE, Location, Url, location
from gigaxas.spatial.clean_up import CleanUp, check_clean_up
from gigaxas.spectra.edges import parse_edge
from gigaxas.spectra.noise import NoiseModel
from gigaxas.spectra.quantity import Quantity
from gigaxas.spectra.signal_noise import SignalNoise

AT_HOME = re.compile(r"~[\w.-]*[/\\]")
Range = tuple[float, float]
PixelCount = Annotated[int, Field(ge=1)]


LEAST_SINTER = 128
"""Shortest side of a simulated sinter in pixels."""
MOST_PLANTED = 4
"""Longest side of a speck in pixels: what is larger, the label map may show."""


@dataclass(frozen=True)
class Written:
    """Context of the validation of what a person has written."""

    folder: Path | None = None
    """Where relative paths start; None leaves them as they are, to start where the command runs."""


def _from_folder(value: Any, info: ValidationInfo) -> Any:
    """Return a path, or a source `files::array`, that starts at the folder of the configuration."""
    folder = info.context.folder if isinstance(info.context, Written) else None
    if folder is None or isinstance(value, Url) or "://" in str(value) or Path(value).is_absolute():
        return value
    return folder / value if isinstance(value, Path) else f"{folder}{os.sep}{value}"


def _mask_from_folder(value: str, info: ValidationInfo) -> str:
    """Return the source of a mask; what can be no file is the name of a map of the cube, and stays."""
    found: str = _from_folder(value, info)
    is_file = INSIDE in value or Path(value).suffix or Path(found).is_file()
    return found if is_file else value


FilePath = Annotated[Path, AfterValidator(_from_folder)]
"""A file or a folder."""
Source = Annotated[str, AfterValidator(_from_folder)]
"""`files` or `files::array`, where files may hold placeholders such as `{energy}`."""
MapOrSource = Annotated[str, AfterValidator(_mask_from_folder)]
"""A source, or the name of a map of the cube."""


class Section(BaseModel):
    """A part of a configuration: unknown keys are refused and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _home(cls, value: Any) -> Any:
        """Let `~` at the start of a path stand for the home of a user."""
        if not (isinstance(value, str) and AT_HOME.match(value)):
            return value
        try:
            return str(Path(value).expanduser())
        except RuntimeError:
            raise ValueError("the home that `~` stands for is not known; write the path out") from None

    @field_validator("*", mode="before")
    @classmethod
    def _not_empty(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse a section that a person begins and gives nothing in: it may be meant to be there or not."""
        if (
            value is None
            and isinstance(info.context, Written)
            and _is_section(cls.model_fields[info.field_name or ""])
        ):
            raise ValueError("empty; remove it, or give its keys below it (or `{}`: each as if left out)")
        return value


def _is_section(field: FieldInfo) -> bool:
    kinds = (field.annotation, *get_args(field.annotation))
    return any(isinstance(kind, type) and issubclass(kind, Section) for kind in kinds)


class Sites(Section):
    """Where site spectra come from (the references, the data, both, or a `file`) and how they are made."""

    source: Literal["library", "observed", "both"] | None = Field(default=None, alias="from")
    """Where sites come from: the references, the data, or both; left out, the data, or the references
    where a key tells how to build a library."""
    file: FilePath | None = None
    """A CSV table or a sites.zarr to take the sites from."""
    mixtures: Literal["pairs", "none"] = "pairs"
    """Candidates: the references and their half-and-half mixtures, or the references alone."""
    trials: Annotated[int, Field(ge=0)] = 0
    """Random mixtures tried as further candidates."""
    components: Annotated[int, Field(ge=2)] = 3
    """Spectra in each of these mixtures."""
    draw: Literal["standards", "candidates"] = "standards"
    """What these mix: references, or candidates found so far."""
    criterion: Literal["z", "error"] = "z"
    """What is held against `accept`: mean z, or Eq. 1 of [I]."""
    accept: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    """Error below which a trial is far enough from every candidate."""
    limit: Annotated[float, Field(gt=0, lt=0.5)] = 1e-4
    """Error at which candidates count as one site."""
    method: Literal["average", "net"] = "average"
    """Reduction: average linkage (published), or a net of guaranteed spacing."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the trials."""
    correct: Literal["none", "field"] = "none"
    """Whether a slow error of the field that the data show is taken out of them before sites are observed and
    pixels assigned."""

    @model_validator(mode="after")
    def _built_or_given(self) -> "Sites":
        if self.file and (idle := self._changed({"file", "limit", "seed"})):
            raise ValueError(f"sites from a `file` are not built: remove {', '.join(idle)}")
        if self.correct == "field" and self.origin == "library":
            raise ValueError("`correct: field` needs sites from the data: set `from: observed` or `both`")
        if self.source == "observed" and (idle := self._changed({"source", "limit", "correct"})):
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
        return self.model_dump(exclude={"file", "source", "correct"})

    @property
    def _building(self) -> set[str]:
        return self.model_fields_set - {"source", "file", "limit", "correct"}

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
    """The energy that varies over the image, fitted on the edges of the data themselves."""

    degree: Literal[1, 2] = 2
    """Degree of the polynomial over the image."""


class FieldShift(EnergyShift):
    """The energy that varies over the field, fitted on a foil, or on the edges of the data themselves."""

    foil: Source | None = None
    """Source of counts through a foil; left out, the edges of the specimen are taken."""
    foil_reference: Source | None = None
    """Source of the counts without the foil."""

    @model_validator(mode="after")
    def _foil_is_whole(self) -> "FieldShift":
        if (self.foil is None) != (self.foil_reference is None):
            raise ValueError("give both `foil` and `foil_reference` (stacks of counts), or neither")
        return self


class StageAxes(Section):
    """Where files keep the stage coordinates of a field, the top left corner of its image."""

    y: Source
    """Source of the row coordinate."""
    x: Source
    """Source of the column coordinate."""


class OpenArea(Section):
    """A part of the images without specimen, whose mean counts at every energy are those of the open beam."""

    polygon: Annotated[tuple[tuple[float, float], ...], Field(min_length=3)] | None = None
    """Corners of a polygon, [y, x] in pixels."""
    mask: Source | None = None
    """Source of an image in which these pixels are not 0."""

    @model_validator(mode="after")
    def _one_of_them(self) -> "OpenArea":
        if (self.polygon is None) == (self.mask is None):
            raise ValueError("give either `polygon` (corners [y, x]) or `mask` (an image), nothing else")
        return self


Seconds = PositiveFloat | Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] | Source
"""One exposure, one for every energy, or the source of such."""


class Exposures(Section):
    """How long a frame of the sample and a frame of the open beam were exposed, in seconds."""

    sample: Seconds
    """Exposure of the sample."""
    i0: Seconds
    """Exposure of the open beam."""


def _check_exposures(exposures: Exposures | None, i0: object) -> None:
    if exposures and isinstance(i0, OpenArea):
        raise ValueError("`exposures`: the open beam is measured in the images themselves; remove them")


Missing = Literal["error", "void"]
"""Whether what a file should hold and does not is an error, or its pixels are void."""
EnergyUnit = Literal["eV", "1/cm"]
"""Unit of the energies: electronvolts, or the wavenumbers of a Raman shift."""


class Fields(Section):
    """Raw fields of view: counts with and without the specimen, for every field and energy.

    Sources are `files` or `files::array`, with `{field}`, and `{energy}` or `{index}` where every image has
    its own file.
    """

    transmitted: Source
    """Source of the images with the specimen."""
    reference: PositiveFloat | Source | OpenArea
    """Source of images without it, or of a spectrum; a number; or a part of the images without specimen."""
    dark: NonNegativeFloat | Source | None = None
    """Source of dark images, which are averaged, or what is counted without light."""
    exposures: Exposures | None = None
    """Exposures of sample and open beam, where they differ."""
    positions: Literal["metadata"] | FilePath | StageAxes | None = None
    """Where the stage coordinates are: OME metadata, a CSV table, or sources; left out for one field."""
    saturation: Annotated[float, Field(gt=0)] = 65535
    """Counts from which a sample is invalid."""
    normalise: Literal["lines", "step", "none"] | None = None
    """Divide by the post-edge line, or by the edge step; left out, by the line, at L edges by the step;
    `none` leaves the absorbance of one field as it is."""
    edge: float | None = None
    """Energy in eV at which the edge step is taken; left out, that of the run's edge (Fe K: 7125)."""
    least_step: Annotated[float, Field(ge=0)] = 5.0
    """Edge step, in its own noise, below which a pixel is void."""
    energy_shift: FieldShift | None = None
    """How the shift of energy over the field is fitted; left out, it is not."""
    drift: bool = False
    """Whether the specimen's drift is taken out."""
    blend: Literal["feathered", "nearest"] = "feathered"
    """Whether fields are averaged where they overlap."""
    stage_error_um: Annotated[float, Field(gt=0)] = 10.0
    """How far the stage may be wrong between two fields."""

    @model_validator(mode="after")
    def _fits_together(self) -> "Fields":
        _check_exposures(self.exposures, self.reference)
        if self.normalise == "none" and (self.energy_shift or self.drift):
            raise ValueError(
                "`energy_shift` and `drift` are measured on edges: set `normalise`, or remove them"
            )
        return self


def _axes(axes: str | None) -> str | None:
    if axes is not None and sorted(axes.replace("F", "", 1)) != sorted("EYX"):
        raise ValueError("expected E, Y and X, each once and in any order, and F for frames of one energy")
    return axes


STACK_KEYS = frozenset({"quantity", "i0", "dark", "exposures", "mask", "normalise", "energy_shift"})
"""Keys of `ingest` that go with a stack."""


class Ingest(Section):
    """What the cube is made of: raw fields of view, or a stack (energy, y, x) taken as it is."""

    stack: Source | None = None
    """Source of a stack of images."""
    quantity: Literal["normalised", "absorbance", "intensity", "counts"] | None = None
    """What the samples of the stack are; counts become absorbance."""
    i0: PositiveFloat | Source | OpenArea | None = None
    """Counts of the open beam: images, a spectrum, a number, or a part of the images without specimen."""
    dark: NonNegativeFloat | Source | None = None
    """Source of dark images, which are averaged, or what is counted without light."""
    exposures: Exposures | None = None
    """Exposures of sample and open beam, where they differ."""
    mask: Source | None = None
    """Source of an image in which every pixel that counts is not 0; the others become void."""
    energy_shift: EnergyShift | None = None
    """How the shift of energy over the image of a stack is fitted and taken out; left out, it is not."""
    normalise: Literal["lines", "step", "none"] = "none"
    """Divide by the post-edge line, or by the edge step, above the pre-edge line."""
    fields: Fields | None = None
    """Raw counts of fields of view."""
    energies: Source | tuple[float, ...] | None = None
    """The energies, or where they are; left out, they are in the names of the files, or in the files."""
    unit: EnergyUnit | None = None
    """Unit of the energies; left out, what the files say, or eV."""
    axes: Annotated[str | None, AfterValidator(_axes)] = None
    """Order of the axes in the files; F stands for frames of one energy; left out, what they say."""
    pixel_um: Annotated[float, Field(gt=0)] | None = None
    """Size of a pixel; left out, what the files say, or 0.46."""
    missing: Missing = "error"
    """Whether images that a file should hold and does not are an error, or their pixels are void."""
    chunk: Annotated[int, Field(ge=8)] = 256
    """Side of a chunk of the cube, in pixels."""

    @model_validator(mode="after")
    def _one_kind(self) -> "Ingest":
        if (self.stack is None) == (self.fields is None):
            raise ValueError(
                "give either `stack` (a file of images taken as they are) or `fields` (raw counts)"
            )
        return self

    @model_validator(mode="after")
    def _keys_fit_the_stack(self) -> "Ingest":
        of_stack = STACK_KEYS & self.model_fields_set
        if self.fields and of_stack:
            raise ValueError(
                f"{', '.join(sorted(of_stack))} go with `stack`; give the keys of `fields` inside it"
            )
        of_counts = [key for key in ("i0", "dark", "exposures") if getattr(self, key) is not None]
        if of_counts and self.quantity != "counts":
            raise ValueError(f"{', '.join(of_counts)} make absorbance of counts: set `quantity: counts`")
        if self.quantity == "counts" and self.i0 is None:
            raise ValueError(
                "`quantity: counts` needs `i0`, the counts of the open beam: images, a spectrum, a number, "
                "or a part of the images without specimen ({polygon: [[y, x], ...]} or {mask: file})"
            )
        if self.quantity == "normalised" and self.normalise != "none":
            raise ValueError("`normalise`: the stack is normalised already; remove it, or correct `quantity`")
        if self.stack and "F" in (self.axes or "") and self.quantity not in ("counts", "intensity"):
            raise ValueError("`axes`: frames are added up for `quantity: counts` and `intensity` only")
        _check_exposures(self.exposures, self.i0)
        return self

    @model_serializer(mode="wrap")
    def _of_its_kind(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # read back, keys of a stack that were left out must not stand beside `fields`
        foreign = STACK_KEYS if self.fields else frozenset()
        return {key: value for key, value in written(self).items() if key not in foreign}

    @property
    def is_normalised(self) -> bool:
        """Whether pixels are normalised as the cube is made."""
        return (self.fields or self).normalise != "none"


class RawScan(Section):
    """Simulated raw fields: a grid of overlapping images with stage errors, a shift of energy, and drift.

    `energy_shift_ev` is the largest shift in the corners of a field, `drift_px` how far the specimen moves
    during the scan of one field.
    """

    fields: tuple[PixelCount, PixelCount] = (3, 3)
    """Rows and columns of fields."""
    overlap: Annotated[int, Field(ge=0)] = 48
    """Pixels that neighbours share."""
    stage_error_px: Annotated[int, Field(ge=0)] = 4
    """How far the stage may be off."""
    energy_shift_ev: float = 1.5
    """Largest shift of energy, in the corners of a field."""
    drift_px: Annotated[float, Field(ge=0)] = 0.0
    """How far the specimen moves during the scan of a field."""
    scans: PixelCount = 1
    """How often every field is taken, each time into a file of its own."""


def _location(given: Any) -> Location:
    if not isinstance(given, str | Path):
        raise ValueError("input should be a path or an address")
    return location(given)


StoreLocation = Annotated[
    Location, PlainValidator(_location), PlainSerializer(str), AfterValidator(_from_folder)
]
"""A folder, or the address (s3://bucket/name) of one; an address carries no credentials."""


class Cube(Section):
    """The measured cube of a user; left out, the cube is simulated into the output folder."""

    path: StoreLocation
    """A Zarr group with the array `mu`."""
    quantity: Quantity | None = None
    """What `mu` holds; left out, what its attribute says, or what the data look like."""
    mask: MapOrSource | None = None
    """Source of an image that is 0 where a pixel is void: a file, `file::array`, or a map of the cube."""
    energy_shift: EnergyShift | None = None
    """How the shift of energy over the image is fitted and taken out; left out, it is not."""
    missing: Annotated[Missing, Field(validation_alias=AliasChoices("missing", "missing_chunks"))] = "error"
    """Whether pixels of chunks that are not there are an error or void."""


NoiseKind = Literal["camera", "counts", "constant", "measured"]
"""What the noise of a sample is told by."""
NOISE_KEYS: dict[str, NoiseKind] = {
    **dict.fromkeys(("working_point", "frames", "c_ref", "mu_low", "mu_high", "a", "b"), "camera"),
    **dict.fromkeys(("gain", "read"), "counts"),
    "sigma": "constant",
}
"""The model that each key of the noise belongs to."""


class NoiseSection(Section):
    """The noise of a sample: measured in the image, or given by a camera, by counting, or as a number.

    `working_point: cube` takes the means of the cube's own maps for the working point; `frames`, a stack of
    repeated frames of one field, is fitted for the camera's `a` and `b`. `note` says where numbers come from.
    """

    model: NoiseKind | None = None
    """What tells the noise; left out, the keys given here say so, and without any it is measured."""
    sigma: Annotated[float, Field(gt=0)] | tuple[Annotated[float, Field(gt=0)], ...] | None = None
    """`constant`: standard deviation of a sample in the cube's unit, one for all energies or one each."""
    gain: Annotated[float, Field(gt=0)] = 1.0
    """`counts`: variance a unit of signal; 1 where the cube holds counted events."""
    read: Annotated[float, Field(ge=0)] = 0.0
    """`counts`: standard deviation without signal."""
    working_point: Literal["given", "cube"] = "given"
    """Whether the three numbers are given or are means of the cube's own maps."""
    frames: Source | None = None
    """Source of the repeated frames of one field that `a` and `b` are fitted to."""
    note: str = ""
    """Where the numbers come from."""
    c_ref: float = 2.7e4
    """Mean reference counts."""
    mu_low: float = 0.36
    """Mean absorbance before the edge."""
    mu_high: float = 1.56
    """Mean absorbance after the edge."""
    a: float = 9.3131
    """The camera's A: sigma(N) = sqrt(A N - B) counts."""
    b: float = 63.003
    """The camera's B; negative for read noise."""

    @model_validator(mode="after")
    def _has_a_value(self) -> "NoiseSection":
        given = self.model_fields_set
        if self.working_point == "cube" and given & {"mu_low", "mu_high"}:
            raise ValueError("`working_point: cube` measures mu_low and mu_high: do not give them as well")
        if self.frames and given & {"a", "b"}:
            raise ValueError("`frames` gives a and b: do not give them as well")
        foreign = [key for key, kind in NOISE_KEYS.items() if key in given and kind != self.kind]
        if self.kind is not None and foreign:
            raise ValueError(f"{', '.join(foreign)} belong to another model than `{self.kind}`: remove them")
        if self.kind == "constant" and self.sigma is None:
            raise ValueError("`model: constant` needs `sigma`, the standard deviation of a sample")
        self.camera()
        return self

    @model_serializer(mode="wrap")
    def _as_given(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # read back, keys that were left out must neither choose another model nor pass for given numbers
        return {key: value for key, value in written(self).items() if key in self.model_fields_set}

    @property
    def kind(self) -> NoiseKind | None:
        """The model that is named, or that the keys given here belong to; None without any."""
        told = (kind for key, kind in NOISE_KEYS.items() if key in self.model_fields_set)
        return self.model or next(told, None)

    @property
    def is_given(self) -> bool:
        """Whether every number is known without reading a cube or frames."""
        return self.kind != "measured" and self.working_point == "given" and self.frames is None

    def camera(self) -> NoiseModel:
        """Return the noise of the camera at this working point."""
        return NoiseModel(c_ref=self.c_ref, mu_low=self.mu_low, mu_high=self.mu_high, a=self.a, b=self.b)

    def signal(self) -> SignalNoise:
        """Return the noise of the models `counts` and `constant`."""
        if self.kind == "constant":
            return SignalNoise(np.array(self.sigma, dtype=np.float64))
        return SignalNoise(np.array(self.read), self.gain)


class PlantedSpecks(Section):
    """Squares of a phase, smaller than the window of the clean-up, put into a simulated scene."""

    phase: str
    """Name of the reference they are made of."""
    host: str
    """Name of the phase they are put into."""
    pixels: Annotated[int, Field(ge=1, le=MOST_PLANTED)] = 1
    """Side of a square."""
    count: Annotated[int, Field(ge=1, le=1000)] = 3
    """How many."""


class Simulate(Section):
    """A scene with known truth, made into a cube with noise on the counts.

    `noise` is the working point of the acquisition; left out, it is the one that the sites are made for.
    """

    scene: Literal["sinter", "inset"] = "sinter"
    """A section of iron-ore sinter, or a rectangle of one reference in another."""
    shape: tuple[PixelCount, PixelCount] = (1024, 1024)
    """Rows and columns."""
    inset: tuple[PixelCount, PixelCount] = (10, 10)
    """Rows and columns of the rectangle."""
    phases: tuple[str, str] | None = None
    """Names of the two references of an inset, the background first."""
    energies: Annotated[int, Field(ge=8, le=4000)] = 178
    """Number of energies."""
    energy_range: Range = (7009.2, 7321.2)
    """First and last energy, in eV."""
    pixel_um: Annotated[float, Field(gt=0)] = 0.46
    """Size of a pixel."""
    chunk: Annotated[int, Field(ge=8)] = 256
    """Side of a chunk of the cube, in pixels."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Another seed makes another scene and other noise."""
    noise: NoiseSection | None = None
    """Working point of the acquisition; left out, that of the sites."""
    specks: tuple[PlantedSpecks, ...] = ()
    """Phases of a few pixels to put into the scene."""
    raw: RawScan | None = None
    """Raw fields of view to make instead of the cube."""

    @model_validator(mode="after")
    def _scene_is_whole(self) -> "Simulate":
        if (self.scene == "inset") != (self.phases is not None):
            raise ValueError(
                "the scene 'inset' takes two reference names in `phases` (background, inset); "
                "the scene 'sinter' takes none"
            )
        if self.scene == "sinter" and min(self.shape) < LEAST_SINTER:
            raise ValueError(
                f"a sinter of {self.shape[0]} x {self.shape[1]} pixels has no room for its rims; give a "
                f"`shape` of {LEAST_SINTER} x {LEAST_SINTER} or more"
            )
        if self.noise and not (self.noise.is_given and self.noise.kind in (None, "camera")):
            raise ValueError("`noise` of a simulated acquisition takes a camera's numbers, nothing measured")
        if self.energy_range[0] >= self.energy_range[1]:
            raise ValueError(f"energy_range {list(self.energy_range)} must run from low to high, in eV")
        return self


class References(Section):
    """Reference spectra: the modelled library that comes with gigaxas, or files."""

    path: FilePath | None = None
    """A file or folder of spectra."""
    modelled: bool = False
    """Whether the modelled library is taken."""
    select: tuple[str, ...] | None = None
    """Patterns of the files or records to use."""
    shifts: dict[str, float] = Field(default_factory=dict)
    """Energy shift in eV for each pattern."""
    extrapolate: bool = False
    """Whether the end values of a spectrum stand for energies that it does not cover."""
    pre_edge: Range | None = None
    """Range before the edge, in eV; left out, it follows from the edge and the energies."""
    post_edge: Range | None = None
    """Range after the edge, in eV; left out, it follows from the edge and the energies."""
    normalise: Literal["lines", "step", "none"] | None = None
    """Pre- and post-edge lines, the edge step, or nothing; left out, lines, at L edges a constant before the
    edge and the step, and nothing where there is no edge."""
    align: Literal["report", "apply", "off"] = "report"
    """Whether the shift of energy between references and image is told, taken out of the references, or not
    looked for."""

    @model_validator(mode="after")
    def _files_are_named(self) -> "References":
        idle = [name for name in ("select", "shifts", "extrapolate") if getattr(self, name)]
        if self.modelled and idle:
            raise ValueError(f"{', '.join(idle)} go with files in `path`, not with `modelled`: remove them")
        return self

    @property
    def is_given(self) -> bool:
        """Whether there are references at all."""
        return self.path is not None or self.modelled


class CleanUpSection(Section):
    """The spatial clean-up: P_num equal labels in a K_size x K_size window make a core."""

    k_size: int = 5
    """Side of the window, in pixels; odd."""
    p_num: int = 23
    """Equal labels in a window that make a core."""
    fill_void: bool = False
    """Whether pixels without signal take their neighbours' label."""

    @model_validator(mode="after")
    def _inside_the_gate(self) -> "CleanUpSection":
        check_clean_up(self.value)
        return self

    @property
    def value(self) -> CleanUp:
        """The three settings as the kernels take them."""
        return CleanUp(self.k_size, self.p_num, self.fill_void)


class SpeckSection(Section):
    """The search for phases smaller than the window of the clean-up, down to one pixel."""

    false_alarms: Annotated[float, Field(gt=0, le=1000)] = 0.1
    """Specks that noise alone makes in the whole image, on average."""


class VoidSection(Section):
    """When a pixel of a stack or a cube holds no signal, and so no label."""

    least_step: Annotated[float, Field(ge=0)] = 5.0
    """Edge step of an absorbance, in its own noise, below which a pixel is void."""
    least_sum: float | None = None
    """Sum of an intensity over all energies below which a pixel is void; left out, noise decides."""


class Phases(Section):
    """How clusters become components, and how their maps and figure are drawn.

    An explanation of a cluster counts from the probability `level` on; `floor` is the share of a pixel's
    noise that no model explains.
    """

    spectrum: Literal["mean", "pca"] = "mean"
    """Spectrum of a cluster: the mean of its pixels, or their first singular vector."""
    level: Annotated[float, Field(gt=0, lt=1)] = 1e-3
    """Probability from which on an explanation counts."""
    floor: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of a pixel's noise that no model explains; left out, 0.05 by a camera's noise, and the noise of a
    window's mean where it was measured."""
    members: Literal[2, 3] = 2
    """Clusters that a mixture has at most."""
    composition: Literal["mixtures", "all"] = "mixtures"
    """Which pixels are fitted: those of mixtures, or all."""
    sum_to_one: bool = False
    """Whether the weights of a pixel sum to one."""
    decisions: FilePath | None = None
    """The file of the decisions; left out, it lies in the output."""
    figure_mm: Annotated[float, Field(ge=20, le=2000)] = 180
    """Width of the figure."""
    figure_dpi: Annotated[int, Field(ge=50, le=1200)] = 300
    """Dots per inch of the figure."""


def _region(region: tuple[float, float, float]) -> tuple[float, float, float]:
    if region[0] >= region[1]:
        raise ValueError("expected [first, last, step] with the first energy below the last, in eV")
    return region


Region = Annotated[tuple[float, float, PositiveFloat], AfterValidator(_region)]
"""First and last energy and the step between, in eV."""


class PlannedArea(Section):
    """An area to be covered by fields of view, in each of them energy after energy."""

    size_um: tuple[PositiveFloat, PositiveFloat]
    """Height and width."""
    field: tuple[PixelCount, PixelCount] = (2304, 4096)
    """Rows and columns of a field, in pixels."""
    overlap: Annotated[int, Field(ge=0)] = 48
    """Pixels that neighbouring fields share."""
    pixel_um: PositiveFloat = 0.46
    """Side of a pixel."""
    energy_dead_s: NonNegativeFloat = 0.0
    """Seconds lost at every energy of every field."""
    field_dead_s: NonNegativeFloat = 0.0
    """Seconds lost at every field."""

    @model_validator(mode="after")
    def _fields_reach_on(self) -> "PlannedArea":
        if min(self.field) <= self.overlap:
            raise ValueError(
                "`overlap`: neighbouring fields share all of their pixels; give fewer than `field` has"
            )
        return self


class PlanSection(Section):
    """What `gigaxas plan` is asked: phases to be told apart, and what the instrument does."""

    phases: Annotated[tuple[str, ...], Field(min_length=2)] | None = None
    """Names of references, every two of which are to be told apart; left out, all of them."""
    pairs: Annotated[tuple[tuple[str, str], ...], Field(min_length=1)] | None = None
    """Pairs of references to be told apart, instead."""
    error: Annotated[float, Field(gt=0, lt=0.5)] = 1e-4
    """Error (Eq. 1 of [I]) that a pair may have."""
    energies: Annotated[tuple[Region, ...], Field(min_length=1)] | None = None
    """Regions [first, last, step] of the grid, in eV; left out, the energies of the cube."""
    most_energies: Annotated[int, Field(ge=2, le=178)] = 24
    """Largest set of energies that is looked for."""
    count_rate: PositiveFloat | None = None
    """Reference counts of a pixel in a second."""
    area: PlannedArea | None = None
    """The area to be covered."""

    @model_validator(mode="after")
    def _one_list(self) -> "PlanSection":
        if self.phases and self.pairs:
            raise ValueError("give either `phases` (every two of them) or `pairs`, or neither")
        return self


class StopSection(Section):
    """When a measurement has seen enough: pairs of references told apart with an error by the noise found."""

    pairs: Annotated[tuple[tuple[str, str], ...], Field(min_length=1)]
    """Pairs of references to be told apart."""
    error: Annotated[float, Field(gt=0, lt=0.5)] = 1e-4
    """Error (Eq. 1 of [I]) that a pair may have."""
    command: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """A program and its arguments, run when that is reached; no shell reads them."""


class WatchSection(Section):
    """What `gigaxas watch` waits for while an instrument writes raw fields."""

    fields: PixelCount | None = None
    """Number of fields; left out, those that a table of positions or `simulate.raw` tells."""
    scans: PixelCount | None = None
    """Scans of every field; left out, one, or what `simulate.raw` tells."""
    energies: PixelCount | None = None
    """Images of a scan; left out, what `ingest.energies` or the files tell."""
    every: PositiveFloat = 2.0
    """Seconds that a file must have been as it is, and at most between two looks at the folder."""
    timeout: PositiveFloat = 600.0
    """Seconds without anything new after which it ends."""
    stop: StopSection | None = None
    """When it is enough; left out, all files are waited for."""


class Compute(Section):
    """Where the run happens; nothing here changes a result."""

    cluster: Literal["local", "threads", "slurm", "pbs", "sge", "lsf", "oar", "htcondor"] = "local"
    """Worker processes of this machine, its threads, or a batch system."""
    scheduler: Annotated[str, Field(pattern=r"^(tcp|tls|ucx|ws|wss)://.+")] | None = None
    """Address of a running Dask scheduler."""
    workers: Annotated[int, Field(ge=1)] | None = None
    """Tasks that run at once; left out, one a core."""
    adaptive: bool = False
    """Whether a batch system's workers come and go with the work."""
    memory: Annotated[str, Field(pattern=r"^\d+(\.\d+)? ?(MB|GB|MiB|GiB)$")] | None = None
    """What the run, or a worker of a batch system, may take."""
    tile: Annotated[int, Field(ge=1)] | None = None
    """Side of a tile of the cube, in pixels."""
    dashboard: str = "127.0.0.1:8787"
    """Address of the Dask dashboard."""
    performance_report: bool = False
    """Whether Dask's performance.html is written."""


class Config(Section):
    """A whole run."""

    title: str
    """Title of the report; an output folder belongs to one title."""
    output: FilePath
    """The folder that the run makes and owns."""
    result: StoreLocation | None = None
    """Another store for the maps."""
    sites: Sites = Sites()
    """Where the sites come from."""
    edge: str | float | None = None
    """The absorption edge (Fe K, Ni K, Fe L3) or its energy in eV; left out, it is found from the energies
    and the spectra."""
    references: Annotated[References, Field(validate_default=True)] = References()
    """The reference spectra."""
    cube: Cube | None = None
    """A measured cube."""
    simulate: Simulate | None = None
    """A simulated scene."""
    ingest: Ingest | None = None
    """Raw counts or a stack."""
    noise: NoiseSection = NoiseSection()
    """What the noise of a sample is told by."""
    void: VoidSection = VoidSection()
    """Which pixels hold no signal."""
    clean_up: CleanUpSection = CleanUpSection()
    """The spatial clean-up."""
    specks: SpeckSection | None = None
    """The search for specks; left out, none is made."""
    maps: tuple[Literal["chi_square", "runner_up"], ...] = ()
    """Maps of certainty to make."""
    engine: Literal["exact", "approximate"] = "exact"
    """Exact assignment, or a neighbour graph."""
    quantise: Annotated[float, Field(gt=0, le=2)] | None = None
    """Share of the noise that absorbance is rounded to as a cube is made."""
    phases: Phases = Phases()
    """From clusters to components."""
    plan: PlanSection = PlanSection()
    """What is planned before a measurement; changes nothing in a run."""
    watch: WatchSection = WatchSection()
    """What is waited for during a measurement; changes nothing in a run."""
    compute: Compute = Compute()
    """Where the run happens."""

    @field_validator("edge")
    @classmethod
    def _edge_is_known(cls, edge: str | float | None) -> str | float | None:
        return edge if edge is None else parse_edge(edge).setting

    @field_validator("references")
    @classmethod
    def _one_source(cls, references: References, info: ValidationInfo) -> References:
        needed = info.data["sites"].need_references if "sites" in info.data else True
        if (references.path is None) == (not references.modelled) and (references.is_given or needed):
            raise ValueError(
                "give either `path` (a file or folder of spectra) or `modelled: true`, or else sites that "
                "need none (`sites.file`, or `sites.from: observed`)"
            )
        return references

    @model_validator(mode="after")
    def _engine_knows_the_maps(self) -> "Config":
        if self.engine == "approximate" and "runner_up" in self.maps:
            raise ValueError(
                "the approximate engine knows no runner-up: remove it from `maps`, or set engine: exact"
            )
        return self

    @model_validator(mode="after")
    def _one_cube(self) -> "Config":
        raw = self.simulate is not None and self.simulate.raw is not None
        if raw and (self.ingest is None or self.ingest.fields is None):
            raise ValueError(
                "`simulate.raw` makes raw fields: say with `ingest.fields` how they become a cube"
            )
        fields, scans = (self.ingest and self.ingest.fields), (self.simulate and self.simulate.raw)
        if scans and scans.scans > 1 and fields and "{scan}" not in fields.transmitted:
            raise ValueError(
                "`simulate.raw.scans` makes a file for every scan, {field}_{scan}.h5: name them so in "
                "`ingest.fields`"
            )
        missing = [self.cube, self.ingest, None if raw else self.simulate].count(None)
        if missing != 2 and not (missing == 3 and self.plan.energies):
            raise ValueError(
                "give either `cube` (a measured cube), `ingest` (raw counts or a stack) or `simulate` (a "
                "scene with truth); `simulate` goes with `ingest` where it has `raw`; to plan a measurement "
                "before there is anything, give its grid in `plan.energies`"
            )
        if self.quantise and (self.cube or (self.ingest and not self.normalises_fields)):
            raise ValueError(
                "`quantise` rounds normalised absorbance as a cube is made: it goes with `simulate` or with "
                "`ingest.fields` that are normalised"
            )
        if self.quantise and self.noise.working_point == "cube":
            raise ValueError("`quantise` needs the noise before there is a cube: give mu_low and mu_high")
        if self.simulate and self.simulate.scene == "sinter" and not self.references.modelled:
            raise ValueError(
                "the scene 'sinter' is made of the modelled phases: set references.modelled: true"
            )
        if self.noise.working_point == "cube" and not self._has_maps_of_working_point:
            raise ValueError(
                "noise.working_point: cube measures the maps mu_low and mu_high of a measured cube or of raw "
                "fields; a simulated cube and a stack have none: give the numbers"
            )
        return self

    @property
    def normalises_fields(self) -> bool:
        """Whether the cube is made of raw fields whose pixels are normalised."""
        return self.ingest is not None and self.ingest.fields is not None and self.ingest.is_normalised

    @property
    def has_image(self) -> bool:
        """Whether there is something to classify; else a measurement is planned, and nothing more."""
        return not (self.cube is None and self.ingest is None and self.simulate is None)

    @property
    def _has_maps_of_working_point(self) -> bool:
        return self.cube is not None or self.normalises_fields

    @property
    def acquisition(self) -> NoiseModel:
        """The noise of the simulated acquisition."""
        return ((self.simulate and self.simulate.noise) or self.noise).camera()

    @property
    def noise_kind(self) -> NoiseKind:
        """What tells the noise: what the section says; without one the image, or the simulated scene."""
        return self.noise.kind or ("camera" if self.simulate else "measured")

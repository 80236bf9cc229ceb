"""What a run is asked to do: a YAML file read into frozen models, every error in it named at once."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from gigaxas.locations import Location, location
from gigaxas.spatial.clean_up import CleanUp, check_clean_up
from gigaxas.spectra.noise import NoiseModel

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


class StageAxes(Section):
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
    positions: Literal["metadata"] | Path | StageAxes
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


StoreLocation = Annotated[Location, PlainValidator(location), PlainSerializer(str)]
"""A folder, or the address (s3://bucket/name) of one; an address carries no credentials."""


class Cube(Section):
    """The measured cube of a user; left out, the cube is simulated into the output folder."""

    path: StoreLocation
    missing_chunks: Literal["error", "void"] = "error"


class Noise(Section):
    """The camera and the working point (counts, absorbance before and after the edge).

    `working_point: cube` takes the means of the cube's own maps for the working point; `frames`, a stack of
    repeated frames of one field, is fitted for the camera's `a` and `b`. `note` says where numbers come from.
    """

    working_point: Literal["given", "cube"] = "given"
    frames: Path | None = None
    note: str = ""
    c_ref: float = 2.7e4
    mu_low: float = 0.36
    mu_high: float = 1.56
    a: float = 9.3131
    b: float = 63.003

    @model_validator(mode="after")
    def _has_a_value(self) -> "Noise":
        given = self.model_fields_set
        if self.working_point == "cube" and given & {"mu_low", "mu_high"}:
            raise ValueError("`working_point: cube` measures mu_low and mu_high: do not give them as well")
        if self.frames and given & {"a", "b"}:
            raise ValueError("`frames` gives a and b: do not give them as well")
        self.model()
        return self

    @property
    def is_given(self) -> bool:
        """Whether every number is known without reading a cube or frames."""
        return self.working_point == "given" and self.frames is None

    def model(self) -> NoiseModel:
        """Return the noise model of this working point."""
        return NoiseModel(c_ref=self.c_ref, mu_low=self.mu_low, mu_high=self.mu_high, a=self.a, b=self.b)


class Simulate(Section):
    """A scene with known truth, made into a cube with noise on the counts.

    `noise` is the working point of the acquisition; left out, it is the one that the sites are made for.
    """

    scene: Literal["sinter", "inset"] = "sinter"
    shape: tuple[Pixels, Pixels] = (1024, 1024)
    inset: tuple[Pixels, Pixels] = (10, 10)
    phases: tuple[str, str] | None = None
    energies: Annotated[int, Field(ge=8, le=4000)] = 178
    energy_range: Range = (7009.2, 7321.2)
    pixel_um: Annotated[float, Field(gt=0)] = 0.46
    chunk: Annotated[int, Field(ge=8)] = 256
    seed: Annotated[int, Field(ge=0)] = 0
    noise: Noise | None = None
    raw: RawScan | None = None

    @model_validator(mode="after")
    def _scene_is_whole(self) -> "Simulate":
        if (self.scene == "inset") != (self.phases is not None):
            raise ValueError(
                "the scene 'inset' takes two reference names in `phases` (background, inset); "
                "the scene 'sinter' takes none"
            )
        if self.noise and not self.noise.is_given:
            raise ValueError("`noise` of a simulated acquisition takes numbers, nothing measured")
        if self.energy_range[0] >= self.energy_range[1]:
            raise ValueError(f"energy_range {list(self.energy_range)} must run from low to high, in eV")
        return self


class References(Section):
    """Reference spectra: the modelled library that comes with gigaxas, or files."""

    path: Path | None = None
    modelled: bool = False
    select: tuple[str, ...] | None = None
    shifts: dict[str, float] = Field(default_factory=dict)
    extrapolate: bool = False
    pre_edge: Range = (7009.2, 7080.0)
    post_edge: Range = (7200.0, 7321.2)

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
    p_num: int = 23
    fill_void: bool = False

    @model_validator(mode="after")
    def _inside_the_gate(self) -> "CleanUpSection":
        check_clean_up(self.value)
        return self

    @property
    def value(self) -> CleanUp:
        """The three settings as the kernels take them."""
        return CleanUp(self.k_size, self.p_num, self.fill_void)


class Phases(Section):
    """How clusters become components, and how their maps and figure are drawn.

    An explanation of a cluster counts from the probability `level` on; `floor` is the share of a pixel's
    noise that no model explains.
    """

    spectrum: Literal["mean", "pca"] = "mean"
    level: Annotated[float, Field(gt=0, lt=1)] = 1e-3
    floor: Annotated[float, Field(ge=0, le=1)] = 0.05
    members: Literal[2, 3] = 2
    composition: Literal["mixtures", "all"] = "mixtures"
    sum_to_one: bool = False
    decisions: Path | None = None
    figure_mm: Annotated[float, Field(ge=20, le=2000)] = 180
    figure_dpi: Annotated[int, Field(ge=50, le=1200)] = 300


class Compute(Section):
    """Where the run happens; nothing here changes a result."""

    cluster: Literal["local", "threads", "slurm", "pbs", "sge", "lsf", "oar", "htcondor"] = "local"
    scheduler: Annotated[str, Field(pattern=r"^(tcp|tls|ucx|ws|wss)://.+")] | None = None
    workers: Annotated[int, Field(ge=1)] | None = None
    adaptive: bool = False
    memory: Annotated[str, Field(pattern=r"^\d+(\.\d+)? ?(MB|GB|MiB|GiB)$")] | None = None
    tile: Annotated[int, Field(ge=1)] | None = None
    dashboard: str = "127.0.0.1:8787"
    performance_report: bool = False


class Config(Section):
    """A whole run."""

    title: str
    output: Path
    result: StoreLocation | None = None
    sites: Sites = Sites()
    references: Annotated[References, Field(validate_default=True)] = References()
    cube: Cube | None = None
    simulate: Simulate | None = None
    ingest: Ingest | None = None
    noise: Noise = Noise()
    clean_up: CleanUpSection = CleanUpSection()
    maps: tuple[Literal["chi_square", "runner_up"], ...] = ()
    engine: Literal["exact", "approximate"] = "exact"
    quantise: Annotated[float, Field(gt=0, le=2)] | None = None
    phases: Phases = Phases()
    compute: Compute = Compute()

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
        if [self.cube, self.ingest, None if raw else self.simulate].count(None) != 2:
            raise ValueError(
                "give either `cube` (a measured cube), `ingest` (raw counts or a stack) or `simulate` (a "
                "scene with truth); `simulate` goes with `ingest` where it has `raw`"
            )
        if self.quantise and (self.cube or (self.ingest and self.ingest.fields is None)):
            raise ValueError(
                "`quantise` rounds absorbance as a cube is made: it goes with `simulate` or `ingest.fields`"
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
    def _has_maps_of_working_point(self) -> bool:
        return self.cube is not None or (self.ingest is not None and self.ingest.fields is not None)

    @property
    def acquisition(self) -> NoiseModel:
        """The noise of the simulated acquisition."""
        return ((self.simulate and self.simulate.noise) or self.noise).model()

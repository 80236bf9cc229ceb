"""What a run is asked to do: a YAML file read into frozen models, every error in it named at once."""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    model_validator,
)

from pipeline.cleanup import check_clean_up
from pipeline.errors import InputError
from pipeline.noise import NoiseModel
from pipeline.places import Place, place

LARGEST_FILE = 1_000_000

Range = tuple[float, float]
Pixels = Annotated[int, Field(ge=1)]


StorePlace = Annotated[Place, PlainValidator(place), PlainSerializer(str)]
"""A folder, or the address (s3://bucket/name) of one; an address carries no credentials."""


class Section(BaseModel):
    """A part of a configuration: unknown keys are refused and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Cube(Section):
    """The measured cube of a user; left out, the cube is simulated into the output folder."""

    path: StorePlace
    missing_chunks: Literal["error", "void"] = "error"


class Noise(Section):
    """The camera and the working point (counts, absorbance before and after the edge)."""

    c_ref: float = 2.7e4
    mu_low: float = 0.36
    mu_high: float = 1.56
    a: float = 9.3131
    b: float = 63.003

    @model_validator(mode="after")
    def _has_a_value(self) -> "Noise":
        self.model()
        return self

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

    @model_validator(mode="after")
    def _scene_is_whole(self) -> "Simulate":
        if (self.scene == "inset") != (self.phases is not None):
            raise ValueError(
                "the scene 'inset' takes two reference names in `phases` (background, inset); "
                "the scene 'sinter' takes none"
            )
        if self.energy_range[0] >= self.energy_range[1]:
            raise ValueError(f"energy_range {list(self.energy_range)} must run from low to high, in eV")
        return self


class References(Section):
    """Reference spectra: the modelled library that comes with gigaxas, or files."""

    path: Path | None = None
    modelled: bool = False
    select: tuple[str, ...] | None = None
    shifts: dict[str, float] = Field(default_factory=dict)
    pre_edge: Range = (7009.2, 7080.0)
    post_edge: Range = (7200.0, 7321.2)

    @model_validator(mode="after")
    def _one_source(self) -> "References":
        if (self.path is None) == (not self.modelled):
            raise ValueError("give either `path` (a file or folder of spectra) or `modelled: true`")
        return self


class Sites(Section):
    """How the site spectra are made from the references."""

    mixtures: Literal["pairs", "none"] = "pairs"
    trials: Annotated[int, Field(ge=0)] = 0
    draw: Literal["standards", "candidates"] = "standards"
    accept: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    limit: Annotated[float, Field(gt=0, lt=0.5)] = 1e-4
    method: Literal["average", "net"] = "average"
    seed: Annotated[int, Field(ge=0)] = 0


class CleanUp(Section):
    """The spatial clean-up: P_num equal labels in a K_size x K_size window make a core."""

    k_size: int = 5
    p_num: int = 23
    fill_void: bool = False

    @model_validator(mode="after")
    def _inside_the_gate(self) -> "CleanUp":
        check_clean_up(self.k_size, self.p_num)
        return self


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
    result: StorePlace | None = None
    references: References
    cube: Cube | None = None
    simulate: Simulate | None = None
    noise: Noise = Noise()
    sites: Sites = Sites()
    clean_up: CleanUp = CleanUp()
    compute: Compute = Compute()

    @model_validator(mode="after")
    def _one_cube(self) -> "Config":
        if (self.cube is None) == (self.simulate is None):
            raise ValueError("give either `cube` (a measured cube) or `simulate` (a scene with truth)")
        if self.simulate and self.simulate.scene == "sinter" and not self.references.modelled:
            raise ValueError(
                "the scene 'sinter' is made of the modelled phases: set references.modelled: true"
            )
        return self

    @property
    def acquisition(self) -> NoiseModel:
        """The noise of the simulated acquisition."""
        return ((self.simulate and self.simulate.noise) or self.noise).model()

    @property
    def cube_path(self) -> Place:
        """The cube that is classified, measured or simulated."""
        return self.cube.path if self.cube else self.output / "cube.zarr"


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML without aliases: a few lines of these can stand for more than any memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            problem = "aliases (*name) are not read; write the value out"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
        return super().compose_node(parent, index)


def load_config(path: str | Path) -> Config:
    """Read a YAML configuration.

    `${NAME}` and `${NAME:-default}` stand for environment variables; relative paths start at the
    folder the command runs in. Raises InputError that lists every error, one line each.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise InputError(f"{path}: found {path.stat().st_size} bytes, expected at most {LARGEST_FILE}")
        document = yaml.load(_expand(path.read_text(encoding="utf-8"), path), Loader=_PlainLoader)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; give the path of a configuration") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: found {type(document).__name__}, expected a mapping of sections")
    try:
        return Config(**{"title": path.stem, **document})
    except ValidationError as errors:
        lines = [_sentence(error) for error in errors.errors()]
        raise InputError("\n".join(f"{path}: {line}" for line in lines)) from None
    except TypeError as error:
        raise InputError(f"{path}: section names must be words ({error})") from None


def set_scheduler(config: Config, address: str) -> Config:
    """Return a configuration that runs on a Dask scheduler. Raises InputError for what is no address."""
    try:
        compute = Compute.model_validate({**config.compute.model_dump(), "scheduler": address})
    except ValidationError:
        raise InputError(
            f"--scheduler: found {address!r}, expected an address as tcp://host:8786 or tls://host:8786"
        ) from None
    return config.model_copy(update={"compute": compute})


def digest(*parts: Any) -> str:
    """Return a short hash of settings, equal when and only when their JSON is equal."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _expand(text: str, path: Path) -> str:
    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match["name"], match["default"])
        if found is None:
            raise InputError(f"{path}: the environment variable {match['name']} is not set; set it")
        return found

    return re.sub(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\}", value, text)


def _sentence(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "the file"
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown key; remove it or correct its spelling"
    if error["type"] == "missing":
        return f"{where}: missing; it has no default, so give it"
    said = error["msg"].removeprefix("Value error, ")
    found = "" if isinstance(error["input"], dict) else f" (found {error['input']!r})"
    return f"{where}: {said[0].lower()}{said[1:]}{found}"

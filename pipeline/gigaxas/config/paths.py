"""Where a run keeps what it makes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gigaxas.config.schema import Config
from gigaxas.locations import Location


@dataclass(frozen=True)
class Paths:
    """The stores and folders of one run."""

    output: Path
    """The folder that the run owns."""
    cube: Location
    """The cube that is classified, measured or made."""
    result: Location
    """The store of the maps."""
    decisions: Path
    """The file of the decisions on the clusters."""

    @property
    def sites(self) -> Path:
        """The store of the sites."""
        return self.output / "sites.zarr"

    @property
    def truth(self) -> Path:
        """The store of a simulated cube's truth."""
        return self.output / "truth.zarr"

    @property
    def raw(self) -> Path:
        """The folder of simulated raw fields and their scene."""
        return self.output / "raw"

    @property
    def registration(self) -> Path:
        """The store of where raw fields lie, and of their shift of energy and drift."""
        return self.output / "registration.zarr"

    @property
    def composition(self) -> Path:
        """The store of the components."""
        return self.output / "phases.zarr"

    @property
    def specks(self) -> Path:
        """The store of the specks."""
        return self.output / "specks.zarr"

    @property
    def report_folder(self) -> Path:
        """The folder whose index.html shows the map at full resolution."""
        return self.output / "report"

    @property
    def plan_folder(self) -> Path:
        """The folder of the page and the tables of a planned measurement."""
        return self.output / "plan"

    @property
    def has_result_elsewhere(self) -> bool:
        """Whether the maps lie outside the output folder."""
        return self.result != self.output / "result.zarr"


READ = (
    "cube.path",
    "cube.mask",
    "ingest.stack",
    "ingest.i0",
    "ingest.dark",
    "ingest.mask",
    "ingest.energies",
    "ingest.fields.transmitted",
    "ingest.fields.reference",
    "ingest.fields.dark",
    "ingest.fields.positions",
    "references.path",
    "sites.file",
    "noise.frames",
)
"""Keys of a configuration that name what a run reads."""


def read_from(config: Config) -> dict[str, str | Location]:
    """Return the files, folders and addresses that a run reads, by their keys in the configuration."""
    found: dict[str, str | Location] = {}
    for key in READ:
        value: Any = config
        for name in key.split("."):
            value = getattr(value, name, None)
        if isinstance(value, str | Path):
            found[key] = value
    return found


def paths_of(config: Config) -> Paths:
    """Return where the run of a configuration keeps what it makes."""
    output = config.output
    return Paths(
        output=output,
        cube=config.cube.path if config.cube else output / "cube.zarr",
        result=config.result or output / "result.zarr",
        decisions=config.phases.decisions or output / "decisions.yaml",
    )

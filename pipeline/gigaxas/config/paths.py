"""Where a run keeps what it makes."""

from pathlib import Path

from gigaxas.config.schema import Config
from gigaxas.locations import Place


def sites_path(config: Config) -> Path:
    """Return the store of the sites."""
    return config.output / "sites.zarr"


def truth_path(config: Config) -> Path:
    """Return the store of a simulated cube's truth."""
    return config.output / "truth.zarr"


def raw_path(config: Config) -> Path:
    """Return the folder of simulated raw fields and their scene."""
    return config.output / "raw"


def survey_path(config: Config) -> Path:
    """Return the store of what the first look at raw fields found."""
    return config.output / "survey.zarr"


def result_path(config: Config) -> Place:
    """Return the store of the maps."""
    return config.result or config.output / "result.zarr"


def composition_path(config: Config) -> Path:
    """Return the store of the components."""
    return config.output / "phases.zarr"


def viewer_path(config: Config) -> Path:
    """Return the report folder, whose index.html shows the map at full resolution."""
    return config.output / "report"


def decisions_path(config: Config) -> Path:
    """Return the file of the decisions on the clusters."""
    return config.phases.decisions or config.output / "decisions.yaml"

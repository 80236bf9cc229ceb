"""Where a run keeps what it makes, and whose folder it is."""

import json
from pathlib import Path

from pipeline.config import Config
from pipeline.errors import InputError
from pipeline.stores.chunks import attributes_of

OWNER = "run.json"


def sites_path(config: Config) -> Path:
    """Return the store of the sites."""
    return config.output / "sites.zarr"


def truth_path(config: Config) -> Path:
    """Return the store of a simulated cube's truth."""
    return config.output / "truth.zarr"


def result_path(config: Config) -> Path:
    """Return the store of the maps."""
    return config.output / "result.zarr"


def composition_path(config: Config) -> Path:
    """Return the store of the components."""
    return config.output / "phases.zarr"


def viewer_path(config: Config) -> Path:
    """Return the report folder, whose index.html shows the map at full resolution."""
    return config.output / "report"


def decisions_path(config: Config) -> Path:
    """Return the file of the decisions on the clusters."""
    return config.phases.decisions or config.output / "decisions.yaml"


def check_owner(config: Config) -> None:
    """Raise InputError when the output folder holds another run, or files that are no run at all."""
    folder = config.output
    if folder.exists() and not folder.is_dir():
        raise InputError(f"output: {folder} is a file, expected a folder; give another output")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    try:
        title = json.loads((folder / OWNER).read_text(encoding="utf-8"))["title"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"output: {folder} holds files that are no run of gigaxas; give an empty or a new folder"
        ) from None
    if title != config.title:
        raise InputError(
            f"output: {folder} holds the run {title!r}, this is {config.title!r}; give another output, "
            "or remove that folder if you no longer need it"
        )


def claim(config: Config) -> None:
    """Make the output folder and write whose it is."""
    try:
        config.output.mkdir(parents=True, exist_ok=True)
        (config.output / OWNER).write_text(json.dumps({"title": config.title}) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"output: {config.output} cannot be written ({error.strerror}); give a folder you may write to"
        ) from None


def is_made(store: Path, fingerprint: str) -> bool:
    """Return whether a store is there, whole, and made by just these settings."""
    try:
        return attributes_of(store).get("fingerprint") == fingerprint
    except InputError:
        return False

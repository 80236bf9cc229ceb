"""A YAML file read into a configuration, every error in it named at once."""

import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gigaxas.config.schema import Compute, Config, Section, Written
from gigaxas.config.yaml import read_yaml
from gigaxas.errors import InputError

CONFIGS = "configs"
"""A folder of this name lies in the folder of the project whose configurations it holds."""


def load_config(path: str | Path) -> Config:
    """Read a YAML configuration.

    Args:
        path: The file. In it `${NAME}` and `${NAME:-default}` stand for environment variables; relative paths
            start at its folder or, where that is called `configs`, at the one above.

    Returns:
        The settings, checked; what is not given has its default.

    Raises:
        InputError: The file cannot be read or says what cannot be; every error has a line.
    """
    path = Path(path)
    return validated({"title": path.stem, **read_yaml(path)}, f"{path}: ", folder_of(path))


def folder_of(path: Path) -> Path:
    """Return where the relative paths of a configuration start: its folder or, of a folder `configs`, the
    one that holds it.
    """
    folder = Path(os.path.abspath(path)).parent  # noqa: PTH100 - a link stays one, `..` does not
    return folder.parent if folder.name == CONFIGS else folder


def validated(document: dict[str, Any], where: str = "", folder: Path | None = None) -> Config:
    """Return a configuration of sections by name, whose relative paths start at `folder`, if given.

    InputError lists every error in lines after `where`.
    """
    try:
        return Config.model_validate(document, context=Written(folder))
    except ValidationError as errors:
        lines = [sentence(error) for error in errors.errors()]
        raise InputError("\n".join(f"{where}{line}" for line in lines)) from None


def set_scheduler(config: Config, address: str) -> Config:
    """Return a configuration that runs on a Dask scheduler. Raises InputError for what is no address."""
    try:
        compute = Compute.model_validate({**config.compute.model_dump(), "scheduler": address})
    except ValidationError:
        raise InputError(
            f"--scheduler: found {address!r}, expected an address as tcp://host:8786 or tls://host:8786"
        ) from None
    return config.model_copy(update={"compute": compute})


def sentence(error: Any) -> str:
    """Say in one line what pydantic found wrong with one key."""
    where = ".".join(str(part) for part in error["loc"]) or "the file"
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown key; remove it or correct its spelling"
    if error["type"] == "missing":
        return f"{where}: missing; it has no default, so give it"
    said = error["msg"].removeprefix("Value error, ")
    if error["input"] is None:
        return f"{where}: {'' if said.startswith('empty') else 'empty; '}{said[0].lower()}{said[1:]}"
    found = "" if isinstance(error["input"], dict | Section) else f" (found {error['input']!r})"
    return f"{where}: {said[0].lower()}{said[1:]}{found}"

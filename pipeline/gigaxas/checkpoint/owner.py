"""Whose output folder it is, what in it is whole, and how it is started over."""

import json
import os
from pathlib import Path
from typing import Any

from gigaxas.config.paths import raw_path
from gigaxas.config.schema import Config
from gigaxas.errors import InputError
from gigaxas.locations import Place
from gigaxas.stores.io.folders import exists, remove
from gigaxas.stores.io.groups import UNFINISHED, attributes_of

OWNER = "run.json"
JOURNAL = "journal"
TORN = ".part"


def check_owner(config: Config) -> None:
    """Raise InputError when the output folder holds another run, or files that are no run at all."""
    folder = config.output
    if (
        config.result is not None
        and exists(config.result)
        and _owner(folder).get("result") != str(config.result)
    ):
        raise InputError(
            f"result: there is a store at {config.result} that no run in {folder} has made; give another "
            "address, or remove it if you no longer need it"
        )
    if folder.exists() and not folder.is_dir():
        raise InputError(f"output: {folder} is a file, expected a folder; give another output")
    if not folder.is_dir() or all(path.name.endswith(TORN) for path in folder.iterdir()):
        return
    title = _owner(folder).get("title")
    if title is None:
        raise InputError(
            f"output: {folder} holds files that are no run of gigaxas; give an empty or a new folder"
        )
    check_links(folder)
    if title != config.title:
        raise InputError(
            f"output: {folder} holds the run {title!r}, this is {config.title!r}; give another output, "
            "or remove that folder if you no longer need it"
        )


def _owner(folder: Path) -> dict[str, Any]:
    try:
        owner = json.loads((folder / OWNER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}


def check_links(folder: Path) -> None:
    """Raise InputError when anything in an output folder is a link: what is written stays in the folder."""
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent) / name
            if path.is_symlink():
                raise InputError(
                    f"output: {path} is a link to {path.readlink()}, expected none in an output folder; put "
                    "what it points to in its place, or give another output"
                )


def claim(config: Config) -> None:
    """Make the output folder and write whose it is, and where its result lies."""
    owner = {"title": config.title, "result": str(config.result) if config.result else None}
    if _owner(config.output) == owner:
        return
    aside = config.output / f"{OWNER}{TORN}"
    try:
        config.output.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps(owner) + "\n", encoding="utf-8")
        aside.replace(config.output / OWNER)
    except OSError as error:
        raise InputError(
            f"output: {config.output} cannot be written ({error.strerror}); give a folder you may write to"
        ) from None


def start_over(config: Config) -> None:
    """Remove the stores that a run has made, finished or not, and its journal; tables and pictures stay."""
    made = [
        path for pattern in ("*.zarr", "*.zarr.partial", "*.zarr.old") for path in config.output.glob(pattern)
    ]
    if config.simulate and config.simulate.raw:
        made.append(raw_path(config))
    for store in [*made, config.output / JOURNAL, *([config.result] if config.result else [])]:
        remove(store)


def is_made(store: Place, fingerprint: str) -> bool:
    """Return whether a store is there, whole, and made by just these settings."""
    try:
        attributes = attributes_of(store)
        return UNFINISHED not in attributes and attributes.get("fingerprint") == fingerprint
    except InputError:
        return False

"""Whose output folder it is, which stores in it are made, and how it is started over."""

import json
import os
from pathlib import Path
from typing import Any

from gigaxas.config.paths import Paths
from gigaxas.errors import InputError
from gigaxas.locations import Location
from gigaxas.stores.io.folders import exists, remove
from gigaxas.stores.io.groups import UNFINISHED, attributes_of, partial_of

OWNER = "run.json"
JOURNAL = "journal"
TORN = ".part"
RAW_SCENE = "scene.zarr"
"""The store that tells simulated raw fields from files of a user's."""


def check_owner(paths: Paths, title: str) -> None:
    """Raise InputError when the output folder holds another run, or files that are no run at all."""
    folder = paths.output
    if (
        paths.has_result_elsewhere
        and exists(paths.result)
        and _owner(folder).get("result") != str(paths.result)
    ):
        raise InputError(
            f"result: there is a store at {paths.result} that no run in {folder} has made; give another "
            "address, or remove it if you no longer need it"
        )
    if folder.exists() and not folder.is_dir():
        raise InputError(f"output: {folder} is a file, expected a folder; give another output")
    if not folder.is_dir() or all(path.name.endswith(TORN) for path in folder.iterdir()):
        return
    owner = _owner(folder).get("title")
    if owner is None:
        raise InputError(
            f"output: {folder} holds files that are no run of gigaxas; give an empty or a new folder"
        )
    check_links(folder)
    if owner != title:
        raise InputError(
            f"output: {folder} holds the run {owner!r}, this is {title!r}; give another output, "
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


def claim(paths: Paths, title: str) -> None:
    """Make the output folder and write whose it is and where its result lies."""
    elsewhere = str(paths.result) if paths.has_result_elsewhere else None
    owner = {"title": title, "result": elsewhere}
    if _owner(paths.output) == owner:
        return
    aside = paths.output / f"{OWNER}{TORN}"
    try:
        paths.output.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps(owner) + "\n", encoding="utf-8")
        aside.replace(paths.output / OWNER)
    except OSError as error:
        raise InputError(
            f"output: {paths.output} cannot be written ({error.strerror}); give a folder you may write to"
        ) from None


def start_over(paths: Paths) -> None:
    """Remove the stores that a run has made, finished or not, and its journal; tables and pictures stay."""
    patterns = ("*.zarr", "*.zarr.partial", "*.zarr.old")
    made: list[Location] = [path for pattern in patterns for path in paths.output.glob(pattern)]
    made += [raw for raw in (paths.raw, partial_of(paths.raw)) if exists(raw / RAW_SCENE)]
    for store in [*made, paths.output / JOURNAL, *([paths.result] if paths.has_result_elsewhere else [])]:
        remove(store)


def is_made(store: Location, fingerprint: str) -> bool:
    """Return whether a store is there, whole, and made by just these settings."""
    try:
        attributes = attributes_of(store)
        return UNFINISHED not in attributes and attributes.get("fingerprint") == fingerprint
    except InputError:
        return False

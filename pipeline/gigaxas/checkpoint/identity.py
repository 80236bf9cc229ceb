"""What the results of a stage depend on, in one short name: settings, arrays, inputs and the code itself."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from dask.tokenize import tokenize

from gigaxas.config.schema import Config
from gigaxas.locations import Location, Url
from gigaxas.stores.cube import CubeInfo, cube_identity
from gigaxas.stores.io.folders import exists, stamps
from gigaxas.stores.io.groups import attributes_of, final_of
from gigaxas.version import code_version

MARKS = ("basis", "fingerprint")
"""Attributes of a store that tell what it was made of."""
HINTS = ("expected", "index")
"""What a task may be given that its other settings determine, or that only makes later stages faster."""
Mark = Callable[[Location], str]
"""Tells the content of a location in a short text."""


def stage_key(
    task: Callable[..., Any], each: Sequence[Sequence[Any]], constants: Mapping[str, Any], mark: Mark
) -> str:
    """Return the name of a stage's results; `mark` tells what the content of a place is."""
    settings = {name: value for name, value in constants.items() if name not in HINTS}
    parts = [_named(value, mark) for value in (*each, settings)]
    return tokenize(code_version(), task.__module__, task.__qualname__, parts)[:16]


def told(*values: Any) -> str:
    """Return what tells settings, arrays and dataclasses of such from others, in a short text."""
    return tokenize([_named(value, location_mark) for value in values])[:16]


def location_mark(path: Location) -> str:
    """Return what tells the content of a place: a store's own marks, else size and time of every file."""
    if exists(path / "zarr.json"):
        attributes = attributes_of(path)
        marks = {name: attributes[name] for name in MARKS if name in attributes}
        if marks:
            return tokenize(marks)
    if isinstance(path, Path) and path.is_file():
        stat = path.stat()
        return tokenize(stat.st_size, stat.st_mtime_ns)
    # A folder without a file yet is one to be filled with what no journal knows: no two are alike.
    return tokenize(sorted(stamps(path).items()) or uuid4().hex)


def locations_in(value: Any) -> list[Location]:
    """Return every place that a value names, at any depth."""
    if isinstance(value, Path | Url):
        return [value]
    return [found for part in _parts(value) for found in locations_in(part)]


def logical(path: Location, output: Path) -> str:
    """Return the name a store keeps when it is finished, or its output folder moved."""
    final = final_of(path)
    if isinstance(final, Path) and final.absolute().is_relative_to(output.absolute()):
        return final.absolute().relative_to(output.absolute()).as_posix()
    return str(final)


def _named(value: Any, mark: Mark) -> Any:
    if isinstance(value, Path | Url):
        return mark(value)
    if isinstance(value, CubeInfo):
        more = {part.name for part in fields(value)} - {part.name for part in fields(CubeInfo)}
        return [cube_identity(value), *(_named(getattr(value, name), mark) for name in sorted(more))]
    parts = _parts(value)
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__qualname__, *(_named(part, mark) for part in parts)]
    return [_named(part, mark) for part in parts] if parts else value


def _parts(value: Any) -> list[Any]:
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, part.name) for part in fields(value)]
    if isinstance(value, Mapping):
        return [part for item in value.items() for part in item]
    return list(value) if isinstance(value, list | tuple) else []


def settings_mark(config: Config) -> str:
    """Return what marks a run: the code, and every setting that changes a result or the tiles."""
    settings = config.model_dump(mode="json", by_alias=True, exclude={"compute", "plan", "watch"})
    return digest(code_version(), settings, config.compute.tile)


def digest(*parts: Any) -> str:
    """Return a short hash of settings, equal when and only when their JSON is equal."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

"""A store from its first file to its last: begun, gone on with, and known to be whole."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import zarr
from zarr.abc.store import Store
from zarr.storage import FsspecStore, LocalStore

from gigaxas.errors import InputError
from gigaxas.locations import Location, Url
from gigaxas.stores.io.folders import exists, remove, sweep

PARTIAL = ".partial"
UNFINISHED = "unfinished"


def create_group(path: Location, attributes: Mapping[str, Any], changing: Collection[str] = ()) -> None:
    """Make a group at `path`, in place of any that is there.

    Under the name of `partial_of`, what an earlier run with the same attributes has left stays, be it the
    unfinished store or the finished one: what is to be trusted of it, the journal tells. Attributes that are
    `changing` may have been others.
    """
    if _in_the_making(path):
        attributes = {**attributes, UNFINISHED: True}
        if _take_over(path, attributes, (*changing, UNFINISHED)):
            return
    remove(path)
    zarr.create_group(open_store(path), zarr_format=3, attributes=dict(attributes))


def attributes_of(group: Location) -> dict[str, Any]:
    """Return the attributes of a group. Raises InputError where `group` is none."""
    try:
        return dict(zarr.open_group(open_store(group), mode="r", use_consolidated=False).attrs)
    except (FileNotFoundError, KeyError, ValueError) as error:
        raise InputError(f"{group}: found no Zarr group ({error}); give the folder of one") from None


def add_attributes(group: Location, **attributes: Any) -> None:
    """Add attributes to a group."""
    zarr.open_group(open_store(group), mode="r+", use_consolidated=False).attrs.update(attributes)


def publish(partial: Location, final: Location) -> None:
    """Give a store that is whole its final name; behind an address, where nothing is renamed, its mark."""
    root = zarr.open_group(open_store(partial), mode="r+", use_consolidated=False)
    root.attrs.put({name: value for name, value in root.attrs.items() if name != UNFINISHED})
    if isinstance(partial, Path) and isinstance(final, Path):
        put_in_place(partial, final)


def put_in_place(partial: Path, final: Path) -> None:
    """Rename a folder, in place of any that is there."""
    if final.exists():
        old = final.with_name(final.name + ".old")
        remove(old)
        final.rename(old)
        partial.rename(final)
        remove(old)
    else:
        partial.rename(final)


def partial_of(final: Location) -> Location:
    """Return the name under which a store is written until it is whole."""
    return final.with_name(final.name + PARTIAL) if isinstance(final, Path) else final


def final_of(path: Location) -> Location:
    """Return the name that a store has when it is whole."""
    return path.with_name(path.name.removesuffix(PARTIAL)) if isinstance(path, Path) else path


def open_store(group: Location) -> Store:
    """Return the Zarr store of a place. Raises InputError for an address that nothing here can open."""
    if isinstance(group, Path):
        return LocalStore(group)
    try:
        return FsspecStore.from_url(group)
    except (ImportError, ValueError) as error:
        raise InputError(
            f"{group}: cannot be opened ({error}); give a path or an address fsspec knows, and install the "
            "package it names (for s3:// that is gigaxas[s3])"
        ) from None


def _in_the_making(path: Location) -> bool:
    return isinstance(path, Url) or path.name.endswith(PARTIAL)


def _take_over(path: Location, attributes: Mapping[str, Any], changing: Collection[str]) -> bool:
    wanted = json.loads(json.dumps(attributes))
    final = final_of(path)
    same = {name: value for name, value in wanted.items() if name not in changing}
    if not _agrees(path, same):
        if final == path or not _agrees(final, same):
            return False
        assert isinstance(path, Path)
        assert isinstance(final, Path)
        remove(path)
        final.rename(path)
    if isinstance(path, Path):
        sweep(path)
    zarr.open_group(open_store(path), mode="r+", use_consolidated=False).attrs.put(wanted)
    return True


def _agrees(path: Location, wanted: Mapping[str, Any]) -> bool:
    if not exists(path):
        return False
    try:
        there = attributes_of(path)
    except InputError:
        return False
    return all(there.get(name) == value for name, value in wanted.items())

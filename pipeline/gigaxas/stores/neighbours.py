"""A neighbour table as a folder: two NumPy files that are mapped into memory, and what they belong to."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import DamagedError, InputError, unwritable
from gigaxas.search import Neighbours
from gigaxas.stores.io.folders import remove
from gigaxas.stores.io.groups import partial_of, put_in_place

NOTE = "neighbours.json"
FILES = ("index.npy", "distance.npy")


def library_fingerprint(library: FloatArray, made_by: str = "") -> str:
    """Return what marks the table of a library (n, E), equal when and only when every bit of it is."""
    text = hashlib.sha256(f"{made_by} {library.shape}".encode())
    text.update(np.ascontiguousarray(library, dtype=np.float64).data)
    return text.hexdigest()[:16]


def write_neighbours(path: Path, table: Neighbours, fingerprint: str) -> None:
    """Write a table in place of any that is there, once it is whole. RunError: it cannot be written."""
    partial = partial_of(path)
    assert isinstance(partial, Path)
    try:
        remove(partial)
        partial.mkdir(parents=True)
        np.save(partial / "index.npy", table.index)
        np.save(partial / "distance.npy", table.distance)
        note = {"title": "gigaxas neighbours", "fingerprint": fingerprint, "digest": _digest(partial)}
        (partial / NOTE).write_text(json.dumps(note) + "\n", encoding="utf-8")
        put_in_place(partial, path)
    except OSError as error:
        raise unwritable(path, error) from None


def holds_neighbours(path: Path, fingerprint: str) -> bool:
    """Say whether the table with this fingerprint is at `path`."""
    try:
        return bool(_note(path)["fingerprint"] == fingerprint)
    except InputError:
        return False


def open_neighbours(path: Path, fingerprint: str) -> Neighbours:
    """Map the table with this fingerprint into memory.

    InputError where there is none or that of another library, DamagedError where its files are not what was
    written: a search would believe them.
    """
    note = _note(path)
    if note["fingerprint"] != fingerprint:
        raise InputError(
            f"{path}: the table of another library ({note['fingerprint']}, expected {fingerprint}); "
            "give another folder, or delete this one to have it made again"
        )
    try:
        if _digest(path) != note["digest"]:
            raise ValueError("not the bytes that were written")
        index, distance = (np.load(path / name, mmap_mode="r", allow_pickle=False) for name in FILES)
    except (OSError, ValueError) as error:
        said = f"{path}: damaged ({error}); delete it to have it made again"
        raise DamagedError(said, str(path)) from None
    return Neighbours(index, distance)


def _note(path: Path) -> dict[str, Any]:
    try:
        note: dict[str, Any] = json.loads((path / NOTE).read_text(encoding="utf-8"))
        return {name: note[name] for name in ("fingerprint", "digest")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: found no neighbour table ({error}); give the folder of one") from None


def _digest(folder: Path) -> str:
    mark = hashlib.sha256()
    for name in FILES:
        mark.update((folder / name).read_bytes())
    return mark.hexdigest()[:16]

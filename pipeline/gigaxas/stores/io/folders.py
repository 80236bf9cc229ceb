"""The files of a store, on a disk of this machine or behind an address: listed, read, removed, renamed."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec

from gigaxas.locations import Location, Url


def exists(folder: Location) -> bool:
    """Return whether anything is there."""
    if isinstance(folder, Path):
        return folder.exists()
    system, path = _system(folder)
    return bool(system.exists(path))


def remove(folder: Location) -> None:
    """Remove a folder and all it holds, or a link and nothing behind it; nothing there is no error."""
    if isinstance(folder, Path) and folder.is_symlink():
        folder.unlink()
    elif isinstance(folder, Path):
        shutil.rmtree(folder, ignore_errors=True)
    else:
        system, path = _system(folder)
        if system.exists(path):
            system.rm(path, recursive=True)


def read_file(folder: Location, key: str) -> bytes:
    """Return the bytes of one file of a store. Raises FileNotFoundError where there is none."""
    if isinstance(folder, Path):
        return (folder / key).read_bytes()
    system, path = _system(folder)
    return bytes(system.cat_file(f"{path}/{key}"))


def write_file(folder: Location, key: str, content: bytes) -> None:
    """Write one file of a store; on a disk it is there whole or not at all."""
    if isinstance(folder, Path):
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f"{path.name}.{uuid4().hex}.partial")
        aside.write_bytes(content)
        aside.replace(path)
    else:
        system, place = _system(folder)
        system.pipe_file(f"{place}/{key}", content)


def sizes(folder: Location) -> dict[str, int]:
    """Return the size in bytes of every file below a folder, by its path from there; empty where none is."""
    return {key: size for key, (size, _) in stamps(folder).items()}


def stamps(folder: Location) -> dict[str, tuple[int, str]]:
    """Return size and time (or tag) of every file below a folder, linked ones too, by its path from there."""
    if isinstance(folder, Path):
        return {
            Path(file).relative_to(folder).as_posix(): (file.stat().st_size, str(file.stat().st_mtime_ns))
            for file in _files_below(folder)
        }
    system, path = _system(folder)
    start = len(path.strip("/")) + 1
    return {
        name.strip("/")[start:]: (int(entry["size"]), str(_mark(entry)))
        for name, entry in system.find(path, detail=True).items()
    }


def _files_below(folder: Path | str, above: frozenset[str] = frozenset()) -> Iterator[os.DirEntry[str]]:
    """Yield the files below a folder, behind links too; a link to nothing or back to above is no file."""
    here = os.path.realpath(folder)
    if here in above or not Path(here).is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink() and not Path(entry.path).exists():
                continue
            if entry.is_dir():
                yield from _files_below(entry.path, above | {here})
            elif entry.is_file():
                yield entry


def sweep(folder: Path) -> None:
    """Remove what a killed writer left between a chunk's bytes and its name."""
    for parent, _, files in os.walk(folder):
        for name in files:
            if name.endswith(".partial"):
                (Path(parent) / name).unlink(missing_ok=True)


def _mark(entry: dict[str, Any]) -> Any:
    return entry.get("ETag") or entry.get("mtime") or entry.get("LastModified") or entry.get("created")


def _system(folder: Url) -> tuple[Any, str]:
    system, path = fsspec.core.url_to_fs(folder)
    system.invalidate_cache()
    return system, path

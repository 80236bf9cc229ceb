"""Records of finished tiles as bytes: MessagePack with NumPy arrays as raw bytes, and a checksum."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from enum import IntEnum
from importlib import import_module
from typing import Any, NamedTuple

import msgpack
import numpy as np
from numpy.typing import NDArray

from gigaxas.stores.io.checksums import ChunkChecksum
from gigaxas.tiles import Box

MAGIC = b"gigaxas journal 2\n"
HASH_BYTES = 16
ARRAY_KINDS = "biufcSU"
NOWHERE = Box(0, 0, 0, 0)
"""The pixels of a record that is of no tile."""


class Record(NamedTuple):
    """One tile that is done."""

    tile: Box
    """Its pixels."""
    value: Any
    """What its task returned: numbers, text, arrays, and lists, dicts and records of gigaxas made of such."""
    chunks: Sequence[ChunkChecksum]
    """The chunks that the task wrote."""
    mark: str = ""
    """What this tile alone was made of, in a stage whose tiles depend on different things."""


class Extension(IntEnum):
    """What MessagePack has no type for."""

    TUPLE = 1
    CLASS = 2
    """A dataclass or named tuple of this package: module, name, values of its fields."""
    ARRAY = 3
    """Type, shape, samples."""
    SCALAR = 4
    """Type, sample."""
    INTEGER = 5
    """An integer of more than 64 bits, in hexadecimal digits."""
    INTEGERS = 6
    """An array of such: shape, integers."""


def pack(records: Sequence[Record]) -> bytes:
    """Return records as bytes with their checksum. Raises TypeError for a value of an unknown kind."""
    payload = _packed(list(records))
    return MAGIC + hashlib.blake2b(payload, digest_size=HASH_BYTES).digest() + payload


def unpack(data: bytes) -> list[Record]:
    """Return the records of `pack`.

    Raises ValueError where a byte was lost or changed, for another format, and for a class that is no record
    of this package.
    """
    start = len(MAGIC) + HASH_BYTES
    payload = data[start:]
    if data[:start] != MAGIC + hashlib.blake2b(payload, digest_size=HASH_BYTES).digest():
        raise ValueError("the record file is torn or altered, or of another version")
    records: list[Record] = _unpacked(payload)
    return records


def _packed(value: Any) -> bytes:
    packed: bytes = msgpack.packb(value, default=_extended, strict_types=True)
    return packed


def _unpacked(data: bytes) -> Any:
    return msgpack.unpackb(data, ext_hook=_restored, strict_map_key=False)


def _extended(value: Any) -> msgpack.ExtType:
    """Return a value that MessagePack does not know as an extension."""
    if isinstance(value, np.ndarray):
        return _extended_array(value)
    if isinstance(value, np.generic):
        return _extension(Extension.SCALAR, [_checked(value.dtype).str, value.tobytes()])
    if type(value) is int:
        return _extension(Extension.INTEGER, f"{value:x}")
    if type(value) is tuple:
        return _extension(Extension.TUPLE, list(value))
    if isinstance(value, tuple) or (is_dataclass(value) and not isinstance(value, type)):
        name = [type(value).__module__, type(value).__qualname__]
        return _extension(Extension.CLASS, [*name, _fields(value)])
    raise TypeError(f"a task returned {type(value)}, which the journal cannot keep")


def _extended_array(values: NDArray[Any]) -> msgpack.ExtType:
    if values.dtype == object and all(isinstance(value, int) for value in values.flat):
        return _extension(Extension.INTEGERS, [list(values.shape), values.ravel().tolist()])
    content = [_checked(values.dtype).str, list(values.shape), values.tobytes()]
    return _extension(Extension.ARRAY, content)


def _extension(kind: Extension, content: Any) -> msgpack.ExtType:
    return msgpack.ExtType(kind, _packed(content))


def _checked(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.kind not in ARRAY_KINDS:
        raise TypeError(f"a task returned an array of {dtype}, which the journal cannot keep")
    return dtype


def _fields(value: Any) -> list[Any]:
    return list(value) if isinstance(value, tuple) else [getattr(value, part.name) for part in fields(value)]


def _restored(code: int, data: bytes) -> Any:
    return RESTORED[Extension(code)](_unpacked(data))


def _array(content: tuple[str, list[int], bytes]) -> NDArray[Any]:
    dtype, shape, samples = content
    return np.frombuffer(samples, np.dtype(dtype)).reshape(shape).copy()


def _scalar(content: tuple[str, bytes]) -> Any:
    dtype, sample = content
    return np.frombuffer(sample, np.dtype(dtype))[0]


def _integers(content: tuple[list[int], list[int]]) -> NDArray[np.object_]:
    shape, values = content
    return np.array(values, dtype=object).reshape(shape)


def _instance(content: tuple[str, str, list[Any]]) -> Any:
    module, name, values = content
    found = getattr(import_module(module), name, None) if module.split(".")[0] == "gigaxas" else None
    if not (isinstance(found, type) and (is_dataclass(found) or issubclass(found, tuple))):
        raise ValueError(f"the record file names {module}.{name}, which is no record of gigaxas")
    return found(*values)


RESTORED: dict[Extension, Callable[[Any], Any]] = {
    Extension.TUPLE: tuple,
    Extension.CLASS: _instance,
    Extension.ARRAY: _array,
    Extension.SCALAR: _scalar,
    Extension.INTEGER: lambda digits: int(digits, 16),
    Extension.INTEGERS: _integers,
}

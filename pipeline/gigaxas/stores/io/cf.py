"""CF attributes: how stored numbers become samples, and which of them stand for none."""

import struct
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray
from gigaxas.errors import InputError

DIMENSIONS = "_ARRAY_DIMENSIONS"
"""The attribute by which Zarr v2 arrays of xarray name their axes."""


@dataclass(frozen=True)
class Marks:
    """Which stored numbers stand for no sample."""

    values: tuple[float, ...] = ()
    """Each of these."""
    low: float = -np.inf
    """Those below it."""
    high: float = np.inf
    """Those above it."""

    def __bool__(self) -> bool:
        return bool(self.values) or self.low > -np.inf or self.high < np.inf

    def found_in(self, stored: NDArray[Any]) -> BoolArray:
        """Return which numbers (any shape) stand for no sample."""
        found = np.isin(stored, np.array(self.values, dtype=stored.dtype))
        return np.asarray(found | (stored < self.low) | (stored > self.high))


NO_MARKS = Marks()


@dataclass(frozen=True)
class Packing:
    """How stored numbers become samples."""

    scale: float = 1.0
    """A stored number n stands for the sample n * scale + offset."""
    offset: float = 0.0
    """See `scale`."""
    marks: Marks = NO_MARKS
    """Which stored numbers stand for no sample."""
    is_unsigned: bool = False
    """Whether signed whole numbers are to be read as unsigned ones."""

    @property
    def is_plain(self) -> bool:
        """Whether every stored number is its sample."""
        return self == PLAIN


PLAIN = Packing()


def packing_of(attributes: Mapping[str, Any], dtype: np.dtype[Any], fill: Any = None) -> Packing:
    """Return what CF attributes, and the fill value of the array itself, say of numbers of a type.

    Raises InputError for an attribute that is no number.
    """
    is_unsigned = dtype.kind == "i" and str(text_of(attributes.get("_Unsigned"))).lower() == "true"
    of_type = np.dtype(dtype.str.replace("i", "u")) if is_unsigned else dtype
    scale, offset = (
        (_numbers(attributes, name) or [other])[0]
        for name, other in (("scale_factor", 1.0), ("add_offset", 0.0))
    )
    if not scale:
        raise InputError("scale_factor is 0, expected another number")
    none = [value for name in ("_FillValue", "missing_value") for value in _numbers(attributes, name)]
    none += _numbers({"fill_value": fill}, "fill_value")
    values = {_stored(value, of_type) for value in none} - {None}
    low, high = _valid_range(attributes, dtype, scale, offset)
    marks = Marks(tuple(sorted(value for value in values if value is not None)), low, high)
    return Packing(scale, offset, marks, is_unsigned)


def zarr_packing(array: "zarr.Array[Any]") -> Packing:
    """Return what a Zarr array says of its numbers. Raises InputError as `packing_of`.

    Its own fill value is a mark where someone chose it: Zarr's default is 0, but xarray marks by it in v2.
    """
    attributes = dict(array.attrs)
    chosen = array.fill_value != 0 or DIMENSIONS in attributes
    return packing_of(attributes, np.dtype(array.dtype), array.fill_value if chosen else None)


def unpack(stored: NDArray[Any], packing: Packing) -> NDArray[Any]:
    """Return samples as floating-point numbers, NaN where a stored number stands for none."""
    if packing.is_unsigned:
        stored = stored.view(stored.dtype.str.replace("i", "u"))
    samples = stored.astype(unpacked_type(stored.dtype))
    if (packing.scale, packing.offset) != (1.0, 0.0):
        samples = samples * samples.dtype.type(packing.scale) + samples.dtype.type(packing.offset)
    samples[packing.marks.found_in(stored)] = np.nan
    return samples


def unpacked_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the floating-point type that holds every number of a type."""
    return np.result_type(dtype, np.float32)


def _valid_range(
    attributes: Mapping[str, Any], dtype: np.dtype[Any], scale: float, offset: float
) -> tuple[float, float]:
    """Return the least and the largest stored number that is a sample."""
    pair = _numbers(attributes, "valid_range") or [-np.inf, np.inf]
    if len(pair) != 2:
        raise InputError(f"valid_range has {len(pair)} numbers, expected the least and the largest")
    low = max([pair[0], *_numbers(attributes, "valid_min")])
    high = min([pair[1], *_numbers(attributes, "valid_max")])
    given = [attributes[name] for name in ("valid_range", "valid_min", "valid_max") if name in attributes]
    if dtype.kind in "iu" and any(np.asarray(value).dtype.kind == "f" for value in given):
        # CF: bounds of another type than the stored numbers are bounds of the samples
        low, high = sorted(((low - offset) / scale, (high - offset) / scale))
    return low, high


def _stored(value: float, dtype: np.dtype[Any]) -> float | None:
    """Return a mark as numbers of a type hold it; None where they cannot."""
    if not np.isfinite(value):
        return None
    if dtype.kind == "f":
        return float(dtype.type(value))
    limits = np.iinfo(dtype)
    if dtype.kind == "u" and value < 0:
        value += 2.0 ** (8 * dtype.itemsize)
    return value if value == int(value) and limits.min <= value <= limits.max else None


def _numbers(attributes: Mapping[str, Any], name: str) -> list[float]:
    """Return the numbers of an attribute: one, a list, or text; xarray writes one as base 64."""
    given = attributes.get(name)
    if given is None:
        return []
    values = np.atleast_1d(np.asarray(given, dtype=object)).ravel()
    try:
        return [_number(text_of(value)) for value in values]
    except (TypeError, ValueError):
        raise InputError(f"its attribute {name} is {given!r}, expected a number") from None


def _number(value: Any) -> float:
    try:
        return float(value)
    except ValueError:
        try:
            return float(struct.unpack("<d", b64decode(value, validate=True))[0])
        except (NotBase64, struct.error):
            raise ValueError from None


def text_of(value: Any) -> Any:
    """Return an attribute as files mean it: a list of one as that one, bytes as text, others as they are."""
    if isinstance(value, list | tuple | np.ndarray) and len(np.atleast_1d(value)) == 1:
        value = np.atleast_1d(np.asarray(value, dtype=object)).ravel()[0]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

"""A plain stack (energy, y, x) that becomes a cube as it is."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.config.schema import Ingest
from gigaxas.errors import InputError
from gigaxas.raw.readers.axes import checked_energies, read_energies
from gigaxas.raw.readers.files import files_identity, find_files, has_field, key_of
from gigaxas.raw.readers.images import Stack, open_stack


@dataclass(frozen=True)
class StackSource:
    """A stack that becomes a cube as it is."""

    stack: Stack
    """Its images."""
    energy: FloatArray
    """Their energies (E,), in eV or in the unit of `ingest.unit`."""
    sample: np.dtype[Any]
    """Type that the samples of the cube have."""
    identity: str
    """What tells these files, with these energies, from others."""


def describe_stack(ingest: Ingest) -> StackSource:
    """Describe a stack by its files. Raises InputError where it is none, or its energies do not fit it."""
    text = ingest.stack
    assert text is not None
    if has_field(text):
        raise InputError("ingest.stack: a stack is one image for every energy; use ingest.fields for {field}")
    found = find_files(text, "ingest.stack")[""]
    stack = open_stack(text, found, ingest.axes)
    if key_of(text) == "energy":
        energy = checked_energies(np.array(found.keys), "ingest.stack", ingest.unit)
    elif ingest.energies is None:
        raise InputError(
            "ingest.energies: missing; give a list, a file with one energy a line, or `file::array`"
        )
    else:
        energy = read_energies(ingest.energies, ingest.unit)
    if len(energy) != stack.shape[0]:
        hint = "; its axes are not energy, y, x: set ingest.axes" if len(energy) in stack.shape else ""
        raise InputError(
            f"ingest.stack: {text} has {stack.shape[0]} images of {stack.plane[0]} x {stack.plane[1]} "
            f"pixels, expected one for each of {len(energy)} energies{hint}"
        )
    small = np.dtype(stack.dtype) in (np.uint8, np.uint16)
    sample = np.dtype(np.uint16 if small else np.float32)
    return StackSource(stack, energy, sample, files_identity(stack.files, energy))

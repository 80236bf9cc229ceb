"""An acquisition: what its files say of fields, energies and positions, checked before anything is read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.config.schema import Fields, Ingest
from gigaxas.errors import InputError, RunError
from gigaxas.raw.readers.axes import (
    Position,
    check_positions,
    checked_energies,
    read_energies,
    read_positions,
)
from gigaxas.raw.readers.files import FileSet, files_identity, find_files, has_field, key_of
from gigaxas.raw.readers.images import Stack, open_stack, read_stack
from gigaxas.tiles import Plane

MOST_ZEROS = 0.05
"""Share of zeros in a row of a reference image above which it was taken without light."""
PACKED_ROWS = 64
"""Rows of an image that are unpacked at once, above which only a few images are read."""
MOST_NAMED = 10
"""Images without light that one error names."""
T = TypeVar("T")


@dataclass(frozen=True)
class RawField:
    """One field of view, as it was measured."""

    name: str
    """What its files are called."""
    transmitted: Stack
    """Images (E, h, w) of counts behind the specimen."""
    reference: Stack
    """Images (E, h, w) of counts of the open beam."""
    dark: Stack | None
    """Images (n, h, w) without light, where there are any."""
    stage_um: Position
    """Where the stage says that its top left corner lies, y and x, in um."""


@dataclass(frozen=True)
class Acquisition:
    """All fields of a measurement, on one energy axis."""

    fields: tuple[RawField, ...]
    """The fields of view, all of one shape."""
    energy: FloatArray
    """Energies (E,) in eV, rising."""
    pixel_um: float
    """Size of a pixel in um."""
    foil: RawField | None
    """A foil that was measured as the fields are, for the shift of energy; None where there is none."""
    identity: str
    """What tells these files, with these positions and energies, from others."""

    @property
    def plane(self) -> Plane:
        """Rows and columns of every field, in pixels."""
        return self.fields[0].transmitted.plane

    @property
    def stage_px(self) -> FloatArray:
        """The stage positions (n, 2) of the fields' top left corners, y and x, in pixels."""
        return np.array([field.stage_um for field in self.fields]) / self.pixel_um

    @property
    def bytes_per_pixel(self) -> int:
        """Bytes of the counts, with and without specimen, of one pixel of one field."""
        first = self.fields[0]
        sample = np.dtype(first.transmitted.dtype).itemsize + np.dtype(first.reference.dtype).itemsize
        return len(self.energy) * sample


def describe_acquisition(ingest: Ingest) -> Acquisition:
    """Describe the raw fields by their files. Raises InputError with a line for everything that is wrong."""
    wanted = ingest.fields
    assert wanted is not None
    errors: list[str] = []
    given = {"transmitted": wanted.transmitted, "reference": wanted.reference, "dark": wanted.dark}
    sources = {name: text for name, text in given.items() if text is not None}
    found = {
        name: _attempt(errors, find_files, text, f"ingest.fields.{name}") or {}
        for name, text in sources.items()
    }
    images = found["transmitted"]
    energy = _attempt(errors, _energies, ingest, images) if images else None
    positions = _attempt(errors, read_positions, wanted.positions, wanted.transmitted, list(images))
    errors += [line for name, text in sources.items() for line in _missing(name, text, found[name], images)]
    if errors or energy is None or positions is None:
        raise InputError("\n".join(errors))
    stacks = {
        name: {
            field: _attempt(errors, open_stack, sources[name], files, ingest.axes)
            for field, files in files_of.items()
        }
        for name, files_of in found.items()
    }
    errors += _mixed(stacks, len(energy))
    foil = _attempt(errors, _foil, ingest, wanted)
    if errors:
        raise InputError("\n".join(dict.fromkeys(errors)))
    fields = tuple(_field(name, stacks, positions[name]) for name in images)
    height, width = fields[0].transmitted.plane
    check_positions(positions, (height * ingest.pixel_um, width * ingest.pixel_um))
    _check_foil(foil, fields[0])
    return Acquisition(fields, energy, ingest.pixel_um, foil, _identity(fields, foil, energy))


def _attempt(errors: list[str], step: Callable[..., T], *arguments: Any) -> T | None:
    """Return what a step gives; where it raises InputError, note that and return None."""
    try:
        return step(*arguments)
    except InputError as error:
        errors.append(str(error))
        return None


def check_references(acquisition: Acquisition) -> None:
    """Read the middle row of every reference image (a few images where they are packed).

    Raises InputError that names images that are mostly zero.
    """
    wrong: list[str] = []
    seen: set[Stack] = set()
    for field in (*acquisition.fields, *([acquisition.foil] if acquisition.foil else [])):
        if field.reference in seen:
            continue
        seen.add(field.reference)
        try:
            wrong += _dark_images(field, acquisition.energy)
        except RunError as error:
            wrong.append(str(error))
    if wrong:
        unnamed = len(wrong) - MOST_NAMED
        more = f"\nand {unnamed} more images without light" if unnamed > 0 else ""
        raise InputError("\n".join(wrong[:MOST_NAMED]) + more)


def _identity(fields: tuple[RawField, ...], foil: RawField | None, energy: FloatArray) -> str:
    stacks = [stack for field in (*fields, foil) if field for stack in _stacks(field)]
    files = dict.fromkeys(file for stack in stacks for file in stack.files)
    return files_identity(files, energy, np.array([field.stage_um for field in fields]))


def _stacks(field: RawField) -> Iterator[Stack]:
    yield from (field.transmitted, field.reference)
    if field.dark:
        yield field.dark


def _energies(ingest: Ingest, images: dict[str, FileSet]) -> FloatArray:
    assert ingest.fields is not None
    if key_of(ingest.fields.transmitted) != "energy":
        if ingest.energies is None:
            raise InputError("ingest.energies: missing; give a file, `file::array`, or {energy} in the names")
        return read_energies(ingest.energies, ingest.unit)
    if ingest.energies is not None:
        raise InputError("ingest.energies: the file names tell them ({energy}); remove it")
    every = np.unique([key for found in images.values() for key in found.keys])
    return checked_energies(every, "ingest.fields.transmitted", ingest.unit)


def _missing(name: str, text: str, found: dict[str, FileSet], images: dict[str, FileSet]) -> list[str]:
    """Name fields without files, and fields without some of the energies that others have."""
    if not found:
        return []
    lines = []
    if has_field(text):
        lines += [f"ingest.fields.{name}: no files for {field!r}" for field in images if field not in found]
        lines += [
            f"ingest.fields.transmitted: no files for {field!r}, which has a {name}"
            for field in found
            if field not in images
        ]
    if name == "dark":
        return lines
    every = {key for files in (*found.values(), *images.values()) for key in files.keys}
    for field, files in found.items():
        absent = sorted(every - set(files.keys)) if key_of(text) else []
        if absent:
            few = ", ".join(f"{key:g}" for key in absent[:5]) + (", ..." if len(absent) > 5 else "")
            lines.append(
                f"ingest.fields.{name}: {field or text} lacks {len(absent)} of {len(every)} images ({few}); "
                "copy them, or take that energy out of every field"
            )
        if len(set(files.keys)) < len(files.keys):
            lines.append(f"ingest.fields.{name}: {field or text} has two files of one energy; remove one")
    return lines


def _mixed(stacks: dict[str, dict[str, Stack | None]], energies: int) -> list[str]:
    """Name stacks whose number of images or whose plane is another than that of the first field."""
    opened = [
        (f"ingest.fields.{name}: {field or 'the stack'}", name, stack)
        for name, fields in stacks.items()
        for field, stack in fields.items()
        if stack
    ]
    lines = []
    for where, name, stack in opened:
        plane = opened[0][2].plane
        if name != "dark" and stack.shape[0] != energies:
            hint = "; set ingest.axes" if energies in stack.shape else ""
            lines.append(
                f"{where} has {stack.shape[0]} images of {stack.plane[0]} x {stack.plane[1]} pixels, "
                f"expected one for each of {energies} energies{hint}"
            )
        elif stack.plane != plane:
            lines.append(
                f"{where} has {stack.plane[0]} x {stack.plane[1]} pixels, the first field {plane[0]} x "
                f"{plane[1]}; expected equal shapes; ingest them apart, or cut them alike"
            )
    return lines


def _foil(ingest: Ingest, wanted: Fields) -> RawField | None:
    shift = wanted.energy_shift
    if shift is None or shift.foil is None or shift.foil_reference is None:
        return None
    opened = []
    for name, text in (("foil", shift.foil), ("foil_reference", shift.foil_reference)):
        found = find_files(text, f"ingest.fields.energy_shift.{name}")
        opened.append(open_stack(text, found[next(iter(found))], ingest.axes))
    if opened[0].shape != opened[1].shape:
        raise InputError(
            f"ingest.fields.energy_shift: the foil is {opened[0].shape}, its reference {opened[1].shape} "
            "(energy, y, x); expected equal shapes"
        )
    dark = None
    if wanted.dark:
        files = find_files(wanted.dark, "ingest.fields.dark")
        dark = open_stack(wanted.dark, files[next(iter(files))], ingest.axes)
    return RawField("foil", opened[0], opened[1], dark, (0.0, 0.0))


def _check_foil(foil: RawField | None, field: RawField) -> None:
    if foil is not None and foil.transmitted.shape != field.transmitted.shape:
        raise InputError(
            f"ingest.fields.energy_shift.foil: its shape is {foil.transmitted.shape}, that of the fields "
            f"{field.transmitted.shape} (energy, y, x); measure the foil as the fields"
        )


def _field(name: str, stacks: dict[str, dict[str, Stack | None]], stage: Position) -> RawField:
    def of(kind: str) -> Stack | None:
        return stacks[kind].get(name) or stacks[kind].get("") if kind in stacks else None

    transmitted, reference = of("transmitted"), of("reference")
    assert transmitted is not None
    assert reference is not None
    return RawField(name, transmitted, reference, of("dark"), stage)


def _dark_images(field: RawField, energy: FloatArray) -> Iterator[str]:
    stack = field.reference
    height, width = stack.plane
    row = slice(height // 2, height // 2 + 1)
    count = len(energy)
    packed = stack.piece[0] * stack.piece[1] > PACKED_ROWS * width
    for i in (0, count // 2, count - 1) if packed else range(count):
        line = read_stack(stack, (row, slice(0, width)), slice(i, i + 1))
        zeros = float(np.mean(~(line > 0)))
        if zeros > MOST_ZEROS:
            yield (
                f"{stack.files[i] if len(stack.files) > 1 else stack.files[0]}: the reference of "
                f"{field.name or 'the field'} at {energy[i]:g} has {zeros:.0%} of zeros in its middle row; "
                "expected counts of the open beam; measure it again, or leave that energy out everywhere"
            )

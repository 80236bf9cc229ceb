"""An acquisition: what its files say of fields, energies and positions, checked before anything is read."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.config.schema import EnergyUnit, Fields, Ingest
from gigaxas.errors import InputError, RunError
from gigaxas.raw.readers.energies import checked_energies, energies_of, rising
from gigaxas.raw.readers.exposure import exposure_ratio
from gigaxas.raw.readers.field import Dark, RawField, Reference, measurement_identity
from gigaxas.raw.readers.files import FileSet, find_files, has_field, key_of
from gigaxas.raw.readers.images import Stack, open_stack, read_stack
from gigaxas.raw.readers.open_beam import open_beam_files, open_reference
from gigaxas.raw.readers.positions import check_positions, pixel_size, read_positions
from gigaxas.tiles import Plane

MOST_ZEROS = 0.05
"""Share of zeros in a row of a reference image above which it was taken without light."""
PACKED_ROWS = 64
"""Rows of an image that are unpacked at once, above which only a few images are read."""
MOST_NAMED = 10
"""Images without light that one error names."""
T = TypeVar("T")
Opened = dict[str, dict[str, Any]]
"""What RawField calls transmitted, reference and dark, by the name of the field; "" is for all of them."""


@dataclass(frozen=True)
class Acquisition:
    """All fields of a measurement, on one energy axis."""

    fields: tuple[RawField, ...]
    """The fields of view, all of one shape."""
    energy: FloatArray
    """Energies (E,) in `unit`, rising."""
    unit: EnergyUnit
    """Unit of the energies."""
    pixel_um: float
    """Size of a pixel in um."""
    foil: RawField | None
    """A foil that was measured as the fields are, for the shift of energy; None where there is none."""
    identity: str
    """What tells these files, with these positions and energies, from others."""

    @property
    def measured(self) -> tuple[RawField, ...]:
        """The fields, and the foil where there is one."""
        return (*self.fields, self.foil) if self.foil else self.fields

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
        return self.fields[0].bytes_per_pixel


def describe_acquisition(ingest: Ingest, among: Collection[str] | None = None) -> Acquisition:
    """Describe the raw fields by their files, or by those `among` them that are whole.

    Raises InputError with a line for everything that is wrong.
    """
    wanted = ingest.fields
    assert wanted is not None
    errors: list[str] = []
    given = {"transmitted": wanted.transmitted, "reference": wanted.reference, "dark": wanted.dark}
    sources = {name: source for name, source in given.items() if isinstance(source, str)}
    found = {
        name: _attempt(errors, find_files, text, f"ingest.fields.{name}", among) or {}
        for name, text in sources.items()
    }
    images = found["transmitted"]
    told = _attempt(errors, _energies, ingest, images) if images else None
    positions = _attempt(errors, read_positions, wanted.positions, wanted.transmitted, list(images), among)
    errors += [line for name, text in sources.items() for line in _missing(name, text, found[name], images)]
    if errors or told is None or positions is None:
        raise InputError("\n".join(errors))
    energy, unit = told
    opened: Opened = {
        name: {
            field: _attempt(errors, _open, name, sources[name], files, ingest, energy)
            for field, files in files_of.items()
        }
        for name, files_of in found.items()
    }
    first = next(iter(opened["transmitted"].values()))
    if not isinstance(wanted.reference, str) and isinstance(first, Stack):
        area = wanted.reference, "ingest.fields.reference", first, ingest, energy
        opened["reference"] = {"": _attempt(errors, open_reference, *area)}
    if not isinstance(wanted.dark, str):
        opened["dark"] = {"": wanted.dark}
    errors += _mixed(opened, len(energy))
    ratio = _attempt(errors, exposure_ratio, wanted.exposures, "ingest.fields.exposures", energy)
    foil = _attempt(errors, _foil, ingest, wanted, ratio)
    if errors:
        raise InputError("\n".join(dict.fromkeys(errors)))
    fields = tuple(
        RawField(name, *_counts_of(name, opened), stage_um=positions[name], exposure_ratio=ratio)
        for name in images
    )
    height, width = fields[0].transmitted.plane
    pixel_um = pixel_size(ingest, next(iter(images.values())))
    check_positions(positions, (height * pixel_um, width * pixel_um))
    _check_foil(foil, fields[0])
    identity = measurement_identity((*fields, foil) if foil else fields, energy)
    return Acquisition(fields, energy, unit, pixel_um, foil, identity)


def _attempt(errors: list[str], step: Callable[..., T], *arguments: Any) -> T | None:
    """Return what a step gives; where it raises InputError, note that and return None."""
    try:
        return step(*arguments)
    except InputError as error:
        errors.append(str(error))
        return None


def check_references(fields: Sequence[RawField], energy: FloatArray) -> None:
    """Read the middle row of every reference image (a few images where they are packed).

    Raises InputError that names images that are mostly zero.
    """
    wrong: list[str] = []
    seen: set[Stack] = set()
    for field in fields:
        if not isinstance(field.reference, Stack) or field.reference in seen:
            continue
        seen.add(field.reference)
        try:
            wrong += _dark_images(field.name, field.reference, energy)
        except RunError as error:
            wrong.append(str(error))
    if wrong:
        unnamed = len(wrong) - MOST_NAMED
        more = f"\nand {unnamed} more images without light" if unnamed > 0 else ""
        raise InputError("\n".join(wrong[:MOST_NAMED]) + more)


def _counts_of(field: str, opened: Opened) -> tuple[Stack, Reference, Dark]:
    found = (opened[kind] for kind in ("transmitted", "reference", "dark"))
    transmitted, reference, dark = (one[field if field in one else ""] for one in found)
    return transmitted, reference, dark


def _open(name: str, source: str, files: FileSet, ingest: Ingest, energy: FloatArray) -> Stack | FloatArray:
    if name == "reference":
        return open_beam_files(source, files, f"ingest.fields.{name}", ingest, energy)
    return open_stack(source, files, ingest.axes, ingest.missing)


def _energies(ingest: Ingest, images: dict[str, FileSet]) -> tuple[FloatArray, EnergyUnit]:
    """Return the energies (E,) that all fields have, and their unit."""
    assert ingest.fields is not None
    where = "ingest.fields.transmitted"
    if key_of(ingest.fields.transmitted) != "energy":
        energy, unit = energies_of(ingest.fields.transmitted, next(iter(images.values())), ingest)
        return rising(energy, where), unit
    if ingest.energies is not None:
        raise InputError("ingest.energies: the file names tell them ({energy}); remove it")
    unit = ingest.unit or "eV"
    every = np.unique([key for found in images.values() for key in found.keys])
    return checked_energies(every, where, unit), unit


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


def _mixed(opened: Opened, energies: int) -> list[str]:
    """Name stacks whose number of images or whose plane is another than that of the first field."""
    stacks = [
        (f"ingest.fields.{name}: {field or 'the stack'}", name, stack)
        for name, fields in opened.items()
        for field, stack in fields.items()
        if isinstance(stack, Stack)
    ]
    lines = []
    for where, name, stack in stacks:
        plane = stacks[0][2].plane
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


def _foil(ingest: Ingest, wanted: Fields, ratio: FloatArray | None) -> RawField | None:
    shift = wanted.energy_shift
    if shift is None or shift.foil is None or shift.foil_reference is None:
        return None
    opened = []
    for name, text in (("foil", shift.foil), ("foil_reference", shift.foil_reference)):
        found = find_files(text, f"ingest.fields.energy_shift.{name}")
        opened.append(open_stack(text, found[next(iter(found))], ingest.axes, ingest.missing))
    if opened[0].shape != opened[1].shape:
        raise InputError(
            f"ingest.fields.energy_shift: the foil is {opened[0].shape}, its reference {opened[1].shape} "
            "(energy, y, x); expected equal shapes"
        )
    dark: Dark = None if isinstance(wanted.dark, str) else wanted.dark
    if isinstance(wanted.dark, str):
        files = find_files(wanted.dark, "ingest.fields.dark")
        dark = open_stack(wanted.dark, files[next(iter(files))], ingest.axes, ingest.missing)
    return RawField("foil", opened[0], opened[1], dark, (0.0, 0.0), ratio)


def _check_foil(foil: RawField | None, field: RawField) -> None:
    if foil is not None and foil.transmitted.shape != field.transmitted.shape:
        raise InputError(
            f"ingest.fields.energy_shift.foil: its shape is {foil.transmitted.shape}, that of the fields "
            f"{field.transmitted.shape} (energy, y, x); measure the foil as the fields"
        )


def _dark_images(name: str, stack: Stack, energy: FloatArray) -> Iterator[str]:
    height, width = stack.plane
    row = slice(height // 2, height // 2 + 1)
    count = len(energy)
    packed = stack.piece[0] * stack.piece[1] > PACKED_ROWS * width
    for i in (0, count // 2, count - 1) if packed else range(count):
        line = read_stack(stack, (row, slice(0, width)), slice(i, i + 1))
        zeros = float(np.mean(~(line > 0)))
        if zeros > MOST_ZEROS:
            yield (
                f"{stack.files[0] if 'E' in stack.axes else stack.files[i]}: the reference of "
                f"{name or 'the field'} at {energy[i]:g} has {zeros:.0%} of zeros in its middle row; "
                "expected counts of the open beam; measure it again, or leave that energy out everywhere"
            )

"""What lines of a configuration read somebody's images: guessed from files and their names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.locations import INSIDE
from gigaxas.raw.readers.described import FileArray
from gigaxas.raw.readers.energies import read_energies
from gigaxas.raw.readers.files import find_stack, split_source
from gigaxas.raw.readers.formats import recognise
from gigaxas.raw.readers.formats.stxm import is_scan_header
from gigaxas.raw.readers.images import described, every_array
from gigaxas.raw.readers.positions import listed_positions
from gigaxas.raw.readers.roles import (
    energy_list,
    kind_of_folder,
    lists_of,
    numbered,
    role_of,
    stage_axis,
)
from gigaxas.stores.cube import describe_cube
from gigaxas.workflow.info import is_cube

Section = Literal["cube", "ingest"]
QUANTITIES = ("counts", "intensity", "absorbance", "normalised")
"""What the samples of a stack may be."""


@dataclass(frozen=True)
class Question:
    """Something that files do not tell."""

    key: str
    """The option of `gigaxas init` that answers it, without its dashes."""
    text: str
    """What is asked."""
    default: str | None
    """What is taken where nobody answers; None where an answer is needed."""


OPEN_BEAM = Question("i0", "counts of the open beam (files, file::array, or a number)", None)


@dataclass
class Proposal:
    """A section of a configuration that reads images."""

    section: Section
    """Its name."""
    about: str
    """What was found, in a sentence."""
    keys: dict[str, Any] = field(default_factory=dict)
    """Its keys."""
    why: dict[str, str] = field(default_factory=dict)
    """What a key is taken for, in a few words."""
    hints: list[str] = field(default_factory=list)
    """Keys that may be added, each with what it does."""
    samples: int = 0
    """Pixels times energies; 0 where that is not known."""
    energy: FloatArray | None = None
    """The energies (E,) in eV; None where they are not known, or are wavenumbers."""
    questions: list[Question] = field(default_factory=list)
    """What is still open."""

    def put(self, key: str, value: Any, why: str = "") -> None:
        """Add a key with the reason for it."""
        self.keys[key] = value
        if why:
            self.why[key] = why


def propose(image: str, answers: Mapping[str, str]) -> Proposal:
    """Propose how an image is read: a cube, a stack, a folder of numbered images, or one of raw fields.

    `answers` holds options of `gigaxas init` by their names: energies, i0, dark, quantity, positions. Raises
    InputError where there is nothing, nothing that is known, or no stack.
    """
    path = Path(split_source(image)[0])
    if "{" in path.name:
        return _of_numbered(image, answers, path.parent)
    if not path.exists():
        raise InputError(f"{path}: there is nothing; give a file or folder of images")
    if is_cube(path):
        return _of_cube(path)
    if is_scan_header(image):
        return _of_header(image, answers)
    if recognise(path, split_source(image)[1]) is not None:
        return _of_file(image, path, answers)
    if path.is_dir():
        return _of_folder(path, answers)
    raise InputError(
        f"{path}: holds no images that are known; gigaxas info tells what is in a file, and reference "
        "spectra go with --references"
    )


def _of_cube(path: Path) -> Proposal:
    cube = describe_cube(path)
    energies, height, width = cube.shape
    made = Proposal("cube", f"{path.name} is a cube of {energies} energies and {height} x {width} pixels")
    made.put("path", str(path))
    made.samples = energies * height * width
    if cube.quantity is None:
        made.hints.append("quantity: normalised  # or absorbance, intensity; left out, the samples tell")
    made.energy = cube.energy if cube.unit == "eV" else None
    return made


def _of_header(text: str, answers: Mapping[str, str]) -> Proposal:
    images = find_stack(text, "FILE")
    made = Proposal("ingest", f"{Path(text).name} is the header of a scan of {len(images.keys)} energies")
    made.put("stack", text)
    made.energy = np.array(images.keys)
    _add_counts(made, answers, _beside(Path(text).parent), np.dtype(np.float64))
    return made


def _of_file(text: str, path: Path, answers: Mapping[str, str]) -> Proposal:
    inner = split_source(text)[1]
    arrays = [each for each in every_array(path, inner) if not inner or each.name == inner]
    stacks = [each for each in arrays if sum(size > 1 for size in each.shape) > 2]
    if not stacks:
        pattern = numbered(each.name for each in kind_of_folder(path.parent.iterdir())[0])
        if len(arrays) == 1 and pattern:
            return _of_numbered(str(path.with_name(pattern)), answers, path.parent)
        raise InputError(
            f"{path}: holds no stack of images (energy, y, x); gigaxas info tells what is in a file"
        )
    array = _sample(stacks)
    made = Proposal("ingest", f"{path.name} holds {_told(array)}")
    made.put("stack", _inside(path, array.name if len(arrays) > 1 or inner else ""))
    made.samples = int(np.prod(array.shape))
    if len(stacks) > 1:
        made.why["stack"] = f"the largest of {len(stacks)} stacks that are not named as open beam or dark"
    beside = lists_of(path)
    _add_energies(made, answers, array, _inside_of(path, energy_list(beside, _images_of(array))))
    _add_axes(made, array)
    others: dict[str, str] = {
        role_of(each.name): each.name for each in arrays if role_of(each.name) != "sample"
    }
    others |= {role_of(name): name for name, size in beside.items() if size > 1 and role_of(name) == "open"}
    _add_counts(made, answers, _beside(path.parent) | _named(path, others), array.dtype)
    return made


def _of_numbered(text: str, answers: Mapping[str, str], folder: Path) -> Proposal:
    found = find_stack(text, "FILE")
    array = described(found.files[0], split_source(text)[1], is_single=True)
    pattern = Path(split_source(text)[0]).name
    made = Proposal("ingest", f"{len(found.files)} files {pattern} hold an image each, {_told(array)}")
    made.put("stack", text)
    made.samples = len(found.files) * int(np.prod(array.shape))
    if "{energy}" in text:
        made.energy = np.array(found.keys)
    else:
        _add_energies(made, answers, None, _energies_beside(folder, len(found.files)))
    if array.pixel_um is None:
        made.hints.append("pixel_um: 0.46  # the size of a pixel, which the files do not tell")
    _add_counts(made, answers, _beside(folder), array.dtype)
    return made


def _of_folder(folder: Path, answers: Mapping[str, str]) -> Proposal:
    files, others = kind_of_folder(folder.iterdir())
    found = _of_files(folder, files, answers)
    if others:
        some = f"{len(others)} files" if len(others) > 1 else "one file"
        found.about += f"; {some} of images with other endings left out, as {others[0].name}"
    return found


def _of_files(folder: Path, files: list[Path], answers: Mapping[str, str]) -> Proposal:
    """Propose how the files of one ending in a folder are read."""
    if not files:
        raise InputError(
            f"{folder}: holds no images that are known; if it holds spectra, they go with --references"
        )
    if len(files) == 1:
        return _of_file(str(files[0]), files[0], answers)
    arrays = every_array(files[0], "")
    if any(sum(size > 1 for size in each.shape) > 2 for each in arrays):
        return _of_fields(folder, files, arrays, answers)
    if pattern := numbered(path.name for path in files):
        return _of_numbered(str(folder / pattern), answers, folder)
    raise InputError(
        f"{folder}: its {len(files)} files {files[0].suffix} differ in more than one number; give the "
        "pattern of their names, with {energy} or {index} where the number of the image stands"
    )


def _of_fields(
    folder: Path, files: list[Path], arrays: list[FileArray], answers: Mapping[str, str]
) -> Proposal:
    """Propose raw fields of view: a file for each that holds sample, open beam and dark images."""
    stacks = [each for each in arrays if sum(size > 1 for size in each.shape) > 2]
    array, first, beside = _sample(stacks), files[0], lists_of(files[0])
    named = [*(each.name for each in arrays), *(name for name, size in beside.items() if size > 1)]
    reference = next((name for name in named if role_of(name) == "open"), None)
    dark = next((name for name in named if role_of(name) == "dark"), None)
    made = Proposal("ingest", f"{len(files)} fields of view, each of {_told(array)}")
    made.samples = len(files) * int(np.prod(array.shape))
    every = folder / f"{{field}}{first.suffix}"
    _add_energies(made, answers, array, _inside_of(first, energy_list(beside, _images_of(array))))
    fields: dict[str, Any] = {"transmitted": _inside(every, array.name)}
    if reference:
        fields["reference"] = _inside(every, reference)
    elif "i0" in answers:
        fields["reference"] = _number_or(answers["i0"])
    else:
        made.questions.append(OPEN_BEAM)
    if dark:
        fields["dark"] = _inside(every, dark)
    elif "dark" in answers:
        fields["dark"] = _number_or(answers["dark"])
    positions = answers.get("positions") or _positions(folder, every, beside)
    if positions:
        fields["positions"] = positions
    else:
        made.questions.append(
            Question("positions", "stage positions: a CSV with the columns field, y_um, x_um", None)
        )
    made.put("fields", fields)
    made.hints.append("pixel_um: 0.46  # the size of a pixel, where the files do not tell it")
    return made


def _positions(folder: Path, every: Path, beside: dict[str, int]) -> str | dict[str, str] | None:
    """Return where the stage positions of fields lie: a table beside them, or numbers in their files."""
    for table in sorted(folder.glob("*.csv")):
        try:
            listed_positions(table)
        except InputError:
            continue
        return str(table)
    names = {axis: stage_axis(beside, axis) for axis in ("y", "x")}
    found = {axis: _inside(every, name) for axis, name in names.items() if name}
    return found if len(found) == 2 else None


def _add_energies(
    made: Proposal, answers: Mapping[str, str], array: FileArray | None, beside: str | None
) -> None:
    """Add where the energies are: as answered, as the file tells with its array, else as found beside it."""
    told = None
    if array is not None:
        try:
            told = array.energy
        except InputError as error:
            made.hints.append(f"# {error}")
    given = answers.get("energies") or (None if told else beside)
    if given:
        made.put("energies", given, "" if "energies" in answers else "by their name and number")
        energy, unit = read_energies(given, None)
    elif told:
        energy, unit = told[0], "1/cm" if told[1] == "1/cm" else "eV"
    else:
        made.questions.append(
            Question(
                "energies", "energies of the images: a file with one a line, a .hdr or file::array", None
            )
        )
        return
    made.about += f", {len(energy)} energies from {energy.min():g} to {energy.max():g} {unit}"
    made.energy = np.sort(energy) if unit == "eV" else None


def _add_axes(made: Proposal, array: FileArray) -> None:
    if "E" not in array.letters and len(array.shape) == 3:
        made.hints.append("axes: EYX  # the order of the axes, which the file does not tell")
    try:
        told = array.pixel_um
    except InputError:
        told = None
    if told is None:
        made.hints.append("pixel_um: 0.46  # the size of a pixel, which the file does not tell")


def _add_counts(
    made: Proposal, answers: Mapping[str, str], guessed: Mapping[str, str], dtype: np.dtype[Any]
) -> None:
    """Add what the samples are, and the open beam and dark images of counts: as answered, else as guessed."""
    i0 = answers.get("i0") or guessed.get("i0")
    whole = np.issubdtype(dtype, np.integer)
    quantity = answers.get("quantity")
    if quantity is not None and quantity not in QUANTITIES:
        raise InputError(f"--quantity: found {quantity!r}, expected one of {', '.join(QUANTITIES)}")
    if quantity is None and (i0 or whole):
        default = "counts" if i0 else "intensity"
        made.questions.append(
            Question("quantity", f"what the samples are ({', '.join(QUANTITIES)})", default)
        )
        quantity = default
    if quantity is None:
        made.hints.append("quantity: absorbance  # or normalised, intensity; left out, the samples tell")
        return
    why = {
        "counts": "of a transmission measurement: the absorbance is made from them and i0",
        "intensity": "a signal that is not negative, as fluorescence; counts behind a specimen are `counts`",
    }
    made.put("quantity", quantity, why.get(quantity, ""))
    if quantity != "counts":
        return
    if i0 is None:
        made.questions.append(OPEN_BEAM)
        return
    made.put("i0", _number_or(i0), "" if "i0" in answers else "the open beam, by its name")
    if dark := answers.get("dark") or guessed.get("dark"):
        made.put("dark", _number_or(dark), "counts without light")


def _sample(stacks: list[FileArray]) -> FileArray:
    """Return the stack that holds the specimen: the main one of its file, else the largest named so."""
    samples = [each for each in stacks if role_of(each.name) == "sample"] or stacks
    main = [each for each in samples if each.is_main] or samples
    return max(main, key=lambda each: int(np.prod(each.shape)))


def _energies_beside(folder: Path, count: int) -> str | None:
    """Return the one file of so many energies in a folder or the one above it: a scan's header, or a list."""
    near = [path for place in (folder, folder.parent) for path in sorted(place.glob("*")) if path.is_file()]
    names = [
        str(path)
        for path in near
        if is_scan_header(str(path)) or ("energ" in path.stem.lower() and path.suffix in (".txt", ".csv"))
    ]
    found = [name for name in names if _count_of(name) == count]
    return found[0] if len(found) == 1 else None


def _count_of(name: str) -> int:
    try:
        return len(read_energies(name, None)[0])
    except InputError:
        return 0


def _named(path: Path, names: Mapping[str, str]) -> dict[str, str]:
    """Return the sources in a file that are named after the open beam and after darkness."""
    return {
        key: _inside(path, names[role]) for key, role in (("i0", "open"), ("dark", "dark")) if role in names
    }


def _beside(folder: Path) -> dict[str, str]:
    found = _open_beside(folder)
    return {} if found is None else {"i0": found}


def _open_beside(folder: Path) -> str | None:
    """Return the one file in a folder or the one above it that is named after the open beam."""
    for place in (folder, folder.parent):
        found = [path for path in sorted(place.glob("*")) if path.is_file() and _is_open(path.stem)]
        if found:
            return str(found[0]) if len(found) == 1 else None
    return None


def _is_open(stem: str) -> bool:
    """Return whether a file beside the images is named after the open beam, and not a reference spectrum."""
    return role_of(stem) == "open" and "ref" not in stem.lower()


def _number_or(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _images_of(array: FileArray) -> int:
    """Return the length of the axis of energies: as the file says, else the first."""
    return array.shape[array.letters.index("E")] if "E" in array.letters else array.shape[0]


def _told(array: FileArray) -> str:
    return f"{' x '.join(map(str, array.shape))} samples of {array.dtype}"


def _inside(path: Path, name: str) -> str:
    return f"{path}{INSIDE}{name}" if name else str(path)


def _inside_of(path: Path, name: str | None) -> str | None:
    return None if name is None else _inside(path, name)

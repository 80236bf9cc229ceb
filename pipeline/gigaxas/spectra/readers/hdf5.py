"""HDF5 files of spectra: araucaria's databases, Larch's groups, and NeXus entries (NXxas, NXdata)."""

import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import h5py
import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.readers.energies import in_unit
from gigaxas.spectra.readers.measurement import (
    FLUORESCENCE_NAMES,
    I0_NAMES,
    MU_NAMES,
    TRANSMITTED_NAMES,
    absorbance,
    mu_of,
    ratio,
)
from gigaxas.spectra.spectrum import Spectrum

SIGNALS = ("mu", "fluo", *MU_NAMES[1:])
"""Arrays that hold an absorbance, the first first: araucaria calls that of fluorescence fluo."""
COUNTS = (*I0_NAMES, *TRANSMITTED_NAMES, *FLUORESCENCE_NAMES)
"""Arrays that an absorbance is made of."""
OF_A_FOIL = "mu_ref"
"""The absorbance of a reference foil, which a group of its own holds alone."""
WITHOUT_SPECTRUM = re.compile(r"NX(?!data$|entry$|root$|collection$|subentry$)")
"""NeXus classes of groups whose energies belong to no spectrum, as those of a monochromator."""
GENERIC = re.compile(r"(nx)?(entry|data|measurement|root|scan)[_\d]*", re.IGNORECASE)
"""Names of groups that say nothing of what was measured."""
MAX_SAMPLES = 1_000_000
"""Samples that a spectrum may claim."""
MAX_GROUPS = 10_000
"""Groups that a file may hold."""
NAMED = 6
"""Arrays that a message names."""


def read_hdf5(path: Path) -> list[Spectrum | InputError]:
    """Read every group that holds energies and a spectrum; a bad group becomes its error.

    A spectrum is an absorbance (mu, fluo, mu_ref, mutrans, norm, ...), i0 with itrans or ifluor, or the
    signal of an NXdata group whose axis is the energy. Energies are in the unit that they name, or eV, and
    are as calibrated: araucaria's `e_offset` is not applied again. InputError: a file that is not HDF5 or
    holds no such group.
    """
    try:
        with h5py.File(path, "r") as file:
            groups = [group for group in _groups(file, path) if _axis_of(group) is not None]
            found = [_read_group(group, path) for group in groups]
            if not found:
                raise InputError(
                    f"{path}: no group holds energies and mu, but {_contents(file)}; expected araucaria's, "
                    "Larch's or NeXus' layout, or a text table"
                )
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cannot be read as HDF5 ({error}); expected a whole file") from error
    return found


def _groups(file: h5py.File, path: Path) -> Iterator[h5py.Group]:
    """Yield a file's groups by their paths, each once; what is linked from elsewhere is left alone."""
    seen: set[object] = set()
    waiting: deque[h5py.Group] = deque([file["/"]])
    while waiting:
        group = waiting.popleft()
        if group.id in seen:
            continue
        seen.add(group.id)
        if len(seen) > MAX_GROUPS:
            raise InputError(f"{path}: holds more than {MAX_GROUPS:,} groups; expected a file of spectra")
        yield group
        inside = (group.get(name) for name in sorted(group, reverse=True) if _is_own(group, name))
        waiting.extendleft(item for item in inside if isinstance(item, h5py.Group))


def _is_own(group: h5py.Group, name: str) -> bool:
    return isinstance(group.get(name, getlink=True), h5py.HardLink)


def _axis_of(group: h5py.Group) -> str | None:
    """Return the name of a group's energies, where there is a spectrum to be expected beside them."""
    if WITHOUT_SPECTRUM.match(_text(group.attrs.get("NX_class", ""))):
        return None
    axes = group.attrs.get("axes", "")
    for name in ("energy", _text(axes)):
        if "energy" not in name.lower() or group.get(name, getlink=True) is None:
            continue
        array = _array(group, name)
        if array is None or array.ndim:
            return name
    return None


def _read_group(group: h5py.Group, path: Path) -> Spectrum | InputError:
    where = f"{path}: group {group.name.lstrip('/')!r}"
    axis = _axis_of(group) or "energy"
    try:
        energy, unit = in_unit(_vector(group, axis), _text(group[axis].attrs.get("units", "")), where)
        return Spectrum(_name(group, path), energy, _mu(group, path), unit=unit)
    except InputError as error:
        text = str(error)
        return error if text.startswith(str(path)) else InputError(f"{where}: {text}")


def _mu(group: h5py.Group, path: Path) -> FloatArray:
    told = _text(group.attrs.get("signal", ""))
    signals = (told, *SIGNALS, OF_A_FOIL) if told not in (*COUNTS, "absorbed_beam") else (*SIGNALS, OF_A_FOIL)
    held = [name for name in signals if name and name in group]
    if held:
        return _vector(group, held[0])
    if "absorbed_beam" in group:
        return _over_incoming(group)
    labels = [name for name in COUNTS if name in group]
    if not labels:
        raise InputError(f"holds no mu; expected one of {', '.join((*SIGNALS, OF_A_FOIL))}")
    columns = [_vector(group, name) for name in labels]
    if len({values.size for values in columns}) > 1:
        raise InputError(f"holds {', '.join(labels)} of different lengths; expected one value an energy")
    return mu_of((labels, np.column_stack(columns)), path)


def _over_incoming(group: h5py.Group) -> FloatArray:
    """Return the absorbance (n,) of an NXxas entry: what was detected against what came in."""
    entry = group.parent
    beams = (entry.get(place) for place in ("instrument/incoming_beam", "incoming_beam"))
    beam = next((each for each in beams if isinstance(each, h5py.Group)), None)
    mode = (_stored_text(group, "mode") or _stored_text(entry, "mode")).lower()
    if beam is None or not mode:
        raise InputError("holds an absorbed_beam without incoming_beam or mode; expected both")
    incoming, detected = _vector(beam, "data"), _vector(group, "absorbed_beam")
    if incoming.shape != detected.shape:
        raise InputError(
            "holds an absorbed_beam and an incoming_beam of different lengths; expected the same"
        )
    return absorbance(incoming, detected) if "transmission" in mode else ratio(detected, incoming)


def _name(group: h5py.Group, path: Path) -> str:
    """Return the name of a spectrum: of its sample, its entry or its group, or else of the file."""
    for place in (group, group.parent):
        told = _stored_text(place, "sample/name") or _stored_text(place, "title")
        own = PurePosixPath(place.name).name
        if told or (own and not GENERIC.fullmatch(own)):
            return told or own
    return path.stem


def _vector(group: h5py.Group, key: str) -> FloatArray:
    data = _array(group, key)
    if data is None or data.ndim != 1 or data.dtype.kind not in "iuf":
        raise InputError(f"{key} is no vector of numbers; expected one value an energy")
    if data.external or data.is_virtual:
        raise InputError(f"{key} is kept in another file; expected its values in this one")
    if data.size > MAX_SAMPLES:
        raise InputError(f"{key} claims {data.size} samples; expected at most {MAX_SAMPLES}")
    return np.asarray(data[...], dtype=np.float64)


def _array(group: h5py.Group, key: str) -> h5py.Dataset | None:
    """Return an array of this file; None where there is none, or a link that leads out of it."""
    link = group.get(key, getlink=True)
    if link is None or isinstance(link, h5py.ExternalLink):
        return None
    data = group.get(key)
    inside = isinstance(data, h5py.Dataset) and data.file.filename == group.file.filename
    return data if inside else None


def _stored_text(group: h5py.Group, key: str) -> str:
    item = _array(group, key)
    return "" if item is None or item.shape != () else " ".join(_text(item[()]).split())


def _text(value: object) -> str:
    """Return an attribute or a stored text as text, whatever HDF5 keeps it as."""
    if isinstance(value, np.ndarray):
        value = value.ravel()[0] if value.size else ""
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def _contents(file: h5py.File) -> str:
    """Return in words the first arrays of a file."""
    arrays: list[str] = []

    def note(name: str, item: object) -> bool | None:
        if isinstance(item, h5py.Dataset):
            arrays.append(f"{name} {item.shape}")
        return True if len(arrays) > NAMED else None

    file.visititems(note)
    more = ", ..." if len(arrays) > NAMED else ""
    return ", ".join(arrays[:NAMED]) + more if arrays else "no arrays"

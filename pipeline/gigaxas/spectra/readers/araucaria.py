"""HDF5 databases of spectra as araucaria writes them: one group a spectrum, with energy and mu."""

from pathlib import Path

import h5py
import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.spectrum import Spectrum

SIGNALS = ("mu", "fluo", "mu_ref")
"""Arrays that hold the absorbance, the first first; a reference foil's group holds mu_ref alone."""
MAX_SAMPLES = 1_000_000
"""Samples that a spectrum may claim."""


def read_hdf5(path: Path) -> list[Spectrum | InputError]:
    """Read every group that holds `energy` and `mu` (or `fluo`, or `mu_ref`); a bad group becomes its error.

    Energies are stored as calibrated, so `e_offset` is not applied again. InputError: a file that is not HDF5
    or holds no such group.
    """
    try:
        with h5py.File(path, "r") as file:
            found = [_read_group(file, name, path) for name in sorted(file) if _holds_energy(file, name)]
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: cannot be read as HDF5 ({error}); expected a whole file") from error
    if not found:
        raise InputError(f"{path}: no group holds energy and mu; expected one group a spectrum")
    return found


def _holds_energy(file: h5py.File, name: str) -> bool:
    # A link to another file or a path outside this one is not followed.
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        return False
    group = file.get(name)
    return isinstance(group, h5py.Group) and "energy" in group


def _read_group(file: h5py.File, name: str, path: Path) -> Spectrum | InputError:
    group = file[name]
    signal = next((key for key in SIGNALS if key in group), None)
    if signal is None:
        return InputError(f"{path}: group {name!r} holds no mu; expected one of {', '.join(SIGNALS)}")
    try:
        return Spectrum(name, _vector(group, "energy"), _vector(group, signal))
    except InputError as error:
        return InputError(f"{path}: group {name!r}: {error}")


def _vector(group: h5py.Group, key: str) -> FloatArray:
    data = group[key] if isinstance(group.get(key, getlink=True), h5py.HardLink) else None
    if not isinstance(data, h5py.Dataset) or data.ndim != 1 or data.dtype.kind not in "iuf":
        raise InputError(f"{key} is no vector of numbers; expected one value an energy")
    if data.external or data.is_virtual:
        raise InputError(f"{key} is kept in another file; expected its values in this one")
    if data.size > MAX_SAMPLES:
        raise InputError(f"{key} claims {data.size} samples; expected at most {MAX_SAMPLES}")
    return np.asarray(data[...], dtype=np.float64)

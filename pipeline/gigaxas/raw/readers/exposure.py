"""How long frames were exposed, so that counts of unlike exposures can be compared."""

from pathlib import Path

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.config.schema import Exposures, Seconds
from gigaxas.errors import InputError
from gigaxas.locations import INSIDE
from gigaxas.raw.readers.files import split_source
from gigaxas.raw.readers.numbers import first_column, stored_numbers
from gigaxas.units import seconds_per


def exposure_ratio(given: Exposures | None, name: str, energy: FloatArray) -> FloatArray | None:
    """Return the exposure of the sample over that of the open beam at every energy (E,); None: equal.

    Raises InputError (about the key `name`): a number of exposures other than one or E, or none above 0.
    """
    if given is None:
        return None
    sample = _seconds(given.sample, f"{name}.sample", energy)
    return sample / _seconds(given.i0, f"{name}.i0", energy)


def _seconds(given: Seconds, name: str, energy: FloatArray) -> FloatArray:
    values = np.atleast_1d(
        _read(given, name) if isinstance(given, str) else np.array(given, dtype=np.float64)
    )
    if values.shape not in ((1,), energy.shape):
        raise InputError(
            f"{name}: found {values.size} exposures, the images have {len(energy)} energies; expected one "
            "exposure, or one for every energy"
        )
    wrong = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
    if wrong.size:
        raise InputError(f"{name}: exposure {wrong[0] + 1} is {values[wrong[0]]:g}; expected seconds above 0")
    return np.broadcast_to(values, energy.shape)


def _read(source: str, name: str) -> FloatArray:
    if INSIDE in source:
        path, inner = split_source(source)
        values, unit = stored_numbers(Path(path), inner)
        try:
            return values.reshape(-1) * (seconds_per(unit) if unit else 1.0)
        except InputError as error:
            raise InputError(f"{name}: {source}: {error}") from None
    return first_column(Path(source), name)[0]

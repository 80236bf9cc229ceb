"""What a measurement has reached: the error of pairs at the noise found, and the exposure still needed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.planning.exposure import Planned, exposure_needed, pair_error, pair_terms
from gigaxas.planning.measurement import ALIKE
from gigaxas.spectra.noise import Noise, smooth_share


@dataclass(frozen=True)
class PairReached:
    """How well two spectra are told apart by what has been measured."""

    names: tuple[str, str]
    """Of the two."""
    error: float
    """s_error ([I] Eq. 1) at the noise found."""
    exposure: float
    """The exposure at which the error is the one asked for, as a multiple of that of the measurement."""


def pairs_reached(
    spectra: FloatArray, noise: Noise, pairs: Sequence[tuple[str, str]], names: Sequence[str], error: float
) -> tuple[PairReached, ...]:
    """Return what pairs (names of two rows) of spectra (n, E) have reached, in the unit of the noise.

    `noise` is that found in the measurement; its variance falls as the exposure grows. InputError: names that
    are not there, a pair of one spectrum, pairs that no exposure tells apart.
    """
    unknown = sorted({name for pair in pairs for name in pair if name not in names})
    if unknown:
        raise InputError(
            f"watch.stop.pairs: found no reference named {', '.join(unknown)}; the names are "
            f"{', '.join(names)}"
        )
    numbers = np.array([[list(names).index(name) for name in pair] for pair in pairs], dtype=np.int64)
    variance = noise.sigma(spectra) ** 2 * smooth_share(noise.energy)
    terms = pair_terms(Planned(spectra, variance, np.zeros_like(variance), 0.0), numbers)
    alike = [pair for pair, half in zip(pairs, terms.half, strict=True) if half <= ALIKE]
    if alike:
        told = "; ".join(" and ".join(pair) for pair in alike)
        raise InputError(
            f"watch.stop.pairs: no exposure can tell apart {told}: their spectra are the same but for gain "
            "and offset; leave the pair out"
        )
    found = zip(pairs, pair_error(terms), exposure_needed(terms, error), strict=True)
    return tuple(PairReached(pair, float(now), float(needed)) for pair, now, needed in found)

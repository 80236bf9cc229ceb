"""What the samples of an image are: normalised or plain absorbance, an intensity, counts (MEASURED 1)."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from gigaxas.arrays import BoolArray, FloatArray
from gigaxas.errors import InputError

Quantity = Literal["normalised", "absorbance", "intensity"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
NEAR = 0.05
"""How near to 0 before the edge and to 1 after it a normalised spectrum is."""
THICKEST = 20.0
"""Absorbance that no measurement reaches."""
LEAST_FALL = 0.05
"""Share of the signal by which transmission counts fall at the edge at least."""
LEAST_NEGATIVE = 0.05
"""Share of the largest mean signal below zero that no noise explains in an intensity."""


@dataclass(frozen=True)
class Looks:
    """What a sample of pixels looks like."""

    whole: bool
    """Whether all samples are whole numbers."""
    largest: float
    """The largest sample."""
    negative: bool
    """Whether there are samples below zero."""
    deepest: float
    """The lowest mean over the pixels at any energy, as a share of the largest; negative below zero."""
    before: float | None
    """Median level before the edge of the pixels that have most of it; None without an edge."""
    after: float | None
    """Their median level after the edge; None without an edge."""


def look(spectra: FloatArray, before: BoolArray | None, after: BoolArray | None) -> Looks:
    """Look at the spectra (n, E) of some pixels; the masks (E,) are the energies on both sides of the edge.

    Raises InputError where no pixel has a whole spectrum.
    """
    spectra = spectra[np.isfinite(spectra).all(axis=1)]
    if not spectra.size:
        raise InputError("found no pixel without an invalid sample; look at the cube")
    mean = spectra.mean(axis=0)
    low = high = None
    if before is not None and after is not None:
        levels = spectra[:, before].mean(axis=1), spectra[:, after].mean(axis=1)
        change = np.abs(levels[1] - levels[0])
        most = change >= np.quantile(change, 0.75)
        low, high = (float(np.median(level[most])) for level in levels)
    return Looks(
        whole=bool(np.all(spectra == np.rint(spectra))),
        largest=float(spectra.max()),
        negative=bool(spectra.min() < 0),
        deepest=float(mean.min() / max(np.abs(mean).max(), 1e-300)),
        before=low,
        after=high,
    )


def guess_quantity(found: Looks, camera: bool = False) -> Quantity:
    """Return what samples of these looks are most safely taken for.

    Where a `camera` tells the noise they are absorbance, normalised if nothing speaks against it. Raises
    InputError for what looks like transmission counts, which need I0 before they mean anything.
    """
    if _falls(found):
        raise InputError(
            f"the signal falls at the edge, from {found.before:.4g} to {found.after:.4g}, as transmission "
            "counts do; set quantity: counts and i0 (in ingest), or quantity: intensity if it is one"
        )
    if _is_normalised(found):
        return "normalised"
    if camera:
        return "absorbance" if _has_edge(found) and not found.whole else "normalised"
    counted = found.whole and not found.negative
    return "intensity" if counted or not _has_edge(found) else "absorbance"


def check_quantity(claim: Quantity, found: Looks, guessed: bool = False) -> None:
    """Raise InputError where the data contradict what they are said to hold, or what was `guessed`."""
    said = f"quantity: {claim}, but the samples"
    if claim != "intensity" and found.whole and found.largest > THICKEST:
        raise InputError(
            f"{said} are whole numbers up to {found.largest:g}; expected absorbance; set quantity: counts "
            "with i0 for a transmission measurement, quantity: intensity for any other signal"
        )
    if guessed:
        return
    if claim == "normalised" and not found.negative and not _has_edge(found):
        raise InputError(
            f"{said} are never negative and do not rise from 0 to 1 at an edge; set quantity: absorbance or "
            "quantity: intensity, or name the edge"
        )
    if claim == "intensity" and found.deepest < -LEAST_NEGATIVE:
        raise InputError(
            f"{said} fall below zero, to {found.deepest:.0%} of the largest mean signal; an intensity does "
            "not; set quantity: absorbance"
        )


def _falls(found: Looks) -> bool:
    if found.negative or found.before is None or found.after is None:
        return False
    return found.after < (1.0 - LEAST_FALL) * found.before


def _is_normalised(found: Looks) -> bool:
    return (
        found.before is not None
        and found.after is not None
        and abs(found.before) <= NEAR
        and abs(found.after - 1.0) <= NEAR
    )


def _has_edge(found: Looks) -> bool:
    return found.before is not None and found.after is not None and found.after > found.before

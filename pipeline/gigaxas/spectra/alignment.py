"""The shift of energy by which reference spectra, moved together, agree best with an image's spectra."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
from scipy.interpolate import PchipInterpolator

from gigaxas.arrays import BoolArray, FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.spectrum import MIN_SAMPLES, Spectrum

FARTHEST = 5.0
"""eV by which references are moved at most."""
COARSE = 0.25
"""eV between the shifts tried first: a twentieth of an edge's width, so that no minimum is stepped over."""
FINE = 0.05
"""eV between the shifts tried around the best of these, before a parabola."""
NOTABLE = 0.1
"""eV up to which a shift is left to the calibration of beamlines."""
ALIKE = 1e-9
"""1 - r^2 of two references below which a pair says no more than one of them."""


@dataclass(frozen=True)
class Shift:
    """What is to be added to the energies of references, so that they agree with an image."""

    ev: float
    """The shift in eV: `align: apply` moves the references by it, towards higher energies where positive."""
    error: float
    """Its standard deviation in eV, from the curvature of chi-square and from how far spectra disagree."""
    unmoved: float
    """Mean correlation of the image's spectra with what explains them best, references as they are; spectra
    count as they do in chi-square."""
    moved: float
    """The same, references moved."""
    at_limit: bool
    """Whether it lies at an end of the interval of 5 eV to either side: the true one may lie beyond."""

    @property
    def gain(self) -> float:
        """By how much the mean correlation rises."""
        return self.moved - self.unmoved

    @property
    def is_notable(self) -> bool:
        """Whether it is larger than its uncertainty and 0.1 eV, or at the end of its interval."""
        return self.at_limit or abs(self.ev) > max(self.error, NOTABLE)


def estimate_shift(
    energy: FloatArray, spectra: FloatArray, sigma: FloatArray | float, references: Sequence[Spectrum]
) -> Shift:
    """Return the shift at which references explain the spectra (n, E) on energies (E,) in eV best.

    Each spectrum is explained by its best reference or pair of references, scale and offset free, no share
    negative; `sigma`, a number or (n, E), is the noise of a sample. chi-square is held against the larger of
    the noise and the misfit that remains, and grows as its logarithm: what no reference explains counts
    little. References are interpolated between their own samples; only energies that all of them have at
    every shift are compared. Raises InputError where these are fewer than 8, the noise is not positive, or
    the image or the references are constant over them.
    """
    inside = _shared(energy, references)
    grid = energy[inside]
    noise = np.broadcast_to(np.asarray(sigma, dtype=np.float64), spectra.shape)[:, inside]
    if not (noise > 0).all():
        raise InputError("references.align: found a noise that is not above 0; expected that of every sample")
    weight = 1.0 / np.mean(noise**2, axis=0)
    image = _centred(spectra[:, inside], weight)
    power = np.einsum("ne,ne->n", image, image)
    if not (power > 0).all():
        raise InputError("references.align: a spectrum of the image is constant; expected those of phases")
    scale = np.mean(noise**2 * weight, axis=1)
    curves = [PchipInterpolator(item.energy, item.mu) for item in references]

    def explained(shift: float) -> FloatArray:
        moved = np.array([curve(grid - shift) for curve in curves])
        return _explained(image, _centred(moved, weight))

    def misfit(shift: float) -> FloatArray:
        return np.maximum(power - explained(shift), 0.0) / scale

    return _minimum(misfit, explained, power, grid.size)


def shifts_by_source(
    energy: FloatArray, spectra: FloatArray, sigma: FloatArray | float, references: Sequence[Spectrum]
) -> dict[str, Shift]:
    """Return the shift of each source of references by itself; arguments and errors as `estimate_shift`.

    A source is a file, or a folder with all below it, in the folder of the references.
    """
    sources: dict[str, list[Spectrum]] = {}
    for item in references:
        sources.setdefault(PurePosixPath(item.source or item.name).parts[0], []).append(item)
    return {name: estimate_shift(energy, spectra, sigma, items) for name, items in sources.items()}


def _shared(energy: FloatArray, references: Sequence[Spectrum]) -> BoolArray:
    """Return which energies (E,) every reference has, wherever it is moved."""
    if not references:
        raise InputError("references: found none, and a shift of energy is measured against them; give some")
    low = max(item.energy[0] for item in references) + FARTHEST
    high = min(item.energy[-1] for item in references) - FARTHEST
    inside = (energy >= low) & (energy <= high)
    if inside.sum() < MIN_SAMPLES:
        raise InputError(
            f"references.align: {int(inside.sum())} energies of the image lie from {low:g} to {high:g} eV, "
            f"where every reference has values when moved by up to {FARTHEST:g} eV; expected at least "
            f"{MIN_SAMPLES}; leave out short references, or set references.align: off"
        )
    return inside


def _centred(values: FloatArray, weight: FloatArray) -> FloatArray:
    """Return spectra (n, E) less their weighted mean, times the root of the weights (E,)."""
    mean = values @ weight / weight.sum()
    return (values - mean[:, None]) * np.sqrt(weight)


def _explained(image: FloatArray, library: FloatArray) -> FloatArray:
    """Return the sum of squares (n,) of each spectrum that its best entry, or pair of entries, explains."""
    length = np.sqrt(np.einsum("me,me->m", library, library))
    varying = length > 0
    if not varying.any():
        raise InputError("references: all are constant over the energies of the image; expected an edge")
    unit = library[varying] / length[varying, None]
    along, alike = image @ unit.T, unit @ unit.T
    single = np.maximum(along, 0.0).max(axis=1) ** 2
    rest = 1.0 - alike**2
    usable = rest > ALIKE
    safe = np.where(usable, rest, 1.0)
    best = single
    for i in range(len(unit)):
        first = along[:, i, None] - alike[i] * along
        second = along - alike[i] * along[:, i, None]
        pair = (along[:, i, None] * first + along * second) / safe[i]
        best = np.maximum(best, np.where((first > 0) & (second > 0) & usable[i], pair, 0.0).max(axis=1))
    return best


def _minimum(
    misfit: Callable[[float], FloatArray],
    explained: Callable[[float], FloatArray],
    power: FloatArray,
    samples: int,
) -> Shift:
    tried = _tried(misfit, 0.0, FARTHEST, COARSE)
    coarse = _cost(tried.misfit, tried.misfit.min(axis=0), samples).sum(axis=1)
    near = _tried(misfit, float(tried.shift[coarse.argmin()]), COARSE + FINE, FINE)
    least = np.minimum(near.misfit.min(axis=0), tried.misfit.min(axis=0))
    found = _vertex(near.shift, _cost(near.misfit, least, samples))
    weight = 1.0 / np.maximum(least, samples)
    unmoved, moved = (
        float(np.average(np.sqrt(explained(shift) / power), weights=weight)) for shift in (0.0, found[0])
    )
    return Shift(*found, unmoved, moved, at_limit=abs(found[0]) > FARTHEST - FINE)


class _Tried(NamedTuple):
    """chi-square at some shifts."""

    shift: FloatArray
    """Shifts (s,) in eV."""
    misfit: FloatArray
    """chi-square (s, n) of every spectrum."""


def _tried(misfit: Callable[[float], FloatArray], middle: float, reach: float, step: float) -> _Tried:
    steps = round(reach / step)
    shifts = middle + step * np.arange(-steps, steps + 1)
    shifts = shifts[np.abs(shifts) < FARTHEST + step / 2]
    return _Tried(shifts, np.array([misfit(shift) for shift in shifts]))


def _vertex(shifts: FloatArray, cost: FloatArray) -> tuple[float, float]:
    """Return the vertex, and its error, of the parabola through the least of the summed costs (s, n)."""
    total = cost.sum(axis=1)
    at = int(np.clip(total.argmin(), 1, len(total) - 2))
    slope = (cost[at + 1] - cost[at - 1]) / (2 * FINE)
    curvature = float(total[at + 1] - 2 * total[at] + total[at - 1]) / FINE**2
    if curvature <= 0:
        return float(shifts[total.argmin()]), np.inf
    vertex = shifts[at] - np.clip(slope.sum() / curvature, -FINE, FINE)
    spread = float(np.sqrt(np.sum((slope - slope.mean()) ** 2))) / curvature
    error = max(float(np.sqrt(2.0 / curvature)), spread)
    return float(np.clip(vertex, -FARTHEST, FARTHEST)), error


def _cost(misfit: FloatArray, least: FloatArray, samples: int) -> FloatArray:
    """Return what chi-square (s, n) costs above its least (n,), held against the noise or a larger misfit."""
    return samples * np.log1p((misfit - least) / np.maximum(least, samples))

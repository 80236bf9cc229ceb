"""Calibration of a camera: A and B of its variance A N - B from repeated frames of one field (METHOD 1).

Read noise makes B negative, A N - B = A N + read^2; it is positive where the counts carry an offset.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, chdtri

from gigaxas.arrays import BoolArray, FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.repeated import Scatter, brightness_groups, measure_scatter

MOST_LEVELS = 64
FREEDOM_A_LEVEL = 200
"""Degrees of freedom from which a level's variance is known to a tenth and its error is normal."""
FEWEST_LEVELS = 3
LEAST_SPREAD = 3.0
"""Spread of the mean counts, in their own noise, below which levels are an accident of that noise."""
CLIP_DISTANCE = 4.0
"""Standard deviations from where counts are cut off that leave a variance as it is, to 1e-4."""
OUTLIER = 1e-8
"""Probability of a pixel's scatter below which it is a hot pixel or a cosmic ray."""
MISFIT_PROBABILITY = 1e-3
"""Tail probability of chi-square below which a misfit is no accident."""
LARGEST_DEVIATION = 0.1
"""Deviation of the variance from the line, as a share, up to which a calibration describes its frames."""
_REWEIGHTINGS = 20


@dataclass(frozen=True, eq=False)
class Levels:
    """Variances of counts at n levels of brightness."""

    mean: FloatArray
    """Mean counts (n,)."""
    variance: FloatArray
    """Variances (n,) of a count, in counts squared."""
    freedom: FloatArray
    """Degrees of freedom (n,) that each variance was estimated with."""


@dataclass(frozen=True)
class Calibration:
    """Camera constants of sigma(N) = sqrt(A N - B), and how well they describe what they were fitted to."""

    a: float
    """A, in counts."""
    b: float
    """B, in counts squared; negative for read noise."""
    a_error: float
    """Standard error of A, enlarged by the root of a misfit above 1."""
    b_error: float
    """Standard error of B, likewise."""
    misfit: float
    """Chi-square of the levels about the line, per degree of freedom."""
    deviation: float
    """Root mean square deviation of the variance from the line beyond its sampling error, as a share."""
    describes: bool
    """False where the misfit is significant and the deviation large: then A and B are not the camera's."""


def calibrate(levels: Levels) -> Calibration:
    """Fit variance = a N - b to count levels, and judge the fit by the sampling errors of the variances.

    Raises InputError for fewer than three levels or a line that does not rise.
    """
    _check_levels(levels)
    line = _fit_line(levels)
    away = (levels.variance - line.slope * levels.mean - line.offset) / line.expected
    square, freedom = float(np.sum(away**2 * levels.freedom / 2.0)), levels.mean.size - 2
    misfit = square / freedom
    deviation = max(float(np.mean(away**2 - 2.0 / levels.freedom)), 0.0) ** 0.5
    a_error, b_error = np.sqrt(np.diag(line.covariance) * max(misfit, 1.0)).tolist()
    describes = chdtrc(freedom, square) >= MISFIT_PROBABILITY or deviation <= LARGEST_DEVIATION
    return Calibration(line.slope, -line.offset, a_error, b_error, misfit, deviation, bool(describes))


def calibrate_frames(frames: Iterable[NDArray[Any]]) -> Calibration:
    """Fit the camera's constants to two or more frames (h, w) of one unchanged field of varied brightness.

    The beam may change between frames, as a whole and slowly over the field. The frames are gone through
    twice, one at a time. Raises InputError for what `measure_scatter`, `group_levels` and `calibrate` refuse.
    """
    return calibrate(group_levels(measure_scatter(frames)))


def group_levels(scatter: Scatter) -> Levels:
    """Average the scatter of pixels of nearly equal mean count.

    Left out are pixels so near to where counts are cut off that their noise is, and single pixels that
    scatter like no other of their level. Raises InputError where the pixels are of one brightness.
    """
    mean, squares, freedom = scatter.mean, scatter.squares, scatter.freedom
    most = int(np.clip(freedom.sum() // FREEDOM_A_LEVEL, FEWEST_LEVELS, MOST_LEVELS))
    group = brightness_groups(mean, most)
    used = np.ones(mean.size, dtype=np.bool_)
    while True:
        variance = _total(used * squares, group) / np.maximum(_total(used * freedom, group), 1e-300)
        regular = used & _regular(mean, squares / freedom, variance[group], scatter)
        if np.array_equal(regular, used):
            break
        used = regular
    _check_spread(mean[used], squares[used], freedom[used], scatter.frames)
    total = _total(used * freedom, group)
    left = total > 0
    averages = [_total(used * sums, group)[left] / total[left] for sums in (freedom * mean, squares)]
    return Levels(averages[0], averages[1], total[left])


class _Line(NamedTuple):
    """A line through levels: its covariance (2, 2) by their sampling errors, and its variances (n,)."""

    slope: float
    offset: float
    covariance: FloatArray
    expected: FloatArray


def _fit_line(levels: Levels) -> _Line:
    """Fit the variances of levels by least squares, each weighted by its own sampling error.

    That error is proportional to the variance the fit gives there: weights from the measured variance would
    pull the line down.
    """
    mean, variance, relative = levels.mean, levels.variance, np.sqrt(2.0 / levels.freedom)
    expected = np.full_like(mean, variance.mean())
    for _ in range(_REWEIGHTINGS):
        (slope, offset), covariance = np.polyfit(
            mean, variance, 1, w=1.0 / (expected * relative), cov="unscaled"
        )
        level = slope * mean + offset
        if slope <= 0 or np.max(level) <= 0:
            raise InputError(
                f"calibration: the variance falls with the count (a = {slope:.4g}); these are not repeated "
                "frames of one field at several count levels"
            )
        # a level near B / A has next to no variance by the fit; it must not get all the weight
        expected = np.maximum(level, 1e-3 * np.max(level))
    return _Line(float(slope), float(offset), np.asarray(covariance, dtype=np.float64), expected)


def _regular(mean: FloatArray, own: FloatArray, variance: FloatArray, scatter: Scatter) -> BoolArray:
    """Return which pixels (n,), of variance `own` in a level of `variance`, tell of the camera."""
    distance = CLIP_DISTANCE * np.sqrt(variance)
    inside = (mean - distance > scatter.floor) & (mean + distance < scatter.ceiling)
    freedom = scatter.frames - 1
    return np.asarray(inside & (own <= variance * chdtri(freedom, OUTLIER) / freedom))


def _total(values: FloatArray, group: NDArray[np.intp]) -> FloatArray:
    return np.asarray(np.bincount(group, values), dtype=np.float64)


def _check_spread(mean: FloatArray, squares: FloatArray, freedom: FloatArray, frames: int) -> None:
    """Raise InputError where mean counts (n,) spread hardly wider than noise makes the mean of the frames."""
    if not mean.size:
        raise InputError(
            "calibration: every pixel is within its noise of where counts are cut off; take frames with "
            "longer or shorter exposures"
        )
    spread, noise = float(np.std(mean)), float(np.sqrt(squares.sum() / freedom.sum() / frames))
    if spread <= LEAST_SPREAD * noise:
        raise InputError(
            f"calibration: the mean counts of the pixels are {mean.mean():.4g} +- {spread:.2g}, of which "
            f"noise makes {noise:.2g}: too few levels of brightness; take frames with dark and bright parts"
        )


def _check_levels(levels: Levels) -> None:
    columns = (levels.mean, levels.variance, levels.freedom)
    if len({column.shape for column in columns}) > 1:
        shapes = ", ".join(str(column.size) for column in columns)
        raise InputError(f"calibration: {shapes} means, variances and degrees of freedom; expected as many")
    if not all(np.all(np.isfinite(column)) for column in columns) or np.min(levels.freedom, initial=1) <= 0:
        raise InputError("calibration: a mean count, variance or degree of freedom is none; leave it out")
    if np.unique(levels.mean).size < FEWEST_LEVELS or not np.any(levels.variance > 0):
        raise InputError(
            f"calibration: {np.unique(levels.mean).size} count levels with noise, at least {FEWEST_LEVELS} "
            "needed: take frames with dark and bright parts"
        )

"""Pre-edge and post-edge lines, the edge's position and its step."""

from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.spectrum import EnergyRange, Spectrum, described, in_order

PRE_EDGE = (7009.0, 7095.0)
"""eV, Fe K: below the pre-edge peak."""
POST_EDGE = (7170.0, 7321.2)
"""eV, Fe K: past the white line, to the end of the paper's grid."""
SLOPE_WINDOW = 0.6
"""eV to either side: half the Fe K core-hole width, so that noise makes no edge."""
MIN_POINTS = 3
"""Energies that a range holds at least."""
STEP_OVER_NOISE = 5.0
"""An edge step below this many rms of the pre-edge about its line is no edge."""
AS_NORMALISED = 0.05
"""How far the means before and after the edge of a normalised spectrum may be from 0 and 1."""
ROUNDING = 1e-12
"""Share of the largest absorbance below which a difference is rounding."""

Method = Literal["lines", "step", "constants"]
"""A line before the edge, and division by the post-edge line or by the edge step; or a constant before the
edge, and division by the step from it to the mean after the edge."""


class Line(NamedTuple):
    """A straight line over energy."""

    value: float
    """Absorbance at the centre."""
    slope: float
    """Absorbance a eV."""
    centre: float
    """Energy in eV at which `value` is taken: the mean of the range that was fitted."""

    def at(self, energy: FloatArray) -> FloatArray:
        """Return the absorbance (n,) of the line at energies (n,) in eV."""
        return self.value + self.slope * (energy - self.centre)


def normalise(
    spectrum: Spectrum,
    pre_edge: EnergyRange,
    post_edge: EnergyRange,
    e0: float | None = None,
    method: Method = "lines",
) -> Spectrum:
    """Return the spectrum less its pre-edge line, divided by its post-edge line (METHOD 1), near 0 to near 1.

    `method` "step" divides by the edge step at E0 instead, "constants" has lines without slope. The ranges
    are (low, high) in eV. Lines are fitted uniformly in energy, so that a densely sampled foot of
    the edge weighs no more than its width; outside low of the pre-edge to high of the post-edge they are held
    at their end values. InputError: ranges out of order or with fewer than 3 energies, E0 outside them, a
    flat spectrum, a zero or negative edge step, or a post-edge line that reaches zero.
    """
    spectrum = in_order(spectrum)
    pre, post, step = _lines(spectrum, pre_edge, post_edge, e0, method)
    energy = np.clip(spectrum.energy, pre_edge[0], post_edge[1])
    scale = post.at(energy) if method == "lines" else np.full(energy.shape, step)
    if scale.min() <= 0:
        raise InputError(
            f"{described(spectrum)}: the post-edge line falls to {scale.min():.3g} within the spectrum; "
            "expected it above zero; move the post-edge range or look for a sloping background"
        )
    return replace(spectrum, mu=(spectrum.mu - pre.at(energy)) / scale)


def edge_step(
    spectrum: Spectrum,
    pre_edge: EnergyRange,
    post_edge: EnergyRange,
    e0: float | None = None,
    method: Method = "lines",
) -> float:
    """Return the height of the post-edge line over the pre-edge line at E0, in mu; errors as `normalise`."""
    return _lines(in_order(spectrum), pre_edge, post_edge, e0, method)[2]


def is_normalised(spectrum: Spectrum, pre_edge: EnergyRange, post_edge: EnergyRange) -> bool:
    """Return whether mu is within 0.05 of 0 in the mean before the edge, and of 1 in the mean after it."""
    before, after = (_mean(in_order(spectrum), span) for span in (pre_edge, post_edge))
    return abs(before) <= AS_NORMALISED and abs(after - 1.0) <= AS_NORMALISED


def check_ranges(pre_edge: EnergyRange, post_edge: EnergyRange) -> None:
    """Raise InputError unless the ranges are four rising energies."""
    if not pre_edge[0] < pre_edge[1] < post_edge[0] < post_edge[1]:
        raise InputError(
            f"pre-edge {pre_edge} and post-edge {post_edge}; expected four rising energies in eV"
        )


def find_e0(spectrum: Spectrum, within: EnergyRange) -> float:
    """Return the energy in eV of the steepest rise within a range, the usual measure of the edge's position.

    Slopes are those of lines fitted over 0.6 eV to either side, or to the neighbouring samples where they lie
    further apart. InputError: fewer than 3 energies in the range, or no rise in it.
    """
    energy, mu = spectrum.energy, spectrum.mu
    inside = np.flatnonzero((energy >= within[0]) & (energy <= within[1]))
    if inside.size < MIN_POINTS:
        raise InputError(
            f"{described(spectrum)}: {inside.size} energies from {within[0]:g} to {within[1]:g} eV, "
            f"where the edge is looked for; expected at least {MIN_POINTS}"
        )
    slopes = _slopes(energy, mu)[inside]
    best = int(np.argmax(slopes))
    if slopes[best] <= 0:
        raise InputError(
            f"{described(spectrum)}: mu does not rise from {within[0]:g} to {within[1]:g} eV; expected an "
            "absorption edge; check the columns (itrans is no absorbance) and the energy unit"
        )
    return float(energy[inside[best]])


def _slopes(energy: FloatArray, mu: FloatArray) -> FloatArray:
    n = energy.size
    low = np.minimum(
        np.searchsorted(energy, energy - SLOPE_WINDOW, side="left"), np.maximum(np.arange(n) - 1, 0)
    )
    high = np.maximum(
        np.searchsorted(energy, energy + SLOPE_WINDOW, side="right"), np.minimum(np.arange(n) + 2, n)
    )
    x, y = energy - energy.mean(), mu - mu.mean()

    def total(values: FloatArray) -> FloatArray:
        sums = np.concatenate([[0.0], np.cumsum(values)])
        return sums[high] - sums[low]

    count = high - low
    spread = total(x * x) - total(x) ** 2 / count
    return (total(x * y) - total(x) * total(y) / count) / spread


def _mean(spectrum: Spectrum, span: EnergyRange) -> float:
    inside = (spectrum.energy >= span[0]) & (spectrum.energy <= span[1])
    weight = np.gradient(spectrum.energy)[inside]
    return float(weight @ spectrum.mu[inside] / weight.sum()) if inside.any() else np.nan


def _lines(
    spectrum: Spectrum, pre_edge: EnergyRange, post_edge: EnergyRange, e0: float | None, method: Method
) -> tuple[Line, Line, float]:
    check_ranges(pre_edge, post_edge)
    span = float(np.ptp(spectrum.mu))
    if span <= ROUNDING * float(np.abs(spectrum.mu).max()):
        raise InputError(
            f"{described(spectrum)}: mu is the same at every energy; expected an absorption edge"
        )
    pre, noise = _fit(spectrum, pre_edge, "pre-edge")
    pre = pre._replace(slope=0.0) if method == "constants" else pre
    above = replace(spectrum, mu=spectrum.mu - pre.at(spectrum.energy))
    post, _ = _fit(above, post_edge, "post-edge")
    post = post._replace(slope=0.0) if method == "constants" else post
    edge = find_e0(spectrum, (pre_edge[1], post_edge[0])) if e0 is None else e0
    if not pre_edge[1] <= edge <= post_edge[0]:
        raise InputError(
            f"{described(spectrum)}: E0 = {edge:g} eV; expected it between the ranges, from "
            f"{pre_edge[1]:g} to {post_edge[0]:g} eV"
        )
    step = float(post.at(np.array([edge]))[0])
    if step < 0:
        raise InputError(
            f"{described(spectrum)}: the edge step is {step:.4g}, negative; expected mu to rise at the edge; "
            "check whether i0 and itrans are swapped"
        )
    if step <= max(STEP_OVER_NOISE * noise, ROUNDING * span):
        raise InputError(
            f"{described(spectrum)}: the edge step is {step:.3g} with {noise:.2g} rms about the pre-edge "
            "line; expected an edge well above its noise; leave this scan out or check the ranges"
        )
    return pre, post, step


def _fit(spectrum: Spectrum, span: EnergyRange, name: str) -> tuple[Line, float]:
    inside = (spectrum.energy >= span[0]) & (spectrum.energy <= span[1])
    if inside.sum() < MIN_POINTS:
        raise InputError(
            f"{described(spectrum)}: {int(inside.sum())} energies in the {name} range {span[0]:g} to "
            f"{span[1]:g} eV; expected at least {MIN_POINTS}; it was measured from "
            f"{spectrum.energy[0]:.1f} to {spectrum.energy[-1]:.1f} eV"
        )
    weight = np.gradient(spectrum.energy)[inside]
    weight = weight / weight.sum()
    energy, mu = spectrum.energy[inside], spectrum.mu[inside]
    centre, level = float(weight @ energy), float(weight @ mu)
    away = energy - centre
    slope = float((weight * away) @ (mu - level) / ((weight * away) @ away))
    rest = mu - level - slope * away
    return Line(level, slope, centre), float(np.sqrt(weight @ rest**2))

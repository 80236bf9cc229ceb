"""Pre- and post-edge of every pixel, and its spectrum brought to 0 before and 1 after the edge (METHOD 1)."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import BoolArray, Float32Array, FloatArray
from gigaxas.errors import InputError
from gigaxas.raw.absorbance import BLOCK, Absorbance
from gigaxas.spectra.noise import NoiseModel, absorbance_variance
from gigaxas.spectra.normalisation import Method
from gigaxas.spectra.spectrum import EnergyRange

LEAST_ENERGIES = 3
"""Energies that a line is fitted to at least."""


@dataclass(frozen=True, eq=False)
class Normaliser:
    """Weights that turn the spectrum (E,) of a pixel into its lines; everything is linear in the spectrum."""

    pre: FloatArray
    """Weights (2, E) of the pre-edge line's value at the centre of its range, and of its slope."""
    post: FloatArray
    """Weights (2, E) of the post-edge line's value at the centre of its range, and of its slope."""
    away_pre: FloatArray
    """Distances (E,) in eV from the centre of the pre-edge, constant outside the two ranges."""
    away_post: FloatArray
    """Distances (E,) in eV from the centre of the post-edge, constant outside the two ranges."""
    low: FloatArray
    """Weights (E,) of mu_low, the mean before the edge."""
    high: FloatArray
    """Weights (E,) of mu_high, the mean after the edge."""
    edge_pre: float
    """Distance in eV from the centre of the pre-edge to the edge."""
    edge_post: float
    """Distance in eV from the centre of the post-edge to the edge; negative."""
    constant: bool
    """Whether spectra are divided by the edge step instead of the post-edge line."""

    @property
    def step(self) -> FloatArray:
        """The weights (E,) of the edge step: the post-edge line less the pre-edge line, at the edge."""
        return self.post[0] + self.edge_post * self.post[1] - self.pre[0] - self.edge_pre * self.pre[1]


@dataclass(frozen=True)
class EdgeMaps:
    """Maps (h, w) of a block of pixels; NaN where a pixel is void."""

    mu_low: Float32Array
    """Mean absorbance before the edge."""
    mu_high: Float32Array
    """Mean absorbance after the edge."""
    edge_step: Float32Array
    """Post-edge line less pre-edge line, at the edge."""
    edge_step_noise: Float32Array
    """Standard deviation that the camera's noise gives the edge step."""


class Lines(NamedTuple):
    """Pre- and post-edge lines of pixels, each (n,)."""

    pre: Float32Array
    """Value at the centre of the pre-edge."""
    pre_slope: Float32Array
    """Slope of the pre-edge line, a eV."""
    post: Float32Array
    """Value, above the pre-edge line, at the centre of the post-edge."""
    post_slope: Float32Array
    """Slope of the post-edge line, above that of the pre-edge line, a eV."""


def make_normaliser(
    energy: FloatArray, pre_edge: EnergyRange, post_edge: EnergyRange, edge: float, method: Method
) -> Normaliser:
    """Prepare the normalisation on the energies (E,) in eV.

    `lines` subtracts the pre-edge line and divides by the post-edge line, `step` (Athena) divides by the
    edge step instead, `constants` has lines without slope (L edges). Lines are those of
    spectra.normalise. Raises InputError where a range holds too few energies, or the edge lies outside them.
    """
    if not pre_edge[0] < pre_edge[1] <= edge <= post_edge[0] < post_edge[1]:
        raise InputError(
            f"ingest.fields.edge: {edge:g} eV with the pre-edge {pre_edge} and post-edge {post_edge}; "
            "expected the edge between the two ranges, which rise"
        )
    spacing = np.gradient(energy) if len(energy) > 1 else np.ones(1)
    pre, centre_pre = _line(energy, spacing, pre_edge, "pre-edge")
    post, centre_post = _line(energy, spacing, post_edge, "post-edge")
    if method == "constants":
        pre[1] = post[1] = 0.0
    held = np.clip(energy, pre_edge[0], post_edge[1])
    return Normaliser(
        pre=pre,
        post=post,
        away_pre=held - centre_pre,
        away_post=held - centre_post,
        low=_mean(energy, pre_edge),
        high=_mean(energy, post_edge),
        edge_pre=edge - centre_pre,
        edge_post=edge - centre_post,
        constant=method != "lines",
    )


def normalise_spectra(spectra: FloatArray, normaliser: Normaliser) -> FloatArray:
    """Return spectra (n, E) normalised as the pixels of a cube are."""
    return np.array([_normalised(spectrum, normaliser) for spectrum in spectra])


def normalise_block(
    block: Absorbance, normaliser: Normaliser, camera: NoiseModel | None, least_step: float
) -> EdgeMaps:
    """Normalise the spectra of a block of pixels, in place, and return its maps.

    Pixels that are not valid, whose edge step is below `least_step` times its own noise, or whose post-edge
    line falls to zero become NaN in block.mu; block.valid is False for them afterwards. The noise is that of
    the camera's counts (METHOD 1) at block.c_ref and at the mean absorbance of the two ranges; without a
    camera, what a pixel's own samples scatter in the two ranges.
    """
    energies, height, width = block.mu.shape
    weights = np.stack([normaliser.low, normaliser.high, *normaliser.pre, *normaliser.post])
    sums = weights.astype(np.float32) @ block.mu.reshape(energies, -1)
    low, high, pre0, pre1, post0, post1 = sums
    # the post-edge line is that of what lies above the pre-edge line
    between = np.float32(normaliser.edge_post - normaliser.edge_pre)
    post0 = post0 - (pre0 - pre1 * between)
    post1 = post1 - pre1
    step = post0 + np.float32(normaliser.edge_post) * post1
    if camera is None:
        noise = _own_step_noise(block.mu.reshape(energies, -1), normaliser)
    else:
        noise = _step_noise(normaliser, block.c_ref.reshape(-1), low, high, camera)
    ok = block.valid.reshape(-1)
    with np.errstate(invalid="ignore"):
        ok &= (step >= np.float32(least_step) * noise) & (step > 0)
    if normaliser.constant:
        post0, post1 = step, np.zeros_like(step)
    ok &= _lowest(normaliser.away_post, post0, post1) > 0
    away = np.stack([normaliser.away_pre, normaliser.away_post]).astype(np.float32)
    _apply(block.mu.reshape(energies, -1), ok, away, Lines(pre0, pre1, post0, post1))
    return EdgeMaps(
        *(
            np.where(ok, values, np.nan).astype(np.float32).reshape(height, width)
            for values in (low, high, step, noise)
        )
    )


def _normalised(spectrum: FloatArray, normaliser: Normaliser) -> FloatArray:
    pre = normaliser.pre @ spectrum
    above = spectrum - pre[0] - pre[1] * normaliser.away_pre
    post = normaliser.post @ above
    if normaliser.constant:
        return above / (post[0] + post[1] * normaliser.edge_post)
    return above / (post[0] + post[1] * normaliser.away_post)


def _line(energy: FloatArray, spacing: FloatArray, span: EnergyRange, name: str) -> tuple[FloatArray, float]:
    """Return the weights (2, E) of a line's value and slope at its centre, and the centre in eV."""
    inside = (energy >= span[0]) & (energy <= span[1])
    if inside.sum() < LEAST_ENERGIES:
        raise InputError(
            f"references.{name.replace('-', '_')}: {int(inside.sum())} images lie from {span[0]:g} to "
            f"{span[1]:g} eV (they run from {energy[0]:g} to {energy[-1]:g}); expected {LEAST_ENERGIES}"
        )
    weight = np.where(inside, spacing, 0.0)
    weight /= weight.sum()
    centre = float(weight @ energy)
    away = energy - centre
    return np.stack([weight, weight * away / (weight @ away**2)]), centre


def _mean(energy: FloatArray, span: EnergyRange) -> FloatArray:
    inside = (energy >= span[0]) & (energy <= span[1])
    return inside / inside.sum()


def _step_noise(
    normaliser: Normaliser, c_ref: Float32Array, low: Float32Array, high: Float32Array, camera: NoiseModel
) -> Float32Array:
    """Return the noise (n,) of the edge step from the camera's noise before and after the edge."""
    from_pre, from_post = normaliser.low > 0, normaliser.high > 0
    variance = np.zeros_like(c_ref)
    for mean, region in ((low, from_pre), (high, from_post)):
        share = np.float32(np.sum(normaliser.step[region] ** 2))
        lowest = np.float32(camera.lowest_count)
        counts = np.maximum(c_ref * np.exp(-np.clip(mean, -8, 8)), lowest)
        open_beam = np.maximum(c_ref, lowest)
        a, b = np.float32(camera.a), np.float32(camera.b)
        variance += share * absorbance_variance(open_beam, counts, a, b)
    return np.asarray(np.sqrt(variance))


def _own_step_noise(mu: Float32Array, normaliser: Normaliser) -> Float32Array:
    """Return the noise (n,) of the edge step from the scatter of each spectrum (E, n) in the two ranges.

    In second differences lines vanish, and independent noise of variance v leaves 6 v.
    """
    variance = np.zeros(mu.shape[1], dtype=np.float32)
    for region in (np.flatnonzero(normaliser.low), np.flatnonzero(normaliser.high)):
        second = np.diff(mu[region], 2, axis=0)
        share = np.float32(np.sum(normaliser.step[region] ** 2))
        variance += share * np.mean(second**2, axis=0) / np.float32(6)
    return np.asarray(np.sqrt(variance))


def _lowest(away: FloatArray, value: Float32Array, slope: Float32Array) -> Float32Array:
    ends = np.float32(away.min()), np.float32(away.max())
    return np.minimum(value + ends[0] * slope, value + ends[1] * slope)


@njit(nogil=True, cache=True, error_model="numpy")
def _apply(mu: Float32Array, ok: BoolArray, away: Float32Array, lines: Lines) -> None:
    """Subtract the pre-edge line from mu (E, n) and divide by the post-edge line; NaN where not ok (n,).

    `away` (2, E) are the distances in eV from the centres of the pre- and of the post-edge.
    """
    for start in range(0, mu.shape[1], BLOCK):
        part = slice(start, min(start + BLOCK, mu.shape[1]))
        own = Lines(lines.pre[part], lines.pre_slope[part], lines.post[part], lines.post_slope[part])
        for i in range(mu.shape[0]):
            _apply_row(mu[i, part], ok[part], away[0, i], away[1, i], own)


@njit(nogil=True, cache=True, error_model="numpy")
def _apply_row(
    mu: Float32Array, ok: BoolArray, away_pre: np.float32, away_post: np.float32, lines: Lines
) -> None:
    nan = np.float32(np.nan)
    pre, pre_slope, post, post_slope = lines
    for j in range(mu.size):
        above = mu[j] - (pre[j] + pre_slope[j] * away_pre)
        mu[j] = above / (post[j] + post_slope[j] * away_post) if ok[j] else nan

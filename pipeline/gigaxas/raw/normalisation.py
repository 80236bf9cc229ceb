"""Pre- and post-edge of every pixel, and its spectrum brought to 0 before and 1 after the edge (METHOD 1)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, FloatArray
from gigaxas.errors import InputError
from gigaxas.raw.absorbance import Float32Array
from gigaxas.spectra.noise import NoiseModel, absorbance_variance

Method = Literal["lines", "step"]
Range = tuple[float, float]
BLOCK = 4096
LEAST_ENERGIES = 3


@dataclass(frozen=True, eq=False)
class Normaliser:
    """Weights (E,) that turn the spectrum of a pixel into its lines; everything is linear in the spectrum.

    `pre` and `post` (2, E) give the value of a line at its centre and its slope; `away_pre` and `away_post`
    (E,) are the distances in eV from the centres, held constant outside the two ranges. `low` and `high`
    (E,) give mu_low and mu_high. `edge_pre` and `edge_post` are the distances from the centres to the edge.
    """

    pre: FloatArray
    post: FloatArray
    away_pre: FloatArray
    away_post: FloatArray
    low: FloatArray
    high: FloatArray
    edge_pre: float
    edge_post: float
    constant: bool

    @property
    def step(self) -> FloatArray:
        """The weights (E,) of the edge step: the post-edge line less the pre-edge line, at the edge."""
        return self.post[0] + self.edge_post * self.post[1] - self.pre[0] - self.edge_pre * self.pre[1]


@dataclass(frozen=True)
class EdgeMaps:
    """Maps (h, w) of a block: mean absorbance before and after the edge, the edge step and its noise."""

    mu_low: Float32Array
    mu_high: Float32Array
    edge_step: Float32Array
    edge_step_noise: Float32Array


def make_normaliser(
    energy: FloatArray, pre_edge: Range, post_edge: Range, edge: float, method: Method
) -> Normaliser:
    """Prepare the normalisation on the energies (E,) in eV.

    `lines` subtracts the pre-edge line and divides by the post-edge line, `step` (Athena) divides by the
    edge step instead. Lines are those of spectra.normalise. Raises InputError where a range holds too few
    energies, or the edge lies outside them.
    """
    if not pre_edge[0] < pre_edge[1] <= edge <= post_edge[0] < post_edge[1]:
        raise InputError(
            f"ingest.fields.edge: {edge:g} eV with the pre-edge {pre_edge} and post-edge {post_edge}; "
            "expected the edge between the two ranges, which rise"
        )
    spacing = np.gradient(energy) if len(energy) > 1 else np.ones(1)
    pre, centre_pre = _line(energy, spacing, pre_edge, "pre-edge")
    post, centre_post = _line(energy, spacing, post_edge, "post-edge")
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
        constant=method == "step",
    )


def normalise_spectra(spectra: FloatArray, normaliser: Normaliser) -> FloatArray:
    """Return spectra (n, E) normalised as the pixels of a cube are."""
    return np.array([_normalised(spectrum, normaliser) for spectrum in spectra])


def normalise_block(
    mu: Float32Array,
    c_ref: Float32Array,
    valid: BoolArray,
    normaliser: Normaliser,
    camera: NoiseModel,
    least_step: float,
) -> EdgeMaps:
    """Normalise the spectra mu (E, h, w) of a block, in place, and return its maps.

    Pixels that are not valid (h, w), whose edge step is below `least_step` times its own noise, or whose
    post-edge line falls to zero become NaN in mu; `valid` is False for them afterwards. The noise is that of
    the camera's counts (METHOD 1) at c_ref (h, w) and at the mean absorbance of the two ranges.
    """
    energies, height, width = mu.shape
    weights = np.stack([normaliser.low, normaliser.high, *normaliser.pre, *normaliser.post])
    sums = weights.astype(np.float32) @ mu.reshape(energies, -1)
    low, high, pre0, pre1, post0, post1 = sums
    # the post-edge line is that of what lies above the pre-edge line
    between = np.float32(normaliser.edge_post - normaliser.edge_pre)
    post0 = post0 - (pre0 - pre1 * between)
    post1 = post1 - pre1
    step = post0 + np.float32(normaliser.edge_post) * post1
    noise = _step_noise(normaliser, c_ref.reshape(-1), low, high, camera)
    ok = valid.reshape(-1)
    with np.errstate(invalid="ignore"):
        ok &= (step >= np.float32(least_step) * noise) & (step > 0)
    if normaliser.constant:
        post0, post1 = step, np.zeros_like(step)
    ok &= _lowest(normaliser.away_post, post0, post1) > 0
    _apply(
        mu.reshape(energies, -1),
        ok,
        normaliser.away_pre.astype(np.float32),
        normaliser.away_post.astype(np.float32),
        np.stack([pre0, pre1, post0, post1]),
    )
    maps = (
        np.where(valid_pixels, values, np.nan).astype(np.float32).reshape(height, width)
        for values, valid_pixels in ((low, ok), (high, ok), (step, ok), (noise, ok))
    )
    return EdgeMaps(*maps)


def _normalised(spectrum: FloatArray, normaliser: Normaliser) -> FloatArray:
    pre = normaliser.pre @ spectrum
    above = spectrum - pre[0] - pre[1] * normaliser.away_pre
    post = normaliser.post @ above
    if normaliser.constant:
        return above / (post[0] + post[1] * normaliser.edge_post)
    return above / (post[0] + post[1] * normaliser.away_post)


def _line(energy: FloatArray, spacing: FloatArray, span: Range, name: str) -> tuple[FloatArray, float]:
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


def _mean(energy: FloatArray, span: Range) -> FloatArray:
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


def _lowest(away: FloatArray, value: Float32Array, slope: Float32Array) -> Float32Array:
    ends = np.float32(away.min()), np.float32(away.max())
    return np.minimum(value + ends[0] * slope, value + ends[1] * slope)


@njit(nogil=True, cache=True, error_model="numpy")
def _apply(
    mu: Float32Array,
    ok: BoolArray,
    away_pre: Float32Array,
    away_post: Float32Array,
    lines: NDArray[np.float32],
) -> None:
    """Subtract the pre-edge line from mu (E, n) and divide by the post-edge line; NaN where not ok (n,)."""
    for start in range(0, mu.shape[1], BLOCK):
        part = slice(start, min(start + BLOCK, mu.shape[1]))
        pre0, pre1, post0, post1 = lines[0, part], lines[1, part], lines[2, part], lines[3, part]
        for i in range(mu.shape[0]):
            _apply_row(mu[i, part], ok[part], away_pre[i], away_post[i], pre0, pre1, post0, post1)


@njit(nogil=True, cache=True, error_model="numpy")
def _apply_row(
    mu: Float32Array,
    ok: BoolArray,
    from_pre: np.float32,
    from_post: np.float32,
    pre0: Float32Array,
    pre1: Float32Array,
    post0: Float32Array,
    post1: Float32Array,
) -> None:
    nan = np.float32(np.nan)
    for j in range(mu.size):
        above = mu[j] - (pre0[j] + pre1[j] * from_pre)
        mu[j] = above / (post0[j] + post1[j] * from_post) if ok[j] else nan

"""The whole numbers of the first screening never say less than the numbers that they stand for."""

import numpy as np
import pytest
from gigaxas.nearest.simd import BATCH, FACTORS, WIDTH, screen_lead
from gigaxas.nearest.whole import LEAD, whole_pixels, whole_score, whole_sites
from numba import njit

LONGEST = 1.0


def _whole(pixels: np.ndarray, unit: float) -> np.ndarray:
    """Pixels' factors (n, 10) as the search rounds them: coordinates to the nearest, lengths up."""
    pairs = np.zeros((FACTORS // 2, len(pixels)), np.int32)
    for step, factors in enumerate(pairs):
        left, right = np.ascontiguousarray(pixels[:, 2 * step : 2 * step + 2].T)
        whole_pixels(left, right, 2 * step >= LEAD, unit, factors)
    return np.ascontiguousarray(pairs.T).view(np.int16).astype(np.int64)


def _along_the_rounding(rng: np.random.Generator, count: int, unit: float) -> np.ndarray:
    """Factors (count, 10) near whole multiples of a unit and a half, where rounding takes or gives most."""
    factors = rng.normal(size=(count, FACTORS))
    factors *= 0.7 / np.linalg.norm(factors, axis=1, keepdims=True)
    factors[:, LEAD:] = np.abs(factors[:, LEAD:])
    halves = (np.floor(factors * unit) + rng.choice([0.499, 0.501], factors.shape)) / unit
    halves[:, LEAD:] += 0.4 / unit - 0.49 / unit
    return halves


@pytest.mark.parametrize("scale", [1.0, 0.3, 1e-3])
def test_no_rounding_brings_a_bound_below_the_score(scale: float):
    """Rounding against the score in a pixel alone, in a site alone, and in both."""
    rng = np.random.default_rng(0)
    _, _, units = whole_sites(np.full((1, FACTORS), scale * 10**-0.5), np.full(1, 1e-9), LONGEST)
    site_unit = units.score / units.pixel
    sites = _along_the_rounding(rng, 300, site_unit / scale) * scale
    sites[0] = scale * 10**-0.5  # the longest, which sets the unit
    pixels = _along_the_rounding(rng, 300, units.pixel)
    error = np.full(len(sites), 1e-9)
    factors, errors, units = whole_sites(sites, error, LONGEST)
    assert units.score / units.pixel == site_unit
    # a pixel that lies on its grid shows what a site loses, and the other way round
    toward = sites[:, :LEAD] * site_unit - factors[:, :LEAD]
    toward *= 0.7 / np.linalg.norm(toward, axis=1, keepdims=True)
    on_grid = np.zeros_like(sites)
    on_grid[:, :LEAD] = np.rint(toward * units.pixel) / units.pixel
    against = pixels.copy()
    against[:, :LEAD] = np.sign(sites[:, :LEAD]) * (np.floor(np.abs(pixels[:, :LEAD]) * units.pixel) + 0.4999)
    against[:, :LEAD] /= units.pixel
    for own in (pixels, on_grid, against):
        bounds = np.sum(_whole(own, units.pixel) * factors.astype(np.int64), axis=1) + errors
        scores = np.sum(own * sites, axis=1) + error
        assert all(bound >= whole_score(score, units) for bound, score in zip(bounds, scores, strict=True))


def test_lengths_are_rounded_up():
    """Both lengths of a site lie 0.48 above a whole number, those of a pixel on one, or 0.4 above."""
    site, pixels = np.zeros((1, FACTORS)), np.zeros((2, FACTORS))
    site[:, LEAD:] = 0.61
    factors, errors, units = whole_sites(site, np.full(1, 1e-9), LONGEST)
    assert np.allclose(0.61 * units.score / units.pixel % 1, 0.48)
    pixels[0, LEAD:], pixels[1, LEAD:] = 0.5, 1.4 / units.pixel
    bounds = _whole(pixels, units.pixel) @ factors.astype(np.int64).T + errors
    assert (bounds >= np.floor(pixels @ site.T * units.score)).all()


@njit
def _found(factors, reach, lead, masks):
    return screen_lead(factors, reach, 0, lead, 0, masks)


@pytest.mark.parametrize("error", [1e-9, 0.3, 3.0, 1e4])
def test_no_bound_leaves_32_bits(error: float):
    """The longest pixels and sites, along each other and against: an exact sum of each bound is found."""
    rows = np.eye(FACTORS) * 1.7
    sites = np.vstack([rows[:LEAD], -rows[:LEAD]])[:WIDTH]
    factors, errors, units = whole_sites(sites, np.full(WIDTH, error), LONGEST)
    points = np.zeros((BATCH, FACTORS), np.int16)
    points[:, :LEAD] = np.rint(np.eye(BATCH) * LONGEST * units.pixel)
    pairs = np.ascontiguousarray(points.view(np.int32).T)
    bounds = points.astype(np.int64) @ factors.astype(np.int64).T + errors.astype(np.int64)
    assert np.abs(bounds).max() < 2**31 - 1
    lead = np.zeros((1, 1 + FACTORS // 2, WIDTH), np.int32)
    lead[0, 0] = errors
    lead[0, 1:] = np.ascontiguousarray(factors).view(np.int32).T
    masks = np.zeros(BATCH, np.uint16)
    for lane in range(WIDTH):
        for above in (0, 1):
            found = _found(pairs, (bounds[:, lane] + above).astype(np.int32), lead, masks)
            assert (masks >> lane & 1).tolist() == [1 - above] * BATCH
            assert found == masks.any()


def test_a_score_is_never_rounded_up_and_stays_within_32_bits():
    _, _, units = whole_sites(np.full((1, FACTORS), 0.1), np.full(1, 1e-9), LONGEST)
    for score in (0.1 + 1e-9, -0.1 - 1e-9, 0.0):
        assert whole_score(score, units) <= score * units.score < whole_score(score, units) + 1
    assert whole_score(np.inf, units) == 2**31 - 1
    assert whole_score(-1e30, units) == -(2**31) + 1

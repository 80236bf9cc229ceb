"""Filled pixels between phases, against counts and fits written out pixel by pixel."""

from collections import Counter

import numpy as np
import pytest
from composed_tiles import CLUSTERS, composed, plan, scene
from gigaxas.components.borders import NO_BORDERS, border_radius, find_borders
from gigaxas.components.composition import compose, wanted_pixels
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls as scipy_nnls

RADIUS = 2


def maps(seed, shape=(13, 17)):
    """Labels 1 to 5 in blots, of which the clean-up kept three quarters; the first column is void."""
    rng = np.random.default_rng(seed)
    blots = np.kron(rng.integers(1, 6, (5, 6)), np.ones((3, 3), int))
    label = blots[: shape[0], : shape[1]].astype(np.uint16)
    label[:, 0] = 0
    return label, np.where(rng.random(shape) < 0.75, label, 0).astype(np.uint16)


def around(kept, y, x):
    """The two commonest labels about a pixel, the lowest of equals, each by the component that it is."""
    there = kept[max(y - RADIUS, 0) : y + RADIUS + 1, max(x - RADIUS, 0) : x + RADIUS + 1]
    counts = Counter(int(one) for one in there.ravel() if one)
    best = sorted(counts, key=lambda one: (-counts[one], one))[:2]
    return sorted(best) if len(best) == 2 else None


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_a_filled_pixel_stands_between_the_two_commonest_labels_around(seed):
    label, kept = maps(seed)
    found = find_borders(label, kept, (0, 0), RADIUS)
    expected = {}
    for y, x in np.argwhere((label > 0) & (kept == 0)).tolist():
        pair = around(kept, y, x)
        if pair:
            expected[y * label.shape[1] + x] = pair
    assert dict(zip(found.pixels.tolist(), found.labels.tolist(), strict=True)) == expected


@pytest.mark.parametrize("one", [False, True])
def test_it_is_fitted_with_the_components_of_both(one):
    made = plan(one=one)
    label, kept = maps(5)
    _, samples = scene(5, label.shape, "float32")
    borders = find_borders(label, made.beside[kept], (0, 0), RADIUS)
    found, before = composed(label, samples, made, borders=borders), composed(label, samples, made)
    of = {1: [0], 2: [1], 3: [2], 4: [0, 1]}
    beside = np.array([0, 1, 2, 3, 4, 1])[kept]
    tried = set()
    for y, x in np.argwhere((label > 0) & (kept == 0)).tolist():
        pair = around(beside, y, x)
        if pair is None:
            np.testing.assert_array_equal(found.ratio[:, y, x], before.ratio[:, y, x])
            continue
        members = sorted({member for one in pair for member in of[one]})
        tried.add((label[y, x], *members))
        rest = [k for k in range(3) if k not in members]
        assert (found.ratio[rest, y, x] == 0).all()
        assert np.isnan(found.sigma[rest, y, x]).all()
        assert np.isfinite(found.sigma[members, y, x]).all()
        assert found.main[y, x] == 1 + found.ratio[:, y, x].argmax()
        if one:
            assert found.ratio[:, y, x].sum() == pytest.approx(1.0, abs=1e-6)
            continue
        weights, left = scipy_nnls(CLUSTERS.spectra[members].T, samples[:, y, x].astype(float))
        np.testing.assert_allclose(found.ratio[members, y, x], weights, atol=1e-6)
        assert found.residual[y, x] == pytest.approx(left / np.sqrt(len(samples)), rel=1e-5)
    assert len(tried) > 6
    filled = (label > 0) & (kept == 0)
    for name, values in vars(found).items():
        np.testing.assert_array_equal(values[..., ~filled], getattr(before, name)[..., ~filled])


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 99), st.integers(1, 12), st.integers(1, 16))
def test_maps_are_the_same_for_any_tiles(seed, y, x):
    made, (label, kept) = plan(), maps(seed)
    beside, (_, samples) = made.beside[kept], scene(seed, label.shape)
    whole = composed(label, samples, made, borders=find_borders(label, beside, (0, 0), RADIUS))
    for rows in (slice(0, y), slice(y, None)):
        for columns in (slice(0, x), slice(x, None)):
            top, left = (max((one.start or 0) - RADIUS, 0) for one in (rows, columns))
            bottom, right = ((one.stop + RADIUS if one.stop else None) for one in (rows, columns))
            first = (rows.start or 0) - top, (columns.start or 0) - left
            here = label[rows, columns]
            borders = find_borders(here, beside[top:bottom, left:right], first, RADIUS)
            part = composed(here, samples[:, rows, columns], made, borders=borders)
            for name, values in vars(part).items():
                np.testing.assert_array_equal(values, getattr(whole, name)[..., rows, columns])


def test_a_pixel_with_nothing_of_what_is_around_keeps_the_ratios_of_its_cluster():
    label, kept = np.full((1, 3), 1, np.uint16), np.array([[1, 0, 2]], np.uint16)
    samples = np.repeat(CLUSTERS.spectra[0][:, None, None], 3, axis=2)
    samples[:, 0, 1] *= -1.0
    borders = find_borders(label, kept, (0, 0), RADIUS)
    assert borders.labels.tolist() == [[1, 2]]
    found = compose(label, samples, plan(), borders=borders)
    assert found.ratio[:, 0, 1].tolist() == [1.0, 0.0, 0.0]
    assert found.main.tolist() == [[1, 1, 1]]
    assert np.isnan(found.residual).all()


@pytest.mark.parametrize(
    ("quantity", "pixels"), [("normalised", 6), ("absorbance", 0), ("intensity", 0), ("counts", 0)]
)
def test_a_background_never_decides_what_a_filled_pixel_is_of(quantity, pixels):
    label = np.repeat(np.uint16([1, 1, 2, 2, 2])[None], 3, axis=0)
    kept = label.copy()
    kept[:, 1:3] = 0
    assert find_borders(label, kept, (0, 0), border_radius(quantity, 5)).pixels.size == pixels


def test_where_nothing_was_filled_nothing_is_fitted():
    label = np.array([[1, 2, 0]], np.uint16)
    found = find_borders(label, label, (0, 0), RADIUS)
    assert [part.tolist() for part in found] == [part.tolist() for part in NO_BORDERS] == [[], []]
    assert not wanted_pixels(label, plan(), found).any()

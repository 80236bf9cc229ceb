"""The bounds of the screenings hold for every input, the worst that could be thought of too.

Labels belong to pixels, not to blocks or threads.
"""

from concurrent.futures import ThreadPoolExecutor

import gigaxas.nearest as pn
import numpy as np
import pytest
from gigaxas.nearest import layout
from gigaxas.nearest.definition import tie_tolerance
from gigaxas.nearest.full import full
from gigaxas.nearest.pixels import PLAIN, take_tile
from gigaxas.nearest.pruned import make_scratch, start_screen
from gigaxas.nearest.simd import BATCH, score_bounds, screen_lead
from gigaxas.nearest.whole import whole_score
from hypothesis import given, settings
from hypothesis import strategies as st
from nearest_oracle import codes, correlations, mixtures, noisy_pixels, smooth_spectra
from numba import njit


@njit
def _bounds(k, p, layout, tile, screen, lower, upper):
    margins, residual, bounds = layout.margins, screen.lengths[1, p], screen.bounds
    score_bounds(tile.coordinates, p, layout.coordinates, k, margins, residual, np.float32(0), bounds)
    lower[:], upper[:] = bounds[0], bounds[1]


@njit
def _screened_lead(k, scores, layout, screen):
    for q in range(BATCH):
        screen.reach[q] = whole_score(scores[q], layout.units)
    return screen_lead(screen.factors, screen.reach, 0, layout.lead, k, screen.masks)


def _screened(block: np.ndarray, prepared: pn.Prepared):
    layout = prepared.layout
    tile, screen, _, _ = make_scratch(prepared, layout.axes.shape[1], block.dtype == np.uint16, 1)
    take_tile(block, 0, block.shape[1], np.nan, layout.axes, tile)
    start_screen(block.shape[1], layout, tile, screen)
    return tile, screen, np.flatnonzero(tile.kinds == PLAIN)


@st.composite
def problems(draw):
    """Sites, pixels (at most eight), and a number of axes, over noise, sizes and offsets."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    energies, count = draw(st.integers(8, 200)), draw(st.integers(1, 60))
    matrix = mixtures(rng, smooth_spectra(rng, draw(st.integers(1, 12)), energies), count)
    if draw(st.booleans()):
        matrix = matrix + rng.normal(0, draw(st.sampled_from([1e-12, 1e-3, 0.3])), matrix.shape)
    sigma = draw(st.sampled_from([0.0, 1e-6, 0.037, 0.3, 10.0]))
    pixels = noisy_pixels(rng, matrix, rng.integers(1, count + 1, BATCH), sigma)
    if draw(st.booleans()):  # along what the sites have beside the axes: tight bounds
        pixels = pixels + matrix.T @ rng.normal(0, 3, (count, BATCH))
    pixels = pixels * draw(st.sampled_from([1e-12, 1.0, 1e9])) + draw(st.sampled_from([0.0, -3.0, 1e4]))
    kind = draw(st.sampled_from([np.uint16, np.float32, np.float64]))
    block = codes(pixels) if kind == np.uint16 else pixels.astype(kind)
    return matrix, block, draw(st.sampled_from([8, 16, 24, 64]))


def _true_scores(block: np.ndarray, prepared: pn.Prepared) -> np.ndarray:
    """The scores (n, m) that the bounds are for, in extended precision: p . (site - mean site)."""
    standard = prepared.sites[:, : prepared.energies]
    r = correlations(block, standard)
    centre = standard.astype(np.longdouble).mean(axis=0)
    length = np.sqrt((centre - centre.mean()) @ (centre - centre.mean()))
    return r - length * correlations(block, centre[None]) if length > 1e-6 else r


def _assert_bounds_hold(block: np.ndarray, prepared: pn.Prepared) -> None:
    layout, scores = prepared.layout, _true_scores(block, prepared)
    tile, screen, plain = _screened(block, prepared)
    lower, upper = np.empty(16, np.float32), np.empty(16, np.float32)
    for k, members in enumerate(layout.order):
        real = members >= 0
        for p in plain:
            true = scores[p, members[real]].astype(float)
            _bounds(k, p, layout, tile, screen, lower, upper)
            assert (lower[real] <= true).all()
            assert (true <= upper[real]).all()
        for lane in np.flatnonzero(real):
            reached = np.full(BATCH, np.inf)
            for p in plain:
                reached[p] = np.nextafter(np.float32(scores[p, members[lane]]), np.float32(-9))
            assert _screened_lead(k, reached, layout, screen) == (len(plain) > 0)
            assert all(screen.masks[p] >> lane & 1 for p in plain)


@settings(max_examples=60, deadline=None)
@given(problems())
def test_every_score_lies_between_its_bounds(problem):
    sites, block, components = problem
    _assert_bounds_hold(block, pn.prepare(sites, components))


@settings(max_examples=25, deadline=None)
@given(problems(), st.randoms(use_true_random=False))
def test_labels_do_not_depend_on_the_block(problem, random):
    sites, block, _ = problem
    block = np.concatenate([block] * 40, axis=1)
    block[:, random.randrange(block.shape[1])] = 5
    prepared = pn.prepare(sites)
    whole = pn.assign_block(block, prepared)
    order = np.array(random.sample(range(block.shape[1]), block.shape[1]))
    shuffled = pn.assign_block(block[:, order], prepared)
    np.testing.assert_array_equal(shuffled.labels, whole.labels[order])
    np.testing.assert_array_equal(shuffled.correlation, whole.correlation[order])
    cut = random.randrange(1, block.shape[1])
    for part in (slice(0, cut), slice(cut, None)):
        found = pn.assign_block(block[:, part], prepared)
        np.testing.assert_array_equal(found.labels, whole.labels[part])
        np.testing.assert_array_equal(found.correlation, whole.correlation[part])


def test_labels_do_not_depend_on_threads():
    rng = np.random.default_rng(1)
    sites = mixtures(rng, smooth_spectra(rng, 20, 178), 300)
    prepared = pn.prepare(sites)
    blocks = [codes(noisy_pixels(rng, sites, rng.integers(0, 301, 1500), 0.037)) for _ in range(8)]
    alone = [pn.assign_block(block, prepared).labels for block in blocks]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda block: pn.assign_block(block, prepared).labels, blocks))
    np.testing.assert_array_equal(together, alone)


@settings(max_examples=40, deadline=None)
@given(problems(), st.integers(-60, 60), st.sampled_from([-2.0, 0.0, 0.5]))
def test_scale_and_offset_of_a_pixel_do_not_matter(problem, power, offset):
    """A power of two and an offset are exact here: sums of a few small binary fractions."""
    sites, block, _ = problem
    if block.dtype != np.uint16:
        return
    prepared = pn.prepare(sites)
    moved = (block.astype(np.float64) + offset) * 2.0**power
    np.testing.assert_array_equal(
        pn.assign_block(moved, prepared).labels, pn.assign_block(block, prepared).labels
    )


def _assert_exact(block: np.ndarray, prepared: pn.Prepared) -> np.ndarray:
    found = pn.assign_block(block, prepared, want_runner_up=True)
    labels, _ = pn.brute(block, prepared)
    np.testing.assert_array_equal(found.labels, labels[0])
    np.testing.assert_array_equal(found.runner_up, labels[1])
    return found.labels


def _orthonormal(rng: np.random.Generator, energies: int, count: int) -> np.ndarray:
    """Random orthonormal rows (count, E) of mean 0."""
    rows = np.vstack([np.ones(energies), rng.normal(size=(count, energies))])
    return np.linalg.qr(rows.T)[0].T[1:]


def _one_way_rounding(energies: int) -> tuple[np.ndarray, np.ndarray]:
    """Sites (m, E) and pixels (E, 64) on which the float32 sum of a coordinate errs one way all along.

    All but the first 24 products along the first axis are equal: within a power of two each addition is
    rounded alike, and the scale of a pixel decides how. Site 1 lies beside the eight axes, site 3 on them,
    and a pixel is nearer to site 1.
    """
    comb = np.repeat([1.0, -1.0, 1.0, -1.0], [12, 12, energies // 2 - 12, energies // 2 - 12])
    local = np.vstack([np.ones(24), comb[:24], np.random.default_rng(1).normal(size=(8, 24))])
    along = np.zeros((8, energies))
    along[:, :24] = np.linalg.qr(local.T)[0].T[2:]
    beside, strong = along[0], along[1:]
    rows = [beside, *np.repeat(strong, 3, axis=0) * np.tile([1.0, 2.0, 4.0], 7)[:, None]]
    comb /= energies**0.5
    sites = np.array([comb + side * 0.3 * row for row in rows for side in (1, -1)])
    return sites, np.outer(comb + 1e-2 * beside + 9.7e-3 * strong[0], np.geomspace(1.0, 2.0, 64))


@pytest.mark.parametrize("energies", [200, 600])
def test_rounding_that_adds_up_loses_no_winner(energies: int):
    sites, block = _one_way_rounding(energies)
    prepared = pn.prepare(sites, 8)
    assert (_assert_exact(block, prepared) == 1).all()
    for start in range(BATCH):
        _assert_bounds_hold(block[:, start::BATCH].copy(), prepared)


@pytest.mark.parametrize("lengths", [(1.0, 0.8, 1.0), (1.0, 1.0, 1.2), (0.7, 1.1, 0.9)])
def test_axes_that_are_not_orthonormal_lose_no_winner(monkeypatch: pytest.MonkeyPatch, lengths: tuple[float]):
    """A short axis leaks what it leaves of a site back onto itself; a long one hides what lies beside it.

    The pixels lie between two sites on different axes, or one beside them, a thousandth nearer to one.
    """
    rows = _orthonormal(np.random.default_rng(2), 40, 9)
    axes = np.zeros((40, 8), np.float32)
    axes[:] = rows[:8].T
    axes[:, :3] *= lengths
    monkeypatch.setattr(layout, "_principal_axes", lambda *_: axes)
    sites = np.array([rows[0] + side * row for row in rows[1:] for side in (0.3, -0.3)])
    pairs = [(i, j) for i in range(1, 9) for j in range(1, 9) if i != j]
    block = np.array([rows[0] + 0.2 * rows[i] + 0.1998 * rows[j] for i, j in pairs]).T.copy()
    prepared = pn.prepare(sites, 8)
    assert _assert_exact(block, prepared).tolist() == [2 * i - 1 for i, _ in pairs]
    for start in range(0, len(pairs), BATCH):
        _assert_bounds_hold(block[:, start : start + BATCH].copy(), prepared)


@pytest.mark.parametrize("energies", [8, 178])
def test_full_screening_keeps_what_float32_cannot_tell_apart(energies: int):
    """Sites whose correlations differ by less than float32 resolves, and by more than a tie."""
    rng, count = np.random.default_rng(3), 64
    rows = _orthonormal(rng, energies, 6)
    around = rng.normal(size=(count, 5)) @ rows[1:]
    around /= np.linalg.norm(around, axis=1, keepdims=True)
    for _ in range(8):
        r = 0.5 + 10 * tie_tolerance(energies) * rng.permutation(count)
        prepared = pn.prepare(r[:, None] * rows[0] + np.sqrt(1 - r[:, None] ** 2) * around)
        screen = np.ascontiguousarray(prepared.sites[:, :energies].T, np.float32)
        found = full(rows[0][:, None].copy(), prepared, screen, None, 2)
        assert found.sites[:, 0].tolist() == (np.argsort(-r)[:2] + 1).tolist()


@pytest.mark.parametrize("energies", [8, 178, 1000])
def test_a_tie_is_no_wider_than_the_rounding_of_float64(energies: int):
    """Correlations a third of the tolerance apart are equal; ten times the tolerance apart they are not."""
    pixel, beside = _orthonormal(np.random.default_rng(4), energies, 2)
    block = pixel[:, None].copy()
    for gap, label in ((1 / 3, 1), (10.0, 2)):
        away = np.sqrt(2 * gap * 4 * (energies + 8) * 2.0**-53)
        prepared = pn.prepare([pixel + away * beside, pixel])
        assert pn.assign_block(block, prepared).labels == [label]
        assert pn.brute(block, prepared)[0][0] == [label]

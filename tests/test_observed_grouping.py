"""Which windows are uniform, which group each of them joins, and which groups of the whole image are one."""

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.observed import (
    block_grid,
    merge_groups,
    observe_block,
    sample_grid,
    sites_of_groups,
    window_groups,
)
from gigaxas.observed.noise_level import contrast_unit
from gigaxas.observed.pixels import standardise_pixels
from gigaxas.tiles import flat
from hypothesis import given, settings
from hypothesis import strategies as st
from observed_scenes import ENERGIES, VARIANCE, Patches, axes, groups, level, points, shared, window_sums
from scipy.stats import chi2

SCENE = Patches()


def observe(image, **changed):
    """The groups of a scene of patches; all windows without void pixels are uniform."""
    return observe_block([image], (0, 0), level(variance=SCENE.variance, **changed))


def mixed_image(rng):
    """Noise of two phases: plain, across an edge, mixed pixel by pixel, too noisy, and with void pixels."""
    base, far, sharp = *axes(2), np.eye(ENERGIES)[20]
    image = base[:, None, None] + rng.normal(0, 0.004, (ENERGIES, 36, 60))
    image[:, :, 12:24] += 0.04 * sharp[:, None, None]
    checkers = np.indices((36, 60)).sum(axis=0) % 2
    image[:, :, 24:40] += 0.03 * far[:, None, None] * checkers[:, 24:40]
    image[:, :, 48:] += rng.normal(0, 0.011, (ENERGIES, 36, 12))
    image[:, rng.random((36, 60)) < 0.03] = np.nan
    return image


def test_the_windows_that_count_are_the_oracle_s():
    image = mixed_image(np.random.default_rng(1))
    bound = level(variance=ENERGIES * 0.004**2, contrast_limit=1.8, coherence_limit=0.15)
    pixels = standardise_pixels(image, 5)
    passed, alone = [], np.zeros(4, int)
    for y, x in np.ndindex(32, 56):
        valid = pixels.valid[y : y + 5, x : x + 5].sum()
        if valid < 3:
            continue
        scatter, smooth, contrast, coherence = window_sums(pixels, y, x, 5)
        passes = np.array(
            [
                valid >= 23,
                scatter <= 6.0 * bound.variance * pixels.unit**2 * (valid - 1),
                contrast <= 1.8 * contrast_unit(5) / 24 * smooth,
                coherence <= 0.15 * scatter,
            ]
        )
        alone += ~passes & (passes.sum() == 3)
        if passes.all():
            samples = pixels.samples[:, y : y + 5, x : x + 5].astype(float)
            passed.append(samples.sum(axis=(1, 2)) / valid / pixels.unit)
    assert alone.min() > 5, "each of the four conditions must be the only one that some window fails"
    found = observe_block([image], (0, 0), bound)
    assert found.windows.sum() == len(passed)
    np.testing.assert_allclose(found.total.sum(axis=0), np.sum(passed, axis=0), atol=1e-9)


def test_what_has_no_noise_at_all_is_no_measurement():
    image = np.repeat(axes(1)[0], 100).reshape(ENERGIES, 10, 10)
    found = observe(image, contrast_limit=9.0, coherence_limit=9.0)
    assert found.windows.size == 0
    with pytest.raises(InputError, match=r"found no uniform window .* set sites\.from: library"):
        sites_of_groups([found], level())


@pytest.mark.parametrize(("times", "windows"), [(np.sqrt(5.5), 5), (np.sqrt(6.5), 0)])
def test_a_window_may_have_six_times_the_usual_variance(times, windows):
    assert observe(SCENE.image([(0.0, 1, 5, times)])).windows.sum() == windows


def joins(square, shared):
    """Whether a window joins a group at this squared distance, over the variance of a pixel."""
    return square - shared < 2.0**2 / ENERGIES


@pytest.mark.parametrize("spread", [1.0, 2.0, 8.0])
@pytest.mark.parametrize("near", [0.96, 1.04])
def test_a_window_joins_within_what_a_pixel_can_tell_or_noise_explains(spread, near):
    """The first group is the mean of 5 windows, the window of its own 25 pixels.

    Two sigma of a pixel are more than the noise of independent pixels carries their mean, and less where
    neighbours share much of theirs.
    """
    noise = spread / 25 * (1 + 1 / 5)
    limit = noise + max(2.0**2 / ENERGIES, (chi2.isf(1e-4, ENERGIES) / ENERGIES - 1) * noise)
    assert (limit > noise + 2.0**2 / ENERGIES) == (spread > 1.0)
    pixel = 1.0 / (25 / 24 * (1 - spread / 25))  # its variance, as neighbours alike scatter less
    square = near * limit * pixel
    found = observe(SCENE.image([(0.0, 1, 5, 1.0)], [(np.sqrt(square), 1, 1, 1.0)]), space=shared(spread))
    assert found.windows.tolist() == ([6] if near < 1 else [5, 1])


@pytest.mark.parametrize("near", [0.96, 1.04])
def test_windows_of_a_row_join_together_within_the_same_radius(near):
    """The group is one window when the row is worked off."""
    shared = 1 / 25 * (1 + 1 / 1)
    square = near * (2.0**2 / ENERGIES + shared)
    first = [(0.0, 1, 1, 1.0)]
    found = observe(SCENE.image(first, [(0.0, 1, 1, 1.0), (np.sqrt(square), 1, 4, 1.0)]))
    assert found.windows.tolist() == ([6] if near < 1 else [2, 4])


def test_a_window_between_two_groups_joins_the_nearer_one():
    """In the pass of the further one, which could take it as well, it must be left."""
    far = np.sqrt(1.8 * 2.0**2 / ENERGIES + 1 / 25 * (1 + 1 / 5))
    between = (0.8 * far, 1, 4, 1.0)
    found = observe(SCENE.image([(0.0, 1, 5, 1.0)], [(far, 1, 1, 1.0)], [(0.0, 1, 1, 1.0), between]))
    assert found.windows.tolist() == [6, 5]
    assert found.first.tolist() == [[0, 0], [6, 0]]


def test_the_centre_of_a_group_is_its_mean_when_its_windows_have_doubled():
    """Windows drift along: the fourth is out of the first one's reach, not of the mean of three."""
    step = 0.8 * np.sqrt(2.0**2 / ENERGIES + 1 / 25 * 2)
    places = [0.0, step, step, 1.3 * step]
    found = observe(SCENE.image(*([(place, 1, 1, 1.0)] for place in places)))
    assert found.windows.tolist() == [4]


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([3, 5, 7]))
def test_every_window_lies_in_one_block(height, width, k):
    plane = (height + k - 1, width + k - 1)
    blocks = flat(block_grid(plane, k))
    assert sum((tile.shape[0] - k + 1) * (tile.shape[1] - k + 1) for tile in blocks) == height * width
    starts = {(tile.y0, tile.x0) for tile in blocks}
    assert len(starts) == len(blocks)
    side = 1024 if plane[0] * plane[1] >= 4 * 1024**2 else 512
    assert all(y % side == 0 and x % side == 0 for y, x in starts)
    assert all(tile.y1 <= plane[0] and tile.x1 <= plane[1] for tile in blocks)


@given(st.integers(5, 4000), st.integers(5, 4000))
def test_sample_areas_spread_over_the_whole_image(height, width):
    areas = flat(sample_grid((height, width)))
    assert len(areas) <= 64
    for size, low, high in ((height, "y0", "y1"), (width, "x0", "x1")):
        starts = sorted({getattr(tile, low) for tile in areas})
        assert all(getattr(tile, high) - getattr(tile, low) == min(40, size) for tile in areas)
        assert len(starts) == max(1, min(8, size // 40))
        if len(starts) > 1:
            assert (starts[0], starts[-1]) == (0, size - 40)
            assert np.ptp(np.diff(starts)) <= 1


def share(windows, bound):
    """The variance of the mean of a group over that of a pixel: a window's, or that of a wide area."""
    return min(bound.spread / 25, bound.wide_spread / (24 + windows))


def merged(spectra, windows, bound, variance=VARIANCE, resolution=1.0):
    """The windows of merged groups by their first place, written from the rule."""
    profile, order = bound.profile, np.argsort(-np.array(windows), kind="stable")
    tail = chi2.isf(bound.error / sum(windows), 1 / np.sum(profile**2)) * np.sum(profile**2)
    leaders = []
    for i in order:
        own = share(windows[i], bound) * variance
        near = []
        for leader in leaders:
            j = leader[0]
            away, both = spectra[i] - spectra[j], own + share(windows[j], bound) * variance
            square = away @ away
            along = max(away @ (away * profile) - both * np.sum(profile**2), 0.0)
            if square <= both * tail or square - both <= 2.0 * resolution * np.sqrt(along * variance):
                near.append((square - both, leaders.index(leader)))
        if near:
            leaders[min(near)[1]].append(i)
        else:
            leaders.append([i])
    return sorted(sorted(int(k) for k in leader) for leader in leaders)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(2, 14),
    st.floats(0.2, 3.0),
    st.sampled_from([1.0, 3.0]),
    st.sampled_from([1, 1000]),
    st.integers(0, 2**20),
)
def test_groups_merge_as_the_rule_says(count, spread, sharing, most, seed):
    rng = np.random.default_rng(seed)
    profile = rng.uniform(0.2, 3.0, ENERGIES)
    bound = level(space=shared(sharing), profile=profile / profile.sum())
    spectra = spread * rng.normal(size=(count, 3)) @ np.eye(3, ENERGIES)
    windows = rng.integers(1, most + 1, count)
    found, resolution = merge_groups([groups(spectra, windows)], bound)
    assert resolution == 1.0
    expected = merged(spectra, windows.tolist(), bound)
    assert sorted(found.first[:, 0].tolist()) == sorted(
        max(group, key=lambda k: (windows[k], -k)) for group in expected
    )
    assert sorted(found.windows.tolist()) == sorted(int(windows[group].sum()) for group in expected)
    assert np.all(np.diff(found.windows) <= 0)
    np.testing.assert_allclose(found.total.sum(axis=0), (spectra * windows[:, None]).sum(axis=0), atol=1e-9)


@pytest.mark.parametrize(("z", "count"), [(0.95, 1), (1.05, 2)])
def test_large_groups_are_one_below_a_z_of_one(z, count):
    found, _ = merge_groups([groups(points(0.0, z), [10**7, 10**7])], level())
    assert found.windows.size == count


def test_parts_in_any_division_merge_to_the_same():
    rng = np.random.default_rng(5)
    spectra, windows = 1.5 * rng.normal(size=(30, 3)) @ np.eye(3, ENERGIES), rng.integers(1, 50, 30)
    whole = groups(spectra, windows)
    parts = [whole.rows(np.arange(a, b)) for a, b in ((0, 7), (7, 8), (8, 30))]
    (one, _), (other, _) = merge_groups([whole], level()), merge_groups(parts, level())
    assert np.array_equal(one.total, other.total)
    assert np.array_equal(one.first, other.first)


def test_more_groups_than_there_is_time_for_merge_at_a_coarser_resolution(monkeypatch):
    monkeypatch.setattr(window_groups, "MOST_GROUPS", 4)
    places = np.arange(12) * 1.1
    found, resolution = merge_groups([groups(points(*places), [10**7] * 12)], level())
    expected, coarser = next(
        (one, 1.25**power)
        for power in range(9)
        if len(one := merged(points(*places), [10**7] * 12, level(), resolution=1.25**power)) <= 4
    )
    assert resolution == pytest.approx(coarser)
    assert found.windows.tolist() == sorted((10**7 * len(group) for group in expected), reverse=True)

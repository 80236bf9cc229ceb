"""Specks in one image: the statistic against loops, what is found, what is none, whatever the parts."""

import numpy as np
import pytest
from gigaxas.specks import axes, kinds, peaks, residuals, significance, windows
from gigaxas.specks.image import specks_of_image
from gigaxas.specks.kinds import kinds_of
from gigaxas.specks.search import Block, Specks, block_of, find_specks, join_found, look
from gigaxas.specks.surroundings import CELL, FEWEST, RADIUS, LabelMaps, surroundings_of
from gigaxas.tiles import Box, flat, tile_grid
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.optimize import nnls
from scipy.stats import chi2
from speck_scenes import ENERGY, SIGMA, grains, hit, library, measured, places_of, planted, search_of, uniform

SPREAD = [
    (12, 12, 1),
    (12, 40, 2),
    (14, 70, 3),
    (40, 14, 4),
    (44, 44, 1),
    (46, 74, 2),
    (74, 20, 3),
    (72, 60, 4),
]


def found_in(image, label, false_alarms=0.1, **how):
    return specks_of_image(image, maps_of(label), search_of(image, label, **how), false_alarms)


def maps_of(label):
    return LabelMaps(label, label)


def labels_of(phase):
    return (phase + 1).astype(np.uint16)


def test_the_chi_square_of_every_window_is_that_of_a_loop():
    values = np.random.default_rng(0).normal(size=(5, 9 + 3, 11 + 3)).astype(np.float32)
    values[:, 9:], values[:, :, 11:] = 0, 0
    squares = windows.window_squares(values, whole(values))
    part = windows.window_squares(values, Box(2, 5, 1, 7))
    assert np.array_equal(part[:, 2:5, 1:7], squares[:, 2:5, 1:7])
    assert part.any(axis=(0, 2)).nonzero()[0].tolist() == [2, 3, 4]
    for shape in range(16):
        high, wide = windows.HEIGHTS[shape], windows.WIDTHS[shape]
        assert windows.PIXELS[shape] == high * wide
        for y in range(9):
            for x in range(11):
                total = values[:, y : y + high, x : x + wide].sum(axis=(1, 2), dtype=np.float64)
                assert squares[shape, y, x] == pytest.approx((total**2).sum() / (high * wide), rel=1e-5)


def test_surroundings_are_the_pixels_of_a_label_that_no_other_is_near():
    phase = grains(40, 3, count=4)
    label = labels_of(phase)
    label[20:23, 10] = 0
    points = np.random.default_rng(1).normal(size=(3, 40, 40)).astype(np.float32)
    clusters = np.arange(12, dtype=np.float64).reshape(4, 3)
    around = surroundings_of(points, maps_of(label), clusters)
    padded = np.pad(label.astype(int), RADIUS, mode="edge")
    near = np.lib.stride_tricks.sliding_window_view(padded, (2 * RADIUS + 1,) * 2)
    alone = (near == label[:, :, None, None]).all(axis=(2, 3)) & (label > 0)
    assert np.array_equal(around.uniform, alone)
    for y in range(40):
        for x in range(40):
            own = around.own[y, x]
            if label[y, x] == 0:
                assert own == -1
                continue
            assert around.labels[own] == label[y, x]
            top, left = y // CELL * CELL, x // CELL * CELL
            cells = np.s_[max(top - CELL, 0) : top + 2 * CELL, max(left - CELL, 0) : left + 2 * CELL]
            mask = alone[cells] & (label[cells] == label[y, x])
            if mask.sum() >= FEWEST:
                assert around.pixels[own] == mask.sum()
                assert np.allclose(around.mean[own], points[:, *cells][:, mask].mean(axis=1), atol=1e-5)
            else:
                assert np.isinf(around.pixels[own])
                assert np.allclose(around.mean[own], clusters[label[y, x]])
            assert around.inside[y, x] == (alone[y, x] and mask.sum() >= FEWEST)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_the_weights_of_a_mixture_are_those_of_non_negative_least_squares(seed, count):
    rng = np.random.default_rng(seed)
    spectra, pixel = rng.normal(size=(count, 6)) + 0.5, rng.normal(size=6)
    weights = np.empty(4)
    residuals.mix_weights(spectra @ spectra.T, spectra @ pixel, count, weights)
    assert np.allclose(weights[:count], nnls(spectra.T, pixel)[0], atol=1e-6)


def whole(residuals):
    return Box(0, residuals.shape[1] - 3, 0, residuals.shape[2] - 3)


def look_at(image, maps, search):
    looked, residuals = look(Block.of(image.astype(np.float32), maps, search), search)
    return looked, windows.window_squares(residuals, whole(residuals))


def test_a_border_leaves_no_residual_and_a_pixel_of_another_phase_does():
    phase = np.zeros((32, 32), np.int64)
    phase[:, 16:] = 1
    means = planted(phase, [(8, 15, 1)], 1.0, blur=0.0)
    label = labels_of(phase)
    _, squares = look_at(means, maps_of(label), search_of(means, label))
    assert squares[0, 8, 15] > 500
    means = planted(phase, [], 0.0, blur=1.0)
    _, squares = look_at(means, maps_of(label), search_of(means, label, sigma=0.1 * SIGMA))
    most = 32 + np.sqrt(2 * 32)
    assert squares[0].max() < most


def test_noise_on_the_axes_is_white_and_differences_keep_their_length():
    sigma = np.linspace(0.02, 0.05, ENERGY.size)
    found = axes.speck_axes(library()[:10], sigma, np.array([1.0, 0.4, 0.1]))
    shared = (
        sigma[:, None]
        * sigma
        * np.select(
            [np.abs(np.subtract.outer(np.arange(60), np.arange(60))) == k for k in range(3)], [1.0, 0.4, 0.1]
        )
    )
    centring = np.eye(60) - 1 / 60
    covariance = found.T @ centring @ shared @ centring @ found
    assert np.allclose(covariance, np.eye(found.shape[1]), atol=1e-3)
    plain = axes.speck_axes(library()[:10], np.full(60, SIGMA), np.ones(1))
    differences = library()[:10] - library()[0]
    differences -= differences.mean(axis=1, keepdims=True)
    whole = np.linalg.norm(differences[1:], axis=1) / SIGMA
    assert np.all(np.linalg.norm(differences[1:] @ plain, axis=1) > 0.99 * whole)


def test_the_law_of_noise_is_found_from_chi_squares():
    rng = np.random.default_rng(0)
    law = significance.fit_law([2.5 * rng.chisquare(20, 40_000) for _ in range(16)], 32)
    assert np.allclose(law.freedom, 20, rtol=0.08)
    assert np.allclose(law.scale, 2.5, rtol=0.08)
    few = significance.fit_law([rng.chisquare(20, 40_000 if s == 0 else 100) for s in range(16)], 32)
    assert np.allclose(few.freedom, few.freedom[0])


def test_probabilities_are_told_beyond_what_a_float_holds():
    law = significance.NullLaw(np.full(16, 2.0), np.full(16, 31.0))
    near = np.array([20.0, 100.0, 1000.0])
    assert np.allclose([law.tail(2.0 * x, 0) for x in near], chi2.logsf(near, 31), rtol=1e-6)
    values = [law.tail(2.0 * x, 0) for x in np.linspace(1200, 1600, 200)]
    assert np.all(np.diff(values) < 0)
    assert np.all(np.diff(values) > -1.2)
    assert np.isfinite(law.tail(1e5, 0))


@pytest.mark.parametrize("blur", [0.0, 0.8])
def test_noise_and_borders_of_grains_make_no_specks(blur):
    for seed in range(3):
        phase = grains(160, seed)
        image = measured(planted(phase, [], 0.0, blur), seed)
        found = found_in(image, labels_of(phase))
        assert found.specks.y.size == 0
        assert 0.5 < found.tail < 2.0


def test_specks_of_one_to_sixteen_pixels_are_found_where_they_are():
    image = measured(planted(uniform(96), SPREAD, 1.0), 1)
    found = found_in(image, labels_of(uniform(96)))
    assert {(y, x, size, size) for y, x, size in SPREAD} == places_of(found.specks)
    assert np.all(found.specks.log_p < np.log(1e-8))
    assert found.kinds.cluster.tolist() == [0]
    assert np.corrcoef(found.kinds.spectrum[0], library()[8])[0, 1] > 0.9999
    difference = (found.kinds.spectrum[0] - library()[8]) / found.kinds.error[0]
    assert np.mean(difference**2) == pytest.approx(1.0, abs=0.5)


def test_the_limit_is_where_noise_would_make_as_many_as_asked_for():
    """A share of the phase at the limit is found sometimes; false alarms asked for are about as many."""
    alarms = [
        found_in(measured(planted(uniform(128), [], 0.0), seed), labels_of(uniform(128)), 30.0).specks.y.size
        for seed in range(4)
    ]
    assert 1 <= np.mean(alarms) <= 45


def test_samples_that_stand_alone_are_hits_and_no_specks():
    image = measured(planted(uniform(96), SPREAD[:2], 1.0), 3)
    image[30, 60, 60] += 2.0
    image[[10, 40], 80, 20] -= 1.5
    image[25, 50:53, 50:53] += 0.5
    found = found_in(image, labels_of(uniform(96)))
    assert places_of(found.specks) == {(12, 12, 1, 1), (12, 40, 2, 2)}
    assert found.hits >= 3


def test_specks_close_to_a_hit_keep_their_spectrum():
    image = measured(planted(uniform(96), [(40, 40, 2)], 1.0), 3)
    image[30, 40, 40] += 2.0
    found = found_in(image, labels_of(uniform(96)))
    assert places_of(found.specks) == {(40, 40, 2, 2)}
    assert found.specks.hits.tolist() == [1]
    assert abs(found.kinds.spectrum[0, 30] - library()[8, 30]) < 0.15


def test_what_varies_slowly_over_the_field_is_in_the_surroundings():
    ramp = np.linspace(-1, 1, 128)[None, None, :] * np.random.default_rng(5).normal(0, 0.02, (60, 1, 1))
    image = measured(planted(uniform(128), [(60, 60, 2)], 1.0), 4) + ramp.astype(np.float32)
    assert places_of(found_in(image, labels_of(uniform(128))).specks) == {(60, 60, 2, 2)}


def test_a_void_pixel_is_in_no_speck():
    image = measured(planted(uniform(96), [(40, 40, 3)], 1.0), 5)
    label = labels_of(uniform(96))
    image[:, 41, 41], label[41, 41] = np.nan, 0
    image[:, 70:, :], label[70:] = np.nan, 0
    found = found_in(image[:, :, :], label)
    assert found.specks.y.size >= 1
    for y, x, height, width in places_of(found.specks):
        assert np.all(label[y : y + height, x : x + width] > 0)
        assert 38 <= y <= 43


def test_the_tip_of_a_grain_at_the_edge_of_the_image_is_no_speck():
    image = measured(planted(uniform(96), [(0, 30, 2), (50, 94, 2), (50, 40, 2)], 1.0), 6)
    assert places_of(found_in(image, labels_of(uniform(96))).specks) == {(50, 40, 2, 2)}


def test_a_speck_that_two_phases_near_by_explain_is_none():
    """Within reach of blur of a second phase, a mixture of both is the border; far from it, it is a speck."""
    phase = uniform(96)
    phase[:, 60:] = 1
    means = planted(phase, [], 0.0)
    for y, x in ((20, 56), (60, 30)):
        means[:, y : y + 2, x : x + 2] = (0.5 * library()[0] + 0.5 * library()[2])[:, None, None]
    found = found_in(measured(means, 7), labels_of(phase))
    assert places_of(found.specks) == {(60, 30, 2, 2)}
    assert found.kinds.cluster.tolist() == [2]
    assert 0.3 < found.kinds.share[0] < 0.7


def test_correlated_noise_raises_the_limits():
    means = planted(uniform(160), [], 0.0)
    noise = gaussian_filter(np.random.default_rng(8).normal(size=means.shape), (0, 1, 1), mode="wrap")
    image = (means + SIGMA * noise / noise.std()).astype(np.float32)
    found = found_in(image, labels_of(uniform(160)))
    assert found.specks.y.size == 0
    assert found.law.scale[15] > 4 * found.law.scale[0]


def cut(sizes):
    """Cut 128 pixels into parts of these sizes, the last of which takes what is left."""
    starts = [0, *(start for start in np.cumsum(sizes).tolist() if start < 128), 128]
    return np.diff(starts).tolist()


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.integers(9, 60), min_size=1, max_size=4),
    st.lists(st.integers(9, 60), min_size=1, max_size=4),
)
def test_the_same_specks_whatever_the_parts(heights, widths):
    label, image, search, law, whole = _scene_for_parts()
    parts = []
    for tile in flat(tile_grid(cut(heights), cut(widths))):
        place = block_of(tile.box, (128, 128))
        block = Block.of(image[:, *place.region], maps_of(label[place.region]), search)
        parts.append(find_specks(block, place, tile.box, (128, 128), search, law, 1e-7))
    joined = join_found(parts)
    order = np.lexsort([joined.specks.x, joined.specks.y])
    for column, expected in zip(joined.specks, whole.specks, strict=True):
        assert np.array_equal(column[order], expected)
    assert joined[1:] == whole[1:]


_PARTS = []


def _scene_for_parts():
    if not _PARTS:
        phase = grains(128, 9)
        places = [(y, x, 1 + (y + x) % 4) for y in range(6, 120, 13) for x in range(6, 120, 17)]
        image, label = measured(planted(phase, places, 0.7, 0.4), 9), labels_of(phase)
        search = search_of(image, label)
        law = specks_of_image(image, maps_of(label), search, 0.1).law
        box = Box(0, 128, 0, 128)
        block = Block.of(image, maps_of(label), search)
        whole = find_specks(block, box, box, (128, 128), search, law, 1e-7)
        order = np.lexsort([whole.specks.x, whole.specks.y])
        specks = type(whole.specks)(*(column[order] for column in whole.specks))
        assert specks.y.size > 20
        _PARTS.append((label, image, search, law, whole._replace(specks=specks)))
    return _PARTS[0]


@pytest.mark.parametrize(("scale", "offset"), [(0.1, 0.0), (20.0, 5.0)])
def test_neither_scale_nor_offset_matters(scale, offset):
    image, label = measured(planted(uniform(96), SPREAD, 0.6), 10), labels_of(uniform(96))
    one = found_in(image, label)
    other = found_in(
        (scale * image + offset).astype(np.float32),
        label,
        sigma=scale * SIGMA,
        known=scale * library() + offset,
    )
    assert places_of(one.specks) == places_of(other.specks)
    assert np.allclose(one.specks.distance, other.specks.distance, rtol=1e-3)


def test_kinds_are_new_compositions_and_pieces_of_the_map():
    phase = uniform(128)
    phase[:, 90:] = 1
    means = planted(phase, [(20, 20, 2), (20, 50, 3), (60, 20, 1)], 1.0)
    means[:, 60:63, 50:53] = library()[2][:, None, None]
    means[:, 90:92, 20:22] = library()[40][:, None, None]
    found = found_in(measured(means, 11), labels_of(phase))
    kind = {
        (y, x): int(number)
        for (y, x), number in zip(
            zip(found.specks.y.tolist(), found.specks.x.tolist(), strict=True),
            found.kinds.number,
            strict=True,
        )
    }
    assert kind[20, 20] == kind[20, 50] == kind[60, 20]
    assert kind[90, 20] not in (kind[20, 20], kind[60, 50])
    assert found.kinds.cluster[kind[60, 50] - 1] == 2
    assert np.count_nonzero(found.kinds.cluster == 0) == 2
    assert kind[60, 50] == 3


def test_two_clusters_in_one_window_are_a_piece_of_the_larger():
    phase = uniform(128)
    phase[:, 90:], phase[100:, :] = 1, 2
    means = planted(phase, [], 0.0)
    means[:, 40:44, 40:43] = library()[2][:, None, None]
    means[:, 40:44, 43:44] = library()[32][:, None, None]
    image = measured(means, 12)
    found = found_in(image, labels_of(phase))
    assert found.kinds.cluster.tolist() == [2] or set(found.kinds.cluster.tolist()) == {2, 3}


def test_blurred_specks_of_one_phase_are_of_one_kind():
    places = [(20, 20, 3), (20, 60, 2), (60, 20, 4), (60, 60, 3)]
    found = found_in(measured(planted(uniform(96), places, 1.0, blur=0.7), 13), labels_of(uniform(96)))
    assert all(hit(found.specks, places))
    assert found.specks.y.size == len(places)
    assert found.kinds.cluster.tolist() == [0]


def test_the_strongest_window_wins_and_what_overlaps_it_is_left_out():
    out = np.zeros((16, 20, 20), np.float32)
    out[0, 5, 5], out[5, 5, 5], out[5, 6, 6], out[0, 12, 12] = 7.0, 9.0, 8.0, 6.0
    out[0, 7, 7] = 5.0
    taken = peaks.strongest(out)
    assert set(zip(taken.shape.tolist(), taken.y.tolist(), taken.x.tolist(), strict=True)) == {
        (5, 5, 5),
        (0, 12, 12),
        (0, 7, 7),
    }


@pytest.mark.parametrize("seed", range(100))
def test_what_explains_a_speck_best_is_never_screened_out(seed):
    rng = np.random.default_rng(seed)
    like, host, variance = rng.normal(size=(6, 4)), rng.normal(size=(1, 4)), rng.uniform(0, 9, 6)
    columns = dict.fromkeys(Specks._fields, np.zeros(1))
    columns |= {"point": rng.normal(size=(1, 4)), "host": host, "variance": np.ones(1)}
    speck = Specks(**columns)
    fits = [kinds._fit(speck, 0, like[k], variance[k]) for k in range(6)]
    best = min(range(6), key=lambda k: fits[k].chi_square)
    wanted = (best, fits[best]) if fits[best].p_value >= kinds.LEVEL else (-1, kinds.NO_FIT)
    assert kinds._best_of(speck, 0, like, variance) == wanted


def test_no_specks_have_no_kinds():
    image, label = measured(planted(uniform(64), [], 0.0), 1), labels_of(uniform(64))
    search = search_of(image, label)
    found = specks_of_image(image, maps_of(label), search, 0.1)
    joined = kinds_of(found.specks, search.clusters.points)
    assert joined.cluster.size == 0
    assert joined.spectrum.shape == (0, 60)


def test_pixels_whose_label_was_filled_in_tell_nothing_of_their_surroundings():
    """A grain that the map lost carries its neighbour's label; that is no reason to expect it there."""
    phase = uniform(96)
    means = planted(phase, [], 0.0)
    means[:, 40:60, 40:60] = library()[2][:, None, None]
    image, label = measured(means, 15), labels_of(phase)
    kept = label.copy()
    kept[36:64, 36:64] = 0
    around = look_at(image, LabelMaps(label, kept), search_of(image, label))[0].around
    assert not around.uniform[36:64, 36:64].any()
    assert around.uniform[:30].all()
    own = around.own[38, 38]
    assert around.pixels[own] < around.pixels[around.own[10, 10]]


def test_a_block_tells_of_all_windows_that_compete_with_those_of_its_box():
    """To the last bit: what decides within a box must not depend on where the block ends."""
    phase = grains(200, 21, count=40)
    image, label = measured(planted(phase, [], 0.0, 0.5), 21), labels_of(phase)
    # noise that varies from pixel to pixel, so that every cell has a scale of its own
    image *= (1.0 + 0.3 * np.random.default_rng(2).random((200, 200))).astype(np.float32)
    search, maps = search_of(image, label), maps_of(label)
    law = specks_of_image(image, maps, search, 0.1).law
    limits = law.limits(0.2)
    looked, squares = look_at(image, maps, search)
    whole = peaks.standing_out(squares, looked.around, looked.scale, limits)
    for box in (Box(96, 104, 88, 96), Box(93, 101, 99, 107), Box(100, 111, 91, 97)):
        block = block_of(box, (200, 200))
        part, some = look_at(image[:, *block.region], maps.cut(block.region), search)
        out = peaks.standing_out(some, part.around, part.scale, limits)
        wide = box.widened(peaks.REACH, (200, 200))
        inside = wide.seen_from(block.y0, block.x0)
        assert np.array_equal(out[:, *inside.region], whole[:, *wide.region])


def test_shapes_that_no_phase_is_wide_enough_for_are_not_searched():
    """Stripes of 7 pixels have 3 inside; nothing tells what noise does to windows of 4."""
    phase = np.broadcast_to((np.arange(140) + 5) // 7 % 3, (140, 140)).copy()
    found = found_in(measured(planted(phase, [], 0.0), 16), labels_of(phase))
    assert np.array_equal(np.isinf(found.law.scale), windows.WIDTHS == 4)
    checks = (np.add.outer(np.arange(90) // 3, np.arange(90) // 3) % 3).astype(np.int64)
    none = found_in(measured(planted(checks, [], 0.0), 17), labels_of(checks))
    assert np.isinf(none.law.scale).all()
    assert none.specks.y.size == 0
    assert np.isnan(none.tail)


@pytest.mark.parametrize("energies", [3, 5, 9])
def test_few_energies_give_few_axes_and_no_error(energies):
    keep = np.linspace(10, 50, energies).astype(int)
    image = measured(planted(uniform(96), [(40, 40, 4)], 1.0), 18)[keep]
    found = found_in(image, labels_of(uniform(96)), known=library()[:, keep])
    assert np.isfinite(found.law.scale).all()
    assert found.specks.y.size <= 1

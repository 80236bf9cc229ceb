"""Registration, placement and blending of overlapping fields, with planted offsets of parts of a pixel."""

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.raw.absorbance import Absorbance
from gigaxas.raw.blending import add_piece, empty_mosaic, normalise_weights, pieces, weights
from gigaxas.raw.placement import place_fields
from gigaxas.raw.registration import Pair, measure_offset, overlapping, shared
from gigaxas.report.seams import seams
from gigaxas.simulate import sinter_scene
from gigaxas.tiles import flat, regular_grid
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_files import texture
from scipy import ndimage

PLANE = (96, 110)
NOISE = 0.03


def cut(image, corner, plane=PLANE):
    """The part of an image at a corner in parts of a pixel, by a fifth-order spline."""
    whole = np.floor(corner).astype(int)
    part = image[whole[0] - 8 : whole[0] + plane[0] + 8, whole[1] - 8 : whole[1] + plane[1] + 8]
    return ndimage.shift(part, whole - np.asarray(corner), order=5)[8:-8, 8:-8]


def noisy(image, rng):
    return (image + rng.normal(0, NOISE, image.shape)).astype(np.float32)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("overlap", [32, 60])
def test_planted_offsets_are_found_to_a_tenth_of_a_pixel(seed, overlap):
    rng = np.random.default_rng(seed)
    image = texture((260, 300), seed, scale=2.5)
    stage = np.array([[0, PLANE[1] - overlap], [PLANE[0] - overlap, 0]][seed % 2], dtype=float)
    true = stage + rng.uniform(-6, 6, 2)
    first, second = cut(image, (40, 40)), cut(image, 40 + true)
    offset, r, why = measure_offset(noisy(first, rng), noisy(second, rng), stage, NOISE, shift_limit=10)
    assert why == ""
    assert np.abs(offset - true).max() < 0.1
    assert r > 0.8


def test_offsets_are_found_on_the_sinter_with_missing_pixels():
    rng = np.random.default_rng(0)
    scene = sinter_scene((320, 320), 3)
    image = np.where(scene.phase < 61, scene.thickness, 0.0)
    image[rng.random(image.shape) < 0.01] = np.nan
    true, stage = np.array([3.0, 158.0]), np.array([0.0, 152.0])
    first, second = image[20:220, :200], image[23:223, 158:358]
    second = np.pad(second, ((0, 0), (0, 200 - second.shape[1])), constant_values=np.nan)
    offset, _, why = measure_offset(noisy(first, rng), noisy(second, rng), stage, NOISE, shift_limit=10)
    assert why == ""
    assert np.abs(offset - true).max() < 0.1


def test_noise_alone_has_no_texture_and_strangers_are_not_alike():
    rng = np.random.default_rng(1)
    flat_images = [noisy(np.ones(PLANE), rng) for _ in range(2)]
    stage = np.array([0.0, 60.0])
    assert measure_offset(*flat_images, stage, NOISE, 10)[2] == "no texture"
    strangers = [noisy(texture(PLANE, seed), rng) for seed in (1, 2)]
    offset, _, why = measure_offset(*strangers, stage, NOISE, 10)
    assert why == "not alike"
    np.testing.assert_array_equal(offset, stage)


@settings(max_examples=40, deadline=None)
@given(st.tuples(st.integers(-30, 30), st.integers(-30, 30)))
def test_what_two_fields_share_is_the_same_place(offset):
    image = np.arange(100 * 100).reshape(100, 100)
    first = image[30:70, 30:70]
    second = image[30 + offset[0] : 70 + offset[0], 30 + offset[1] : 70 + offset[1]]
    a, b = shared(np.array(offset, float), (40, 40))
    np.testing.assert_array_equal(first[a.region], second[b.region])


def grid_of_fields(rows, columns, step, rng, error=4.0):
    stage = np.array([(y * step, x * step) for y in range(rows) for x in range(columns)], dtype=float)
    return stage, stage + rng.uniform(-error, error, stage.shape)


def measured(stage, true, plane, rng, noise=0.02):
    for a, b in overlapping(stage, plane):
        offset = true[b] - true[a] + rng.normal(0, noise, 2)
        yield Pair(a, b, tuple(stage[b] - stage[a]), tuple(offset), 0.9)


def names_of(stage):
    return [f"f{i}" for i in range(len(stage))]


def test_all_fields_are_placed_together_and_wrong_pairs_left_out():
    rng = np.random.default_rng(5)
    stage, true = grid_of_fields(7, 8, 80, rng)
    pairs = list(measured(stage, true, (100, 100), rng))
    for i in (3, 40, 90):
        pairs[i] = Pair(
            pairs[i].first, pairs[i].second, pairs[i].stage, tuple(np.add(pairs[i].offset, (6, -5))), 0.5
        )
    placed = place_fields(names_of(stage), stage, pairs, shift_limit=20)
    away = placed.corners - true
    assert np.abs(away - away.mean(axis=0)).max() < 0.1
    assert [i for i, pair in enumerate(placed.pairs) if pair.rejected] == [3, 40, 90]
    assert "3 of" in placed.warnings[0]
    np.testing.assert_allclose((placed.corners - stage).mean(axis=0), 0, atol=1e-6)


def test_a_field_alone_or_without_texture_stays_where_the_stage_says():
    stage = np.array([[0.0, 0], [0, 80], [0, 160], [500, 500]])
    true = stage + np.array([[0, 0], [1, 2], [0, 0], [0, 0]])
    pairs = [
        Pair(0, 1, (0, 80), tuple(true[1] - true[0]), 0.9),
        Pair(1, 2, (0, 80), (0, 80), 0.0, "no texture"),
    ]
    placed = place_fields(names_of(stage), stage, pairs, shift_limit=20)
    np.testing.assert_allclose(placed.corners[1] - placed.corners[0], (1, 82), atol=1e-3)
    np.testing.assert_allclose(placed.corners[2:], stage[2:], atol=1e-3)
    assert any("'f2' has no texture" in line for line in placed.warnings)
    assert any("'f3' overlaps no other" in line for line in placed.warnings)
    assert placed.whole[0] == (0, 0)
    assert placed.shape((100, 100))[1] == 601


def test_the_only_field_is_placed_without_a_warning():
    placed = place_fields(["f1"], np.array([[20.0, 30.0]]), [], shift_limit=20)
    assert placed.warnings == ()
    assert placed.whole == ((0, 0),)


def test_overlaps_that_disagree_are_refused_by_name():
    stage = np.array([[0.0, 0], [0, 80], [0, 160]])
    pairs = [Pair(0, 1, (0, 80), (0, 81), 0.9), Pair(1, 2, (0, 80), (0, 80), 0.1, "not alike")]
    with pytest.raises(InputError, match=r"'f2': its overlaps with f1 disagree.*check its position"):
        place_fields(names_of(stage), stage, pairs, shift_limit=20)


def mosaic_oracle(images, valid, corners, plane, shape, blend):
    """Every pixel of the mosaic, one by one."""
    value, source = np.full(shape, np.nan), np.zeros(shape, int)
    for y in range(shape[0]):
        for x in range(shape[1]):
            seen = []
            for number, (top, left) in enumerate(corners):
                v, u = y - top, x - left
                if 0 <= v < plane[0] and 0 <= u < plane[1] and valid[number][v, u]:
                    depth = min(v + 1, plane[0] - v, u + 1, plane[1] - u)
                    seen.append((depth, -number, images[number][v, u]))
            if seen:
                best = max(seen)
                source[y, x] = 1 - best[1]
                value[y, x] = (
                    best[2]
                    if blend == "nearest"
                    else np.average([one[2] for one in seen], weights=[one[0] for one in seen])
                )
    return value, source


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["feathered", "nearest"]), st.integers(3, 40))
def test_blending_is_right_for_any_tiles(seed, blend, side):
    rng = np.random.default_rng(seed)
    plane, count = (9, 11), 4
    corners = [tuple(int(v) for v in corner) for corner in rng.integers(0, 12, (count, 2))]
    corners = [(y - min(c[0] for c in corners), x - min(c[1] for c in corners)) for y, x in corners]
    images = rng.normal(size=(count, *plane)).astype(np.float32)
    valid = rng.random((count, *plane)) > 0.1
    shape = tuple(max(c[axis] for c in corners) + plane[axis] for axis in (0, 1))
    value, source = np.zeros(shape), np.zeros(shape, int)
    for tile in flat(regular_grid(shape, (side, side))):
        mosaic = empty_mosaic(1, tile.shape)
        for piece in pieces(tile, tuple(corners), plane):
            part = piece.source.region
            mu, good = images[piece.field][None, *part], valid[piece.field][part]
            add_piece(mosaic, piece, Absorbance(mu, 2 * mu[0], good), weights(piece, plane), blend)
        normalise_weights(mosaic)
        value[tile.region], source[tile.region] = mosaic.mu[0], mosaic.source
        np.testing.assert_allclose(mosaic.c_ref, 2 * mosaic.mu[0], atol=1e-6)
    wanted, field = mosaic_oracle(images, valid, corners, plane, shape, blend)
    np.testing.assert_array_equal(source, field)
    np.testing.assert_allclose(value[source > 0], wanted[source > 0], atol=1e-5)
    assert not value[source == 0].any()


def test_seams_are_where_fields_meet():
    field = np.array([[1, 1, 2], [1, 3, 3], [0, 3, 3]])
    assert seams(field).tolist() == [[False, True, True], [True, False, False], [False, False, False]]

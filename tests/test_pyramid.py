"""Half-size maps against an obvious oracle, and that blocks joined are the whole map's."""

from collections import Counter

import numpy as np
import pytest
from gigaxas.spatial.pyramid import find_boxes, halve_labels, halve_values, level_shapes, rank_labels
from gigaxas.tiles import flat, regular_grid
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

LABELS = hnp.arrays(
    np.uint16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=19), elements=st.integers(0, 5)
)


def blocks(values):
    """The 2 x 2 blocks of a map, fewer pixels where it ends."""
    height, width = values.shape
    return [[values[y : y + 2, x : x + 2].ravel() for x in range(0, width, 2)] for y in range(0, height, 2)]


def winner(block, pixels, rare_first=True):
    votes = Counter(int(v) for v in block)
    best = [label for label, n in votes.items() if n == max(votes.values())]
    sign = 1 if rare_first else -1
    return min(best, key=lambda label: (label == 0, sign * pixels[label], label))


@settings(max_examples=80, deadline=None)
@given(LABELS, st.booleans())
def test_half_a_label_map_holds_the_most_frequent_and_of_equals_the_rarest(labels, rare_first):
    pixels = np.bincount(labels.ravel(), minlength=6)
    half = halve_labels(labels, rank_labels(pixels, rare_first))
    assert half.dtype == labels.dtype
    np.testing.assert_array_equal(
        half, [[winner(block, pixels, rare_first) for block in row] for row in blocks(labels)]
    )


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=15),
        elements=st.one_of(st.floats(-8, 8, width=32), st.just(np.nan), st.just(np.inf)),
    )
)
def test_half_a_measured_map_holds_means_of_what_is_finite(values):
    half = halve_values(values)
    for row, line in zip(half, blocks(values), strict=True):
        for value, block in zip(row, line, strict=True):
            known = block[np.isfinite(block)].astype(np.float64)
            np.testing.assert_allclose(value, known.mean() if known.size else np.nan, rtol=1e-6, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(LABELS, st.integers(1, 3))
def test_blocks_joined_are_the_whole_map(labels, power):
    rank = rank_labels(np.bincount(labels.ravel(), minlength=6))
    whole = labels
    for _ in range(power):
        whole = halve_labels(whole, rank)
    joined, step = np.zeros_like(whole), 2**power
    for tile in flat(regular_grid(labels.shape, (step * 2, step * 3))):
        part = labels[tile.region]
        for _ in range(power):
            part = halve_labels(part, rank)
        y, x = tile.y0 // step, tile.x0 // step
        joined[y : y + part.shape[0], x : x + part.shape[1]] = part
    np.testing.assert_array_equal(joined, whole)


@given(st.integers(1, 50_000), st.integers(1, 50_000))
def test_levels_halve_until_one_tile_holds_the_map(height, width):
    shapes = level_shapes((height, width), 512)
    assert shapes[0] == (height, width)
    assert max(shapes[-1]) <= 512
    for level, shape in enumerate(shapes):
        assert shape == (-(-height // 2**level), -(-width // 2**level))
        assert level == len(shapes) - 1 or max(shape) > 512


@settings(max_examples=60, deadline=None)
@given(LABELS, st.integers(1, 8))
def test_boxes_tell_where_every_label_lies(labels, side):
    expected = set()
    for top in range(0, labels.shape[0], side):
        for left in range(0, labels.shape[1], side):
            cell = labels[top : top + side, left : left + side]
            for label in set(cell.ravel().tolist()) - {0}:
                y, x = np.nonzero(cell == label)
                box = (top + y.min(), top + y.max() + 1, left + x.min(), left + x.max() + 1, len(y))
                expected.add((label, *(int(v) for v in box)))
    found = {tuple(int(v) for v in row) for row in find_boxes(labels, 5, side)}
    assert found == expected


def test_equal_counts_never_let_void_win():
    rank = rank_labels(np.array([1, 500, 3]))
    assert halve_labels(np.array([[0, 1], [1, 0]], np.uint16), rank)[0, 0] == 1
    assert halve_labels(np.array([[1, 2], [1, 2]], np.uint16), rank)[0, 0] == 2
    assert halve_labels(np.array([[1, 2], [1, 0]], np.uint16), rank)[0, 0] == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_every_label_type_is_kept(dtype):
    assert halve_labels(np.ones((3, 3), dtype), np.arange(2)).dtype == dtype

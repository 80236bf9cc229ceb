import numpy as np
import pytest
from gigaxas.tiles import (
    BLOCK_BYTES,
    Tile,
    blocks_of,
    chunk_rows,
    flat,
    parts_of,
    regular_grid,
    tile_grid,
    tile_shape,
)
from hypothesis import given
from hypothesis import strategies as st

lengths = st.lists(st.integers(1, 9), min_size=1, max_size=5)


@given(lengths, lengths)
def test_tiles_cover_every_pixel_once(heights, widths):
    seen = np.zeros((sum(heights), sum(widths)), int)
    for tile in flat(tile_grid(heights, widths)):
        seen[tile.region] += 1
    assert (seen == 1).all()


@given(lengths, lengths, st.integers(1, 4))
def test_interior_is_what_lies_a_radius_inside_the_image(heights, widths, radius):
    shape = (sum(heights), sum(widths))
    inside = np.zeros(shape, bool)
    inside[radius : shape[0] - radius, radius : shape[1] - radius] = True
    for tile in flat(tile_grid(heights, widths)):
        y0, y1, x0, x1 = tile.interior(radius, shape)
        here = np.zeros(tile.shape, bool)
        here[y0:y1, x0:x1] = True
        np.testing.assert_array_equal(here, inside[tile.region])


@given(lengths, lengths, st.integers(0, 4))
def test_halo_and_padding_make_a_window_of_full_size(heights, widths, halo):
    shape = (sum(heights), sum(widths))
    image = np.arange(shape[0] * shape[1]).reshape(shape)
    whole = np.pad(image, halo, constant_values=-1)
    for tile in flat(tile_grid(heights, widths)):
        window = np.pad(image[tile.padded(halo, shape)], tile.padding(halo, shape), constant_values=-1)
        expected = whole[tile.y0 : tile.y1 + 2 * halo, tile.x0 : tile.x1 + 2 * halo]
        np.testing.assert_array_equal(window, expected)


def test_the_last_tiles_take_what_is_left():
    last = flat(regular_grid((5, 7), (2, 4)))[-1]
    assert last == Tile(row=2, column=1, y0=4, y1=5, x0=4, x1=7)


@pytest.mark.parametrize(
    ("chunk", "bytes_per_pixel", "tile"),
    [
        ((256, 256), 356, (512, 512)),  # the layout gigaxas writes
        ((64, 64), 356, (512, 512)),  # small chunks are joined
        ((300, 300), 356, (300, 300)),  # four of these would be more
        ((2304, 4096), 356, (576, 512)),  # a whole field of view is cut
        ((100, 100), 10**9, (1, 1)),  # never less than a pixel
    ],
)
def test_a_tile_holds_about_96_megabytes(chunk, bytes_per_pixel, tile):
    assert tile_shape(chunk, bytes_per_pixel) == tile


@given(
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.data(),
)
def test_parts_cover_a_tile_once_and_are_those_of_the_whole_grid(shape, step, data):
    whole = flat(regular_grid(shape, step))
    tiles = regular_grid(shape, tuple(data.draw(st.integers(1, 3)) * side for side in step))
    assert sorted(tile_key(part) for tile in flat(tiles) for part in parts_of(tile, step)) == sorted(
        map(tile_key, whole)
    )


def tile_key(tile):
    return tile.row, tile.column, *tile.box


@given(st.integers(0, 30), st.integers(1, 30), st.integers(1, 9))
def test_rows_of_chunks_end_where_chunks_end(start, length, height):
    rows = chunk_rows(Tile(0, 0, start, start + length, 2, 5), height)
    ends = [part.y1 for part in rows]
    assert [part.y0 for part in rows] == [start, *ends[:-1]]
    assert ends == [y for y in range(start + 1, start + length) if y % height == 0] + [start + length]


@pytest.mark.parametrize(
    ("tile", "blocks"),
    [
        (Tile(0, 0, 0, 8, 0, 8), [(0, 4, 0, 4), (0, 4, 4, 8), (4, 8, 0, 4), (4, 8, 4, 8)]),
        (Tile(0, 1, 0, 4, 4, 8), [(0, 4, 4, 8)]),
        (Tile(0, 0, 2, 10, 0, 8), [(2, 10, 0, 8)]),  # starts inside a chunk
    ],
)
def test_a_tile_is_cut_into_blocks_of_whole_chunks_or_not_at_all(tile, blocks):
    assert [part.box for part in blocks_of(tile, (4, 4), BLOCK_BYTES // 16)] == blocks

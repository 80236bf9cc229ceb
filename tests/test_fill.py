import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.spatial.clean_up import CleanUp
from gigaxas.spatial.fill import fill_edges, fill_map, fill_tile, join_fill, merge_fill
from gigaxas.spatial.regions import clean_up_map
from gigaxas.tiles import tile_grid
from hypothesis import given, settings
from hypothesis import strategies as st
from map_oracle import oracle_fill_by_distance, oracle_fill_by_growth, oracle_states
from map_strategies import blockings, clean_ups, label_maps, sparse_maps, tilings
from map_tiles import fill_by_tiles, merge_in_blocks, states_by_tiles


@settings(deadline=None, max_examples=400)
@given(st.data(), sparse_maps())
def test_any_tiling_gives_the_fill_of_the_method(data, scene):
    kept, void = scene
    filled = fill_by_tiles(kept, void, *data.draw(tilings(kept.shape)))
    np.testing.assert_array_equal(filled, oracle_fill_by_distance(kept, void))
    np.testing.assert_array_equal(filled, oracle_fill_by_growth(kept, void))
    np.testing.assert_array_equal(filled, fill_map(kept, void))
    assert filled.dtype == kept.dtype


@settings(deadline=None, max_examples=400)
@given(st.data(), sparse_maps())
def test_rings_merged_in_blocks_are_those_merged_at_once(data, scene):
    """Fails where a block drops a line of its ring, or what comes from outside stops at the tile it meets."""
    kept, _ = scene
    tiles = tile_grid(*data.draw(tilings(kept.shape)))
    grid = [[fill_edges(kept[tile.region]) for tile in row] for row in tiles]
    levels = data.draw(blockings(len(grid), len(grid[0])))
    found = merge_in_blocks(grid, levels, join_fill, merge_fill)
    for row, expected in zip(found, merge_fill(grid), strict=True):
        for one, other in zip(row, expected, strict=True):
            np.testing.assert_array_equal(one.keys, other.keys)
    np.testing.assert_array_equal(join_fill(grid).keys, fill_edges(kept).keys)


@settings(deadline=None, max_examples=150)
@given(st.data(), clean_ups)
def test_fill_and_states_after_a_clean_up(data, clean_up):
    labels = data.draw(label_maps(smallest=clean_up.k_size))
    void = None if clean_up.fill_void else labels == 0
    tiling = data.draw(tilings(labels.shape))
    kept = clean_up_map(labels, clean_up)
    filled = fill_by_tiles(kept, void, *tiling)
    np.testing.assert_array_equal(filled, oracle_fill_by_growth(kept, void))
    states = states_by_tiles(labels, kept, void, *tiling, clean_up.k_size)
    np.testing.assert_array_equal(states, oracle_states(labels, kept, clean_up))
    assert states.dtype == np.uint8


@pytest.mark.parametrize("step", [1, 3, 8, 40])
def test_one_kept_pixel_fills_an_image_of_empty_tiles(step):
    kept = np.zeros((40, 40), np.uint16)
    kept[37, 2] = 9
    assert (fill_by_tiles(kept, None, cut(40, step), cut(40, step)) == 9).all()


@pytest.mark.parametrize("step", [1, 4, 5, 33])
def test_lower_label_wins_half_way_over_empty_tiles(step):
    kept = np.zeros((9, 33), np.uint16)
    kept[4, 0], kept[4, 32] = 8, 3
    filled = fill_by_tiles(kept, None, cut(9, step), cut(33, step))
    assert (filled[:, :16] == 8).all()
    assert (filled[:, 16:] == 3).all()


def cut(length, step):
    return [min(step, length - start) for start in range(0, length, step)]


def test_void_pixels_stay_void_and_do_not_stand_in_the_way():
    kept = np.zeros((5, 9), np.uint16)
    kept[2, 0] = 4
    void = np.zeros((5, 9), bool)
    void[:, 3:6] = True
    filled = fill_by_tiles(kept, void, [2, 3], [4, 1, 4])
    assert not filled[void].any()
    assert (filled[~void] == 4).all()


def test_nothing_kept_leaves_no_label():
    kept = np.zeros((12, 7), np.uint32)
    assert not fill_by_tiles(kept, None, [5, 7], [3, 4]).any()
    assert not fill_map(kept).any()


def test_largest_labels_survive():
    kept = np.zeros((3, 50), np.uint32)
    kept[1, 3], kept[0, 40] = np.iinfo(np.uint32).max, np.iinfo(np.uint32).max - 1
    np.testing.assert_array_equal(fill_by_tiles(kept, None, [3], [17, 33]), oracle_fill_by_growth(kept))


def test_merging_changes_no_ring_it_was_given():
    kept = np.zeros((8, 8), np.uint16)
    kept[0, 0] = 1
    grid = [[fill_edges(kept[:, :4]), fill_edges(kept[:, 4:])]]
    before = [edges.keys.copy() for edges in grid[0]]
    merge_fill(grid)
    for edges, keys in zip(grid[0], before, strict=True):
        np.testing.assert_array_equal(edges.keys, keys)


def test_read_only_tiles_are_welcome():
    kept = np.zeros((8, 8), np.uint16)
    kept[3, 3] = 5
    kept.flags.writeable = False
    assert (fill_map(kept) == 5).all()
    assert (clean_up_map(np.broadcast_to(np.uint16(2), (8, 8)), CleanUp())[2:6, 2:6] == 2).all()


def test_parts_of_different_tiles_are_refused():
    kept = np.ones((4, 6), np.uint16)
    with pytest.raises(InputError, match=r"shape \(4, 6\), its ring \(6, 4\)"):
        fill_tile(kept, fill_edges(kept.T))
    with pytest.raises(InputError, match=r"void mask \(4, 5\)"):
        fill_map(kept, np.zeros((4, 5), bool))
    with pytest.raises(InputError, match="at least one pixel"):
        fill_map(np.zeros((0, 4), np.uint16))
    with pytest.raises(InputError, match="expected two dimensions"):
        fill_map(np.ones((4, 6)))

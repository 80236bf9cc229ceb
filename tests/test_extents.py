import numpy as np
from gigaxas.spatial.extents import find_extents, join_extents, whole_extents
from gigaxas.tiles import tile_grid
from hypothesis import given, settings
from hypothesis import strategies as st
from map_strategies import blockings, label_maps, tilings
from map_tiles import each_tile, in_blocks
from scipy import ndimage

NEIGHBOURS = np.ones((3, 3))


def oracle(label):
    """One row a label: regions, box, pixels and box of the largest region, the first of equals."""
    rows = {}
    for k in np.unique(label[label > 0]):
        regions, count = ndimage.label(label == k, NEIGHBOURS)
        sizes = [np.count_nonzero(regions == n) for n in range(1, count + 1)]
        firsts = [np.flatnonzero(regions.ravel() == n)[0] for n in range(1, count + 1)]
        best = min(range(count), key=lambda i: (-sizes[i], firsts[i]))
        rows[int(k)] = (count, bounds(label == k), sizes[best], bounds(regions == best + 1))
    return rows


def bounds(mask):
    y, x = np.nonzero(mask)
    return [y.min(), y.max() + 1, x.min(), x.max() + 1]


def measured(label, heights, widths, levels=()):
    grid = tile_grid(heights, widths)
    parts = [
        [find_extents(label[tile.region], tile.y0, tile.x0, label.shape[1]) for tile in row] for row in grid
    ]
    for blocks in levels:
        parts = each_tile(join_extents, in_blocks(parts, *blocks))
    found = whole_extents(join_extents(parts))
    return {
        int(k): (found.regions[i], found.box[i].tolist(), found.largest[i], found.largest_box[i].tolist())
        for i, k in enumerate(found.labels)
    }


@settings(deadline=None)
@given(st.data())
def test_extents_are_those_of_the_whole_map_for_any_tiles(data):
    label = data.draw(label_maps())
    heights, widths = data.draw(tilings(label.shape))
    assert measured(label, heights, widths) == oracle(label)


@settings(deadline=None)
@given(st.data())
def test_extents_joined_in_blocks_are_those_of_the_whole_map(data):
    """Fails where a block drops a line of its ring, or takes a region that goes on outside for whole."""
    label = data.draw(label_maps())
    heights, widths = data.draw(tilings(label.shape))
    levels = data.draw(blockings(len(heights), len(widths)))
    assert measured(label, heights, widths, levels) == oracle(label)


def test_a_ring_over_four_tiles_is_one_region():
    label = np.zeros((8, 8), np.uint16)
    label[2:6, 2:6] = 7
    label[3:5, 3:5] = 9
    label[0, 0] = 9
    found = measured(label, [4, 4], [4, 4])
    assert found == {7: (1, [2, 6, 2, 6], 12, [2, 6, 2, 6]), 9: (2, [0, 5, 0, 5], 4, [3, 5, 3, 5])}


def test_of_equal_regions_the_first_in_reading_order_is_the_largest():
    label = np.array([[0, 0, 0, 5], [5, 0, 0, 0]], np.uint16)
    assert measured(label, [2], [2, 2])[5] == (2, [0, 2, 0, 4], 1, [0, 1, 3, 4])


def test_of_equal_regions_in_tiles_below_each_other_the_upper_is_the_largest():
    label = np.array([[0, 0, 0], [5, 0, 0], [0, 0, 5]], np.uint16)
    assert measured(label, [2, 1], [3])[5] == (2, [1, 3, 0, 3], 1, [1, 2, 0, 1])


def test_a_map_without_labels_has_no_extents():
    assert measured(np.zeros((3, 3), np.uint16), [3], [3]) == {}

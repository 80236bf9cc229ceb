import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.spatial.clean_up import CleanUp
from gigaxas.spatial.regions import clean_up_map, find_regions, join_regions, merge_regions, region_edges
from gigaxas.tiles import tile_grid
from hypothesis import given, settings
from hypothesis import strategies as st
from map_oracle import oracle_clean_up
from map_strategies import blockings, clean_ups, label_maps, tilings
from map_tiles import clean_up_by_tiles, merge_in_blocks
from scipy import ndimage

TILINGS_OF_30 = [[30], [1] * 30, [7, 1, 9, 1, 12], [10, 10, 10], [29, 1]]


@settings(deadline=None, max_examples=400)
@given(st.data(), clean_ups)
def test_any_tiling_gives_the_map_of_the_method(data, clean_up):
    labels = data.draw(label_maps(smallest=clean_up.k_size))
    heights, widths = data.draw(tilings(labels.shape))
    by_tiles = clean_up_by_tiles(labels, heights, widths, clean_up)
    np.testing.assert_array_equal(by_tiles, oracle_clean_up(labels, *clean_up))
    np.testing.assert_array_equal(by_tiles, clean_up_map(labels, clean_up))
    assert by_tiles.dtype == labels.dtype


@settings(deadline=None, max_examples=400)
@given(st.data(), label_maps(smallest=1))
def test_regions_joined_in_blocks_are_those_joined_at_once(data, labels):
    """Fails where a block drops a line of its ring, or numbers what lies inside before what touches it."""
    few = np.random.default_rng(labels.size).random(labels.shape) < 0.1
    grid = edges_of(labels, np.where(few, labels, 0), *data.draw(tilings(labels.shape)))
    levels = data.draw(blockings(len(grid), len(grid[0])))
    found = merge_in_blocks(grid, levels, join_regions, merge_regions)
    for row, expected in zip(found, merge_regions(grid), strict=True):
        for one, other in zip(row, expected, strict=True):
            np.testing.assert_array_equal(one, other)


@settings(deadline=None, max_examples=100)
@given(st.data(), label_maps(smallest=1))
def test_joined_tiles_have_the_edges_of_the_one_tile_that_they_make(data, labels):
    cores = np.where(labels == 2, labels, 0)
    grid = edges_of(labels, cores, *data.draw(tilings(labels.shape)))
    joined, whole = join_regions(grid), region_edges(labels, find_regions(labels, cores))
    assert joined.shape == whole.shape
    np.testing.assert_array_equal(joined.labels, whole.labels)
    np.testing.assert_array_equal(joined.has_core[joined.components], whole.has_core[whole.components])
    pairs = set(zip(joined.components.tolist(), whole.components.tolist(), strict=True))
    assert len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs})
    assert joined.has_core.size == whole.has_core.size


def edges_of(labels, cores, heights, widths):
    """What merging needs of every tile of a map with these cores."""
    return [
        [region_edges(labels[t.region], find_regions(labels[t.region], cores[t.region])) for t in row]
        for row in tile_grid(heights, widths)
    ]


def spiral(size, rescued):
    """A line of label 2, one pixel wide, winding inwards over label 1; in its middle a core of 2 or none."""
    labels = np.ones((size, size), np.uint16)
    y, x, dy, dx = 3, 3, 0, 1
    labels[y, x] = 2
    for length in range(size - 7, 8, -2):
        for _ in range(2):
            for _ in range(length):
                y, x = y + dy, x + dx
                labels[y, x] = 2
            dy, dx = dx, -dy
    if rescued:
        labels[y - 2 : y + 3, x - 2 : x + 3] = 2
    return labels


@pytest.mark.parametrize("rescued", [True, False])
@pytest.mark.parametrize("heights", TILINGS_OF_30)
def test_a_spiral_over_many_tiles_lives_by_the_core_at_its_end(heights, rescued):
    labels = spiral(30, rescued)
    kept = clean_up_by_tiles(labels, heights, heights[::-1], CleanUp(3, 9))
    assert (kept[3, 3] == 2) == rescued
    np.testing.assert_array_equal(kept, oracle_clean_up(labels, 3, 9))


@pytest.mark.parametrize("widths", [[5] * 8, [1] * 40, [13, 1, 1, 25]])
def test_a_core_rescues_its_region_several_tiles_away(widths):
    labels = np.ones((9, 40), np.uint16)
    labels[4] = 3
    labels[2:7, 2:7] = 3
    kept = clean_up_by_tiles(labels, [4, 5], widths, CleanUp(5, 23))
    assert (kept[4, 2:-2] == 3).all()
    np.testing.assert_array_equal(kept, oracle_clean_up(labels, 5, 23))


@pytest.mark.parametrize("mirrored", [False, True])
def test_regions_that_meet_only_at_a_corner_of_four_tiles_are_one(mirrored):
    labels = np.ones((16, 16), np.uint16)
    labels[3:8, 3:8] = 2
    labels[8, 8] = labels[9, 9] = 2
    labels = labels[:, ::-1].copy() if mirrored else labels
    kept = clean_up_by_tiles(labels, [8, 8], [8, 8], CleanUp(5, 25))
    np.testing.assert_array_equal(kept, oracle_clean_up(labels, 5, 25))
    assert kept[9, 6 if mirrored else 9] == 2


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_regions_that_meet_only_diagonally_across_an_edge_are_one(turn, mirrored):
    labels = np.ones((16, 16), np.uint16)
    labels[3:8, 3:8] = 2
    labels[8, 8] = labels[7, 8] = 1
    labels[8, 3] = labels[9, 3] = 1
    labels[8, 2] = 2
    labels[7, 3] = 2
    labels[8, 4:8] = 1
    labels = np.rot90(labels[:, ::-1] if mirrored else labels, turn).copy()
    kept = clean_up_by_tiles(labels, [8, 8], [8, 8], CleanUp(5, 25))
    expected = oracle_clean_up(labels, 5, 25)
    np.testing.assert_array_equal(kept, expected)
    assert (kept == 2).sum() == 26


@settings(deadline=None, max_examples=100)
@given(label_maps(smallest=1))
def test_components_are_eight_connected_areas_of_one_label_border_first(labels):
    regions = find_regions(labels, np.where(labels == 2, labels, 0).astype(labels.dtype))
    count = 0
    for label in range(1, 5):
        areas, found = ndimage.label(labels == label, structure=np.ones((3, 3)))
        count += found
        pairs = {*zip(areas[areas > 0], regions.components[areas > 0], strict=True)}
        assert len(pairs) == found == len({component for _, component in pairs})
    assert regions.has_core.size == count + 1
    assert (regions.components == 0).sum() == (labels == 0).sum()
    edges = region_edges(labels, regions)
    assert sorted({*edges.components} - {0}) == list(range(1, regions.border + 1))
    np.testing.assert_array_equal(regions.has_core[regions.components], labels == 2)


def test_tiles_that_form_no_grid_are_refused():
    def edges(*shape):
        tile = np.ones(shape, np.uint16)
        return region_edges(tile, find_regions(tile, tile))

    for grid in (
        [[edges(3, 4), edges(2, 4)]],
        [[edges(3, 4)], [edges(3, 5)]],
        [[edges(3, 4)] * 2, [edges(3, 4)]],
    ):
        with pytest.raises(InputError, match="do not form a grid"):
            merge_regions(grid)

"""The bounds that searches leave entries out by: never above the distance, never broken by rounding."""

import numpy as np
from gigaxas.search import find_neighbours, fit_search
from gigaxas.search.axes import fit_axes, running_average
from gigaxas.search.segments import fit_segments, segment_sums
from gigaxas.search.tree import build_tree, nearest_entries, new_walk
from hypothesis import given, settings
from hypothesis import strategies as st
from search_data import KINDS, library, searches


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distances (q, n) in extended precision."""
    gaps = a[:, None].astype(np.longdouble) - b.astype(np.longdouble)
    return np.sqrt((gaps**2).sum(axis=2))


@settings(max_examples=60, deadline=None)
@given(data=searches(most=40, longest=60), components=st.integers(1, 8), half=st.integers(0, 3))
def test_coordinates_are_never_further_apart_than_spectra(
    data: tuple[np.ndarray, np.ndarray, int], components: int, half: int
) -> None:
    entries, spectra, _ = data
    axes = fit_axes(entries, min(components, *entries.shape), 2 * half + 1)
    away = distances(spectra, entries)
    length = np.linalg.norm(spectra, axis=1)[:, None] + 2 * axes.longest
    assert (distances(axes.transform(spectra)[0], axes.coordinates) <= away + axes.slack * length).all()


@given(seed=st.integers(0, 1000), width=st.sampled_from([1, 3, 11, 39]))
def test_the_running_average_never_lengthens(seed: int, width: int) -> None:
    spectra = np.random.default_rng(seed).normal(size=(5, 40)) + 1
    averaged = running_average(spectra, width)
    wanted = [np.convolve(row, np.full(width, 1 / width), "same") for row in spectra]
    np.testing.assert_allclose(averaged, wanted, atol=1e-12)
    assert (np.linalg.norm(averaged, axis=1) <= np.linalg.norm(spectra, axis=1) * (1 + 1e-12)).all()


@settings(max_examples=60, deadline=None)
@given(data=searches(most=40, longest=60), width=st.integers(1, 9))
def test_segments_and_what_lies_beside_make_up_the_whole(
    data: tuple[np.ndarray, np.ndarray, int], width: int
) -> None:
    entries, _, _ = data
    search = fit_segments(entries, width=min(width, entries.shape[1]))
    centred = entries - entries.mean(axis=0)
    levels, scale = search.levels, np.abs(entries).max() + 1e-300
    inside = levels.segments - levels.segments.mean(axis=0)
    for part, residual in (
        (inside, levels.segment_residual),
        (search.axes.coordinates, levels.axis_residual),
    ):
        total = (part**2).sum(axis=1) + residual**2
        np.testing.assert_allclose(total, (centred**2).sum(axis=1), atol=1e-12 * scale**2 * centred.shape[1])


def test_the_last_segment_may_be_shorter() -> None:
    sums = segment_sums(np.arange(14.0).reshape(2, 7), 3)
    np.testing.assert_array_equal(sums, [[3, 12, 6], [24, 33, 13]])


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(KINDS),
    count=st.integers(2, 70),
    length=st.integers(1, 69),
)
def test_a_neighbour_table_is_in_order_and_never_above_the_distance(
    seed: int, kind: str, count: int, length: int
) -> None:
    entries = library(np.random.default_rng(seed), kind, count, 12)
    length = min(length, count - 1)
    table = find_neighbours(entries, length)
    away = distances(entries, entries)
    assert table.entries.shape == table.distances.shape == (count, length)
    for n in range(count):
        row = table.entries[n]
        assert len({*row.tolist()}) == length
        assert n not in row
        assert (np.diff(table.distances[n]) >= 0).all()
        assert (table.distances[n] <= away[n, row]).all()
        # Whatever is not in the row is no nearer than the row's end says.
        others = np.setdiff1d(np.arange(count), [*row, n])
        assert (away[n, others] >= table.distances[n, -1]).all()


def test_a_full_table_of_many_entries_takes_uint16_and_stays_within_its_memory() -> None:
    table = find_neighbours(np.random.default_rng(0).normal(size=(5000, 8)))
    assert table.entries.dtype == np.uint16
    assert 0.99 * 2**26 <= table.entries.nbytes + table.distances.nbytes <= 2**26


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["smooth", "noise", "duplicates", "constant"]),
    count=st.integers(1, 300),
    axes=st.integers(1, 20),
    k=st.integers(1, 5),
)
def test_the_tree_finds_the_nearest_coordinates(seed: int, kind: str, count: int, axes: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    points, k = library(rng, kind, count, axes), min(k, count)
    tree, walk, y = build_tree(points), new_walk(axes), rng.normal(size=axes)
    indices, squares = np.empty(k, np.int64), np.empty(k)
    nearest_entries(y, len(tree.members), tree, walk, indices, squares, np.zeros(4, np.int64))
    away = ((points - y) ** 2).sum(axis=1)
    np.testing.assert_allclose(squares, np.sort(away)[:k], rtol=1e-12)
    np.testing.assert_allclose(away[indices], squares, rtol=1e-12)
    assert sorted(tree.members[tree.members >= 0]) == list(range(count))


def test_a_product_measures_few_entries() -> None:
    """The best of n in random order changes about log n times; an offset of all spectra changes nothing."""
    rng = np.random.default_rng(7)
    entries = 1e8 + library(rng, "noise", 2000, 50)
    found = fit_search(entries, "product").query(entries[:20] + rng.normal(0, 0.1, (20, 50)))
    assert found.index.ravel().tolist() == list(range(20))
    assert found.measured.max() < 30

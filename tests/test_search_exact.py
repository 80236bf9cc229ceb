"""Every search returns full search's entries; full search returns what exact arithmetic returns."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from gigaxas.search import METHODS, find_neighbours, fit_search
from hypothesis import given, settings
from hypothesis import strategies as st
from search_data import library, queries, searches

EXACT_KINDS = ("duplicates", "grid", "constant", "one line", "equidistant")
OTHERS = [name for name in METHODS if name != "full"]


def nearest_by_fractions(entries: np.ndarray, x: np.ndarray, k: int) -> list[int]:
    """The k nearest entries by rational arithmetic, ties to the lowest index."""
    squares = [
        sum((Fraction(a) - Fraction(b)) ** 2 for a, b in zip(x, entry, strict=True)) for entry in entries
    ]
    return sorted(range(len(entries)), key=lambda n: (squares[n], n))[:k]


def same_as_full(entries: np.ndarray, spectra: np.ndarray, k: int, method: str, **setup: Any) -> None:
    wanted = fit_search(entries, "full").query(spectra, k)
    found = fit_search(entries, method, **setup).query(spectra, k)
    np.testing.assert_array_equal(found.index, wanted.index)
    np.testing.assert_array_equal(found.distance, wanted.distance)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(EXACT_KINDS),
    shape=st.tuples(st.integers(1, 60), st.integers(8, 20)),
    k=st.integers(1, 4),
)
def test_ties_go_to_the_lowest_index(
    method: str, seed: int, kind: str, shape: tuple[int, int], k: int
) -> None:
    rng = np.random.default_rng(seed)
    entries, k = library(rng, kind, *shape), min(k, shape[0])
    pairs = entries[rng.integers(0, len(entries), (2, 3))]
    spectra = np.concatenate([pairs[0], 0.5 * pairs.sum(axis=0), rng.integers(-2, 3, (2, shape[1]))])
    found = fit_search(entries, method).query(spectra, k)
    assert found.index.tolist() == [nearest_by_fractions(entries, x, k) for x in spectra]


@pytest.mark.parametrize("method", OTHERS)
@settings(max_examples=60, deadline=None)
@given(data=searches())
def test_every_method_finds_what_full_search_finds(
    method: str, data: tuple[np.ndarray, np.ndarray, int]
) -> None:
    same_as_full(*data, method)


@pytest.mark.parametrize("method", OTHERS)
@pytest.mark.parametrize("k", [1, 2, 7])
def test_noise_of_any_size(method: str, k: int) -> None:
    rng = np.random.default_rng(k)
    entries = library(rng, "smooth", 700, 330)
    pick = rng.integers(0, 700, 40)
    spectra = entries[pick] + rng.normal(size=(40, 330)) * np.geomspace(1e-6, 3, 40)[:, None]
    same_as_full(entries, spectra, k, method)


@pytest.mark.parametrize("method", OTHERS)
@pytest.mark.parametrize("apart", [1e-8, 1e-15])
def test_entries_nearer_to_each_other_than_bounds_can_tell(method: str, apart: float) -> None:
    """Squares of distances far below the rounding of the squared lengths that bounds are made from."""
    rng = np.random.default_rng(9)
    entries = np.repeat(library(rng, "smooth", 12, 40), 8, axis=0) + apart * rng.normal(size=(96, 40))
    entries = rng.permutation(entries)
    same_as_full(entries, entries + 0.3 * apart * rng.normal(size=(96, 40)), 3, method)


def test_an_entry_that_shares_what_the_axes_do_not_hold() -> None:
    """The first entry has the query's coordinates, the second what the query has beside the axes."""
    entries = np.zeros((40, 20))
    entries[2:, :2] = np.random.default_rng(10).normal(0, 10, (38, 2))
    entries[1, [0, 5]] = 0.5, 1.0
    query = np.zeros(20)
    query[5] = 1.0
    search = fit_search(entries, "segments", components=2)
    assert search.query(query).index.tolist() == [[1]]
    assert fit_search(entries, "full").query(query).index.tolist() == [[1]]


@pytest.mark.parametrize("method", OTHERS)
@pytest.mark.parametrize(
    "shape",
    [
        *[(1, 8), (2, 8), (16, 9), (17, 8), (3000, 8), (12, 4000), (300, 1501)],
        pytest.param((20_000, 8), marks=pytest.mark.slow),
    ],
)
def test_shapes_from_one_entry_to_many(method: str, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    entries = library(rng, "noise", *shape).round(2)
    entries[shape[0] // 2] = entries[0]
    same_as_full(entries, queries(rng, entries, 5), min(2, shape[0]), method)


@pytest.mark.parametrize(
    ("method", "setup"),
    [
        ("principal", {"components": 1}),
        ("principal", {"components": 40}),
        ("clusters", {"clusters": 1}),
        ("clusters", {"clusters": 90, "components": 2}),
        ("pilot", {"pilot": 1}),
        ("tree", {"smooth": 1, "components": 40}),
        ("tree", {"smooth": 39, "components": 1}),
        ("limited", {"components": 1}),
        ("segments", {"width": 1}),
        ("segments", {"width": 7, "components": 1}),
        ("segments", {"width": 40}),
        ("segments", {"width": 3, "components": 14}),
    ],
)
def test_no_setting_changes_what_is_found(method: str, setup: dict[str, int]) -> None:
    rng = np.random.default_rng(11)
    entries = library(rng, "smooth", 90, 40)
    spectra = entries[:30] + rng.normal(size=(30, 40)) * np.geomspace(1e-3, 1, 30)[:, None]
    same_as_full(entries, spectra, 2, method, **setup)


@pytest.mark.parametrize("method", ["tree", "limited"])
@pytest.mark.parametrize("length", [0, 1, 5, 149])
def test_a_short_neighbour_table_is_enough(method: str, length: int) -> None:
    rng = np.random.default_rng(2)
    entries = library(rng, "smooth", 150, 64)
    spectra = entries[:40] + rng.normal(size=(40, 64)) * np.geomspace(1e-3, 3, 40)[:, None]
    same_as_full(entries, spectra, 3, method, neighbours=find_neighbours(entries, length))


@pytest.mark.parametrize("method", METHODS)
def test_neither_order_nor_company_of_queries_matters(method: str) -> None:
    rng = np.random.default_rng(8)
    entries = library(rng, "smooth", 60, 70)
    spectra = queries(rng, entries, 12)
    search = fit_search(entries, method)
    together, order = search.query(spectra, 2), rng.permutation(12)
    for name in ("index", "distance", "multiplications", "additions"):
        wanted = getattr(together, name)
        np.testing.assert_array_equal(getattr(search.query(spectra[order], 2), name), wanted[order])
        np.testing.assert_array_equal(getattr(search.query(spectra[3], 2), name), wanted[3:4])


def test_cheaper_than_full_search_on_alike_spectra() -> None:
    rng = np.random.default_rng(4)
    entries = library(rng, "smooth", 2000, 600)
    spectra = entries[::20] + rng.normal(0, 0.01, (100, 600))
    cost = {}
    for method in METHODS:
        found = fit_search(entries, method).query(spectra)
        cost[method] = float((found.multiplications + found.additions).mean())
    assert cost["segments"] < 0.6 * cost["tree"] < 0.5 * cost["clusters"] < 0.5 * cost["partial"]
    assert cost["partial"] < cost["full"]

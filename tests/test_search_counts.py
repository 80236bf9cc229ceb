"""The counters of every search against the same search run on numbers that count."""

from typing import Any

import numpy as np
import pytest
from gigaxas.search import METHODS, find_neighbours, fit_search
from hypothesis import given, settings
from hypothesis import strategies as st
from search_data import library
from search_slow import SLOW

EXTRA = {"segments": ({"width": 3}, {"width": 1, "components": 1})}


def agree(method: str, entries: np.ndarray, spectra: np.ndarray, k: int, **setup: Any) -> None:
    search = fit_search(entries, method, **setup)
    found = search.query(spectra, k)
    for q, x in enumerate(spectra):
        slow = SLOW[method](search, x, k)
        assert found.index[q].tolist() == slow.index
        assert found.multiplications[q] == slow.tally.multiplications
        assert found.additions[q] == slow.tally.additions


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["smooth", "noise"]),
    shape=st.tuples(st.integers(1, 60), st.integers(8, 50)),
    k=st.integers(1, 4),
)
def test_counters_agree_with_counting_numbers(
    method: str, seed: int, kind: str, shape: tuple[int, int], k: int
) -> None:
    """Ties are left out: there, the order in which a sum is taken decides which branch is counted."""
    rng = np.random.default_rng(seed)
    entries = library(rng, kind, *shape)
    spectra = entries[rng.integers(0, len(entries), 2)] + rng.normal(0, [[0.01], [0.3]], (2, shape[1]))
    agree(method, entries, spectra, min(k, len(entries)))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("k", [1, 3])
def test_counters_agree_on_noisy_spectra(method: str, k: int) -> None:
    rng = np.random.default_rng(5)
    entries = library(rng, "smooth", 120, 96)
    spectra = entries[[3, 50, 119]] + rng.normal(0, [[0.003], [0.03], [0.3]], (3, 96))
    for setup in EXTRA.get(method, ({},)):
        agree(method, entries, spectra, k, **setup)


@pytest.mark.parametrize("method", ["tree", "limited"])
@pytest.mark.parametrize("length", [0, 2, 30])
def test_counters_agree_where_a_neighbour_table_ends_early(method: str, length: int) -> None:
    rng = np.random.default_rng(6)
    entries = library(rng, "smooth", 90, 40)
    spectra = entries[[3, 50, 89]] + rng.normal(0, [[0.003], [0.03], [0.3]], (3, 40))
    agree(method, entries, spectra, 2, neighbours=find_neighbours(entries, length))


def test_full_search_counts_what_the_paper_counts() -> None:
    rng = np.random.default_rng(0)
    entries = rng.normal(size=(70, 330))
    found = fit_search(entries, "full").query(rng.normal(size=(4, 330)))
    assert (found.multiplications == 70 * 330).all()
    assert (found.measured == 70).all()

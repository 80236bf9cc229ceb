"""What a search refuses, and says about it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.search import METHODS, find_neighbours, fit_search

GOOD = np.random.default_rng(0).normal(size=(6, 9))


def with_sample(value: float) -> np.ndarray:
    """GOOD with one sample of entry 3 changed."""
    entries = GOOD.copy()
    entries[2, 4] = value
    return entries


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (np.empty((0, 9)), r"shape \(0, 9\); expected \(n, E\), at least one entry"),
        (np.empty((3, 1)), "at least 2 samples"),
        (np.ones(9), r"shape \(9,\)"),
        (with_sample(np.nan), "library entry 3 of 6 holds a sample that is not finite"),
        (with_sample(np.inf), "library entry 3 of 6 holds a sample that is not finite"),
        (with_sample(1e200), r"library entry 3 of 6 has values up to 1e\+200"),
        (GOOD * 1e-120, "use other units"),
    ],
)
def test_libraries_refused(method: str, entries: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        fit_search(entries, method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("spectra", "k", "said"),
    [
        (GOOD[:, :8], 1, r"shape \(6, 8\); expected \(q, 9\) as the library has: resample both on one grid"),
        (GOOD, 0, "k = 0; expected 1 to 6"),
        (GOOD, 7, "k = 7; expected 1 to 6"),
        (with_sample(np.nan), 1, "spectrum 3 of 6 holds a sample that is not finite"),
    ],
)
def test_queries_refused(method: str, spectra: np.ndarray, k: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        fit_search(GOOD, method).query(spectra, k)


@pytest.mark.parametrize(
    ("setup", "said"),
    [
        (
            {"method": "principal", "components": 7},
            "components = 7; expected 1 to 6: no more",
        ),
        ({"method": "clusters", "components": 0}, "components = 0"),
        ({"method": "clusters", "clusters": 7}, "clusters = 7; expected 1 to 6"),
        ({"method": "pilot", "pilot": 0}, "pilot = 0; expected 1 to"),
        ({"method": "tree", "smooth": 4}, "smooth = 4; expected an odd number of samples from 1 to 9"),
        ({"method": "tree", "neighbours": find_neighbours(GOOD[:4])}, "table of 4 entries; expected 6"),
        ({"method": "limited", "components": 5}, "components = 5; expected 1 to 2"),
        ({"method": "segments", "width": 10}, "width = 10; expected segments of 1 to 9 samples"),
        ({"method": "segments", "width": 3, "components": 4}, "the 3 samples"),
        ({"method": "fastest"}, "method 'fastest'; expected one of full, partial, principal"),
    ],
)
def test_settings_refused(setup: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        fit_search(GOOD, **setup)


def test_a_neighbour_table_longer_than_the_library_is_refused() -> None:
    with pytest.raises(InputError, match="length = 6 of a neighbour table; expected up to 5"):
        find_neighbours(GOOD, 6)


@pytest.mark.parametrize("change", [np.asfortranarray, np.ndarray.tolist, lambda a: a.astype(np.float32)])
def test_other_layouts_are_taken(change: Callable[[np.ndarray], Any]) -> None:
    found = fit_search(change(GOOD)).query(change(GOOD))
    assert found.index.ravel().tolist() == list(range(6))

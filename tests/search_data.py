"""Libraries that are hard on a search, and queries near, between and far from their entries."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

KINDS = (
    "smooth",
    "noise",
    "duplicates",
    "grid",
    "constant",
    "one line",
    "far apart",
    "baseline",
    "equidistant",
)


def library(rng: np.random.Generator, kind: str, count: int, samples: int) -> np.ndarray:
    """A library (count, samples) of one kind."""
    if kind == "smooth":
        centre, width = rng.uniform(0, 1, (count, 3, 1)), rng.uniform(0.02, 0.2, (count, 3, 1))
        axis = np.linspace(0, 1, samples)
        return (rng.exponential(size=(count, 3, 1)) * np.exp(-(((axis - centre) / width) ** 2))).sum(axis=1)
    if kind == "noise":
        return rng.normal(size=(count, samples))
    if kind == "duplicates":
        return rng.integers(-3, 4, (max(1, count // 4), samples)).astype(float)[
            rng.integers(0, max(1, count // 4), count)
        ]
    if kind == "grid":
        return rng.integers(0, 2, (count, samples)).astype(float)
    if kind == "constant":
        return np.repeat(rng.integers(-2, 3, (count, 1)).astype(float), samples, axis=1)
    if kind == "one line":
        return np.outer(rng.integers(0, 50, count), rng.integers(-2, 3, samples)).astype(float)
    if kind == "far apart":
        return rng.normal(size=(count, samples)) * 10.0 ** rng.integers(-12, 13, (count, 1))
    if kind == "baseline":
        return 1e6 + 1e-3 * rng.normal(size=(count, samples))
    spectra = np.zeros((count, samples))
    spectra[np.arange(count), rng.integers(0, samples, count)] = 1.0
    return spectra


def queries(rng: np.random.Generator, entries: np.ndarray, count: int) -> np.ndarray:
    """Queries (count, E): entries with noise of any size, midpoints of two, and what no library holds."""
    near = entries[rng.integers(0, len(entries), count)]
    other = entries[rng.integers(0, len(entries), count)]
    spread = np.abs(entries).max() + 1e-3
    noise = rng.normal(size=near.shape) * spread * 10.0 ** rng.integers(-9, 1, (count, 1))
    choice = rng.integers(0, 5, (count, 1))
    return np.select(
        [choice == 0, choice == 1, choice == 2, choice == 3],
        [near, near + noise, 0.5 * (near + other), spread * rng.normal(size=near.shape)],
        np.zeros_like(near),
    )


@st.composite
def searches(draw: Any, most: int = 80, longest: int = 90) -> tuple[np.ndarray, np.ndarray, int]:
    """A library, queries of it and k."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, samples = draw(st.integers(1, most)), draw(st.integers(8, longest))
    entries = library(rng, draw(st.sampled_from(KINDS)), count, samples)
    return entries, queries(rng, entries, draw(st.integers(1, 6))), draw(st.integers(1, min(count, 5)))

"""Images of grains with planted specks, white noise of one size, as small as tests need them."""

from functools import cache

import numpy as np
from gigaxas.simulate import modelled_library
from gigaxas.specks import settle_search
from scipy.ndimage import gaussian_filter

ENERGY = np.linspace(7080.0, 7200.0, 60)
SIGMA = 0.03
HOSTS = (0, 2, 32)
"""Rows of the library that grains are made of: hematite, magnetite, a phosphate."""
GUEST = 8
"""Row of the phase of the specks: chromite."""


@cache
def library():
    return modelled_library(ENERGY)[1]


def grains(side, seed, count=12):
    """A map (side, side) of Voronoi grains of three phases, 0 to 2."""
    rng = np.random.default_rng([seed, 1])
    seeds = rng.uniform(0, side, (count, 2))
    y, x = np.mgrid[:side, :side]
    nearest = ((y[..., None] - seeds[:, 0]) ** 2 + (x[..., None] - seeds[:, 1]) ** 2).argmin(axis=-1)
    return rng.integers(0, len(HOSTS), count)[nearest]


def uniform(side):
    return np.zeros((side, side), np.int64)


def planted(phase, places, share, blur=0.0):
    """Mean spectra (E, h, w) of a map with squares (y, x, size) of a share of the guest in their host."""
    means = library()[list(HOSTS)][phase]
    for y, x, size in places:
        here = np.s_[y : y + size, x : x + size]
        means[here] = (1 - share) * means[here] + share * library()[GUEST]
    return np.moveaxis(gaussian_filter(means, (blur, blur, 0)) if blur else means, -1, 0)


def measured(means, seed, sigma=SIGMA):
    noise = np.random.default_rng([seed, 2]).normal(0, sigma, means.shape)
    return (means + noise).astype(np.float32)


def search_of(image, label, sigma=SIGMA, known=None, correlation=(1.0,)):
    """The search in an image (E, h, w) by its labels (h, w)."""
    spectra = np.full((int(label.max()) + 1, len(image)), np.nan)
    for number in range(1, len(spectra)):
        spectra[number] = image[:, label == number].mean(axis=1, dtype=np.float64)
    known = library() if known is None else known
    return settle_search(spectra, known, np.full(spectra.shape, sigma), np.array(correlation))


def places_of(specks):
    return set(zip(*(column.tolist() for column in specks[:4]), strict=True))


def hit(specks, places):
    """Which of the squares (y, x, size) a speck overlaps."""
    return [
        any(
            y < v + height and v < y + size and x < u + width and u < x + size
            for v, u, height, width in places_of(specks)
        )
        for y, x, size in places
    ]

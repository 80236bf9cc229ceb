"""Slow errors of the field of view: what varies over the image in the grains of many phases alike.

A flat field, a reference image or a monochromator that drift change the spectra of all phases in the same
way, slowly over the image; compositions differ from grain to grain. Inside grains, connected uniform windows
of one composition, spectra vary as polynomials of low degree in y and x: one shift of energy for all, which
moves each spectrum along its slope, or a term of its own at every energy, or both. A field that is the
instrument's explains nearly all that varies inside grains; gradients of composition do not agree so far.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial.legendre import legvander
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from gigaxas.arrays import BoolArray, FloatArray, IntArray, LabelArray
from gigaxas.observed.grouping import uniform_windows, window_limits
from gigaxas.observed.noise_level import NoiseLevel
from gigaxas.observed.pixels import mark_of
from gigaxas.observed.windows import add_row, panels_of
from gigaxas.tiles import Plane

MOST_DEGREE = 6
"""Largest degree in y and x together of a field's polynomials."""
GRAIN_DEGREE = 2
"""The same of what varies inside one grain on its own."""
FEWEST_WINDOWS = 30
"""Windows side by side without which a grain tells nothing of a field."""
FEWEST_GRAINS = 3.0
"""Grains, each counted by its share of the windows, without which a field cannot be told from a phase."""
INDEPENDENT = 2
"""Times as many terms as a field must all grains have on their own, for their agreement to tell anything."""
EXPLAINED = 0.9
"""Share of what varies inside the grains that the instrument's field explains at the least."""
APART = 0.25
"""Variance between grains, over that of the field inside them, without which all is one gradient."""
NOTICED = 1.5
"""Variation inside the grains, over that of noise, from which on there is a field to be told."""
CELLS = 64
"""Cells along each side of the image by which it is told where the pixels of a cluster lie."""
_RIDGE = 1e-4


@dataclass(frozen=True)
class GrainSums:
    """Sums over the n windows of each of k grains; B terms of the largest degree, the constant left out."""

    terms: FloatArray
    """(k, B, B) products of the polynomials about their mean."""
    products: FloatArray
    """(k, B, E) products of these with the windows' standardised spectra about their mean."""
    place: FloatArray
    """(k, B) mean polynomials."""
    spectra: FloatArray
    """(k, E) mean standardised spectra."""
    windows: IntArray
    """(k,) number of windows, which share no pixel."""


@dataclass(frozen=True)
class FieldError:
    """A slow error of the field: polynomials of y and x without their constant, see `polynomials`."""

    plane: Plane
    """Rows and columns of the image."""
    shift: FloatArray
    """(B,) shift of energy in eV, or of no term."""
    additive: FloatArray
    """(B, E) what is added to a spectrum at each energy, over its length about its mean; or of no term."""
    explained: float
    """Share of what varies inside grains that it explains."""
    grains: int
    """Grains that it was fitted to."""

    def shift_at(self, ys: NDArray[Any], xs: NDArray[Any]) -> FloatArray:
        """Return the shift (h, w) in eV at rows ys (h,) and columns xs (w,)."""
        return self._at(self.shift[:, None], ys, xs)[0]

    def additive_at(self, ys: NDArray[Any], xs: NDArray[Any]) -> FloatArray:
        """Return what is added (E, h, w) at rows ys (h,) and columns xs (w,), over a spectrum's length."""
        return self._at(self.additive, ys, xs)

    def mean_additive(self, cells: csr_array) -> FloatArray:
        """Return what is added (n, E) in the mean of pixels, counted in the image's cells (n, CELLS^2)."""
        y, x = (
            (at + 0.5) * side / CELLS - 0.5
            for at, side in zip(np.divmod(np.arange(CELLS**2), CELLS), self.plane, strict=True)
        )
        pixels = np.maximum(np.asarray(cells.sum(axis=1)), 1.0)
        mean = cells @ polynomials(y, x, self.plane) / pixels[:, None]
        return np.asarray(mean[:, : len(self.additive)] @ self.additive)

    @property
    def left(self) -> FloatArray:
        """Variance (E,) that polynomials may leave of what is added."""
        return np.asarray((1.0 - EXPLAINED) * np.mean(self.additive_at(*self._spread()) ** 2, axis=(1, 2)))

    def _at(self, terms: FloatArray, ys: NDArray[Any], xs: NDArray[Any]) -> FloatArray:
        y, x = np.meshgrid(ys, xs, indexing="ij")
        found = polynomials(y.ravel(), x.ravel(), self.plane)[:, : len(terms)] @ terms
        return np.ascontiguousarray(found.T).reshape(-1, *y.shape)

    @property
    def largest_shift(self) -> float:
        """The largest difference of the shift over the image, in eV."""
        return float(np.ptp(self.shift_at(*self._spread()))) if self.shift.size else 0.0

    @property
    def additive_share(self) -> float:
        """Root mean square of what is added to a spectrum, over its own about its mean."""
        if not self.additive.size:
            return 0.0
        return float(np.sqrt(np.mean(np.sum(self.additive_at(*self._spread()) ** 2, axis=0))))

    def _spread(self) -> tuple[FloatArray, FloatArray]:
        return np.linspace(0, self.plane[0] - 1, 33), np.linspace(0, self.plane[1] - 1, 33)


def polynomials(y: NDArray[Any], x: NDArray[Any], plane: Plane, degree: int = MOST_DEGREE) -> FloatArray:
    """Return products (n, B) of Legendre polynomials of places y and x (n,), by rising total degree."""
    down, across = (
        legvander(2.0 * np.asarray(place) / max(side - 1, 1) - 1.0, degree)
        for place, side in zip((y, x), plane, strict=True)
    )
    pairs = [(i, total - i) for total in range(1, degree + 1) for i in range(total + 1)]
    return np.stack([down[:, i] * across[:, j] for i, j in pairs], axis=1)


def cells_of(origin: tuple[int, int], shape: tuple[int, int], plane: Plane) -> IntArray:
    """Return which of CELLS x CELLS cells of the image each pixel (h, w) of an area lies in."""
    y, x = (
        (np.arange(start, start + side) * CELLS) // whole
        for start, side, whole in zip(origin, shape, plane, strict=True)
    )
    return np.asarray(y[:, None] * CELLS + x, np.int64)


def count_in_cells(kept: LabelArray, labels: IntArray, origin: tuple[int, int], plane: Plane) -> IntArray:
    """Count the pixels of each label (n,), in rising order, of an area (h, w) in the image's cells.

    Returns (3, m): rows of labels, cells, and pixels, of those that hold any.
    """
    cell, found = cells_of(origin, kept.shape, plane), kept > 0
    place = np.searchsorted(labels, kept[found]) * CELLS**2 + cell[found]
    places, pixels = np.unique(place, return_counts=True)
    return np.stack([*np.divmod(places, CELLS**2), pixels])


def counts_of(parts: Sequence[IntArray], labels: int) -> csr_array:
    """Return the pixels of so many labels in each cell of the image (n, CELLS^2), as all areas count them."""
    row, cell, pixels = np.concatenate(parts, axis=1)
    return csr_array((pixels.astype(np.float64), (row, cell)), shape=(labels, CELLS**2))


def terms_of(degree: int) -> int:
    """Return how many polynomials there are up to a total degree, without the constant."""
    return (degree + 1) * (degree + 2) // 2 - 1


def grain_sums(
    image: NDArray[Any], origin: tuple[int, int], plane: Plane, level: NoiseLevel, invalid: int | None = None
) -> GrainSums:
    """Return the sums over the grains of an area (E, h, w) of the image whose first pixel is `origin`."""
    spectra, uniform = _lattice(image, level, invalid)
    grain = _grains(spectra, uniform, level)
    middle = 0.5 * (level.k_size - 1)
    terms = terms_of(MOST_DEGREE)
    found = []
    for number in np.flatnonzero(np.bincount(grain[uniform]) >= FEWEST_WINDOWS) if uniform.any() else []:
        rows, columns = np.nonzero(uniform & (grain == number))
        y, x = (level.k_size * at + middle + start for at, start in zip((rows, columns), origin, strict=True))
        place, own = polynomials(y, x, plane), spectra[rows, columns]
        about = place - place.mean(axis=0)
        found.append((about.T @ about, about.T @ own, place.mean(axis=0), own.mean(axis=0), len(rows)))
    if not found:
        energies = len(image)
        return GrainSums(
            np.zeros((0, terms, terms)),
            np.zeros((0, terms, energies)),
            np.zeros((0, terms)),
            np.zeros((0, energies)),
            np.zeros(0, np.int64),
        )
    return GrainSums(*(np.array(part) for part in zip(*found, strict=True)))


def fit_field(
    parts: Sequence[GrainSums], energy: FloatArray, plane: Plane, level: NoiseLevel
) -> FieldError | None:
    """Return the slow error of the field that the grains of all areas show; None where they show none.

    Terms are taken as far as the data support them (Bayesian information criterion).
    """
    grains = _joined(parts)
    count = grains.windows
    if not count.size or count.sum() ** 2 < FEWEST_GRAINS * (count**2).sum():
        return None
    noisy = level.profile > 0.0  # an energy without noise holds no measurement
    weight = np.zeros(level.profile.size)
    weight[noisy] = level.k_size**2 / (level.spread * level.variance * level.profile[noisy])
    alone, noise = _varied_alone(grains, weight)
    if alone < NOTICED * noise:
        return None
    fits = [
        _fit(grains, energy, weight, terms_of(degree), model)
        for degree in range(1, MOST_DEGREE + 1)
        if INDEPENDENT * terms_of(degree) <= terms_of(GRAIN_DEGREE) * count.size
        for model in (("shift",), ("additive",), ("shift", "additive"))
    ]
    best = max(fits, key=lambda fit: fit.gain - fit.freedom * np.log(count.sum()))
    explained = (best.gain - best.freedom) / (alone - noise)
    if explained < EXPLAINED or not _are_apart(grains, best):
        return None
    return FieldError(plane, best.shift, best.additive, float(min(explained, 1.0)), count.size)


@dataclass(frozen=True)
class _Fit:
    """A field fitted to grains."""

    shift: FloatArray
    """(B,) in eV, or of no term."""
    additive: FloatArray
    """(B, E), or of no term."""
    moved: FloatArray
    """(k, B, E) both, as they are in each grain."""
    gain: float
    """Chi-square that it explains."""
    freedom: int
    """Its terms."""


def _lattice(image: NDArray[Any], level: NoiseLevel, invalid: int | None) -> tuple[FloatArray, BoolArray]:
    """Return the mean standardised spectra (r, c, E) of windows side by side, and which are uniform."""
    k_size, limits, whole = level.k_size, window_limits(level), np.ascontiguousarray(image)
    energies, height, width = image.shape
    ys, xs = (np.arange(0, side - k_size + 1, k_size) for side in (height, width))
    spectra, uniform = np.zeros((len(ys), len(xs), energies)), np.zeros((len(ys), len(xs)), np.bool_)
    for panel in panels_of(energies, width, image.dtype, k_size, level.p_num):
        to = np.flatnonzero((panel.left <= xs) & (xs < panel.left + panel.windows))
        here = xs[to] - panel.left
        for y in range(height):
            if add_row(panel, whole, y, y, mark_of(invalid)) and (y + 1) % k_size == 0:
                row, place = panel.row, y // k_size
                uniform[place, to] = ((row.pixels == limits.whole) & uniform_windows(row, limits))[here]
                spectra[place, to] = row.total[:, here].T / (limits.whole * limits.unit)
    return spectra, uniform


def _grains(spectra: FloatArray, uniform: BoolArray, level: NoiseLevel) -> IntArray:
    """Return numbers (r, c) that connected windows share which differ by no more than their noise."""
    noise = 2.0 * level.spread / level.k_size**2 * level.variance * level.tail(uniform.size)
    number = np.arange(uniform.size).reshape(uniform.shape)
    links = []
    for one, other in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        near = np.sum((spectra[other] - spectra[one]) ** 2, axis=-1) <= noise
        near &= uniform[one] & uniform[other]
        links.append(np.stack([number[one][near], number[other][near]]))
    ends = np.concatenate(links, axis=1)
    graph = coo_array((np.ones(ends.shape[1]), tuple(ends)), shape=(uniform.size, uniform.size))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64).reshape(uniform.shape)


def _joined(parts: Sequence[GrainSums]) -> GrainSums:
    names = ("terms", "products", "place", "spectra", "windows")
    return GrainSums(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _solve(terms: FloatArray, products: FloatArray) -> FloatArray:
    """Solve the normal equations (B, B) of a field; what the grains do not show stays small."""
    ridge = _RIDGE * np.trace(terms) / len(terms) * np.eye(len(terms))
    return np.asarray(np.linalg.solve(terms + ridge, products))


def _varied_alone(grains: GrainSums, weight: FloatArray) -> tuple[float, float]:
    """Return the chi-square that polynomials of each grain's own explain, and what of it noise does."""
    terms = terms_of(GRAIN_DEGREE)
    own = [
        _solve(each[:terms, :terms], products[:terms])
        for each, products in zip(grains.terms, grains.products, strict=True)
    ]
    gain = sum(float(np.sum(a * b[:terms] * weight)) for a, b in zip(own, grains.products, strict=True))
    return gain, float(grains.products.shape[2] * terms * len(own))


def _fit(grains: GrainSums, energy: FloatArray, weight: FloatArray, terms: int, model: Sequence[str]) -> _Fit:
    """Fit a field of so many terms: a shift of energy, what is added at each, or the one after the other."""
    matrix, products = grains.terms[:, :terms, :terms], grains.products[:, :terms]
    energies = len(energy)
    shift, additive = np.zeros(0), np.zeros((0, energies))
    moved = np.zeros_like(products)
    freedom = 0
    if "shift" in model:
        slope = np.gradient(grains.spectra, energy, axis=1)
        steep = np.sum(slope**2 * weight, axis=1)
        shift = _solve(np.tensordot(steep, matrix, 1), np.einsum("kbe,ke->b", products, slope * weight))
        moved = moved + shift[:, None] * slope[:, None, :]
        freedom += terms
    if "additive" in model:
        left = products - matrix @ moved
        additive = _solve(matrix.sum(axis=0), left.sum(axis=0))
        moved = moved + additive
        freedom += terms * energies
    gain = np.sum((2.0 * products - matrix @ moved) * moved * weight)
    return _Fit(shift, additive, moved, float(gain), freedom)


def _are_apart(grains: GrainSums, fit: _Fit) -> bool:
    """Return whether grains still differ without the field, as phases do and a single gradient does not."""
    terms = fit.moved.shape[1]
    share = grains.windows / grains.windows.sum()
    freed = grains.spectra - np.einsum("kb,kbe->ke", grains.place[:, :terms], fit.moved)
    between = float(share @ np.sum((freed - share @ freed) ** 2, axis=1))
    inside = np.sum((grains.terms[:, :terms, :terms] @ fit.moved) * fit.moved) / grains.windows.sum()
    return between >= APART * float(inside)

"""Small scenes for the decisions of `observed`: window groups and images whose distances in z are known.

Coordinates are in z: the noise of a pixel is 1/2 at each of ENERGIES energies, so that two compositions a
distance d apart are z = d apart (METHOD 2).
"""

import numpy as np
from gigaxas.observed import NoiseLevel, WindowGroups

ENERGIES = 64
VARIANCE = ENERGIES / 4


def level(error=1e-4, variance=VARIANCE, **changed):
    """A level of white noise; the limits of contrast and coherence hold nothing back."""
    settings = {
        "k_size": 5,
        "p_num": 23,
        "error": error,
        "profile": np.full(ENERGIES, 1 / ENERGIES),
        "variance": variance,
        "model": variance,
        "space": np.ones((1, 1)),
        "energy": np.ones(1),
        "contrast": 1.0,
        "contrast_limit": np.inf,
        "coherence": 0.0,
        "coherence_limit": np.inf,
        "windows": 1000,
    }
    return NoiseLevel(**{**settings, **changed})


def shared(spread):
    """A correlation of neighbours that makes the mean of 5 x 5 pixels vary by so many times as much."""
    space = np.full((3, 3), (spread - 1.0) / ((4 * 20 + 4 * 16) / 25))
    space[1, 1] = 1.0
    return space


def points(*coordinates):
    """Compositions (k, ENERGIES) at these coordinates along the first axes."""
    spectra = np.zeros((len(coordinates), ENERGIES))
    for row, place in zip(spectra, coordinates, strict=True):
        row[: np.size(place)] = place
    return spectra


def groups(spectra, windows=None, variance=VARIANCE):
    """Window groups with these means (k, E), by default of 100, 99, 98, ... windows."""
    count = len(spectra)
    windows = np.arange(100, 100 - count, -1) if windows is None else np.array(windows)
    return WindowGroups(
        total=spectra * windows[:, None],
        windows=windows.astype(np.int64),
        noise=windows * np.broadcast_to(variance, count).astype(float),
        mean=np.zeros(count),
        length=windows.astype(float),
        first=np.stack([np.arange(count), np.zeros(count)], axis=1).astype(np.int64),
    )


def window_sums(pixels, y, x, k):
    """Scatter, smooth, contrast and coherence of one window of `Pixels`, written from their definitions."""
    part = pixels.samples[:, y : y + k, x : x + k].astype(float).reshape(pixels.samples.shape[0], -1)
    good = pixels.valid[y : y + k, x : x + k].ravel()
    ys, xs = (axis.ravel()[good] for axis in np.mgrid[:k, :k])
    spectra = part[:, good]
    away = spectra - spectra.mean(axis=1, keepdims=True)
    coherence = sum((away[:-step] * away[step:]).sum() for step in (2, 3))
    padded = np.pad(away, ((1, 1), (0, 0)))
    smoothed = ((padded[:-2] + padded[1:-1] + padded[2:]) ** 2).sum()
    contrast, full = 0.0, (np.mgrid[:k, :k][0] - k // 2).astype(float)
    for axis in (ys, xs):
        lever = axis - axis.mean()
        moment = np.pad(away @ lever, 1)
        smooth = moment[:-2] + moment[1:-1] + moment[2:]
        contrast += (smooth**2).sum() * (full**2).sum() / (lever**2).sum()
    return (away**2).sum(), smoothed, contrast, coherence


def axes(count):
    """Directions (count, ENERGIES) of length 1, orthogonal to each other and to a constant."""
    grid = np.arange(ENERGIES)
    return np.stack([np.cos(np.pi * k * (grid + 0.5) / ENERGIES) for k in range(1, count + 1)]) * np.sqrt(
        2 / ENERGIES
    )


class Patches:
    """An image of patches whose noise cancels in every window of 5 x 5 pixels.

    One pattern of noise is repeated every five pixels, so that each window holds all of it: window means are
    the compositions themselves, and `variance` is what the scatter of every window says. Patches are given
    row by row as (place along an axis, its axis, windows, times the noise); void pixels keep them apart.
    """

    def __init__(self, sigma=0.004, seed=0):
        rng = np.random.default_rng(seed)
        self.axes = axes(8)
        noise = rng.normal(0, sigma, (ENERGIES, 5, 5))
        noise -= noise.mean(axis=(1, 2), keepdims=True)
        flat = noise.reshape(ENERGIES, 25)
        flat -= flat.mean(axis=0)
        flat -= np.outer(self.axes[0], self.axes[0] @ flat)
        self.noise = flat.reshape(ENERGIES, 5, 5)
        self.variance = float((flat**2).sum() / 24)

    def image(self, *rows):
        """Return the image (ENERGIES, h, w) of rows of patches."""
        strips, width = [], max(sum(n + 5 for _, _, n, _ in row) for row in rows)
        for row in rows:
            strip = np.full((ENERGIES, 6, width), np.nan)
            x = 0
            for place, axis, windows, times in row:
                pixels = np.tile(self.noise, (1, 1, 3 + windows // 5))[:, :, : windows + 4]
                mean = self.axes[0] + place * np.sqrt(self.variance) * self.axes[axis]
                strip[:, :5, x : x + windows + 4] = mean[:, None, None] + times * pixels
                x += windows + 5
            strips.append(strip)
        return np.concatenate(strips, axis=1)

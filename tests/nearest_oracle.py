"""The nearest site as the method states it, in extended precision and plain NumPy; and data to try it on."""

import numpy as np

ROUNDING = 2.0**-52


def correlations(pixels: np.ndarray, sites: np.ndarray) -> np.ndarray:
    """Pearson correlation of (E, n) pixels with (m, E) sites in extended precision: (n, m), NaN if void."""
    x = np.asarray(pixels).T.astype(np.longdouble)
    t = np.asarray(sites).astype(np.longdouble)
    finite = np.isfinite(x).all(axis=1) & (x != x[:, :1]).any(axis=1)
    x = np.where(finite[:, None], x, np.arange(x.shape[1]))
    x -= x.mean(axis=1, keepdims=True)
    t -= t.mean(axis=1, keepdims=True)
    x /= np.sqrt((x * x).sum(axis=1, keepdims=True))
    t /= np.sqrt((t * t).sum(axis=1, keepdims=True))
    r = np.stack([(x * site).sum(axis=1) for site in t], axis=1)
    r[~finite] = np.nan
    return r


def nearest(pixels: np.ndarray, sites: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels of (E, n) pixels, and which of them float64 must repeat: no correlation near the edge."""
    r = correlations(pixels, sites)
    tie = 2 * (len(pixels) + 8) * ROUNDING
    void = np.isnan(r[:, 0])
    below = np.where(void[:, None], 0, np.nanmax(np.where(void[:, None], 0, r), axis=1)[:, None] - r)
    labels = np.where(void, 0, np.argmax(below <= tie, axis=1) + 1)
    certain = ~((below > tie / 2) & (below < 1.5 * tie)).any(axis=1)
    return labels, certain


def smooth_spectra(rng: np.random.Generator, count: int, energies: int) -> np.ndarray:
    """Edge-like spectra (count, E): a step, a white line and a few damped waves."""
    e = np.linspace(-1.0, 2.0, energies)
    shift, height, phase = (
        rng.uniform(-0.1, 0.1, count),
        rng.uniform(0.1, 0.9, count),
        rng.uniform(0, 6, count),
    )
    d = e - shift[:, None]
    step = 0.5 + np.arctan(d * 20) / np.pi
    line = height[:, None] * np.exp(-((d - 0.06) ** 2) / 0.004)
    waves = 0.12 * np.sin(rng.uniform(6, 14, count)[:, None] * d + phase[:, None]) * np.exp(-d) * (d > 0)
    return step + line + waves


def mixtures(rng: np.random.Generator, standards: np.ndarray, count: int) -> np.ndarray:
    """Mixtures (count, E) of three standards with weights U(0, 1)/sum."""
    weights = rng.random((count, 3))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.einsum("nk,nke->ne", weights, standards[rng.integers(0, len(standards), (count, 3))])


def noisy_pixels(rng: np.random.Generator, sites: np.ndarray, labels: np.ndarray, sigma: float) -> np.ndarray:
    """Pixels (E, n): labelled sites (0: all zero) with thickness, offset and noise of sigma."""
    pixels = sites[np.maximum(labels, 1) - 1] + rng.normal(0, sigma, (labels.size, sites.shape[1]))
    pixels = pixels * rng.uniform(0.5, 1.5, (labels.size, 1)) + rng.uniform(-0.2, 0.2, (labels.size, 1))
    pixels[labels == 0] = 0.0
    return np.ascontiguousarray(pixels.T)


def codes(pixels: np.ndarray) -> np.ndarray:
    """uint16 codes of float pixels (E, n), zero pixels staying zero; 65535 is left for invalid samples."""
    coded = np.clip(np.rint((pixels + 1.0) * 16000), 0, 65534).astype(np.uint16)
    coded[:, (pixels == 0).all(axis=0)] = 0
    return coded


def grains(rng: np.random.Generator, sites: int, height: int, width: int, size: int = 24) -> np.ndarray:
    """A map (h * w) of labels in grains of about `size` pixels, as neighbours in a solid look."""
    seeds = max(2, height * width // size**2)
    y, x = rng.uniform(0, height, seeds), rng.uniform(0, width, seeds)
    label = rng.integers(1, sites + 1, seeds)
    yy, xx = np.mgrid[0:height, 0:width]
    nearest_seed = np.argmin((yy[..., None] - y) ** 2 + (xx[..., None] - x) ** 2, axis=2)
    return label[nearest_seed].ravel()

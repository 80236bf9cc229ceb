"""Small images as instruments measure them, with truth: absorbance of any scale, counts, empty parts."""

import numpy as np

ENERGY = np.linspace(7090.0, 7175.0, 58)
SIDE = 60
LABEL = np.zeros((SIDE, SIDE), int)
LABEL[:, SIDE // 2 :], LABEL[40:] = 1, 2
"""Two phases side by side, and below them pixels without iron."""
INSIDE = np.zeros(LABEL.shape, bool)
for _rows in (slice(3, 37), slice(43, 57)):
    for _columns in (slice(3, 27), slice(33, 57)):
        INSIDE[_rows, _columns] = True
"""Pixels whose window holds one phase only."""


def edge(energy, position, white):
    return 1 / (1 + np.exp(-(energy - position) / 2)) + white * np.exp(
        -(((energy - position - 3) / 2.5) ** 2)
    )


PHASES = {"early": edge(ENERGY, 7121, 0.8), "late": edge(ENERGY, 7125, 0.4)}


def absorbance(thickness=0.5):
    """The absorbance (E, y, x) without noise."""
    spectra = np.stack([*PHASES.values(), np.zeros(ENERGY.size)])
    return np.moveaxis(thickness * spectra[LABEL], -1, 0)


def noisy(sigma=0.01, seed=0):
    return (absorbance() + np.random.default_rng(seed).normal(0, sigma, (58, SIDE, SIDE))).astype("f4")


def fluorescence(counts, seed=0):
    """Counted events (E, y, x), about so many a sample of a phase above its edge."""
    return np.random.default_rng(seed).poisson(2 * counts * absorbance() + 0.2).astype("u2")


def transmission(i0=1000.0, seed=0):
    return np.random.default_rng(seed).poisson(i0 * np.exp(-absorbance() - 0.5)).astype("u2")


def share_right(label, names):
    """The share of the pixels well inside a phase, or outside of all, that are named rightly."""
    wanted = [*PHASES, ""]
    found = np.array(["", *names])[np.asarray(label)]
    return float(np.mean(found[INSIDE] == np.array(wanted)[LABEL[INSIDE]]))

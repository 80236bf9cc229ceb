"""METHOD 2 and 3 as plain loops over pairs and energies: slow, and nothing of the package in it."""

import math

import numpy as np


def _edges(count, energies):
    """Absorption edges of different position, height of white line and oscillation."""
    generator = np.random.default_rng(0)
    x = np.linspace(0.0, 1.0, energies)
    rise, period, height = generator.random((3, count, 1))
    step = 1.0 / (1.0 + np.exp(-60.0 * (x - 0.28 - 0.06 * rise)))
    return step * (1.0 + (0.1 + 0.2 * height) * np.sin(20.0 * x * (1.0 + 0.3 * period)))


EDGES = _edges(6, 40)


def sigma(spectrum, c_ref, mu_low, mu_high, a=9.3131, b=63.003):
    values = []
    for s in spectrum:
        mu = s * (mu_high - mu_low) + mu_low
        c_trans = c_ref * math.exp(-mu)
        variance = (a * c_ref - b) / c_ref**2 + (a * c_trans - b) / c_trans**2
        values.append(math.sqrt(variance) / (mu_high - mu_low))
    return np.array(values)


def z12(s1, s2, sigma1):
    t1 = (s1 - s1.mean()) / np.linalg.norm(s1 - s1.mean())
    t2 = (s2 - s2.mean()) / np.linalg.norm(s2 - s2.mean())
    n1 = math.sqrt(sum((x - s1.mean()) ** 2 for x in s1))
    if np.array_equal(t1, t2):
        return 0.0
    unlike = 1.0 - sum(x * y for x, y in zip(t1, t2, strict=True))
    if unlike < 1e-9:  # 1 - r has no digits left there; for vectors of length 1 this is the same number
        unlike = 0.5 * sum((x - y) ** 2 for x, y in zip(t1, t2, strict=True))
    spread = sum(((t1[i] - t2[i]) * sigma1[i] / n1) ** 2 for i in range(len(s1)))
    return unlike / math.sqrt(spread)


def phi(x):
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def mean_z(s1, s2, noise):
    return 0.5 * (z12(s1, s2, sigma(s1, *noise)) + z12(s2, s1, sigma(s2, *noise)))


def error(s1, s2, noise):
    forth = z12(s1, s2, sigma(s1, *noise))
    back = z12(s2, s1, sigma(s2, *noise))
    return (phi(-forth) + phi(-back)) / 2


def matrix(spectra, noise, measure):
    return np.array([[measure(s1, s2, noise) for s2 in spectra] for s1 in spectra])


def grow(candidates, standards, noise, trials, threshold, draw, seed, components):
    """One trial at a time, each against every candidate so far."""
    generator = np.random.default_rng(seed)
    array = [np.array(s) for s in candidates]
    for _ in range(trials):
        pool = standards if draw == "standards" else array
        picks = generator.choice(len(pool), size=components, replace=draw == "candidates")
        shares = generator.random(components)
        shares = shares / shares.sum()
        trial = sum(share * np.asarray(pool[k]) for share, k in zip(shares, picks, strict=True))
        if all(mean_z(trial, other, noise) > threshold for other in array):
            array.append(trial)
    return np.array(array)


def average_linkage(distance, limit):
    """Join the two clusters of the smallest mean member distance while it is within the limit."""
    clusters = [[i] for i in range(len(distance))]
    while len(clusters) > 1:
        means = [
            (np.mean([[distance[i][j] for j in two] for i in one]), p, q)
            for p, one in enumerate(clusters)
            for q, two in enumerate(clusters)
            if p < q
        ]
        height, p, q = min(means)
        if height > limit:
            break
        clusters[p] = sorted(clusters[p] + clusters.pop(q))
    return sorted(clusters)


def net(distance, limit):
    """Keep each candidate in turn that no kept one is nearer to than the limit."""
    kept = []
    for i in range(len(distance)):
        if all(distance[i][k] >= limit for k in kept):
            kept.append(i)
    return kept

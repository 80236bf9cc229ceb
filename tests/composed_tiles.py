"""Tiles of three phases, a mixture and a leaking cluster, with random spectra, and their composition."""

import numpy as np
from component_clusters import NOISE, make_clusters
from gigaxas.components.composition import compose, plan_composition
from gigaxas.components.decide import Decision
from planted import spectrum

SCALE, OFFSET, INVALID = 8 / 65534, -2.0, 65535
PURE = np.array([spectrum(name) for name in ("hematite", "magnetite", "wustite")])
CLUSTERS = make_clusters([*PURE, 0.5 * PURE[0] + 0.5 * PURE[1], 0.9 * PURE[0]], [9000, 8000, 7000, 600, 500])
DECISIONS = [
    *(Decision(label, "component", (label,), (1.0,), None) for label in (1, 2, 3)),
    Decision(4, "mixture", (1, 2), (0.5, 0.5), None),
    Decision(5, "flattened", (1,), (1.0,), None),
]


def plan(everywhere=False, one=False):
    return plan_composition(CLUSTERS, DECISIONS, NOISE, everywhere, one)


def scene(seed, shape=(11, 23), dtype="uint16"):
    """Labels 0 to 5, and samples of random mixtures of the three phases."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 6, shape).astype(np.uint16)
    image = (rng.dirichlet([1, 1, 0.3], shape) @ PURE).transpose(2, 0, 1)
    image = image + rng.normal(0, 0.04, image.shape)
    if dtype == "uint16":
        return label, np.rint((image - OFFSET) / SCALE).astype(np.uint16)
    return label, image.astype(dtype)


def composed(label, samples, plan, **options):
    code = samples.dtype.kind == "u"
    scale, offset = (SCALE, OFFSET) if code else (1.0, 0.0)
    return compose(label, samples, plan, scale, offset, INVALID if code else None, **options)

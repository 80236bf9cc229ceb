"""Hypothesis strategies for label maps, tilings and clean-up parameters."""

import numpy as np
from gigaxas.spatial.clean_up import CleanUp
from hypothesis import strategies as st

GATE = [(3, 8), (3, 9), *((5, p) for p in range(22, 26)), *((7, p) for p in range(45, 50))]
LARGEST = 24

clean_ups = st.builds(lambda gate, fill_void: CleanUp(*gate, fill_void), st.sampled_from(GATE), st.booleans())


@st.composite
def label_maps(draw, smallest=3, dtypes=(np.uint16, np.uint32)):
    """Maps of labels 0..4: areas and lines over one another, then a share of pixels at random, some void."""
    height, width = draw(st.integers(smallest, LARGEST)), draw(st.integers(smallest, LARGEST))
    side, label = st.integers(1, 12), st.integers(0, 4)
    corner = st.tuples(st.integers(-2, height - 1), st.integers(-2, width - 1))
    areas = draw(st.lists(st.tuples(corner, side, side, label), max_size=8))
    labels = np.full((height, width), draw(label), draw(st.sampled_from(dtypes)))
    for (y, x), rows, columns, value in areas:
        labels[max(y, 0) : max(y + rows, 0), max(x, 0) : max(x + columns, 0)] = value
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    salted = random.random(labels.shape) < draw(st.sampled_from([0, 0.03, 0.1, 0.3]))
    labels[salted] = random.integers(0, 5, salted.sum())
    return labels


@st.composite
def sparse_maps(draw):
    """Kept maps with few seeds in much that is empty, and a void mask or none."""
    height, width = draw(st.integers(1, LARGEST)), draw(st.integers(1, LARGEST))
    kept = np.zeros((height, width), draw(st.sampled_from((np.uint16, np.uint32))))
    place = st.tuples(st.integers(0, height - 1), st.integers(0, width - 1), st.integers(1, 5))
    for y, x, label in draw(st.lists(place, max_size=6)):
        kept[y, x] = label
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    void = (random.random(kept.shape) < draw(st.sampled_from([0, 0.2, 0.8]))) & (kept == 0)
    return kept, draw(st.sampled_from([void, None]))


def cuts(length):
    """Ways to cut a length into steps of any size, thin ones included."""
    points = st.lists(st.integers(1, length - 1), unique=True) if length > 1 else st.just([])
    every = st.integers(1, 3).map(lambda step: list(range(step, length, step)))
    return st.one_of(points, every).map(lambda inner: np.diff([0, *sorted(inner), length]).tolist())


@st.composite
def tilings(draw, shape):
    """Row heights and column widths of a ragged grid over an image."""
    return draw(cuts(shape[0])), draw(cuts(shape[1]))


@st.composite
def blockings(draw, rows, columns):
    """Ways to cut a grid of tiles into blocks, and these into blocks again, one to three times."""
    levels = []
    for _ in range(draw(st.integers(1, 3))):
        levels.append((draw(cuts(rows)), draw(cuts(columns))))
        rows, columns = map(len, levels[-1])
    return levels

"""The clean-up and the fill written straight from METHOD 5 and 6: slow, whole image, label by label."""

import numpy as np
from scipy import ndimage


def oracle_interior(shape, k_size):
    """Mask of the pixels whose K x K window lies inside the image."""
    half = k_size // 2
    interior = np.zeros(shape, bool)
    interior[half : shape[0] - half, half : shape[1] - half] = True
    return interior


def oracle_cores(labels, k_size, p_num, fill_void=False):
    """Core label of each pixel, 0 for none, by counting every label in every window."""
    half, cores = k_size // 2, np.zeros_like(labels)
    for y, x in np.argwhere(oracle_interior(labels.shape, k_size)):
        window = labels[y - half : y + half + 1, x - half : x + half + 1]
        for label in np.unique(window[window > 0]):
            if np.count_nonzero(window == label) >= p_num and (labels[y, x] > 0 or fill_void):
                cores[y, x] = label
    return cores


def oracle_clean_up(labels, k_size=5, p_num=23, fill_void=False):
    """Kept map: regions of each label, its pixels and its cores together, kept where they hold a core."""
    interior, cores = oracle_interior(labels.shape, k_size), oracle_cores(labels, k_size, p_num, fill_void)
    kept = np.zeros_like(labels)
    for label in np.unique(labels[labels > 0]):
        member = interior & (labels == label) | (cores == label)
        regions, count = ndimage.label(member, structure=np.ones((3, 3)))
        for region in range(1, count + 1):
            if (cores[regions == region] == label).any():
                kept[regions == region] = label
    return np.where(cores > 0, cores, kept)


def oracle_fill_by_growth(kept, void=None):
    """All labels grow by one pixel (8 neighbours) a step, the lowest first, until nothing changes."""
    grown = kept.copy()
    while True:
        before = grown.copy()
        for label in np.unique(before[before > 0]):
            reached = ndimage.binary_dilation(before == label, structure=np.ones((3, 3)))
            grown[reached & (grown == 0)] = label
        if np.array_equal(grown, before):
            return grown if void is None else np.where(void, 0, grown).astype(kept.dtype)


def oracle_fill_by_distance(kept, void=None):
    """For every pixel the lowest label among the nearest kept pixels, all of them measured."""
    filled, seeds = kept.copy(), np.argwhere(kept > 0)
    for y, x in np.argwhere(kept == 0):
        if len(seeds):
            distance = np.abs(seeds - (y, x)).max(axis=1)
            nearest = seeds[distance == distance.min()]
            filled[y, x] = kept[nearest[:, 0], nearest[:, 1]].min()
    return filled if void is None else np.where(void, 0, filled).astype(kept.dtype)


def oracle_states(labels, kept, clean_up):
    """States read off the reasons: void, border, core of another label, kept, and what is left was filled."""
    states = np.where(oracle_interior(labels.shape, clean_up.k_size), 3, 4)
    states[(kept == labels) & (labels > 0)] = 1
    cores = oracle_cores(labels, *clean_up)
    states[(cores > 0) & (cores != labels)] = 2
    if not clean_up.fill_void:
        states[labels == 0] = 0
    return states

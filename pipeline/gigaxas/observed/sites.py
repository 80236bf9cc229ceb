"""The sites observed in an image: from its grains, and, for an image in memory, from its pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.errors import InputError
from gigaxas.observed.block import observe_parcel, probe_windows
from gigaxas.observed.level import Level, find_level
from gigaxas.observed.sampling import parcels, probes
from gigaxas.observed.selection import select_sites
from gigaxas.observed.window_groups import Grains, merge_grains
from gigaxas.spatial.clean_up import CleanUp, check_clean_up
from gigaxas.spectra.noise import NoiseModel
from gigaxas.tiles import flat


@dataclass(frozen=True)
class ObservedSites:
    """Sites that the data hold, the commonest first.

    spectra (m, E) and the variance (m, E) of a mean over one window, in the image's own unit; windows (m,)
    how many uniform windows are nearest to each, first (m, 2) the place (y, x) of one of them, loss (m,) the
    probability that a window of the grain served worst is deleted by the clean-up.
    """

    spectra: FloatArray
    variance: FloatArray
    windows: IntArray
    first: IntArray
    loss: FloatArray
    level: Level


def observe_sites(
    image: NDArray[Any],
    noise: NoiseModel,
    k_size: int = 5,
    p_num: int = 23,
    error: float = 1e-4,
    invalid: int | None = None,
) -> ObservedSites:
    """Return the sites of an image (E, y, x) of normalised absorbance held in memory.

    A run finds the same sites, tile by tile. Raises InputError outside the gate of the clean-up, for an image
    below one window, and where no window is uniform.
    """
    check_clean_up(CleanUp(k_size, p_num), image.shape[1:])
    plane = (image.shape[1], image.shape[2])
    probed = [probe_windows(image[:, *tile.region].copy(), k_size, invalid) for tile in flat(probes(plane))]
    level = join_probes(probed, noise, k_size, p_num, error)
    parts = [
        observe_parcel([image[:, *tile.region]], (tile.y0, tile.x0), level, invalid)
        for tile in flat(parcels(plane, k_size))
    ]
    return settle_sites(parts, level)


def join_probes(
    probed: Sequence[tuple[FloatArray, FloatArray]],
    noise: NoiseModel,
    k_size: int,
    p_num: int,
    error: float,
    scale: float = 1.0,
    offset: float = 0.0,
) -> Level:
    """Return the level that the windows of all probes show; a sample x is the absorbance x * scale + offset.

    Raises InputError as `find_level`.
    """
    windows = np.concatenate([found for found, _ in probed])
    total = np.sum([spectrum for _, spectrum in probed], axis=0)
    mean = total[:-1] / max(total[-1], 1.0) * scale + offset
    return find_level(windows, mean, noise, k_size, p_num, error)


def settle_sites(
    parts: Sequence[Grains], level: Level, scale: float = 1.0, offset: float = 0.0
) -> ObservedSites:
    """Return the sites of the grains of all parcels, given in the parcels' order.

    A sample x is the absorbance x * scale + offset. Raises InputError where there is no grain.
    """
    grains = merge_grains(parts, level)
    if not grains.windows.size:
        raise InputError(
            f"sites.from: found no uniform window of {level.k_size} x {level.k_size} pixels, expected some "
            "to take sites from; set sites.from: library, or look at the noise settings"
        )
    chosen = select_sites(grains, level)
    groups = grains.grouped(chosen.site)
    length = groups.length / groups.windows
    spectra = chosen.spectra * length[:, None] + (groups.mean / groups.windows)[:, None]
    noise = groups.variance[:, None] * level.profile * length[:, None] ** 2
    loss = np.zeros(len(spectra))
    np.maximum.at(loss, chosen.site, chosen.loss)
    return ObservedSites(
        spectra * scale + offset,
        noise * scale**2 * level.spread / level.k_size**2,
        groups.windows,
        groups.first,
        loss,
        level,
    )

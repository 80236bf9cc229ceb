"""The sites observed in an image: from its window groups, and, for an image in memory, from its pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.errors import InputError
from gigaxas.observed.continuum import Continuum, classes_of, find_continua
from gigaxas.observed.field import FieldError, fit_field, grain_sums
from gigaxas.observed.grouping import observe_block
from gigaxas.observed.noise_level import NoiseLevel, level_of_samples, sample_windows
from gigaxas.observed.sampling import block_grid, field_grid, sample_grid
from gigaxas.observed.selection import select_sites
from gigaxas.observed.window_groups import WindowGroups, merge_groups
from gigaxas.spatial.clean_up import CleanUp, check_clean_up
from gigaxas.spectra.noise import Noise
from gigaxas.tiles import flat


@dataclass(frozen=True)
class ObservedSites:
    """Sites that the data hold, the commonest first."""

    spectra: FloatArray
    """(m, E) in the image's own unit."""
    variance: FloatArray
    """(m, E) variance of a mean over one window, in the square of this unit."""
    windows: IntArray
    """(m,) number of uniform windows nearest to each."""
    first: IntArray
    """(m, 2) place (y, x) of one of these windows."""
    loss: FloatArray
    """(m,) probability that a window of the group served worst is deleted by the clean-up."""
    level: NoiseLevel
    """The level of the noise by which they were found."""
    resolution: float
    """z below which two compositions were one group; larger than RESOLUTION where there were too many."""
    continua: tuple[Continuum, ...] = ()
    """Sites between which compositions vary without a gap."""

    @property
    def classes(self) -> IntArray:
        """The number (m,), from 1, of the site that stands for each in the map: its own for most."""
        return classes_of(self.continua, len(self.spectra))


def observe_sites(
    image: NDArray[Any],
    noise: Noise,
    k_size: int = 5,
    p_num: int = 23,
    error: float = 1e-4,
    invalid: int | None = None,
) -> ObservedSites:
    """Return the sites that an image in memory holds; a run finds the same, tile by tile.

    Args:
        image: (E, y, x) of normalised absorbance, or in the unit of `noise`.
        noise: Of a sample.
        k_size: Side of the clean-up's window, in pixels; odd.
        p_num: Equal labels in a window that make a core.
        error: Error at which two spectra count as one site, between 0 and 0.5.
        invalid: Number that stands for an absent sample in an image of whole numbers.

    Returns:
        `spectra` (m, E) in the unit of the image, `windows` (m,) uniform windows of each, `first` (m, 2) row
        and column of one of them, in pixels, and `loss` (m,).

    Raises:
        InputError: k_size and p_num outside the gate of the clean-up, an image below one window, or one in
            which no window is uniform.
    """
    check_clean_up(CleanUp(k_size, p_num), image.shape[1:])
    plane = (image.shape[1], image.shape[2])
    samples = [sample_windows(image[:, *tile.region], k_size, invalid) for tile in flat(sample_grid(plane))]
    level = level_of_samples(samples, noise, k_size, p_num, error)
    groups = [
        observe_block([image[:, *tile.region]], (tile.y0, tile.x0), level, invalid)
        for tile in flat(block_grid(plane, k_size))
    ]
    return sites_of_groups(groups, level)


def observe_field(
    image: NDArray[Any], energy: FloatArray, level: NoiseLevel, invalid: int | None = None
) -> FieldError | None:
    """Return the slow error of the field that an image (E, y, x) in memory shows, or None."""
    plane = (image.shape[1], image.shape[2])
    parts = [
        grain_sums(image[:, *tile.region], (tile.y0, tile.x0), plane, level, invalid)
        for tile in flat(field_grid(plane))
    ]
    return fit_field(parts, energy, plane, level)


def sites_of_groups(
    parts: Sequence[WindowGroups], level: NoiseLevel, scale: float = 1.0, offset: float = 0.0
) -> ObservedSites:
    """Return the sites of the window groups of all blocks, given in the blocks' order.

    A sample x is the absorbance x * scale + offset. Raises InputError where there is no group.
    """
    groups, resolution = merge_groups(parts, level)
    if not groups.windows.size:
        raise InputError(
            f"sites.from: found no uniform window of {level.k_size} x {level.k_size} pixels, expected some "
            "to take sites from; set sites.from: library, or look at the noise settings"
        )
    chosen = select_sites(groups, level)
    served = groups.merged(chosen.site)
    length = served.length / served.windows
    spectra = chosen.spectra * length[:, None] + (served.mean / served.windows)[:, None]
    noise = served.variance[:, None] * level.profile * length[:, None] ** 2
    loss = np.zeros(len(spectra))
    np.maximum.at(loss, chosen.site, chosen.loss)
    return ObservedSites(
        spectra * scale + offset,
        noise * scale**2 * level.spread / level.k_size**2,
        served.windows,
        served.first,
        loss,
        level,
        resolution,
        find_continua(groups, chosen, level),
    )

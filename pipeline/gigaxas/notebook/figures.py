"""Figures of a result on Matplotlib's axes."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from gigaxas.notebook.phases import chosen_phases, phases, pixel_size, thinned_labels
from gigaxas.report import wording
from gigaxas.report.layers import LONGEST_LABEL, cluster_ranks
from gigaxas.report.palette import as_rgb

VOID = "#eceae5"
MOST_NAMES = 20
"""Phases that the legend names; smaller ones are left out of it."""


def draw_phases(result: xr.Dataset, axes: Axes | None) -> Axes:
    """Draw the label map (y, x), in um, with a legend; return the axes."""
    axes = axes or pyplot.subplots(layout="constrained")[1]
    found = phases(result)
    labels = thinned_labels(result, LONGEST_LABEL)
    palette = as_rgb([VOID, *(phase.colour for phase in found)])
    (height, width), (rows, columns) = pixel_size(result), result.label.shape
    top, left = float(result.y.values[0]) - height / 2, float(result.x.values[0]) - width / 2
    axes.imshow(
        palette[cluster_ranks(labels, [phase.label for phase in found])],
        extent=(left, left + columns * width, top + rows * height, top),
        interpolation="nearest",
    )
    axes.set_xlabel("x (um)")
    axes.set_ylabel("y (um)")
    handles = [
        Patch(color=phase.colour, label=f"{phase.label} {phase.name}, {wording.share(phase.share)}")
        for phase in found[:MOST_NAMES]
    ]
    if np.any(labels == 0):
        handles.append(Patch(color=VOID, label="void"))
    axes.legend(
        handles=handles, bbox_to_anchor=(1.02, 1.0), loc="upper left", frameon=False, fontsize="small"
    )
    return axes


def draw_spectra(result: xr.Dataset, labels: Sequence[int] | None, axes: Axes | None) -> Axes:
    """Draw mean spectra over energy, in eV; return the axes. InputError for a label that there is not."""
    chosen = chosen_phases(result, labels)
    axes = axes or pyplot.subplots(layout="constrained")[1]
    for phase in chosen:
        spectrum = result.spectrum.sel(cluster=phase.label).values
        axes.plot(result.energy.values, spectrum, color=phase.colour, label=f"{phase.label} {phase.name}")
    axes.set_xlabel("energy (eV)")
    axes.set_ylabel("mean spectrum")
    axes.legend(frameon=False, fontsize="small")
    return axes

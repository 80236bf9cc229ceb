"""Figures in the manner of the paper [I]: sites, maps before and after the clean-up, spectra."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, FloatArray, LabelArray
from gigaxas.report.chart import fit_reference
from gigaxas.report.components import ComponentMap, composite
from gigaxas.report.palette import as_rgb, cluster_colours

INK, BLUE, WARM, PALE = "#22262b", "#3f78ad", "#b4552d", "#c9ccd0"
VOID, REMOVED = "#ffffff", "#22262b"
DPI = 160
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
LOWEST = 1e-8
NEAR_EDGE = (-20.0, 60.0)


@dataclass(frozen=True)
class Partition:
    """Sites in the space of spectra; errors are Eq. 1 of [I]."""

    candidates: FloatArray
    """(n, 2) on the first two principal components."""
    sites: FloatArray
    """(m, 2) on the same."""
    references: FloatArray
    """(r, 2) on the same."""
    corners: Sequence[str]
    """Names of the three references of the triangle."""
    cells: LabelArray
    """(side, side) number of the site nearest to each mixture of the three, from 1; 0 outside."""
    inside: FloatArray
    """(k, 2) sites made of the three alone."""
    candidate_error: FloatArray
    """(n,) Eq. 1 with the nearest neighbour."""
    site_error: FloatArray
    """(m,) the same."""
    limit: float
    """The error asked for."""


@dataclass(frozen=True)
class MapStage:
    """A map of labels to draw."""

    title: str
    """What the map shows."""
    label: LabelArray
    """(y, x) labels; 0 is void or was removed."""


@dataclass(frozen=True)
class Curve:
    """A spectrum to draw."""

    name: str
    """What the curve is."""
    colour: str
    """As #rrggbb."""
    spectrum: FloatArray
    """(E,) normalised absorbance."""
    reference: FloatArray | None = None
    """(E,) the reference nearest to it, if one is drawn."""


def draw_partition(found: Partition) -> bytes:
    """Draw candidates and sites, the cells that the sites make of a plane, and their spacing."""
    figure = Figure(figsize=(10.2, 3.4), layout="constrained")
    places, cells, errors = figure.subplots(1, 3, width_ratios=(1.0, 0.95, 1.0))
    for points, colour, size, name in (
        (found.candidates, PALE, 2.0, f"{len(found.candidates):,} candidates"),
        (found.sites, BLUE, 6.0, f"{len(found.sites):,} sites"),
        (found.references, WARM, 9.0, f"{len(found.references):,} references"),
    ):
        places.scatter(points[:, 0], points[:, 1], s=size, color=colour, lw=0, label=name)
    _plain(places, "first principal component", "second principal component")
    places.locator_params(nbins=5)
    places.legend(
        frameon=False,
        fontsize=7.5,
        labelcolor=INK,
        handletextpad=0.0,
        columnspacing=0.6,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=3,
    )
    _draw_cells(cells, found)
    bins = np.geomspace(LOWEST, 0.5, 45).tolist()
    for values, colour, name in (
        (found.candidate_error, PALE, "candidates"),
        (found.site_error, BLUE, "sites"),
    ):
        weight = np.full(values.size, 100.0 / values.size)
        errors.hist(np.clip(values, LOWEST, 0.5), bins, weights=weight, color=colour, label=name, alpha=0.85)
    errors.axvline(found.limit, color=WARM, lw=1.2, label=f"limit {found.limit:g}")
    errors.set_xscale("log")
    _plain(errors, "$s_\\mathrm{error}$ with the nearest neighbour", "share, %")
    errors.legend(frameon=False, fontsize=7.5, labelcolor=INK, loc="upper left")
    return _png(figure)


def draw_stages(stages: Sequence[MapStage], void: BoolArray, order: Sequence[int], pixel_um: float) -> bytes:
    """Draw maps (y, x) beside each other: clusters in colour by `order`, other sites grey, removed black."""
    figure = Figure(figsize=(3.3 * len(stages), 3.7), layout="constrained")
    colours = dict(zip(order, cluster_colours(len(order)), strict=True))
    for axes, stage in zip(figure.subplots(1, len(stages), squeeze=False)[0], stages, strict=True):
        count = np.count_nonzero(np.unique(stage.label))
        _picture(axes, _coloured(stage.label, void, colours), f"{stage.title}: {count} labels")
        axes.set_xlabel(f"{stage.label.shape[1] * pixel_um:.0f} µm", fontsize=8, color=INK)
    return _png(figure)


def draw_ratios(
    label: LabelArray, order: Sequence[int], components: ComponentMap, true: FloatArray, found: FloatArray
) -> bytes:
    """Draw clusters, the components that they come down to, and shares found (n,) against true ones (n,)."""
    figure = Figure(figsize=(10.4, 2.9))
    figure.set_layout_engine("constrained", h_pad=0.12)
    before, after, shares = figure.subplots(1, 3, width_ratios=(1.25, 1.25, 0.9))
    own = dict(zip(components.labels, components.colours, strict=True))
    others = [number for number in order if number not in own]
    colours = own | dict(zip(others, cluster_colours(len(others), components.colours), strict=True))
    _picture(before, _coloured(label, label == 0, colours), f"{len(order)} clusters")
    _picture(after, composite(components), f"{len(components.labels)} components: hue; ratio: shade")
    parts = zip(components.colours, components.names, strict=True)
    after.legend(
        handles=[Patch(facecolor=colour, label=name) for colour, name in parts],
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=len(components.labels),
        frameon=False,
        fontsize=7.5,
        labelcolor=INK,
        handlelength=1.0,
        columnspacing=1.0,
    )
    steps = np.unique(true)
    middle = np.array([found[true == step].mean() for step in steps])
    spread = np.array([found[true == step].std() for step in steps])
    shares.plot((0, 1), (0, 1), color=WARM, lw=1.0)
    shares.errorbar(steps, middle, spread, fmt="o", ms=2.5, lw=0.8, color=BLUE)
    _plain(shares, "true share of magnetite", "share found")
    return _png(figure)


def _coloured(label: LabelArray, void: BoolArray, colours: Mapping[int, str]) -> NDArray[np.uint8]:
    """Return a picture of labels (y, x): clusters in colour, other sites grey, void white, removed black."""
    numbers, where = np.unique(label, return_inverse=True)
    table = as_rgb([colours.get(n, _grey(n)) for n in numbers.tolist()])
    image = table[where.reshape(label.shape)]
    image[label == 0] = as_rgb([REMOVED])[0]
    image[void] = as_rgb([VOID])[0]
    return np.asarray(image)


def _picture(axes: Axes, image: NDArray[np.uint8], title: str) -> None:
    axes.imshow(image, interpolation="nearest")
    axes.set_title(title, fontsize=9, color=INK)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_color(PALE)


def draw_curves(energy: FloatArray, curves: Sequence[Curve], edge: float) -> bytes:
    """Draw spectra one above the other: whole, and about the edge; references dashed, fitted as r does."""
    figure = Figure(figsize=(8.4, 1.1 + 0.42 * len(curves)), layout="constrained")
    whole, near = figure.subplots(1, 2, width_ratios=(1.25, 1.0))
    window = (energy >= edge + NEAR_EDGE[0]) & (energy <= edge + NEAR_EDGE[1])
    for axes, part, apart in ((whole, np.ones(len(energy), bool), 0.55), (near, window, 0.4)):
        for place, curve in enumerate(reversed(curves)):
            lift = apart * place
            axes.plot(energy[part], curve.spectrum[part] + lift, color=curve.colour, lw=1.5)
            if curve.reference is not None:
                fitted = fit_reference(curve.spectrum, curve.reference)
                axes.plot(energy[part], fitted[part] + lift, color=INK, lw=0.8, ls=(0, (3, 3)))
            if axes is whole:
                axes.text(energy[0], lift + 0.07, curve.name, fontsize=8, color=INK)
        axes.set_yticks([])
        _plain(axes, "energy, eV", "normalised absorbance, shifted" if axes is whole else "")
        axes.spines["left"].set_visible(False)
    return _png(figure)


def _draw_cells(axes: Axes, found: Partition) -> None:
    """Draw the cells of the triangle, neighbours in different colours, and the sites that lie in it."""
    numbers, where = np.unique(found.cells, return_inverse=True)
    tints = 0.45 * 255 + 0.55 * as_rgb(cluster_colours(12)).astype(float)
    colours = np.vstack([np.full((1, 3), 255.0), tints[np.arange(len(numbers) - 1) * 5 % 12]]) / 255
    shade = where.reshape(found.cells.shape)
    axes.imshow(
        shade,
        cmap=ListedColormap(colours.tolist()),
        extent=(0, 1, 0, CORNERS[2, 1]),
        origin="lower",
        interpolation="nearest",
        vmin=-0.5,
        vmax=len(numbers) - 0.5,
    )
    axes.scatter(found.inside[:, 0], found.inside[:, 1], s=10, color=INK, lw=0, zorder=3)
    for (x, y), name, at in zip(CORNERS, found.corners, ("left", "right", "center"), strict=True):
        lift, side = (0.03, "bottom") if y else (-0.03, "top")
        axes.text(x, y + lift, name, ha=at, va=side, fontsize=8, color=INK)
    axes.set_title(f"mixtures of three phases: {len(numbers) - 1} cells", fontsize=8.5, color=INK, pad=12)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.1, CORNERS[2, 1] + 0.1))
    axes.set_axis_off()


def _grey(number: int) -> str:
    """Return a grey for a site that names no cluster."""
    return f"#{150 + number * 37 % 80:02x}" + 2 * f"{150 + number * 37 % 80:02x}"


def _plain(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x, color=INK, fontsize=8.5)
    axes.set_ylabel(y, color=INK, fontsize=8.5)
    axes.tick_params(colors=INK, which="both", labelsize=7.5)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(INK)


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    out = io.BytesIO()
    figure.savefig(out, dpi=DPI, format="png", facecolor="white", metadata={"Software": None})
    return out.getvalue()

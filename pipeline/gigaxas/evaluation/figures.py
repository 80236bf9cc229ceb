"""Figures of the verification study, each a PNG."""

import io
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gigaxas.arrays import LabelArray
from gigaxas.evaluation.scenes import SIZES, VerifyScene
from gigaxas.evaluation.study import LIMIT_SIZES, WITH_SPECKS, Z_EDGES, LimitCurve, NeedleRow, SweepRow
from gigaxas.report.palette import cluster_colours

_DPI = 140
_COLOURS = {"library": "#b4552d", "observed": "#3f78ad", "both": "#6b8f3a", "specks": "#7a4fa3"}
_DASHES = ("-", "--", "-.", ":")


def draw_sweep(rows: Sequence[SweepRow]) -> bytes:
    """Draw classes and error of the published scene over the light, before and after the clean-up."""
    figure = Figure(figsize=(8.6, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for method in dict.fromkeys(row.method for row in rows):
        mine = [row for row in rows if row.method == method]
        light = [row.light for row in mine]
        for stage, dash in (("before", ":"), ("after", "-")):
            values = [getattr(row, stage) for row in mine]
            style = {"color": _COLOURS[method], "ls": dash, "marker": "o", "ms": 3.5}
            left.plot(light, [classes for classes, _ in values], label=f"{method}, {stage}", **style)
            right.plot(light, [100 * max(error, 1e-6) for _, error in values], **style)
    left.axhline(2, color="#888888", lw=0.7)
    left.set(ylabel="classes (true: 2)", yscale="log")
    right.set(ylabel="wrong pixels, %", yscale="log")
    for axes in (left, right):
        axes.set(xlabel="reference counts / working point", xscale="log")
    left.legend(frameon=False, fontsize=8, title="clean-up", title_fontsize=8)
    return _png(figure)


def draw_limit(curves: Sequence[LimitCurve]) -> bytes:
    """Draw the share of square regions that are found over their size, a panel for each kind of region."""
    regions, lights = (
        list(dict.fromkeys(getattr(curve, name) for curve in curves)) for name in ("region", "light")
    )
    figure = Figure(figsize=(3.5 * len(regions) + 1.6, 3.4), layout="constrained")
    panels = figure.subplots(1, len(regions), squeeze=False, sharey=True)[0]
    for curve in curves:
        panels[regions.index(curve.region)].plot(
            LIMIT_SIZES,
            [100 * share for share in curve.found],
            color=_COLOURS["specks" if curve.method == WITH_SPECKS else curve.method],
            ls=_DASHES[lights.index(curve.light)],
            marker="o",
            ms=3,
            label=f"{curve.method}, light x {curve.light:g}",
        )
    for region, axes in zip(regions, panels, strict=True):
        axes.axhline(95, color="#888888", lw=0.7)
        axes.set(xlabel="side of the region, pixels", ylim=(-4, 104), title=region)
    panels[0].set(ylabel="found, %")
    marks, names = panels[0].get_legend_handles_labels()
    figure.legend(marks, names, loc="outside right center", frameon=False, fontsize=8)
    return _png(figure)


def draw_recall(rows: Sequence[NeedleRow]) -> bytes:
    """Draw the recall of needles by size and by z, at every condition."""
    conditions = list(dict.fromkeys(row.condition for row in rows))
    figure = Figure(figsize=(8.6, 3.0 * len(conditions)), layout="constrained")
    panels = figure.subplots(len(conditions), 2, squeeze=False)
    bins = [f"{low:g} to {high:g}" for low, high in pairwise(Z_EDGES)]
    for condition, (left, right) in zip(conditions, panels, strict=True):
        mine = [row for row in rows if row.condition == condition]
        _bars(left, mine, [f"{size} x {size}" for size in SIZES], [row.by_size for row in mine])
        _bars(right, mine, bins, [row.by_z for row in mine])
        left.set(ylabel=f"found, %\n({condition})", xlabel="size, pixels")
        right.set(xlabel="z from the surround")
    marks, names = panels[0][0].get_legend_handles_labels()
    figure.legend(marks, names, loc="outside upper center", ncols=len(names), frameon=False, fontsize=8)
    return _png(figure)


def draw_example(scene: VerifyScene, maps: dict[str, LabelArray]) -> bytes:
    """Draw the truth of a needle scene beside the final maps, each phase in the colour of its truth."""
    figure = Figure(figsize=(3.1 * (1 + len(maps)), 3.5), layout="constrained")
    panels = figure.subplots(1, 1 + len(maps), squeeze=False)[0]
    colours = ListedColormap(["#ffffff", *cluster_colours(int(scene.phase.max()) + 1), "#000000"])
    for axes, (name, image) in zip(
        panels,
        {"truth": scene.phase + 1, **{k: _as_truth(scene, m) for k, m in maps.items()}}.items(),
        strict=True,
    ):
        axes.imshow(image, cmap=colours, vmin=0, vmax=colours.N - 1, interpolation="nearest")
        axes.set(title=name, xticks=[], yticks=[])
    return _png(figure)


def draw_injection(
    sizes: Sequence[int],
    distances: Sequence[float],
    tried: NDArray[np.int64],
    found: NDArray[np.int64],
    by_map: NDArray[np.int64],
) -> bytes:
    """Draw the share of injected needles (sizes, z) that were found over size, on the map alone dotted."""
    figure = Figure(figsize=(5.6, 3.5), layout="constrained")
    axes = figure.subplots()
    shades = np.linspace(0.25, 1.0, len(distances))
    for column, (z, shade) in enumerate(zip(distances, shades, strict=True)):
        there = tried[:, column] > 0
        side, style = np.array(sizes)[there], {"alpha": shade, "marker": "o", "ms": 3}
        for name, counts, dash in (("observed", by_map, ":"), ("specks", found, "-")):
            share = 100 * counts[there, column] / tried[there, column]
            axes.plot(side, share, color=_COLOURS[name], ls=dash, **style)
        axes.plot([], [], color=_COLOURS["specks"], alpha=shade, marker="o", ms=3, label=f"z {z:g}")
    axes.plot([], [], color=_COLOURS["specks"], label="map and specks")
    axes.plot([], [], color=_COLOURS["observed"], ls=":", label="map alone")
    axes.legend(frameon=False, fontsize=8, loc="center right", bbox_to_anchor=(1.0, 0.36))
    axes.axhline(95, color="#888888", lw=0.7)
    axes.set(xlabel="side of the needle, pixels", ylabel="found, %", ylim=(-4, 104))
    return _png(figure)


def _as_truth(scene: VerifyScene, label: LabelArray) -> NDArray[np.int64]:
    """Number labels by the phase that most of their pixels are; a phase has one label, others are black."""
    counts = np.zeros((int(label.max()) + 1, int(scene.phase.max()) + 1), np.int64)
    np.add.at(counts, (label.ravel().astype(np.int64), scene.phase.ravel()), 1)
    phase = np.where(counts.sum(axis=1) > 0, counts.argmax(axis=1) + 1, 0)
    for number in np.unique(phase[phase > 0]):
        same = np.flatnonzero(phase == number)
        most = same[counts[same, number - 1].argmax()]
        phase[same[same != most]] = counts.shape[1] + 1
    phase[0] = 0
    return np.asarray(phase[label])


def _bars(
    axes: Axes, rows: Sequence[NeedleRow], names: Sequence[str], values: Sequence[Sequence[float]]
) -> None:
    width = 0.8 / len(rows)
    for k, (row, shares) in enumerate(zip(rows, values, strict=True)):
        places = np.arange(len(names)) + (k - 0.5 * (len(rows) - 1)) * width
        axes.bar(places, 100 * np.array(shares), width * 0.92, color=_COLOURS[row.method], label=row.method)
    axes.set_xticks(np.arange(len(names)), names)
    axes.set_ylim(0, 104)


def _png(figure: Figure) -> bytes:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    FigureCanvasAgg(figure)
    out = io.BytesIO()
    figure.savefig(out, dpi=_DPI, format="png", metadata={"Software": None})
    return out.getvalue()

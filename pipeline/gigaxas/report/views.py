"""What the page's template draws: the data with its colours, pictures and paths added."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.report import layers
from gigaxas.report.chart import Chart, spectrum_chart
from gigaxas.report.data import STATE_NAMES, ClusterRow, ReportData
from gigaxas.report.palette import as_hex, as_rgb, cluster_colours, shaded, state_colours
from gigaxas.report.specks import SpeckKind, SpeckReport, SpeckRow
from gigaxas.spectra.void import VOID_MEANINGS

MOST_KINDS = 24
"""Kinds of specks that are drawn, and rows of the table of pieces."""
MOST_MARKS = 1000
"""Specks that are marked on the map."""
MARK_SHARE = 0.014
"""Radius of a mark as a share of the longer side of the map."""
MINOR_SHARE = 0.01
"""Share of the labelled pixels below which a cluster is named among the minor ones."""
MOST_CHARTS = (100, 50)
"""Spectra that are drawn: of the largest and of the smallest clusters."""
_SHADED = "#bcd0e0"
_LEVELS = 32
"""Bins of the correlation's histogram."""

STATE_MEANINGS = {
    "void": "no signal; stays without a label",
    "kept": "its nearest site is also the label of its surroundings",
    "core": "overruled by a window full of one other label",
    "filled": "removed as isolated, then filled from its neighbours",
    "border": "filled along the edge of the image",
}


@dataclass(frozen=True, eq=False)
class ClusterView:
    """A cluster as the page shows it."""

    row: ClusterRow
    """The cluster."""
    colour: str
    """Its colour as '#rrggbb'."""
    minor: bool
    """Whether it is named among the minor ones."""
    chart: Chart | None
    """Its spectrum; None where too many would be drawn."""


@dataclass(frozen=True, eq=False)
class KindView:
    """A kind of specks as the page shows it."""

    kind: SpeckKind
    """The kind."""
    clearest: SpeckRow
    """Its most significant speck."""
    colour: str
    """Its colour as '#rrggbb'; that of the cluster where it is a piece of one."""
    chart: Chart | None
    """Its spectrum over what it is shown beside; None for a piece of a cluster, which has a chart itself."""


@dataclass(frozen=True)
class Mark:
    """A speck on the picture of the map."""

    x: float
    """Its middle, in columns of the whole map."""
    y: float
    """Its middle, in rows of the whole map."""
    colour: str
    """Colour of its kind as '#rrggbb'."""


@dataclass(frozen=True)
class SpeckSection:
    """What the page shows of the specks."""

    found: SpeckReport
    """All that was found."""
    new: Sequence[KindView]
    """Kinds that the map does not show, at most MOST_KINDS."""
    pieces: Sequence[KindView]
    """Clusters of the map that specks are pieces of, those of most specks, at most MOST_KINDS."""
    count: int
    """Specks of kinds that the map does not show."""
    marks: Sequence[Mark]
    """The most significant of them, at most MOST_MARKS."""
    radius: float
    """Radius of a mark, in pixels of the whole map."""


@dataclass(frozen=True)
class MapView:
    """The label picture with its shade, and how to read its size."""

    label_uri: str
    """Address that holds the picture of the labels."""
    shade_uri: str | None
    """Address that holds the shade of iron density; None without a density."""
    shade_ends: Sequence[str]
    """A colour as '#rrggbb' where there is little iron, and where there is much."""
    width: int
    """Columns of the picture."""
    height: int
    """Rows of the picture."""
    um_per_pixel: float
    """Size of a pixel of the picture in um."""
    bar_um: float
    """Length of the scale bar in um."""
    bar_share: float
    """Length of the scale bar as a share of the picture's width."""
    step: int
    """Pixels of the whole map from one pixel of the picture to the next."""


@dataclass(frozen=True)
class StateView:
    """One state of a pixel."""

    name: str
    """What it is called."""
    meaning: str
    """What it says."""
    colour: str
    """Its colour as '#rrggbb'."""
    pixels: int
    """Pixels of it in the whole map."""
    share: float
    """Its share of the whole map, 0 to 1."""
    reasons: Sequence["VoidView"] = ()
    """Why pixels have it, where several reasons lead to it."""


@dataclass(frozen=True)
class VoidView:
    """One reason why pixels are void."""

    meaning: str
    """What it says."""
    pixels: int
    """Pixels of it in the whole map."""
    share: float
    """Their share of the whole map, 0 to 1."""


@dataclass(frozen=True)
class CorrelationView:
    """The picture of the best correlation of every pixel, with its histogram."""

    uri: str
    """Address that holds the picture."""
    low: float
    """1st percentile, the first colour."""
    median: float
    """Median."""
    high: float
    """99th percentile, the last colour."""
    bars: list[tuple[float, str]]
    """Height, 0 to 1, and colour of every bar, low to high."""


def by_size(rows: Sequence[ClusterRow]) -> list[ClusterRow]:
    """Return the rows, most pixels first, the lower label first where equal."""
    return sorted(rows, key=lambda row: (-row.pixels, row.label))


def colours_by_label(data: ReportData) -> dict[int, str]:
    """Return the colour of every cluster: a component's own, and for the others ones that stand apart."""
    own = {component.label: component.colour for component in data.components}
    others = [row.label for row in by_size(data.clusters) if row.label not in own]
    return own | dict(zip(others, cluster_colours(len(others), tuple(own.values())), strict=True))


def speck_colours(data: ReportData) -> dict[int, str]:
    """Return the colour of every kind of specks: its cluster's, or one that stands apart from all those."""
    if data.specks is None:
        return {}
    shown = colours_by_label(data)
    new = cluster_colours(len(data.specks.new), tuple(shown.values()))
    return {kind.number: shown[kind.cluster] for kind in data.specks.pieces} | {
        kind.number: colour for kind, colour in zip(data.specks.new, new, strict=True)
    }


def kind_views(data: ReportData, kinds: Sequence[SpeckKind]) -> list[KindView]:
    """Return these kinds with their colours and spectra."""
    assert data.specks is not None
    colours = speck_colours(data)
    return [
        KindView(
            kind,
            data.specks.clearest(kind),
            colours[kind.number],
            None
            if kind.cluster
            else spectrum_chart(data.energy, kind.spectrum, kind.standard_error, kind.reference),
        )
        for kind in kinds
    ]


def speck_section(data: ReportData) -> SpeckSection | None:
    """Return what is shown of the specks, None where these were not searched."""
    found = data.specks
    if found is None:
        return None
    pieces = sorted(found.pieces, key=lambda kind: (-kind.specks, kind.number))
    new = {kind.number for kind in found.new}
    colours = speck_colours(data)
    seen = [row for row in found.rows if row.kind in new]
    return SpeckSection(
        found=found,
        new=kind_views(data, found.new[:MOST_KINDS]),
        pieces=kind_views(data, pieces[:MOST_KINDS]),
        count=len(seen),
        marks=[
            Mark(row.x + row.width / 2, row.y + row.height / 2, colours[row.kind])
            for row in seen[:MOST_MARKS]
        ],
        radius=MARK_SHARE * max(data.label.shape) * data.step,
    )


def cluster_views(data: ReportData, most_charts: tuple[int, int] | None = MOST_CHARTS) -> list[ClusterView]:
    """Return every cluster, largest first, with its colour.

    `most_charts` (of the largest, of the smallest) get a chart; None draws all.
    """
    rows = by_size(data.clusters)
    first, last = most_charts or (len(rows), 0)
    colours = colours_by_label(data)
    return [
        ClusterView(
            row,
            colours[row.label],
            minor=0 < row.share < MINOR_SHARE,
            chart=spectrum_chart(data.energy, row.spectrum, row.standard_error, row.reference)
            if number < first or number >= len(rows) - last
            else None,
        )
        for number, row in enumerate(rows)
    ]


def needles(clusters: Sequence[ClusterView]) -> tuple[list[ClusterView], list[ClusterView]]:
    """Return the clusters outside the library, and the minor ones of the others, both smallest first."""
    order = sorted(clusters, key=lambda view: (view.row.pixels, view.row.label))
    return (
        [view for view in order if view.row.reason],
        [view for view in order if view.minor and not view.row.reason],
    )


def map_view(data: ReportData, clusters: Sequence[ClusterView]) -> MapView:
    """Return the composite map: one colour a cluster, iron density as a shade above it."""
    step = layers.thinning(data.label.shape, layers.LONGEST_LABEL)
    label = data.label[::step, ::step]
    shade_uri = None
    if data.density is not None:
        coarse = layers.thinning(data.label.shape, layers.LONGEST_SHADE)
        empty = data.label[::coarse, ::coarse] == 0
        shade_uri = layers.data_uri(layers.shade_layer(data.density[::coarse, ::coarse], empty))
    png = layers.label_layer(label, [view.row.label for view in clusters], [view.colour for view in clusters])
    width_um = data.shape_um[1]
    bar_um = layers.scale_bar(width_um)
    return MapView(
        label_uri=layers.data_uri(png),
        shade_uri=shade_uri,
        shade_ends=as_hex(shaded(as_rgb([_SHADED]), np.array([0.0, 1.0]))),
        width=label.shape[1],
        height=label.shape[0],
        um_per_pixel=data.pixel_um * data.step * step,
        bar_um=bar_um,
        bar_share=bar_um / width_um,
        step=data.step * step,
    )


def state_picture(data: ReportData) -> str:
    """Return the state map as a data address."""
    coarse = layers.thinning(data.state.shape, layers.LONGEST_SHADE)
    return layers.data_uri(layers.state_layer(data.state[::coarse, ::coarse]))


def state_views(data: ReportData) -> list[StateView]:
    """Return the five states in order."""
    total = max(1, data.total_pixels)
    return [
        StateView(
            name,
            STATE_MEANINGS[name],
            colour,
            pixels,
            pixels / total,
            void_views(data) if name == "void" else (),
        )
        for name, colour in zip(STATE_NAMES, state_colours(), strict=True)
        for pixels in [data.states.get(name, 0)]
    ]


def void_views(data: ReportData) -> list[VoidView]:
    """Return the reasons of void pixels, the most frequent first."""
    total = max(1, data.total_pixels)
    ordered = sorted(data.void.items(), key=lambda item: -item[1])
    return [VoidView(VOID_MEANINGS[reason], pixels, pixels / total) for reason, pixels in ordered]


def correlation_view(data: ReportData) -> CorrelationView | None:
    """Return the map of the best correlation with its histogram, or None where there is nothing to show."""
    if data.correlation is None:
        return None
    coarse = layers.thinning(data.correlation.shape, layers.LONGEST_SHADE)
    values = np.where(data.state == 0, np.nan, data.correlation)[::coarse, ::coarse].astype(np.float64)
    known = values[np.isfinite(values)]
    if known.size == 0:
        return None
    from matplotlib import colormaps

    low, median, high = (float(v) for v in np.percentile(known, (1, 50, 100)))
    edges: FloatArray = np.linspace(low, high if high > low else low + 1e-9, _LEVELS + 1)
    colours = np.rint(255 * colormaps["cividis"](np.linspace(0, 1, _LEVELS))[:, :3]).astype(np.uint8)
    counts = np.histogram(known, edges)[0] / max(1, int(np.histogram(known, edges)[0].max()))
    bars = [(float(n), "#" + bytes(colour).hex()) for n, colour in zip(counts, colours, strict=True)]
    uri = layers.data_uri(layers.level_layer(values, edges, colours))
    return CorrelationView(uri, low, median, high, bars)

"""The composite figure: hue for the component, shade for its ratio and for iron density; PNG and PDF."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray, LabelArray
from gigaxas.report import layers, wording
from gigaxas.report.palette import as_rgb, shaded
from gigaxas.stores.io.files import publish_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MM_PER_INCH = 25.4
POINTS_PER_INCH = 72.0
PALEST = 0.3
"""How much of a component's colour is left where its ratio is lowest."""
VOID = "#ffffff"
INK = "#22262b"
GAP_MM, BAR_MM, TEXT_POINT, LINE_MM = 3.0, 1.0, 8.0, 5.0
"""Gaps, thickness of the scale bar, size of the text, and distance of the lines of the legend."""
SWATCHES = 24
"""Steps of a shade in the legend."""


@dataclass(frozen=True, eq=False)
class ComponentMap:
    """What the figure shows of K components, at its own resolution."""

    title: str
    """Title in the metadata of the files."""
    main: LabelArray
    """Label (y, x) of the component with the largest ratio, 0 for void."""
    ratio: NDArray[np.float32]
    """Ratios (K, y, x) of all components."""
    density: FloatArray | None
    """Iron density mu_high - mu_low (y, x), where the cube tells it."""
    labels: Sequence[int]
    """Labels (K,) of the components."""
    names: Sequence[str]
    """Names (K,) of the components."""
    colours: Sequence[str]
    """Colours (K,) of the components as '#rrggbb'."""
    shares: Sequence[float]
    """Shares (K,) of all labelled pixels, 0 to 1."""
    pixel_um: float
    """Size of one of these pixels in um."""
    width_mm: float
    """Longer side of the map on paper."""
    dpi: int
    """Dots an inch of the PNG."""


def write_component_figure(path: Path, data: ComponentMap) -> list[Path]:
    """Write the figure as path.png and path.pdf, each whole or not at all; return both. Raises RunError."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    figure = _figure(data)
    written = []
    for kind, canvas in (("png", FigureCanvasAgg(figure)), ("pdf", FigureCanvasPdf(figure))):
        buffer = io.BytesIO()
        stamp = {"Software": None} if kind == "png" else {"CreationDate": None, "Producer": None}
        canvas.print_figure(buffer, format=kind, dpi=data.dpi, metadata={"Title": data.title, **stamp})
        written.append(path.with_suffix(f".{kind}"))
        publish_file(written[-1], buffer.getvalue())
    return written


def composite(data: ComponentMap) -> NDArray[np.uint8]:
    """Return the map as colours (y, x, 3).

    The colour of the main component turns paler the less of it there is, and darker the less iron.
    """
    ranks = layers.cluster_ranks(data.main, list(data.labels))
    palette = as_rgb([VOID, *data.colours]).astype(np.float64)
    colour = palette[ranks]
    void = ranks == 0
    largest = np.clip(np.where(void, 1.0, data.ratio.max(axis=0, initial=0.0)), 0.0, 1.0)
    strength = PALEST + (1 - PALEST) * _above_least(largest, len(data.labels))
    colour = 255.0 - (255.0 - colour) * strength[..., None]
    if data.density is not None:
        colour = shaded(colour, layers.brightness(data.density, void))
    return np.rint(np.where(void[..., None], palette[0], colour)).astype(np.uint8)


def _above_least(ratio: FloatArray, components: int) -> FloatArray:
    """Return the largest ratio from 0, where it can be no smaller, to 1; of two the larger has a half."""
    least = 1.0 / min(max(components, 1), 2)
    if least == 1.0:
        return np.ones_like(ratio)
    return np.clip((ratio - least) / (1.0 - least), 0.0, 1.0)


def _figure(data: ComponentMap) -> "Figure":
    """Draw map, scale bar and legend; the map takes `width_mm`, the rest as much as it needs."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    rows, columns = data.main.shape
    scale = data.width_mm / max(rows, columns)
    height, width = max(rows * scale, 4.0), max(columns * scale, 4.0)
    legend_mm = _legend_width(data)
    page = (width + legend_mm + 3 * GAP_MM, max(height + 10.0, (len(data.names) + 4) * LINE_MM) + 2 * GAP_MM)
    figure = Figure(figsize=(page[0] / MM_PER_INCH, page[1] / MM_PER_INCH), facecolor="white")
    paper = figure.add_axes((0, 0, 1, 1), xlim=(0, page[0]), ylim=(0, page[1]))
    paper.set_axis_off()
    top = page[1] - GAP_MM
    extent = (GAP_MM, GAP_MM + width, top - height, top)
    sharp = max(rows, columns) <= data.width_mm / MM_PER_INCH * data.dpi
    paper.imshow(
        composite(data), extent=extent, aspect="auto", interpolation="nearest" if sharp else "antialiased"
    )
    paper.add_patch(Rectangle((GAP_MM, top - height), width, height, fill=False, lw=0.4, edgecolor=INK))
    bar_um = layers.scale_bar(columns * data.pixel_um)
    bar = bar_um / (columns * data.pixel_um) * width
    paper.add_patch(Rectangle((GAP_MM, top - height - 2.5), bar, BAR_MM, color=INK, lw=0))
    paper.text(GAP_MM, top - height - 3.5, wording.length(bar_um), va="top", fontsize=TEXT_POINT, color=INK)
    _draw_legend(paper, data, width + 2 * GAP_MM, top)
    paper.set_xlim(0, page[0])
    paper.set_ylim(0, page[1])
    return figure


def _legend_width(data: ComponentMap) -> float:
    """Return how many mm the longest line of the legend may take."""
    lines = [_line(name, share) for name, share in zip(data.names, data.shares, strict=True)]
    longest = max([len(line) for line in lines] + [34])
    return 10.0 + longest * 0.55 * TEXT_POINT / POINTS_PER_INCH * MM_PER_INCH


def _line(name: str, share: float) -> str:
    return f"{name}  {wording.share(share)}"


def _draw_legend(paper: "Axes", data: ComponentMap, left: float, top: float) -> None:
    """List the components with their share of all labelled pixels, then say what the shades mean."""
    from matplotlib.patches import Rectangle

    y = top - LINE_MM
    for name, colour, share in zip(data.names, data.colours, data.shares, strict=True):
        paper.add_patch(Rectangle((left, y), 6, 3.2, color=colour, lw=0))
        _text(paper, left + 8, y + 1.6, _line(name, share))
        y -= LINE_MM
    base = 255.0 - as_rgb(list(data.colours[:1]))[0] if data.colours else np.zeros(3)
    ramp = np.linspace(0.0, 1.0, SWATCHES)[None]
    shades = [("ratio, low to high", 255.0 - base * (PALEST + (1 - PALEST) * ramp)[..., None])]
    if data.density is not None:
        shades.append(("iron density, low to high", shaded(255.0 - base, ramp)))
    for name, strip in shades:
        y -= 0.2 * LINE_MM
        image = np.rint(strip).astype(np.uint8)
        paper.imshow(image, extent=(left, left + 18, y, y + 3.2), aspect="auto", interpolation="nearest")
        _text(paper, left + 20, y + 1.6, name)
        y -= LINE_MM


def _text(paper: "Axes", x: float, y: float, text: str) -> None:
    written = paper.text(x, y, text, va="center", fontsize=TEXT_POINT, color=INK)
    written.set_parse_math(False)  # a phase name may hold a dollar sign

"""The composite map as a picture for a slide or a paper: map, scale bar, legend."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gigaxas.report import layers, wording
from gigaxas.report.data import ClusterRow, ReportData
from gigaxas.report.palette import as_rgb, shaded
from gigaxas.report.views import by_size, colours_by_label
from gigaxas.stores.io.files import publish_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 200
_MAP_INCHES = 7.0
_LEGEND_INCHES = 3.2
_FOOT_INCHES = 0.55
_MARGIN = 0.15
_ROW_INCHES = 0.18
_VOID = "#eceae5"
_INK = "#22262b"


def write_label_png(path: Path, data: ReportData) -> None:
    """Write the composite map with scale bar and legend as PNG, whole or not at all; raises RunError."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(dpi=_DPI, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    image = composite(data)
    height, width = _map_inches(image.shape[0], image.shape[1])
    page_width = width + _LEGEND_INCHES + 3 * _MARGIN
    page_height = max(height, 2.2) + _FOOT_INCHES + 2 * _MARGIN
    figure.set_size_inches(page_width, page_height)
    axes = figure.add_axes(
        (
            _MARGIN / page_width,
            1 - (height + _MARGIN) / page_height,
            width / page_width,
            height / page_height,
        )
    )
    axes.imshow(
        image, interpolation="nearest" if image.shape[1] < width * _DPI else "antialiased", aspect="auto"
    )
    axes.set_axis_off()
    _draw_scale_bar(axes, data, height)
    _draw_legend(figure, data, (width + 2 * _MARGIN) / page_width, rows=int(page_height / _ROW_INCHES) - 2)
    buffer = io.BytesIO()
    canvas.print_figure(buffer, format="png", dpi=_DPI, metadata={"Title": data.title, "Software": None})
    publish_file(Path(path), buffer.getvalue())


def composite(data: ReportData) -> NDArray[np.uint8]:
    """Return the map (y, x, 3): hue for the cluster, shade for iron density, grey for void."""
    step = layers.thinning(data.label.shape, layers.LONGEST_LABEL)
    label = data.label[::step, ::step]
    rows = by_size(data.clusters)
    colours = colours_by_label(data)
    palette = as_rgb([_VOID, *(colours[row.label] for row in rows)])
    colour = palette[layers.cluster_ranks(label, [row.label for row in rows])]
    if data.density is None:
        return colour
    light = layers.brightness(data.density[::step, ::step], label == 0)
    return np.rint(shaded(colour, light)).astype(np.uint8)


def _map_inches(rows: int, columns: int) -> tuple[float, float]:
    """Return height and width of the drawn map: its longer side is fixed, a thin one stays visible."""
    scale = _MAP_INCHES / max(rows, columns)
    return max(rows * scale, 0.1), max(columns * scale, 0.1)


def _draw_scale_bar(axes: "Axes", data: ReportData, height: float) -> None:
    """Draw the scale bar below the map, where no colour of the map can swallow it."""
    width_um = data.shape_um[1]
    bar = layers.scale_bar(width_um)
    foot = -0.14 / height
    axes.plot(
        [0, bar / width_um],
        [foot, foot],
        transform=axes.transAxes,
        color=_INK,
        lw=2.5,
        clip_on=False,
        solid_capstyle="butt",
    )
    axes.text(
        0,
        foot - 0.08 / height,
        wording.length(bar),
        transform=axes.transAxes,
        va="top",
        color=_INK,
        fontsize=9,
    )


def _draw_legend(figure: "Figure", data: ReportData, left: float, rows: int) -> None:
    """List the clusters at the right; where they are too many, the largest and the smallest."""
    from matplotlib.patches import Patch

    order = by_size(data.clusters)
    colours = colours_by_label(data)
    entries = [Patch(facecolor=colours[row.label], label=_legend_text(row)) for row in order]
    if len(entries) > rows - 1:
        upper = (rows - 2 + 1) // 2
        lower = rows - 2 - upper
        gap = Patch(facecolor="none", label=f"… {len(entries) - upper - lower} more …")
        entries = [*entries[:upper], gap, *entries[len(entries) - lower :]]
    if (data.label == 0).any():
        entries.append(Patch(facecolor=_VOID, label="void"))
    legend = figure.legend(
        handles=entries,
        loc="upper left",
        bbox_to_anchor=(left, 1.0),
        frameon=False,
        fontsize=8,
        labelcolor=_INK,
        handlelength=1.1,
        handleheight=1.1,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)  # a phase name may hold a dollar sign


def _legend_text(row: ClusterRow) -> str:
    """Return name and share, the name cut where it would leave the picture."""
    name = row.title if len(row.title) <= 30 else row.title[:29] + "…"
    return f"{name}  {wording.share(row.share)}"

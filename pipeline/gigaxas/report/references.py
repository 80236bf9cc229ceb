"""The picture of a library of reference spectra: one panel an edge, one above the other as they rise."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gigaxas.arrays import FloatArray
from gigaxas.stores.io.files import publish_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _LINE, _FRAME = 5.2, 0.26, 1.1
"""Inches: of a panel, between two spectra, and of the frame."""
_OFFSET = 0.4
"""Edge steps between two spectra."""
_SPAN = (-40.0, 120.0)
"""eV about the median E0 that are drawn."""
_TALLEST = 60.0
_TOP = 2.0
"""Edge steps above the foot of the first spectrum."""
_INK, _COLOURS = "#22262b", {"fits": "#3f78ad", "copy": "#9aa3ab", "misfit": "#b4552d"}


@dataclass(frozen=True, eq=False)
class EdgePanel:
    """The spectra of one edge."""

    edge: str
    """Its name."""
    middle: float
    """Median E0, eV."""
    names: tuple[str, ...]
    """(n,)."""
    curves: tuple[tuple[FloatArray, FloatArray], ...]
    """Energies (E,) in eV and normalised absorbance (E,) of each."""
    status: tuple[str, ...]
    """fits, copy or misfit, of each."""


def write_references_picture(path: Path, panels: Sequence[EdgePanel]) -> None:
    """Write the spectra of every edge as a PNG or an SVG, by the ending. RunError: it cannot be written."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    most = max(len(panel.names) for panel in panels)
    size = (_WIDTH * len(panels), min(_TALLEST, _FRAME + _LINE * (most + 3)))
    figure = Figure(figsize=size, layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _draw(axes, panel)
    kind, content = path.suffix.removeprefix("."), io.BytesIO()
    if kind == "png":
        FigureCanvasAgg(figure).print_png(content)
    else:
        with rc_context({"svg.hashsalt": "gigaxas", "svg.fonttype": "none"}):
            figure.savefig(content, format="svg", metadata={"Date": None})
    publish_file(path, content.getvalue())


def _draw(axes: "Axes", panel: EdgePanel) -> None:
    low, high = (panel.middle + end for end in _SPAN)
    parts = zip(panel.names, panel.curves, panel.status, strict=True)
    for number, (name, (energy, mu), status) in enumerate(parts):
        inside = (energy >= low) & (energy <= high)
        base = -_OFFSET * number
        axes.plot(energy[inside], mu[inside] + base, color=_COLOURS[status], lw=1.0)
        axes.annotate(
            name if status == "fits" else f"{name} ({status})",
            (1.01, base + 1.0),
            xycoords=("axes fraction", "data"),
            fontsize=7,
            color=_COLOURS[status] if status != "fits" else _INK,
            va="center",
            parse_math=False,
        )
    axes.set_xlim(low, high)
    axes.set_ylim(-_OFFSET * len(panel.names), _TOP)
    axes.set_yticks([])
    axes.set_title(f"{panel.edge}, {len(panel.names)} spectra", fontsize=9, color=_INK)
    axes.set_xlabel("energy, eV", fontsize=8)
    axes.tick_params(labelsize=7)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)

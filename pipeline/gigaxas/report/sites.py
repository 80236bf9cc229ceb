"""Figures of the sites: their spacing and principal components, and Eq. 1 against counted mistakes."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.report.data import Picture
from gigaxas.sites import Proof, SiteAudit
from gigaxas.stores.io.files import publish_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 200
_PAGE_DPI = 110
_LOWEST = 1e-8
"""Errors below it are drawn at the left end."""
_BINS = 48
_PAPERS = {
    "white": ("#ffffff", "#22262b", "#3f78ad", "#b4552d"),
    "light": ("#faf9f6", "#22262b", "#3f78ad", "#b4552d"),
    "dark": ("#15181b", "#d9dde2", "#7fb2e0", "#e39a6b"),
}
_PAGE = ("light", "dark")


def write_sites_png(path: Path, audit: SiteAudit) -> None:
    """Write the histogram of nearest-neighbour errors beside the sites on their first two components.

    Laid out as the supplementary figure 1 of [I]; raises RunError where it cannot be written.
    """
    figure = _figure(9.6, 3.9, "white")
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1.0))
    _draw_spacing(left, audit, "white")
    _draw_components(right, audit, "white")
    publish_file(path, _png(figure, _DPI))


def write_proof_png(path: Path, proof: Proof) -> None:
    """Write the counted share of mistakes of each pair over its Eq. 1; raises RunError."""
    figure = _figure(4.8, 4.2, "white")
    _draw_proof(figure.subplots(), proof, "white")
    publish_file(path, _png(figure, _DPI))


def site_pictures(audit: SiteAudit, proof: Proof | None) -> list[Picture]:
    """Return the figures of the page: spacing, principal components and, where it was tried, the proof."""
    near = np.mean(audit.spacing_error > audit.limit)
    pictures = [
        Picture(
            "Spacing",
            f"Histogram of the error between each site and its nearest; {near:.0%} lie above the limit.",
            f"How often noise makes a pixel of one site look like its nearest site. {near:.0%} of the sites "
            f"are nearer than the limit of {audit.limit:g} (line).",
            *(_spacing_png(audit, theme) for theme in _PAGE),
        ),
        Picture(
            "Principal components",
            "The sites on the first two principal components of their standardised spectra.",
            "The sites on the first two principal components of their standardised spectra.",
            *(_components_png(audit, theme) for theme in _PAGE),
        ),
    ]
    if proof:
        pictures.append(
            Picture(
                "Error, counted and foretold",
                f"Counted mistakes of {len(proof.measured)} pairs against Eq. 1, along the diagonal.",
                f"Noise drawn on the counts of {len(proof.measured)} pairs of spectra, mistakes counted, "
                "against Eq. 1 (line). Bars: two standard deviations. Largest deviation: "
                f"{np.abs(proof.pulls).max():.1f} of one.",
                *(_proof_png(proof, theme) for theme in _PAGE),
            )
        )
    return pictures


def _spacing_png(audit: SiteAudit, theme: str) -> bytes:
    figure = _figure(4.6, 3.3, theme)
    _draw_spacing(figure.subplots(), audit, theme)
    return _png(figure, _PAGE_DPI)


def _components_png(audit: SiteAudit, theme: str) -> bytes:
    figure = _figure(4.6, 3.3, theme)
    _draw_components(figure.subplots(), audit, theme)
    return _png(figure, _PAGE_DPI)


def _proof_png(proof: Proof, theme: str) -> bytes:
    figure = _figure(4.6, 3.3, theme)
    _draw_proof(figure.subplots(), proof, theme)
    return _png(figure, _PAGE_DPI)


def _draw_spacing(axes: "Axes", audit: SiteAudit, theme: str) -> None:
    _, ink, colour, warm = _PAPERS[theme]
    errors = np.clip(audit.spacing_error, _LOWEST, 0.5)
    bins = np.geomspace(min(errors.min(), audit.limit) / 2, 0.5, _BINS + 1)
    axes.hist(errors, bins=bins.tolist(), color=colour)
    axes.set_xscale("log")
    axes.axvline(audit.limit, color=warm, lw=1.2)
    axes.annotate(
        f"limit {audit.limit:g}",
        (audit.limit, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-4, -10),
        textcoords="offset points",
        ha="right",
        fontsize=8,
        color=warm,
    )
    _label(axes, "$s_\\mathrm{error}$ with the nearest site", f"sites (of {errors.size:,})", ink)


def _draw_components(axes: "Axes", audit: SiteAudit, theme: str) -> None:
    _, ink, colour, warm = _PAPERS[theme]
    near = audit.spacing_error > audit.limit
    for chosen, shade, text in ((~near, colour, "apart"), (near, warm, "nearer than the limit")):
        if chosen.any():
            x, y = audit.coordinates[chosen].T
            axes.scatter(x, y, s=9, color=shade, alpha=0.7, lw=0, label=f"{text} ({chosen.sum():,})")
    axes.legend(
        frameon=False,
        fontsize=8,
        labelcolor=ink,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=2,
        handletextpad=0.2,
    )
    _label(axes, "first component", "second component", ink)


def _draw_proof(axes: "Axes", proof: Proof, theme: str) -> None:
    _, ink, colour, warm = _PAPERS[theme]
    span = np.array([proof.expected.min() / 1.6, min(0.5, proof.expected.max() * 1.6)])
    axes.plot(span, span, color=warm, lw=1.2)
    two_sigma = 2.0 * proof.deviation
    downward: FloatArray = np.minimum(two_sigma, proof.measured * (1 - 1e-3))
    axes.errorbar(
        proof.expected,
        proof.measured,
        yerr=[downward, two_sigma],
        fmt="o",
        ms=3.5,
        lw=0.9,
        color=colour,
        capsize=0,
    )
    axes.set_xscale("log")
    axes.set_yscale("log", nonpositive="clip")
    axes.set_ylim(span[0] / 2.0, 0.7)
    _label(axes, "$s_\\mathrm{error}$ by Eq. 1", "counted share of mistakes", ink)


def _figure(width: float, height: float, theme: str) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor=_PAPERS[theme][0], layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _label(axes: "Axes", x: str, y: str, ink: str) -> None:
    axes.set_facecolor("none")
    axes.set_xlabel(x, color=ink, fontsize=9)
    axes.set_ylabel(y, color=ink, fontsize=9)
    axes.tick_params(colors=ink, which="both", labelsize=8)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(ink)


def _png(figure: "Figure", dpi: int) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()

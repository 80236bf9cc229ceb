"""What verbs print of a finished result: clusters, components, truth, paths."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gigaxas.locations import shown

if TYPE_CHECKING:
    from gigaxas.locations import Location
    from gigaxas.report import ClusterRow, SpeckReport
    from gigaxas.workflow.phases import PhaseSummary
    from gigaxas.workflow.summary import Summary

SHOWN_CLUSTERS = 25
HEAVY_TAIL = 2.0
"""Times what noise makes of them that windows of a small probability are more than noise."""


def show_summary(out: Console, summary: "Summary") -> None:
    """Print the clusters of a finished result, its truth and its paths."""
    _show_void(out, summary)
    _show_unknown(out, summary)
    if summary.specks:
        _show_specks(out, summary.specks)
    name = "made of" if any(row.finding for row in summary.clusters) else "nearest reference"
    table = Table("label", name, "pixels", "share", "area um2", box=None, pad_edge=False)
    for column in (0, 2, 3, 4):
        table.columns[column].justify = "right"
    for row in summary.clusters[:SHOWN_CLUSTERS]:
        table.add_row(
            str(row.label),
            _made_of(row),
            f"{row.pixels:,}",
            f"{row.share:.2%}",
            f"{row.area_um2:,.1f}",
        )
    out.print()
    out.print(table)
    if len(summary.clusters) > SHOWN_CLUSTERS:
        out.print(f"and {len(summary.clusters) - SHOWN_CLUSTERS} smaller clusters: see clusters.csv")
    show_truth(out, summary)
    for name, share, meaning in summary.inexact:
        out.print(f"{name}: {share} ({meaning})")
    show_paths(out, list(summary.paths))


def _show_void(out: Console, summary: "Summary") -> None:
    """Print the share of void pixels by reason; nothing where none is void."""
    if summary.void:
        reasons = ", ".join(f"{reason.share:.1%} {reason.meaning}" for reason in summary.void)
        out.print(f"void       {sum(reason.share for reason in summary.void):.1%} of the pixels: {reasons}")


def _show_unknown(out: Console, summary: "Summary") -> None:
    found = [(row, row.finding) for row in summary.clusters if row.finding and row.outside]
    if found:
        out.print()
        out.print(f"{len(found)} outside the library:")
    for row, finding in found:
        y, x = finding.position
        out.print(
            f"  label {row.label}, {row.pixels:,} pixels, at row {y}, column {x}: chi-square "
            f"{finding.chi_square:.0f} on {finding.freedom:.0f} from {finding.made_of}, "
            f"p {finding.p_value:.1g}"
            + (f"; it is {row.moved.name} moved by {row.moved.ev:+.2f} eV" if row.moved else ""),
            soft_wrap=True,
            markup=False,
        )


def _show_specks(out: Console, found: "SpeckReport") -> None:
    """Print the kinds of specks that the map does not show, and how many pieces of those that it does."""
    new = found.new
    count = sum(kind.specks for kind in new)
    out.print()
    out.print(
        f"{_some(count, 'speck')} of {_some(len(new), 'kind')} that the map does not show, and "
        f"{_some(len(found.rows) - count, 'piece')} of phases that it shows elsewhere",
        soft_wrap=True,
    )
    for kind in new[:SHOWN_CLUSTERS]:
        first = found.clearest(kind)
        out.print(
            f"  {kind.specks:,} of {kind.name}, the clearest at row {first.y}, column {first.x}: "
            f"{first.height} x {first.width} pixels, z {first.distance:.1f}, p {first.probability}",
            soft_wrap=True,
            markup=False,
        )
    if len(new) > SHOWN_CLUSTERS:
        out.print(f"  and {len(new) - SHOWN_CLUSTERS} more kinds: see specks.csv")
    out.print(
        f"noise alone makes {found.false_alarms:g} specks in the image"
        + (
            f"; windows with a probability below 0.001 are {found.tail:.2f} times as many as it makes"
            if found.tail == found.tail
            else ""
        ),
        soft_wrap=True,
    )
    if found.tail > HEAVY_TAIL:
        out.print(
            "warning    the image varies by more than noise from pixel to pixel: specks of a probability "
            "near the limit may be that",
            soft_wrap=True,
        )
    if found.unsearched:
        out.print(
            f"warning    windows of {found.unsearched} of 16 shapes were not searched: too few lie inside "
            "phases to tell what noise does to them",
            soft_wrap=True,
        )
    if found.hits:
        out.print(f"{found.hits:,} windows held samples hit by cosmic rays or the like, and are no specks")
    if found.planted:
        out.print(f"{found.planted[0]} of {found.planted[1]} planted specks were found")


def _some(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count:,} {what}s"


def _made_of(row: "ClusterRow") -> str:
    return f"outside the library, nearest {row.name}" if row.outside else row.title


def show_phases(out: Console, summary: "PhaseSummary") -> None:
    """Print the components of a finished result, what became of the other clusters, and the paths."""
    removed = [row for row in summary.rows if row.decision.kind != "component"]
    table = Table(
        "label", "component", "share", "area um2", "nearest reference", "r", box=None, pad_edge=False
    )
    for column in (0, 2, 3, 5):
        table.columns[column].justify = "right"
    for each in summary.components:
        near = each.row.near[0]
        table.add_row(
            str(each.row.label),
            each.name,
            f"{each.share:.2%}",
            f"{each.area_um2:,.1f}",
            near.name,
            f"{near.correlation:.5f}",
        )
    out.print()
    out.print(table)
    out.print(f"{len(summary.rows)} clusters, {len(summary.components)} components")
    outside = [str(each.row.label) for each in summary.components if each.row.outside]
    if outside:
        out.print(f"outside the library: {', '.join(outside)}", soft_wrap=True)
    for each in summary.components:
        if each.row.explained:
            out.print(f"  {each.row.label} {each.name}: {each.row.explained}", markup=False)
    for row in removed[:SHOWN_CLUSTERS]:
        found = row.decision.explanation
        fit = f" (chi-square {found.chi_square:.0f} of {found.freedom})" if found else ""
        out.print(f"  {row.label} {row.name}: {row.explained}{fit}", markup=False)
    if len(removed) > SHOWN_CLUSTERS:
        out.print(f"  and {len(removed) - SHOWN_CLUSTERS} more: see phases.csv")
    if summary.specks and summary.specks.kinds:
        _show_speck_components(out, summary.specks)
    show_truth(out, summary)
    show_paths(out, list(summary.paths))


def _show_speck_components(out: Console, found: "SpeckReport") -> None:
    """Print a line for each kind of specks: of which component it is a piece."""
    table = Table("specks", "of", "piece of", box=None, pad_edge=False)
    table.columns[0].justify = "right"
    for kind in found.kinds[:SHOWN_CLUSTERS]:
        table.add_row(f"{kind.specks:,}", escape(kind.name), escape(kind.component))
    out.print()
    out.print(table)
    if len(found.kinds) > SHOWN_CLUSTERS:
        out.print(f"and {len(found.kinds) - SHOWN_CLUSTERS} more kinds: see specks.csv")


def show_truth(out: Console, summary: "Summary | PhaseSummary") -> None:
    """Print how much of every true phase was found, where the truth is known."""
    if summary.truth is None:
        return
    table = Table("true phase", "pixels", "recall", "precision", box=None, pad_edge=False)
    for column in (1, 2, 3):
        table.columns[column].justify = "right"
    for row in summary.truth.rows:
        name = f"{row.phase} (minority)" if row.phase == summary.truth.minority else row.phase
        table.add_row(name, f"{row.pixels:,}", _percent(row.recall), _percent(row.precision))
    out.print()
    out.print(table)
    out.print(f"{summary.truth.right_share:.3%} of all pixels have the right phase")


def _percent(share: float) -> str:
    return "-" if share != share else f"{share:.2%}"


def show_paths(out: Console, paths: "Sequence[Location]") -> None:
    """Print the paths that were written."""
    out.print()
    for path in paths:
        out.print(f"wrote {shown(path)}", soft_wrap=True)

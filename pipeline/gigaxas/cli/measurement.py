"""What `gigaxas plan` prints: pairs, exposure, thickness, energies and time."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from gigaxas.planning import MeasurementPlan
    from gigaxas.workflow.measurement_plan import PlannedMeasurement

MOST_PAIRS = 12
MOST_TOLD = 24
"""Energies of a set that are written out."""


def show_measurement(out: Console, made: "PlannedMeasurement") -> None:
    """Print the plan of a measurement."""
    found = made.plan
    noise = found.noise
    out.print(
        f"noise      c_ref {noise.c_ref:g}, mu_low {noise.mu_low:g}, mu_high {noise.mu_high:g}, "
        f"A {noise.a:g}, B {noise.b:g}"
    )
    told = len(found.pairs) - len(found.confused)
    out.print(
        f"pairs      {told:,} of {len(found.pairs):,} told apart at the working point, with an error of "
        f"{found.error:g} or less"
    )
    _show_pairs(out, found, made.count_rate)
    time = "" if made.count_rate is None else f", {_span(found.c_ref / made.count_rate)} an energy"
    out.print(f"exposure   all pairs are told apart from {found.c_ref:.4g} reference counts on{time}")
    out.print(
        f"thickness  an edge step mu_high - mu_low of {found.thickness.best:.3g} serves the worst pair best; "
        f"the working point has {noise.edge_step:.3g}"
    )
    _show_energies(out, made)
    _show_area(out, made)


def _show_pairs(out: Console, found: "MeasurementPlan", count_rate: float | None) -> None:
    """Print the pairs that need most light."""
    seconds = () if count_rate is None else ("seconds",)
    table = Table(
        "hardest pairs", "z", "z back", "s_error", "c_ref needed", *seconds, box=None, pad_edge=False
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for pair in found.hardest[:MOST_PAIRS]:
        needed = (pair.c_ref,) if count_rate is None else (pair.c_ref, pair.c_ref / count_rate)
        table.add_row(
            " - ".join(pair.names),
            f"{pair.z12:.2f}",
            f"{pair.z21:.2f}",
            f"{pair.error:.2g}",
            *(f"{value:.4g}" for value in needed),
        )
    out.print(table)
    if len(found.pairs) > MOST_PAIRS:
        out.print(f"and {len(found.pairs) - MOST_PAIRS:,} more pairs")


def _show_energies(out: Console, made: "PlannedMeasurement") -> None:
    """Print the choices of energies at the dose of the whole grid, and the sets in electronvolts."""
    found, grid = made.plan, len(made.energy)
    table = Table("same dose", "energies", "largest s_error", "dose needed", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for choice in found.choices:
        table.add_row(choice.title, str(len(choice.members)), f"{choice.error:.2g}", f"{choice.dose:.4g}")
    out.print(table)
    best, smallest = found.best, found.smallest
    if smallest is None:
        out.print(
            f"energies   no set of up to {len(found.sets[-1].members)} of {grid} that was found tells all "
            f"pairs apart at this dose, exposed alike; no set of fewer than {found.fewest} can"
        )
        if found.is_split_enough:
            out.print(f"           with the best split, {len(best.members)} energies do")
    else:
        size = len(smallest.members)
        proof = "no set of fewer does" if found.fewest == size else f"no set of fewer than {found.fewest} can"
        out.print(f"energies   {size} of {grid} tell all pairs apart at this dose; {proof}")
        out.print(f"           smallest: {_told(made, smallest.members.tolist())} eV", soft_wrap=True)
    if best is not smallest:
        out.print(f"           best:     {_told(made, best.members.tolist())} eV", soft_wrap=True)


def _told(made: "PlannedMeasurement", members: list[int]) -> str:
    more = f" and {len(members) - MOST_TOLD} more" if len(members) > MOST_TOLD else ""
    return ", ".join(f"{made.energy[member]:.1f}" for member in members[:MOST_TOLD]) + more


def _show_area(out: Console, made: "PlannedMeasurement") -> None:
    """Print pixels and time of the area."""
    if not made.covered:
        return
    first = made.covered[0]
    out.print(
        f"area       {first.plane[0]} x {first.plane[1]} pixels in {first.fields[0]} x {first.fields[1]} "
        "fields, exposed as long as all pairs need"
    )
    table = Table("", "exposure", "open beam", "dead time", "together", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for choice, taken in zip(made.plan.choices, made.covered, strict=True):
        spans = (taken.exposure_s, taken.open_beam_s, taken.dead_s, taken.seconds)
        table.add_row(choice.title, *("" if span is None else _span(span) for span in spans))
    out.print(table)
    if made.count_rate is None:
        out.print("           give plan.count_rate for the time of the exposure")


def _span(seconds: float) -> str:
    """Return a time in seconds, minutes or hours."""
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.3g} s"

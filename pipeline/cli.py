"""The command `gigaxas`: verbs in the order of work, progress, and exit codes."""

import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from pipeline import __version__
from pipeline.console import show_injection, show_references, show_sites, show_study
from pipeline.errors import InputError, RunError

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.graph.run import Advance
    from pipeline.places import Place
    from pipeline.workflow import PhaseSummary, Plan
    from pipeline.workflow.phase_rows import Row
    from pipeline.workflow.report import Summary
    from pipeline.workflow.survey import Survey

BAD_INPUT, NOT_FINISHED, INTERRUPTED = 2, 1, 130
SHOWN_CLUSTERS = 25

# Lines are not cut where the output goes to a file or a pipe.
WIDTH = None if sys.stdout.isatty() else 120
out, err = Console(highlight=False, width=WIDTH), Console(stderr=True, highlight=False)
app = typer.Typer(
    help="Exact phase maps from gigapixel X-ray absorption spectral images.",
    epilog="Each verb takes a configuration; classify runs what is missing before it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="a YAML file such as configs/sinter.yaml")]

Scheduler = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="a running Dask scheduler, as tcp://host:8786")
]

Fresh = Annotated[bool, typer.Option("--fresh", help="start over instead of going on where a run stopped")]


def main() -> None:
    """Run the command. Exit 0 done, 1 not finished, 2 bad input with every error told, 130 interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        status = app(standalone_mode=False)
    except InputError as error:
        _fail(error, BAD_INPUT)
    except RunError as error:
        _fail(error, NOT_FINISHED)
    except OSError as error:
        _fail(
            f"{error.filename or 'a file'}: {error.strerror or error}; see to the disk and its permissions "
            "and run the same command again",
            NOT_FINISHED,
        )
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        _fail(error.format_message(), BAD_INPUT)
    if status == INTERRUPTED:
        err.print(f"interrupted; to go on, type: {shlex.join(['gigaxas', *sys.argv[1:]])}", soft_wrap=True)
    sys.exit(status)


@app.callback(invoke_without_command=True)
def gigaxas(
    version: Annotated[bool, typer.Option("--version", help="say which version this is")] = False,
) -> None:
    """Exact phase maps from gigapixel X-ray absorption spectral images."""
    if version:
        out.print(f"gigaxas {__version__}")
        raise typer.Exit


@app.command("check")
def check_verb(config: ConfigPath) -> None:
    """Say everything that is wrong with a configuration and its files; run nothing."""
    from pipeline.config import load_config
    from pipeline.workflow import check

    plan, references = check(load_config(config), out.print)
    show_references(out, references.table)
    _show_plan(plan)
    out.print("nothing wrong found")


@app.command("simulate")
def simulate_verb(config: ConfigPath, scheduler: Scheduler = None) -> None:
    """Make the cube of a simulated scene, with its truth."""
    from pipeline.config import load_config
    from pipeline.workflow import simulate

    _show_paths([simulate(_at(load_config(config), scheduler), _bar, out.print)])


@app.command("ingest")
def ingest_verb(config: ConfigPath) -> None:
    """Make the cube of raw fields of view, or of a stack of images."""
    from pipeline.config import load_config
    from pipeline.workflow import ingest

    made = ingest(load_config(config), _bar, out.print)
    if made.survey:
        _show_survey(made.survey)
    _show_paths([made.cube, *made.paths])


@app.command("sites")
def sites_verb(config: ConfigPath) -> None:
    """Make the site spectra from the references, and say how far to trust them."""
    from pipeline.config import load_config
    from pipeline.workflow import sites

    made = sites(load_config(config), _bar, out.print)
    show_sites(out, made)
    _show_paths(list(made.paths))


@app.command("classify")
def classify_verb(config: ConfigPath, scheduler: Scheduler = None, fresh: Fresh = False) -> None:
    """Make the phase map: assign, clean up, fill, tables, report. What is done already is kept."""
    from pipeline.config import load_config
    from pipeline.workflow import classify

    settings = _at(load_config(config), scheduler)
    summary = classify(settings, _bar, out.print, _show_plan, lambda made: show_sites(out, made), fresh)
    _show_summary(summary)


@app.command("phases")
def phases_verb(config: ConfigPath) -> None:
    """Find the components among the clusters of a finished result; map how much of each a pixel holds."""
    from pipeline.config import load_config
    from pipeline.workflow import phases

    _show_phases(phases(load_config(config), _bar))


@app.command("report")
def report_verb(
    config: ConfigPath,
    ome_zarr: Annotated[bool, typer.Option("--ome-zarr", help="write the maps as OME-Zarr too")] = False,
    tiff: Annotated[bool, typer.Option("--tiff", help="write every map as a TIFF file too")] = False,
) -> None:
    """Write the tables and the report of a finished result again, and its maps for other programs."""
    from pipeline.config import load_config
    from pipeline.workflow import report_again

    _show_summary(report_again(load_config(config), _bar, ome_zarr, tiff))


def _at(config: "Config", scheduler: str | None) -> "Config":
    from pipeline.config import set_scheduler

    return config if scheduler is None else set_scheduler(config, scheduler)


@app.command("verify")
def verify_verb(
    config: ConfigPath,
    inject: Annotated[bool, typer.Option("--inject", help="inject needles into the cube itself")] = False,
    seeds: Annotated[int, typer.Option(min=1, help="needle scenes a condition")] = 20,
    to: Annotated[Path | None, typer.Option(help="folder to write to, else OUTPUT/verification")] = None,
    page: Annotated[str, typer.Option(help="name of the page")] = "verification",
) -> None:
    """Prove the method on scenes with known truth, or, with --inject, in the cube itself."""
    from pipeline.config import load_config

    settings = load_config(config)
    if inject:
        from pipeline.workflow.injection import inject_needles

        found = inject_needles(settings, to, _bar)
        show_injection(out, found)
        _show_paths(list(found.paths))
        return
    from pipeline.workflow.verify import verify

    verified = verify(settings, seeds, to, page, _bar)
    show_study(out, verified.found)
    _show_paths(list(verified.paths))


@contextmanager
def _bar(stage: str, total: int) -> "Iterator[Advance]":
    columns = (
        TextColumn(f"{stage:<10}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn() if total < 1000 else TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    with Progress(*columns, console=out) as progress:
        task = progress.add_task(stage, total=total)
        yield lambda done: progress.advance(task, done)


def _show_plan(plan: "Plan") -> None:
    from dask.utils import format_bytes

    energies, height, width = plan.shape
    out.print(f"plan       {height} x {width} pixels, {energies} energies, {plan.tiles} tiles of {plan.tile}")
    out.print(
        f"           reads {format_bytes(plan.bytes_read)}, writes up to {format_bytes(plan.bytes_written)}, "
        f"takes about {format_bytes(plan.memory)} of memory and {_duration(plan.seconds)}"
    )


def _show_survey(survey: "Survey") -> None:
    pairs = survey.placement.pairs
    used = [pair for pair in pairs if not pair.why]
    out.print(f"stitched   {len(survey.placement.corners)} fields by {len(used)} of {len(pairs)} overlaps")
    if survey.shift:
        out.print(
            f"           energy shift up to {survey.shift.largest:.3f} eV, known to "
            f"{survey.shift.error:.3f} eV (from {survey.shift.blocks} blocks)"
        )


def _show_summary(summary: "Summary") -> None:
    table = Table("label", "nearest reference", "pixels", "share", "area um2", box=None, pad_edge=False)
    for column in (0, 2, 3, 4):
        table.columns[column].justify = "right"
    for row in summary.clusters[:SHOWN_CLUSTERS]:
        table.add_row(str(row.label), row.name, f"{row.pixels:,}", f"{row.share:.2%}", f"{row.area_um2:,.1f}")
    out.print()
    out.print(table)
    if len(summary.clusters) > SHOWN_CLUSTERS:
        out.print(f"and {len(summary.clusters) - SHOWN_CLUSTERS} smaller clusters: see clusters.csv")
    _show_truth(summary)
    _show_paths(list(summary.paths))


def _show_phases(summary: "PhaseSummary") -> None:
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
    for row in removed[:SHOWN_CLUSTERS]:
        out.print(f"  {row.label} {row.name}: {_reason(row)}")
    if len(removed) > SHOWN_CLUSTERS:
        out.print(f"  and {len(removed) - SHOWN_CLUSTERS} more: see phases.csv")
    _show_truth(summary)
    _show_paths(list(summary.paths))


def _reason(row: "Row") -> str:
    decision, found = row.decision, row.decision.explanation
    of = " + ".join(f"{w:.2f} of {k}" for k, w in zip(decision.members, decision.weights, strict=True))
    if found is None:
        return f"merged into {decision.members[0]} as you decided"
    words = {"same": f"the same as {decision.members[0]}", "mixture": of}
    leak = f"{decision.members[0]} flattened by {found.leak:.1%} of leaked light"
    return f"{words.get(decision.kind, leak)} (chi-square {found.chi_square:.0f} of {found.freedom})"


def _show_truth(summary: "Summary | PhaseSummary") -> None:
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


def _show_paths(paths: "Sequence[Place]") -> None:
    out.print()
    for path in paths:
        out.print(f"wrote {path}", soft_wrap=True)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _fail(error: object, code: int) -> NoReturn:
    for line in str(error).splitlines():
        err.print(
            f"[red]error[/red]  {line}" if err.is_terminal else f"error  {line}",
            soft_wrap=True,
            markup=err.is_terminal,
        )
    sys.exit(code)

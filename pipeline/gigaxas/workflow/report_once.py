"""The report of a run, written where anything that it tells of has changed since it was written last."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gigaxas.checkpoint.identity import digest, location_mark, logical
from gigaxas.checkpoint.written import note_written, told_of_written
from gigaxas.errors import InputError
from gigaxas.execution.runner import Runner
from gigaxas.locations import Location
from gigaxas.stores.io.groups import attributes_of
from gigaxas.version import code_version
from gigaxas.workflow.resolve import Resolved
from gigaxas.workflow.summary import Summary
from gigaxas.workflow.tables import versions

NAME = "report"
COMPONENT_TABLES = ("phases.csv", "components.csv")
"""What the report takes from the phases of a run, beside their store."""


def report_once(run: Resolved, runner: Runner) -> Summary:
    """Return what a finished run has to say; its report is written unless it is there as it would be."""
    output, mark = run.paths.output, report_mark(run)
    told = told_of_written(output, NAME, mark) if _specks_are_intact(run, runner) else None
    if told is not None:
        summary, names = told
        runner.events.tell("report kept")
        return replace(summary, paths=[output / name if name else run.paths.result for name in names])
    from gigaxas.workflow.report import report  # what draws takes longer to load than the rest of such a run

    summary = report(run, runner)
    # the result alone may lie elsewhere, and an output folder may be moved
    names = ["" if path == run.paths.result else logical(path, output) for path in summary.paths]
    note_written(output, NAME, mark, [replace(summary, paths=()), names], _written(run, summary.paths))
    return summary


def report_mark(run: Resolved) -> str:
    """Return what tells everything that a report, its tables and its manifest show from anything else."""
    paths = run.paths
    stores = (paths.result, paths.sites, paths.truth, paths.specks, paths.composition)
    tables = [paths.output / name for name in COMPONENT_TABLES]
    return digest(
        code_version(),
        versions(),
        run.config.model_dump(mode="json", by_alias=True),
        run.noise.record(),
        run.quantity,
        [_attributes(store) for store in stores],
        [location_mark(table) if table.is_file() else "" for table in tables],
    )


def _specks_are_intact(run: Resolved, runner: Runner) -> bool:
    """Return whether every byte of the specks is as it was written, where these were searched.

    What else the report tells of was compared or read before.
    """
    return run.config.specks is None or runner.is_intact(run.paths.specks, content=True)


def _attributes(store: Location) -> dict[str, Any]:
    try:
        return attributes_of(store)
    except InputError:
        return {}


def _written(run: Resolved, paths: Sequence[Location]) -> list[Path]:
    """Return the files of a report; the tiles of its folder have a mark of their own."""
    folder = run.paths.report_folder
    pages = [path for path in folder.rglob("*") if path.is_file() and (folder / "tiles") not in path.parents]
    files = {path for path in paths if isinstance(path, Path) and path.is_file()}
    return sorted({*files, *pages, folder / "tiles" / "made.json"})

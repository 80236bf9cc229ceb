"""The bar of a stage: on a terminal, in a Jupyter notebook, or nowhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from html import escape

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from gigaxas.execution import runner
from gigaxas.execution.tile_tasks import Advance

REDRAW_SECONDS = 0.2
"""A notebook's bar is drawn anew no more often than this."""


def bars(progress: bool | None) -> runner.Progress:
    """Return what shows the stages of a run that was started from Python.

    True shows them, False does not; None shows them in a notebook and on a terminal alone.
    """
    if progress is False:
        return runner.silent
    if _is_notebook():
        return notebook_bar
    if progress is None and not sys.stderr.isatty():
        return runner.silent
    return partial(terminal_bar, Console(stderr=True, highlight=False, markup=False, emoji=False))


@contextmanager
def terminal_bar(console: Console, stage: str, total: int) -> Iterator[Advance]:
    """Show a stage as a line with a bar; where the console is no terminal, once it is done."""
    columns = (
        TextColumn("{task.description:<10}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn() if total < 1000 else TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(stage, total=total)
        yield lambda done: progress.advance(task, done)


@contextmanager
def notebook_bar(stage: str, total: int) -> Iterator[Advance]:
    """Show a stage as a line of the output of a cell, with a bar of the browser's own."""
    from IPython.display import HTML, display

    start = drawn = time.monotonic()
    done = 0
    handle = display(HTML(_drawn(stage, 0, total, 0.0)), display_id=True)

    def advance(more: int) -> None:
        nonlocal done, drawn
        done += more
        now = time.monotonic()
        if now - drawn >= REDRAW_SECONDS:
            drawn = now
            handle.update(HTML(_drawn(stage, done, total, now - start)))

    try:
        yield advance
    finally:
        handle.update(HTML(_drawn(stage, done, total, time.monotonic() - start)))


def _drawn(stage: str, done: int, total: int, seconds: float) -> str:
    share = done / total if total else 1.0
    return (
        f'<div style="font-family:monospace">{escape(stage):<10} '
        f'<progress value="{share:.3f}" max="1" style="width:16em"></progress> '
        f"{share:4.0%} {seconds:.1f} s</div>"
    )


def _is_notebook() -> bool:
    """Return whether the code runs in a kernel of Jupyter, whose cells show HTML."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None

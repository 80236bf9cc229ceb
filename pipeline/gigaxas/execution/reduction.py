"""What all tiles tell of the whole image, gathered without ever being all in one place.

A tile leaves its summary in a store; one task joins those of a block of tiles into that of one large tile,
another those of a block of blocks, until few are left: these this process merges. What the whole image
answers goes back the same way. An image of one block needs no store: the summaries of its tiles come here.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from gigaxas.execution.runner import Runner
from gigaxas.locations import Location
from gigaxas.stores.io.groups import attributes_of, create_group, partial_of
from gigaxas.tasks.summaries import Below, Shelf, answer_block, join_block, leave_summary, shelf_of_answers
from gigaxas.tiles import Grid, coarser_grid

BLOCK_SIDE = 16
"""Rows and columns of summaries that one task joins, and that come to one process at the most."""


class Summary(NamedTuple):
    """A kind of summary of a tile."""

    name: str
    """What it is of."""
    join: Callable[[Sequence[Sequence[Any]]], Any]
    """Returns the summary of one large tile from those of the tiles, row by row, that make it."""
    merge: Callable[..., list[list[Any]]] | None = None
    """Returns what the whole image answers to each summary of a grid: merge(grid) where the grid is the whole
    image, merge(grid, answer) with the answer to what `join` makes of it. None where nobody asks."""


class Gathered(NamedTuple):
    """The summaries of the largest blocks."""

    kind: Summary
    """What they are."""
    values: list[list[Any]]
    """One for each block, row by row."""

    @property
    def answers(self) -> list[list[Any]]:
        """What the whole image answers to each."""
        assert self.kind.merge is not None
        return self.kind.merge(self.values)

    @property
    def whole(self) -> Any:
        """The summary of the whole image."""
        return self.kind.join(self.values)


class Reduction(NamedTuple):
    """A grid of tiles, its blocks, their blocks and so on, and what runs on them."""

    runner: Runner
    """Runs the tasks."""
    grids: list[Grid]
    """The tiles, then ever larger blocks."""
    store: Location
    """Where summaries lie while they are needed."""


def reduction_grids(tiles: Grid) -> list[Grid]:
    """Return a grid of tiles, that of its blocks, and so on until one is no larger than a block."""
    grids = [tiles]
    while max(len(grids[-1]), len(grids[-1][0])) > BLOCK_SIDE:
        grids.append(coarser_grid(grids[-1], BLOCK_SIDE))
    return grids


def open_reduction(runner: Runner, tiles: Grid, result: Location) -> Reduction:
    """Prepare to gather summaries of tiles; they lie in a result as long as that is unfinished."""
    reduction = Reduction(runner, reduction_grids(tiles), summaries_of(result))
    if len(reduction.grids) > 1:
        create_group(reduction.store, {"title": "gigaxas summaries", "basis": attributes_of(result)["basis"]})
    return reduction


def summaries_of(result: Location) -> Location:
    """Return where the summaries of an unfinished result lie."""
    return partial_of(result / "summaries")


def gather(
    reduction: Reduction,
    stage: str,
    task: Callable[..., Any],
    kind: Summary,
    before: Gathered | None,
    **constants: Any,
) -> Gathered:
    """Run a stage, task(tile, *answer, **constants), over all tiles; gather the summaries it returns.

    With the summaries of a stage `before`, every tile is given what the whole image answers to its own.
    """
    runner, (tiles, *blocks), _ = reduction
    answers = [] if before is None else [before.answers]
    if not blocks:
        return Gathered(kind, runner.over(stage, task, tiles, *answers, **constants))
    asks = None
    if before is not None:
        _hand_down(reduction, before)
        asks = shelf_of_answers(_shelf(reduction, before.kind, 0))
    leaves = _shelf(reduction, kind, 0)
    runner.over(stage, leave_summary, tiles, the_work=task, asks=asks, leaves=leaves, **constants)
    return Gathered(kind, _joined(reduction, kind))


def _joined(reduction: Reduction, kind: Summary) -> list[list[Any]]:
    """Join what the tiles have left; return the summaries of the largest blocks."""
    values: list[list[Any]] = []
    for level, grid in enumerate(reduction.grids[1:], start=1):
        is_last = level == len(reduction.grids) - 1
        values = reduction.runner.over(
            f"join {kind.name}",
            join_block,
            grid,
            join=kind.join,
            below=_below(reduction, kind, level),
            leaves=None if is_last else _shelf(reduction, kind, level),
        )
    return values


def _hand_down(reduction: Reduction, gathered: Gathered) -> None:
    """Leave for every tile what the whole image answers to its summary."""
    kind, each = gathered.kind, [gathered.answers]
    for level in range(len(reduction.grids) - 1, 0, -1):
        reduction.runner.over(
            f"answer {kind.name}",
            answer_block,
            reduction.grids[level],
            *each,
            merge=kind.merge,
            below=_below(reduction, kind, level),
            asks=None if each else shelf_of_answers(_shelf(reduction, kind, level)),
        )
        each = []


def _below(reduction: Reduction, kind: Summary, level: int) -> Below:
    finer = reduction.grids[level - 1]
    return Below(_shelf(reduction, kind, level - 1), (len(finer), len(finer[0])), BLOCK_SIDE)


def _shelf(reduction: Reduction, kind: Summary, level: int) -> Shelf:
    return Shelf(reduction.store, kind.name, level)

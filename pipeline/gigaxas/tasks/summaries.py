"""Summaries of tiles that stay in a store: left by tiles, joined block by block, answered the same way back.

A summary is small and of any kind that a journal keeps. Those of level 0 are of tiles, those of level 1 of
blocks of tiles, those of level 2 of blocks of these, and so on.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from gigaxas.checkpoint.records import NOWHERE, Record, pack, unpack
from gigaxas.locations import Location
from gigaxas.stores.io.checksums import read_checked, write_checked
from gigaxas.tiles import Plane, Tile


class Shelf(NamedTuple):
    """Where the summaries of one level lie."""

    store: Location
    """The store of all summaries."""
    name: str
    """What is summarised."""
    level: int
    """How often tiles were joined."""


class Below(NamedTuple):
    """The summaries from which those of blocks are made."""

    shelf: Shelf
    """Where they lie."""
    grid: Plane
    """Their rows and columns."""
    side: int
    """So many rows and columns of them make a block."""


def shelf_of_answers(shelf: Shelf) -> Shelf:
    """Return where that lies which the whole image answers to some summaries."""
    return shelf._replace(name=f"{shelf.name} answered")


def leave_summary(
    tile: Tile, *, the_work: Callable[..., Any], asks: Shelf | None, leaves: Shelf, **constants: Any
) -> int:
    """Do the work of one tile with its answer from a shelf, if it `asks` for one; leave what it returns."""
    answer = [] if asks is None else [_take(asks, tile.row, tile.column)]
    return _put(leaves, tile.row, tile.column, the_work(tile, *answer, **constants))


def join_block(block: Tile, *, join: Callable[..., Any], below: Below, leaves: Shelf | None) -> Any:
    """Join the summaries of a block into one; leave it on a shelf, or return it."""
    joined = join(_summaries(block, below))
    return joined if leaves is None else _put(leaves, block.row, block.column, joined)


def answer_block(
    block: Tile, *answer: Any, merge: Callable[..., Any], below: Below, asks: Shelf | None
) -> int:
    """Leave what the whole answers to each summary of a block; its own answer is given, or asked for."""
    own = answer[0] if asks is None else _take(asks, block.row, block.column)
    answers, leaves = merge(_summaries(block, below), own), shelf_of_answers(below.shelf)
    rows, columns = _places(block, below)
    return sum(
        _put(leaves, row, column, one)
        for row, line in zip(rows, answers, strict=True)
        for column, one in zip(columns, line, strict=True)
    )


def _summaries(block: Tile, below: Below) -> list[list[Any]]:
    rows, columns = _places(block, below)
    return [[_take(below.shelf, row, column) for column in columns] for row in rows]


def _places(block: Tile, below: Below) -> tuple[range, range]:
    """Return the rows and columns, in their own grid, of the summaries that make a block."""
    y, x = block.row * below.side, block.column * below.side
    return range(y, min(y + below.side, below.grid[0])), range(x, min(x + below.side, below.grid[1]))


def _put(shelf: Shelf, row: int, column: int, value: Any) -> int:
    """Write a summary; return its bytes."""
    content = pack([Record(NOWHERE, value, [])])
    write_checked(shelf.store, _key(shelf, row, column), content)
    return len(content)


def _take(shelf: Shelf, row: int, column: int) -> Any:
    """Read a summary. Raises DamagedError where it is missing or altered."""
    return unpack(read_checked(shelf.store, _key(shelf, row, column)))[0].value


def _key(shelf: Shelf, row: int, column: int) -> str:
    return f"{shelf.name}/{shelf.level}/{row}.{column}"

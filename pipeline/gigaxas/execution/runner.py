"""Stages run over tiles: what is done already is kept; the rest is run, timed, shown and recorded."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from uuid import uuid4

from gigaxas.checkpoint.journal import StageJournal
from gigaxas.checkpoint.ledger import Ledger, check_chunks, matching, output_mark, with_checksums
from gigaxas.checkpoint.records import Record
from gigaxas.errors import DamagedError
from gigaxas.execution.events import Events
from gigaxas.execution.tile_tasks import Advance, Done, TileWork, run_tiles
from gigaxas.locations import Location
from gigaxas.stores.io.checksums import ChunkChecksum, is_intact
from gigaxas.stores.io.folders import sizes
from gigaxas.tiles import Grid, Tile, flat

if TYPE_CHECKING:
    from distributed import Client

T = TypeVar("T")
Connect = Callable[[], "Client | None"]
Progress = Callable[[str, int], AbstractContextManager[Advance]]
"""Shows a stage of so many pixels (or steps); what it yields is told of every part that is done."""


def on_threads() -> None:
    """Use no cluster."""


@contextmanager
def silent(stage: str, total: int) -> Iterator[Advance]:
    """Show nothing."""
    yield lambda done: None


class Opened(NamedTuple):
    """A stage with what an earlier run has left of it."""

    stage: str
    """Its name."""
    work: TileWork
    """All of its tasks."""
    marks: list[str] | None
    """What tells every tile from others, where each depends on a part of what the task is given."""
    journal: StageJournal
    """Takes the records of tiles that are done."""
    key: str
    """Name of the stage's results."""
    records: dict[int, Record]
    """Those of its tiles, by number of the tile."""
    damaged: list[Path]
    """Files of records that are not to be trusted."""

    @property
    def takes_tasks(self) -> bool:
        """Whether tiles are left to be done, or chunks to be compared."""
        is_left = len(self.records) < len(self.work.tiles)
        return is_left or any(record.chunks for record in self.records.values())


@dataclass(frozen=True)
class Runner:
    """Where tasks run, how their progress is shown, and how long each stage took."""

    client: Connect = on_threads
    """Returns the Dask cluster that tasks run on, started when it is first asked for; None for the threads of
    this process."""
    workers: int = 1
    """How many tasks run at once."""
    progress: Progress = silent
    """Shows the progress of a stage."""
    seconds: dict[str, float] = field(default_factory=dict)
    """What each stage has taken, in seconds."""
    ledger: Ledger | None = None
    """Tells what is done already; without one nothing is recorded and nothing kept."""
    events: Events = field(default_factory=Events)
    """Takes note of what happens."""
    suspects: set[str] = field(default_factory=set)
    """Stores in which a damaged chunk was found."""

    @property
    def mark(self) -> str:
        """What the tasks of all runs on this output have in their names."""
        return output_mark(self.ledger.output) if self.ledger else "gigaxas"

    @contextmanager
    def step(self, stage: str, total: int) -> Iterator[Advance]:
        """Time and show one stage."""
        start = time.monotonic()
        self.events.tell("stage started", stage=stage)
        with self.progress(stage, total) as advance:
            yield advance
        seconds = time.monotonic() - start
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
        self.events.tell("stage finished", stage=stage, seconds=round(seconds, 3))

    def over(
        self, stage: str, task: Callable[..., Any], grid: Grid, *each: list[list[Any]], **constants: Any
    ) -> list[list[Any]]:
        """Run a task over a grid of tiles; `each` holds one value a tile, and so does what comes back.

        A tile that an earlier run did with the same settings, input and code is not done again.
        """
        values = [[value for row in rows for value in row] for rows in each]
        work = TileWork(self._name(task), task, flat(grid), values, constants)
        return self._over(stage, work, len(grid[0]))

    def over_marked(
        self, stage: str, task: Callable[..., Any], grid: Grid, marks: list[list[str]], **constants: Any
    ) -> list[list[Any]]:
        """Run a task as `over` does where each tile depends on a part of what the task is given.

        `marks` tell that part from others: a tile is not done again that has been done with the same mark.
        """
        work = TileWork(self._name(task), task, flat(grid), [], constants)
        return self._over(stage, work, len(grid[0]), [mark for row in marks for mark in row])

    def _over(
        self, stage: str, work: TileWork, columns: int, marks: list[str] | None = None
    ) -> list[list[Any]]:
        found: dict[int, Any] = {}
        opened = None if self.ledger is None else _open(self.ledger, stage, work, marks)
        if opened is None or opened.takes_tasks:
            self.client()  # its start is no part of the stage
        with self.step(stage, sum(map(_pixels, work.tiles))) as advance:
            if self.ledger is None or opened is None:
                self._run(work, found.__setitem__, advance)
            else:
                found = self._resume(self.ledger, opened, advance)
        starts = range(0, len(work.tiles), columns)
        return [[found[number] for number in range(start, start + columns)] for start in starts]

    def is_intact(self, store: Location, content: bool = False) -> bool:
        """Return whether a finished store holds every chunk that the journal tells of, each of its size.

        With `content`, or where the store has been suspected, every chunk is compared with its checksum. A
        journal with damaged records tells of no store that it is whole.
        """
        if self.ledger is None:
            return True
        suspected = str(store) in self.suspects
        chunks, damaged_records = self.ledger.chunks_of(store)
        if damaged_records:
            self.events.tell("damage found", store=store, damaged_records=damaged_records)
            return False
        if suspected and not chunks:
            return False
        there = sizes(store)
        lost = [key for key, chunk in chunks.items() if there.get(key) != chunk.size]
        if (content or suspected) and not lost:
            with ThreadPoolExecutor(self.workers) as pool:
                good = pool.map(partial(is_intact, store), chunks.values())
                lost = [key for key, whole in zip(chunks, good, strict=True) if not whole]
        if lost:
            self.events.tell("damage found", store=store, chunks=len(lost), first=min(lost))
        return not lost

    def mended(self, work: Callable[[], T]) -> T:
        """Return what `work` does; where it finds a damaged chunk, it is done again with the store suspected.

        Raises DamagedError where that did not help.
        """
        try:
            return work()
        except DamagedError as error:
            if self.ledger is None:
                raise
            self.events.tell("damage found", store=error.place, reason=str(error))
            self.suspects.add(error.place)
            return work()

    def _resume(self, ledger: Ledger, opened: Opened, advance: Advance) -> dict[int, Any]:
        """Run the tiles that no record tells of; return what the task returned, by number of the tile."""
        work, marks, journal = opened.work, opened.marks, opened.journal
        records = self._intact(ledger, opened)
        advance(sum(_pixels(work.tiles[number]) for number in records))
        left = [number for number in range(len(work.tiles)) if number not in records]

        def done(place: int, result: tuple[Any, list[ChunkChecksum]]) -> None:
            number = left[place]
            mark = "" if marks is None else marks[number]
            records[number] = ledger.record(work.tiles[number], *result, mark)
            journal.add(records[number])

        rest = replace(
            work,
            task=with_checksums,
            tiles=[work.tiles[number] for number in left],
            each=[[values[number] for number in left] for values in work.each],
            constants={"the_task": work.task, **work.constants},
        )
        try:
            self._run(rest, done, advance)
        finally:
            journal.flush()
        if marks is not None:
            journal.keep(list(records.values()))
        ledger.finish(opened.key, records.values())
        return {number: record.value for number, record in records.items()}

    def _intact(self, ledger: Ledger, opened: Opened) -> dict[int, Record]:
        """Return the records of the tiles whose chunks are as they were written, by number of the tile."""
        work, records, damaged = opened.work, opened.records, opened.damaged
        numbers = [number for number, record in records.items() if record.chunks]
        intact = dict.fromkeys(records, True)
        comparison = TileWork(
            self._name(check_chunks),
            check_chunks,
            [work.tiles[number] for number in numbers],
            [[records[number].chunks for number in numbers]],
            {"stores": ledger.stores(work.constants)},
        )
        self._run(
            comparison, lambda place, good: intact.__setitem__(numbers[place], good), lambda pixels: None
        )
        if records or damaged:
            good = sum(intact.values())
            self.events.tell(
                "stage goes on",
                stage=opened.stage,
                tiles=len(work.tiles),
                kept=good,
                damaged_tiles=len(records) - good,
                damaged_records=len(damaged),
            )
        for path in damaged:
            path.unlink(missing_ok=True)
        return {number: record for number, record in records.items() if intact[number]}

    def _run(self, work: TileWork, done: Done, advance: Advance) -> None:
        def count(number: int, value: Any) -> None:
            done(number, value)
            advance(_pixels(work.tiles[number]))

        if work.tiles:
            run_tiles(work, self.client(), self.workers, count)

    def _name(self, task: Callable[..., Any]) -> str:
        return f"{task.__name__}-{self.mark}-{uuid4().hex[:8]}"


def _open(ledger: Ledger, stage: str, work: TileWork, marks: list[str] | None) -> Opened:
    """Return a stage with the records of its tiles that the journal holds."""
    journal, key = ledger.open(stage, work.task, work.each, work.constants, own=marks is not None)
    read, damaged = journal.read()
    return Opened(stage, work, marks, journal, key, matching(read, work.tiles, marks), damaged)


def _pixels(tile: Tile) -> int:
    return tile.shape[0] * tile.shape[1]

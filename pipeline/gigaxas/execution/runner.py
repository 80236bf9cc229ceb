"""Stages run over tiles: what is done already is kept; the rest is run, timed, shown and recorded."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4

from distributed import Client

from gigaxas.checkpoint.journal import Record
from gigaxas.checkpoint.ledger import Ledger, check_chunks, matching, noted, output_mark
from gigaxas.errors import DamagedError
from gigaxas.execution.events import Events
from gigaxas.execution.tile_tasks import Advance, Done, run_tiles
from gigaxas.locations import Place
from gigaxas.stores.io.checksums import is_intact
from gigaxas.stores.io.folders import sizes
from gigaxas.tiles import Grid, Tile, flat

T = TypeVar("T")
Progress = Callable[[str, int], AbstractContextManager[Advance]]
"""Shows a stage of so many pixels (or steps); what it yields is told of every part that is done."""


@contextmanager
def silent(stage: str, total: int) -> Iterator[Advance]:
    """Show nothing."""
    yield lambda done: None


@dataclass(frozen=True)
class Runner:
    """Where tasks run, how their progress is shown, and how long each stage took, in seconds.

    `ledger` tells what is done already; without one nothing is recorded and nothing kept.
    """

    client: Client | None = None
    workers: int = 1
    progress: Progress = silent
    seconds: dict[str, float] = field(default_factory=dict)
    ledger: Ledger | None = None
    events: Events = field(default_factory=Events)
    suspects: set[str] = field(default_factory=set)

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
        tiles = flat(grid)
        parts = [[value for row in values for value in row] for values in each]
        with self.step(stage, sum(map(_pixels, tiles))) as advance:
            if self.ledger is None:
                values: dict[int, Any] = {}
                self._run(task, tiles, parts, values.__setitem__, advance, constants)
            else:
                values = self._go_on(self.ledger, stage, task, tiles, parts, advance, constants)
        columns = len(grid[0])
        return [
            [values[number] for number in range(start, start + columns)]
            for start in range(0, len(tiles), columns)
        ]

    def is_intact(self, store: Place, content: bool = False) -> bool:
        """Return whether a finished store holds every chunk that the journal tells of, each of its size.

        With `content`, or where the store has been suspected, every chunk is compared with its checksum.
        """
        if self.ledger is None:
            return True
        suspected = str(store) in self.suspects
        there, chunks = sizes(store), self.ledger.chunks_of(store)
        lost = [key for key, chunk in chunks.items() if there.get(key) != chunk.size]
        if suspected and not chunks:
            return False
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

    def _go_on(
        self,
        ledger: Ledger,
        stage: str,
        task: Callable[..., Any],
        tiles: list[Tile],
        parts: list[list[Any]],
        advance: Advance,
        constants: dict[str, Any],
    ) -> dict[int, Any]:
        journal, key = ledger.open(stage, task, parts, constants)
        records, damaged = journal.read()
        known = self._intact(stage, ledger, tiles, records, damaged, constants)
        values = {number: record.value for number, record in known.items()}
        advance(sum(_pixels(tiles[number]) for number in known))
        left = [number for number in range(len(tiles)) if number not in known]

        def done(place: int, result: Any) -> None:
            number = left[place]
            known[number] = ledger.record(tiles[number], *result)
            values[number] = result[0]
            journal.add(known[number])

        some = [[of[number] for number in left] for of in parts]
        try:
            self._run(noted, [tiles[n] for n in left], some, done, advance, {"the_task": task, **constants})
        finally:
            journal.flush()
        ledger.wrote(key, [record.written for record in known.values()])
        return values

    def _intact(
        self,
        stage: str,
        ledger: Ledger,
        tiles: list[Tile],
        records: list[Record],
        damaged: int,
        constants: dict[str, Any],
    ) -> dict[int, Record]:
        known = matching(records, tiles)
        intact: dict[int, bool] = {}
        numbers = list(known)
        self._run(
            check_chunks,
            [tiles[number] for number in numbers],
            [[known[number].written for number in numbers]],
            lambda place, good: intact.__setitem__(numbers[place], good),
            lambda pixels: None,
            {"stores": ledger.stores(constants)},
        )
        if known or damaged:
            good = sum(intact.values())
            self.events.tell(
                "stage goes on",
                stage=stage,
                tiles=len(tiles),
                kept=good,
                damaged_tiles=len(known) - good,
                damaged_records=damaged,
            )
        return {number: record for number, record in known.items() if intact[number]}

    def _run(
        self,
        task: Callable[..., Any],
        tiles: Sequence[Tile],
        parts: list[list[Any]],
        done: Done,
        advance: Advance,
        constants: dict[str, Any],
    ) -> None:
        def count(number: int, value: Any) -> None:
            done(number, value)
            advance(_pixels(tiles[number]))

        name = f"{constants.get('the_task', task).__name__}-{self.mark}-{uuid4().hex[:8]}"
        run_tiles(name, task, tiles, parts, constants, self.client, self.workers, count)


def _pixels(tile: Tile) -> int:
    return tile.shape[0] * tile.shape[1]

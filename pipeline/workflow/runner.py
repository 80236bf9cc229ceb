"""Stages run over tiles, timed and shown."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from distributed import Client

from pipeline.graph.run import Advance, run_tiles
from pipeline.tiles import Grid, flat

Progress = Callable[[str, int], AbstractContextManager[Advance]]
"""Shows a stage of so many pixels (or steps); what it yields is told of every part that is done."""


@contextmanager
def silent(stage: str, total: int) -> Iterator[Advance]:
    """Show nothing."""
    yield lambda done: None


@dataclass(frozen=True)
class Runner:
    """Where tasks run, how their progress is shown, and how long each stage took, in seconds."""

    client: Client | None = None
    workers: int = 1
    progress: Progress = silent
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, stage: str, total: int) -> Iterator[Advance]:
        """Time and show one stage."""
        start = time.monotonic()
        with self.progress(stage, total) as advance:
            yield advance
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.monotonic() - start

    def over(
        self, stage: str, task: Callable[..., Any], grid: Grid, *each: list[list[Any]], **constants: Any
    ) -> list[list[Any]]:
        """Run a task over a grid of tiles; `each` holds one value a tile, and so does what comes back."""
        tiles = flat(grid)
        pixels = sum(tile.shape[0] * tile.shape[1] for tile in tiles)
        with self.step(stage, pixels) as advance:
            done = run_tiles(
                task,
                tiles,
                *([value for row in values for value in row] for values in each),
                client=self.client,
                workers=self.workers,
                advance=advance,
                **constants,
            )
        columns = len(grid[0])
        return [done[start : start + columns] for start in range(0, len(done), columns)]

"""Which tiles of a stage need not be done again: their records are there and their chunks as written."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dask.tokenize import tokenize

from pipeline.journal import Record, StageJournal, open_stage, stage_journals
from pipeline.places import Place, place
from pipeline.stores.written import Written, is_intact, noting
from pipeline.tiles import Tile
from pipeline.workflow.identity import logical, place_mark, places_in, stage_key

JOURNAL = "journal"


@dataclass(frozen=True)
class Ledger:
    """The journal of an output folder, and what the stages of this run have made of each store so far."""

    output: Path
    keys: dict[str, list[str]] = field(default_factory=dict)
    content: dict[str, str] = field(default_factory=dict)

    def open(
        self,
        stage: str,
        task: Callable[..., Any],
        each: Sequence[Sequence[Any]],
        constants: Mapping[str, Any],
    ) -> tuple[StageJournal, str]:
        """Return the records of a stage with these settings and the name of its results."""
        key = stage_key(task, each, constants, self._mark)
        used = self.keys.setdefault(stage, [])
        used.append(key)
        return open_stage(self.output / JOURNAL, stage, used), key

    def stores(self, constants: Any) -> dict[str, Place]:
        """Return the places among the constants of a stage by the names that records give them."""
        return {logical(path, self.output): path for path in places_in(constants)}

    def record(self, tile: Tile, value: Any, written: Sequence[Written]) -> Record:
        """Return the record of a tile that is done."""
        chunks = [chunk._replace(store=logical(place(chunk.store), self.output)) for chunk in written]
        return Record((tile.y0, tile.y1, tile.x0, tile.x1), value, chunks)

    def wrote(self, key: str, records: Sequence[Sequence[Written]]) -> None:
        """Take note that the stores of these chunks now hold the results of a stage."""
        for store in sorted({chunk.store for written in records for chunk in written}):
            self.content[store] = key

    def chunks_of(self, store: Place) -> dict[str, Written]:
        """Return the chunks that a store should hold as the records tell, by key."""
        name = logical(store, self.output)
        return {
            chunk.key: chunk
            for journal in stage_journals(self.output / JOURNAL)
            for record in journal.read()[0]
            for chunk in record.written
            if chunk.store == name
        }

    def _mark(self, path: Place) -> str:
        return tokenize(place_mark(path), self.content.get(logical(path, self.output)))


def output_mark(output: Path) -> str:
    """Return a short name of an output folder, for the tasks of its runs."""
    return hashlib.sha256(str(output.absolute()).encode()).hexdigest()[:10]


def noted(
    tile: Tile, *each: Any, the_task: Callable[..., Any], **constants: Any
) -> tuple[Any, list[Written]]:
    """Run a task on one tile; return what it returned and the chunks it wrote."""
    with noting() as written:
        value = the_task(tile, *each, **constants)
    return value, written


def check_chunks(tile: Tile, chunks: Sequence[Written], *, stores: Mapping[str, Place]) -> bool:
    """Return whether every chunk of a record is as it was written."""
    return all(chunk.store in stores and is_intact(stores[chunk.store], chunk) for chunk in chunks)

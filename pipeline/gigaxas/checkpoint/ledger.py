"""Which tiles of a stage need not be done again: their records are there and their chunks as written."""

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dask.tokenize import tokenize

from gigaxas.checkpoint.identity import location_mark, locations_in, logical, stage_key
from gigaxas.checkpoint.journal import StageJournal, journals_of, open_stage, stage_journals
from gigaxas.checkpoint.owner import JOURNAL
from gigaxas.checkpoint.records import Record
from gigaxas.locations import Location, location
from gigaxas.stores.io.checksums import ChunkChecksum, collect_checksums, is_intact
from gigaxas.tiles import Box, Grid, Tile


@dataclass(frozen=True)
class Ledger:
    """The journal of an output folder, and what the stages of this run have made of each store so far."""

    output: Path
    """The output folder."""
    run: str = ""
    """Mark of the run; what a run without one leaves is not listed."""
    keys: dict[str, list[str]] = field(default_factory=dict)
    """Names of the results that each stage has made in this run, by stage."""
    content: dict[str, str] = field(default_factory=dict)
    """Name of the results that each store holds, by store."""

    def open(
        self,
        stage: str,
        task: Callable[..., Any],
        each: Sequence[Sequence[Any]],
        constants: Mapping[str, Any],
        own: bool = False,
    ) -> tuple[StageJournal, str]:
        """Return the records of a stage with these settings and the name of its results.

        Where each tile has a mark of its `own`, those of other settings are among them.
        """
        key = stage_key(task, [], {}, self._mark) if own else stage_key(task, each, constants, self._mark)
        used = self.keys.setdefault(stage, [])
        used.append(key)
        journal = open_stage(self.output / JOURNAL, stage, used)
        if self.run:
            journal.assign_to(self.run)
        return journal, key

    def stores(self, constants: Any) -> dict[str, Location]:
        """Return the places among the constants of a stage by the names that records give them."""
        return {logical(path, self.output): path for path in locations_in(constants)}

    def record(self, tile: Tile, value: Any, chunks: Sequence[ChunkChecksum], mark: str = "") -> Record:
        """Return the record of a tile that is done."""
        named = [chunk._replace(store=logical(location(chunk.store), self.output)) for chunk in chunks]
        return Record(tile.box, value, named, mark)

    def finish(self, key: str, records: Collection[Record]) -> None:
        """Take note that the stores of these records' chunks now hold the results of that name."""
        marks = sorted((record.tile, record.mark) for record in records if record.mark)
        key = tokenize(key, marks) if marks else key
        for store in sorted({chunk.store for record in records for chunk in record.chunks}):
            self.content[store] = key

    def chunks_of(self, store: Location) -> tuple[dict[str, ChunkChecksum], int]:
        """Return the chunks that a store should hold, by key, and how many record files are damaged."""
        name = logical(store, self.output)
        read = [journal.read() for journal in stage_journals(self.output / JOURNAL)]
        chunks = (chunk for records, _ in read for record in records for chunk in record.chunks)
        return {c.key: c for c in chunks if c.store == name}, sum(len(damaged) for _, damaged in read)

    def tile_marks(
        self, store: Location, grid: Grid, chunk: tuple[int, int], shared: str
    ) -> list[list[str]] | None:
        """Return for every tile what tells its chunks of a store, rows and columns of `chunk`, from others.

        `shared` tells what else its results depend on. None where a chunk is not known.
        """
        known: dict[tuple[int, int], list[tuple[str, int, int]]] = {}
        for key, found in sorted(self.chunks_of(store)[0].items()):
            *_, row, column = key.split("/")
            if row.isdigit():
                known.setdefault((int(row), int(column)), []).append((key, found.size, found.crc))
        rows = [[[known.get(place) for place in _places(tile, chunk)] for tile in tiles] for tiles in grid]
        if any(None in places for tiles in rows for places in tiles):
            return None
        return [[tokenize(shared, places) for places in tiles] for tiles in rows]

    def _mark(self, path: Location) -> str:
        return tokenize(location_mark(path), self.content.get(logical(path, self.output)))


def recorded_tiles(output: Path, stage: str, run: str) -> int:
    """Return how many tiles of a stage a run of this mark has left records of."""
    journals = journals_of(output / JOURNAL, stage, run)
    return len({record.tile for journal in journals for record in journal.read()[0]})


def matching(
    records: Sequence[Record], tiles: Sequence[Tile], marks: Sequence[str] | None = None
) -> dict[int, Record]:
    """Return the record of every tile (by its number) that has one, of its own mark where tiles have these.

    Where they have none and a task returns nothing, records of smaller tiles that cover a tile together are a
    record of it.
    """
    if marks is not None:
        marked = {(record.tile, record.mark): record for record in records}
        keys = [(tile.box, mark) for tile, mark in zip(tiles, marks, strict=True)]
        return {number: marked[key] for number, key in enumerate(keys) if key in marked}
    by_tile = {record.tile: record for record in records}
    parts = _by_corner([record for record in records if record.value is None], tiles)
    found = {}
    for number, tile in enumerate(tiles):
        record = by_tile.get(tile.box) or _joined(parts.get((tile.y0, tile.x0), []), tile)
        if record is not None:
            found[number] = record
    return found


def _places(tile: Tile, chunk: tuple[int, int]) -> list[tuple[int, int]]:
    """Return row and column of the chunks that lie in a tile."""
    rows = range(tile.y0 // chunk[0], -(-tile.y1 // chunk[0]))
    return [(y, x) for y in rows for x in range(tile.x0 // chunk[1], -(-tile.x1 // chunk[1]))]


def _by_corner(records: Sequence[Record], tiles: Sequence[Tile]) -> dict[tuple[int, int], list[Record]]:
    """Return the records that start in each tile of a grid, by the first row and column of that."""
    ys, xs = sorted({tile.y0 for tile in tiles}), sorted({tile.x0 for tile in tiles})
    found: dict[tuple[int, int], list[Record]] = {}
    for record in records:
        y, x = bisect_right(ys, record.tile.y0) - 1, bisect_right(xs, record.tile.x0) - 1
        found.setdefault((ys[y], xs[x]), []).append(record)
    return found


def _joined(records: Sequence[Record], tile: Tile) -> Record | None:
    inside = [record for record in records if _is_within(record.tile, tile.box)]
    ys = sorted({y for record in inside for y in record.tile[:2]})
    xs = sorted({x for record in inside for x in record.tile[2:]})
    cells = {
        (y, x)
        for y0, y1, x0, x1 in (record.tile for record in inside)
        for y in ys[ys.index(y0) : ys.index(y1)]
        for x in xs[xs.index(x0) : xs.index(x1)]
    }
    whole = inside and (ys[0], ys[-1], xs[0], xs[-1]) == tile.box
    if not whole or len(cells) < (len(ys) - 1) * (len(xs) - 1):
        return None
    return Record(tile.box, None, [chunk for record in inside for chunk in record.chunks])


def _is_within(inner: Box, outer: Box) -> bool:
    rows = outer.y0 <= inner.y0 and inner.y1 <= outer.y1
    return rows and outer.x0 <= inner.x0 and inner.x1 <= outer.x1


def output_mark(output: Path) -> str:
    """Return a short name of an output folder, for the tasks of its runs."""
    return hashlib.sha256(str(output.absolute()).encode()).hexdigest()[:10]


def with_checksums(
    tile: Tile, *each: Any, the_task: Callable[..., Any], **constants: Any
) -> tuple[Any, list[ChunkChecksum]]:
    """Run a task on one tile; return what it returned and the chunks it wrote."""
    with collect_checksums() as chunks:
        value = the_task(tile, *each, **constants)
    return value, chunks


def check_chunks(tile: Tile, chunks: Sequence[ChunkChecksum], *, stores: Mapping[str, Location]) -> bool:
    """Return whether every chunk of a record is as it was written."""
    return all(chunk.store in stores and is_intact(stores[chunk.store], chunk) for chunk in chunks)

"""What is taken as done: the key of a stage, records that cover a tile, chunks as they were written."""

from dataclasses import dataclass

import numpy as np
import pytest
from gigaxas.checkpoint import identity
from gigaxas.checkpoint import ledger as ledgers
from gigaxas.checkpoint.journal import open_stage
from gigaxas.checkpoint.ledger import Ledger, check_chunks, matching, with_checksums
from gigaxas.checkpoint.records import Record
from gigaxas.stores.io import checksums, chunks, groups
from gigaxas.stores.io.checksums import ChunkChecksum
from gigaxas.tiles import Box, Tile
from hypothesis import given
from hypothesis import strategies as st


def task(tile, **constants):
    """A task that only has a name."""


def other_task(tile, **constants):
    """Another one."""


@dataclass(frozen=True)
class Setting:
    """A setting that holds a location and a number."""

    path: object
    number: float


def key(named=task, each=((1, 2), (3, 4)), mark=str, **constants):
    return identity.stage_key(named, each, constants, mark)


def test_the_key_of_a_stage_changes_with_all_that_its_results_depend_on(tmp_path, monkeypatch):
    array, place = np.arange(6.0), tmp_path / "cube.zarr"
    constants = {"sites": array, "store": place, "setting": Setting(place, 0.5), "names": ["a", "b"]}
    first = key(**constants)
    assert key(**constants) == first
    later = {
        "task": key(other_task, **constants),
        "values by tile": key(each=((1, 2), (3, 5)), **constants),
        "array": key(**constants | {"sites": np.nextafter(array, 9)}),
        "type of an array": key(**constants | {"sites": array.astype(np.float32)}),
        "number in a setting": key(**constants | {"setting": Setting(place, 0.25)}),
        "text in a list": key(**constants | {"names": ["a", "c"]}),
        "name of a setting": key(**{**constants, "titles": constants["names"]}),
        "content of a location": key(mark=lambda path: f"other than before of {path}", **constants),
    }
    monkeypatch.setattr(identity, "code_version", lambda: "0123456789abcdef")
    later["code"] = key(**constants)
    assert len({first, *later.values()}) == len(later) + 1


def test_the_key_of_a_stage_knows_no_paths_and_no_hints(tmp_path):
    here, there = (key(mark=lambda path: "same", store=tmp_path / name) for name in "ab")
    assert here == there
    assert key(index=1, expected=2) == key(index=3)


def test_the_mark_of_a_store_is_what_it_was_made_of_else_every_file(tmp_path):
    store = tmp_path / "a.zarr"
    groups.create_group(store, {"fingerprint": "one"})
    marked = identity.location_mark(store)
    chunks.save_array(store, "energy", np.arange(3.0), ("energy",))
    assert identity.location_mark(store) == marked
    groups.add_attributes(store, fingerprint="two")
    assert identity.location_mark(store) != marked
    file = tmp_path / "raw" / "field.h5"
    file.parent.mkdir()
    assert identity.location_mark(file.parent) != identity.location_mark(file.parent)
    for mark in (lambda: identity.location_mark(file), lambda: identity.location_mark(file.parent)):
        file.write_bytes(b"abc")
        first = mark()
        assert mark() == first
        file.write_bytes(b"abcd")
        assert mark() != first


def test_a_store_whose_metadata_is_torn_has_no_mark(tmp_path):
    groups.create_group(tmp_path / "a.zarr", {"fingerprint": "one"})
    (tmp_path / "a.zarr" / "zarr.json").write_text('{"zarr_for')
    with pytest.raises(ValueError, match="found no Zarr group"):
        identity.location_mark(tmp_path / "a.zarr")


def test_other_keys_of_a_stage_are_dropped_and_those_of_other_stages_stay(tmp_path):
    for name in ("assign.old", "assign.new", "regions.old", "clean-up.old"):
        (tmp_path / name).mkdir()
    open_stage(tmp_path, "assign", ["new"])
    assert {path.name for path in tmp_path.iterdir()} == {"assign.new", "regions.old", "clean-up.old"}
    open_stage(tmp_path, "clean up", ["old", "new"])
    assert (tmp_path / "clean-up.old").is_dir()


def tile(y0, y1, x0, x1):
    return Tile(0, 0, y0, y1, x0, x1)


def done(*box, value=None):
    return Record(Box(*box), value, [ChunkChecksum("a.zarr", str(box), 1, 2)])


QUARTERS = [done(0, 4, 0, 4), done(0, 4, 4, 8), done(4, 8, 0, 4), done(4, 8, 4, 8)]
NINE = [done(y, y + 2, x, x + 2) for y in (0, 2, 4) for x in (0, 2, 4)]


@pytest.mark.parametrize(
    ("records", "of", "is_done"),
    [
        ([done(0, 8, 0, 8, value=3)], tile(0, 8, 0, 8), True),
        (QUARTERS, tile(0, 8, 0, 8), True),
        (QUARTERS[:3], tile(0, 8, 0, 8), False),  # a corner is missing
        (NINE[:4] + NINE[5:], tile(0, 6, 0, 6), False),  # a hole in the middle
        (NINE[:3] + NINE[6:], tile(0, 6, 0, 6), False),  # a band is missing between two
        (NINE[:6], tile(0, 6, 0, 6), False),  # it ends before the tile does
        (QUARTERS, tile(0, 8, 2, 8), False),  # a record sticks out
        (QUARTERS, tile(0, 4, 0, 8), True),
        ([*QUARTERS, done(0, 4, 4, 12)], tile(0, 8, 0, 8), True),  # one sticks out, the others cover it
        ([done(0, 8, 0, 8)], tile(0, 4, 0, 8), False),  # a part of a larger one
        ([done(0, 4, 0, 8), done(2, 8, 0, 8)], tile(0, 8, 0, 8), True),  # they overlap
        ([*QUARTERS[:3], done(4, 8, 4, 8, value=0)], tile(0, 8, 0, 8), False),  # values cannot be joined
        ([], tile(0, 8, 0, 8), False),
    ],
)
def test_smaller_records_are_one_of_a_tile_where_they_cover_it(records, of, is_done):
    found = matching(records, [of])
    assert bool(found) == is_done
    if is_done:
        assert found[0].tile == of.box
        inside = [record for record in records if record.tile[1] <= of.y1 and record.tile[3] <= of.x1]
        assert found[0].chunks == [chunk for record in inside for chunk in record.chunks]


def test_records_of_a_large_grid_are_looked_at_where_they_lie(monkeypatch):
    """Fails where every tile looks at every record, which costs the square of the tiles."""
    looked = []
    within = ledgers._is_within
    monkeypatch.setattr(ledgers, "_is_within", lambda inner, outer: looked.append(1) or within(inner, outer))
    tiles = [tile(y, y + 4, x, x + 4) for y in range(0, 80, 4) for x in range(0, 80, 4)]
    records = [done(y, y + 2, x, x + 4) for y in range(0, 80, 2) for x in range(0, 80, 4)]
    assert len(matching(records, tiles)) == len(tiles)
    assert len(looked) == len(records)


SPANS = st.sampled_from([(start, stop) for stop in range(1, 5) for start in range(stop)])


@given(st.lists(st.tuples(SPANS, SPANS), max_size=10), SPANS, SPANS)
def test_records_cover_a_tile_where_they_paint_every_pixel_of_it(boxes, ys, xs):
    painted = np.zeros((4, 4), dtype=bool)
    for (y0, y1), (x0, x1) in boxes:
        if ys[0] <= y0 and y1 <= ys[1] and xs[0] <= x0 and x1 <= xs[1]:
            painted[y0:y1, x0:x1] = True
    found = matching([done(*y, *x) for y, x in boxes], [tile(*ys, *xs)])
    assert bool(found) == painted[slice(*ys), slice(*xs)].all()


@pytest.fixture
def chunk(tmp_path):
    """A store in a folder with one chunk, its checksum as it was collected, and its file."""
    store = tmp_path / "a.zarr"
    groups.create_group(store, {})
    with checksums.collect_checksums() as collected:
        chunks.save_array(store, "map", np.arange(400.0).reshape(20, 20), ("y", "x"))
    (written,) = collected
    return store, written, store / written.key


def test_a_chunk_is_intact_while_every_byte_of_it_is_as_it_was_written(chunk):
    store, written, file = chunk
    good = file.read_bytes()
    assert checksums.is_intact(store, written)
    for place in (0, 7, len(good) // 2, len(good) - 5, len(good) - 4, len(good) - 1):
        file.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        assert not checksums.is_intact(store, written), f"byte {place} of {len(good)}"
    for other in (good[:-1], good + b"\0", good[1:], b""):
        file.write_bytes(other)
        assert not checksums.is_intact(store, written)
    file.unlink()
    assert not checksums.is_intact(store, written)


def test_a_chunk_of_other_values_that_is_whole_in_itself_is_not_intact(chunk):
    store = chunk[0]
    with checksums.collect_checksums() as collected:
        for seed in (1, 2):  # noise cannot be compressed: both have the same size
            noise = np.random.default_rng(seed).integers(0, 256, (20, 20), dtype=np.uint8)
            chunks.save_array(store, "map", noise, ("y", "x"))
    first, second = collected
    assert (first.key, first.size) == (second.key, second.size)
    assert checksums.is_intact(store, second)
    assert not checksums.is_intact(store, first)


def test_a_record_of_a_tile_is_good_only_with_all_its_chunks_in_stores_that_the_stage_writes(chunk):
    store, written, _ = chunk
    named = written._replace(store="a.zarr")
    part = tile(0, 20, 0, 20)
    assert check_chunks(part, [named, named], stores={"a.zarr": store})
    assert not check_chunks(part, [named, named._replace(crc=named.crc ^ 1)], stores={"a.zarr": store})
    assert not check_chunks(part, [named], stores={"b.zarr": store})


def test_checksums_are_those_of_the_task_and_of_no_other_writes(chunk):
    store, _, _ = chunk
    values = np.ones((2, 2))

    def write(tile, name):
        chunks.save_array(store, name, values, ("y", "x"))
        return name

    chunks.save_array(store, "before", values, ("y", "x"))
    value, collected = with_checksums(tile(0, 2, 0, 2), "within", the_task=write)
    chunks.save_array(store, "after", values, ("y", "x"))
    assert value == "within"
    assert [(c.store, c.key) for c in collected] == [(str(store), "within/c/0/0")]


def test_records_name_stores_by_their_final_name_in_the_output(tmp_path):
    ledger = Ledger(tmp_path)
    partial = str(tmp_path / "result.zarr.partial")
    record = ledger.record(tile(0, 4, 0, 4), None, [ChunkChecksum(partial, "site/c/0/0", 9, 7)])
    assert record.chunks == [ChunkChecksum("result.zarr", "site/c/0/0", 9, 7)]
    journal = ledger.open("assign", task, [], {})[0]
    journal.add(record)
    journal.flush()
    chunks_of = ledger.chunks_of(tmp_path / "result.zarr")
    assert chunks_of == ({"site/c/0/0": record.chunks[0]}, 0)
    assert ledger.chunks_of(tmp_path / "cube.zarr") == ({}, 0)
    (file,) = journal.folder.glob("*.records")
    file.write_bytes(file.read_bytes()[:-1])
    assert ledger.chunks_of(tmp_path / "result.zarr") == ({}, 1)


def test_what_a_stage_has_written_into_a_store_changes_the_keys_of_those_that_read_it(tmp_path):
    groups.create_group(tmp_path / "result.zarr", {"fingerprint": "one"})
    ledger = Ledger(tmp_path)
    reads = {"result": tmp_path / "result.zarr"}
    before = ledger.open("regions", task, [], reads)[1]
    ledger.finish(
        "key of assign", [done(0, 4, 0, 4)._replace(chunks=[ChunkChecksum("result.zarr", "a", 1, 2)])]
    )
    after = ledger.open("regions", task, [], reads)[1]
    assert before != after
    assert (tmp_path / "journal").exists() is False

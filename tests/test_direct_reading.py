"""Chunks decoded straight into place: the same numbers as Zarr's, or left to Zarr."""

import json

import numpy as np
import pytest
import zarr
from gigaxas.errors import DamagedError
from gigaxas.stores.io.chunks import create_array, read, write
from gigaxas.stores.io.direct import read_directly
from gigaxas.stores.io.groups import create_group
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.codecs import BloscCodec, BytesCodec, ZstdCodec

SHAPE, CHUNKS = (5, 21, 17), (5, 8, 8)


def values(dtype=np.uint16):
    return (np.arange(np.prod(SHAPE)).reshape(SHAPE) * 37 % 60_000).astype(dtype)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store whose array `mu` is as the project makes arrays."""
    path = tmp_path_factory.mktemp("stores") / "cube.zarr"
    create_group(path, {})
    layout = {"shape": SHAPE, "chunks": CHUNKS, "dtype": "uint16", "dims": ("energy", "y", "x")}
    create_array(path, "mu", fill_value=65535, **layout)
    write(path, "mu", tuple(slice(0, size) for size in SHAPE), values())
    return path


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_any_region_is_what_was_written(store, data):
    spans = [sorted(data.draw(st.tuples(st.integers(0, n - 1), st.integers(1, n)))) for n in SHAPE]
    region = tuple(slice(start, stop + (start == stop)) for start, stop in spans)
    found = read_directly(store / "mu", region, sparse=False)
    assert np.array_equal(found, values()[region])
    out = np.zeros((*found.shape[:2], 40), np.uint16)[:, :, 3 : 3 + found.shape[2]]
    assert read_directly(store / "mu", region, sparse=False, out=out) is out
    assert np.array_equal(out, found)


def test_what_a_thread_keeps_is_not_handed_out(store):
    region = (slice(0, 5), slice(0, 8), slice(0, 8))
    first = read_directly(store / "mu", region, sparse=False)
    kept = first.copy()
    read_directly(store / "mu", (slice(0, 5), slice(8, 16), slice(8, 16)), sparse=False)
    assert np.array_equal(first, kept)


@pytest.mark.parametrize(
    "layout",
    [
        {"compressors": ZstdCodec()},
        {"compressors": None},
        {"serializer": BytesCodec(endian="big")},
        {"shards": (5, 16, 16)},
        {"dtype": "bool"},
        {"zarr_format": 2, "compressors": None},
    ],
    ids=lambda layout: ", ".join(layout),
)
def test_other_layouts_are_left_to_zarr(tmp_path, layout):
    settings = {"shape": SHAPE, "chunks": CHUNKS, "dtype": "uint16", "compressors": BloscCodec()}
    array = zarr.create_array(tmp_path / "mu", **{**settings, **layout})
    array[:] = values(array.dtype)
    region = tuple(slice(0, size) for size in SHAPE)
    assert read_directly(tmp_path / "mu", region, sparse=False) is None
    if layout.get("zarr_format") != 2:
        assert np.array_equal(read(tmp_path, "mu", region), values(array.dtype))


def test_a_layout_that_has_changed_is_read_anew(tmp_path):
    region = tuple(slice(0, size) for size in SHAPE)
    for dtype in ("uint16", "float32"):
        array = zarr.create_array(
            tmp_path / "mu", shape=SHAPE, chunks=CHUNKS, dtype=dtype, compressors=BloscCodec(), overwrite=True
        )
        array[:] = values(dtype)
        assert np.array_equal(read_directly(tmp_path / "mu", region, sparse=False), values(dtype))


@pytest.mark.parametrize("sparse", [True, False])
def test_a_chunk_without_a_file(store, tmp_path, sparse):
    region = (slice(0, 5), slice(6, 12), slice(0, 17))
    copy = tmp_path / "cube.zarr"
    zarr_files(store, copy)
    (copy / "mu" / "c" / "0" / "1" / "1").unlink()
    expected = values()
    expected[:, 8:16, 8:16] = 65535
    if sparse:
        assert np.array_equal(read(copy, "mu", region, sparse=True), expected[region])
    else:
        with pytest.raises(DamagedError, match="chunk c/0/1/1 is damaged"):
            read(copy, "mu", region)


def zarr_files(source, target):
    """Copy a store."""
    for file in source.rglob("*"):
        if file.is_file():
            to = target / file.relative_to(source)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(file.read_bytes())


def cut(data):
    return data[:-9]


def emptied(data):
    return b""


def flipped(data):
    return data[:40] + bytes([data[40] ^ 1]) + data[41:]


def declares_more(data):
    return data[:4] + (2**31 - 1).to_bytes(4, "little") + data[8:]


@pytest.mark.parametrize(
    ("damage", "has_checksum"),
    [(damage, told) for told in (True, False) for damage in (cut, emptied, declares_more)]
    + [(flipped, True)],
)
def test_a_damaged_chunk_is_never_read(store, tmp_path, damage, has_checksum):
    copy = tmp_path / "cube.zarr"
    zarr_files(store, copy)
    file = copy / "mu" / "c" / "0" / "0" / "0"
    if not has_checksum:
        described = json.loads((copy / "mu" / "zarr.json").read_text())
        described["codecs"] = described["codecs"][:2]
        (copy / "mu" / "zarr.json").write_text(json.dumps(described))
        file.write_bytes(file.read_bytes()[:-4])
    file.write_bytes(damage(file.read_bytes()))
    region = tuple(slice(0, size) for size in SHAPE)
    assert read_directly(copy / "mu", region, sparse=True) is None
    with pytest.raises(DamagedError, match="chunk c/0/0/0 is damaged"):
        read(copy, "mu", region)

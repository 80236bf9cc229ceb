"""Files that mean harm: refused before they cost memory, time, or a file elsewhere."""

import contextlib
import hashlib
import json
import struct

import gigaxas as gx
import msgpack
import numpy as np
import pytest
import yaml
import zarr
from gigaxas.checkpoint import records
from gigaxas.config.load import load_config
from gigaxas.spatial.regions import RegionEdges
from gigaxas.stores import cube
from gigaxas.stores.io.checksums import ChunkChecksum
from gigaxas.tiles import Tile
from gigaxas.workflow.classify import classify
from gigaxas.workflow.resolve import resolve
from hypothesis import given, settings
from hypothesis import strategies as st
from small_runs import ENERGY, config, edges, scene, write_csv, write_cube


@pytest.fixture
def measured(tmp_path):
    rng = np.random.default_rng(1)
    spectra = edges(3, rng)
    write_csv(tmp_path / "references.csv", spectra)
    write_cube(tmp_path / "cube.zarr", scene(rng, spectra, (20, 20)), [10], [10])
    return config(tmp_path, tmp_path / "cube.zarr", tmp_path / "references.csv")


def rewrite(path, **changes):
    """Change the metadata of an array as a hostile hand would."""
    file = path / "zarr.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def grid(*shape):
    return {"name": "regular", "configuration": {"chunk_shape": shape}}


@pytest.mark.parametrize(
    ("array", "changes", "sentence"),
    [
        ("mu", {"shape": [24, 10**9, 10**9]}, "expected at most"),
        ("mu", {"shape": [10**12, 20, 20]}, "expected at most"),
        ("mu", {"chunk_grid": grid(24, 10**6, 10**6)}, "expected at most 4"),
        ("mu", {"shape": [24, 5000, 5000], "chunk_grid": grid(24, 1, 1)}, "25,000,000 chunks"),
        ("mu", {"data_type": "int64"}, "int64"),
        ("energy", {"shape": [10**12]}, "1000000000000 energies for 24 planes"),
        ("y", {"shape": [10**12]}, "the shape"),
    ],
)
def test_a_claim_beyond_reason_is_refused_before_it_is_read(measured, array, changes, sentence):
    if array == "y":
        group = zarr.open_group(measured.cube.path, mode="r+")
        del group.attrs["fingerprint"]
        group.attrs.pop("pixel_um", None)
    rewrite(measured.cube.path / array, **changes)
    with pytest.raises(gx.InputError, match=sentence):
        resolve(measured)


@pytest.mark.parametrize("codec", ["blosc", "zstd"])
def test_a_chunk_that_claims_gigabytes_is_not_unpacked(tmp_path, codec):
    path = tmp_path / "cube.zarr"
    group = zarr.create_group(path, attributes={"pixel_um": 0.5})
    packed = zarr.codecs.BloscCodec() if codec == "blosc" else zarr.codecs.ZstdCodec()
    options = {"shape": (24, 8, 8), "chunks": (24, 8, 8), "dtype": "float32", "compressors": [packed]}
    group.create_array("mu", **options)[...] = 1.0
    group.create_array("energy", data=ENERGY)
    info = cube.describe_cube(path)
    tile = Tile(0, 0, 0, 8, 0, 8)
    assert (cube.read_tile(info, tile) == 1).all()
    file = path / "mu" / "c" / "0" / "0" / "0"
    if codec == "blosc":
        data = bytearray(file.read_bytes())
        data[4:8] = struct.pack("<I", 2**31 - 100)
        file.write_bytes(data)
    else:
        file.write_bytes(b"\x28\xb5\x2f\xfd" + bytes([0b11100000]) + struct.pack("<Q", 2**36) + bytes(20))
    with pytest.raises(gx.RunError, match=r"c/0/0/0 is damaged \(it declares \d{10,} bytes"):
        cube.read_tile(info, tile)


@pytest.mark.parametrize("link", ["result.zarr.partial", "journal", "clusters.csv", "run.log"])
def test_a_link_out_of_the_output_folder_is_refused(measured, tmp_path, link):
    measured.output.mkdir()
    (measured.output / "run.json").write_text('{"title": "small"}')
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (measured.output / link).symlink_to(elsewhere)
    with pytest.raises(gx.InputError, match=f"{link} is a link to"):
        classify(measured)
    assert not list(elsewhere.iterdir())


def test_an_alias_bomb_is_refused(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    path = tmp_path / "run.yaml"
    path.write_text("\n".join(lines))
    with pytest.raises(gx.InputError, match="aliases"):
        load_config(path)


def test_a_yaml_tag_makes_no_object(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(f"output: !!python/object/apply:os.mkdir ['{tmp_path}/made']\n")
    with pytest.raises(gx.InputError, match=r"tags \(!!python/object/apply:os.mkdir|tags \(tag:yaml"):
        load_config(path)
    assert not (tmp_path / "made").exists()


def test_a_huge_file_is_no_configuration(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_bytes(b"#" * 2_000_000)
    with pytest.raises(gx.InputError, match="expected at most"):
        load_config(path)


@pytest.mark.parametrize(
    "url", ["s3://key:secret@bucket/cube", "s3://bucket/cube?secret=1", "s3://key@bucket/c"]
)
def test_a_credential_in_an_address_is_refused(tmp_path, url):
    path = tmp_path / "run.yaml"
    path.write_text(f"output: out\ncube: {{path: '{url}'}}\nreferences: {{modelled: true}}\n")
    with pytest.raises(gx.InputError, match=r"cube\.path: an address holds no credential"):
        load_config(path)


KEYS = st.sampled_from(
    [
        "title",
        "output",
        "cube",
        "path",
        "simulate",
        "shape",
        "references",
        "sites",
        "limit",
        "noise",
        "c_ref",
        "compute",
        "workers",
        "clean_up",
        "k_size",
        "p_num",
        "result",
        "modelled",
        "tile",
        "x",
    ]
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.floats(), st.text(max_size=8), st.just("true")
)
DOCUMENTS = st.dictionaries(
    KEYS,
    st.recursive(
        LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS)
def test_any_document_is_a_configuration_or_an_input_error(tmp_path_factory, document):
    path = tmp_path_factory.mktemp("fuzz") / "run.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    with contextlib.suppress(gx.InputError):
        load_config(path)


BIG = np.array([[2**90, -(3**70)], [0, 1]], dtype=object)
RECORDS = [
    records.Record(
        (0, 4, 0, 5),
        (RegionEdges((4, 5), np.arange(6, dtype=np.uint16), np.arange(3, dtype=np.int32), np.array([True])),),
        [ChunkChecksum("result.zarr", "site/c/0/0", 120, 77)],
    ),
    records.Record(
        (0, 4, 5, 9), {"a": [1, None, 2.5, "x"], "b": np.float32(0.1), "c": np.empty((0, 3)), "d": BIG}, []
    ),
]


def test_records_come_back_as_they_were():
    first, second = records.unpack(records.pack(RECORDS))
    assert first.chunks == RECORDS[0].chunks
    (found,) = first.value
    assert isinstance(found, RegionEdges)
    assert found.shape == (4, 5)
    np.testing.assert_array_equal(found.labels, np.arange(6))
    assert found.labels.dtype == np.uint16
    assert second.value["a"] == [1, None, 2.5, "x"]
    assert second.value["b"] == np.float32(0.1)
    assert second.value["c"].shape == (0, 3)
    assert (second.value["d"] == BIG).all()


@given(st.data())
def test_any_changed_byte_of_a_record_is_found(data):
    whole = bytearray(records.pack(RECORDS))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match="torn or altered"):
        records.unpack(bytes(whole))
    with pytest.raises(ValueError, match="torn or altered"):
        records.unpack(bytes(whole[:place]))


@pytest.mark.parametrize(
    "name",
    [["os", "system"], ["os", "stat_result"], ["gigaxas.cli.verbs", "main"], ["gigaxas.tasks.assign", "np"]],
)
def test_a_record_cannot_call_what_it_likes(name):
    call = msgpack.ExtType(records.Extension.CLASS, msgpack.packb([*name, ["touch /tmp/x"]]))
    payload = msgpack.packb([call])
    forged = records.MAGIC + hashlib.blake2b(payload, digest_size=records.HASH_BYTES).digest() + payload
    with pytest.raises(ValueError, match="no record of gigaxas"):
        records.unpack(forged)


def test_a_value_that_cannot_be_recorded_is_a_clear_fault():
    with pytest.raises(TypeError, match="which the journal cannot keep"):
        records.pack([records.Record((0, 1, 0, 1), object(), [])])

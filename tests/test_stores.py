import numpy as np
import pytest
import xarray as xr
import zarr
from gigaxas.errors import InputError, RunError
from gigaxas.stores import cube, result
from gigaxas.stores.io import chunks, codes, folders, groups
from gigaxas.tiles import flat, regular_grid

ENERGY = np.linspace(7009.2, 7321.2, 12)


@pytest.fixture
def stored(tmp_path):
    """A small cube, whole, in four chunks."""
    path = tmp_path / "cube.zarr"
    cube.create_cube(path, ENERGY, (20, 24), 16, 0.46, "mark")
    rng = np.random.default_rng(0)
    for tile in flat(regular_grid((20, 24), (16, 16))):
        mu = rng.normal(0.5, 0.2, (12, *tile.shape)).astype(np.float32)
        low = np.full(tile.shape, 0.36, np.float32)
        cube.write_tile(path, tile, mu, mu_low=low, mu_high=low + 1.2)
    return path


def test_a_cube_says_what_it_holds(stored):
    info = cube.describe_cube(stored)
    assert info.shape == (12, 20, 24)
    assert info.chunk == (16, 16)
    assert info.pixel_um == pytest.approx(0.46)
    assert info.invalid == codes.INVALID
    assert info.fingerprint == "mark"
    assert info.maps == ("mu_low", "mu_high")
    np.testing.assert_array_equal(info.energy, ENERGY)


def test_codes_are_within_half_a_step_and_the_rest_is_invalid():
    mu = np.array([-2.0, 0.0, 5.99, 6.5, -2.1, np.nan, np.inf], np.float32)
    code = codes.encode(mu)
    np.testing.assert_allclose(code[:3] * codes.SCALE + codes.OFFSET, mu[:3], atol=0.51 * codes.SCALE)
    assert (code[3:] == codes.INVALID).all()


def test_xarray_opens_the_cube_as_absorbance(stored):
    opened = xr.open_zarr(stored, consolidated=False)
    assert opened.mu.dims == ("energy", "y", "x")
    assert 0.4 < float(opened.mu.mean()) < 0.6
    assert opened.energy.attrs["units"] == "eV"


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[: len(data) // 2], lambda data: data[:3], lambda data: data[:-9] + bytes(9)],
    ids=["half", "nearly nothing", "altered"],
)
def test_a_damaged_chunk_is_named(stored, damage):
    chunk = stored / "mu" / "c" / "0" / "1" / "0"
    chunk.write_bytes(damage(chunk.read_bytes()))
    tile = flat(regular_grid((20, 24), (16, 16)))[2]
    with pytest.raises(RunError, match=r"chunk c/0/1/0 is damaged"):
        cube.read_tile(cube.describe_cube(stored), tile)


def test_a_missing_chunk_is_named_before_anything_is_read(stored):
    (stored / "mu" / "c" / "0" / "0" / "1").unlink()
    with pytest.raises(InputError, match=r"1 missing chunk\(s\) \(c/0/0/1\)"):
        cube.check_chunks(cube.describe_cube(stored))


LINKED = {
    "the store": "",
    "an array": "mu",
    "its chunks": "mu/c",
    "some of them": "mu/c/0/1",
    "one of them": "mu/c/0/0/0",
}
"""What of a cube lies on another disk."""


@pytest.fixture(params=LINKED.values(), ids=LINKED)
def linked(stored, tmp_path, request):
    """A cube, a part of which is a link to another disk."""
    part, disk = stored / request.param, tmp_path / "another disk"
    part.rename(disk)
    part.symlink_to(disk)
    return stored


def test_a_cube_behind_links_is_read_like_any_other(linked):
    info = cube.describe_cube(linked)
    cube.check_chunks(info)
    for tile in flat(regular_grid((20, 24), (16, 16))):
        assert (cube.read_tile(info, tile) != codes.INVALID).all()


def test_changed_data_behind_links_make_another_cube(linked):
    info = cube.describe_cube(linked, sparse=True)
    before = cube.cube_identity(info)
    assert cube.cube_identity(info) == before
    samples = cube.read_tile(info, flat(regular_grid((20, 24), (16, 16)))[0])
    cube.write_samples(linked, flat(regular_grid((20, 24), (16, 16)))[0], samples[::-1])
    assert cube.cube_identity(info) != before


@pytest.mark.parametrize(
    ("link", "target"),
    [("c/back", "mu"), ("c/0/up", "mu/c"), ("c/0/itself", "mu/c/0/itself"), ("c/gone", "gone")],
)
def test_links_that_lead_back_or_nowhere_hold_no_files(stored, link, target):
    before = folders.stamps(stored / "mu")
    (stored / "mu" / link).symlink_to(stored / target)
    assert folders.stamps(stored / "mu") == before


def test_links_that_lead_to_each_other_come_to_an_end(stored):
    (stored / "mu" / "there").symlink_to(stored / "energy")
    (stored / "energy" / "back").symlink_to(stored / "mu")
    found = set(folders.sizes(stored / "mu"))
    assert "there/c/0" in found
    assert "there/back/c/0/0/0" not in found


def test_a_chunk_behind_a_broken_link_is_missing(stored):
    chunk = stored / "mu" / "c" / "0" / "1" / "1"
    chunk.unlink()
    chunk.symlink_to("nowhere")
    with pytest.raises(InputError, match=r"1 missing chunk\(s\) \(c/0/1/1\)"):
        cube.check_chunks(cube.describe_cube(stored))


def test_removing_a_link_keeps_what_it_leads_to(stored, tmp_path):
    link = tmp_path / "link.zarr"
    link.symlink_to(stored)
    folders.remove(link)
    assert not link.is_symlink()
    cube.check_chunks(cube.describe_cube(stored))


@pytest.mark.parametrize(
    ("rows", "is_whole"), [((0, 8), False), ((8, 16), False), ((0, 16), True), ((16, 20), True)]
)
def test_a_write_that_cuts_a_chunk_is_refused(stored, rows, is_whole):
    region, values = (slice(*rows), slice(0, 16)), np.zeros((rows[1] - rows[0], 16), np.float32)
    if is_whole:
        chunks.write(stored, "mu_low", region, values)
        np.testing.assert_array_equal(chunks.read(stored, "mu_low", region), values)
    else:
        with pytest.raises(RunError, match="cut a chunk of 16"):
            chunks.write(stored, "mu_low", region, values)


def test_a_chunk_of_nothing_but_the_fill_value_is_written(stored):
    chunks.write(stored, "mu_low", (slice(0, 16), slice(0, 16)), np.zeros((16, 16)))
    assert (stored / "mu_low" / "c" / "0" / "0").is_file()
    cube.check_chunks(cube.describe_cube(stored))


def test_a_missing_chunk_is_no_fill_value_unless_the_array_is_sparse(stored):
    (stored / "mu_low" / "c" / "0" / "1").unlink()
    whole = (slice(0, 20), slice(0, 24))
    with pytest.raises(RunError, match=r"chunk c/0/1 is damaged \(.*is missing\)"):
        chunks.read(stored, "mu_low", whole)
    assert (chunks.read(stored, "mu_low", whole, sparse=True)[:16, 16:] == 0).all()


def test_an_array_stays_only_where_nothing_but_its_values_can_differ(tmp_path):
    first = {"shape": (32, 20), "chunks": (8, 8), "dtype": "uint16", "dims": ("y", "x")}
    groups.create_group(tmp_path / "a.zarr", {})
    path = tmp_path / "a.zarr"

    def is_kept(**other):
        chunks.create_array(path, "map", **first)
        chunks.write(path, "map", (slice(0, 32), slice(0, 20)), np.ones((32, 20)))
        chunks.create_array(path, "map", **first | other)
        return (path / "map" / "c" / "0" / "0").is_file()

    assert is_kept()
    assert is_kept(chunks=(16, 8))
    assert is_kept(chunks=(32, 20))
    assert not is_kept(chunks=(12, 8))
    assert not is_kept(chunks=(4, 8))
    assert not is_kept(dtype="uint32")
    assert not is_kept(attributes={"units": "1"})
    assert not is_kept(fill_value=7)


def test_a_store_in_the_making_is_gone_on_with_by_the_same_settings_only(tmp_path):
    final = tmp_path / "a.zarr"
    partial = groups.partial_of(final)

    def is_kept(attributes):
        groups.create_group(partial, attributes)
        return (partial / "energy").is_dir()

    assert not is_kept({"basis": "one"})
    chunks.save_array(partial, "energy", ENERGY, ("energy",))
    assert is_kept({"basis": "one"})
    groups.publish(partial, final)
    assert is_kept({"basis": "one"})
    assert not final.exists()
    assert not is_kept({"basis": "two"})
    chunks.save_array(partial, "energy", ENERGY, ("energy",))
    groups.publish(partial, final)
    assert not is_kept({"basis": "one"})
    assert final.exists()


def test_every_fault_of_the_layout_is_told(tmp_path):
    path = tmp_path / "cube.zarr"
    group = zarr.create_group(path)
    group.create_array("mu", shape=(4, 5, 6), dtype="int32", dimension_names=("y", "x", "energy"))
    with pytest.raises(InputError) as told:
        cube.describe_cube(path)
    assert "('y', 'x', 'energy')" in str(told.value)
    assert "int32" in str(told.value)


@pytest.mark.parametrize(
    ("energy", "units", "sentence"),
    [
        (ENERGY[::-1], "eV", "do not rise"),
        (ENERGY[:5], "eV", "5 energies for 12 planes"),
        (ENERGY / 1000, "eV", "looks like keV"),
        (ENERGY / 1000, "K", "expected 'eV'"),
        (np.where(np.arange(12) == 3, np.nan, ENERGY), "eV", "do not rise"),
    ],
)
def test_an_energy_axis_that_cannot_be_right_is_refused(tmp_path, energy, units, sentence):
    path = tmp_path / "cube.zarr"
    group = zarr.create_group(path, attributes={"pixel_um": 0.5})
    group.create_array("mu", shape=(12, 5, 6), dtype="float32", dimension_names=cube.DIMS)
    group.create_array("energy", data=np.ascontiguousarray(energy)).attrs["units"] = units
    with pytest.raises(InputError, match=sentence):
        cube.describe_cube(path)


def test_a_cube_without_a_pixel_size_is_refused(tmp_path):
    path = tmp_path / "cube.zarr"
    group = zarr.create_group(path)
    group.create_array("mu", shape=(12, 5, 6), dtype="float32", dimension_names=cube.DIMS)
    group.create_array("energy", data=ENERGY)
    with pytest.raises(InputError, match="pixel size is unknown"):
        cube.describe_cube(path)


def test_a_sharded_cube_is_read_in_shards(tmp_path):
    path = tmp_path / "cube.zarr"
    group = zarr.create_group(path, attributes={"pixel_um": 0.5})
    group.create_array("mu", shape=(12, 32, 32), chunks=(12, 8, 8), shards=(12, 16, 16), dtype="float32")[
        ...
    ] = 1.0
    group.create_array("energy", data=ENERGY)
    assert cube.describe_cube(path).chunk == (16, 16)
    cube.check_chunks(cube.describe_cube(path))


def test_a_result_opens_in_xarray_with_units_and_meanings(tmp_path):
    path = tmp_path / "result.zarr"
    result.create_result(path, (20, 24), (16, 16), 0.46, 1500, "mark")
    for tile in flat(regular_grid((20, 24), (16, 16))):
        result.write_maps(path, tile, label=np.full(tile.shape, 7), state=np.ones(tile.shape))
    opened = result.open_result(tmp_path)
    assert opened.label.dtype == np.uint16
    assert (opened.label == 7).all()
    assert opened.y.attrs["units"] == "um"
    assert opened.state.attrs["flag_meanings"].split()[3] == "filled"


def test_no_result_is_said_so(tmp_path):
    with pytest.raises(InputError, match="no finished result"):
        result.open_result(tmp_path)


def test_publishing_replaces_what_was_there(tmp_path):
    final = tmp_path / "a.zarr"
    for text in ("old", "new"):
        partial = groups.partial_of(final)
        groups.create_group(partial, {"text": text})
        assert groups.attributes_of(partial) == {"text": text, "unfinished": True}
        groups.publish(partial, final)
    assert groups.attributes_of(final) == {"text": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]

"""Chunks that were lost, cut or changed: redone where the run made them, named where it did not."""

import shutil

import gigaxas as gx
import pytest
import zarr
from faults import assert_same, maps_of
from gigaxas.config.schema import Config
from gigaxas.workflow.classify import classify

DAMAGES = {
    "missing": lambda path: path.unlink(),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "changed": lambda path: path.write_bytes(path.read_bytes()[:-9] + b"123456789"),
    "empty": lambda path: path.write_bytes(b""),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run over a simulated cube, and its maps."""
    output = tmp_path_factory.mktemp("finished") / "out"
    run = simulated(output)
    classify(run)
    return output, maps_of(run)


def simulated(output):
    return Config.model_validate(
        {
            "title": "small",
            "output": output,
            "simulate": {"scene": "sinter", "shape": [128, 128], "chunk": 48, "seed": 3},
            "references": {"modelled": True},
            "sites": {"mixtures": "none", "method": "net"},
            "compute": {"cluster": "threads", "workers": 2, "tile": 48},
        }
    )


@pytest.fixture
def run(finished, tmp_path):
    shutil.copytree(finished[0], tmp_path / "out")
    return simulated(tmp_path / "out"), finished[1]


def chunks(run, store, name):
    return sorted(path for path in (run.output / store / name / "c").rglob("*") if path.is_file())


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["site", "label"])
def test_a_damaged_chunk_of_a_map_is_redone(run, name, damage):
    run, expected = run
    DAMAGES[damage](chunks(run, "result.zarr", name)[4])
    classify(run)
    assert_same(maps_of(run), expected)


@pytest.mark.parametrize("name", ["kept", "state", "correlation", "spectrum"])
def test_every_map_is_looked_at(run, name):
    run, expected = run
    DAMAGES["changed"](chunks(run, "result.zarr", name)[0])
    classify(run)
    assert_same(maps_of(run), expected)


def test_a_whole_chunk_in_the_wrong_place_is_found(run):
    run, expected = run
    first, second = chunks(run, "result.zarr", "label")[3:5]
    shutil.copyfile(first, second)
    classify(run)
    assert_same(maps_of(run), expected)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_chunk_of_a_simulated_cube_is_redone(run, damage):
    run, expected = run
    shutil.rmtree(run.output / "result.zarr")
    shutil.rmtree(run.output / "journal" / next(p.name for p in (run.output / "journal").glob("assign*")))
    path = chunks(run, "cube.zarr", "mu")[4]
    good = path.read_bytes()
    DAMAGES[damage](path)
    classify(run)
    assert path.read_bytes() == good
    assert_same(maps_of(run), expected)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_sites_are_made_again(run, damage):
    run, expected = run
    DAMAGES[damage](chunks(run, "sites.zarr", "spectra")[0])
    classify(run)
    assert_same(maps_of(run), expected)


def test_a_damaged_truth_is_made_again(run):
    run, expected = run
    path = chunks(run, "truth.zarr", "phase")[2]
    good = path.read_bytes()
    DAMAGES["cut"](path)
    classify(run)
    assert path.read_bytes() == good
    assert_same(maps_of(run), expected)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_chunk_of_a_measured_cube_is_named(run, tmp_path, damage):
    run, _ = run
    measured = tmp_path / "measured.zarr"
    shutil.copytree(run.output / "cube.zarr", measured)
    DAMAGES[damage](measured / "mu" / "c" / "0" / "1" / "1")
    settings = run.model_dump(exclude={"simulate", "output", "result"}) | {"output": tmp_path / "new"}
    with pytest.raises((gx.RunError, gx.InputError), match="c/0/1/1") as told:
        classify(Config.model_validate(settings | {"cube": {"path": measured}}))
    assert "\n" not in str(told.value)
    assert not (tmp_path / "new" / "result.zarr").exists()


def test_a_missing_chunk_is_no_zeros_for_a_reader_of_the_result(run):
    run, _ = run
    chunks(run, "result.zarr", "label")[0].unlink()
    with gx.open_result(run.output) as result, pytest.raises(FileNotFoundError, match="label/c/0/0"):
        result.label.load()


def test_an_unfinished_store_is_no_cube(run, tmp_path):
    run, _ = run
    zarr.open_group(run.output / "cube.zarr", mode="r+").attrs["unfinished"] = True
    settings = run.model_dump(exclude={"simulate", "output"}) | {"output": tmp_path / "new"}
    with pytest.raises(gx.InputError, match="in the making"):
        classify(Config.model_validate(settings | {"cube": {"path": run.output / "cube.zarr"}}))

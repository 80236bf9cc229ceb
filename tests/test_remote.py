"""Cube and result behind addresses: an object store that speaks S3, on this machine, and one in memory."""

import os
import uuid

import fsspec
import gigaxas as gx
import numpy as np
import pytest
from faults import assert_same, maps_of
from gigaxas.execution.runner import silent
from gigaxas.locations import location
from gigaxas.stores.io import folders
from gigaxas.workflow.classify import classify
from small_runs import config, edges, scene, write_csv, write_cube

BUCKET = "measured"


@pytest.fixture(scope="module")
def endpoint():
    """The address of an S3 server of our own, with credentials in the environment."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    given = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "gigaxas-key",
        "AWS_SECRET_ACCESS_KEY": "gigaxas-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    fsspec.filesystem("s3").mkdir(BUCKET)
    yield given
    server.stop()
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    rng = np.random.default_rng(8)
    spectra = edges(4, rng)
    write_csv(folder / "references.csv", spectra)
    write_cube(folder / "cube.zarr", scene(rng, spectra, (60, 70), noise=0.2), [16], [16])
    local = small(folder, folder / "local", folder / "cube.zarr", None)
    classify(local)
    return folder, maps_of(local)


def small(folder, output, cube, result, **compute):
    compute = {"cluster": "threads", "workers": 2, "tile": 16, "dashboard": "127.0.0.1:0", **compute}
    run = config(folder, location(cube), folder / "references.csv", compute=compute)
    return run.model_copy(update={"output": output, "result": result and location(result)})


def upload(folder, address):
    fsspec.filesystem("s3").put(str(folder / "cube.zarr"), address.removeprefix("s3://"), recursive=True)


@pytest.mark.parametrize("cluster", ["threads", pytest.param("local", marks=pytest.mark.slow)])
def test_cube_and_result_in_an_object_store(measured, endpoint, tmp_path, cluster):
    folder, expected = measured
    bucket = f"s3://{BUCKET}/{cluster}"
    upload(folder, f"{bucket}/cube.zarr")
    run = small(folder, tmp_path / "out", f"{bucket}/cube.zarr", f"{bucket}/result.zarr", cluster=cluster)
    classify(run)
    with gx.open_result(run.result) as result:
        assert_same({name: result[name].values for name in expected}, expected)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"gigaxas-secret" not in path.read_bytes()
            assert b"gigaxas-key" not in path.read_bytes()


class Stop(Exception):
    """What stops a run in these tests."""


def stop_at(stage):
    def progress(name, total):
        if name == stage:
            raise Stop
        return silent(name, total)

    return progress


def test_a_stopped_run_behind_an_address_goes_on_and_is_no_result_before(measured, tmp_path):
    folder, expected = measured
    run = small(folder, tmp_path / "out", folder / "cube.zarr", f"memory://{uuid.uuid4().hex}/result.zarr")
    with pytest.raises(Stop):
        classify(run, stop_at("regions"))
    with pytest.raises(gx.InputError, match="no finished result"):
        gx.open_result(run.result)
    (lost, *_), *_ = [key for key in folders.sizes(run.result) if key.startswith("site/c/")], None
    system = fsspec.filesystem("memory")
    path = f"{run.result.removeprefix('memory://')}/{lost}"
    system.pipe(path, system.cat(path)[:-1])
    stages = []
    classify(run, lambda stage, total: (stages.append(stage), silent(stage, total))[1])
    with gx.open_result(run.result) as result:
        assert_same({name: result[name].values for name in expected}, expected)
    stages.clear()
    classify(run, lambda stage, total: (stages.append(stage), silent(stage, total))[1])
    assert stages == []
    system.rm(path)
    classify(run)
    with gx.open_result(run.result) as result:
        assert_same({name: result[name].values for name in expected}, expected)


def test_the_result_of_another_run_is_not_written_over(measured, tmp_path):
    folder, _ = measured
    address = f"memory://{uuid.uuid4().hex}/result.zarr"
    classify(small(folder, tmp_path / "one", folder / "cube.zarr", address))
    with pytest.raises(gx.InputError, match=r"that no run in .* has made"):
        classify(small(folder, tmp_path / "two", folder / "cube.zarr", address))


def test_nothing_at_an_address_is_told(measured, tmp_path):
    run = small(measured[0], tmp_path / "out", f"memory://{uuid.uuid4().hex}/cube.zarr", None)
    with pytest.raises(gx.InputError, match=r"memory://.*found no Zarr group"):
        classify(run)


def test_an_address_of_an_unknown_kind_is_told(measured, tmp_path):
    run = small(measured[0], tmp_path / "out", "gopher://host/cube.zarr", None)
    with pytest.raises(gx.InputError, match="cannot be opened"):
        classify(run)

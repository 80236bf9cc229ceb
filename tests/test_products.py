"""What a run makes and its stages, listed before anything runs; a configuration resolved once."""

import numpy as np
import pytest
from gigaxas.checkpoint import identity
from gigaxas.config.load import load_config
from gigaxas.config.schema import Config
from gigaxas.errors import InputError
from gigaxas.execution.runner import silent
from gigaxas.workflow.classify import classify
from gigaxas.workflow.products import products_of, report_stages
from gigaxas.workflow.resolve import resolve
from small_runs import config, edges, scene, write_csv, write_cube

SHAPE = (40, 44)


class Stop(Exception):
    pass


@pytest.fixture
def settings(tmp_path):
    rng = np.random.default_rng(5)
    spectra = edges(3, rng)
    write_csv(tmp_path / "references.csv", spectra)
    write_cube(tmp_path / "cube.zarr", scene(rng, spectra, SHAPE), [16], [16])
    tiles = {"cluster": "threads", "workers": 2, "tile": 16}
    return config(tmp_path, tmp_path / "cube.zarr", tmp_path / "references.csv", compute=tiles)


def listed(settings):
    """Stage -> (tiles, tiles done) as a list tells it before the run."""
    return {s.name: (s.tiles, s.done) for product in products_of(resolve(settings)) for s in product.stages}


def stopped_at(stage):
    def progress(name, total):
        if name == stage:
            raise Stop
        return silent(name, total)

    return progress


def test_the_list_tells_the_stages_that_then_run(settings):
    run = resolve(settings)
    expected = [stage.name for product in products_of(run) for stage in product.stages]
    expected += [stage.name for stage in report_stages(run)]
    stages = []
    classify(settings, lambda stage, total: (stages.append(stage), silent(stage, total))[1])
    assert stages == expected
    assert all(product.is_made for product in products_of(resolve(settings)))
    assert all(done == tiles for tiles, done in listed(settings).values())


def test_the_list_tells_bytes_and_tiles_as_the_stages_have_them(settings):
    stages = {stage.name: stage for product in products_of(resolve(settings)) for stage in product.stages}
    pixels = SHAPE[0] * SHAPE[1]
    assert stages["assign"].tiles == 3 * 3
    assert stages["assign"].bytes_read == pixels * 24 * 2
    assert stages["clean-up"].bytes_read == stages["clean-up"].bytes_written == 2 * pixels


def test_what_a_stopped_run_has_left_is_told_and_not_that_of_other_settings(settings, monkeypatch):
    with pytest.raises(Stop):
        classify(settings, stopped_at("clean-up"))
    assert listed(settings)["sites"] == (1, 1)
    assert listed(settings)["assign"] == (9, 9)
    assert listed(settings)["regions"] == (1, 1)
    assert listed(settings)["clean-up"] == (1, 0)
    other = settings.model_copy(update={"maps": ("chi_square",)})
    assert listed(other)["assign"] == (9, 0)
    elsewhere = settings.model_copy(update={"compute": settings.compute.model_copy(update={"workers": 1})})
    assert listed(elsewhere)["assign"] == (9, 9)
    monkeypatch.setattr(identity, "code_version", lambda: "another")
    assert listed(settings)["assign"] == (9, 0)


def test_raw_fields_and_observed_sites_are_listed_before_there_is_a_cube(tmp_path):
    raw = load_config("configs/sinter-raw.yaml").model_copy(update={"output": tmp_path / "out"})
    names = [product.name for product in products_of(resolve(raw))]
    assert names == ["raw fields", "cube", "sites", "result"]
    stages = listed(raw)
    assert stages["simulate"] == (9, 0)
    assert stages["overlaps"] == (20, 0)
    assert stages["ingest"] == (16, 0)
    observed = Config.model_validate(
        {
            "title": "observed",
            "output": tmp_path / "observed",
            "simulate": {"shape": (700, 300)},
            "references": {"modelled": True},
            "sites": {"from": "observed"},
        }
    )
    assert {"simulate", "sample", "observe", "sites", "assign"} <= listed(observed).keys()


@pytest.mark.parametrize("source", [{"ingest": {"stack": "stack.tif"}}, {"simulate": {}}])
def test_a_working_point_is_measured_only_where_maps_tell_it(tmp_path, source):
    settings = {"title": "t", "output": tmp_path, "references": {"modelled": True}, **source}
    with pytest.raises(ValueError, match=r"noise\.working_point: cube measures the maps"):
        Config.model_validate({**settings, "noise": {"working_point": "cube"}})


def test_everything_wrong_is_said_at_once(settings, tmp_path):
    frames, references = tmp_path / "none.npy", tmp_path / "nowhere"
    wrong = settings.model_copy(
        update={
            "noise": settings.noise.model_copy(update={"frames": str(frames)}),
            "references": settings.references.model_copy(update={"path": references}),
            "clean_up": settings.clean_up.model_copy(update={"k_size": 41, "p_num": 41 * 41}),
        }
    )
    with pytest.raises(InputError) as told:
        resolve(wrong)
    for part in (str(frames), str(references), "k_size = 41"):
        assert part in str(told.value)


def test_noise_that_is_still_to_be_measured_is_no_default(tmp_path):
    raw = load_config("configs/sinter-raw.yaml").model_dump(by_alias=True) | {"output": tmp_path / "out"}
    run = resolve(Config.model_validate(raw | {"noise": {"working_point": "cube"}}))
    with pytest.raises(InputError, match="which is not made yet"):
        _ = run.noise

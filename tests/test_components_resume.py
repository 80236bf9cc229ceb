"""Phases that were killed go on: no finished tile is done again, and the maps are the same bits."""

import json
import shutil

import numpy as np
import pytest
import xarray as xr
from faults import killed_after, killed_at
from gigaxas.config.load import load_config
from gigaxas.config.schema import Phases
from gigaxas.errors import InputError
from gigaxas.workflow.classify import classify
from gigaxas.workflow.phases import phases
from planted import plant

CHUNK = 32
TILES = 5 * 7
MAPS = ("ratio", "ratio_sigma", "residual", "main", "amount", "main_pixels", "spectrum")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A classified run, its output before the phases, and the composition of phases that were let be."""
    folder = tmp_path_factory.mktemp("undisturbed")
    path, _ = plant(folder, chunk=CHUNK)
    config = load_config(path).model_copy(update={"phases": Phases(composition="all")})
    classify(config)
    shutil.copytree(config.output, folder / "classified")
    phases(config)
    return config, folder / "classified", composition(config)


def composition(config):
    with xr.open_zarr(config.output / "phases.zarr", consolidated=False) as found:
        return {name: found[name].values for name in MAPS}


def journal_of(config):
    return sorted((config.output / "journal").glob("compose.*/*.records"))


@pytest.mark.slow
def test_killed_while_composing_goes_on_from_the_last_tile(undisturbed, tmp_path):
    config, classified, expected = undisturbed
    shutil.copytree(classified, tmp_path / "run")
    config = config.model_copy(update={"output": tmp_path / "run"})
    killed_at(config, "compose", TILES // 3, phases)
    assert not (config.output / "phases.zarr").exists()
    before = {path.name: path.read_bytes() for path in journal_of(config)}
    phases(config)
    events = [json.loads(line) for line in (config.output / "events.jsonl").read_text().splitlines()]
    gone_on = [event for event in events if event["event"] == "stage goes on" and event["stage"] == "compose"]
    assert gone_on[-1]["kept"] == len(before) < TILES
    after = {path.name: path.read_bytes() for path in journal_of(config)}
    assert before.items() <= after.items()
    found = composition(config)
    for name in MAPS:
        np.testing.assert_array_equal(found[name], expected[name])


def test_killed_before_its_tables_are_there_it_makes_them_and_no_map_again(undisturbed, tmp_path):
    config, classified, expected = undisturbed
    shutil.copytree(classified, tmp_path / "run")
    config = config.model_copy(update={"output": tmp_path / "run"})
    assert killed_after(config, "figure", 0.0, phases)
    made = (config.output / "phases.zarr").stat().st_mtime_ns
    phases(config)
    assert (config.output / "phases.zarr").stat().st_mtime_ns == made
    assert (config.output / "components.csv").is_file()
    np.testing.assert_array_equal(composition(config)["ratio"], expected["ratio"])


def test_phases_of_a_half_made_result_are_refused(undisturbed, tmp_path):
    config, classified, _ = undisturbed
    shutil.copytree(classified, tmp_path / "run")
    (tmp_path / "run" / "result.zarr").rename(tmp_path / "run" / "result.zarr.partial")
    with pytest.raises(InputError, match="no finished result"):
        phases(config.model_copy(update={"output": tmp_path / "run"}))

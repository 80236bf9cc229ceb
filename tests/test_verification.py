"""The paper's own verification: a square of measured Fe3O4, 10 x 10 pixels, in measured Fe2O3 (METHOD 9)."""

from pathlib import Path

import gigaxas as gx
import numpy as np
import pytest
from gigaxas.config.load import load_config
from gigaxas.config.paths import paths_of
from gigaxas.config.schema import NoiseSection
from gigaxas.stores.truth import read_tile
from gigaxas.tiles import Tile
from gigaxas.workflow.classify import classify

STANDARDS = Path(__file__).parents[1] / "configs" / "standards.yaml"
CONDITIONS = {"low noise": NoiseSection(), "noisy": NoiseSection(c_ref=2.0e4, mu_low=0.5, mu_high=2.5)}


@pytest.mark.real
@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_minority_is_found_to_the_pixel(standards_folder, tmp_path, monkeypatch, condition):
    monkeypatch.setenv("GIGAXAS_STANDARDS", str(standards_folder))
    config = load_config(STANDARDS)
    simulate = config.simulate.model_copy(update={"noise": CONDITIONS[condition]})
    compute = config.compute.model_copy(update={"cluster": "threads", "workers": 2})
    config = config.model_copy(update={"output": tmp_path / "out", "simulate": simulate, "compute": compute})
    summary = classify(config)
    with gx.open_result(tmp_path / "out") as result:
        site, label = result.site.values, result.label.values
    phase, _ = read_tile(paths_of(config).truth, Tile(0, 0, 0, 400, 0, 400))
    assert (phase == 1).sum() == 100
    assert np.unique(site).size > 2
    assert np.unique(label).size == 2
    minority = label[phase == 1]
    assert (minority == minority[0]).all()
    assert (label != minority[0]).sum() == 400 * 400 - 100
    names = {row.label: row.name for row in summary.clusters}
    assert names[int(minority[0])] == "Fe3O4 powder Room Temperature"
    assert summary.truth.right_share == 1.0

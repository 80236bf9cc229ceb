"""Whole runs of the phases over a small cube with planted mixtures and a leak."""

import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
import yaml
from gigaxas.config.load import load_config
from gigaxas.config.schema import Phases
from gigaxas.errors import InputError
from gigaxas.spectra import read_spectra
from gigaxas.spectra.noise import NoiseModel
from gigaxas.workflow.classify import classify
from gigaxas.workflow.phases import phases
from PIL import Image
from planted import LEAK, NOISE, plant

MAPS = ("ratio", "ratio_sigma", "residual", "main")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A classified planted cube: its configuration and its truth, and what the phases made of it."""
    path, truth = plant(tmp_path_factory.mktemp("planted"))
    config = load_config(path)
    classify(config)
    return config, truth, phases(config)


def opened(config):
    with (
        xr.open_zarr(config.output / "phases.zarr", consolidated=False) as found,
        xr.open_zarr(config.output / "result.zarr", consolidated=False) as result,
    ):
        return found.load(), result.load()


def with_phases(config, **settings):
    return config.model_copy(update={"phases": Phases(**settings)})


def table(config, name):
    with (config.output / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_planted_mixtures_and_leaks_are_found_and_nothing_else(run):
    config, truth, summary = run
    label = opened(config)[1].label.values
    assert [c.name for c in summary.components] == ["hematite", "SFCA-I", "magnetite", "wustite", "C2F"]
    seen = set()
    for row in summary.rows:
        there = [truth.names[number] for number in truth.phase[label == row.label]]
        name = max(set(there), key=there.count)
        seen.add(name)
        names = {component.row.label: component.name for component in summary.components}
        members = tuple(names[member] for member in row.decision.members)
        if name == "leaking hematite":
            assert (row.decision.kind, members) == ("flattened", ("hematite",))
            assert row.decision.explanation.amount == pytest.approx(LEAK, abs=0.01)
        elif name == "half and half":
            assert (row.decision.kind, members) == ("mixture", ("hematite", "wustite"))
        elif name == "gradient":
            assert (row.decision.kind, members) == ("mixture", ("hematite", "magnetite"))
        else:
            assert (row.decision.kind, members) == ("component", (name,))
    assert seen == {
        "hematite",
        "magnetite",
        "SFCA-I",
        "wustite",
        "C2F",
        "leaking hematite",
        "half and half",
        "gradient",
    }


def test_ratios_are_the_true_shares_within_their_sigma(run):
    config, truth, summary = run
    found, result = opened(config)
    place = {component.name: i for i, component in enumerate(summary.components)}
    mixed = [row.label for row in summary.rows if row.decision.members == (1, 3)]
    here = np.isin(result.label.values, mixed) & np.isfinite(truth.gradient)
    off = (found.ratio.values[place["magnetite"]] - truth.gradient)[here]
    sigma = found.ratio_sigma.values[place["magnetite"]][here]
    assert here.sum() > 3000
    assert abs(off.mean()) < 0.01
    assert 0.9 < (off / sigma).std() < 1.1
    assert (found.ratio.values[:, result.label.values > 0].max(axis=0) > 0.3).all()
    fitted, filled = np.isfinite(found.residual.values), result.kept.values == 0
    assert set(np.unique(result.label.values[fitted & ~filled])) == {
        row.label for row in summary.rows if row.decision.kind == "mixture"
    }


def test_pixels_filled_in_between_phases_follow_their_spectra(run):
    config, truth, summary = run
    found, result = opened(config)
    label_of = {component.name: component.row.label for component in summary.components}
    expected = np.array([label_of.get(name, 0) for name in truth.names])[truth.phase]
    between = np.isfinite(found.residual.values) & (result.kept.values == 0) & (truth.phase < 5)
    assert between.sum() > 20
    assert (result.label.values != expected)[between].sum() > 5
    assert (found.main.values == expected)[between].all()


def test_amounts_add_up_the_ratios(run):
    config, _, summary = run
    found, _ = opened(config)
    for i, component in enumerate(summary.components):
        assert component.amount == pytest.approx(found.ratio.values[i].sum(dtype=float), rel=1e-9)
        assert component.main_pixels == (found.main.values == component.row.label).sum()
        assert component.area_um2 == pytest.approx(component.amount * 0.46**2)


def test_tables_tell_reach_and_reason(run):
    config, truth, summary = run
    rows = {row["label"]: row for row in table(config, "phases.csv")}
    assert [int(label) for label in rows] == [row.label for row in summary.rows]
    needle = next(row for row in rows.values() if row["name"] == "C2F")
    box = [int(needle[f"box_{side}"]) for side in ("y0", "y1", "x0", "x1")]
    y, x = np.nonzero(truth.phase == 4)
    assert box == [y.min(), y.max() + 1, x.min(), x.max() + 1]
    assert (needle["regions"], needle["largest_region"], needle["pixels"]) == ("1", "144", "144")
    assert (needle["reference_1"], needle["decision"]) == ("C2F", "component")
    assert float(needle["reference_error_1"]) > 0.2
    leak = next(row for row in rows.values() if row["decision"] == "flattened")
    assert float(leak["probability"]) > 1e-3
    assert int(leak["freedom"]) == 175
    components = table(config, "components.csv")
    assert sum(float(row["share"]) for row in components) == pytest.approx(1.0)


def test_the_composition_follows_the_cf_conventions(run):
    found, _ = opened(run[0])
    assert found.attrs["Conventions"].startswith("CF-1.")
    assert [found[axis].attrs["axis"] for axis in "yx"] == ["Y", "X"]
    for name, values in found.variables.items():
        assert values.attrs["long_name"], name
        assert values.attrs["units"] in ("1", "um", "eV"), name
    assert all(name in found for name in found.ratio.attrs["ancillary_variables"].split())


def test_every_component_is_an_xdi_file(run):
    config, _, summary = run
    for row, component in zip(table(config, "components.csv"), summary.components, strict=True):
        (found,) = read_spectra(config.output / row["file"])
        assert found.name == component.name
        np.testing.assert_allclose(found.mu, component.row.spectrum, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(found.energy, np.linspace(7009.2, 7321.2, 178), rtol=1e-8)
    assert len(list((config.output / "components").iterdir())) == len(summary.components)


def test_the_decision_file_lists_every_step(run):
    config, _, summary = run
    steps = yaml.safe_load((config.output / "decisions.yaml").read_text())["steps"]
    assert [(step["label"], step["decision"]) for step in steps] == [
        (row.label, row.decision.kind) for row in summary.rows
    ]
    mixture = next(step for step in steps if step["decision"] == "mixture")
    assert set(mixture) >= {"of", "chi_square", "freedom", "probability", "s_error", "by"}


def test_a_second_run_says_the_same_and_makes_no_map_again(run):
    config, _, _ = run
    text, before = (
        (config.output / "decisions.yaml").read_text(),
        (config.output / "phases.zarr").stat().st_mtime_ns,
    )
    phases(config)
    assert (config.output / "decisions.yaml").read_text() == text
    assert (config.output / "phases.zarr").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "settings", [{}, pytest.param({"composition": "all", "sum_to_one": True}, marks=pytest.mark.slow)]
)
def test_maps_are_the_same_for_any_tiles_and_workers(run, settings, tmp_path):
    config, _, _ = run
    shutil.copytree(config.output, tmp_path / "run")
    one = with_phases(config.model_copy(update={"output": tmp_path / "run"}), **settings)
    phases(one)
    first, _ = opened(one)
    other = one.compute.model_copy(update={"tile": 128, "workers": 2})
    shutil.rmtree(tmp_path / "run" / "phases.zarr")
    phases(one.model_copy(update={"compute": other}))
    second, _ = opened(one)
    assert first.ratio.chunks is None
    for name in (*MAPS, "amount", "spectrum"):
        np.testing.assert_array_equal(first[name].values, second[name].values)


def test_an_expert_overrules_and_takes_it_back(run, tmp_path):
    config, _, summary = run
    shutil.copytree(config.output, tmp_path / "run")
    config = config.model_copy(update={"output": tmp_path / "run"})
    mixture = next(row.label for row in summary.rows if row.decision.members == (1, 8))
    own = f"overrule:\n  {mixture}: {{keep: true, name: new phase, colour: '#123456'}}\n  12: {{merge: 3}}\n"
    file = config.output / "decisions.yaml"
    steps = file.read_text().partition("# ----")
    file.write_text(own + "".join(steps[1:]))
    found = phases(config)
    names = {component.name: component for component in found.components}
    assert names["new phase"].colour == "#123456"
    assert "C2F" not in names
    merged = next(row for row in found.rows if row.label == 12)
    assert (merged.decision.kind, merged.decision.members) == ("merged", (3,))
    assert opened(config)[0].ratio.values[list(names).index("magnetite"), 25, 165] == 1.0
    assert file.read_text().startswith(own)
    scene = json.loads((config.output / "report" / "scene.js").read_text().removeprefix("gx.scene="))
    shown = {cluster["label"]: cluster for cluster in scene["clusters"]}
    assert (shown[mixture]["name"], shown[mixture]["colour"]) == ("new phase", "#123456")
    assert "Share of new phase" in [layer["title"] for layer in scene["values"]]
    page = (config.output / "report" / "index.html").read_text()
    assert "merged into magnetite as you decided" in page
    assert "hematite flattened by 25" in page
    assert "new phase" in (config.output / "report.html").read_text()
    file.write_text("overrule: {}\n" + "".join(steps[1:]))
    assert [c.name for c in phases(config).components] == [c.name for c in summary.components]


def test_the_published_spectra_decide_the_same(run, tmp_path):
    config, _, summary = run
    shutil.copytree(config.output, tmp_path / "run")
    found = phases(with_phases(config.model_copy(update={"output": tmp_path / "run"}), spectrum="pca"))
    assert [(r.label, r.decision.kind) for r in found.rows] == [
        (r.label, r.decision.kind) for r in summary.rows
    ]
    for row in found.rows:
        assert row.spectrum[-1] == 1.0


def test_the_figure_has_the_size_asked_for_and_the_components_colours(run, tmp_path):
    config, _, summary = run
    shutil.copytree(config.output, tmp_path / "run")
    phases(with_phases(config.model_copy(update={"output": tmp_path / "run"}), figure_mm=60, figure_dpi=120))
    with Image.open(tmp_path / "run" / "components.png") as image:
        assert 60 / 25.4 * 120 < image.size[0] < 160 / 25.4 * 120
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    for component in summary.components:
        colour = [int(component.colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert (pixels == colour).all(axis=1).sum() > 20
    pdf = (tmp_path / "run" / "components.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"/Font" in pdf


def test_what_cannot_be_done_is_said(run, tmp_path):
    config, _, _ = run
    with pytest.raises(InputError, match="run gigaxas classify"):
        phases(config.model_copy(update={"output": tmp_path / "nothing"}))
    shutil.copytree(config.output, tmp_path / "run")
    (tmp_path / "run" / "decisions.yaml").write_text("overrule: {999: {name: nothing}}")
    with pytest.raises(InputError, match="labels 999, which no cluster has"):
        phases(config.model_copy(update={"output": tmp_path / "run"}))


def test_the_command_shows_components_and_reasons(run):
    config, _, _ = run
    path = config.output.parent / "planted.yaml"
    done = subprocess.run(
        [sys.executable, "-c", "from gigaxas.cli.verbs import main; main()", "phases", str(path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "10 clusters, 5 components" in done.stdout
    assert "hematite flattened by 25" in done.stdout
    assert "components.pdf" in done.stdout
    assert NoiseModel(NOISE.c_ref, NOISE.mu_low, NOISE.mu_high) == config.noise.camera()

"""`gigaxas plan`: from a configuration to tables and a page, and what it refuses."""

import csv
import re
import shutil
from pathlib import Path

import gigaxas as gx
import numpy as np
import pytest
from accessible import findings
from browser import Page
from gigaxas.checkpoint.identity import settings_mark
from gigaxas.config.load import load_config
from gigaxas.simulate import modelled_library
from gigaxas.simulate.scene import sinter_scene
from gigaxas.sites import site_error
from gigaxas.spectra.noise import NoiseModel
from gigaxas.workflow.classify import classify
from gigaxas.workflow.measurement_plan import plan_measurement
from small_runs import ENERGY, config, edges, write_csv, write_cube

SINTER = Path(__file__).parents[1] / "configs/sinter.yaml"
PLANNED = """
output: {folder}/out
references: {{path: {folder}/references.csv, normalise: none}}
noise: {{c_ref: 3000, mu_low: 0.36, mu_high: 1.56}}
"""


@pytest.fixture
def references(tmp_path):
    """A table of five references in a folder; their spectra."""
    spectra = edges(5, np.random.default_rng(0))
    write_csv(tmp_path / "references.csv", spectra)
    return spectra


def settings(folder, plan, base=PLANNED):
    path = folder / "plan.yaml"
    path.write_text(base.format(folder=folder) + plan, encoding="utf-8")
    return load_config(path)


def grid(plan=""):
    return "plan:\n  energies: [[7010, 7320, 10]]\n  most_energies: 4\n" + plan


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_tables_hold_what_is_planned_before_there_is_anything(tmp_path, references):
    made = plan_measurement(
        settings(
            tmp_path,
            grid(
                "  count_rate: 1000\n"
                "  area: {size_um: [100, 200], pixel_um: 0.5, field: [150, 250], overlap: 50, "
                "energy_dead_s: 0.5}\n"
            ),
        )
    )
    folder = tmp_path / "out/plan"
    assert made.paths == tuple(
        folder / name for name in ("plan.html", "pairs.csv", "energies.csv", "sets.csv")
    )
    np.testing.assert_allclose(made.energy, np.arange(7010, 7321, 10))
    on_grid = np.array([np.interp(made.energy, ENERGY, spectrum) for spectrum in references])
    errors = site_error(on_grid, NoiseModel(3000, 0.36, 1.56))
    pairs = rows(folder / "pairs.csv")
    assert len(pairs) == 10
    for row in pairs:
        i, j = (int(row[side].removeprefix("phase ")) - 1 for side in ("first", "second"))
        assert float(row["s_error"]) == pytest.approx(errors[i, j], rel=0.1)
        assert float(row["seconds_needed"]) == pytest.approx(float(row["c_ref_needed"]) / 1000, rel=1e-4)
        assert row["told_apart"] == ("yes" if errors[i, j] <= 1e-4 else "no")
    needed = [float(row["c_ref_needed"]) for row in pairs]
    assert needed == sorted(needed, reverse=True)
    exposures = rows(folder / "energies.csv")
    for choice, covered in zip(made.plan.choices, made.covered, strict=True):
        counts = [float(row["c_ref_needed"]) for row in exposures if row["choice"] == choice.title]
        assert sum(counts) == pytest.approx(32 * 3000 * choice.dose, rel=1e-4)
        assert covered.fields == (2, 2)
        assert covered.exposure_s == pytest.approx(4 * sum(counts) / 1000, rel=1e-4)
        assert covered.dead_s == pytest.approx(4 * len(counts) * 0.5)
    sets = rows(folder / "sets.csv")
    assert [int(row["energies"]) for row in sets] == [2, 3, 4]
    assert [len(row["energies_eV"].split()) for row in sets] == [2, 3, 4]


def test_the_page_is_whole_and_escapes_names(tmp_path):
    spectra = edges(3, np.random.default_rng(0))
    columns = np.column_stack([ENERGY, *spectra])
    header = "energy,<b>rust</b>,magnetite & co,wustite"
    np.savetxt(tmp_path / "references.csv", columns, delimiter=",", header=header, comments="", fmt="%.10g")
    made = plan_measurement(settings(tmp_path, grid()))
    page = made.paths[0].read_text(encoding="utf-8")
    assert "&lt;b&gt;rust&lt;/b&gt;" in page
    assert "magnetite &amp; co" in page
    assert "<b>rust" not in page
    assert not re.search(r"(src|href)=\"(?!#|data:)", page)
    assert "NaN" not in page
    assert "nan" not in re.sub(r"[a-z]*nan[a-z]+", "", page)
    assert page.count("<rect") == 6


def test_the_grid_is_that_of_the_cube_where_none_is_given(tmp_path, references):
    cube = write_cube(tmp_path / "cube.zarr", np.ones((24, 8, 8)), [8], [8])
    noise = {"c_ref": 3000, "mu_low": 0.36, "mu_high": 1.56}
    plan = {"most_energies": 3, "pairs": [["phase 1", "phase 2"]]}
    made = plan_measurement(config(tmp_path, cube, tmp_path / "references.csv", noise=noise, plan=plan))
    np.testing.assert_allclose(made.energy, ENERGY)
    assert [pair.names for pair in made.plan.pairs] == [("phase 1", "phase 2")]


def test_a_simulated_acquisition_is_planned_at_its_own_noise(tmp_path):
    made = plan_measurement(
        settings(
            tmp_path,
            "plan: {phases: [hematite, wustite], most_energies: 2}\n",
            "output: {folder}/out\nreferences: {{modelled: true}}\n"
            "simulate: {{noise: {{c_ref: 900, mu_low: 0.5, mu_high: 2.5}}, energies: 40}}\n",
        )
    )
    assert made.plan.noise == NoiseModel(900, 0.5, 2.5)
    assert len(made.energy) == 40


def test_a_planned_measurement_changes_nothing_in_a_run(tmp_path, references):
    cube = write_cube(tmp_path / "cube.zarr", np.ones((24, 8, 8)), [8], [8])
    one, other = (
        config(tmp_path, cube, tmp_path / "references.csv", **more)
        for more in ({}, {"plan": {"error": 0.01}})
    )
    assert settings_mark(one) == settings_mark(other)


def test_what_is_only_planned_cannot_be_classified(tmp_path, references):
    with pytest.raises(gx.InputError, match="nothing to classify; give one, or plan its measurement"):
        classify(settings(tmp_path, grid()))


@pytest.mark.browser
def test_the_page_fits_a_narrow_window_and_asks_for_nothing(tmp_path, references):
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium here; install chromium to look at the page of a plan")
    made = plan_measurement(settings(tmp_path, grid("  count_rate: 100\n  area: {size_um: [900, 900]}\n")))
    page = Page(chromium, tmp_path / "profile", size=(390, 800))
    page.open(made.paths[0].as_uri())
    page.wait("document.readyState === 'complete' && document.querySelectorAll('svg.plot').length === 5")
    assert not page.run("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    outside = "[...document.querySelectorAll('svg.plot')].some((plot) => plot.getBBox().width > 560)"
    assert not page.run(outside)
    assert findings(page) == []
    page.close()
    assert page.errors == []
    assert all(address.startswith(("file:", "about:", "data:")) for address in page.asked)


NO_NOISE = PLANNED.replace("noise:", "title: no noise #")
INTENSITY = PLANNED + "cube: {{path: {folder}/cube.zarr, quantity: intensity}}\n"
NO_GRID = PLANNED + "cube: {{path: {folder}/cube.zarr}}\n"
OF_CUBE = NO_GRID.replace("mu_low: 0.36, mu_high: 1.56", "working_point: cube")
SIGMA = PLANNED.replace("c_ref: 3000, mu_low: 0.36, mu_high: 1.56", "sigma: 0.01")


@pytest.mark.parametrize(
    ("plan", "base", "sentence"),
    [
        (
            grid("  phases: [phase 1, rust]\n"),
            PLANNED,
            "plan.phases: found no reference named rust; the names",
        ),
        (
            grid("  pairs: [[phase 1, rust]]\n"),
            PLANNED,
            "plan.pairs: found no reference named rust; the names",
        ),
        (grid("  pairs: [[phase 1, phase 1]]\n"), PLANNED, "phase 1 stands beside itself"),
        (grid("  phases: [phase 1, phase 1]\n"), PLANNED, "found 1 spectra and no pair of them"),
        (grid(), NO_NOISE, "noise: found none, expected a camera and its working point"),
        (grid(), SIGMA, "noise: found `constant`, expected a camera and its working point"),
        (grid(), INTENSITY, "found `quantity: intensity`, expected a transmission measurement"),
        (grid(), OF_CUBE, "which is not made yet; give c_ref, mu_low and mu_high"),
        ("plan: {error: 0.01}\n", NO_GRID, "there is no cube at"),
        ("plan: {energies: [[7010, 7020, 5]]}\n", PLANNED, "found a grid of 3 energies, expected 4 to 4000"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_a_sentence(tmp_path, references, plan, base, sentence):
    with pytest.raises(gx.InputError) as told:
        plan_measurement(settings(tmp_path, plan, base))
    assert sentence in str(told.value)
    assert not (tmp_path / "out/plan").exists()


def test_identical_references_are_refused_by_name(tmp_path):
    spectra = edges(3, np.random.default_rng(0))
    spectra[2] = 0.9 * spectra[0] + 0.02
    write_csv(tmp_path / "references.csv", np.round(spectra, 12))
    with pytest.raises(
        gx.InputError, match="no exposure can tell apart phase 1 and phase 3: their spectra are"
    ):
        plan_measurement(settings(tmp_path, grid()))


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ("plan: {energies: [[7020, 7010, 1]]}\n", "the first energy below the last"),
        ("plan: {energies: [[7010, 7020, 0]]}\n", "greater than 0"),
        ("plan: {phases: [a, b], pairs: [[a, b]]}\n", "give either `phases`"),
        ("plan: {area: {size_um: [1, 1], field: [9, 9], overlap: 9}}\n", "share all of their pixels"),
        ("plan: {error: 0.5}\n", "plan.error"),
        ("plan: {error: 0.01}\n", "to plan a measurement before there is anything, give its grid"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_as_it_is_read(tmp_path, plan, sentence):
    with pytest.raises(gx.InputError) as told:
        settings(tmp_path, plan)
    assert sentence in str(told.value)


def test_few_energies_tell_the_phases_of_the_sinter_apart_at_the_dose_of_the_full_scan(tmp_path):
    wanted = load_config(SINTER)
    assert wanted.simulate is not None
    scene = sinter_scene(wanted.simulate.shape, wanted.simulate.seed)
    assert set(wanted.plan.phases) == set(scene.names)
    energy = np.linspace(*wanted.simulate.energy_range, wanted.simulate.energies)
    names, spectra = modelled_library(energy)
    spectra = spectra[[names.index(name) for name in wanted.plan.phases]]
    made = gx.plan(spectra, wanted.acquisition, names=wanted.plan.phases, most_energies=4)
    assert made.smallest is not None
    members = made.smallest.members
    assert len(members) == made.fewest <= 24
    brighter = NoiseModel(wanted.acquisition.c_ref * 178 / len(members), 0.36, 1.56)
    errors = site_error(spectra[:, members], brighter)
    assert errors[np.triu_indices(len(errors), 1)].max() <= 1e-4

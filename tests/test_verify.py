"""Scenes, scores and injection of the verification, and the verb that runs it."""

import csv

import numpy as np
import pytest
from gigaxas.cli.verbs import app
from gigaxas.errors import InputError
from gigaxas.evaluation import (
    INJECT_SIZES,
    SiteSource,
    classify_image,
    cluster_image,
    inject,
    inset_grid,
    needle_scene,
    plan_injection,
    score_inset,
    score_needles,
)
from gigaxas.evaluation.scenes import expose
from gigaxas.observed import level_of_samples, observe_sites, sample_windows
from gigaxas.sites import cross_distance
from gigaxas.spectra.noise import NoiseModel
from needle_fields import PAPER, field, library, windows
from typer.testing import CliRunner


def z(one, other):
    there, back = cross_distance(one[None].astype(float), other[None].astype(float), PAPER)
    return 0.5 * (there + back)[0, 0]


def test_needles_lie_as_far_from_their_surround_as_they_say():
    for gradient in (0.0, 5.0):
        scene = needle_scene(library(), PAPER, 4, side=160, backgrounds=3, needles=12, gradient=gradient)
        assert len(scene.needles) == 12
        assert {needle.size for needle in scene.needles} == {5, 7, 10, 15}
        for needle in scene.needles:
            inside = scene.phase[needle.region]
            assert np.all(inside == needle.number)
            assert inside.size == needle.size**2
            beside = scene.spectra[needle.y + needle.size // 2, needle.x - 1]
            assert z(scene.spectra[needle.y, needle.x], beside) == pytest.approx(needle.z, rel=0.02)


def test_a_measured_scene_has_the_camera_s_noise():
    scene = inset_grid(library()[[3, 20]], 60, 10, 1)
    image = scene.measure(PAPER, np.random.default_rng(0), windows())
    spread = image[:, :20, :].std(axis=(1, 2))
    # the edge step is measured on the same pixel, which adds a little
    np.testing.assert_allclose(spread, PAPER.sigma(library()[3]), rtol=0.12)
    thin = scene.measure(PAPER, np.random.default_rng(0), windows(), thickness=2.0)
    local = thin.std(axis=0)
    assert np.percentile(local, 95) / np.percentile(local, 5) > 1.005


def test_read_noise_down_to_no_counts_loses_samples_of_a_scene():
    thick = NoiseModel(500.0, 0.36, 4.5, a=0.14, b=-12.7)
    reference, step = np.full((40, 40), 500.0), np.full((40, 40), thick.edge_step)
    spectra = np.broadcast_to(library()[3], (40, 40, len(library()[3])))
    image = expose(spectra, reference, step, thick, np.random.default_rng(0), windows())
    assert not np.isinf(image).any()
    assert 0.02 < np.isnan(image[-1]).mean() < 0.5


def test_scores_tell_found_from_lost_and_false():
    scene = needle_scene(library(), PAPER, 4, side=128, backgrounds=3, needles=8)
    perfect = score_needles(scene, (scene.phase + 1).astype(np.uint16))
    assert perfect.found.all()
    assert (perfect.pure, perfect.strayed, perfect.false) == (1.0, 0.0, 0)
    lost = np.where(scene.phase >= 3, 1, scene.phase + 1).astype(np.uint16)
    painted = np.array([scene.needles[k].host == 0 for k in range(8)])
    assert np.array_equal(score_needles(scene, lost).found, ~painted)
    split = (scene.phase + 1).astype(np.uint16)
    split[:20, :20] += 50
    assert score_needles(scene, split).false >= 1
    grown = perfect_with_growth(scene)
    assert score_needles(scene, grown).strayed > 0


def perfect_with_growth(scene):
    label = (scene.phase + 1).astype(np.uint16)
    needle = scene.needles[0]
    label[needle.y - 2 : needle.y, needle.x : needle.x + needle.size] = needle.number + 1
    return label


def test_two_phases_cannot_share_a_label():
    scene = inset_grid(library()[[3, 20]], 40, 10, 1)
    assert score_inset(scene, np.ones((40, 40), np.uint16)) == (1, pytest.approx(100 / 1600))
    assert score_inset(scene, (scene.phase + 1).astype(np.uint16)) == (2, 0.0)


@pytest.mark.parametrize("method", ["K-means", "DBSCAN", "HDBSCAN"])
def test_other_methods_see_two_large_phases(method):
    scene = inset_grid(library()[[3, 40]], 40, 16, 1)
    image = scene.measure(PAPER, np.random.default_rng(1), windows())
    label = cluster_image(image, method, 2, lambda label: -score_inset(scene, label)[1])
    assert score_inset(scene, label)[1] < 0.05


def test_injected_needles_are_found_when_large_and_far():
    _, image = field(2, side=128, needles=2)
    sites = observe_sites(image, PAPER)
    kept = classify_image(image, sites.spectra).kept
    level = level_of_samples([sample_windows(image[:, :60, :60].copy(), 5)], PAPER, 5, 23, 1e-4)
    data = SiteSource(True, sites.spectra[:0])
    parts = []
    for turn in range(8):
        plan = plan_injection(kept, len(library()), np.random.default_rng(turn), 3 * turn)
        parts.append(inject(image, plan, kept, sites.spectra, library(), PAPER, level, data, 0.01))
        assert np.array_equal(parts[-1].sizes, plan.sizes)
    sizes, distances, by_map, found = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("sizes", "z", "by_map", "found")
    )
    large = (sizes >= 5) & (distances >= 4)
    assert large.sum() >= 4
    assert by_map[large].mean() > 0.7
    assert not by_map[sizes < 5].any()
    assert np.all(found[by_map])
    small = (sizes < 5) & (sizes * distances >= 9)
    assert small.sum() >= 3
    assert found[small].mean() > 0.7
    assert not found[sizes * distances < 4].any()


def test_needles_that_the_sites_of_a_library_split_are_not_found():
    _, image = field(2, side=128, needles=2)
    sites = observe_sites(image, PAPER)
    kept = classify_image(image, sites.spectra).kept
    level = level_of_samples([sample_windows(image[:, :60, :60].copy(), 5)], PAPER, 5, 23, 1e-4)
    found = {True: [], False: []}
    for observing, given in ((True, sites.spectra[:0]), (False, sites.spectra)):
        for turn in range(4):
            plan = plan_injection(kept, len(library()), np.random.default_rng(turn), 3 * turn)
            part = inject(
                image, plan, kept, sites.spectra, library(), PAPER, level, SiteSource(observing, given), 0.01
            )
            found[observing] += part.by_map.tolist()
    assert sum(found[False]) < sum(found[True])


def test_a_plan_stays_inside_uniform_surroundings():
    label = np.ones((60, 60), np.uint16)
    label[:, 30:] = 2
    label[:5] = 0
    plan = plan_injection(label, 5, np.random.default_rng(0))
    assert len(plan.sizes) == 3
    for (y, x), size in zip(plan.first, plan.sizes, strict=True):
        around = label[y - 3 : y + size + 3, x - 3 : x + size + 3]
        assert around.min() == around.max() > 0
    assert len(plan_injection(label[:10, :10], 5, np.random.default_rng(0)).sizes) == 0


CONFIG = """
title: verify
output: {folder}/out
simulate: {{scene: sinter, shape: [256, 256], seed: 3}}
references: {{modelled: true}}
sites: {{from: observed}}
compute: {{cluster: threads, workers: 1}}
"""


def test_inject_tells_the_smallest_phase_of_a_cube(tmp_path, monkeypatch):
    monkeypatch.setattr("gigaxas.workflow.inject.PATCHES", 2)
    monkeypatch.setattr("gigaxas.workflow.inject.PATCH_SIDE", 128)
    monkeypatch.setattr("gigaxas.workflow.inject.ROUNDS", 6)
    monkeypatch.setattr("gigaxas.workflow.inject.NOISE_SCENES", 2)
    path = tmp_path / "verify.yaml"
    path.write_text(CONFIG.format(folder=tmp_path))
    said = CliRunner().invoke(app, ["verify", str(path), "--inject"])
    assert said.exit_code == 0, said.output
    assert "false clusters: 0 in" in said.output
    rows = list(csv.DictReader((tmp_path / "out/verification/injection.csv").open()))
    assert len(rows) == len(INJECT_SIZES) * 5
    assert sum(int(row["tried"]) for row in rows) > 10
    assert all(int(row["on_map"]) <= int(row["found"]) <= int(row["tried"]) for row in rows)
    assert all(row["on_map"] == "0" for row in rows if int(row["size"]) < 5)
    assert sum(int(row["found"]) for row in rows if int(row["size"]) < 5) > 0
    assert "in brackets on the map alone" in said.output
    assert (tmp_path / "out/verification/injection.png").stat().st_size > 5000


@pytest.mark.slow
def test_the_study_writes_a_page_with_figures(tmp_path):
    path = tmp_path / "verify.yaml"
    path.write_text(CONFIG.format(folder=tmp_path))
    said = CliRunner().invoke(app, ["verify", str(path), "--seeds", "1", "--to", str(tmp_path / "docs")])
    assert said.exit_code == 0, said.output
    page = (tmp_path / "docs/verification.md").read_text()
    assert "## Needles" in page
    for name in ("example", "recall", "sweep", "limit"):
        assert f"images/verification-{name}.png" in page
        assert (tmp_path / f"docs/images/verification-{name}.png").stat().st_size > 5000


def test_a_study_needs_a_library(tmp_path):
    spectra = tmp_path / "two.csv"
    energy = np.linspace(7009.2, 7321.2, 178)
    rows = np.column_stack([energy, *library()[:2]])
    np.savetxt(spectra, rows, delimiter=",", header="energy,a,b", comments="", fmt="%.8g")
    path = tmp_path / "verify.yaml"
    text = CONFIG.replace("sinter, shape", "inset, phases: [a, b], shape").replace(
        "modelled: true", "path: {spectra}"
    )
    path.write_text(text.format(folder=tmp_path, spectra=spectra))
    said = CliRunner().invoke(app, ["verify", str(path)])
    assert isinstance(said.exception, InputError)
    assert "found 2 references, expected at least 6" in str(said.exception)

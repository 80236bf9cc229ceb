"""Scenes with specks, their imperfect measurement and their scores, held against loops over pixels."""

import numpy as np
import pytest
from gigaxas.evaluation.imperfect import HIT_SIZE, Imperfection, measure_imperfectly
from gigaxas.evaluation.page import speck_table, speckless_table
from gigaxas.evaluation.scenes import Needle, VerifyScene
from gigaxas.evaluation.score import score_specks
from gigaxas.evaluation.speck_scenes import PHASES, mosaic_scene, speck_scene
from gigaxas.evaluation.speck_study import (
    Looked,
    speck_row,
    study_small_needles,
    study_speckless,
    study_specks,
)
from gigaxas.evaluation.study import Bench
from gigaxas.specks import ImageSpecks, Kinds, NullLaw, Specks
from needle_fields import ENERGY, PAPER, library, windows
from scipy.interpolate import CubicSpline
from test_verify import z


def specks_at(*places):
    """Specks at (y, x, height, width)."""
    count = len(places)
    table = np.array(places, np.int64).reshape(-1, 4).T
    zeros, rows = np.zeros(count), np.zeros((count, 2))
    return Specks(*table, zeros, zeros, zeros, rows, rows, rows, rows, zeros, zeros)


def test_specks_lie_as_far_from_their_grain_as_they_say_and_have_room():
    scene = speck_scene(library(), PAPER, 3, 0.0)
    grains = mosaic_scene(library(), PAPER, 3, 0.0).phase
    assert sorted(speck.size for speck in scene.needles) == sorted([1, 2, 3, 4] * 6)
    ranges = [
        sum(low <= speck.z * speck.size < high for speck in scene.needles) for low, high in ((7, 8), (8, 10))
    ]
    assert ranges == [8, 8]
    for speck in scene.needles:
        assert np.all(scene.phase[speck.region] == speck.number)
        here = np.s_[speck.y - 2 : speck.y + speck.size + 2, speck.x - 2 : speck.x + speck.size + 2]
        assert np.all(grains[here] == speck.host)
        assert z(scene.spectra[speck.y, speck.x], scene.spectra[speck.y - 1, speck.x]) == pytest.approx(
            speck.z, rel=0.02
        )
        around = np.zeros(scene.phase.shape, bool)
        around[speck.y - 4 : speck.y + speck.size + 4, speck.x - 4 : speck.x + speck.size + 4] = True
        assert np.all((scene.phase[around] < PHASES) | (scene.phase[around] == speck.number))


def test_borders_mix_the_grains_on_either_side():
    sharp, blurred = (mosaic_scene(library(), PAPER, 2, border, side=96) for border in (0.0, 1.2))
    assert np.array_equal(sharp.phase, blurred.phase)
    pure = np.array([sharp.spectra[sharp.phase == k][0] for k in range(PHASES)])
    assert np.array_equal(sharp.spectra, pure[sharp.phase])
    middle, right = sharp.phase[40:44, :-1], sharp.phase[40:44, 1:]
    y, x = (int(k[0]) for k in np.nonzero(middle != right))
    mixed = blurred.spectra[40 + y, x]
    assert np.abs(mixed - pure[sharp.phase[40 + y, x]]).max() > 0.01
    assert np.abs(blurred.spectra.mean(axis=(0, 1)) - sharp.spectra.mean(axis=(0, 1))).max() < 0.02


def test_scores_of_specks_are_those_of_a_loop_over_pixels():
    rng = np.random.default_rng(5)
    phase = np.repeat(np.repeat(rng.integers(0, 3, (6, 6)), 10, axis=0), 10, axis=1)
    label = np.array([4, 2, 7], np.uint16)[phase]
    label[:, 20:23] = 2
    needles = []
    for number in range(6):
        y, x = rng.integers(2, 54, 2).tolist()
        needles.append(Needle(3 + number, y, x, 1 + number % 4, 5.0, 0))
        phase[needles[-1].region] = 3 + number
    scene = VerifyScene(phase, np.zeros((60, 60, 1), np.float32), tuple(needles), 3)
    places = [(*rng.integers(0, 56, 2).tolist(), *rng.integers(1, 5, 2).tolist()) for _ in range(80)]
    for one in needles:
        places += [(one.y + one.size, one.x, 1, 1), (one.y - 1, one.x, 1, 1)]
        places += [(one.y, one.x + one.size, 1, 1), (one.y, one.x - 1, 1, 1)]
    score = score_specks(scene, specks_at(*places), label)
    own = {int(k): int(np.bincount(phase[label == k]).argmax()) for k in np.unique(label)}
    found, false, lost = [False] * 6, [], []
    for y, x, height, width in places:
        pixels = [(i, j) for i in range(y, y + height) for j in range(x, x + width)]
        squares = [
            k
            for k, one in enumerate(needles)
            if any(one.y <= i < one.y + one.size and one.x <= j < one.x + one.size for i, j in pixels)
        ]
        for k in squares:
            found[k] = True
        right = sum(own[int(label[pixel])] == phase[pixel] for pixel in pixels) / len(pixels)
        false.append(not squares and right >= 0.75)
        lost.append(not squares and right < 0.75)
    assert score.found.tolist() == found
    assert score.false.tolist() == false
    assert score.lost.tolist() == lost
    assert 0 < sum(found) < 6
    assert sum(false) > 10
    assert sum(lost) > 3


def test_without_specks_nothing_is_found_and_nothing_is_false():
    scene = speck_scene(library(), PAPER, 3, 0.0)
    score = score_specks(scene, specks_at(), (scene.phase + 1).astype(np.uint16))
    assert not score.found.any()
    assert score.false.size == score.lost.size == 0


def test_a_row_tells_recall_by_distance_and_size_and_hits_that_were_taken_for_specks():
    needles = tuple(
        Needle(1 + k, 10 * k + 2, 2, size, distance / size, 0)
        for k, (size, distance) in enumerate([(1, 7.5), (2, 7.5), (3, 9.0), (4, 12.0)])
    )
    phase = np.zeros((50, 50), np.int64)
    for one in needles:
        phase[one.region] = one.number
    scene = VerifyScene(phase, np.zeros((50, 50, 1), np.float32), needles, 1)
    table = specks_at((2, 2, 1, 1), (32, 2, 4, 4), (20, 30, 2, 2), (40, 30, 1, 1))
    hit = np.zeros((50, 50), bool)
    hit[21, 31] = True
    empty = np.zeros((0, 1))
    kinds = Kinds(np.zeros(4, np.int64), np.ones(4), np.zeros(0, np.int64), empty, empty)
    found = ImageSpecks(table, kinds, NullLaw(np.ones(16), np.ones(16)), 3, 0, 1.0)
    row = speck_row("x", [Looked(scene, np.ones((50, 50), np.uint16), found, hit)])
    assert row.by_distance == (0.5, 0.0, 1.0)
    assert row.by_size == (1.0, 0.0, 0.0, 1.0)
    assert row.false == pytest.approx(2 / 0.0025)
    assert row.lost == 0.0
    assert row.hits == 0.75
    line = speck_table([row]).splitlines()[-1]
    assert line == "| x | 1 | 50.0 | 0.0 | 100.0 | 100.0 | 0.0 | 0.0 | 100.0 | 800.0 | 0.0 | 75.0 |"
    unhit = Looked(scene, np.ones((50, 50), np.uint16), found, np.zeros_like(hit))
    assert np.isnan(speck_row("x", [unhit]).hits)


def small_scene():
    spectra = np.broadcast_to(library()[[3, 20]].astype(np.float32)[:, None], (2, 8, len(ENERGY)))
    return VerifyScene(np.zeros((2, 8), np.int64), spectra, (), 1)


def measured(**imperfect):
    quiet = PAPER.__class__(1e13, PAPER.mu_low, PAPER.mu_high)
    rng = np.random.default_rng(4)
    return measure_imperfectly(small_scene(), ENERGY, quiet, windows(), Imperfection(**imperfect), rng)


def test_a_hit_changes_one_sample_and_is_told():
    clean, hit = measured(), measured(hits=0.002)
    assert not clean.hit.any()
    changed = np.abs(hit.image - clean.image).max(axis=0) > 1e-3
    assert 0 < hit.hit.sum() < hit.hit.size
    assert np.array_equal(changed, hit.hit)
    # it adds light
    assert (hit.image - clean.image)[:, hit.hit].min() < -0.1 * HIT_SIZE / PAPER.edge_step


def test_an_error_of_i0_is_that_of_all_pixels():
    change = (measured(i0_error=0.003).image - measured().image) * PAPER.edge_step
    assert np.abs(change - change[:, :1, :1]).max() < 2e-4
    assert 0.002 < change[:, 0, 0].std() < 0.004


def test_a_leak_flattens_by_thickness():
    leaking = measured(leak=0.05, thickness=2.0).image
    clean = measured().image
    mu = small_scene().spectra[0, 0].astype(float) * PAPER.edge_step + PAPER.mu_low
    flattened = -np.log((np.exp(-mu) + 0.05) / 1.05)
    low, high = (flattened[window].mean() for window in windows())
    even = measured(leak=0.05).image[:, 0, 0]
    np.testing.assert_allclose(even, (flattened - low) / (high - low), atol=2e-4)
    assert np.ptp(leaking[:, 0], axis=1).max() > 50 * np.ptp(clean[:, 0], axis=1).max()


def test_shifted_spectra_are_those_of_a_spline_at_the_shifted_energies():
    shifted, clean = measured(shift_ev=0.5).image, measured().image
    rng = np.random.default_rng(4)
    from gigaxas.evaluation.scenes import smooth_field

    shift = 0.5 * (2 * smooth_field((2, 8), 2 / 6, rng) - 1)
    for y, x in ((0, 0), (0, 5), (1, 7)):
        seen = np.clip(ENERGY + shift[y, x], ENERGY[0], ENERGY[-1])
        expected = CubicSpline(ENERGY, small_scene().spectra[y, x])(seen)
        low, high = (expected[window].mean() for window in windows())
        np.testing.assert_allclose(shifted[:, y, x], (expected - low) / (high - low), atol=2e-4)
    assert np.abs(shifted - clean).max() > 0.01


def bench():
    return Bench(library(), {"paper": PAPER}, windows(), ENERGY, library()[:0], 0.0)


def test_the_study_finds_specks_and_no_false_ones(monkeypatch):
    chosen = {"none": Imperfection(), "hit": Imperfection(hits=1e-5)}
    monkeypatch.setattr("gigaxas.evaluation.speck_study.SPECK_IMPERFECTIONS", chosen)
    clean, hit = study_specks(bench(), [3], side=192)
    assert (clean.name, clean.false, clean.scenes) == ("none", 0.0, 1)
    assert clean.by_distance[2] >= 0.85
    assert np.isnan(clean.hits)
    assert hit.hits == 1.0
    assert hit.by_size == pytest.approx(clean.by_size, abs=0.2)


def test_scenes_without_specks_have_none():
    rows = study_speckless(bench(), [3], side=96)
    assert [row.false for row in rows] == [0] * 4
    assert [row.pixels for row in rows] == [96 * 96] * 4
    assert all(0.3 < row.tail < 2.5 for row in rows)
    assert len(speckless_table(rows).splitlines()) == 6


def test_needles_that_blur_takes_from_the_map_are_specks(monkeypatch):
    monkeypatch.setattr("gigaxas.evaluation.speck_study.NEEDLE_BLUR", (0.0, 0.7))
    sharp, blurred = study_small_needles(bench(), [1], side=192)
    assert (sharp.needles, sharp.blur, blurred.blur) == (32, 0.0, 0.7)
    assert sharp.together >= 0.95
    assert blurred.together > blurred.by_map

"""Calibration of a camera from repeated frames: read noise, drift of the beam, cut-off counts, misfit."""

import os
from pathlib import Path

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.spectra.camera import Levels, calibrate, calibrate_frames, group_levels
from gigaxas.spectra.noise import sigma_counts
from gigaxas.spectra.repeated import measure_scatter

A, READ = 0.14, 3.57
B = -(READ**2 + 1 / 12)  # rounding to whole counts adds 1/12
SHAPE = (96, 128)
FIELD = np.random.default_rng(0).uniform(60, 1800, SHAPE)
Y, X = np.meshgrid(np.linspace(-1, 1, SHAPE[0]), np.linspace(-1, 1, SHAPE[1]), indexing="ij")
STACKS = Path(os.environ.get("GIGAXAS_STACKS", "../shared/data/stacks"))


def recorded(factors, seed=1, field=FIELD):
    """Frames of a field with a beam of given factors: Poisson counts of gain A, read noise, whole numbers."""
    rng = np.random.default_rng(seed)
    frames = [
        rng.poisson(field * factor / A) * A + READ * rng.standard_normal(field.shape) for factor in factors
    ]
    return np.rint(np.clip(frames, 0, None)).astype(np.uint16)


def agrees(fit, a=A, b=B):
    """Whether a calibration is right within four of its errors, which are small, and says so."""
    right = abs(fit.a - a) < 4 * fit.a_error and abs(fit.b - b) < 4 * fit.b_error
    return right and fit.a_error < 0.05 * a and fit.describes


BEAMS = {
    "steady": np.ones(20),
    "wandering": [1 + 0.02 * np.sin(i) for i in range(20)],
    "gradient": [1 + 0.03 * (np.sin(1.3 * i) * X + np.sin(2 * i) * Y) for i in range(20)],
    "curved": [1 + 0.03 * np.sin(i) * np.cos(np.pi * X) * np.cos(np.pi * Y) for i in range(20)],
    "halved": [1.4, 0.5, 1.1],
    "two frames": [1.0, 0.97],
    "two frames, gradient": [1 + 0.03 * X, 1 - 0.03 * X],
}


@pytest.mark.parametrize("beam", BEAMS)
def test_a_beam_that_drifts_over_the_field_leaves_the_camera_as_it_is(beam):
    fit = calibrate_frames(recorded(BEAMS[beam]))
    assert agrees(fit)
    assert 0.5 < fit.misfit < 1.6
    if len(BEAMS[beam]) == 20:
        assert (fit.a, fit.b) == pytest.approx((A, B), rel=0.06)


def test_half_a_dark_field_does_not_tell_its_beam():
    field = np.where(X < 0, 0.0, FIELD)
    assert agrees(calibrate_frames(recorded(BEAMS["gradient"], field=field)))


def test_what_the_fit_of_the_beam_takes_from_the_noise_is_given_back():
    # one row of 200 pixels: 13 coefficients, most of them fixed by its brightest pixels
    level, rng = np.geomspace(20, 5e4, 200)[None], np.random.default_rng(3)
    ratios = []
    for _ in range(200):
        frames = level + sigma_counts(level) * rng.standard_normal((5, 1, 200))
        scatter = measure_scatter(frames)
        ratios.append(np.sum(scatter.squares / sigma_counts(level[0]) ** 2) / np.sum(scatter.freedom))
    assert np.mean(ratios) == pytest.approx(1.0, abs=4 * np.std(ratios) / 200**0.5 + 0.005)


def test_exact_levels_are_recovered():
    mean = np.geomspace(50, 6e4, 30)
    fit = calibrate(Levels(mean, 9.3131 * mean - 63.003, np.full(30, 1e20)))
    assert (fit.a, fit.b) == pytest.approx((9.3131, 63.003), rel=1e-9)
    assert max(fit.a_error, fit.b_error) < 1e-5


def test_errors_are_the_scatter_of_repeated_calibrations():
    generator = np.random.default_rng(2)
    level = np.geomspace(20, 5e4, 60).reshape(6, 10)
    fits = []
    for _ in range(150):
        frames = level + sigma_counts(level) * generator.standard_normal((40, 6, 10))
        fit = calibrate_frames(frames)
        fits.append((fit.a, fit.b, fit.a_error, fit.b_error, fit.misfit))
    a, b, a_error, b_error, misfit = np.array(fits).T
    assert a.mean() == pytest.approx(9.3131, abs=4 * a.std() / 150**0.5 + 0.02)
    assert b.mean() == pytest.approx(63.003, abs=4 * b.std() / 150**0.5 + 1.0)
    assert a.std() == pytest.approx(a_error.mean(), rel=0.25)
    assert b.std() == pytest.approx(b_error.mean(), rel=0.25)
    assert misfit.mean() == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize("count", [2, 20])
def test_a_model_that_is_wrong_says_so(count):
    flicker = 1 + 0.03 * np.random.default_rng(4).standard_normal((count, *SHAPE))
    scatter = group_levels(measure_scatter(recorded(flicker)))
    fit = calibrate(scatter)
    assert not fit.describes
    assert fit.misfit > 10
    assert 0.2 < fit.deviation < 0.6
    # the same curve, known better, is no more certain a line
    sure = calibrate(Levels(scatter.mean, scatter.variance, 100 * scatter.freedom))
    assert sure.a_error == pytest.approx(fit.a_error, rel=1e-6)


def test_a_small_misfit_does_not_condemn_a_calibration():
    mean = np.geomspace(50, 6e4, 30)
    variance = (A * mean + READ**2) * (1 + 0.05 * np.sin(np.arange(30)))
    fit = calibrate(Levels(mean, variance, np.full(30, 1e6)))
    assert fit.misfit > 100
    assert fit.describes
    assert fit.deviation == pytest.approx(0.05 / 2**0.5, rel=0.1)


def cut_at_10_bits(frames):
    return np.minimum(frames, 1023)


def full_type(frames):
    return np.minimum(frames.astype(np.int64) + 64000, 65535).astype(np.uint16)


def dim(frames):
    return np.clip(frames.astype(np.int64) - 300, 0, None).astype(np.uint16)


def dead_and_torn(frames):
    torn = frames.astype(np.float32)
    torn[3, 5, 5], torn[4, 6, 6], torn[:, 7, 7] = np.nan, np.inf, 0
    return torn


def restless(frames):
    jumps = np.zeros(frames.shape)
    jumps[::2, ::12, ::12] = 90  # pixels that jump between two levels, as some of every camera do
    return np.rint(frames + jumps).astype(np.uint16)


def cosmic(frames):
    rng = np.random.default_rng(5)
    frames = frames.copy()
    frames.reshape(-1)[rng.integers(0, frames.size, 300)] = rng.integers(2000, 60000, 300)
    return frames


@pytest.mark.parametrize(
    ("change", "b"),
    [
        (cut_at_10_bits, B),
        (full_type, B + A * 64000),  # counts with an offset: B is positive
        (dim, B - A * 300),
        (dead_and_torn, B),
        (cosmic, B),
        (restless, B),
    ],
)
def test_counts_that_are_not_the_cameras_do_not_bend_the_line(change, b):
    fit = calibrate_frames(change(recorded(np.ones(20))))
    assert agrees(fit, b=b)
    assert 0.5 < fit.misfit < 1.6


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.ones((1, 5, 5)), "at least 2"),
        (np.full((4, 5, 5), 100, np.uint16), "every pixel saturates"),
        (recorded(np.ones(6), field=np.full(SHAPE, 900.0)), "too few levels of brightness"),
        ([np.ones((4, 4)), np.ones((4, 5))], "expected one shape"),
        (np.full((4, 5, 5), np.nan), "not finite"),
        (recorded(np.ones(6), field=np.full(SHAPE, 4.0)), "cut off"),
    ],
)
def test_frames_that_cannot_calibrate_are_refused(frames, message):
    with pytest.raises(InputError, match=message):
        calibrate_frames(frames)


@pytest.mark.parametrize(
    ("mean", "variance", "message"),
    [
        ([100, 200], [30, 40], "at least 3"),
        ([100, 100, 100], [30, 31, 29], "at least 3"),
        ([100, 200, 300], [0, 0, 0], "with noise"),
        ([100, 200, 300], [30, 40], "expected as many"),
        ([100, 200, np.nan], [30, 40, 50], "leave it out"),
        ([100, 200, 300], [50, 40, 30], "variance falls"),
    ],
)
def test_levels_that_cannot_calibrate_are_refused(mean, variance, message):
    levels = Levels(np.array(mean, float), np.array(variance, float), np.full(len(mean), 100.0))
    with pytest.raises(InputError, match=message):
        calibrate(levels)


def open_frames_of_a_microscope():
    """Two open-beam frames (1024, 1024) of a Zeiss X-ray microscope, and their exposures in seconds."""
    olefile = pytest.importorskip("olefile")
    frames, exposures = [], []
    for path in sorted((STACKS / "ssrl_txm_ni_k").glob("*_ref_*.xrm")):
        with olefile.OleFileIO(path) as file:
            counts = np.frombuffer(file.openstream("ImageData1/Image1").read(), "<u2")
            frames.append(counts.reshape(1024, 1024))
            seconds = file.openstream("ImageInfo/ExpTimes").read()
            exposures.append(float(np.frombuffer(seconds, "<f4")[0]))
    if len(frames) != 2:
        pytest.skip(f"no frames at {STACKS}; set GIGAXAS_STACKS to the folder of measured stacks")
    return np.stack(frames), exposures


@pytest.mark.real
def test_open_frames_of_a_microscope_whose_beam_drifts():
    frames, exposures = open_frames_of_a_microscope()
    assert exposures == pytest.approx([0.3, 0.3])
    fit = calibrate_frames(frames)
    assert fit.a == pytest.approx(0.14, rel=0.05)
    assert fit.b == pytest.approx(-13, rel=0.1)
    assert fit.describes
    # without the drift over the field taken out, A is 1.4 times that and more
    whole = frames.astype(float).mean(axis=0)
    share = frames.mean(axis=(1, 2)) / whole.mean()
    raw = np.sum((frames - share[:, None, None] * whole) ** 2, axis=0)
    bright = whole > 1500
    assert raw[bright].mean() > 1.3 * (fit.a * whole[bright] - fit.b).mean()

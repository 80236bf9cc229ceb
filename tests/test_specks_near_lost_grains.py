"""What is near a window where the label map has lost a grain, and where an error varies over the field."""

import numpy as np
from gigaxas.evaluation.methods import Maps, specks_of_maps
from needle_fields import PAPER, library

SIDE = 80


def specks_in(phase, label, error=0.0):
    """Specks of two noisy phases (h, w), with an error (E, h, w) on top."""
    spectra = library()[[3, 20]][phase]
    image = np.moveaxis(PAPER.draw(spectra, np.random.default_rng(6)), -1, 0) + error
    return specks_of_maps(image.astype(np.float32), Maps(label, label, label), PAPER, library(), 0.1).specks


def test_a_grain_that_the_map_lost_makes_no_specks_of_what_is_around_it():
    phase = np.zeros((SIDE, SIDE), np.int64)
    phase[30:54, 30:35] = 1
    specks = specks_in(phase, np.ones((SIDE, SIDE), np.uint16))
    on_grain = [
        phase[y : y + height, x : x + width].any()
        for y, x, height, width in zip(specks.y, specks.x, specks.height, specks.width, strict=True)
    ]
    assert len(on_grain) >= 3
    assert all(on_grain)


def test_an_error_that_varies_over_the_field_makes_no_specks_of_narrow_grains():
    phase = np.zeros((SIDE, SIDE), np.int64)
    for start in (12, 36, 60):
        phase[:, start : start + 6] = 1
    # as an energy that drifts moves the edge: along the slope of each spectrum, opposite ways on either side
    slopes = np.gradient(library()[[3, 20]], axis=1)[phase]
    error = 0.12 * np.moveaxis(slopes * np.linspace(-1, 1, SIDE)[:, None], -1, 0)
    assert specks_in(phase, (phase + 1).astype(np.uint16), error).y.size == 0

"""Colours of phases under every shade, as four kinds of eyes see them, measured by other means."""

import io

import numpy as np
import pytest
from gigaxas.report import layers
from gigaxas.report.palette import DARKEST, as_rgb, cluster_colours, shaded
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

# Machado, Oliveira & Fernandes (2009), severity 1.0, on linear RGB.
EYES = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
VOIDS = ("#eceae5", "#272c31", "#ffffff")


def seen(rgb, eye):
    """CIELAB of colours (..., 3), 0 to 255, as an eye sees them."""
    value = np.asarray(rgb) / 255.0
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ EYES[eye].T, 0.0, 1.0)
    return rgb2lab(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


def all_shades(colours, steps=16):
    return np.rint(shaded(as_rgb(colours)[:, None, :].astype(float), np.linspace(0, 1, steps)))


def apart(first, second, eye):
    """The smallest CIEDE2000 difference between any shades of each pair of colours, (n, m)."""
    one, other = seen(first, eye), seen(second, eye)
    return deltaE_ciede2000(one[:, None, :, None], other[None, :, None, :]).min(axis=(2, 3))


def pairs(colours, eye):
    distance = apart(all_shades(colours), all_shades(colours), eye)
    return distance[np.triu_indices(len(colours), 1)]


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize(("count", "least"), [(5, 14.0), (6, 10.0), (12, 7.4)])
def test_no_two_phases_look_alike_in_any_shade(eye, count, least):
    assert pairs(cluster_colours(count), eye).min() >= least


def test_normal_eyes_have_more_room():
    assert pairs(cluster_colours(12), "normal").min() >= 11.0


@pytest.mark.parametrize("eye", EYES)
def test_no_phase_looks_like_void_or_paper(eye):
    void = as_rgb(list(VOIDS))[:, None, :].astype(float)
    assert apart(all_shades(cluster_colours(12)), void, eye).min() >= 7.9


def test_colours_beside_others_keep_apart_from_them_in_any_shade():
    own = cluster_colours(12)[:9:2]
    beside = cluster_colours(12, tuple(own))
    assert len({*own, *beside}) == 5 + 12
    assert set(own) | set(beside[:7]) == set(cluster_colours(12))


def test_the_shade_that_lies_over_the_summarys_map_is_the_same_rule():
    density = np.linspace(0.0, 2.0, 400).reshape(20, 20)
    empty = np.zeros(density.shape, bool)
    picture = Image.open(io.BytesIO(layers.shade_layer(density, empty))).convert("RGBA")
    black = np.asarray(picture)[..., 3] / 255.0
    light = layers.brightness(density, empty)
    colour = as_rgb(cluster_colours(1)).astype(float)
    laid = colour * (1 - black)[..., None]
    np.testing.assert_allclose(laid, shaded(colour, light), atol=0.6 * DARKEST * 255 / (layers.SHADES - 1))

"""Needle scenes on the modelled library, as small as tests need them."""

from functools import cache

import numpy as np
from gigaxas.evaluation import needle_scene, uniform_scene
from gigaxas.simulate import edge_windows, modelled_library
from gigaxas.spectra.noise import NoiseModel

ENERGY = np.linspace(7009.2, 7321.2, 178)
PAPER = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)
NOISY = NoiseModel(c_ref=2.0e4, mu_low=0.5, mu_high=2.5)


@cache
def library():
    """The 61 modelled spectra."""
    return modelled_library(ENERGY)[1]


def windows():
    """The pre- and post-edge samples."""
    found = edge_windows(ENERGY)
    return found.pre, found.post


def field(seed, noise=PAPER, side=128, thickness=1.0, light=1.0, **settings):
    """A scene of three backgrounds and ten needles, and its image."""
    settings = {"backgrounds": 3, "needles": 10, **settings}
    scene = needle_scene(library(), PAPER, seed, side=side, **settings)
    return scene, scene.measure(noise, np.random.default_rng([seed, 1]), windows(), thickness, light)


def noise_field(seed, noise=PAPER, side=96, **varied):
    """An image of one composition: all that differs is noise."""
    scene = uniform_scene(library(), side, seed)
    return scene.measure(noise, np.random.default_rng([seed, 2]), windows(), **varied)

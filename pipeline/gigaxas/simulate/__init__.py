"""Scenes with known truth, measured by a simulated camera."""

from gigaxas.simulate.counts import RESIN, EdgeWindows, SimulatedBlock, edge_windows, simulate_block
from gigaxas.simulate.library import modelled_library
from gigaxas.simulate.noise import noisy_field
from gigaxas.simulate.scene import Scene, inset_scene, plant_specks, sinter_scene

__all__ = [
    "RESIN",
    "EdgeWindows",
    "Scene",
    "SimulatedBlock",
    "edge_windows",
    "inset_scene",
    "modelled_library",
    "noisy_field",
    "plant_specks",
    "simulate_block",
    "sinter_scene",
]

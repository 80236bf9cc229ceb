"""Scenes with known truth, measured by a simulated camera."""

from pipeline.simulate.counts import RESIN, EdgeWindows, SimulatedBlock, edge_windows, simulate_block
from pipeline.simulate.library import modelled_library
from pipeline.simulate.scene import Scene, inset_scene, sinter_scene

__all__ = [
    "RESIN",
    "EdgeWindows",
    "Scene",
    "SimulatedBlock",
    "edge_windows",
    "inset_scene",
    "modelled_library",
    "simulate_block",
    "sinter_scene",
]

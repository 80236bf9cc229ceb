"""A library of 61 Fe K-edge phases for trials: modelled, not measured.

Every spectrum is an edge step, a pre-edge peak, a white line and the damped EXAFS of a few shells of
neighbours. Distances and coordination numbers in `phases.csv` are rounded from the published structures it
names. Edge position, pre-edge and white line follow from valence and coordination by simple rules, then
shifted within about 2 eV and 0.2 of the edge step, so that no two phases are alike and those of the sinter
scene stand well apart from each other: clearer than they are in nature. The shifts of the sinter phases
were searched for until the noise of the paper's working point split none of them over two site points of
this library, so a truth table made with it shows the method at its best, not at its blind spot between
sites. The scattering constants below are round numbers with which the model resembles measured hematite,
wustite, goethite, olivine, pyrrhotite and iron. Good for scenes with known truth, never for naming a real
phase.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erf

from gigaxas.arrays import FloatArray
from gigaxas.simulate.counts import edge_windows

WAVENUMBER_PER_EV = 0.2625
"""k^2 in 1/A^2 of a photoelectron of 1 eV."""
ORIGIN_BELOW_EDGE_EV = 6.0
"""How far below the edge the photoelectron's energy is counted from."""
MEAN_FREE_PATH = 5.0
"""Mean free path of the photoelectron in A."""
CENTRAL_PHASE_SLOPE = 1.08
"""What the absorbing atom's phase shift takes off twice the distance, in A."""
ONSET_WAVENUMBER = 2.8
"""Wavenumber in 1/A at which the EXAFS has set in."""
PRE_EDGE_WIDTH_EV = 1.4
"""Standard deviation of the pre-edge peak."""
WHITE_LINE_ASYMMETRY = 1.8
"""How much wider a white line is above its peak than below."""


class Shell(NamedTuple):
    """Neighbours of the absorbing atom at one distance."""

    element: str
    """What they are."""
    number: float
    """How many they are."""
    distance: float
    """Their distance in A."""
    disorder: float
    """The mean square of its variation in A^2."""


class Scattering(NamedTuple):
    """Backscattering of one kind of neighbour: a bell-shaped amplitude over the wavenumber k."""

    amplitude: float
    """Its height."""
    centre: float
    """Its centre in 1/A."""
    width: float
    """Its standard deviation in 1/A."""
    phase: float
    """Phase offset in radians."""


LIGHT = Scattering(1.32, 2.3, 2.0, -5.2)
MEDIUM = Scattering(1.1, 1.5, 6.0, 4.6)
HEAVY = Scattering(1.2, 6.4, 1.95, 7.1)
SCATTERING = {
    **dict.fromkeys(("C", "N", "O"), LIGHT),
    **dict.fromkeys(("Mg", "Al", "Si", "P", "S", "Ca"), MEDIUM),
    **dict.fromkeys(("Ti", "Cr", "Fe", "Ni", "Cu", "Zn", "La"), HEAVY),
}


@dataclass(frozen=True)
class Phase:
    """One row of `phases.csv`."""

    name: str
    """What the phase is called."""
    formula: str
    """Its chemical formula."""
    valence: float
    """Mean valence of its iron."""
    coordination: float
    """Mean coordination number of its iron."""
    edge_ev: float
    """Energy of the edge."""
    edge_width_ev: float
    """Standard deviation of the edge's rise."""
    pre_edge_ev: float
    """Energy of the pre-edge peak."""
    pre_edge_height: float
    """Height of the pre-edge peak as a share of the edge step."""
    white_line_offset_ev: float
    """How far above the edge the white line peaks."""
    white_line_height: float
    """Height of the white line as a share of the edge step."""
    white_line_width_ev: float
    """Standard deviation of the white line below its peak."""
    shells: tuple[Shell, ...]
    """Its neighbours, the nearest first."""
    distances_from: str
    """The published structure that the distances are rounded from."""


@cache
def read_phases() -> tuple[Phase, ...]:
    """Read the 61 phases of the library, in the order that numbers them from 0."""
    with (files("gigaxas.simulate") / "phases.csv").open(encoding="utf-8") as table:
        return tuple(_phase(row) for row in csv.DictReader(table))


def modelled_library(energy: ArrayLike) -> tuple[tuple[str, ...], FloatArray]:
    """Model every phase on the energy axis (E,) in eV: names and spectra (61, E).

    Each is normalised as a pixel of a cube is: mean 0 over the pre-edge region, 1 over the post-edge one.
    Raises InputError when the axis does not rise or does not reach into both regions.
    """
    axis = np.asarray(energy, dtype=np.float64)
    windows = edge_windows(axis)
    phases = read_phases()
    spectra = np.array([model_absorbance(phase, axis) for phase in phases])
    spectra -= spectra[:, windows.pre].mean(axis=1, keepdims=True)
    spectra /= spectra[:, windows.post].mean(axis=1, keepdims=True)
    return tuple(phase.name for phase in phases), spectra


def model_absorbance(phase: Phase, energy: FloatArray) -> FloatArray:
    """Model the absorbance (E,) of one phase over energy (E,) in eV, in units of its bare edge step."""
    above = energy - phase.edge_ev
    step = 0.5 * (1 + erf(above / (np.sqrt(2) * phase.edge_width_ev)))
    pre_edge = phase.pre_edge_height * _bell(energy, phase.pre_edge_ev, PRE_EDGE_WIDTH_EV)
    from_peak = above - phase.white_line_offset_ev
    width = phase.white_line_width_ev * np.where(from_peak < 0, 1.0, WHITE_LINE_ASYMMETRY)
    white_line = phase.white_line_height * _bell(from_peak, 0.0, width)
    spectrum: FloatArray = step * (1 + _exafs(phase.shells, above)) + pre_edge + white_line
    return spectrum


def _exafs(shells: Iterable[Shell], above_edge: FloatArray) -> FloatArray:
    """Sum the plane-wave EXAFS of the shells over energy above the edge (E,) in eV; it sets in gradually."""
    k = np.sqrt(WAVENUMBER_PER_EV * np.maximum(above_edge + ORIGIN_BELOW_EDGE_EV, 1e-3))
    chi = np.zeros_like(k)
    for element, number, distance, disorder in shells:
        amplitude, centre, width, phase = SCATTERING[element]
        damping = np.exp(-2 * disorder * k**2 - 2 * distance / MEAN_FREE_PATH)
        wave = np.sin((2 * distance - CENTRAL_PHASE_SLOPE) * k + phase)
        chi += number * amplitude * _bell(k, centre, width) / (k * distance**2) * damping * wave
    onset: FloatArray = 1 - np.exp(-((k / ONSET_WAVENUMBER) ** 4))
    return np.where(above_edge > 0, chi * onset, 0.0)


def _bell(x: FloatArray, centre: float, width: float | FloatArray) -> FloatArray:
    bell: FloatArray = np.exp(-0.5 * ((x - centre) / width) ** 2)
    return bell


def _phase(row: dict[str, str]) -> Phase:
    return Phase(
        name=row["name"],
        formula=row["formula"],
        valence=float(row["valence"]),
        coordination=float(row["coordination"]),
        edge_ev=float(row["edge_ev"]),
        edge_width_ev=float(row["edge_width_ev"]),
        pre_edge_ev=float(row["pre_edge_ev"]),
        pre_edge_height=float(row["pre_edge_height"]),
        white_line_offset_ev=float(row["white_line_offset_ev"]),
        white_line_height=float(row["white_line_height"]),
        white_line_width_ev=float(row["white_line_width_ev"]),
        shells=tuple(_shell(text) for text in row["shells"].split()),
        distances_from=row["distances_from"],
    )


def _shell(text: str) -> Shell:
    element, number, distance, disorder = text.split(":")
    return Shell(element, float(number), float(distance), float(disorder))

"""The libraries that searches are measured on: measured Raman spectra, modelled peaks, and sites."""

import importlib.util
from pathlib import Path

import numpy as np
from gigaxas.arrays import FloatArray
from gigaxas.simulate import modelled_library
from gigaxas.simulate.peaks import peak_library
from gigaxas.sites import build_sites
from gigaxas.spectra import standardise
from gigaxas.spectra.noise import NoiseModel

POINTS, LOW, HIGH = 3300, 200.0, 1200.0
PEAKS = 14_085  # as many as in [P]
SITE_COUNTS = 6.5e4
"""Reference counts that make about as many sites of the modelled phases as [I] has of its standards."""


def raman(entries: int | None = None) -> FloatArray | None:
    """Return the Raman spectra that come with the package pyopenspecy and cover 200 to 1200 1/cm, or None.

    Standardised, on 3,300 points, in the order of their numbers.
    """
    found = importlib.util.find_spec("pyopenspecy")
    if found is None or found.origin is None:
        return None
    file = Path(found.origin).parent / "data" / "raman_library.csv"
    rows = np.loadtxt(file, delimiter=",", skiprows=1, usecols=(0, 1, 2))
    rows = rows[np.lexsort((rows[:, 0], rows[:, 2]))]
    starts = np.flatnonzero(np.diff(rows[:, 2], prepend=-1.0))
    grid = np.linspace(LOW, HIGH, POINTS)
    spectra = [
        np.interp(grid, part[:, 0], part[:, 1])
        for part in np.split(rows, starts[1:])
        if part[0, 0] <= LOW and part[-1, 0] >= HIGH
    ]
    return standardise(np.array(spectra)[:entries])


def peaks(entries: int | None = None) -> FloatArray:
    """Return modelled spectra of 3,300 points, 14,085 unless told otherwise, standardised."""
    return standardise(peak_library(entries or PEAKS, POINTS))


def sites(entries: int | None = None) -> FloatArray:
    """Return the sites of the 61 modelled phases, 178 energies, standardised.

    They are those of 65,000 reference counts: at the paper's 27,000 the modelled phases make 269.
    """
    names, spectra = modelled_library(np.linspace(7009.2, 7321.2, 178))
    noise = NoiseModel(c_ref=SITE_COUNTS, mu_low=0.36, mu_high=1.56)
    return standardise(build_sites(names, spectra, noise, trials=10_000).spectra[:entries])


LIBRARIES = {"Raman": raman, "peaks": peaks, "sites": sites}

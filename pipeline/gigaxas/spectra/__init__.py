"""Reference spectra: readers of their files, normalisation, the cube's grid, and the library made of them."""

from gigaxas.spectra.library import Library, ReadRow, read_library
from gigaxas.spectra.normalisation import POST_EDGE, PRE_EDGE, edge_step, find_e0, normalise
from gigaxas.spectra.readers.formats import read_spectra
from gigaxas.spectra.resampling import resample
from gigaxas.spectra.spectrum import Spectrum
from gigaxas.spectra.standardisation import standardise

__all__ = [
    "POST_EDGE",
    "PRE_EDGE",
    "Library",
    "ReadRow",
    "Spectrum",
    "edge_step",
    "find_e0",
    "normalise",
    "read_library",
    "read_spectra",
    "resample",
    "standardise",
]

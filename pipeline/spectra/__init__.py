"""Reference spectra: readers of their files, normalisation, the cube's grid, and the library made of them."""

from pipeline.spectra.formats import read_spectra
from pipeline.spectra.library import Library, ReadRow, read_library
from pipeline.spectra.normalise import POST_EDGE, PRE_EDGE, edge_step, find_e0, normalise
from pipeline.spectra.resample import resample
from pipeline.spectra.spectrum import Spectrum
from pipeline.spectra.standard import standardise

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

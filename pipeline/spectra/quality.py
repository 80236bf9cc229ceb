"""Signs, in a normalised spectrum, of a scan that went wrong."""

import numpy as np

from pipeline.errors import InputError
from pipeline.spectra.normalise import Range
from pipeline.spectra.spectrum import Spectrum, described

NOISE_LIMIT = (
    0.02  # of the edge step: half a pixel's noise at the paper's working point, where a site would blur
)
STEEPEST = 3.0  # edge steps an eV; the steepest of 95 measured Fe K scans reaches 0.6, glitches aside 0.4
STEP = 0.1  # of the edge step: smaller jumps are noise
COMB = 1.75  # eV; EXAFS is smooth on it, and it is near the paper's grid


def refuse_bad_scan(spectrum: Spectrum, pre_edge: Range, post_edge: Range) -> None:
    """Raise InputError where a normalised spectrum jumps as no absorption does, or is too noisy."""
    rise, width = np.abs(np.diff(spectrum.mu)), np.diff(spectrum.energy)
    jumps = np.flatnonzero((rise > STEP) & (rise > STEEPEST * width))
    if jumps.size:
        at = jumps[0]
        raise InputError(
            f"{described(spectrum)} jumps by {rise[at]:.2g} of its edge step within {width[at]:.2g} eV at "
            f"{spectrum.energy[at]:.1f} eV; expected at most {STEEPEST:g} an eV; a detector cut out or spiked"
        )
    noise = max(noise_of(spectrum, pre_edge), noise_of(spectrum, post_edge))
    if noise > NOISE_LIMIT:
        raise InputError(
            f"{described(spectrum)} has a noise of {noise:.2g} of its edge step; expected at most "
            f"{NOISE_LIMIT:g}; leave this scan out or average several"
        )


def noise_of(spectrum: Spectrum, span: Range) -> float:
    """Return the standard deviation of the noise in a range (low, high) of eV, from third differences.

    They are taken 1.75 eV apart: lines and slow structure vanish in them, independent noise of variance v
    leaves 20 v. A range of under four such steps tells nothing and gives 0.
    """
    low, high = max(span[0], spectrum.energy[0]), min(span[1], spectrum.energy[-1])
    comb = np.arange(low, high, COMB)
    if comb.size < 4:
        return 0.0
    third = np.diff(np.interp(comb, spectrum.energy, spectrum.mu), 3)
    return float(np.sqrt(np.mean(third**2) / 20.0))

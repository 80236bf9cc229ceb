"""Signs of a scan that went wrong: a detector that cut out, and noise."""

import numpy as np

from gigaxas.errors import InputError
from gigaxas.spectra.spectrum import EnergyRange, Spectrum, described

NOISE_LIMIT = 0.02
"""Share of the edge step: half a pixel's noise at the paper's working point, where a site would blur."""
SPACING = 1.75
"""eV between the samples of a difference; EXAFS is smooth on it, and it is near the paper's grid."""
FEWEST_SAMPLES = 4
"""Samples that a third difference takes."""
DEAD_RUN = 8
"""Equal samples in a row; counts of a live detector never repeat so."""
DEAD_JUMP = 0.1
"""Share of the edge step by which mu jumps after such a run; a modelled flat pre-edge rises smoothly."""


def refuse_cut_out(spectrum: Spectrum, step: float) -> None:
    """Raise InputError where mu is exactly constant over samples and then jumps by a share of the edge step.

    A detector that saturates or cuts out writes such values; what it leaves looks like a sharp edge.
    """
    rise = np.diff(spectrum.mu)
    run = 0
    for at in range(rise.size):
        if run >= DEAD_RUN - 1 and abs(rise[at]) > DEAD_JUMP * step:
            raise InputError(
                f"{described(spectrum)} is exactly {spectrum.mu[at]:g} over {run + 1} energies up to "
                f"{spectrum.energy[at]:.1f} eV, then jumps by {abs(rise[at]) / step:.2g} of its edge step; a "
                "detector cut out there; expected a live signal; leave this scan out"
            )
        run = run + 1 if rise[at] == 0 else 0


def refuse_noise(
    normal: Spectrum, pre_edge: EnergyRange, post_edge: EnergyRange, height: float = 1.0
) -> None:
    """Raise InputError where a normalised spectrum is too noisy, as a share of `height`, for a reference."""
    noise = max(noise_of(normal, pre_edge), noise_of(normal, post_edge)) / height
    if noise > NOISE_LIMIT:
        raise InputError(
            f"{described(normal)} has a noise of {noise:.2g} of its edge step; expected at most "
            f"{NOISE_LIMIT:g}; leave this scan out or average several"
        )


def noise_of(spectrum: Spectrum, span: EnergyRange) -> float:
    """Return the standard deviation of the noise in a range (low, high) of eV, from third differences.

    They are taken 1.75 eV apart, or as far as the samples lie: lines and slow structure vanish in them,
    independent noise of variance v leaves 20 v. A range of under four such steps tells nothing and gives 0.
    """
    inside = spectrum.energy[(spectrum.energy >= span[0]) & (spectrum.energy <= span[1])]
    if inside.size < FEWEST_SAMPLES:
        return 0.0
    at = np.arange(inside[0], inside[-1], max(SPACING, float(np.median(np.diff(inside)))))
    if at.size < FEWEST_SAMPLES:
        return 0.0
    third = np.diff(np.interp(at, spectrum.energy, spectrum.mu), 3)
    return float(np.sqrt(np.mean(third**2) / 20.0))

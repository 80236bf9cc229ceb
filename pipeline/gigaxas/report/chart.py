"""The geometry of one spectrum chart; the page's template draws it as SVG."""

from dataclasses import dataclass

import numpy as np

from gigaxas.arrays import FloatArray

WIDTH, HEIGHT = 340.0, 214.0
"""Size of a chart in the units of its paths."""
_LEFT, _RIGHT, _TOP = 32.0, 334.0, 8.0
_SPECTRUM_FOOT, _REST_TOP, _REST_FOOT = 142.0, 154.0, 194.0
_MOST_POINTS = 600


@dataclass(frozen=True)
class Chart:
    """Paths and ticks of a chart in its own WIDTH x HEIGHT units, y downward."""

    spectrum: str
    """Path of the spectrum."""
    reference: str
    """Path of the fitted reference."""
    rest: str
    """Path of what the reference leaves."""
    band: str
    """Path of two standard errors to both sides of zero; empty where there are none."""
    rest_zero: float
    """Where zero of the lower chart lies."""
    rest_range: str
    """The ends of the lower chart, in words."""
    energy_ticks: list[tuple[float, str]]
    """Position and text of every energy tick."""
    mu_ticks: list[tuple[float, str]]
    """Position and text of every tick of the absorbance."""
    left: float = _LEFT
    """Left border of both charts."""
    right: float = _RIGHT
    """Right border of both charts."""
    top: float = _TOP
    """Upper border of the upper chart."""
    spectrum_foot: float = _SPECTRUM_FOOT
    """Lower border of the upper chart."""
    rest_top: float = _REST_TOP
    """Upper border of the lower chart."""
    rest_foot: float = _REST_FOOT
    """Lower border of the lower chart."""


def spectrum_chart(
    energy: FloatArray, spectrum: FloatArray, standard_error: FloatArray, reference: FloatArray
) -> Chart:
    """Lay out a spectrum (E,) over its fitted reference, and below what the reference leaves, with 2 s.e."""
    keep = slice(None, None, max(1, -(-len(energy) // _MOST_POINTS)))
    energy, spectrum, standard_error = energy[keep], spectrum[keep], standard_error[keep]
    fitted = fit_reference(spectrum, reference[keep])
    rest = spectrum - fitted
    spread = np.where(np.isfinite(standard_error), 2.0 * standard_error, 0.0)

    low, high = _padded(min(spectrum.min(), fitted.min()), max(spectrum.max(), fitted.max()))
    largest = 1.05 * max(float(np.abs(rest).max()), float(spread.max()), 1e-12)
    x = scaled(energy, energy.min(), energy.max(), _LEFT, _RIGHT)
    band_high = scaled(np.minimum(spread, largest), -largest, largest, _REST_FOOT, _REST_TOP)
    band_low = scaled(np.maximum(-spread, -largest), -largest, largest, _REST_FOOT, _REST_TOP)
    return Chart(
        spectrum=line_path(x, scaled(spectrum, low, high, _SPECTRUM_FOOT, _TOP)),
        reference=line_path(x, scaled(fitted, low, high, _SPECTRUM_FOOT, _TOP)),
        rest=line_path(x, scaled(rest, -largest, largest, _REST_FOOT, _REST_TOP)),
        band=line_path(np.r_[x, x[::-1]], np.r_[band_high, band_low[::-1]]) + "Z" if spread.any() else "",
        rest_zero=(_REST_FOOT + _REST_TOP) / 2,
        rest_range=f"±{largest:.2g}",
        energy_ticks=ticks(float(energy.min()), float(energy.max()), 4, _LEFT, _RIGHT),
        mu_ticks=ticks(low, high, 4, _SPECTRUM_FOOT, _TOP),
    )


def fit_reference(spectrum: FloatArray, reference: FloatArray) -> FloatArray:
    """Return the reference (E,) with the gain and offset that bring it nearest to the spectrum (E,).

    Pearson's r ignores both, so what is left between the two curves is what r measures.
    """
    centred = reference - reference.mean()
    power = float(centred @ centred)
    gain = float(centred @ (spectrum - spectrum.mean())) / power if power > 0 else 0.0
    fitted: FloatArray = spectrum.mean() + gain * centred
    return fitted


def nice_step(span: float, most: int) -> float:
    """Return the smallest 1, 2 or 5 times a power of ten that divides `span` into at most `most` parts."""
    power = 10.0 ** np.floor(np.log10(span / most))
    return float(next(m * power for m in (1, 2, 5, 10) if m * power * most >= span * (1 - 1e-9)))


def ticks(low: float, high: float, most: int, start: float, end: float) -> list[tuple[float, str]]:
    """Return round values between low and high with their positions between start and end."""
    if high <= low:
        return []
    step = nice_step(high - low, most)
    values = step * np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1)
    digits = max(0, -int(np.floor(np.log10(step) + 1e-9)))
    positions = scaled(values, low, high, start, end)
    return [(round(float(p), 1), f"{v + 0.0:.{digits}f}") for p, v in zip(positions, values, strict=True)]


def _padded(low: float, high: float) -> tuple[float, float]:
    """Widen a range by a twentieth at each end, and a range of no width to one that can be drawn."""
    margin = 0.05 * (high - low) or 0.5
    return float(low - margin), float(high + margin)


def scaled(values: FloatArray, low: float, high: float, start: float, end: float) -> FloatArray:
    """Map low..high to start..end."""
    span = high - low if high > low else 1.0
    return np.asarray(start + (values - low) * ((end - start) / span))


def line_path(x: FloatArray, y: FloatArray) -> str:
    """Return the points as the d of an SVG path."""
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))

"""Numbers as people read them."""

import math

from gigaxas.report.specks import LEAST_TOLD


def count(value: int) -> str:
    """Return a whole number with thin groups: 1 048 576."""
    return f"{value:,}".replace(",", "\u202f")


def share(value: float) -> str:
    """Return a share (0 to 1) in percent, fine enough that a small one is still a number."""
    percent = 100.0 * value
    if not math.isfinite(percent):
        return "–"
    if percent in (0.0, 100.0):
        return f"{percent:.0f}\u202f%"
    if 99.995 <= percent < 100.0:
        return ">\u202f99.99\u202f%"
    if percent >= 0.01:
        return f"{percent:.2f}\u202f%"
    return f"{percent:.1g}\u202f%" if percent >= 1e-4 else "<\u202f0.0001\u202f%"


def counts(value: float) -> str:
    """Return a number of counts of a camera to three digits: 27 000."""
    return count(int(float(f"{value:.3g}")))


def length(um: float) -> str:
    """Return a length in um, or in mm from 1000 um on."""
    return f"{um:.3g}\u202fµm" if um < 999.5 else f"{um / 1000:.3g}\u202fmm"


def area(um2: float) -> str:
    """Return an area in um2, or in mm2 from 0.1 mm2 on."""
    if um2 >= 1e5:
        return f"{um2 / 1e6:.3g}\u202fmm²" if um2 < 1e9 else f"{um2 / 1e6:,.0f}\u202fmm²"
    return f"{um2:.3g}\u202fµm²" if um2 < 999.5 else f"{count(round(um2))}\u202fµm²"


def correlation(value: float) -> str:
    """Return Pearson's r with five decimals, never rounded up to 1."""
    if math.isfinite(value) and 0.999995 <= value < 1.0:
        return ">\u202f0.99999"
    return f"{value:.5f}" if math.isfinite(value) else "–"


def error(value: float | None) -> str:
    """Return an error probability (0 to 0.5)."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0.0:
        return "0"
    if value < 1e-12:
        return "<\u202f10⁻¹²"
    if value >= 0.001:
        return f"{value:.2g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}\u202f×\u202f10{raised(int(exponent))}"


def probability(log10: float) -> str:
    """Return a probability told by its decimal logarithm, as the power of ten nearest to it."""
    if log10 <= LEAST_TOLD:
        return f"<\u202f10{raised(LEAST_TOLD)}"
    return error(10.0**log10) if log10 > -3.0 else f"10{raised(round(log10))}"


def duration(seconds: float) -> str:
    """Return a time span: 0.4 s, 12 s, 3 min 20 s, 2 h 05 min."""
    if seconds < 9.95:
        return f"{seconds:.1f}\u202fs"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}\u202fs"
    if whole < 3600:
        return f"{whole // 60}\u202fmin {whole % 60:02d}\u202fs"
    return f"{whole // 3600}\u202fh {whole % 3600 // 60:02d}\u202fmin"


def figure(value: float | str) -> str:
    """Return a parameter's value: text as it is, a number with up to six digits."""
    return value if isinstance(value, str) else f"{value:.6g}"


def raised(exponent: int) -> str:
    """Return an exponent in raised digits."""
    return str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))

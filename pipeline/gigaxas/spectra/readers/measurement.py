"""The absorbance of one measurement, from the columns that beamlines and programs name alike."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError

MU_NAMES = (
    *("mu", "xmu", "mutrans", "mu_trans", "norm", "normtrans", "absorbance"),
    *("mufluor", "normfluor", "mu_fluor", "mu(e)"),
)
I0_NAMES = ("i0", "io")
TRANSMITTED_NAMES = ("itrans", "i1", "it", "itransmission")
FLUORESCENCE_NAMES = ("ifluor", "if", "fluo", "ifluo")
COMPANIONS = (
    *("bkg", "background", "pre_edge", "post_edge", "preline", "postline", "der", "derivative"),
    *("sec", "second", "flat", "flattened", "nbkg", "norm_background", "fbkg", "flat_background"),
    *("nder", "norm_derivative", "nsec", "norm_second", "chie", "error", "stddev", "sigma"),
)
"""What programs write beside the absorbance of the same measurement."""

NamedColumns = tuple[list[str], FloatArray]
"""The names of the columns, and their values (rows, columns)."""


def is_one_measurement(labels: Sequence[str], strict: bool) -> bool:
    """Return whether columns, those of energies left out, are parts of one measurement and no spectra.

    They are where an absorbance, or a beam and what is left of it, are among them, and nothing but what
    programs write beside these; only a beam may have any company where that is not `strict`.
    """
    names = {label.lower() for label in labels}
    signals = {*MU_NAMES, *TRANSMITTED_NAMES, *FLUORESCENCE_NAMES}
    has_beam = not names.isdisjoint(I0_NAMES) and not names.isdisjoint(signals)
    if has_beam and not strict:
        return True
    known = names <= {*signals, *I0_NAMES, *COMPANIONS}
    return known and (has_beam or not names.isdisjoint(MU_NAMES))


def column(table: NamedColumns, names: Sequence[str]) -> FloatArray | None:
    """Return the first column (n,) that has one of these names, earlier names first; None where none has."""
    labels, values = table
    lower = [label.lower() for label in labels]
    for name in names:
        if name in lower:
            return values[:, lower.index(name)]
    return None


def ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """Return above / below, NaN where a count cannot be divided by (zero or negative)."""
    usable = below > 0
    return np.where(usable, above / np.where(usable, below, 1.0), np.nan)


def absorbance(i0: FloatArray, transmitted: FloatArray) -> FloatArray:
    """Return ln(i0 / transmitted) ([I] Eq. 2), NaN where a count is zero or negative or has no logarithm."""
    quotient = ratio(i0, transmitted)
    usable = np.isfinite(quotient) & (quotient > 0)
    return np.where(usable, np.log(np.where(usable, quotient, 1.0)), np.nan)


def mu_of(table: NamedColumns, path: Path) -> FloatArray:
    """Return the absorbance (n,) of a named table: its own column, ln(i0/itrans), or fluorescence over i0.

    InputError: none of these, or a name that two columns have.
    """
    lower = [label.lower() for label in table[0]]
    wanted = (*MU_NAMES, *I0_NAMES, *TRANSMITTED_NAMES, *FLUORESCENCE_NAMES)
    twice = next((name for name in wanted if lower.count(name) > 1), None)
    if twice:
        raise InputError(f"{path}: {lower.count(twice)} columns are named {twice}; expected one")
    mu = column(table, MU_NAMES)
    if mu is not None:
        return mu
    i0 = column(table, I0_NAMES)
    transmitted, fluorescence = column(table, TRANSMITTED_NAMES), column(table, FLUORESCENCE_NAMES)
    if i0 is not None and transmitted is not None:
        return absorbance(i0, transmitted)
    if i0 is not None and fluorescence is not None:
        return ratio(fluorescence, i0)
    raise InputError(
        f"{path}: columns are {', '.join(table[0])}; expected mu (or xmu, mutrans, norm), or i0 with "
        "itrans or ifluor"
    )

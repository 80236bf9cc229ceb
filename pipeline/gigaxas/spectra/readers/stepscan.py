"""EPICS step scans: an XDI header over one fluorescence column for every element and detector channel."""

import re
from pathlib import Path

import numpy as np

from gigaxas.errors import InputError
from gigaxas.spectra.readers.columns import numbers, read_text, split_header
from gigaxas.spectra.readers.measurement import column, ratio
from gigaxas.spectra.readers.xdi import columns_of, energy_of, header_fields
from gigaxas.spectra.spectrum import Spectrum


def read_stepscan(path: Path) -> list[Spectrum]:
    """Read a step scan: counts of the scanned element, each channel times its dead-time factor, over I0.

    The element is that of `ScanParameters.element`. InputError: no such header line, I0 or channels.
    """
    header, body = split_header(read_text(path))
    fields = header_fields(header)
    table, units = columns_of(header, fields, numbers(body, path), path)
    labels, values = table
    i0 = column(table, ("i0",))
    element = re.escape(fields.get("scanparameters.element", "?").lower())
    channels = {
        match[1]: i
        for i, label in enumerate(labels)
        if (match := re.match(rf"{element}_\w*?_?mca(\d+)$", label.lower()))
    }
    factors = {
        match[1]: i
        for i, label in enumerate(labels)
        if (match := re.match(r"dtfactor_mca(\d+)$", label.lower()))
    }
    if i0 is None or not channels or not channels.keys() <= factors.keys():
        raise InputError(
            f"{path}: columns are {', '.join(labels[:8])}, ...; expected I0, and for the element of "
            "ScanParameters.element a column and a DTFactor of every channel (Fe_Ka_mca1, DTFactor_mca1)"
        )
    corrected = [values[:, i] * values[:, factors[channel]] for channel, i in channels.items()]
    energy, unit = energy_of(table, units, fields, path)
    mu = ratio(np.sum(corrected, axis=0), i0)
    return [Spectrum(path.stem + path.suffix, energy, mu, unit=unit)]

"""Scans of SOLEIL's LUCIA beamline: a commented header, then a table of detector readings."""

from pathlib import Path

from gigaxas.errors import InputError
from gigaxas.spectra.readers.columns import numbers, read_text, split_header
from gigaxas.spectra.readers.measurement import column, ratio
from gigaxas.spectra.spectrum import Spectrum


def read_lucia(path: Path) -> list[Spectrum]:
    """Read a LUCIA scan: fluorescence corrected for dead time (FY_c) over the incoming beam (Io).

    InputError: a table without the columns Energy, Io and FY_c.
    """
    header, body = split_header(read_text(path))
    labels = header[-1].split() if header else []
    values = numbers(body, path)
    table = (labels, values)
    if len(labels) != values.shape[1]:
        raise InputError(
            f"{path}: {len(labels)} names over {values.shape[1]} columns; expected one name a column"
        )
    energy, i0, fluorescence = (column(table, (name,)) for name in ("energy", "io", "fy_c"))
    if energy is None or i0 is None or fluorescence is None:
        raise InputError(f"{path}: columns are {', '.join(labels)}; expected Energy, Io and FY_c among them")
    # The file's name, since TARGET keeps the sample's working name where a file was renamed later.
    return [Spectrum(path.stem, energy, ratio(fluorescence, i0))]

"""Several spectra that Athena has exported to one file."""

import re
from dataclasses import replace
from pathlib import Path

from gigaxas.errors import InputError
from gigaxas.spectra.readers.columns import read_text
from gigaxas.spectra.readers.energies import named_energy
from gigaxas.spectra.readers.tables import Table, spectra_of, table_of
from gigaxas.spectra.spectrum import Spectrum

MARK = "demeter.output_filetype: multicolumn"
"""How such a file says what it is, in small letters."""
ABSORBANCES = ("mu(e)", "normalized mu(e)")
"""What it says that it holds, where that is an absorbance."""


def read_multicolumn(path: Path) -> list[Spectrum]:
    """Read the energies in eV, then a column a spectrum.

    The names are those of the lines `Column.2: name`, or those over the columns where versions of Athena
    number the lines otherwise. Raises InputError where a column has none, or holds no absorbance.
    """
    table = table_of(read_text(path), path)
    told = [line for line in table.comments if line.lower().startswith(MARK)]
    kind = told[0].partition("multicolumn")[2].strip() if told else ""
    if kind.lower() not in ABSORBANCES:
        raise InputError(f"{path}: holds {kind or 'columns'}; expected mu(E) or normalized mu(E)")
    return spectra_of(replace(table, names=_names(table, path)), path, several=True)


def _names(table: Table, path: Path) -> tuple[str, ...]:
    lines = (re.fullmatch(r"Column\.(\d+):\s*(.+)", line) for line in table.comments)
    numbered = {int(found[1]): found[2].strip() for found in lines if found}
    width = table.values.shape[1]
    fits = sorted(numbered) == list(range(1, width + 1))
    names = tuple(numbered[i] for i in range(1, width + 1)) if fits else table.names
    if not names or not named_energy(names[0]):
        raise InputError(
            f"{path}: {width} columns, of which {len(numbered)} are named; expected the energy first and a "
            "line `Column.2: name` for every spectrum"
        )
    return names

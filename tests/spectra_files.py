"""Files of reference spectra, written by the rules of their formats."""

import numpy as np
from spectra_model import raw, scan_energies

E = scan_energies()
MU = raw(E)

XDI_COUNTS = (
    "# XDI/1.0\n# Column.1: energy eV\n# Column.2: i0\n# Column.3: itrans\n"
    "# Sample.name: Fe2O3  powder\n# ---\n"
)


def table(*columns: np.ndarray) -> str:
    return "".join(" ".join(repr(float(v)) for v in row) + "\n" for row in zip(*columns, strict=True))


def perl(values: np.ndarray) -> str:
    return "(" + ",".join(f"'{v!r}'" for v in values.tolist()) + ")"


def perl_record(label: str, shift: float = 0.0, extra: str = "") -> str:
    nested = "'xdi_mono',{},'beam',{'name' => {}},'titles',['a','b']"
    args = f"{nested},'label','{label}','bkg_eshift','{shift}'{extra}"
    return (
        f"$old_group = 'abc';\n@args = ({args});\n@x = {perl(E - shift)};\n@y = {perl(MU)};\n[record] #\n\n"
    )

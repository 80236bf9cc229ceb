"""Tables in text as people and programs write them: what is read of each, or what is said."""

from pathlib import Path

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.spectra import read_spectra
from gigaxas.spectra.spectrum import NoSpectrum

ENERGY = 7112.5 + np.arange(9)
MU = np.round(0.123 + np.arange(9) / 7, 3)
OTHER = MU + 1


def rows(separator=" ", decimal=".", columns=(ENERGY, MU), scale=1.0, form="{:.6g}"):
    """The rows of a table, the first column divided by `scale`."""
    lines = []
    for row in zip(*columns, strict=True):
        cells = [f"{row[0] / scale:.7f}", *(form.format(value) for value in row[1:])]
        lines.append(separator.join(cell.replace(".", decimal) for cell in cells))
    return "\n".join(lines) + "\n"


THREE = (ENERGY, MU, OTHER)
INDEX = np.arange(9.0)
COUNTS = (ENERGY, 1e5 + 0 * MU, 1e5 * np.exp(-MU))

READ = {
    # decimals, separators, exponents
    "points and blanks": (rows(), ["t"]),
    "decimal commas and semicolons": (rows(";", ","), ["t"]),
    "decimal commas and blanks": (rows(" ", ","), ["t"]),
    "decimal commas and tabs": (rows("\t", ","), ["t"]),
    "decimal commas in quotes": (
        "".join(f'"{e},5","{m:.3f}"\n'.replace(".", ",") for e, m in zip(range(7112, 7121), MU, strict=True)),
        ["t"],
    ),
    "two tabs between columns": (rows("\t\t"), ["t"]),
    "points and commas": (rows(", "), ["t"]),
    "a separator at the end of every row": (rows().replace(" ", ";").replace("\n", ";\n"), ["t"]),
    "a tab before every row": ("".join(f"\t{line}\n" for line in rows("\t").splitlines()), ["t"]),
    "Fortran's exponents": (rows(form="{:.9E}").replace("E", "D"), ["t"]),
    "carriage returns": (rows().replace("\n", "\r"), ["t"]),
    # names and units
    "names over commas": ("energy,mu\n" + rows(","), ["t"]),
    "keV in square brackets": ("Energy [keV]\tmu\n" + rows("\t", scale=1e3), ["t"]),
    "keV in round brackets": ("energy(keV),norm\n" + rows(",", scale=1e3), ["t"]),
    "keV behind a stroke": ("# E / keV  mu / a.u.\n" + rows(scale=1e3), ["t"]),
    "keV behind a name": ("# energy keV  mu\n" + rows(scale=1e3), ["t"]),
    "keV for a name": ("keV;Goethite\n" + rows(";", ",", scale=1e3), ["Goethite"]),
    "MeV in words": ("# energy in MeV   xmu\n" + rows(scale=1e6), ["t"]),
    "hartree": ("Energy (hartree),mu\n" + rows(",", scale=27.211386245988), ["t"]),
    "eV": ("Energy (eV) mu(E)\n" + rows(), ["t"]),
    "the energy after mu": ("# xmu energy\n" + rows(columns=(MU, ENERGY)).replace("0000 ", " "), ["t"]),
    # headers
    "lines of text without a mark": (
        "Goethite, 5 mg\nmeasured in May 2007\nEnergy (eV)  mu\n\n" + rows(),
        ["t"],
    ),
    "lines of text over commas": ("Goethite, 5 mg\n\nEnergy (eV),mu\n" + rows(","), ["t"]),
    "comments after the table": (rows() + "# the end\n", ["t"]),
    "a comment of two words": ("# Edge: K\n# index card\n" + rows(), ["t"]),
    "a comment that names k": ("# K edge\n" + rows(), ["t"]),
    # several
    "a spectrum a column": ('energy;A, 5 %;"B ""2"""\n' + rows(";", ",", THREE), ["A, 5 %", 'B "2"']),
    "names over lines": ('energy,"A\n(new)",B\n' + rows(",", columns=THREE), ["A\n(new)", "B"]),
    "Larch's table": ("# energy, A.xmu, B\n" + rows(", ", columns=THREE), ["A.xmu", "B"]),
    "columns without a name": ("energy,,\n" + rows(",", columns=THREE), ["t 1", "t 2"]),
    "short names": ("energy,e,k\n" + rows(",", columns=THREE), ["e", "k"]),
    "an index before the energies": (",energy,A,B\n" + rows(",", columns=(INDEX, *THREE)), ["A", "B"]),
    "a run's clusters": (
        "energy_ev,label_3,error_3,label_4\n" + rows(",", columns=(*THREE[:2], MU / 9, OTHER)),
        ["label_3", "label_4"],
    ),
    # one measurement
    "counts": ("energy,i0,itrans\n" + rows(",", columns=COUNTS, form="{:.9g}"), ["t"]),
    "Athena's mu": (
        "#  energy xmu bkg pre_edge post_edge der sec\n" + rows(columns=(*THREE, MU, MU, MU, MU)),
        ["t"],
    ),
    "Athena's mu over commas": ("energy,xmu,bkg\n" + rows(",", columns=THREE), ["t"]),
    "a normalised spectrum": (
        "#  energy norm nbkg flat fbkg nder nsec\n" + rows(columns=(*THREE, MU, MU, MU, MU)),
        ["t"],
    ),
}


@pytest.mark.parametrize("case", READ)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_is_read_whole(tmp_path: Path, case: str, encoding: str) -> None:
    text, names = READ[case]
    (tmp_path / "t.any").write_text(text, encoding=encoding, newline="")
    found = read_spectra(tmp_path / "t.any")
    assert [item.name for item in found] == names
    for item, mu in zip(found, (MU, OTHER), strict=False):
        np.testing.assert_allclose(item.energy, ENERGY, rtol=0, atol=1e-4)
        np.testing.assert_allclose(item.mu, mu, rtol=0, atol=1e-6)
        assert item.unit == "eV"


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_names_of_a_spreadsheet_on_windows(tmp_path: Path, encoding: str) -> None:
    text = "Energie (eV);W\xfcstit \xb5m\n" + rows(";", ",")
    (tmp_path / "t.csv").write_text(text, encoding=encoding)
    assert [item.name for item in read_spectra(tmp_path / "t.csv")] == ["W\xfcstit \xb5m"]


@pytest.mark.parametrize(
    "head", ["Raman shift (cm-1),a\n", "Wavenumber / cm-1;a\n", "# wavenumber a\n", "Raman Shift [1/cm]\ta\n"]
)
def test_wavenumbers_are_known_as_such(tmp_path: Path, head: str) -> None:
    (tmp_path / "t.txt").write_text(head + rows(next((mark for mark in ",;\t" if mark in head), " ")))
    (found,) = read_spectra(tmp_path / "t.txt")
    assert found.unit == "1/cm"
    np.testing.assert_allclose(found.energy, ENERGY)


REFUSED = {
    # a line that is not understood whole
    "thousands": (rows().replace("7112.5", "7,112.5"), "line 1 reads '7,112.5"),
    "thousands after points": (rows(";", ",").replace("7112,5", "7.112,5"), "line 1 reads"),
    "two ways": ("7112 ,5\n" * 9, "understood as 7112, 5 or as 7112, 0.5"),
    "commas for both": ("energy,mu\n" + rows(",", ","), "2 names over 4 columns"),
    "commas for both without names": (rows(",", ","), "4 columns without names"),
    "a word in the first row": ("7111.5 one\n" + rows(), "line 1 reads '7111.5 one'"),
    "a word in the last row": (rows() + "7130 one\n", "line 10 reads '7130 one'"),
    "a number cut off": (rows() + "7130 1.2e\n", "line 10 reads"),
    "underscores": (rows() + "7130 1_2\n", "line 10 reads"),
    "words below the table": (rows() + "End of data\n", "line 10 reads 'End of data'"),
    "a row with more": (rows() + "7130 1 2\n", "line 10 has 3 columns; expected 2"),
    "a row with less": ("energy,a\n" + rows(",") + "7130\n", "line 11 has 1 columns; expected 2"),
    "quotes that do not close": ('energy,a\n"7111.5,1\n' + rows(","), "line 2 reads"),
    "a gap": ("energy,a\n" + rows(",") + "7130,\n", "1 of 10 samples that are not finite"),
    # columns that are not understood
    "an index for energies": (rows(columns=(INDEX, MU)), "the first column counts the rows"),
    "an index for energies, named": (",A,B\n" + rows(",", columns=(INDEX, MU, OTHER)), "counts the rows"),
    "an index before unnamed energies": (rows(columns=(INDEX, ENERGY, MU)), "3 columns without names"),
    "wave vectors": ("# k chi\n" + rows(), "the first column is 'k'"),
    "times": ("time,A\n" + rows(","), "the first column is 'time'"),
    "names of too few": ("energy,A\n" + rows(",", columns=THREE), "2 names over 3 columns"),
    "unknown columns": ("# energy A B\n" + rows(columns=THREE), "columns are energy, A, B"),
    "two columns of energies": (
        "energy,A,energy,B\n" + rows(",", columns=(*THREE[:2], ENERGY, OTHER)),
        "2 columns of energies",
    ),
    "two columns mu": ("# energy mu mu\n" + rows(columns=THREE), "2 columns are named mu"),
    # units
    "no unit of energy": ("Energy [furlong],mu\n" + rows(","), "found the unit 'furlong'"),
    "arbitrary units": ("energy (arb. u.),mu\n" + rows(","), "found the unit 'arb. u.'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_table_that_is_not_understood_is_refused(tmp_path: Path, case: str) -> None:
    text, sentence = REFUSED[case]
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=sentence) as told:
        read_spectra(tmp_path / "t.csv")
    assert not isinstance(told.value, NoSpectrum)


NO_SPECTRUM = {
    "LICENSE": (b"Free to use, 2024\n", "text without rows of numbers"),
    "README.md": (b"# Spectra\n7000 1\n7001 2\n", "2 rows of numbers; expected at least 8"),
    "list.csv": (b"name,file\nFe foil,a.txt\n", "text without rows of numbers"),
    "page.html": (b"<html><p>7000 1</p></html>\n", "text without rows of numbers"),
    "empty.dat": (b"", "empty"),
    "map.png": (b"\x89PNG\r\n\x1a\n\0\0", "an image"),
    "photo.dat": (b"\xff\xd8\xff\xe0 7000 1\n", "an image"),
    "paper.pdf": (b"%PDF-1.7\n7000 1\n", "a PDF document"),
    "data.zip": (b"PK\x03\x04\0\0", "a zip archive"),
    "scan.raw": (bytes(range(256)), "binary data"),
}


@pytest.mark.parametrize("name", NO_SPECTRUM)
def test_a_file_without_a_spectrum_says_what_it_is(tmp_path: Path, name: str) -> None:
    content, sentence = NO_SPECTRUM[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(NoSpectrum, match=sentence):
        read_spectra(tmp_path / name)


@pytest.mark.parametrize("name", ["a.xlsx", "a.XLS", "a.ods"])
def test_a_workbook_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04\0\0")
    with pytest.raises(InputError, match="a workbook of a spreadsheet; expected text; save the sheet as CSV"):
        read_spectra(tmp_path)

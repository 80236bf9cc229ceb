"""Single spectra in files of instruments: what is read of each, or what is said."""

import sys
from pathlib import Path

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.spectra import read_spectra
from gigaxas.spectra.library import read_library
from instrument_files import COUNTS, ENERGY, dm3, spc, spx, wdf

EDX = 700.0 + 5.0 * np.arange(12)


def msa(rows, kind="XY", unit="eV", points="12.", **fields):
    head = {"FORMAT": "EMSA/MAS Spectral Data File", "VERSION": "1.0", "TITLE": "", "NPOINTS": points}
    head |= {"XUNITS": unit, "DATATYPE": kind, **fields, "SPECTRUM": "Data"}
    lines = "".join(f"#{key:<12}: {value}\n" for key, value in head.items())
    return f"{lines}{rows}#ENDOFDATA   :\n".encode()


PAIRS = "".join(f"{energy}, {count}.\n" for energy, count in zip(ENERGY, COUNTS, strict=True))
ROWS = "3., 4., 4., 5., 9.,\n20., 17., 12., 11., 11.,\n10., 10.\n"

READ = {
    "a.dm3": (dm3(), ENERGY, "eV"),
    "kev.dm3": (dm3(unit="keV", offset=0.7, step=0.0005), ENERGY, "eV"),
    "a.wdf": (wdf(), ENERGY, "1/cm"),
    "a.spx": (spx(), EDX, "eV"),
    "a.msa": (msa(PAIRS), ENERGY, "eV"),
    "any.ending": (msa(PAIRS), ENERGY, "eV"),
    "commas.emsa": (msa(PAIRS.replace(",", ";").replace(".", ",")), ENERGY, "eV"),
    "rows.msa": (msa(ROWS, "Y", OFFSET="700.", XPERCHAN="0.5"), ENERGY, "eV"),
    "kev.msa": (msa(ROWS, "Y", "keV", OFFSET="0.7", XPERCHAN="5.E-04"), ENERGY, "eV"),
}


@pytest.mark.parametrize("name", READ)
def test_a_single_spectrum_is_read(tmp_path: Path, name: str) -> None:
    content, energy, unit = READ[name]
    (tmp_path / name).write_bytes(content)
    (found,) = read_spectra(tmp_path)
    assert (found.name, found.unit) == (name.split(".")[0], unit)
    np.testing.assert_allclose(found.energy, energy, rtol=1e-6)
    np.testing.assert_array_equal(found.mu, COUNTS)


def test_a_spectrum_of_edax_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.spc").write_bytes(spc())
    (found,) = read_spectra(tmp_path)
    np.testing.assert_allclose(found.energy, EDX, rtol=1e-6)
    np.testing.assert_array_equal(found.mu, COUNTS)


@pytest.mark.parametrize(("units", "energy"), [("keV", ENERGY * 1e3), ("1/cm", ENERGY)])
def test_a_signal_of_hyperspy_is_read(tmp_path: Path, units: str, energy: np.ndarray) -> None:
    hspy = pytest.importorskip("rsciio.hspy")
    axis = {"name": "E", "size": 12, "offset": 700.0, "scale": 0.5, "units": units, "navigate": False}
    parts = ("original_metadata", "learning_results", "models", "tmp_parameters", "package_info")
    signal = {part: {} for part in parts} | {"attributes": {"_lazy": False}, "package": ""}
    signal |= {"package_version": "", "data": COUNTS, "axes": [axis]}
    signal["metadata"] = {"General": {"title": ""}, "Signal": {"signal_type": ""}}
    hspy.file_writer(str(tmp_path / "a.hspy"), signal)
    (found,) = read_spectra(tmp_path)
    np.testing.assert_allclose(found.energy, energy)
    np.testing.assert_array_equal(found.mu, COUNTS)


REFUSED = {
    "image.dm3": (dm3(np.ones((3, 4))), "holds 3 x 4 samples; expected a single spectrum"),
    "pixels.dm3": (dm3(unit=""), "found the unit 'none'"),
    "cut.dm3": (dm3()[:-60], "cannot be read by rosettasciio"),
    "nm.wdf": (wdf(unit=2), "found the unit 'nm'"),
    "cut.wdf": (wdf()[:-4], "ends 4 bytes before its last block does"),
    "endless.wdf": (wdf()[:520] + bytes(8) + wdf()[528:], "a block of 0 bytes at byte 512"),
    "word.spx": (spx("1,2,3,4,5,6,7,8,nine,10"), "cannot be read by rosettasciio"),
    "galactic.spc": (b"\0K" + bytes(600), "no .spc of EDAX"),
    "short.spc": (spc()[:-4], "11 points of 12 that it says it has"),
    "short.msa": (msa(PAIRS, points="13"), "12 points of 13 that it says it has"),
    "word.msa": (msa(PAIRS + "706.0, one\n"), "line 20 reads '706.0, one'"),
    "row_word.msa": (msa(ROWS + "one\n", "Y", OFFSET="700.", XPERCHAN="0.5"), "line 13 reads 'one'"),
    "commas.msa": (msa(ROWS.replace(".,", ",0"), "Y", OFFSET="7", XPERCHAN="1"), "that it says it has"),
    "steps.msa": (msa(ROWS, "Y", OFFSET="700."), "XPERCHAN is ''; expected a number"),
    "kind.msa": (msa(PAIRS, "Z"), "DATATYPE is 'Z'; expected Y or XY"),
    "unit.msa": (msa(PAIRS, unit="nm"), "found the unit 'nm'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_whole_single_spectrum_is_refused(tmp_path: Path, name: str) -> None:
    content, sentence = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        read_spectra(tmp_path / name)


def test_without_the_extra_its_files_say_what_they_need(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "a.dm3").write_bytes(dm3())
    monkeypatch.setitem(sys.modules, "rsciio", None)
    with pytest.raises(InputError, match=r"a\.dm3: needs rosettasciio; pip install gigaxas\[formats\]"):
        read_spectra(tmp_path)


def test_wavenumbers_are_for_runs_in_wavenumbers(tmp_path: Path) -> None:
    (tmp_path / "a.wdf").write_bytes(wdf())
    (tmp_path / "b.dm3").write_bytes(dm3(COUNTS[::-1].copy()))
    raman = read_library(tmp_path, ENERGY, unit="1/cm", method=None)
    assert raman.names == ("a", "b")
    electrons = read_library(tmp_path, ENERGY, method=None)
    assert [(row.name, row.status, row.brief) for row in electrons.table] == [
        ("a", "refused", "energies in 1/cm"),
        ("b", "read", ""),
    ]


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("renishaw_test_map2.wdf", "holds 20 x 20 x 1015"),
        ("EELS_SI.dm4", "holds 2048 x 2 x 2 samples"),
        ("bcf_v2_50x50px.bcf", "binary data"),
    ],
)
def test_maps_are_no_references(stacks_folder: Path, name: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read_spectra(stacks_folder / "formats" / name)

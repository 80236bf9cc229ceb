"""Every file format, written here by its own rules and read back."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from gigaxas.spectra import read_spectra
from gigaxas.spectra.readers.bragg import HC
from gigaxas.spectra.readers.xdi import render_xdi
from spectra_files import MU, XDI_COUNTS, E, perl_record, table


def check(path: Path, name: str, tolerance: float = 1e-12) -> None:
    (spectrum,) = read_spectra(path)
    assert spectrum.name == name
    assert spectrum.source == path.name
    np.testing.assert_allclose(spectrum.energy, E, rtol=0, atol=1e-8)
    np.testing.assert_allclose(spectrum.mu, MU, rtol=0, atol=tolerance)


def test_xdi_with_i0_and_transmitted_counts(tmp_path: Path) -> None:
    i0 = 2e5 + 100.0 * np.sin(E)
    (tmp_path / "a.xdi").write_text(XDI_COUNTS + table(E, i0, i0 * np.exp(-MU)))
    check(tmp_path / "a.xdi", "Fe2O3 powder")


@pytest.mark.parametrize("column", ["mutrans", "mu", "xmu", "mufluor", "norm"])
def test_xdi_with_an_absorbance_column(tmp_path: Path, column: str) -> None:
    header = f"#XDI/1.1 GSE/1.0\n# Column.1: {column}\n# Column.2: i0\n# Column.3: energy eV\n# ///\n#---\n"
    (tmp_path / "a.xdi").write_text(header + table(MU, 0 * E + 1e5, E))
    check(tmp_path / "a.xdi", "a")


def test_xdi_with_fluorescence_counts(tmp_path: Path) -> None:
    header = "# XDI/1.0\n# Column.1: energy eV\n# Column.2: ifluor\n# Column.3: i0\n#---\n"
    (tmp_path / "a.xdi").write_text(header + table(E, MU * 5e4, 0 * E + 5e4))
    check(tmp_path / "a.xdi", "a")


def test_xdi_in_kev_and_with_a_monochromator_angle(tmp_path: Path) -> None:
    (tmp_path / "kev.xdi").write_text(
        "# XDI/1.0\n# Column.1: energy keV\n# Column.2: mu\n#---\n" + table(E / 1000, MU)
    )
    check(tmp_path / "kev.xdi", "kev")
    angle = np.degrees(np.arcsin(HC / (2 * 3.1355 * E)))
    header = "# XDI/1.0\n# Column.1: angle degrees\n# Column.2: mu\n# Mono.d_spacing: 3.1355\n#---\n"
    (tmp_path / "angle.xdi").write_text(header + table(angle, MU))
    check(tmp_path / "angle.xdi", "angle")


def test_xdi_without_column_lines_uses_the_last_comment(tmp_path: Path) -> None:
    (tmp_path / "a.xdi").write_text(
        "# XDI/1.0\n# ---\n# energy i0 itrans\n" + table(E, 0 * E + 1e5, 1e5 * np.exp(-MU))
    )
    check(tmp_path / "a.xdi", "a")


@pytest.mark.parametrize("zipped", [True, False])
def test_athena_project_in_perl(tmp_path: Path, zipped: bool) -> None:
    text = (
        "# Athena project file -- Demeter version 0.9\n"
        + perl_record("plain")
        + perl_record("Fe \\'2\\'", 5.8)
    )
    raw_bytes = text.encode()
    (tmp_path / "a.prj").write_bytes(gzip.compress(raw_bytes) if zipped else raw_bytes)
    first, second = read_spectra(tmp_path / "a.prj")
    assert [first.name, second.name] == ["plain", "Fe '2'"]
    for spectrum in (first, second):
        np.testing.assert_allclose(spectrum.energy, E, rtol=0, atol=1e-8)
        np.testing.assert_array_equal(spectrum.mu, MU)


def test_athena_project_in_json_keeps_its_order_and_shift(tmp_path: Path) -> None:
    def record(label: str, shift: float) -> dict[str, object]:
        return {
            "args": {"label": label, "bkg_eshift": shift},
            "x": [str(e - shift) for e in E],
            "y": list(map(str, MU)),
        }

    project = {
        "zz": record("first", 1.5),
        "aa": record("second", 0),
        "_____order": ["zz", "aa"],
        "_____journal": {},
    }
    (tmp_path / "a.prj").write_bytes(gzip.compress(json.dumps(project).encode()))
    first, second = read_spectra(tmp_path / "a.prj")
    assert [first.name, second.name] == ["first", "second"]
    np.testing.assert_allclose(first.energy, E, rtol=0, atol=1e-8)
    np.testing.assert_allclose(second.mu, MU, rtol=1e-14)


@pytest.mark.parametrize(
    ("suffix", "head"),
    [
        (".dat", ""),
        (".txt", "# two columns\n"),
        (".xmu", "#%name: x\n#----\n# energy mu\n"),
        (".001", "energy, mu\n"),
    ],
)
def test_plain_two_column_files(tmp_path: Path, suffix: str, head: str) -> None:
    path = tmp_path / f"goethite{suffix}"
    path.write_text(head + table(E, MU))
    check(path, "goethite")


def test_columns_named_in_the_last_comment(tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_text("# scan 3\n# i0 Energy xmu\n" + table(0 * E + 1e5, E, MU))
    check(tmp_path / "a.dat", "a")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_table_has_a_spectrum_a_column(tmp_path: Path, separator: str) -> None:
    rows = [separator.join(["energy", "Fe foil", '"FeO"'])]
    rows += [
        separator.join([repr(float(e)), repr(float(m)), repr(float(m) + 1)])
        for e, m in zip(E, MU, strict=True)
    ]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    foil, oxide = read_spectra(tmp_path / "a.csv")
    assert [foil.name, oxide.name] == ["Fe foil", "FeO"]
    np.testing.assert_array_equal(foil.mu, MU)
    np.testing.assert_array_equal(oxide.mu, MU + 1)


def test_soleil_lucia(tmp_path: Path) -> None:
    header = "# XAS / LUCIA / SOLEIL : \n# TARGET : other\n# Fen\xeatre\n# Energy\tIo\tFY\tFY_c\tTEY\n"
    i0 = 13000.0 + np.cos(E)
    text = header + table(E, i0, 0 * E, MU * i0, 0 * E)
    (tmp_path / "Hematite_pt1.dat").write_bytes(text.encode("latin-1"))
    check(tmp_path / "Hematite_pt1.dat", "Hematite_pt1")


def kek_file(detectors: str, modes: str, offsets: str, *columns: np.ndarray) -> str:
    angle = np.degrees(np.arcsin(HC / (2 * 3.13551 * E)))
    head = "  9809     KEK-PF   BL9A\n Fe010      22.05.11 17:26\n Mono : Si(111) D=  3.13551 A  Init\n\n"
    names = f"  Angle(c)  Angle(o)    time/s {detectors}\n      Mode 0 0 {modes}\n    Offset 0 0 {offsets}\n"
    return head + names + table(angle + 1, angle, 0 * E + 2.0, *columns)


def test_kek_9809_fluorescence_and_transmission(tmp_path: Path) -> None:
    i0 = 1.7e6 + 1e3 * np.sin(E)
    fluorescence = kek_file("2 3", "1 3", "7753.7 7157.1", i0 + 2 * 7753.7, MU * i0 + 2 * 7157.1)
    (tmp_path / "a.dat").write_text(fluorescence)
    check(tmp_path / "a.dat", "Fe010", 1e-10)
    transmission = kek_file("2 3", "1 2", "7753.7 7157.1", i0 + 2 * 7753.7, np.exp(-MU) * i0 + 2 * 7157.1)
    (tmp_path / "a.dat").write_text(transmission)
    check(tmp_path / "a.dat", "Fe010", 1e-10)


def test_step_scan_corrects_each_channel_for_dead_time(tmp_path: Path) -> None:
    names = [
        "Energy eV",
        "I0 counts",
        "Ca_Ka_mca1",
        "Fe_Ka_mca1",
        "Fe_Ka_mca2",
        "DTFactor_mca1",
        "DTFactor_mca2",
    ]
    lines = "".join(f"# Column.{i}: {name}  ||  PV:{i}\n" for i, name in enumerate(names, start=1))
    head = f"#XDI/1.1    Epics StepScan File / 2.0\n{lines}# ScanParameters.element: Fe\n# ---\n# Energy I0\n"
    i0, slow, slower = 1e7 + np.sin(E), 1.1 + 0 * E, 1.3 + 0.001 * np.cos(E)
    body = table(E, i0, 7 + 0 * E, MU * i0 * 0.25 / slow, MU * i0 * 0.75 / slower, slow, slower)
    (tmp_path / "scan.001").write_text(head + body)
    check(tmp_path / "scan.001", "scan.001")


def test_scan_taken_downwards_jitter_and_repeated_energies(tmp_path: Path) -> None:
    (tmp_path / "down.dat").write_text(table(E[::-1], MU[::-1]))
    check(tmp_path / "down.dat", "down")
    order = np.arange(E.size)
    order[[40, 41]] = order[[41, 40]]
    (tmp_path / "jitter.dat").write_text(table(E[order], MU[order]))
    check(tmp_path / "jitter.dat", "jitter")
    twice = np.sort(np.concatenate([np.arange(E.size), [50]]))
    offset = np.zeros(twice.size)
    offset[50], offset[51] = 0.01, -0.01
    (tmp_path / "twice.dat").write_text(table(E[twice], MU[twice] + offset))
    check(tmp_path / "twice.dat", "twice", 1e-9)


def test_folder_is_read_in_order_of_paths_and_passes_over_other_files(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for place in ("b/z.dat", "b/a.dat", "c.xmu", "a.txt"):
        (tmp_path / place).write_text(table(E, MU))
    (tmp_path / "README.md").write_text("# Spectra\n7000 1\n")
    (tmp_path / "LICENSE").write_text("Free to use, 2024")
    (tmp_path / "notes.txt").write_text("measured in May")
    (tmp_path / "manifest.csv").write_text("name,file,e_min\nFe foil,a.txt,7000\n")
    (tmp_path / "map.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    assert [spectrum.source for spectrum in read_spectra(tmp_path)] == [
        "a.txt",
        "b/a.dat",
        "b/z.dat",
        "c.xmu",
    ]


def test_a_written_xdi_file_reads_back(tmp_path: Path) -> None:
    columns = [("energy", "eV", E), ("norm", "", MU), ("error", "", 0 * MU)]
    text = render_xdi("Fe2O3\n powder", columns, [("gigaxas.label", "7")], "gigaxas/0.1")
    (tmp_path / "a.xdi").write_text(text)
    (found,) = read_spectra(tmp_path / "a.xdi")
    assert found.name == "Fe2O3 powder"
    np.testing.assert_allclose(found.energy, E, rtol=1e-8)
    np.testing.assert_allclose(found.mu, MU, rtol=1e-8, atol=1e-12)
    assert text.startswith("# XDI/1.0 gigaxas/0.1\n")

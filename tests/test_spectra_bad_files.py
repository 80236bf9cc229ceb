"""Files that cannot be used: each is named, with what was found and what was expected."""

import gzip
from pathlib import Path

import pytest
from gigaxas.errors import InputError
from gigaxas.spectra import read_spectra
from spectra_files import MU, XDI_COUNTS, E, perl_record, table

SHORT = table(E, MU)
BAD_FILES = {
    "empty.xdi": (b"", "no rows of numbers"),
    "words.dat": (b"# energy mu\n7000 one\n" + SHORT.encode(), "line 2"),
    "last_word.dat": (SHORT.encode() + b"7400 one\n", "line 294"),
    "ragged.dat": (SHORT.encode() + b"7400 1 2\n", "has 3 columns; expected 2"),
    "no_names.dat": (table(E, MU, MU).encode(), "3 columns without names"),
    "few.dat": (b"7000 1\n7001 2\n", "expected at least 8"),
    "binary.dat": (b"\0\1\2\3 7000 1", "binary data"),
    "nan.dat": (SHORT.encode() + b"7400 nan\n", "not finite"),
    "inf.dat": (SHORT.encode() + b"7400 1e999\n", "not finite"),
    "two_scans.dat": (2 * SHORT.encode(), "goes back by"),
    "no_mu.xdi": (
        b"# XDI/1.0\n# Column.1: energy eV\n# Column.2: temperature\n#\n" + SHORT.encode(),
        "expected mu",
    ),
    "no_energy.xdi": (
        b"# XDI/1.0\n# Column.1: time\n# Column.2: mu\n#\n" + SHORT.encode(),
        "named energy or angle",
    ),
    "no_d.xdi": (b"# XDI/1.0\n# Column.1: angle\n# Column.2: mu\n#\n" + SHORT.encode(), "Mono.d_spacing"),
    "unit.xdi": (
        b"# XDI/1.0\n# Column.1: energy furlongs\n# Column.2: mu\n#\n" + SHORT.encode(),
        "found the unit 'furlongs'",
    ),
    "lost.xdi": (
        b"# XDI/1.0\n# Column.1: energy\n# Column.2: i0\n# Column.3: itrans\n#\n" + SHORT.encode(),
        "as many as the Column.N",
    ),
    "dark.xdi": (XDI_COUNTS.encode() + table(E, 0 * E, MU).encode(), "not finite"),
    "cut.prj": (gzip.compress(perl_record("a").encode())[:-40], "cannot be unpacked"),
    "none.prj": (b"# Athena project file\n", "no record"),
    "short.prj": (
        b"@args = ('label','a');\n@x = ('1','2');\n@y = ('1');\n[record]\n",
        "as many numbers x as y",
    ),
    "chi.prj": (perl_record("k", extra=",'is_chi','1'").encode(), "is marked is_chi"),
    "broken.prj": (b'{"a": {', "cannot be read as JSON"),
    "deep.prj": (b'{"a":' + b"[" * 200_000, "cannot be read as JSON"),
    "list.prj": (b'{"a": {"args": [], "x": 3, "y": null}}', "as many numbers x as y"),
    "cut.h5": (b"\x89HDF\r\n\x1a\n" + bytes(200), "cannot be read as HDF5"),
    "names.csv": (b"energy,a,b\n" + SHORT.replace(" ", ",").encode(), "3 names over 2 columns"),
    "headless.csv": (table(E, MU, MU).replace(" ", ",").encode(), "3 columns without names"),
    "hole.csv": (b"energy,a\n" + SHORT.replace(" ", ",").encode() + b"7400,\n", "not finite"),
    "kek.dat": (b"  9809 KEK-PF\n Fe\n", "no line Mode"),
    "lucia.dat": (
        b"# XAS / LUCIA / SOLEIL :\n# Energy Io\n" + SHORT.encode(),
        "expected Energy, Io and FY_c",
    ),
    "scan.001": (
        b"#XDI/1.1 Epics StepScan File\n# Column.1: Energy\n# Column.2: I0\n" + SHORT.encode(),
        "DTFactor",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_named_with_what_was_found(tmp_path: Path, name: str) -> None:
    content, found = BAD_FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=found) as caught:
        read_spectra(tmp_path / name)
    assert name in str(caught.value)


def test_a_project_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bomb.prj").write_bytes(gzip.compress(bytes(65 * 2**20), compresslevel=1))
    with pytest.raises(InputError, match="unpacks to more than 64 MiB"):
        read_spectra(tmp_path / "bomb.prj")


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not there"):
        read_spectra(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no spectra in it"):
        read_spectra(tmp_path)

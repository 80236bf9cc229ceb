"""Hostile bytes: whatever a file holds, a reader returns spectra in order or raises InputError."""

import gzip
import tempfile
from pathlib import Path

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.spectra import read_spectra
from hypothesis import example, given, settings
from hypothesis import strategies as st

ROWS = "".join(f"{7000 + 10 * i} {1 + i % 3} {2 + i}\n" for i in range(12))
XDI = (
    "# XDI/1.0\n# Column.1: energy eV\n# Column.2: i0\n# Column.3: itrans\n# Mono.d_spacing: 3.1\n#\n" + ROWS
)
STEPSCAN = (
    "#XDI/1.1 Epics StepScan File / 2.0\n# Column.1: Energy eV\n# Column.2: I0\n# Column.3: Fe_Ka_mca1\n"
    "# Column.4: DTFactor_mca1\n# ScanParameters.element: Fe\n#\n" + ROWS.replace("\n", " 1.5\n")
)
KEK = "  9809 KEK-PF\n Fe\n D= 3.13 A\n Mode 0 0 1 3\n Offset 0 0 1 2\n" + "".join(
    f"{17 - 0.1 * i} {17 - 0.1 * i} 1 {50 + i} {9 + i}\n" for i in range(12)
)
LUCIA = "# XAS / LUCIA / SOLEIL :\n# Energy Io FY_c\n" + ROWS
CSV = "energy,a,b\n" + ROWS.replace(" ", ",")
PERL = "@args = ('label','a\\'b','bkg_eshift','1',[]);\n@x = ({0});\n@y = ({0});\n[record]\n".format(
    ",".join(f"'{7000 + 10 * i}'" for i in range(12))
)
JSON = '{"a": {"args": {"label": "x", "bkg_eshift": 0}, "x": [1,2,3,4,5,6,7,8], "y": [1,2,3,4,5,6,7,9]}}'
SEEDS = {
    "a.xdi": XDI.encode(),
    "a.001": STEPSCAN.encode(),
    "kek.dat": KEK.encode(),
    "lucia.dat": LUCIA.encode(),
    "a.csv": CSV.encode(),
    "plain.dat": b"# energy i0 itrans\n" + ROWS.encode(),
    "perl.prj": PERL.encode(),
    "json.prj": JSON.encode(),
    "zipped.prj": gzip.compress(PERL.encode(), mtime=0),
}
SPLICES = st.lists(
    st.tuples(
        st.integers(0, 2000),
        st.integers(0, 30),
        st.one_of(
            st.binary(max_size=8),
            st.sampled_from(
                [b"nan", b"-inf", b"1e999", b"\n", b"'", b"[[", b"{", b"\0", b"\xff", b"9" * 5000, b"0"]
            ),
        ),
    ),
    min_size=1,
    max_size=4,
)


def read_or_refuse(name: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            spectra = read_spectra(path)
        except InputError:
            return
    for spectrum in spectra:
        assert (np.diff(spectrum.energy) > 0).all()
        assert np.isfinite(spectrum.energy).all()
        assert np.isfinite(spectrum.mu).all()
        assert spectrum.energy.shape == spectrum.mu.shape


@pytest.mark.parametrize("name", SEEDS)
def test_the_seeds_are_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(SEEDS[name])
    assert read_spectra(tmp_path / name)


@pytest.mark.parametrize("name", SEEDS)
@settings(max_examples=150, deadline=None)
@given(splices=SPLICES)
def test_a_damaged_file_is_read_or_refused(name: str, splices: list[tuple[int, int, bytes]]) -> None:
    content = SEEDS[name]
    for at, length, new in splices:
        start = at % (len(content) + 1)
        content = content[:start] + new + content[start + length :]
    read_or_refuse(name, content)


@pytest.mark.parametrize("name", ["a.xdi", "a.prj", "a.dat", "a.csv", "a.h5", "a.xmu", "unknown"])
@settings(max_examples=60, deadline=None)
@given(
    content=st.binary(max_size=300),
    magic=st.sampled_from([b"", b"\x1f\x8b", b"\x89HDF\r\n\x1a\n", b"{", b"#XDI/1"]),
)
@example(content=b"", magic=b"")
def test_random_bytes_are_refused(name: str, content: bytes, magic: bytes) -> None:
    read_or_refuse(name, magic + content)

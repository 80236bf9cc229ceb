"""Hostile bytes: whatever a file holds, a reader returns spectra in order or raises InputError."""

import gzip
import io
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.spectra import read_spectra
from hypothesis import example, given, settings
from hypothesis import strategies as st
from instrument_files import dm3, spc, spx, wdf

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
PERL = "@args = ('label','a\\'b','bkg_eshift','1','n',[]);\n@x = ({0});\n@y = ({0});\n[record]\n".format(
    ",".join(f"'{7000 + 10 * i}'" for i in range(12))
)
JSON = '{"a": {"args": {"label": "x", "bkg_eshift": 0}, "x": [1,2,3,4,5,6,7,8], "y": [1,2,3,4,5,6,7,9]}}'
LARCH = PERL.replace("@args", "# Using Larch version 0.9.80\n@args").replace("'a\\'b'", '"it\'s \\\\u03b1"')
SEVERAL = "# Demeter.output_filetype: multicolumn mu(E)\n#  energy  A  B\n" + ROWS
EUROPEAN = 'Energie [keV];"A; ""5"" \xb5m";B\n' + ROWS.replace(" ", ",5;")
MSA = "#FORMAT      : EMSA/MAS Spectral Data File\n#NPOINTS     : 12.\n#XUNITS      : eV\n#DATATYPE    : Y\n"
MSA += "#OFFSET : 7E2\n#XPERCHAN : 5.\n#SPECTRUM    :\n1., 2., 3., 4.,\n6., 7., 8.,\n8., 7., 6., 5., 4.\n"
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
    "larch.prj": LARCH.encode(),
    "several.nor": SEVERAL.encode(),
    "european.csv": EUROPEAN.encode("cp1252"),
    "excel.csv": CSV.encode("utf-16"),
    "a.msa": MSA.encode(),
    "a.dm3": dm3(),
    "a.wdf": wdf(),
    "a.spx": spx(),
    "a.spc": spc(),
}
SPLICES = st.lists(
    st.tuples(
        st.integers(0, 2000),
        st.integers(0, 30),
        st.one_of(
            st.binary(max_size=8),
            st.sampled_from(
                [
                    *(b"nan", b"-inf", b"1e999", b"\n", b"'", b"[[", b"{", b"\0", b"\xff", b"9" * 5000, b"0"),
                    *(b'"', b";", b",", b"\t", b"(", b"# energy [furlong]", bytes(8), b"\xff" * 8),
                ]
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
@settings(max_examples=100, deadline=None)
@given(splices=SPLICES)
def test_a_damaged_file_is_read_or_refused(name: str, splices: list[tuple[int, int, bytes]]) -> None:
    content = SEEDS[name]
    for at, length, new in splices:
        start = at % (len(content) + 1)
        content = content[:start] + new + content[start + length :]
    read_or_refuse(name, content)


@pytest.mark.parametrize("name", ["a.xdi", "a.prj", "a.csv", "a.h5", "a.dm3", "a.emd", "unknown"])
@settings(max_examples=60, deadline=None)
@given(
    content=st.binary(max_size=300),
    magic=st.sampled_from([b"", b"\x1f\x8b", b"\x89HDF\r\n\x1a\n", b"{", b"#XDI/1", b"\xff\xfe"]),
)
@example(content=b"", magic=b"")
def test_random_bytes_are_refused(name: str, content: bytes, magic: bytes) -> None:
    read_or_refuse(name, magic + content)


# Bytes spoilt inside HDF5 can end the process in its library, so here the layout is what is spoilt.
VALUES = (np.arange(9.0), np.arange(9), np.arange(8.0), np.zeros((9, 2)), np.float64(3), np.zeros(0))
ODD = (np.full(9, np.nan), np.arange(9) > 4, "text", b"bytes", h5py.Empty("f8"), np.zeros(9, "f8,i4"))
LINKS = (*(h5py.SoftLink(place) for place in ("/b/mu", "/nowhere", "/a")), h5py.ExternalLink("x", "y"))
WORDS = ("eV", "keV", b"1/cm", "mm", "energy", "mu", "i0", "absorbed_beam", "NXdata", "NXentry")
ATTRIBUTES = (*WORDS, ["energy", "x"], [], 3, h5py.Empty("S1"), np.array([b"NXdata"]), np.zeros(0))
NAMES = st.sampled_from(
    ["energy", "mu", "fluo", "i0", "itrans", "absorbed_beam", "mode", "title", "incoming_beam", "sample/name"]
)
GROUP = st.tuples(
    st.dictionaries(NAMES, st.sampled_from((*VALUES, *ODD, *LINKS)), max_size=6),
    st.dictionaries(st.sampled_from(["NX_class", "signal", "axes"]), st.sampled_from(ATTRIBUTES)),
    st.none() | st.sampled_from(ATTRIBUTES),
)


@settings(max_examples=100, deadline=None)
@given(groups=st.dictionaries(st.sampled_from(["a", "b", "a/data", "b/instrument"]), GROUP, min_size=1))
def test_hdf5_of_any_layout_is_read_or_refused(groups: dict[str, tuple[dict, dict, object]]) -> None:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name, (arrays, attributes, unit) in groups.items():
            group = file.require_group(name)
            group.attrs.update(attributes)
            for key, values in arrays.items():
                group[key] = values
            if unit is not None and isinstance(group.get("energy"), h5py.Dataset):
                group["energy"].attrs["units"] = unit
    read_or_refuse("a.h5", content.getvalue())


@pytest.mark.parametrize("kept", [20, 96, 300, 800, 1500, 2100, 3000, 5000])
def test_hdf5_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a/energy"], file["a/mu"] = np.arange(900.0), np.arange(900.0)
    content = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(content[:kept])
    with pytest.raises(InputError, match="cannot be read as HDF5"):
        read_spectra(tmp_path / "a.h5")

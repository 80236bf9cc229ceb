"""Sites written as a CSV table and read back."""

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.sites.columns import read_columns, write_columns
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from site_oracle import EDGES

ENERGY = np.linspace(7009.2, 7321.2, 40)
NAMES = ("Hematite", "ferrihydrite, 2-line", '0.50 "A" + 0.50 B', "Wüstite", "e", "f")


@given(hnp.arrays(np.float64, (2, 5), elements=st.floats(allow_nan=False, allow_infinity=False)))
def test_every_digit_comes_back(tmp_path_factory, spectra):
    path = tmp_path_factory.mktemp("columns") / "sites.csv"
    energy = 7000.1 + np.arange(5) / 3
    write_columns(path, energy, spectra, ("a", "b"))
    read_energy, read_spectra, names = read_columns(path)
    np.testing.assert_array_equal(read_energy, energy)
    np.testing.assert_array_equal(read_spectra, spectra)
    assert names == ("a", "b")


def test_names_and_layout(tmp_path):
    path = tmp_path / "sites.csv"
    write_columns(path, ENERGY, EDGES, NAMES)
    assert read_columns(path)[2] == NAMES
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    np.testing.assert_array_equal(table[:, 0], ENERGY)
    np.testing.assert_array_equal(table[:, 1:].T, EDGES)
    assert [file.name for file in tmp_path.iterdir()] == ["sites.csv"]


def test_a_table_without_header_is_read(tmp_path):
    path = tmp_path / "plain.csv"
    np.savetxt(path, np.column_stack([ENERGY, EDGES.T]), delimiter=",", fmt="%.17g")
    energy, spectra, names = read_columns(path)
    np.testing.assert_array_equal(energy, ENERGY)
    np.testing.assert_array_equal(spectra, EDGES)
    assert names == ("1", "2", "3", "4", "5", "6")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "without rows of numbers"),
        ("energy,a\n", "without rows of numbers"),
        ("7000\n7001\n", "without rows of numbers"),
        ("energy,a\n7000,1\n", "1 rows of 2 columns"),
        ("energy,a\n7000,1\n7001,2,3\n", "line 3"),
        ("energy,a\n7000,1\n7001,x\n", "line 3 reads '7001,x'"),
        ("7000,1\n7001,nan\n", "line 2"),
        ("7000,1\n7000,2\n", "do not rise"),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_columns(path)


def test_what_does_not_fit_is_not_written(tmp_path):
    with pytest.raises(InputError, match="do not fit"):
        write_columns(tmp_path / "sites.csv", ENERGY[:-1], EDGES, NAMES)
    assert not list(tmp_path.iterdir())

"""Files as programs and people pass them on: both kinds of quotes, several spectra in one, linked folders."""

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.raw.readers.positions import read_positions
from gigaxas.spectra import read_spectra

ENERGY = np.linspace(7000, 7300, 40)


def perl(values):
    return ",".join(f"'{value:.4f}'" for value in values)


def project(arguments):
    mu = perl(0.3 + (ENERGY > 7125))
    return f"@args = ({arguments});\n@x = ({perl(ENERGY)});\n@y = ({mu});\n[record]\n"


@pytest.mark.parametrize(
    ("arguments", "name", "first"),
    [
        ("'source','a b.dat','bkg_eshift','5','label','hematite'", "hematite", 7005.0),
        ("'source',\"C:/\\x{738b}/it's a.dat\",'bkg_eshift','5','label','hematite'", "hematite", 7005.0),
        ('"label","\\x{3b1}-Fe \\"1\\"",\'bkg_eshift\',\'\'', 'α-Fe "1"', 7000.0),
    ],
    ids=["single", "double", "escapes and an empty shift"],
)
def test_perl_strings_of_both_kinds(tmp_path, arguments, name, first):
    (tmp_path / "a.prj").write_text("# Athena project file\n\n" + project(arguments), encoding="utf-8")
    (found,) = read_spectra(tmp_path / "a.prj")
    assert (found.name, found.energy[0]) == (name, first)


def several(columns, names):
    head = ["XDI/1.0 Demeter/0.9.26", "Demeter.output_filetype: multicolumn normalized mu(E)"]
    head += [f"Column.{number}: {name}" for number, name in enumerate(names, start=1)]
    rows = "\n".join(" ".join(f"{value:.6f}" for value in row) for row in columns)
    return "\n".join(f"# {line}" for line in head) + f"\n{rows}\n"


def test_several_spectra_in_one_file_have_their_columns_names(tmp_path):
    columns = np.column_stack([ENERGY, ENERGY > 7120, ENERGY > 7130])
    (tmp_path / "lib.nor").write_text(several(columns, ["energy eV", "phase A", "phase B"]))
    found = read_spectra(tmp_path / "lib.nor")
    assert [item.name for item in found] == ["phase A", "phase B"]
    np.testing.assert_allclose(found[1].mu, ENERGY > 7130)
    (tmp_path / "lib.nor").write_text(several(columns, ["energy eV", "phase A"]))
    with pytest.raises(InputError, match="3 columns, of which 2 are named"):
        read_spectra(tmp_path / "lib.nor")


def test_a_linked_folder_is_read_once_and_no_circle_is_run_in(tmp_path):
    for folder in ("refs", "elsewhere"):
        (tmp_path / folder).mkdir()
    np.savetxt(tmp_path / "elsewhere" / "early.txt", np.column_stack([ENERGY, ENERGY > 7120]))
    (tmp_path / "refs" / "shared").symlink_to("../elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to("../refs")
    assert [item.source for item in read_spectra(tmp_path / "refs")] == ["shared/early.txt"]


def test_positions_of_a_spreadsheet_in_latin_1(tmp_path):
    (tmp_path / "p.csv").write_bytes(b"field,y_\xb5m,x_\xb5m\nf1,0,2.5\n")
    assert read_positions(tmp_path / "p.csv", "", ["f1"]) == {"f1": (0.0, 2.5)}

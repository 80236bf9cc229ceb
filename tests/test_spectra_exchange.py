"""Files as programs and people pass them on: Athena's projects and exports, linked folders."""

import json

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.raw.readers.positions import read_positions
from gigaxas.spectra import read_spectra
from gigaxas.spectra.readers.formats import read_file

ENERGY = np.linspace(7000, 7300, 40)
MU = 0.3 + (ENERGY > 7125)
DEMETER = "# Athena project file -- Demeter version 0.9.26\n# Using Demeter 0.9.26 with perl 5.038\n\n"
LARCH = "# Athena project file -- Demeter version 0.9.26\n# Using Larch version 0.9.80, Python 3.12\n\n"


def perl(values):
    return ",".join(f"'{value:.4f}'" for value in values)


def record(arguments):
    lists = f"@args = ({arguments});\n@x = ({perl(ENERGY)});\n@y = ({perl(MU)});\n"
    return f"$old_group = 'abc';\n{lists}[record] #\n\n"


def larch(**settings):
    """The settings of a record as Larch writes them: Python's repr of each."""
    pairs = {"bkg_eshift": 0.0, "titles": ["from", "Larch"], **settings}
    return ",".join(f"'{key}',{value!r}" for key, value in sorted(pairs.items()))


RECORDS = {
    "single quotes": (DEMETER, "'source','a b.dat','bkg_eshift','5','label','hematite'", "hematite", 7005.0),
    "double quotes": (
        DEMETER,
        r"""'source',"C:/\x{738b}/it's a.dat",'bkg_eshift','5','label','hematite'""",
        "hematite",
        7005.0,
    ),
    "escapes and an empty shift": (
        DEMETER,
        r""""label","\x{3b1}-Fe \"1\" \$5\x21\041",'bkg_eshift','' """,
        'α-Fe "1" $5!!',
        7000.0,
    ),
    "backslashes": (DEMETER, r"""'label','C:\new\\x it\'s','bkg_eshift',undef""", r"C:\new\x it's", 7000.0),
    "a label over two lines": (DEMETER, "'label','Fe\n@x = (2)','bkg_eshift','-1.5'", "Fe\n@x = (2)", 6998.5),
    "nested settings": (
        DEMETER,
        "'a',{'b' => {},'c' => [1,[2]]},'d',[],'label','Fe','bkg_eshift',5",
        "Fe",
        7005.0,
    ),
    "what Perl counts as true": (
        DEMETER,
        "'inv',!!1,'is_chi',!!0,'label','Fe','bkg_eshift',!!0",
        "Fe",
        7000.0,
    ),
    "an exponent": (DEMETER, "'label','Fe','bkg_eshift','5.0e-001'", "Fe", 7000.5),
    "no label": (DEMETER, "'bkg_eshift','5'", "a 1", 7005.0),
    "Larch": (LARCH, larch(label="hematite", bkg_eshift=5.0, e0=None), "hematite", 7005.0),
    "Larch, an apostrophe": (LARCH, larch(label="it's α"), "it's α", 7000.0),
    "Larch, both quotes": (LARCH, larch(label='it\'s "2" \\ \u202f5'), 'it\'s "2" \\ \u202f5', 7000.0),
    "Larch, numbers of NumPy": (
        LARCH,
        larch(label="Fe", bkg_eshift=np.float32(0.5), npts=np.int64(3)),
        "Fe",
        7000.5,
    ),
}


@pytest.mark.parametrize("case", RECORDS)
def test_a_record_has_its_name_and_its_shift(tmp_path, case):
    head, arguments, name, first = RECORDS[case]
    (tmp_path / "a.prj").write_text(
        head + record(arguments) + record("'label','next'") + "1;\n", encoding="utf-8"
    )
    found, after = read_spectra(tmp_path / "a.prj")
    assert (found.name, found.energy[0]) == (name, first)
    np.testing.assert_array_equal(found.mu, MU)
    assert after.name == "next"


BROKEN = {
    "a key without a value": ("'bkg_eshift','5','label'", "no pairs of keys and values"),
    "a key that is nested": ("['bkg_eshift'],'5','label','Fe'", "no pairs of keys and values"),
    "a missing quote": ("'label','Fe,'bkg_eshift','5'", "expected a comma before it"),
    "a missing comma": (
        "'label' 'Fe','bkg_eshift','5'",
        r"found \"'Fe','bkg_eshift','5'\);\\n@x =\"; expected a comma",
    ),
    "items that Perl joins": ("'label','F'.'e','bkg_eshift','5'", "expected a comma before it"),
    "items that Perl repeats": ("'label','Fe' x 2,'bkg_eshift','5'", "expected a comma before it"),
    "two commas": ("'label',,'bkg_eshift','5'", "expected an item before it"),
    "a bracket that stays open": (
        "'a',['b','label','Fe','bkg_eshift','5'",
        "expected the bracket that was opened",
    ),
    "a bracket too many": ("'a','b'),'label','Fe','bkg_eshift','5'", "expected a semicolon"),
    "another bracket": ("'a',['b'},'label','Fe'", "expected the bracket that was opened"),
    "a call": ("'label',lc('Fe'),'bkg_eshift','5'", "expected a comma before it"),
    "a shift that is no number": ("'label','Fe','bkg_eshift','five'", "and a number bkg_eshift"),
    "a shift with a decimal comma": ("'label','Fe','bkg_eshift','1,5'", "and a number bkg_eshift"),
    "quotes that do not close": ("'label','Fe','bkg_eshift','5", "record 1: found"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_record_that_does_not_parse_is_refused_alone(tmp_path, case):
    arguments, sentence = BROKEN[case]
    (tmp_path / "a.prj").write_text(DEMETER + record(arguments) + record("'label','next'"))
    broken, after = read_file(tmp_path / "a.prj", "a.prj")
    assert isinstance(broken, InputError)
    with pytest.raises(InputError, match=sentence):
        raise broken
    assert after.name == "next"


def test_two_records_without_a_line_between_them_are_not_one(tmp_path):
    text = (record("'label','a'") + record("'label','b'")).replace("[record]", "#", 1)
    (tmp_path / "a.prj").write_text(DEMETER + text)
    with pytest.raises(InputError, match=r"found @args twice; expected a line \[record\]"):
        read_spectra(tmp_path / "a.prj")


def in_json(label, **settings):
    return {"args": {"label": label, **settings}, "x": [str(e) for e in ENERGY], "y": MU.tolist()}


@pytest.mark.parametrize(
    ("project", "names", "refused"),
    [
        ({"b": in_json("B"), "a": in_json("A"), "_____order": ["a", "b"]}, ["A", "B"], ""),
        ({"a": in_json("A"), "b": in_json("B"), "_____order": ["a"]}, ["A", "B"], ""),
        ({"a": in_json("A"), "_____order": ["a", "gone"]}, ["A"], "record 2: found no record 'gone'"),
        ({"a": in_json("A", bkg_eshift=None), "b": {"args": {"label": "B"}}}, ["A"], r"record 2 \(B\)"),
        ({"a": in_json("A"), "c": in_json("C", is_chi="1")}, ["A"], r"record 2 \(C\) is marked is_chi"),
        ({"a": in_json("A"), "c": in_json("C") | {"args": ["label"]}}, ["A"], "no pairs of keys and values"),
        ({"a": in_json("A"), "c": in_json("C") | {"x": ["7,5"] * 40}}, ["A"], "as many numbers x as y"),
    ],
)
def test_every_record_of_a_project_in_json_is_read_or_refused(tmp_path, project, names, refused):
    (tmp_path / "a.prj").write_text(json.dumps(project))
    found = read_file(tmp_path / "a.prj", "a.prj")
    assert [item.name for item in found if not isinstance(item, InputError)] == names
    errors = [item for item in found if isinstance(item, InputError)]
    assert len(errors) == bool(refused)
    for error in errors:
        with pytest.raises(InputError, match=refused):
            raise error


TWO = np.column_stack([ENERGY, ENERGY > 7120, ENERGY > 7130])


def several(numbered, label="", kind="normalized mu(E)"):
    head = ["XDI/1.0 Demeter/0.9.26", f"Demeter.output_filetype: multicolumn {kind}", "Element.symbol: Fe"]
    head += [f"Column.{number}: {name}" for number, name in numbered]
    head += ["-----", label] if label else []
    rows = "\n".join(" ".join(f"{value:.6f}" for value in row) for row in TWO)
    return "\n".join(f"# {line}" for line in head) + f"\n{rows}\n"


EXPORTS = {
    "numbered": several(enumerate(["energy eV", "phase A", "norm"], 1)),
    "numbered and labelled": several(enumerate(["energy eV", "phase A", "norm"], 1), "energy  phase_A  norm"),
    "numbered from k": several(
        enumerate(["k", "energy", "x", "y"], 1), "energy  phase A  norm".replace("e A", "e_A")
    ),
    "numbered with gaps": several([(1, "k"), (2, "energy"), (4, "x"), (5, "y")], "energy  phase_A  norm"),
    "not normalised": several(enumerate(["energy eV", "phase A", "norm"], 1), kind="mu(E)"),
}


@pytest.mark.parametrize("case", EXPORTS)
def test_several_spectra_in_one_file_have_their_columns_names(tmp_path, case):
    (tmp_path / "lib.nor").write_text(EXPORTS[case])
    first, second = read_spectra(tmp_path / "lib.nor")
    assert (first.name.replace("_", " "), second.name) == ("phase A", "norm")
    np.testing.assert_allclose(second.mu, ENERGY > 7130)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (several(enumerate(["energy eV", "phase A"], 1)), "3 columns, of which 2 are named"),
        (several(enumerate(["k", "energy", "x", "y"], 1)), "3 columns, of which 4 are named"),
        (several(enumerate(["k", "A", "B"], 1), kind="k^2 * chi(k)"), r"holds k\^2 \* chi\(k\)"),
        (several(enumerate(["energy", "A", "B"], 1), kind="derivative mu(E)"), "holds derivative"),
    ],
)
def test_an_export_of_anything_else_is_refused(tmp_path, text, sentence):
    (tmp_path / "lib.nor").write_text(text)
    with pytest.raises(InputError, match=sentence):
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

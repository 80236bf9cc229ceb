"""A folder of references made into a library: what is used, shifted, refused, and why."""

from pathlib import Path

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.spectra import Spectrum, read_library, standardise
from gigaxas.spectra.edges import edge_ranges, find_edge, parse_edge
from gigaxas.spectra.library import typical_spectrum
from gigaxas.spectra.normalisation import is_normalised
from spectra_model import GRID, edge, raw, scan_energies

E = scan_energies()


def write(path: Path, energy=E, mu=None, name: str = "") -> None:
    mu = raw(energy) if mu is None else mu
    path.parent.mkdir(exist_ok=True)
    head = f"# XDI/1.0\n# Column.1: energy eV\n# Column.2: mu\n# Sample.name: {name}\n#\n"
    path.write_text(head + "".join(f"{e:.6f} {m:.9f}\n" for e, m in zip(energy, mu, strict=True)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three beamlines' folders: four usable phases, copies, and scans gone wrong."""
    rng = np.random.default_rng(11)
    write(tmp_path / "one/a.xdi", name="foil")
    write(tmp_path / "one/b.xdi", mu=raw(E, e0=7124.0), name="oxide")
    write(tmp_path / "two/copy.xdi", mu=5 * raw(E) + 0.25, name="foil")
    write(tmp_path / "two/short.xdi", np.arange(7060, 7250, 1.0), name="short")
    write(tmp_path / "two/x.xdi", mu=raw(E, white=0.8), name="oxide")
    write(tmp_path / "wrong/bumps.xdi", mu=rng.standard_normal(E.size), name="no edge")
    write(tmp_path / "wrong/cut.xdi", mu=np.where(E < 7118.0, 0.0, raw(E)), name="cut out")
    write(tmp_path / "wrong/noisy.xdi", mu=raw(E) + 0.05 * rng.standard_normal(E.size), name="noisy")
    write(tmp_path / "wrong/swapped.xdi", mu=-raw(E), name="swapped")
    write(tmp_path / "wrong/z.xdi", mu=raw(E, wiggle=0.1), name="zeta")
    (tmp_path / "wrong/broken.xdi").write_text("# XDI/1.0\n# Column.1: energy\n# Column.2: mu\n7000 one\n")
    (tmp_path / "README.md").write_text("Spectra of three beamlines.")
    return tmp_path


def test_every_record_has_a_row_and_a_reason(folder: Path) -> None:
    library = read_library(folder, GRID)
    assert library.names == ("foil (a)", "oxide (b)", "oxide (x)", "zeta")
    assert library.spectra.shape == (4, 178)
    table = [(row.source, row.status) for row in library.table]
    assert table == [
        ("README.md", "no spectrum"),
        ("one/a.xdi", "read"),
        ("one/b.xdi", "read"),
        ("two/copy.xdi", "duplicate"),
        ("two/short.xdi", "refused"),
        ("two/x.xdi", "read"),
        ("wrong/broken.xdi", "refused"),
        ("wrong/bumps.xdi", "refused"),
        ("wrong/cut.xdi", "refused"),
        ("wrong/noisy.xdi", "refused"),
        ("wrong/swapped.xdi", "refused"),
        ("wrong/z.xdi", "read"),
    ]
    reasons = {row.source: row.reason for row in library.table}
    assert reasons["two/copy.xdi"] == "the same data as 'foil (a)'"
    assert "expected it to cover the grid" in reasons["two/short.xdi"]
    assert "line 4" in reasons["wrong/broken.xdi"]
    assert "edge step" in reasons["wrong/bumps.xdi"]
    assert "a detector cut out" in reasons["wrong/cut.xdi"]
    assert "noise" in reasons["wrong/noisy.xdi"]
    assert "rise" in reasons["wrong/swapped.xdi"] or "negative" in reasons["wrong/swapped.xdi"]
    assert reasons["one/a.xdi"] == ""


def test_spectra_are_the_normalised_edges_on_the_grid(folder: Path) -> None:
    library = read_library(folder, GRID, select=["one/*"])
    for found, e0 in zip(library.spectra, (7120.0, 7124.0), strict=True):
        truth = edge(GRID, e0=e0)
        assert standardise(found) @ standardise(truth) > 0.9995
        assert np.abs(found - truth).max() < 0.03
    row = library.table[0]
    assert row.e0_ev == pytest.approx(7120.0, abs=0.5)
    assert row.edge_step == pytest.approx(1.3, rel=0.05)


def test_the_shift_of_a_source_moves_its_spectra_alone(folder: Path) -> None:
    every = ["one", "two", "wrong"]
    plain = read_library(folder, GRID, select=every)
    moved = read_library(folder, GRID, select=every, shifts={"one/b.xdi": -3.0, "two": 1.5})
    assert [row.shift_ev for row in moved.table[:5]] == [0.0, -3.0, 1.5, 1.5, 1.5]
    assert moved.table[1].e0_ev == pytest.approx(plain.table[1].e0_ev - 3.0, abs=1e-6)
    np.testing.assert_array_equal(moved.spectra[0], plain.spectra[0])
    assert [row.status for row in moved.table[:3]] == ["read", "read", "read"]
    write(folder / "three/c.xdi", energy=E - 3.0, mu=raw(E, e0=7124.0), name="moved by hand")
    by_hand = read_library(folder, GRID, select=["three"])
    np.testing.assert_allclose(by_hand.spectra[0], moved.spectra[1], atol=1e-9)


@pytest.mark.parametrize(
    ("select", "names"),
    [
        (["oxide", "wrong/z.*"], ("oxide (b)", "oxide (x)", "zeta")),
        (["oxide (x)"], ("oxide",)),
        (["two"], ("foil", "oxide")),
    ],
)
def test_names_are_told_apart_among_those_selected(folder: Path, select, names) -> None:
    assert read_library(folder, GRID, select=select).names == names


def test_equal_names_are_told_apart_by_the_shortest_that_does(tmp_path: Path) -> None:
    for place, e0 in (("a/x.xdi", 7120), ("b/x.xdi", 7122), ("c.xdi", 7124), ("c.dat", 7126)):
        write(tmp_path / place, mu=raw(E, e0=e0), name="oxide")
    assert read_library(tmp_path, GRID).names == (
        "oxide (a/x.xdi)",
        "oxide (b/x.xdi)",
        "oxide (c.dat)",
        "oxide (c.xdi)",
    )


def test_equal_names_in_one_file_are_numbered(tmp_path: Path) -> None:
    rows = [f"{e:.6f},{a:.9f},{b:.9f}" for e, a, b in zip(E, raw(E), raw(E, e0=7125), strict=True)]
    (tmp_path / "t.csv").write_text("energy,x,x\n" + "\n".join(rows))
    assert read_library(tmp_path / "t.csv", GRID).names == ("x (t)", "x (t) 2")


def test_a_short_spectrum_is_held_at_its_lines_where_asked(folder: Path) -> None:
    library = read_library(folder, GRID, select=["two/short.xdi"], extrapolate=True)
    row = library.table[0]
    assert row.reason == "held over 50.8 eV at the grid's start; held over 72.2 eV at the grid's end"
    assert np.abs(library.spectra[0][:28]).max() < 0.02
    assert np.abs(library.spectra[0][-40:] - 1).max() < 0.05


def test_refusals_of_the_whole_library(folder: Path) -> None:
    cases = [
        ({"select": ["one/*", "tow/*"]}, "select pattern 'tow/\\*' names no reference"),
        ({"select": []}, "select is empty"),
        ({"shifts": {"four": 1.0}}, "energy shift pattern 'four' names no reference"),
        ({"shifts": {"one": 1.0, "one/a.xdi": 2.0}}, "expected one; make the patterns narrower"),
        ({"shifts": {"one": np.nan}}, "expected a number of eV"),
        ({"select": ["wrong/[bcns]*"]}, "none of 5 references can be used"),
        ({"pre_edge": (7095.0, 7009.0)}, "four rising energies"),
    ]
    for options, message in cases:
        with pytest.raises(InputError, match=message):
            read_library(folder, GRID, **options)
    with pytest.raises(InputError, match="increasing energies"):
        read_library(folder, GRID[::-1])


def test_one_bad_record_of_a_project_leaves_the_others(tmp_path: Path) -> None:
    def perl(values) -> str:
        return "(" + ",".join(f"'{v:.9f}'" for v in values) + ")"

    records = [
        ("good", E, raw(E)),
        ("gap", E, np.where(E[9] == E, np.nan, raw(E))),
        ("late", E, raw(E, e0=7126)),
    ]
    text = "".join(
        f"@args = ('label','{n}');\n@x = {perl(e)};\n@y = {perl(m)};\n[record]\n" for n, e, m in records
    )
    (tmp_path / "a.prj").write_text(text)
    library = read_library(tmp_path, GRID)
    assert library.names == ("good", "late")
    assert [row.status for row in library.table] == ["read", "refused", "read"]


def test_a_spectrum_that_is_normalised_already_is_left_alone(tmp_path: Path) -> None:
    short = np.linspace(7090, 7175, 58)
    pre, post = edge_ranges(parse_edge("Fe K"), short)
    write(tmp_path / "a.xdi", mu=edge(E, wiggle=0.1), name="done")
    write(tmp_path / "b.xdi", mu=raw(E, wiggle=0.1), name="raw")
    library = read_library(tmp_path, short, pre_edge=pre, post_edge=post, edge=parse_edge("Fe K"))
    assert [row.reason for row in library.table] == ["normalised already", ""]
    np.testing.assert_allclose(library.spectra[0], np.interp(short, E, edge(E, wiggle=0.1)), atol=1e-8)


@pytest.mark.parametrize(
    ("low", "high", "known"), [(0.04, 1.0, True), (0.06, 1.0, False), (0.0, 1.06, False)]
)
def test_normalised_is_within_a_twentieth_of_the_step(low: float, high: float, known: bool) -> None:
    flat = np.where(E < 7120.0, low, high)
    assert is_normalised(Spectrum("s", E, flat), (7009.2, 7080.0), (7200.0, 7321.2)) == known


def test_spectra_without_an_edge_are_taken_as_they_are(tmp_path: Path) -> None:
    axis = np.linspace(100, 3200, 400)
    for name, at in {"calcite": 1086, "quartz": 464}.items():
        np.savetxt(tmp_path / f"{name}.txt", np.column_stack([axis, 9e3 * np.exp(-(((axis - at) / 9) ** 2))]))
    np.savetxt(tmp_path / "flat.txt", np.column_stack([axis, np.full(400, 7.0)]))
    library = read_library(tmp_path, axis, method=None)
    assert library.names == ("calcite", "quartz")
    assert library.spectra.max() > 8e3
    assert [row.edge_step for row in library.table] == [None] * 3
    assert "the same at every energy" in library.table[1].reason


@pytest.mark.parametrize("ending", ["t", "r", "e", "xsp", "xmu", "nor", "asc", "tsv", "xas", "mu", "data"])
def test_two_columns_are_read_whatever_the_beamline_calls_them(tmp_path: Path, ending: str) -> None:
    np.savetxt(tmp_path / f"late.{ending}", np.column_stack([E, raw(E)]))
    assert read_library(tmp_path, GRID).names == ("late",)


@pytest.mark.real
def test_iron_l_references_of_a_beamline_are_normalised_by_constants(stacks_folder: Path) -> None:
    folder = stacks_folder / "als_stxm_fe_l"
    energy = np.loadtxt(folder / "oxidized.t")[:, 0]
    found = find_edge(energy, typical_spectrum(folder, energy))
    assert found is not None
    assert found.name == "Fe L3"
    pre, post = edge_ranges(found, energy)
    library = read_library(
        folder, energy, pre_edge=pre, post_edge=post, method=found.method, select=["*.t"], edge=found
    )
    assert [row.status for row in library.table] == ["read", "read"]
    for spectrum in library.spectra:
        assert spectrum[energy <= pre[1]].mean() == pytest.approx(0.0, abs=0.05)
        assert spectrum[energy >= post[0]].mean() == pytest.approx(1.0, abs=0.05)
        assert 4 < spectrum.max() < 6


@pytest.mark.real
@pytest.mark.parametrize("axis", [GRID, np.linspace(7090, 7175, 58)])
def test_references_as_a_beamline_gives_them_are_known_as_normalised(stacks_folder: Path, axis) -> None:
    iron = parse_edge("Fe K")
    pre, post = edge_ranges(iron, axis)
    folder = stacks_folder.parent / "fe_k_references_als"
    library = read_library(folder, axis, pre_edge=pre, post_edge=post, edge=iron, extrapolate=True)
    used = [row for row in library.table if row.status == "read"]
    assert len(used) >= 55
    assert all(row.reason.startswith("normalised already") for row in used)

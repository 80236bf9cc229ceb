"""`gigaxas sites`: what it prints, draws and leaves, and references that cannot serve."""

import csv
import io
import re
import sys

import gigaxas as gx
import numpy as np
import pytest
import yaml
from gigaxas.cli.tables import show_references, show_sites
from gigaxas.cli.verbs import main
from gigaxas.sites import Proof, SiteAudit, audit_sites, build_candidates, reduce_table
from gigaxas.spectra import ReadRow
from gigaxas.stores.sites import read_sites
from gigaxas.workflow.classify import classify
from PIL import Image
from rich.console import Console
from small_runs import ENERGY, edges, scene, write_cube

NUMBER = r"[\d.]+(?:e-\d+)?"


@pytest.fixture
def measured(tmp_path):
    """A cube of four phases, and a folder of references, one file each."""
    rng = np.random.default_rng(2)
    spectra = edges(4, rng)
    write_cube(tmp_path / "cube.zarr", scene(rng, spectra, (30, 34)), [16], [16])
    (tmp_path / "spectra").mkdir()
    for name, spectrum in zip("abcd", spectra, strict=True):
        write_reference(tmp_path, name, spectrum)
    return tmp_path


def write_reference(folder, name, mu, energy=ENERGY):
    table = np.column_stack([energy, mu])
    np.savetxt(folder / "spectra" / f"{name}.csv", table, delimiter=",", header=f"energy,{name}", comments="")


def settings(folder, **sections):
    return {
        "title": "small",
        "output": str(folder / "out"),
        "cube": {"path": str(folder / "cube.zarr")},
        "references": {"path": str(folder / "spectra")},
        "noise": {"c_ref": 3e5},
        "sites": {"trials": 200},
        "compute": {"cluster": "threads", "workers": 2},
        **sections,
    }


def gigaxas(capsys, folder, verb, **sections):
    """Run a verb in this process; return exit code, what it printed, and its errors."""
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(settings(folder, **sections)))
    before, sys.argv = sys.argv, ["gigaxas", verb, str(path)]
    try:
        main()
        code = 0
    except SystemExit as left:
        code = left.code or 0
    finally:
        sys.argv = before
    return code, *capsys.readouterr()


def test_sites_tells_what_was_read_and_how_far_to_trust_the_sites(measured, capsys):
    code, said, _ = gigaxas(capsys, measured, "sites")
    assert code == 0
    stored = read_sites(measured / "out" / "sites.zarr")
    noise = gx.NoiseModel(3e5, 0.36, 1.56)
    candidates = build_candidates(stored.references, noise, trials=200)
    audit = audit_sites(reduce_table("abcd", candidates, noise), candidates, noise)
    n = len(candidates.spectra)
    assert "references 4 read, of 4 records" in said
    assert "noise      c_ref 300000, mu_low 0.36, mu_high 1.56, A 9.3131, B 63.003" in said
    assert f"candidates {n:,}: 4 references, 6 pairs, {n - 10:,} accepted of 200 trials of 3" in said
    assert f"sites      {len(stored.table.names):,} by the reduction 'average' at 0.0001" in said
    low, median = np.quantile(audit.spacing_error, [0, 0.5])
    row = re.search(rf"{len(stored.table.names)} sites +({NUMBER}) +{NUMBER} +{NUMBER} +({NUMBER})", said)
    assert row.groups() == (f"{low:.2g}", f"{median:.2g}")
    assert re.search(rf"candidates( +{NUMBER}){{7}}\n", said)
    assert f"N = 3 {audit.uncovered[3]:.2%}, N = 4 {audit.uncovered[4]:.2%}" in said
    assert f"dimension  {audit.dimension} (10 neighbours, eigenvalues above 0.1 of the largest)" in said
    assert re.search(r"proof      Eq\. 1 .* off by \d\.\d sigma at most", said)
    for name in ("sites.zarr", "sites.csv", "references.csv", "sites.png", "proof.png"):
        assert f"{measured / 'out' / name}\n" in said
    np.testing.assert_array_equal(stored.audit.spacing_error, audit.spacing_error)


def test_a_second_call_says_the_same_and_makes_nothing(measured, capsys):
    _, first, _ = gigaxas(capsys, measured, "sites")
    made = (measured / "out" / "sites.png").stat().st_mtime_ns
    _, second, _ = gigaxas(capsys, measured, "sites")
    assert second[second.index("\nreferences ") :] == first[first.index("\nreferences ") :]
    assert (measured / "out" / "sites.png").stat().st_mtime_ns == made


def test_classify_tells_of_sites_that_it_makes_and_only_then(measured, capsys):
    _, said, _ = gigaxas(capsys, measured, "classify")
    assert "spacing  " in said
    assert said.index("references 4 read") < said.index("assign")
    page = (measured / "out" / "report.html").read_text()
    assert "How far to trust the sites" in page
    assert page.count("prefers-color-scheme: dark)") >= 4
    _, said, _ = gigaxas(capsys, measured, "classify", clean_up={"p_num": 25})
    assert "spacing  " not in said


def test_pictures_are_drawn_and_old_ones_do_not_stay(measured, capsys):
    gigaxas(capsys, measured, "sites")
    for name in ("sites.png", "proof.png"):
        with Image.open(measured / "out" / name) as picture:
            assert min(picture.size) > 700
            assert len(np.unique(np.asarray(picture.convert("L")))) > 20
    _, said, _ = gigaxas(
        capsys, measured, "sites", sites={"mixtures": "none", "method": "net"}, noise={"c_ref": 3e9}
    )
    assert "proof      none: no two spectra near enough" in said
    assert not (measured / "out" / "proof.png").exists()


def test_every_record_has_a_line_and_a_reason(measured, capsys):
    good = np.loadtxt(measured / "spectra" / "a.csv", delimiter=",", skiprows=1)[:, 1]
    write_reference(measured, "copy", good)
    write_reference(measured, "flat", np.full(len(ENERGY), 0.5))
    write_reference(measured, "upside", -good)
    write_reference(measured, "short 1", good[3:], ENERGY[3:])
    write_reference(measured, "short 2", good[3:] * 2, ENERGY[3:])
    write_reference(measured, "gap", np.where(ENERGY > 7200, np.nan, good))
    code, said, _ = gigaxas(
        capsys, measured, "check", references={"path": str(measured / "spectra"), "shifts": {"b": 0.5}}
    )
    assert code == 0
    assert "references 4 read, 1 duplicate, 5 refused, of 10 records" in said
    assert re.search(r"^b +b\.csv +\+0\.50 ", said, re.MULTILINE)
    assert "duplicate  copy: the same data as 'a'" in said
    assert "mu does not rise from 7080 to 7200 eV: flat" in said
    assert re.search(r"refused +1 +(the edge step is|mu does not rise).*: upside", said)
    assert re.search(r"refused +2 +.*from 7049\.9 to 7321\.2 eV: short 1, short 2", said)
    assert "nothing wrong found" in said


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda mu: np.full_like(mu, 0.5),
            "mu does not rise from 7080 to 7200 eV; expected an absorption edge",
        ),
        (lambda mu: 2.0 - mu, "the edge step is -"),
        (lambda mu: np.where(np.arange(mu.size) == 5, np.nan, mu), "not finite"),
    ],
    ids=["flat", "negative edge step", "not finite"],
)
def test_a_lone_reference_that_cannot_serve_is_bad_input(measured, capsys, change, sentence):
    good = np.loadtxt(measured / "spectra" / "a.csv", delimiter=",", skiprows=1)[:, 1]
    write_reference(measured, "lone", change(good))
    lone = {"path": str(measured / "spectra" / "lone.csv")}
    code, _, errors = gigaxas(capsys, measured, "sites", references=lone)
    assert code == 2
    assert sentence in errors
    assert errors.count("\n") == 1
    assert not (measured / "out").exists()


def test_a_reference_short_of_the_grid_is_refused_unless_asked(measured, capsys):
    good = np.loadtxt(measured / "spectra" / "a.csv", delimiter=",", skiprows=1)[:, 1]
    write_reference(measured, "short", good[2:], ENERGY[2:])
    lone = {"path": str(measured / "spectra" / "short.csv")}
    code, _, errors = gigaxas(capsys, measured, "check", references=lone)
    assert code == 2
    assert "expected it to cover the grid, 7009.2 to 7321.2 eV" in errors
    code, said, _ = gigaxas(capsys, measured, "check", references={**lone, "extrapolate": True}, sites={})
    assert code == 0
    assert "held 27.1 eV at start" in said


def test_identical_columns_are_one_site_and_no_nan(measured, capsys):
    good = np.loadtxt(measured / "spectra" / "a.csv", delimiter=",", skiprows=1)[:, 1]
    np.savetxt(
        measured / "twins.csv",
        np.column_stack([ENERGY, good, good]),
        delimiter=",",
        header="energy,one,two",
        comments="",
    )
    code, said, _ = gigaxas(capsys, measured, "sites", sites={"file": str(measured / "twins.csv")})
    assert code == 0
    assert "nan" not in said
    assert re.search(r"2 sites( +0\.5){7}", said)
    twins = {"path": str(measured / "twins.csv")}
    code, said, _ = gigaxas(
        capsys, measured, "sites", references=twins, sites={"mixtures": "none"}, title="small"
    )
    assert "duplicate  two: the same data as 'one'" in said
    assert "sites      1 by" in said


def test_counts_below_the_camera_s_lowest_are_told_before_anything_runs(measured, capsys):
    code, _, errors = gigaxas(capsys, measured, "classify", noise={"c_ref": 60, "mu_high": 2.1})
    assert code == 2
    assert "below the camera's lowest count of 6.765" in errors
    assert not (measured / "out").exists()


def test_references_csv_tells_every_reason_in_full(measured, capsys):
    write_reference(measured, "flat", np.full(len(ENERGY), 0.5))
    gigaxas(capsys, measured, "sites")
    with (measured / "out" / "references.csv").open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert rows["flat"]["status"] == "refused"
    assert (
        "flat.csv: spectrum 'flat': mu does not rise from 7080 to 7200 eV; expected" in rows["flat"]["reason"]
    )
    assert rows["a"]["status"] == "read"
    assert float(rows["a"]["edge_step"]) > 0.5


def printed(show, *what, width=80, screen=False):
    text = io.StringIO()
    show(Console(file=text, width=width, force_terminal=screen, color_system=None), *what)
    return text.getvalue()


def test_equal_reasons_are_one_line_and_names_are_cut_to_the_screen():
    long = "a reason that is long enough to pass the end of any screen"
    rows = [ReadRow(f"scan {i}", "s.prj", "refused", 0.0, None, None, "r", long) for i in range(9)]
    rows.append(ReadRow("x" * 50, "f.xdi", "read", 0.0, 7112.0, 1.0, "", ""))
    said = printed(show_references, rows)
    assert f"refused    9   {long}: scan 0, scan 1, scan 2, scan 3 and 5 more\n" in said
    assert f"{'x' * 31}… f.xdi" in said
    on_screen = printed(show_references, rows, screen=True)
    assert max(map(len, on_screen.splitlines())) <= 80
    assert printed(show_references, []) == ""


def test_classify_passes_new_sites_on(measured):
    made = []
    classify(gx.load_config(written(measured)), show_sites=made.append)
    assert [type(made[0].stored.audit), type(made[0].stored.proof)] == [SiteAudit, Proof]
    assert printed(show_sites, made[0]).startswith("references 4 read")


def written(folder):
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(settings(folder)))
    return path

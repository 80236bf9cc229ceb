"""Spectra named by their nearest library entries: names, figures, unknowns, grids and what is refused."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import gigaxas as gx
import numpy as np
import pytest
from gigaxas.simulate import modelled_library
from gigaxas.sites import paired_error
from gigaxas.stores.io.chunks import save_array
from gigaxas.stores.io.groups import create_group
from gigaxas.workflow.identify import Comparison, comparison, identify, write_matches
from scipy.optimize import brentq

ENERGY = np.linspace(7009.2, 7321.2, 178)
NAMES, SPECTRA = modelled_library(ENERGY)
InputError = gx.InputError
NOISE = gx.NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)


def write_table(path: Path, energy: np.ndarray, names: list[str], spectra: np.ndarray) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["energy_ev", *names])
        writer.writerows(np.column_stack([energy, *spectra]).tolist())
    return path


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return write_table(tmp_path / "library.csv", ENERGY, list(NAMES), SPECTRA)


def query(folder: Path, spectra: np.ndarray, energy: np.ndarray = ENERGY) -> Path:
    spectra = np.atleast_2d(spectra)
    return write_table(folder / "query.csv", energy, [f"q{i}" for i in range(len(spectra))], spectra)


def test_every_figure_is_what_it_says(tmp_path: Path, library: Path) -> None:
    rng = np.random.default_rng(1)
    values = SPECTRA[[3, 17, 40]] + rng.normal(0, 0.003, (3, 178))
    found = identify(query(tmp_path, values), library)
    assert found.entries == len(NAMES)
    assert not found.left_out
    for match, x in zip(found.matches, values, strict=True):
        r = np.array([np.corrcoef(x, entry)[0, 1] for entry in SPECTRA])
        first, second = np.argsort(-r)[:2]
        assert (match.nearest, match.runner_up) == (NAMES[first], NAMES[second])
        assert match.correlation == pytest.approx(r[first], abs=1e-9)
        assert match.runner_up_correlation == pytest.approx(r[second], abs=1e-9)
        assert match.distance == pytest.approx(np.sqrt(2 - 2 * r[first]), rel=1e-6)
        error = gx.site_error(np.stack([x, *SPECTRA[[first, second]]]), NOISE)
        assert match.error == pytest.approx(error[0, 1], rel=1e-6)
        assert match.runner_up_error == pytest.approx(error[1, 2], rel=1e-6)
        assert match.name == match.nearest
    assert [match.name for match in found.matches] == [NAMES[i] for i in (3, 17, 40)]


def test_what_no_entry_matches_within_the_noise_is_unknown(tmp_path: Path, library: Path) -> None:
    strange = SPECTRA[0] + 0.5 * np.sin(ENERGY / 9) * (ENERGY > 7110)
    found = identify(query(tmp_path, np.stack([strange, SPECTRA[0]])), library)
    assert [match.name for match in found.matches] == ["unknown", NAMES[0]]
    assert found.matches[0].error < 1e-4
    assert found.matches[0].nearest in NAMES
    half = query(tmp_path, 0.6 * SPECTRA[0] + 0.4 * SPECTRA[9])
    errors = [identify(half, library, Comparison(limit=limit)).matches[0] for limit in (1e-30, 0.4)]
    assert [match.name == "unknown" for match in errors] == [False, True]


@pytest.mark.parametrize("limit", [1e-4, 1e-2])
def test_unknown_begins_at_the_limit(tmp_path: Path, limit: float) -> None:
    """Two spectra whose s_error with their entry is a hundredth above and a hundredth below the limit."""

    def error(step: float) -> float:
        pair = SPECTRA[0] + np.array([[0.0], [step]]) * (SPECTRA[9] - SPECTRA[0])
        return float(gx.site_error(pair, NOISE)[0, 1])

    steps = [brentq(lambda step, wanted=limit * part: error(step) - wanted, 0, 0.5) for part in (1.01, 0.99)]
    spectra = SPECTRA[0] + np.array(steps)[:, None] * (SPECTRA[9] - SPECTRA[0])
    asked = query(tmp_path, spectra)
    store = write_table(tmp_path / "two.csv", ENERGY, [NAMES[0], NAMES[9]], SPECTRA[[0, 9]])
    found = identify(asked, store, Comparison(limit=limit)).matches
    assert [match.nearest for match in found] == [NAMES[0]] * 2
    assert [match.name for match in found] == [NAMES[0], "unknown"]
    if limit == 1e-4:
        assert identify(asked, store).matches == found


def test_entries_are_resampled_to_each_spectrum(tmp_path: Path) -> None:
    finer = np.linspace(7000, 7330, 700)
    names, spectra = modelled_library(finer)
    store = write_table(tmp_path / "library.csv", finer, list(names), spectra)
    folder = tmp_path / "queries"
    folder.mkdir()
    for i, step in enumerate((0.9, 1.7, 2.3)):
        grid = np.arange(7010.0, 7320.0, step)
        write_table(folder / f"{i}.csv", grid, [f"of {step}"], modelled_library(grid)[1][[i * 7]])
    found = identify(folder, store)
    assert [match.name for match in found.matches] == [NAMES[i * 7] for i in range(3)]
    assert all(match.correlation > 0.9999 for match in found.matches)


def test_a_range_makes_short_entries_comparable(tmp_path: Path, library: Path) -> None:
    wide = np.linspace(7000, 7500, 300)
    spectra = query(tmp_path, modelled_library(wide)[1][5], wide)
    with pytest.raises(InputError, match=r"0 of 61 entries can be compared from 7000 to 7500 eV"):
        identify(spectra, library)
    assert identify(spectra, library, Comparison(span=(7010, 7320))).matches[0].name == NAMES[5]


def test_measured_absorbance_is_normalised(tmp_path: Path) -> None:
    energy = np.linspace(7000, 7330, 400)
    _, spectra = modelled_library(energy)
    tilted = 0.4 + 1.3 * spectra - 2e-4 * (energy - 7100)
    store = write_table(tmp_path / "library.csv", energy, list(NAMES), tilted * 0.7 + 0.1)
    found = identify(query(tmp_path, tilted[[8, 21]], energy), store, comparison(None, True, None))
    assert [match.name for match in found.matches] == [NAMES[8], NAMES[21]]


def test_as_is_compares_heights_too(tmp_path: Path) -> None:
    spectra = np.stack([SPECTRA[0], 1.2 * SPECTRA[0], SPECTRA[4]])
    store = write_table(tmp_path / "library.csv", ENERGY, ["one", "taller", "other"], spectra)
    asked = query(tmp_path, 1.19 * SPECTRA[0])
    assert identify(asked, store, Comparison(standardised=False)).matches[0].nearest == "taller"
    assert identify(asked, store).matches[0].nearest == "one"


def test_spectra_of_any_kind_with_white_noise(tmp_path: Path) -> None:
    axis = np.linspace(200, 1200, 500)
    entries = 1000 * np.random.default_rng(0).random((9, 500)).cumsum(axis=1)
    store = write_table(tmp_path / "library.csv", axis, [f"s{i}" for i in range(9)], entries)
    asked = query(tmp_path, entries[4] + 1.0, axis)
    assert identify(asked, store, Comparison(noise=5.0)).matches[0].name == "s4"
    with pytest.raises(InputError, match=r"normalise measured ones .* give the noise of any others"):
        identify(asked, store)


def test_a_run_names_its_clusters_and_leaves_their_errors_out(tmp_path: Path, library: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "clusters.csv").write_text("label\n")
    columns = np.stack([SPECTRA[2], np.full(178, np.nan), SPECTRA[30], np.full(178, 1e-3)])
    names = ["label_4", "error_4", "label_9", "error_9"]
    write_table(run / "spectra.csv", ENERGY, names, columns)
    found = identify(run, library)
    assert [(match.spectrum, match.name) for match in found.matches] == [
        ("label_4", NAMES[2]),
        ("label_9", NAMES[30]),
    ]


def test_a_run_may_be_named_by_its_tables_and_brings_its_noise(tmp_path: Path, library: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "clusters.csv").write_text("label\n")
    write_table(run / "spectra.csv", ENERGY, ["label_4"], SPECTRA[[2]])
    plain = comparison(None, False, None)
    for path in (run, run / "clusters.csv", run / "spectra.csv"):
        assert identify(path, library).matches[0].name == NAMES[2]
        with pytest.raises(gx.InputError, match="does not tell the noise of this run"):
            comparison(None, False, None, spectra=path)
        assert comparison(None, False, 0.5, spectra=path).noise == 0.5
    noise = {"c_ref": 1e5, "mu_low": 0.2, "mu_high": 1.1}
    (run / "manifest.json").write_text(json.dumps({"noise": noise}))
    for path in (run, run / "clusters.csv"):
        assert comparison(None, False, None, spectra=path).noise == gx.NoiseModel(**noise)
    assert comparison(None, False, 0.5, spectra=run).noise == 0.5
    assert comparison(None, False, None, spectra=library) == plain


def zarr_library(path: Path, names: object, spectra: np.ndarray = SPECTRA) -> Path:
    create_group(path, {"names": names})
    save_array(path, "energy", ENERGY, ("energy",))
    save_array(path, "spectra", spectra, ("site", "energy"))
    return path


def test_a_zarr_library(tmp_path: Path) -> None:
    store = zarr_library(tmp_path / "library.zarr", list(NAMES))
    assert identify(query(tmp_path, SPECTRA[11]), store).matches[0].name == NAMES[11]
    assert [match.name for match in identify(store, store).matches] == list(NAMES)


@pytest.mark.parametrize("names", [None, ["a"], "abc"])
def test_a_zarr_library_without_its_names_is_refused(tmp_path: Path, names: object) -> None:
    with pytest.raises(InputError, match=r"expected spectra \(n, E\), energy \(E,\) and an attribute"):
        identify(query(tmp_path, SPECTRA[0]), zarr_library(tmp_path / "library.zarr", names))


def test_unusable_entries_are_left_out_by_name(tmp_path: Path) -> None:
    spectra = np.stack(
        [SPECTRA[0], np.full(178, 0.5), SPECTRA[5], np.where(ENERGY > 7300, np.nan, SPECTRA[6])]
    )
    store = write_table(tmp_path / "library.csv", ENERGY, ["good", "flat", "better", "cut"], spectra)
    found = identify(query(tmp_path, SPECTRA[5]), store)
    assert found.entries == 2
    assert found.matches[0].name == "better"
    assert len(found.left_out) == 2
    assert "'cut' has 13 of 178 samples that are not finite" in found.left_out[1]
    assert "constant" in found.left_out[0]


def test_equal_names_are_told_apart(tmp_path: Path) -> None:
    store = write_table(tmp_path / "library.csv", ENERGY, ["iron", "iron"], SPECTRA[[1, 2]])
    assert identify(query(tmp_path, SPECTRA[2]), store).matches[0].name == "iron (2)"


@pytest.mark.parametrize(
    ("spectra", "said"),
    [
        (np.full((1, 178), 0.3), "constant"),
        (np.where(ENERGY > 7200, np.inf, SPECTRA[:1]), "not finite"),
        (np.where(ENERGY > 7200, np.nan, SPECTRA[:1]), "'q0' has 69 of 178 samples that are not finite"),
    ],
)
def test_spectra_refused(tmp_path: Path, library: Path, spectra: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        identify(query(tmp_path, spectra), library)


def test_every_unusable_spectrum_is_named(tmp_path: Path, library: Path) -> None:
    bad = np.full((3, 178), np.nan)
    bad[1] = SPECTRA[0]
    with pytest.raises(InputError) as told:
        identify(query(tmp_path, bad), library)
    assert [word in str(told.value) for word in ("'q0'", "'q1'", "'q2'")] == [True, False, True]


def test_libraries_refused(tmp_path: Path) -> None:
    asked, empty = query(tmp_path, SPECTRA[0]), tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="no spectra in it"):
        identify(asked, empty)
    with pytest.raises(InputError, match="not there"):
        identify(asked, tmp_path / "nowhere")
    one = write_table(tmp_path / "one.csv", ENERGY, ["alone"], SPECTRA[:1])
    with pytest.raises(InputError, match=r"1 of 1 entries can be compared .* expected at least 2"):
        identify(asked, one)
    spoilt = np.stack([SPECTRA[0], np.full(178, np.nan)])
    cut = write_table(tmp_path / "cut.csv", ENERGY, ["good", "cut"], spoilt)
    with pytest.raises(
        InputError, match=r"1 of 2 entries .*'cut' has 178 of 178 samples that are not finite"
    ):
        identify(asked, cut)
    apart = write_table(tmp_path / "apart.csv", ENERGY + 900, ["a", "b"], SPECTRA[:2])
    with pytest.raises(InputError, match=r"0 of 2 entries .*'a' runs (only )?from 7909"):
        identify(asked, apart)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"noise": 0.0}, "noise of 0; expected a standard deviation above 0"),
        ({"limit": 0.5}, "limit = 0.5; expected an s_error above 0 and below 0.5"),
        ({"span": (7200, 7100)}, "range 7200 to 7100; expected it from low to high"),
    ],
)
def test_comparisons_refused(settings: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Comparison(**settings)


def test_a_range_that_leaves_nothing_is_refused(tmp_path: Path, library: Path) -> None:
    with pytest.raises(InputError, match=r"q0: 0 energies to compare, of 7009\.2 to 7321\.2 eV"):
        identify(query(tmp_path, SPECTRA[0]), library, Comparison(span=(8000, 8100)))


def test_the_noise_of_a_configuration(tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(
        "output: out\ncube: {path: cube.zarr}\nnoise: {c_ref: 1.0e5}\n"
        "references: {modelled: true, pre_edge: [7010, 7050], post_edge: [7200, 7300]}\n"
    )
    how = comparison(config, True, None)
    assert isinstance(how.noise, gx.NoiseModel)
    assert how.noise.c_ref == 1e5
    assert how.ranges == ((7010, 7050), (7200, 7300))
    assert comparison(config, False, 0.3).noise == 0.3


def test_paired_error_is_the_matrix_of_errors() -> None:
    rng = np.random.default_rng(0)
    left, right = SPECTRA[rng.integers(0, 61, 20)], SPECTRA[rng.integers(0, 61, 20)]
    pairs = paired_error(left, right, NOISE.sigma(left), NOISE.sigma(right))
    whole = gx.site_error(np.concatenate([left, right]), NOISE)
    np.testing.assert_allclose(pairs, np.diag(whole[:20, 20:]), rtol=1e-9)


def test_without_noise_only_identical_spectra_are_taken_for_each_other() -> None:
    none = np.zeros((2, 178))
    errors = paired_error(SPECTRA[:2], SPECTRA[[0, 2]], none, none)
    np.testing.assert_array_equal(errors, [0.5, 0.0])


def gigaxas(*words: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from gigaxas.cli.verbs import main; main()", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_command_prints_and_writes(tmp_path: Path, library: Path) -> None:
    table = tmp_path / "new" / "named.csv"
    asked = query(tmp_path, SPECTRA[[2, 50]])
    done = gigaxas("identify", asked, "--library", library, "--output", table)
    assert done.returncode == 0, done.stderr
    assert "2 spectra, 0 unknown, against 61 entries" in done.stdout
    assert "noise      c_ref 27000, mu_low 0.36" in done.stdout
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [NAMES[2], NAMES[50]]
    write_matches(tmp_path / "again.csv", identify(asked, library))
    assert (tmp_path / "again.csv").read_bytes() == table.read_bytes()


def test_the_command_says_what_is_wrong(tmp_path: Path, library: Path) -> None:
    done = gigaxas("identify", tmp_path / "nothing.csv", "--library", library)
    assert done.returncode == 2
    assert "nothing.csv: not there" in done.stderr
    done = gigaxas("identify", library)
    assert done.returncode == 2
    assert "library" in done.stderr


@pytest.mark.real
def test_measured_standards_are_named_by_themselves(standards_folder: Path) -> None:
    how = comparison(None, True, None, span=(7009.2, 7321.2))
    folder = standards_folder / "xasdatalibrary"
    found = identify(folder, standards_folder, how)
    assert len(found.matches) >= 3
    for match in found.matches:
        assert match.correlation == pytest.approx(1.0, abs=1e-9)
        assert match.name == match.nearest

"""Sites written, read back, and taken from files: tables of others and stores of earlier runs."""

import csv
import shutil

import gigaxas as gx
import numpy as np
import pytest
import zarr
from gigaxas.config.load import load_config
from gigaxas.sites import audit_sites, build_candidates, prove_error, reduce_table
from gigaxas.spectra.noise import NoiseModel
from gigaxas.stores.sites import StoredSites, read_sites, write_sites
from gigaxas.workflow.resolve import resolve
from gigaxas.workflow.site_file import read_site_file
from small_runs import ENERGY, config, edges, scene, write_csv, write_cube

BRIGHT = {"c_ref": 3e6}
NOISE = NoiseModel(c_ref=3e6, mu_low=0.36, mu_high=1.56)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A finished run over a small measured cube, with sites built from its references."""
    folder = tmp_path_factory.mktemp("built")
    rng = np.random.default_rng(2)
    spectra = edges(4, rng)
    write_csv(folder / "references.csv", spectra)
    write_cube(folder / "cube.zarr", scene(rng, spectra, (30, 34)), [16], [16])
    run = config(folder, folder / "cube.zarr", folder / "references.csv", noise=BRIGHT, sites={"trials": 50})
    return folder, gx.run(run).load()


def again(folder, target, **sections):
    """The run over the same cube, with its own output and sections."""
    settings = {"output": target / "again", "noise": BRIGHT, **sections}
    return config(folder, folder / "cube.zarr", folder / "references.csv", **settings)


def told(run):
    with pytest.raises(gx.InputError) as error:
        resolve(run)
    return str(error.value)


def test_the_csv_beside_the_store_holds_the_same_sites(built):
    folder, _ = built
    stored = read_sites(folder / "out" / "sites.zarr")
    taken = read_site_file(folder / "out" / "sites.csv", ENERGY)
    np.testing.assert_array_equal(taken.table.spectra, stored.table.spectra)
    np.testing.assert_array_equal(taken.energy, stored.energy)
    assert taken.table.names == stored.table.names
    assert any(" + " in name for name in taken.table.names)
    np.testing.assert_allclose(
        stored.table.weights @ stored.references, stored.table.spectra, rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("name", ["sites.csv", "sites.zarr"])
@pytest.mark.parametrize("named", [True, False], ids=["with references", "alone"])
def test_maps_from_a_site_file_are_those_of_the_run_that_wrote_it(built, tmp_path, name, named):
    folder, expected = built
    run = again(folder, tmp_path, sites={"file": folder / "out" / name})
    if not named:
        run = run.model_copy(update={"references": load_config_references(tmp_path)})
    result = gx.run(run)
    for layer in ("site", "kept", "label", "state"):
        np.testing.assert_array_equal(result[layer].values, expected[layer].values)
    rows = list(csv.DictReader((run.output / "clusters.csv").open()))
    names = {row["nearest"] for row in rows}
    if named or name == "sites.zarr":
        assert names == {row["nearest"] for row in csv.DictReader((folder / "out" / "clusters.csv").open())}
    else:
        assert names <= set(read_sites(run.output / "sites.zarr").table.names)


def load_config_references(folder):
    """The references of a configuration that gives none."""
    path = folder / "alone.yaml"
    path.write_text("output: o\ncube: {path: c.zarr}\nsites: {file: s.csv}\n")
    return load_config(path).references


def test_a_table_whose_rows_are_numbered_lies_on_the_cubes_energies(built, tmp_path):
    folder, _ = built
    stored = read_sites(folder / "out" / "sites.zarr")
    path = tmp_path / "points.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["", *range(len(stored.table.spectra))])
        writer.writerows([k, *row] for k, row in enumerate(stored.table.spectra.T.tolist()))
    taken = read_site_file(path, ENERGY)
    np.testing.assert_array_equal(taken.energy, ENERGY)
    np.testing.assert_array_equal(taken.table.spectra, stored.table.spectra)
    assert taken.table.names[:3] == ("0", "1", "2")


def test_energies_written_with_one_decimal_still_fit(built, tmp_path):
    folder, _ = built
    spectra = read_sites(folder / "out" / "sites.zarr").table.spectra
    table = np.column_stack([np.round(ENERGY, 1), spectra.T])
    np.savetxt(tmp_path / "s.csv", table, delimiter=",")
    np.testing.assert_array_equal(read_site_file(tmp_path / "s.csv", ENERGY).energy, ENERGY)


def spoil(folder, kind):
    """Write a site file that is wrong in one way; return its path."""
    path = folder / "sites.csv"
    spectra = np.tile(np.linspace(0, 1, len(ENERGY)), (2, 1))
    energy = ENERGY.copy()
    if kind == "missing":
        return folder / "none.csv"
    if kind == "flat":
        spectra[1] = 1.0
    if kind == "shifted":
        energy += 0.2
    if kind == "short":
        energy, spectra = energy[:-1], spectra[:, :-1]
    if kind == "not finite":
        spectra[0, 3] = np.nan
    if kind == "dark":
        spectra[0, -1] = 20.0
    if kind == "binary":
        path.write_bytes(bytes(range(200, 256)) * 4)
        return path
    if kind == "no store":
        zarr.open_group(folder / "other.zarr", mode="w", attributes={"title": "other"})
        return folder / "other.zarr"
    np.savetxt(path, np.column_stack([energy, spectra.T]), delimiter=",", header="energy,a,b", comments="")
    return path


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("missing", "sites.file: there is nothing at"),
        ("flat", "spectrum 2 of 2 is constant"),
        ("shifted", "24 energies from 7009.40 to 7321.40 eV, the cube 24 from 7009.20 to 7321.20 eV"),
        ("short", "23 energies"),
        ("not finite", "line 5"),
        ("dark", "below the camera's lowest count"),
        ("binary", "text without rows of numbers"),
        ("no store", "no readable Zarr array"),
    ],
)
def test_a_site_file_that_cannot_serve_is_told_before_anything_runs(built, tmp_path, kind, sentence):
    folder, _ = built
    assert sentence in told(again(folder, tmp_path, sites={"file": spoil(tmp_path, kind)}))
    assert not (tmp_path / "again").exists()


def test_a_store_whose_names_do_not_fit_is_refused(built, tmp_path):
    folder, _ = built
    path = shutil.copytree(folder / "out" / "sites.zarr", tmp_path / "sites.zarr")
    group = zarr.open_group(path, mode="r+")
    group.attrs["names"] = group.attrs["names"][1:]
    assert "make it again" in told(again(folder, tmp_path, sites={"file": path}))
    del group.attrs["names"]
    assert "is no store of sites" in told(again(folder, tmp_path, sites={"file": path}))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sites: {file: s.csv, trials: 5, method: net}", "are not built: remove method, trials"),
        ("", "references: give either `path`"),
        ("references: {}", "references: give either `path`"),
        ("sites: {file: s.csv}\nreferences: {path: r, modelled: true}", "references: give either `path`"),
        ("sites: {components: 1}\nreferences: {modelled: true}", "sites.components"),
        ("sites: {criterion: r}\nreferences: {modelled: true}", "sites.criterion"),
        ("sites: {accept: 0.5}\nreferences: {modelled: true}", "sites.accept"),
        ("sites: {limit: 0}\nreferences: {modelled: true}", "sites.limit"),
    ],
)
def test_settings_of_sites_that_cannot_be_are_refused(tmp_path, text, sentence):
    path = tmp_path / "run.yaml"
    path.write_text(f"output: o\ncube: {{path: c.zarr}}\n{text}\n")
    with pytest.raises(gx.InputError) as error:
        load_config(path)
    assert sentence in str(error.value)


def test_components_and_criterion_reach_the_candidates(built, tmp_path):
    folder, _ = built
    plain = again(folder, tmp_path, sites={"trials": 50, "method": "net"})
    for changed in ({"components": 4}, {"criterion": "error"}):
        wanted = plain.sites.model_copy(update=changed)
        run = plain.model_copy(update={"sites": wanted, "output": tmp_path / str(changed)})
        gx.run(run)
        stored = read_sites(run.output / "sites.zarr")
        recipe = wanted.recipe
        limit, method = recipe.pop("limit"), recipe.pop("method")
        candidates = build_candidates(stored.references, NOISE, **recipe)
        expected = reduce_table(stored.table.standards, candidates, NOISE, limit=limit, method=method)
        np.testing.assert_array_equal(stored.table.spectra, expected.spectra)
        assert stored.audit.candidate_error.size == len(candidates.spectra)


def test_too_many_references_for_average_are_told_before_the_growth(built, tmp_path, monkeypatch):
    from gigaxas.sites import distance

    folder, _ = built
    monkeypatch.setattr(distance, "MEMORY_LIMIT", 8 * 9**2)
    assert "use the reduction 'net'" in told(again(folder, tmp_path, sites={"from": "library"}))


def test_too_few_references_for_a_mixture_are_told_before_anything_runs(built, tmp_path):
    folder, _ = built
    assert "5 different standards are needed" in told(
        again(folder, tmp_path, sites={"trials": 9, "components": 5})
    )


def test_audit_and_proof_come_back_from_the_store(tmp_path):
    references = edges(4, np.random.default_rng(0))
    candidates = build_candidates(references, NOISE, trials=30)
    table = reduce_table("ABCD", candidates, NOISE)
    audit = audit_sites(table, candidates, NOISE, mixtures=20)
    proof = prove_error(candidates.spectra, NoiseModel(2.7e4, 0.36, 1.56), pairs=4, draws=50)
    write_sites(tmp_path / "s.zarr", StoredSites(ENERGY, table, references, audit, proof), "mark")
    back = read_sites(tmp_path / "s.zarr")
    for name in ("spacing_error", "candidate_error", "coordinates"):
        np.testing.assert_array_equal(getattr(back.audit, name), getattr(audit, name))
    for name in ("uncovered", "dimension", "limit", "mixtures", "neighbours", "share"):
        assert getattr(back.audit, name) == getattr(audit, name)
    for name in ("pairs", "measured", "expected", "deviation", "pulls"):
        np.testing.assert_array_equal(getattr(back.proof, name), getattr(proof, name))
    assert back.proof.draws == 50
    np.testing.assert_array_equal(back.table.weights, table.weights)
    write_sites(tmp_path / "bare.zarr", StoredSites(ENERGY, table, references), "mark")
    bare = read_sites(tmp_path / "bare.zarr")
    assert bare.audit is None
    assert bare.proof is None

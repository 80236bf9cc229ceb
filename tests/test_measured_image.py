"""Images as instruments measure them: right maps from arrays and files, void where nothing is, sentences."""

import csv
import os
import shutil
from pathlib import Path

import gigaxas as gx
import measured_scenes as scenes
import numpy as np
import pytest
import tifffile
import xarray as xr
from gigaxas.config.load import validated
from gigaxas.spectra.void import VOID_REASONS
from gigaxas.workflow.classify import classify
from gigaxas.workflow.phases import phases
from measured_scenes import ENERGY, PHASES, share_right
from numpy.testing import assert_array_equal

STACKS = Path(os.environ.get("GIGAXAS_STACKS", "../shared/data/stacks"))


def told(folder, image, **sections):
    """Classify a stack from a file; return what was announced and the result."""
    tifffile.imwrite(folder / "stack.tif", image, photometric="minisblack")
    np.savetxt(folder / "energies.txt", ENERGY)
    ingest = {"stack": str(folder / "stack.tif"), "energies": str(folder / "energies.txt")}
    document = {
        "title": "measured",
        "output": str(folder / "run"),
        "edge": "Fe K",
        "compute": {"cluster": "threads"},
        "sites": {"from": "observed"},
        **sections,
    }
    document["ingest"] = {**ingest, **sections.get("ingest", {})}
    said = []
    classify(validated(document), announce=said.append)
    return said, gx.open_result(folder / "run").load()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return told(tmp_path_factory.mktemp("plain"), scenes.noisy())


def test_an_absorbance_with_an_empty_third(plain):
    said, result = plain
    assert share_right(result.label, ["early", "late"]) == 1.0
    assert np.all(result.void_reason.values[43:57] == VOID_REASONS.index("edge_step"))
    assert result.attrs["void_reasons"][VOID_REASONS.index("edge_step")] == pytest.approx(1200, abs=20)
    assert any(line.startswith("quantity   absorbance") for line in said)
    assert any("2.00% of the edge step" in line for line in said)


@pytest.mark.parametrize(("factor", "constant"), [(0.1, 0.0), (20.0, 0.0), (1.0, 5.0)])
def test_no_figure_depends_on_the_unit(plain, tmp_path, factor, constant):
    said, result = told(tmp_path, (scenes.noisy() * factor + constant).astype("f4"))
    assert said == plain[0]
    for name in ("site", "kept", "label", "state", "void_reason"):
        assert_array_equal(result[name], plain[1][name])
    assert result.attrs["void_reasons"] == plain[1].attrs["void_reasons"]


@pytest.mark.parametrize("counts", [5, 100])
def test_counted_fluorescence(counts):
    result = gx.classify(scenes.fluorescence(counts), ENERGY, references=PHASES, quantity="intensity")
    assert share_right(result.label, result.name.values) > 0.995
    assert result.attrs["quantity"] == "intensity"
    noise = gx.measure_noise([scenes.fluorescence(counts).astype(float)], True)
    assert noise.model.gain == pytest.approx(1.0, rel=0.1)


def test_transmission_counts_become_absorbance(tmp_path):
    said, result = told(tmp_path, scenes.transmission(), ingest={"quantity": "counts", "i0": 1000.0})
    assert share_right(result.label, ["early", "late"]) > 0.995
    assert any("measured in the image" in line for line in said)


@pytest.mark.parametrize("lazy", ["numpy", "xarray", "dask"])
def test_every_array_gives_one_result(lazy):
    image = scenes.noisy()
    if lazy == "xarray":
        axes = {"y": np.arange(60) * 0.5, "x": np.arange(60) * 0.5, "energy": ENERGY}
        given = xr.DataArray(image, dims=("energy", "y", "x"), coords=axes).transpose("y", "x", "energy")
        result = gx.classify(given, references=PHASES)
        assert float(result.y[1] - result.y[0]) == 0.5
    else:
        from dask.array import from_array

        given = image if lazy == "numpy" else from_array(image, chunks=(58, 20, 60))
        result = gx.classify(given, ENERGY, references=PHASES)
    assert sorted(result.name.values) == ["early", "late"]
    assert share_right(result.label, result.name.values) == 1.0


def test_a_mask_makes_pixels_void():
    mask = np.ones((60, 60))
    mask[:20] = 0
    result = gx.classify(scenes.noisy(), ENERGY, references=PHASES, mask=mask)
    assert np.all(result.void_reason.values[:20] == VOID_REASONS.index("masked"))
    assert np.all(result.label.values[:20] == 0)


@pytest.mark.parametrize(
    ("noise", "kind"),
    [
        (0.01, "constant"),
        ([0.01] * 58, "constant"),
        ({"model": "counts", "gain": 0.0001, "read": 0.01}, "counts"),
    ],
)
def test_noise_that_is_given(noise, kind):
    result = gx.classify(scenes.noisy(), ENERGY, references=PHASES, noise=noise)
    assert share_right(result.label, result.name.values) == 1.0, kind


def test_a_given_noise_that_the_image_contradicts_is_said(tmp_path):
    said, _ = told(tmp_path, scenes.noisy(), noise={"sigma": 0.03})
    assert any("as given" in line for line in said)
    assert any(line.startswith("warning") and "3.0" in line and "measured" in line for line in said)


@pytest.mark.parametrize("align", ["report", "apply"])
def test_a_library_one_electronvolt_off(tmp_path, align):
    (tmp_path / "references").mkdir()
    energy = np.linspace(7000, 7330, 661)
    for name, (position, white) in {"early": (7121, 0.8), "late": (7125, 0.4)}.items():
        columns = np.column_stack([energy - 1.0, scenes.edge(energy, position, white)])
        np.savetxt(tmp_path / "references" / f"{name}.txt", columns, header="energy mu")
    section = {"path": str(tmp_path / "references"), "align": align}
    said, _ = told(tmp_path, scenes.noisy(), references=section, sites={})
    shift = next(line for line in said if line.startswith("shift"))
    assert float(shift.split("by ")[1].split()[0]) == pytest.approx(1.0, abs=0.05)
    assert any(line.startswith("warning") for line in said) == (align == "report")
    with (tmp_path / "run" / "clusters.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    if align == "apply":
        assert {(row["name"], row["outside"], row["moved_ev"]) for row in rows} == {
            ("early", "no", ""),
            ("late", "no", ""),
        }
        return
    assert {(row["name"], row["outside"]) for row in rows} == {("near early", "yes"), ("near late", "yes")}
    for row in rows:
        assert row["name"] == f"near {row['moved_reference']}"
        assert float(row["moved_ev"]) == pytest.approx(1.0, abs=0.1)


def tilted():
    """Two phases whose energy varies by 0.8 eV to either side over the field."""
    y, x = np.mgrid[:96, :96]
    shift = 1.6 * (x / 96 - 0.5)
    label = (y // 16 + x // 16) % 2
    energy = np.linspace(7009.2, 7321.2, 178)
    image = np.empty((178, 96, 96))
    for number, (position, white) in enumerate(((7122, 0.8), (7126, 0.3))):
        image[:, label == number] = scenes.edge(energy[:, None] + shift[label == number], position, white)
    return energy, image + np.random.default_rng(0).normal(0, 0.02, image.shape), label


def test_a_shift_of_energy_over_the_image_is_taken_out(tmp_path):
    energy, image, label = tilted()
    np.savetxt(tmp_path / "e.txt", energy)
    section = {"energies": str(tmp_path / "e.txt"), "energy_shift": {"degree": 1}}
    said, result = told(tmp_path, image.astype("f4"), ingest=section)
    shift = next(line for line in said if line.startswith("energy     shift up to"))
    assert float(shift.split("up to ")[1].split()[0]) == pytest.approx(0.8, abs=0.05)
    assert result.sizes["cluster"] == 2
    inner = np.abs(np.mgrid[:96, :96] % 16 - 7.5).max(axis=0) < 5
    first = result.label.values[inner & (label == 0)]
    assert np.mean(first == np.bincount(first).argmax()) > 0.99


REFUSED = {
    "counts called absorbance": ({"quantity": "absorbance"}, scenes.transmission, "whole numbers up to"),
    "transmission counts that nobody names": ({}, scenes.transmission, "falls at the edge"),
    "an intensity below zero": (
        {"quantity": "intensity"},
        lambda: scenes.noisy() - np.float32(0.3),
        "fall below zero",
    ),
    "nothing but noise": (
        {"quantity": "absorbance"},
        lambda: np.random.default_rng(0).normal(0, 1, (58, 60, 60)).astype("f4"),
        "are void",
    ),
    "a mask of another size": ({"mask": np.ones((60, 59))}, scenes.noisy, "one shape"),
    "a camera's noise for an intensity": (
        {"quantity": "intensity", "noise": gx.NoiseModel(2.7e4, 0.36, 1.56)},
        lambda: scenes.fluorescence(100),
        "noise.model: counts or measured",
    ),
    "a sigma for some energies": ({"noise": [0.01] * 57}, scenes.noisy, "one, or one each"),
    "noise that cannot be measured": ({}, lambda: scenes.noisy()[:, :12, :12], "uniform windows"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case):
    settings, image, said = REFUSED[case]
    with pytest.raises(gx.InputError, match=said):
        gx.classify(image(), ENERGY, edge="Fe K", **settings)


@pytest.mark.real
def test_a_measured_stack_of_counts(tmp_path):
    """Iron at the L edge: bare filter, and particles rich in Fe(II) or Fe(III), told by two peaks."""
    stack = STACKS / "als_stxm_fe_l"
    if not stack.is_dir():
        pytest.skip(f"{stack} is not there: set GIGAXAS_STACKS to the folder of the measured stacks")
    (tmp_path / "references").mkdir()
    for name in ("oxidized.t", "reduced.t"):
        shutil.copy(stack / name, tmp_path / "references")
    document = {
        "title": "Fe L",
        "output": str(tmp_path / "run"),
        "edge": "Fe L3",
        "ingest": {
            "stack": str(stack / "aligned/71214078_a{index}.xim"),
            "energies": str(stack / "71214078.hdr"),
            "i0": str(stack / "i0.xsp"),
            "quantity": "counts",
        },
        "references": {"path": str(tmp_path / "references")},
        "compute": {"cluster": "threads"},
    }
    said, config = [], validated(document)
    classify(config, announce=said.append)
    result = gx.open_result(tmp_path / "run").load()
    assert 0.45 < np.mean(result.label.values == 0) < 0.60
    assert any("correlated by 0.4" in line and "along x and 0.1" in line for line in said)
    rows = [row for row in phases(config).rows if row.decision.kind == "component"]
    assert 2 <= len(rows) <= 5
    ratio = {row.label: white_line_ratio(result.energy.values, row.spectrum) for row in rows}
    for row in rows:
        assert ("oxidized" in row.name) == (ratio[row.label] > 1.4), row.name


def white_line_ratio(energy, spectrum):
    """The peak at 709.7 eV over that at 708 eV, above the level before the edge."""
    above = spectrum - spectrum[energy < 704].mean()
    return above[np.abs(energy - 709.7) < 0.4].mean() / above[np.abs(energy - 708.0) < 0.4].mean()

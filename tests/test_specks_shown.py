"""Specks where people see them: page, exports, phases, notebooks. All of small images with known specks."""

import io
import json
import re
from dataclasses import replace

import gigaxas as gx
import numpy as np
import ome_zarr_models
import pytest
import speck_runs
import test_report
import tifffile
import zarr
from gigaxas.cli.outcome import show_phases
from gigaxas.config.paths import paths_of
from gigaxas.execution.runner import Runner
from gigaxas.report import SpeckKind, SpeckReport, SpeckRow, render_report
from gigaxas.report.wording import probability
from gigaxas.spatial.pyramid import halve_numbers, level_shapes
from gigaxas.stores.io import groups
from gigaxas.workflow import exports
from gigaxas.workflow.phases import phases
from gigaxas.workflow.report import report
from gigaxas.workflow.resolve import reopen
from hypothesis import given
from hypothesis.extra import numpy as hnp
from rich.console import Console
from rsciio.hspy import file_reader
from speck_runs import HIDDEN, PIECES, SHAPE

SIDE = 32
"""Side of a tile of an export, so small that its levels take two passes."""
ENERGY = speck_runs.small_runs.ENERGY


@pytest.fixture(scope="module")
def known():
    """The map (y, x) of the specks that were planted, 1 for those of a phase that the map does not show."""
    found = np.zeros(SHAPE, int)
    for y, x in HIDDEN:
        found[y, x] = 1
    for y, x in PIECES:
        found[y : y + 2, x : x + 2] = 2
    return found


@pytest.fixture(scope="module")
def data(speck_run):
    """What the report tells, with the summary of the run."""
    return report(reopen(speck_run), Runner(), exports=["tiff", "hyperspy"])


def page_of(run):
    html = (run.output / "report.html").read_text(encoding="utf-8")
    return html, " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_specks_are_first_on_the_page_and_told_in_one_line(speck_run, data):
    html, text = page_of(speck_run)
    assert html.index('id="specks"') < html.index('id="map"')
    line = "3 specks of 1 kind that the map does not show , and 3 pieces of phases that it shows elsewhere."
    assert line in text
    assert "Noise alone makes 0.1 in the whole image; windows with a probability below 0.001 are " in text
    assert f"{data.specks.tail:.2f} times as many as it makes." in text


def test_a_card_tells_a_kind_and_leads_to_the_map(speck_run, data):
    html, _ = page_of(speck_run)
    (card,) = re.findall(r'<li class="card" id="kind-.*?</li>', html, re.DOTALL)
    text = " ".join(re.sub(r"<[^>]+>", " ", card).split()).replace("\u202f", " ").replace("&#8239;", " ")
    clearest = data.specks.rows[0]
    assert (clearest.y, clearest.x) in HIDDEN
    assert "outside the library (nearest: " in text
    assert "3 specks 3 pixels in all · dashed: phase 3" in text
    told = f"clearest at x {clearest.x}, y {clearest.y}, 1 × 1 pixels · z {clearest.distance:.1f} · p "
    assert told + probability(clearest.log10_p).replace("\u202f", " ").replace("<", "&lt;") in text
    assert 'href="report/index.html#speck=1"' in card
    for curve in ("band", "rest", "curve", "reference"):
        assert f'class="{curve}" d="M' in card, curve


def test_the_map_is_marked_where_specks_of_hidden_kinds_are(speck_run, data):
    html, _ = page_of(speck_run)
    svg = re.search(r'<svg id="specks-seen" viewBox="0 0 (\d+) (\d+)".*?</svg>', html, re.DOTALL)
    assert (int(svg[2]), int(svg[1])) == SHAPE
    centres = {(float(y), float(x)) for x, y in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', svg[0])}
    assert centres == {(y + 0.5, x + 0.5) for y, x in HIDDEN}


def test_pieces_are_summed_up_by_phase(speck_run, data):
    html, _ = page_of(speck_run)
    table = re.search(r'<table class="pieces">.*?</table>', html, re.DOTALL)[0]
    rows = [
        re.sub(r"<[^>]+>", "|", row)
        for row in re.findall(r"<tr><th scope=\"row\">.*?</tr>", table, re.DOTALL)
    ]
    cells = [[cell.strip() for cell in row.split("|") if cell.strip()] for row in rows]
    assert [row[:3] for row in cells] == [["phase 2", "2", "8"], ["near phase 1", "outside the library", "1"]]
    first = next(row for row in data.specks.rows if row.name == "phase 2")
    assert f'#speck={first.number}" aria-label="The clearest piece of phase 2' in table


def told(kinds, each):
    """A report of a map whose specks are of so many kinds that it does not show, and as many each."""
    spectrum = np.linspace(0, 1, 40)
    own = [
        SpeckKind(k, f"kind {k}", False, 0, each, each, spectrum, spectrum, "Hematite", spectrum)
        for k in range(1, kinds + 1)
    ]
    rows = [
        SpeckRow(n + 1, n % kinds + 1, f"kind {n % kinds + 1}", 30, 7, 1, 1, 8, 9.5, -31.4, 1.0, 0)
        for n in range(kinds * each)
    ]
    data = test_report.scene()
    specks = SpeckReport(rows, own, 0.1, 2, 5, float("nan"), 6, (3, 4))
    return replace(
        data, energy=spectrum, clusters=[_on(spectrum, row) for row in data.clusters], specks=specks
    )


def _on(spectrum, row):
    return replace(row, spectrum=spectrum, standard_error=spectrum, reference=spectrum)


def test_many_kinds_and_specks_are_told_and_the_first_are_drawn():
    html = render_report(told(30, 60), "report/index.html")
    text = " ".join(re.sub(r"<[^>]+>", " ", html).split()).replace("\u202f", " ")
    assert "1 800 specks of 30 kinds that the map does not show" in text
    assert "below 0.001 are – times as many" in text
    assert "5 more windows stood out that a mixture of what is near explains." in text
    assert "2 held samples hit by cosmic rays or the like. Windows of 6 of 16 shapes were not" in text
    assert "to tell what noise does to them. 3 of 4 planted specks were found." in text
    assert re.findall(r'id="kind-(\d+)"', html) == [str(k) for k in range(1, 25)]
    assert "Drawn: the 24 kinds with the most significant specks." in text
    assert html.count("<g style=") == 1000
    assert "(1 000 of 1 800 are marked)" in text
    assert "Pieces of phases" not in text


def test_a_search_that_found_nothing_says_so():
    data = replace(told(1, 1), specks=SpeckReport([], [], 0.1, 0, 0, 1.02, 0, None))
    html = render_report(data, "report/index.html")
    assert "0 specks of 0 kinds that the map does not show" in html
    assert "#speck=" not in html
    assert 'id="specks-seen"' not in html


def test_rows_and_kinds_that_contradict_each_other_are_refused():
    found = told(2, 3).specks
    with pytest.raises(gx.InputError, match=r"tell of \[3, 3\] specks, their rows of \[3, 2\]"):
        replace(found, rows=found.rows[:-1])


@pytest.mark.parametrize(
    ("log10", "told"),
    [(-0.5, "0.32"), (-3.2, "10⁻³"), (-57.6, "10⁻⁵⁸"), (-299.9, "10⁻³⁰⁰"), (-300.0, "<\u202f10⁻³⁰⁰")],
)
def test_a_probability_is_told_as_its_power_of_ten(log10, told):
    assert probability(log10) == told


@given(hnp.arrays(np.uint32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7)))
def test_half_a_map_of_numbers_keeps_the_lowest_but_0(numbers):
    half = halve_numbers(numbers)
    assert half.dtype == np.uint32
    for y, x in np.ndindex(*half.shape):
        block = numbers[2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
        assert half[y, x] == block[block > 0].min(initial=np.iinfo(np.uint32).max if block.any() else 0)


def test_the_exports_hold_the_map_of_the_specks(speck_run, data, known):
    numbers = tifffile.imread(speck_run.output / "tiff" / "speck.tif")
    assert numbers.dtype == np.uint32
    np.testing.assert_array_equal(numbers > 0, known > 0)
    for row in data.specks.rows:
        assert set(numbers[row.y : row.y + row.height, row.x : row.x + row.width].ravel()) == {row.number}
        assert known[row.y, row.x] == (1 if row.number <= len(HIDDEN) else 2)
    signal = file_reader(str(speck_run.output / "hyperspy" / "speck.hspy"))[0]
    np.testing.assert_array_equal(signal["data"], numbers)
    np.testing.assert_array_equal(gx.open_result(speck_run.output).speck.values, numbers)


def test_ome_zarr_keeps_every_speck_at_every_level(speck_run, data, monkeypatch):
    monkeypatch.setattr(exports, "TILE", SIDE)
    monkeypatch.setattr(exports, "BLOCK", 4 * SIDE)
    report(reopen(speck_run), Runner(), exports=["ome-zarr"])
    path = speck_run.output / "maps.ome.zarr"
    numbers = tifffile.imread(speck_run.output / "tiff" / "speck.tif")
    group = zarr.open_group(path, mode="r")
    assert group["labels"].attrs["ome"]["labels"][-1] == "speck"
    for level, shape in enumerate(level_shapes(SHAPE, SIDE)):
        there = np.asarray(group[f"labels/speck/{level}"])
        assert there.shape == shape
        np.testing.assert_array_equal(there, numbers)
        numbers = halve_numbers(numbers)
    assert set(np.unique(group["labels/speck/2"])) == set(range(7))
    told = group["labels/speck"].attrs["ome"]["image-label"]
    names = {row["label-value"]: row["name"] for row in told["properties"]}
    assert names == {row.number: row.name for row in data.specks.rows}
    colours = {row["label-value"]: tuple(row["rgba"]) for row in told["colors"]}
    labels = {
        row["label-value"]: tuple(row["rgba"])
        for row in group["labels/label"].attrs["ome"]["image-label"]["colors"]
    }
    of_cluster = {kind.number: labels[kind.cluster] for kind in data.specks.pieces}
    for row in data.specks.rows:
        assert colours[row.number] == of_cluster.get(row.kind, colours[1])
    assert colours[1] not in labels.values()
    opened = ome_zarr_models.open_ome_zarr(zarr.open_group(path / "labels" / "speck", mode="r"))
    assert type(opened).__name__ == "ImageLabel"


def test_specks_of_another_result_are_not_shown(speck_run):
    store, folder = paths_of(speck_run).specks, speck_run.output
    kept = groups.attributes_of(store)["result"]
    groups.add_attributes(store, result="another")
    try:
        assert "speck" not in gx.open_result(folder)
        assert report(reopen(speck_run), Runner()).specks is None
        html, _ = page_of(speck_run)
        for absent in ('id="specks"', 'id="specks-seen"', "#speck="):
            assert absent not in html
        index = (folder / "report" / "index.html").read_text()
        for absent in ('id="speckled"', 'id="specks"', "next-speck"):
            assert absent not in index
        scene = (folder / "report" / "scene.js").read_text().removeprefix("gx.scene=")
        assert json.loads(scene)["specks"] is None
        assert not (folder / "report" / "cards" / "kind-1.js").exists()
    finally:
        groups.add_attributes(store, result=kept)
    assert gx.run(speck_run).speck.values.any()


def test_phases_tell_of_which_component_a_kind_is_a_piece(speck_run):
    summary = phases(speck_run)
    names = {component.row.label: component.name for component in summary.components}
    told = {kind.cluster: kind.component for kind in summary.specks.kinds}
    assert told == {0: "of its own", **names}
    console = Console(width=200, record=True, file=io.StringIO())
    show_phases(console, summary)
    lines = [line.split() for line in console.export_text().splitlines()]
    for kind in summary.specks.kinds:
        said = [str(kind.specks), *kind.name.split(), *kind.component.split()]
        assert said in lines
    _, text = page_of(speck_run)
    assert "component: of its own" in text
    assert "Phase Component Specks" in text


@pytest.fixture(scope="module")
def classified():
    return gx.classify(speck_runs.image(), ENERGY, noise=speck_runs.NOISE, quantity="normalised", specks=True)


def test_classify_finds_specks_where_asked(classified, known):
    assert {"number", "kind"} <= set(classified.sizes)
    np.testing.assert_array_equal(classified.speck.values > 0, known > 0)
    hidden = classified.speck_kind.values == 1
    assert set(zip(classified.speck_y.values[hidden], classified.speck_x.values[hidden], strict=True)) == set(
        HIDDEN
    )
    assert classified.kind_cluster.values[0] == 0
    assert classified.kind_name.values[0] == "kind 1"
    error = np.abs(classified.kind_spectrum.values[0] - speck_runs.spectra()[2])
    assert np.all(error < 5 * classified.kind_standard_error.values[0])
    names = dict(zip(classified.cluster.values, classified.name.values, strict=True))
    assert [names[c] for c in classified.kind_cluster.values[1:]] == list(classified.kind_name.values[1:])


def test_find_specks_finds_what_classify_finds(classified):
    plain = classified.drop_dims(["number", "kind"]).drop_vars("speck")
    found = gx.find_specks(speck_runs.image(), plain, ENERGY)
    for name in ("speck", "speck_y", "speck_width", "speck_label", "kind_cluster", "kind_name"):
        np.testing.assert_array_equal(found[name].values, classified[name].values)
    np.testing.assert_allclose(found.speck_distance, classified.speck_distance, rtol=0.05)
    assert found.attrs["tail"] == pytest.approx(1.0, abs=0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"energy": ENERGY + 1}, "energies are not those of the image"),
        ({"image": speck_runs.image()[:, :-1]}, r"maps are \(128, 144\), the image is \(127, 144\)"),
        ({"false_alarms": 0.0}, "false_alarms: 0; expected a number above 0"),
        ({"known": np.ones((2, 3))}, r"known: its shape is \(2, 3\), expected \(n, 24\)"),
    ],
)
def test_find_specks_says_what_does_not_fit(classified, change, message):
    asked = {"image": speck_runs.image(), "energy": ENERGY, **change}
    with pytest.raises(gx.InputError, match=message):
        gx.find_specks(asked.pop("image"), classified, **asked)
    with pytest.raises(gx.InputError, match=r"lacks site; give what gx\.classify returns"):
        gx.find_specks(speck_runs.image(), classified.drop_vars("site"), ENERGY)

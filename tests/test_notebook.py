"""What `result.gigaxas` gives of a result, and the bars of stages, in a notebook and elsewhere."""

import base64
import io
import subprocess
import sys
from types import SimpleNamespace

import gigaxas as gx
import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from gigaxas.report.palette import as_rgb
from gigaxas.stores.result import with_names
from matplotlib import pyplot
from PIL import Image

ENERGY = np.linspace(7009.2, 7321.2, 60)
NAMES = ("hematite", "<b>magnetite</b>", "wustite & co")
RNG = np.random.default_rng(3)


@pytest.fixture(scope="module", autouse=True)
def without_windows():
    with mpl.rc_context({"backend": "agg"}):
        yield
        pyplot.close("all")


@pytest.fixture(scope="module")
def result():
    """Three phases in 40 x 56 pixels of 0.5 um, the third the smallest."""
    spectra = [1 / (1 + np.exp(-(ENERGY - edge) / 2)) for edge in (7121, 7125, 7129)]
    phase = np.zeros((40, 56), int)
    phase[:, 34:], phase[8:20, 8:20] = 1, 2
    image = np.array(spectra)[phase].transpose(2, 0, 1) + RNG.normal(0, 0.02, (60, *phase.shape))
    image[:, 30:, :8] = np.nan
    axes = {"energy": ENERGY, "y": 0.5 * np.arange(40), "x": 0.5 * np.arange(56)}
    given = xr.DataArray(image.astype("f4"), axes, ("energy", "y", "x"))
    references = dict(zip(("hematite", "magnetite", "wustite & co"), spectra, strict=True))
    made = gx.classify(given, noise=0.02, quantity="normalised", references=references)
    named = {"hematite": NAMES[0], "magnetite": NAMES[1], "wustite & co": NAMES[2]}
    return made.assign_coords(name=("cluster", np.array([named[name] for name in made.name.values], object)))


def label_of(result, name):
    return int(result.cluster.values[list(result.name.values).index(name)])


def test_the_map_is_drawn_in_um_in_the_colours_of_its_legend(result):
    own = pyplot.subplots()[1]
    assert result.gigaxas.plot.phases(own) is own
    axes = result.gigaxas.plot.phases()
    (picture,) = axes.get_images()
    assert picture.get_extent() == [-0.25, 27.75, 19.75, -0.25]
    entries = zip(axes.get_legend().get_texts(), axes.get_legend().get_patches(), strict=True)
    colours = {text.get_text(): patch.get_facecolor() for text, patch in entries}
    assert [text.split(",")[0].split(" ", 1)[1] for text in list(colours)[:3]] == list(NAMES)
    assert list(colours)[-1] == "void"
    drawn = np.asarray(picture.get_array())
    for (row, column), colour in zip(((25, 20), (20, 50), (14, 14), (35, 3)), colours.values(), strict=True):
        assert np.array_equal(drawn[row, column], np.rint(255 * np.array(colour[:3])))


def test_spectra_are_drawn_in_the_same_colours(result):
    axes = result.gigaxas.plot.spectra()
    assert [line.get_label().split(" ", 1)[1] for line in axes.get_lines()] == list(NAMES)
    label = label_of(result, NAMES[2])
    (line,) = result.gigaxas.plot.spectra([label], pyplot.subplots()[1]).get_lines()
    assert np.array_equal(line.get_ydata(), result.spectrum.sel(cluster=label))
    patches = result.gigaxas.plot.phases().get_legend().get_patches()
    assert mpl.colors.to_rgba(line.get_color()) == patches[2].get_facecolor()
    with pytest.raises(gx.InputError, match=r"labels: 77 not found; expected some of 1, 2, 3"):
        result.gigaxas.plot.spectra([label, 77])


def test_a_spectrum_has_its_energies_error_and_name(result):
    label = label_of(result, NAMES[0])
    spectrum = result.gigaxas.spectrum(label)
    assert spectrum.dims == ("energy",)
    assert spectrum.energy.attrs["units"] == "eV"
    assert spectrum["name"].item() == NAMES[0]
    assert np.array_equal(spectrum.energy, ENERGY)
    assert np.array_equal(spectrum, result.spectrum.sel(cluster=label))
    assert np.array_equal(spectrum.standard_error, result.standard_error.sel(cluster=label))
    with pytest.raises(gx.InputError, match="label: 9 is no cluster of this result; expected one of 1, 2, 3"):
        result.gigaxas.spectrum(9)


def test_a_cell_shows_a_small_map_and_a_table(result):
    html = result.gigaxas._repr_html_()
    assert "&lt;b&gt;magnetite&lt;/b&gt;" in html
    assert "<b>" not in html
    assert "wustite &amp; co" in html
    assert "40 x 56 pixels, 60 energies, 3 phases" in html
    assert "http" not in html
    assert len(html) < 5000
    picture = html.split("base64,")[1].split('"')[0]
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGBA"))
    first = html.split("background:")[1][:7]
    assert drawn.shape == (40, 56, 4)
    assert np.array_equal(drawn[25, 20], [*as_rgb([first])[0], 255])
    assert drawn[35, 3, 3] == 0


def test_a_large_map_is_thinned_out_and_a_long_table_cut(result):
    many, side = 18, 1500
    large = xr.Dataset(
        {
            "label": (("y", "x"), np.ones((side, 3), np.uint16)),
            "spectrum": (("cluster", "energy"), np.zeros((many, 2))),
            "pixels": ("cluster", np.arange(many)),
        },
        {"cluster": 1 + np.arange(many), "energy": [1.0, 2.0], "y": np.arange(side), "x": np.arange(3)},
    )
    html = large.gigaxas._repr_html_()
    assert html.count("<tr>") == 1 + 15
    assert "and 3 smaller ones" in html
    assert "cluster 18" in html
    picture = html.split("base64,")[1].split('"')[0]
    assert Image.open(io.BytesIO(base64.b64decode(picture))).size == (1, 300)


@pytest.mark.napari
def test_napari_makes_its_layers_of_them(result):
    layers = pytest.importorskip("napari.layers", reason="install napari to make its layers")
    made = {each[1]["name"]: layers.Layer.create(*each) for each in result.gigaxas.to_napari()}
    label = made["label"]
    assert list(made) == ["correlation", "kept", "site", "state", "void_reason", "label"]
    assert np.array_equal(label.data, result.label)
    assert tuple(label.scale) == (0.5, 0.5)
    assert [name for name, layer in made.items() if layer.visible] == ["label"]
    legend = result.gigaxas.plot.phases().get_legend()
    rare = label_of(result, NAMES[2])
    assert np.allclose(label.get_color(rare), legend.get_patches()[2].get_facecolor())
    assert dict(zip(label.features["index"], label.features["name"], strict=True))[rare] == NAMES[2]
    assert isinstance(made["correlation"], layers.Image)


def test_hyperspy_is_asked_for_in_a_sentence(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "hyperspy", None)
    with pytest.raises(gx.InputError, match="HyperSpy is not installed; pip install hyperspy"):
        result.gigaxas.to_hyperspy()


def test_hyperspy_is_given_arrays_with_their_axes(result, monkeypatch):
    signals = SimpleNamespace(Signal1D=lambda **given: (1, given), Signal2D=lambda **given: (2, given))
    monkeypatch.setitem(sys.modules, "hyperspy", SimpleNamespace(api=SimpleNamespace(signals=signals)))
    made = result.gigaxas.to_hyperspy()
    dimension, given = made["spectrum"]
    assert dimension == 1
    assert [(axis["name"], axis["units"], axis["navigate"]) for axis in given["axes"]] == [
        ("cluster", "", True),
        ("Energy", "eV", False),
    ]
    assert np.array_equal(given["data"], result.spectrum)
    dimension, given = made["label"]
    assert dimension == 2
    assert np.array_equal(given["axes"][1]["axis"], 0.5 * np.arange(56))
    assert given["metadata"]["General"]["title"] == result.label.attrs["long_name"]


def test_another_dataset_is_refused():
    with pytest.raises(
        gx.InputError, match="it lacks label, cluster, pixels, spectrum, energy; `gigaxas` is for"
    ):
        xr.Dataset().gigaxas.spectrum(1)


@pytest.mark.parametrize(
    "before",
    [
        "import gigaxas, sys; assert 'xarray' not in sys.modules and 'matplotlib' not in sys.modules",
        "import gigaxas, importlib.util; assert importlib.util.find_spec('xarray').name == 'xarray'",
        "import xarray, gigaxas",
        "import gigaxas.notebook.accessor",
    ],
)
def test_it_is_there_whichever_is_imported_first(before):
    code = f"{before}\nimport xarray\nprint(type(xarray.Dataset().gigaxas).__name__, xarray.__spec__.loader)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ResultAccessor ")
    assert "SourceFileLoader" in done.stdout


def test_a_run_has_the_names_of_its_table_and_tells_its_stages_only_where_asked(viewer_run, capsys):
    result = gx.run(viewer_run)
    assert capsys.readouterr() == ("", "")
    rows = (viewer_run.output / "clusters.csv").read_text(encoding="utf-8").splitlines()
    column = rows[0].split(",").index("name")
    listed = {int(row.split(",")[0]): row.split(",")[column] for row in rows[1:]}
    names = dict(zip(result.cluster.values.tolist(), result.name.values.tolist(), strict=True))
    assert names == listed
    opened = gx.open_result(viewer_run.output)
    assert list(opened.name.values) == list(names.values())
    assert listed[label_of(opened, opened.name.values[0])] == opened.name.values[0]
    (viewer_run.output / "report.html").unlink()
    gx.run(viewer_run, progress=True)
    told = capsys.readouterr()
    assert told.out == ""
    assert "report" in told.err
    assert "1/1" in told.err


def test_a_table_of_another_result_names_nothing(result, tmp_path):
    table = tmp_path / "clusters.csv"
    unnamed = result.drop_vars("name")
    assert "name" not in with_names(unnamed, table).coords
    rows = [f"{label},phase {label},{pixels}" for label, pixels in zip(*counts(result), strict=True)]
    table.write_text("\n".join(["label,name,pixels", *rows]), encoding="utf-8")
    assert list(with_names(unnamed, table).name.values) == ["phase 1", "phase 2", "phase 3"]
    rows[0] += "0"
    table.write_text("\n".join(["label,name,pixels", *rows]), encoding="utf-8")
    assert "name" not in with_names(unnamed, table).coords


def counts(result):
    return result.cluster.values.tolist(), result.pixels.values.tolist()


def test_a_notebook_shows_bars_in_place(monkeypatch):
    from gigaxas.execution import bars

    drawn = []
    kernel = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    handle = SimpleNamespace(update=drawn.append)
    monkeypatch.setitem(
        sys.modules,
        "IPython.display",
        SimpleNamespace(HTML=str, display=lambda html, display_id: drawn.append(html) or handle),
    )
    with bars.bars(None)("<assign>", 200) as advance:
        advance(50)
        assert len(drawn) == 1, "drawn anew too soon"
        monkeypatch.setattr(bars, "REDRAW_SECONDS", 0.0)
        advance(50)
    assert [text.split("value=")[1][:7] for text in drawn] == ['"0.000"', '"0.500"', '"0.500"']
    assert "&lt;assign&gt;" in drawn[0]
    with bars.bars(False)("assign", 200) as advance:
        advance(200)
    assert len(drawn) == 3

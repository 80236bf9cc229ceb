"""The report's parts: colours, layers, charts, words."""

import io

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.report import layers, wording
from gigaxas.report.chart import fit_reference, nice_step, spectrum_chart
from gigaxas.report.palette import cluster_colours, colour_distance, state_colours
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image


def test_colours_are_distinct_for_all_eyes_and_stable():
    for count, least in ((12, 0.08), (20, 0.06), (61, 0.025)):
        distance = colour_distance(cluster_colours(count))
        np.fill_diagonal(distance, np.inf)
        assert distance.min() > least
    assert cluster_colours(5) == cluster_colours(61)[:5]
    assert [len(set(cluster_colours(count))) for count in (1, 2, 13, 36)] == [1, 2, 13, 36]
    assert len(set(cluster_colours(5000))) == 5000
    assert cluster_colours(0) == []
    with pytest.raises(InputError, match="ask for 0 or more"):
        cluster_colours(-1)


def test_states_are_distinct_for_all_eyes():
    distance = colour_distance(state_colours()[1:])
    np.fill_diagonal(distance, np.inf)
    assert distance.min() > 0.08


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(
        np.uint32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 70_000)
    )
)
def test_label_layer_keeps_every_label(label):
    order = [int(k) for k in np.unique(label) if k]
    colours = cluster_colours(len(order))
    image = np.asarray(Image.open(io.BytesIO(layers.label_layer(label, order, colours))).convert("RGBA"))
    back = {tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)): k for c, k in zip(colours, order, strict=True)}
    read = [[back[tuple(p[:3])] if p[3] else 0 for p in line] for line in image.tolist()]
    np.testing.assert_array_equal(read, label)


def test_label_layer_of_more_clusters_than_a_palette_holds():
    label = np.arange(400, dtype=np.uint16).reshape(20, 20)
    picture = Image.open(io.BytesIO(layers.label_layer(label, list(range(1, 400)), cluster_colours(399))))
    assert len(np.unique(np.asarray(picture.convert("RGBA")).reshape(-1, 4), axis=0)) == 400


def test_brightness_follows_density_and_leaves_void_alone():
    density = np.linspace(0.2, 2.0, 100).reshape(10, 10)
    empty = np.zeros((10, 10), bool)
    empty[0, 0] = True
    density[9, 9] = np.nan
    light = layers.brightness(density, empty)
    assert light[0, 0] == 1
    assert light[9, 9] == 1
    assert (np.diff(light.ravel()[1:99]) >= 0).all()
    assert light.min() < 0.02
    even = layers.brightness(np.full((3, 3), 1.2), np.zeros((3, 3), bool))
    assert even.min() == 1, "an even field is not made to look uneven"
    assert layers.brightness(np.full((2, 2), np.nan), np.zeros((2, 2), bool)).min() == 1


def test_level_layer_bins_and_clears():
    colours = np.array([[10, 0, 0], [20, 0, 0], [30, 0, 0]], np.uint8)
    values = np.array([[-1.0, 0.5, 1.0, 2.5, 9.0, np.nan]])
    png = layers.level_layer(values, np.array([0.0, 1.0, 2.0, 3.0]), colours)
    image = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))
    assert image[0, :5, 0].tolist() == [10, 10, 20, 30, 30]
    assert image[0, 5, 3] == 0


@given(st.floats(1e-3, 1e9))
def test_scale_bar_is_round_and_fits(width):
    bar = layers.scale_bar(width)
    assert 0.1 * width < bar <= 0.3 * width * (1 + 1e-6)
    assert f"{bar:.6e}"[0] in "125"


@given(st.floats(1e-6, 1e6), st.integers(1, 9))
def test_tick_step_is_round_and_enough(span, most):
    step = nice_step(span, most)
    assert step * most >= span * (1 - 1e-6)
    assert f"{step:.6e}"[0] in "125"


@given(st.floats(0.1, 10), st.floats(-5, 5), st.integers(0, 100))
def test_what_the_reference_leaves_is_what_r_measures(gain, offset, seed):
    rng = np.random.default_rng(seed)
    spectrum, reference = rng.normal(size=(2, 50))
    rest = spectrum - fit_reference(spectrum, gain * reference + offset)
    r = np.corrcoef(spectrum, reference)[0, 1]
    power = ((spectrum - spectrum.mean()) ** 2).sum()
    assert (rest**2).sum() == pytest.approx((1 - r * r) * power, rel=1e-8)


@pytest.mark.parametrize("energies", [1, 2, 178, 4000])
def test_chart_stays_inside_its_frame(energies):
    rng = np.random.default_rng(energies)
    energy = np.linspace(7000, 7300, energies)
    chart = spectrum_chart(
        energy, rng.normal(size=energies), np.full(energies, 0.1), rng.normal(size=energies)
    )
    for path in (chart.spectrum, chart.reference, chart.rest, chart.band):
        points = np.array([p.split() for p in path.strip("MZ").split("L")], float)
        assert points[:, 0].min() >= chart.left - 0.1
        assert points[:, 0].max() <= chart.right + 0.1
        assert points[:, 1].min() >= chart.top - 0.1
        assert points[:, 1].max() <= chart.rest_foot + 0.1
        assert len(points) <= 1200


def test_chart_of_equal_spectra_and_a_flat_reference():
    energy = np.linspace(7000, 7300, 5)
    line = np.arange(5.0)
    assert "nan" not in spectrum_chart(energy, line, np.zeros(5), line).rest
    assert "nan" not in spectrum_chart(energy, np.ones(5), np.zeros(5), np.ones(5)).spectrum


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.99999, "> 99.99 %"),
        (0.4312, "43.12 %"),
        (0.0052, "0.52 %"),
        (3.2e-5, "0.003 %"),
        (1e-9, "< 0.0001 %"),
        (float("nan"), "–"),
    ],
)
def test_share(value, text):
    assert wording.share(value).replace("\u202f", " ") == text


@pytest.mark.parametrize(
    ("call", "value", "text"),
    [
        (wording.area, 12.3456, "12.3 µm²"),
        (wording.area, 51_234.0, "51 234 µm²"),
        (wording.area, 215_000.0, "0.215 mm²"),
        (wording.length, 0.46, "0.46 µm"),
        (wording.length, 200.0, "200 µm"),
        (wording.length, 2210.0, "2.21 mm"),
        (wording.correlation, 0.9999999, "> 0.99999"),
        (wording.correlation, 1.0, "1.00000"),
        (wording.correlation, 0.98765, "0.98765"),
        (wording.error, None, "–"),
        (wording.error, 0.0, "0"),
        (wording.error, 0.4321, "0.43"),
        (wording.error, 3.14e-7, "3.1 × 10⁻⁷"),
        (wording.error, 1e-40, "< 10⁻¹²"),
        (wording.duration, 0.04, "0.0 s"),
        (wording.duration, 59.7, "1 min 00 s"),
        (wording.duration, 7500.0, "2 h 05 min"),
        (wording.figure, 27000.0, "27000"),
        (wording.figure, "256 × 256", "256 × 256"),
    ],
)
def test_numbers_in_words(call, value, text):
    assert call(value).replace("\u202f", " ") == text

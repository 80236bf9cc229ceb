"""The figures in the manner of the paper: what is drawn is what the maps and spectra say."""

import io

import numpy as np
import pytest
from gigaxas.evaluation.paper_figures import (
    CORNERS,
    Curve,
    MapStage,
    Partition,
    draw_curves,
    draw_partition,
    draw_ratios,
    draw_stages,
)
from gigaxas.report.components import ComponentMap
from gigaxas.report.palette import as_rgb, cluster_colours
from PIL import Image

RNG = np.random.default_rng(3)
ENERGY = np.linspace(7009.2, 7321.2, 178)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3)


def share(png, colour):
    return (pixels(png) == as_rgb([colour])[0]).all(axis=1).mean()


def test_clusters_have_their_colours_and_what_was_removed_is_black():
    label = np.full((40, 40), 7, np.uint16)
    label[:, 20:], label[:10, :10] = 3, 0
    void = np.zeros(label.shape, bool)
    void[30:] = True
    png = draw_stages(
        [MapStage("one", label), MapStage("two", np.where(label == 0, 9, label))], void, (3, 7), 0.46
    )
    first, second = cluster_colours(2)
    assert share(png, first) / share(png, second) == pytest.approx(600 / 500, rel=0.02)
    removed = share(draw_stages([MapStage("one", label)], void, (3, 7), 0.46), "#22262b")
    assert removed > 3 * share(
        draw_stages([MapStage("one", label)], void | (label == 0), (3, 7), 0.46), "#22262b"
    )


def test_every_cell_of_the_triangle_is_drawn():
    cells = np.zeros((30, 30), np.uint32)
    cells[:15, 5:25], cells[15:, 10:20] = 4, 8
    found = Partition(
        *(RNG.normal(size=(n, 2)) for n in (50, 9, 3)),
        ("a", "b", "c"),
        cells,
        CORNERS[:2],
        RNG.uniform(0, 0.5, 50),
        RNG.uniform(0, 1e-4, 9),
        1e-4,
    )
    tints = 0.45 * 255 + 0.55 * as_rgb(cluster_colours(12)).astype(float)
    png = draw_partition(found)
    for tint in tints[np.arange(2) * 5 % 12]:
        assert (np.abs(pixels(png) - tint).max(axis=1) <= 1.5).mean() > 0.01


def test_spectra_have_the_colours_of_their_components():
    step = 1 / (1 + np.exp(-(ENERGY - 7120) / 3))
    curves = [Curve("first", "#c03030", step, 2 * step + 1), Curve("second", "#3030c0", step**2)]
    png = draw_curves(ENERGY, curves, 7120.0)
    assert share(png, "#c03030") > 1e-4
    assert share(png, "#3030c0") > 1e-4


def test_components_keep_their_colours_among_the_clusters():
    label = np.repeat(np.array([2, 5, 6], np.uint16), 20)[None].repeat(30, axis=0)
    ratio = np.stack([label == 2, label == 6]).astype(np.float32)
    ratio[:, label == 5] = 0.5
    main = np.where(label == 6, 6, 2)
    shown = ComponentMap(
        "", main, ratio, None, (2, 6), ("first", "second"), ("#c03030", "#3030c0"), (0.5, 0.5), 0.46, 80, 160
    )
    true = np.repeat([0.25, 0.5, 0.75], 40)
    png = draw_ratios(label, (2, 5, 6), shown, true, true + RNG.normal(0, 0.02, 120))
    (other,) = cluster_colours(1, ("#c03030", "#3030c0"))
    assert share(png, "#c03030") > 1.5 * share(png, other) > 0.05

import numpy as np
import pytest
from gigaxas.report.components import ComponentMap, composite, write_component_figure
from gigaxas.report.palette import as_rgb


def component_map(main, ratio, density=None, **other):
    settings = {
        "title": "t",
        "labels": [7, 3],
        "names": ["Fe2O3 $x$", "a very long name of a phase that nobody would shorten"],
        "colours": ["#3366cc", "#cc6633"],
        "shares": [0.75, 0.25],
        "pixel_um": 0.5,
        "width_mm": 40.0,
        "dpi": 100,
    }
    return ComponentMap(
        main=np.array(main, np.uint16), ratio=np.array(ratio, np.float32), density=density, **settings | other
    )


def test_hue_is_the_component_and_shade_its_ratio_and_the_iron():
    main = [[7, 7, 3, 0, 7]]
    ratio = [[[1.0, 0.5, 0.3, 0.0, 1.0]], [[0.0, 0.5, 0.7, 0.0, 0.0]]]
    density = np.array([[1.0, 1.0, 1.0, 1.0, 0.1]])
    full, half, other, void, thin = composite(component_map(main, ratio, density))[0].astype(int)
    assert full.tolist() == [0x33, 0x66, 0xCC]
    assert void.tolist() == [255, 255, 255]
    assert (half >= full).all()
    assert (half > full).any()
    assert (thin < full).all()
    assert np.argmax(other) == 0
    np.testing.assert_allclose((255 - half) / (255 - full), 0.3, atol=0.02)
    np.testing.assert_allclose(thin / full, thin[0] / full[0], atol=0.02)


def test_without_iron_density_ratio_alone_shades():
    found = composite(component_map([[7, 3]], [[[1, 0]], [[0, 1]]]))
    assert found[0].tolist() == as_rgb(["#3366cc", "#cc6633"]).tolist()


def test_a_ratio_above_one_is_full_colour_and_one_component_is_never_pale():
    found = composite(
        component_map([[7, 7]], [[[1.2, 0.6]]], labels=[7], names=["x"], colours=["#3366cc"], shares=[1.0])
    )
    assert found[0].tolist() == as_rgb(["#3366cc"] * 2).tolist()


@pytest.mark.parametrize("shape", [(3, 400), (400, 3), (1, 1)])
def test_any_shape_is_drawn_as_png_and_pdf(tmp_path, shape):
    main = np.full(shape, 7)
    png, pdf = write_component_figure(tmp_path / "figure", component_map(main, np.ones((2, *shape))))
    assert png.read_bytes().startswith(b"\x89PNG")
    assert pdf.read_bytes().startswith(b"%PDF")
    again = write_component_figure(tmp_path / "again", component_map(main, np.ones((2, *shape))))
    assert [file.read_bytes() for file in again] == [png.read_bytes(), pdf.read_bytes()]

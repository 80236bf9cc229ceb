"""Scenes: the truth is what the description says, everywhere and for any seed."""

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.simulate import RESIN, inset_scene, modelled_library, sinter_scene
from scipy import ndimage

ENERGY = np.linspace(7009.2, 7321.2, 178)
NAMES = modelled_library(ENERGY)[0]


@pytest.fixture(scope="module")
def sinter():
    return sinter_scene((1024, 1024), seed=0)


def test_the_maps_have_the_shape_asked_for():
    scene = sinter_scene((200, 333), seed=4)
    assert scene.phase.shape == scene.thickness.shape == (200, 333)
    assert scene.phase.dtype == np.uint8
    assert scene.thickness.dtype == np.float32


def test_names_are_those_of_the_phases_present(sinter):
    present = np.unique(sinter.phase)
    assert sinter.names == tuple(NAMES[number] for number in present if number != RESIN)
    assert 8 <= len(sinter.names) <= 10
    assert NAMES[sinter.minority] == "wustite"


@pytest.mark.parametrize("shape", [(128, 128), (256, 300), (512, 512)])
@pytest.mark.parametrize("seed", [0, 1, 2, 7, 11])
def test_the_minority_covers_its_share_in_rims_that_hold_windows(shape, seed):
    scene = sinter_scene(shape, seed)
    minority = scene.phase == scene.minority
    assert abs(minority.mean() - 0.005) <= 0.0005
    cores = ndimage.uniform_filter(minority.astype(np.float64), 5) > 22.5 / 25
    assert cores.any()
    kept, count = ndimage.label(minority, np.ones((3, 3)))
    in_a_region_with_core = np.isin(kept, np.unique(kept[cores & minority])) & minority
    assert in_a_region_with_core.sum() >= 0.9 * minority.sum(), count


def test_the_rim_is_thin_and_lies_on_few_grains(sinter):
    minority = sinter.phase == sinter.minority
    depth = ndimage.distance_transform_edt(minority)
    assert 3 <= depth.max() <= 9
    assert (depth > 2).sum() / minority.sum() > 0.25
    regions, _ = ndimage.label(ndimage.binary_opening(minority, np.ones((5, 5))))
    assert 2 <= len(np.unique(regions)) - 1 <= 12


def test_grains_are_mostly_large_with_some_small_ones(sinter):
    """Area-weighted: the grain a pixel lies in has an equivalent diameter above 15 pixels nearly always."""
    diameters, areas = [], []
    for number in np.unique(sinter.phase):
        if number != RESIN:
            grains, count = ndimage.label(sinter.phase == number)
            size = ndimage.sum_labels(np.ones_like(grains), grains, np.arange(1, count + 1))
            areas.extend(size)
            diameters.extend(2 * np.sqrt(size / np.pi))
    areas, large = np.array(areas), np.array(diameters) > 15
    assert areas[large].sum() / areas.sum() > 0.95
    assert np.count_nonzero(~large) > 50


def test_there_is_resin_and_thickness_varies(sinter):
    assert 0.15 < (sinter.phase == RESIN).mean() < 0.3
    assert sinter.thickness.mean() == pytest.approx(1, abs=0.05)
    assert 0.04 < sinter.thickness.std() < 0.15
    assert sinter.thickness.min() >= 0.7


def test_same_seed_same_scene_other_seed_another():
    first, again, other = (sinter_scene((160, 160), seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.phase, again.phase)
    np.testing.assert_array_equal(first.thickness, again.thickness)
    assert (first.phase != other.phase).mean() > 0.3


def test_a_field_too_small_for_the_rim_is_refused():
    with pytest.raises(InputError, match="at least 128"):
        sinter_scene((64, 500), 0)


def test_the_inset_is_central_and_exact():
    scene = inset_scene()
    assert scene.phase.shape == (400, 400)
    rows, columns = np.nonzero(scene.phase == scene.minority)
    assert len(rows) == 100
    assert (rows.min(), rows.max()) == (columns.min(), columns.max()) == (195, 204)
    assert set(np.unique(scene.phase)) == {0, 1}
    assert (scene.thickness == 1).all()


def test_an_inset_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match="does not lie inside"):
        inset_scene((10, 10), (10, 3))

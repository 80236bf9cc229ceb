"""Every limit of registration and placement: met from one side and from the other."""

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.raw.energy_shift import Blocks, edge_position, fit_shift
from gigaxas.raw.placement import place_fields
from gigaxas.raw.registration import Pair, detail, measure_offset, overlapping, shared
from gigaxas.tiles import Box
from raw_files import texture
from scipy import ndimage

PLANE = (80, 90)
HERE = np.zeros(2)


@pytest.mark.parametrize(("shared_pixels", "enough"), [(11, False), (12, True)])
@pytest.mark.parametrize("axis", [0, 1])
def test_fields_overlap_by_twelve_pixels_or_not_at_all(axis, shared_pixels, enough) -> None:
    stage = np.zeros((2, 2))
    stage[1, axis] = PLANE[axis] - shared_pixels
    assert overlapping(stage, PLANE) == ([(0, 1)] if enough else [])


@pytest.mark.parametrize(("shared_pixels", "why"), [(11, "not alike"), (14, "")])
def test_an_offset_is_measured_on_twelve_pixels(shared_pixels, why) -> None:
    image = texture((PLANE[0], 200), 1, 1.5).astype(np.float32)
    offset = np.array([0.0, PLANE[1] - shared_pixels])
    second = image[:, int(offset[1]) : int(offset[1]) + PLANE[1]]
    assert measure_offset(image[:, : PLANE[1]], second, offset, 1e-3, 3.0)[2] == why


def test_the_shared_part_has_rows_before_columns() -> None:
    assert shared(np.array([3.2, -5.0]), PLANE) == (Box(3, 80, 0, 85), Box(0, 77, 5, 90))


def images_of_correlation(r):
    """Two images that share a part of their details, so that Pearson's r of these is r."""
    parts = [detail(texture(PLANE, seed, 1.5)) for seed in range(3)]
    common, one, other = (part / part.std() for part in parts)
    return [(r**0.5 * common + (1 - r) ** 0.5 * own).astype(np.float32) for own in (one, other)]


@pytest.mark.parametrize(("r", "why"), [(0.2, "not alike"), (0.4, "")])
def test_images_are_alike_from_a_correlation_of_three_tenths(r, why) -> None:
    _, found, rejected = measure_offset(*images_of_correlation(r), HERE, 1e-3, 4.0)
    assert found == pytest.approx(r, abs=0.09)
    assert rejected == why


@pytest.mark.parametrize(("contrast", "why"), [(0.7, "no texture"), (1.3, "")])
def test_texture_has_the_variance_of_the_noise_besides_that_of_the_noise(contrast, why) -> None:
    white = detail(np.random.default_rng(0).normal(0, 1, (900, 900))).std()
    image = texture(PLANE, 3, 1.5)
    noise = detail(image).std() / white / (1 + contrast) ** 0.5
    assert measure_offset(*[image.astype(np.float32)] * 2, HERE, noise, 4.0)[2] == why


@pytest.mark.parametrize(("limit", "why"), [(3.5, "not alike"), (4.5, "")])
def test_an_offset_further_than_the_stage_can_be_wrong_is_none(limit, why) -> None:
    image = texture((120, 130), 2, 2.0).astype(np.float32)
    first, second = image[:80, :90], image[4:84, :90]
    assert measure_offset(first, second, HERE, 1e-3, limit)[2] == why


def test_an_offset_is_refined_to_a_fiftieth_of_a_pixel() -> None:
    image = texture((140, 150), 4, 2.5)
    true = np.array([2.37, -1.74])
    whole = np.array([2, -2])
    second = ndimage.shift(image, whole - true, order=5)[
        20 + whole[0] : 100 + whole[0], 20 + whole[1] : 110 + whole[1]
    ]
    first = image[20:100, 20:110]
    offset, r, _ = measure_offset(first.astype(np.float32), second.astype(np.float32), HERE, 1e-3, 5.0)
    np.testing.assert_allclose(offset, true, atol=0.03)
    assert r > 0.99


def test_a_gradient_of_the_light_moves_no_field() -> None:
    image = texture((140, 150), 6, 1.5)
    first, second = image[20:100, 20:110], image[23:103, 18:108] + 0.4 * np.linspace(-1, 1, 90)
    offset, _, why = measure_offset(first.astype(np.float32), second.astype(np.float32), HERE, 1e-3, 6.0)
    assert why == ""
    np.testing.assert_allclose(offset, (3, -2), atol=0.1)


def placed_beside(disagreement, typical):
    """Two fields and 20 pairs between them, `typical` pixels off to both sides, and one further off."""
    offsets = [80.0 + typical * (-1) ** i for i in range(20)] + [80.0 + disagreement]
    pairs = [Pair(0, 1, (0.0, 80.0), (0.0, offset), 0.9) for offset in offsets]
    return place_fields(["a", "b"], np.array([[0.0, 0.0], [0.0, 80.0]]), pairs, 20.0)


@pytest.mark.parametrize(
    ("disagreement", "typical", "left_out"),
    [
        (0.95, 0.0, []),  # less than a pixel: 0.90 after all pairs are solved
        (1.15, 0.0, [20]),
        (4.20, 1.0, []),  # 3.3 times the typical pair
        (4.70, 1.0, [20]),  # 3.7 times
    ],
)
def test_a_pair_counts_within_a_pixel_or_three_and_a_half_times_the_typical_pair(
    disagreement, typical, left_out
) -> None:
    found = placed_beside(disagreement, typical)
    assert [i for i, pair in enumerate(found.pairs) if pair.rejected] == left_out
    assert found.corners[1, 1] - found.corners[0, 1] == pytest.approx(
        80 + (0 if left_out else disagreement / 21), abs=1e-5
    )


def test_an_error_names_ten_fields() -> None:
    stage = np.array([[0.0, 80.0 * i] for i in range(14)])
    pairs = [Pair(i, i + 1, (0, 80), (0, 80), 0.1, "not alike") for i in range(13)]
    with pytest.raises(InputError) as error:
        place_fields([f"f{i}" for i in range(14)], stage, pairs, 20.0)
    lines = str(error.value).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "and 4 more fields whose overlaps disagree"


ENERGY = np.linspace(7000.0, 7300.0, 61)


def test_an_edge_lies_where_a_cubic_spline_rises_through_a_half() -> None:
    rise = 0.5 * (1 + np.tanh((ENERGY - 7123.4) / 9))
    # tanh passes a half at its own middle; between two samples a straight line is off by up to 0.1 eV
    assert edge_position(rise[None], ENERGY, (7080, 7200))[0] == pytest.approx(7123.4, abs=0.02)


@pytest.mark.parametrize(("degree", "terms"), [(1, 2), (2, 5)])
@pytest.mark.parametrize("enough", [False, True])
def test_a_shift_needs_four_blocks_a_term(degree, terms, enough) -> None:
    count = 4 * (terms + 1) - (not enough)
    rng = np.random.default_rng(0)
    spectra = np.tile(0.5 * (1 + np.tanh((ENERGY - 7123.4) / 9)), (count, 1))
    blocks = Blocks(spectra, rng.uniform(0, 100, (count, 2)))
    if enough:
        assert fit_shift(blocks, ENERGY, (7080, 7200), (100, 100), degree).blocks == count
    else:
        with pytest.raises(InputError, match=f"expected at least {4 * (terms + 1)}"):
            fit_shift(blocks, ENERGY, (7080, 7200), (100, 100), degree)

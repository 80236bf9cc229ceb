import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.spatial.clean_up import CleanUp, allowed_p_num, check_clean_up, check_labels, find_cores
from gigaxas.spatial.regions import clean_up_map
from gigaxas.tiles import Box
from hypothesis import given, settings
from hypothesis import strategies as st
from map_oracle import oracle_clean_up, oracle_cores
from map_strategies import clean_ups, label_maps


@pytest.mark.parametrize(("k_size", "low"), [(3, 8), (5, 22), (7, 45), (9, 76), (11, 115)])
def test_gate_is_the_one_of_the_method(k_size, low):
    half = k_size // 2
    inside = [
        p
        for p in range(1, k_size**2 + 1)
        if 2 * (k_size**2 - p) < (half + 1) ** 2 and k_size**2 - p <= half + 1
    ]
    assert inside == list(range(low, k_size**2 + 1))
    assert allowed_p_num(k_size) == (low, k_size**2)


def test_refused_parameters_are_told_what_is_allowed():
    check_clean_up(CleanUp(5, 22), (5, 5))
    with pytest.raises(InputError, match=r"p_num is 21 with k_size 5; expected 22, 23, 24, 25"):
        check_clean_up(CleanUp(5, 21))
    with pytest.raises(InputError, match=r"p_num is 26"):
        check_clean_up(CleanUp(5, 26))
    for k_size in (4, 1, 0, -3):
        with pytest.raises(InputError, match=f"k_size is {k_size}; expected an odd number"):
            check_clean_up(CleanUp(k_size, 1))
    with pytest.raises(InputError, match=r"shape \(4, 90\); expected at least k_size = 5"):
        check_clean_up(CleanUp(5, 23), (4, 90))


@pytest.mark.parametrize("labels", [np.ones((9, 9)), np.ones((9, 9), np.int32), np.ones((9, 9), np.uint64)])
def test_other_than_unsigned_labels_are_refused(labels):
    with pytest.raises(InputError, match="expected two dimensions of uint16 or uint32"):
        clean_up_map(labels, CleanUp())


def test_a_stack_of_maps_is_refused():
    with pytest.raises(InputError, match="3-dimensional"):
        check_labels(np.ones((2, 9, 9), np.uint16))


@settings(deadline=None, max_examples=250)
@given(st.data(), clean_ups)
def test_cores_are_those_of_the_method(data, clean_up):
    labels = data.draw(label_maps(smallest=clean_up.k_size))
    half = clean_up.radius
    padded = np.pad(labels, half, constant_values=data.draw(st.integers(0, 4)))
    interior = Box(half, labels.shape[0] - half, half, labels.shape[1] - half)
    cores = find_cores(padded, interior, clean_up)
    np.testing.assert_array_equal(cores, oracle_cores(labels, *clean_up))
    assert cores.dtype == labels.dtype


@settings(deadline=None, max_examples=250)
@given(st.data(), clean_ups)
def test_clean_up_of_a_whole_map_is_that_of_the_method(data, clean_up):
    labels = data.draw(label_maps(smallest=clean_up.k_size))
    kept = clean_up_map(labels, clean_up)
    np.testing.assert_array_equal(kept, oracle_clean_up(labels, *clean_up))
    assert kept.dtype == labels.dtype


@settings(deadline=None, max_examples=50)
@given(label_maps(smallest=7), clean_ups, st.permutations([1, 2, 3, 4]))
def test_names_of_labels_do_not_matter(labels, clean_up, names):
    renamed = np.array([0, *names], labels.dtype)
    kept = clean_up_map(renamed[labels], clean_up)
    np.testing.assert_array_equal(kept, renamed[clean_up_map(labels, clean_up)])


def test_loose_end_of_a_kept_line_goes_to_the_core_it_enters():
    """The widest miss the gate allows: three pixels of a line of 2 enter the window of a core of 1."""
    labels = np.ones((11, 20), np.uint16)
    labels[:, 10:] = 2
    labels[5, 7:10] = 2
    kept = clean_up_map(labels, CleanUp(5, 22))
    assert kept[5, 7] == 1
    assert kept[5, 8] == kept[5, 9] == 2
    np.testing.assert_array_equal(kept, oracle_clean_up(labels, 5, 22))


@pytest.mark.parametrize(("y", "x"), [(0, slice(0, 2)), (4, slice(3, 5)), (slice(0, 2), 0)])
def test_a_core_may_miss_any_pixels_of_its_window(y, x):
    labels = np.ones((5, 5), np.uint16)
    labels[y, x] = 2
    assert clean_up_map(labels, CleanUp(5, 23))[2, 2] == 1
    assert clean_up_map(labels, CleanUp(5, 24))[2, 2] == 0


def test_a_core_over_a_void_pixel_is_kept_only_on_request():
    labels = np.full((9, 9), 7, np.uint32)
    labels[4, 4] = 0
    assert clean_up_map(labels, CleanUp())[4, 4] == 0
    assert clean_up_map(labels, CleanUp(fill_void=True))[4, 4] == 7


def test_an_area_without_signal_has_no_core():
    assert not clean_up_map(np.zeros((9, 9), np.uint16), CleanUp(fill_void=True)).any()


def test_incoherent_labels_are_all_removed():
    labels = np.random.default_rng(1).integers(1, 60000, (64, 64)).astype(np.uint16)
    assert not clean_up_map(labels, CleanUp()).any()


def test_the_border_is_no_part_of_a_region():
    kept = clean_up_map(np.ones((9, 12), np.uint16), CleanUp())
    assert kept[2:-2, 2:-2].all()
    assert kept.sum() == 5 * 8

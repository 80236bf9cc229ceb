"""The public clean_up and fill: Dask arrays of any chunks give the bits of the whole map."""

import dask.array as da
import gigaxas as gx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from map_oracle import oracle_clean_up, oracle_fill_by_growth
from map_strategies import clean_ups, label_maps, sparse_maps

schedulers = st.sampled_from(["synchronous", "threads"])


@st.composite
def chunkings(draw, shape):
    """Ragged chunks of a map, at most five a side: Dask takes ten milliseconds for each."""
    cuts = [sorted(draw(st.sets(st.integers(1, side - 1), max_size=4))) if side > 1 else [] for side in shape]
    return tuple(tuple(np.diff([0, *inner, side]).tolist()) for inner, side in zip(cuts, shape, strict=True))


@settings(max_examples=40, deadline=None)
@given(st.data(), clean_ups, schedulers)
def test_clean_up_of_a_dask_map_is_the_oracles(data, clean_up, scheduler):
    labels = data.draw(label_maps(smallest=clean_up.k_size))
    lazy = da.from_array(labels, chunks=data.draw(chunkings(labels.shape)))
    found = gx.clean_up(lazy, *clean_up)
    assert found.chunks == lazy.chunks
    np.testing.assert_array_equal(found.compute(scheduler=scheduler), oracle_clean_up(labels, *clean_up))


@settings(max_examples=40, deadline=None)
@given(st.data(), sparse_maps(), schedulers)
def test_fill_of_a_dask_map_is_the_oracles(data, case, scheduler):
    kept, void = case
    lazy = da.from_array(kept, chunks=data.draw(chunkings(kept.shape)))
    lazy_void = None if void is None else da.from_array(void, chunks=-1)
    found = gx.fill(lazy, lazy_void)
    assert found.chunks == lazy.chunks
    np.testing.assert_array_equal(found.compute(scheduler=scheduler), oracle_fill_by_growth(kept, void))


def test_a_numpy_map_gives_a_numpy_map():
    labels = np.ones((9, 9), np.uint16)
    kept = gx.clean_up(labels)
    assert isinstance(kept, np.ndarray)
    np.testing.assert_array_equal(gx.fill(kept), labels)


def test_maps_that_cannot_be_cleaned_are_refused():
    with pytest.raises(gx.InputError, match="k_size"):
        gx.clean_up(da.ones((4, 9), dtype=np.uint16))
    with pytest.raises(gx.InputError, match="uint16 or uint32"):
        gx.clean_up(da.ones((9, 9), dtype=np.int64))
    with pytest.raises(gx.InputError, match="same"):
        gx.fill(da.ones((9, 9), dtype=np.uint16), da.zeros((3, 3), dtype=bool))

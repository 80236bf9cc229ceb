"""The entrance: shapes, types, clear errors, pickling, and the approximate option with its recall."""

import pickle

import gigaxas.nearest as pn
import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.nearest.approximate import assign_approximately, build_index, count_right
from nearest_oracle import codes, mixtures, noisy_pixels, smooth_spectra


@pytest.fixture(scope="module")
def scene():
    rng = np.random.default_rng(0)
    sites = mixtures(rng, smooth_spectra(rng, 20, 100), 200)
    labels = rng.integers(0, 201, 600)
    return sites, codes(noisy_pixels(rng, sites, labels, 0.01))


def test_shapes_and_types_follow_the_pixels(scene):
    sites, block = scene
    prepared = pn.prepare(sites)
    flat = pn.assign_block(block, prepared)
    image = pn.assign_block(block.reshape(100, 20, 30), prepared, want_runner_up=True)
    assert flat.labels.shape == (600,)
    assert flat.labels.dtype == np.uint16
    assert flat.correlation.dtype == np.float32
    assert flat.runner_up is None
    np.testing.assert_array_equal(image.labels, flat.labels.reshape(20, 30))
    assert image.runner_up.shape == image.runner_up_correlation.shape == (20, 30)
    empty = pn.assign_block(np.empty((100, 0, 7), np.uint16), prepared)
    assert empty.labels.shape == (0, 7)


def test_a_strided_block_gives_the_same(scene):
    sites, block = scene
    wide = np.zeros((100, 600, 2), np.uint16)
    wide[..., 1] = block
    prepared = pn.prepare(sites)
    np.testing.assert_array_equal(
        pn.assign_block(wide[..., 1], prepared).labels, pn.assign_block(block, prepared).labels
    )


def test_assign_takes_spectra_with_energies_last(scene):
    sites, block = scene
    labels = pn.assign(block.T.reshape(20, 30, 100), sites)
    np.testing.assert_array_equal(labels.ravel(), pn.assign_block(block, pn.prepare(sites)).labels)
    assert pn.assign(sites[4] * 3 + 1, sites).shape == ()
    assert pn.assign(sites[4] * 3 + 1, sites) == 5
    assert pn.assign(np.arange(8), [[0, 0, 0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0, 0, 0]]) == 1
    assert pn.assign(np.ones(8), [[0, 0, 0, 0, 1, 1, 1, 1]]) == 0


def test_one_site_has_no_runner_up():
    found = pn.assign_block(
        np.random.default_rng(0).normal(size=(20, 9)), pn.prepare([np.arange(20)]), want_runner_up=True
    )
    assert (found.labels == 1).all()
    assert (found.runner_up == 0).all()
    assert (found.runner_up_correlation == 0).all()


def test_prepared_sites_survive_pickling(scene):
    sites, block = scene
    prepared = pn.prepare(sites)
    copy = pickle.loads(pickle.dumps(prepared))
    np.testing.assert_array_equal(
        pn.assign_block(block, copy).labels, pn.assign_block(block, prepared).labels
    )


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda s: s[0], "shape"),
        (lambda s: s[:0], "shape"),
        (lambda s: s[:, :1], "shape"),
        (lambda s: s.astype(complex), "complex"),
        (lambda s: np.where(np.arange(len(s))[:, None] == 6, 2.5, s), "site 7 is constant"),
        (lambda s: np.where(np.arange(len(s))[:, None] == 3, np.nan, s), "site 4 holds"),
        (lambda s: np.where(np.arange(len(s))[:, None] == 3, np.inf, s), "site 4 holds"),
    ],
)
def test_bad_sites_are_named(scene, spoil, words):
    with pytest.raises(InputError, match=words):
        pn.prepare(spoil(scene[0]))


def test_bad_blocks_are_refused(scene):
    prepared = pn.prepare(scene[0])
    with pytest.raises(InputError, match="100 energies first"):
        pn.assign_block(scene[1].T, prepared)
    with pytest.raises(InputError, match="int64"):
        pn.assign_block(scene[1].astype(np.int64), prepared)
    with pytest.raises(InputError, match="100 energies last"):
        pn.assign(scene[1], scene[0])
    with pytest.raises(InputError, match="multiple of 8"):
        pn.prepare(scene[0], 12)


@pytest.mark.slow
def test_the_approximate_option_knows_its_recall(scene):
    sites, block = scene
    block = block.copy()
    block[:, 5] = 65535
    prepared = pn.prepare(sites)
    index = build_index(prepared)
    found = assign_approximately(block.reshape(100, 20, 30), prepared, index, 65535)
    labels, exact = found.labels, pn.assign_block(block, prepared, 65535).labels
    right, compared = count_right(block, labels, prepared, 65535, sample=600)
    assert labels.shape == (20, 30)
    np.testing.assert_array_equal(labels.ravel() == 0, exact == 0)
    some = exact > 0
    assert (right, compared) == (np.count_nonzero(labels.ravel()[some] == exact[some]), some.sum())
    assert right > 0.9 * compared
    same = labels.ravel() == exact
    correlation = pn.assign_block(block, prepared, 65535).correlation
    np.testing.assert_allclose(found.correlation.ravel()[same], correlation[same], atol=1e-5)
    assert count_right(np.zeros((100, 4)), np.zeros(4), prepared) == (0, 0)
    with pytest.raises(InputError, match="at least 3"):
        build_index(pn.prepare(sites[:2]))

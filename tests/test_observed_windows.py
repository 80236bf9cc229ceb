"""Sums over windows against an oracle written from their definition."""

import numpy as np
import pytest
from gigaxas.observed.pixels import standardise_pixels, whole_unit
from gigaxas.observed.windows import add_row, panels_of
from hypothesis import given, settings
from hypothesis import strategies as st
from observed_scenes import window_sums


def image(rng, energies, shape, void=0.0):
    """Noisy spectra (E, y, x) of two shapes, some pixels void."""
    grid = np.linspace(0, 1, energies)
    means = np.stack([np.tanh(8 * (grid - 0.4)), np.tanh(8 * (grid - 0.5)) + 0.1 * grid])
    phase = rng.integers(0, 2, shape)
    mu = means[phase].transpose(2, 0, 1) + rng.normal(0, 0.05, (energies, *shape))
    mu[:, rng.random(shape) < void] = np.nan
    return mu


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
def test_pixels_are_standardised_and_bad_ones_void(dtype):
    rng = np.random.default_rng(0)
    block = rng.uniform(100, 60000, (20, 6, 7)).astype(dtype)
    block[:, 1, 2] = 500  # constant
    block[3, 4, 5] = 65535
    if dtype != np.uint16:
        block[7, 0, 0] = np.nan
    pixels = standardise_pixels(block, 5, 65535)
    values = block.astype(float)
    centred = values - values.mean(axis=0)
    length = np.maximum(np.linalg.norm(centred, axis=0), 1e-9)
    expected = np.rint(centred / length * pixels.unit)
    bad = {(1, 2), (4, 5)} | ({(0, 0)} if dtype != np.uint16 else set())
    for y, x in np.ndindex(6, 7):
        assert pixels.valid[y, x] == ((y, x) not in bad)
        wanted = np.zeros(20) if (y, x) in bad else expected[:, y, x]
        assert np.array_equal(pixels.samples[:, y, x], wanted)


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from([3, 5, 7]),
    st.integers(3, 30),
    st.integers(0, 4),
    st.integers(0, 9),
    st.sampled_from([0.0, 0.05]),
    st.integers(0, 2**20),
)
def test_window_sums_are_the_oracle_s(k, energies, more_rows, more_columns, void, seed):
    rng = np.random.default_rng(seed)
    mu = np.ascontiguousarray(image(rng, energies, (k + more_rows, k + more_columns), void))
    pixels = standardise_pixels(mu, k)
    [panel] = panels_of(energies, k + more_columns, mu.dtype, k, 2)
    for y in range(1 - k, more_rows + 1):
        assert add_row(panel, mu, y + k - 1, y + k - 1, np.nan) == (y >= 0)
        for x in range(more_columns + 1) if y >= 0 else ():
            here = panel.row
            assert here.pixels[x] == pixels.valid[y : y + k, x : x + k].sum()
            total = pixels.samples[:, y : y + k, x : x + k].astype(float).sum(axis=(1, 2))
            assert np.array_equal(here.total[:, x], total)
            if here.pixels[x] < k * k - 2:
                continue
            scatter, smooth, contrast, coherence = window_sums(pixels, y, x, k)
            scale = max(scatter, 1.0)
            np.testing.assert_allclose(here.scatter[x], scatter, rtol=1e-9, atol=1e-6 * scale)
            np.testing.assert_allclose(here.smooth[x], smooth, rtol=1e-7, atol=1e-6 * scale)
            np.testing.assert_allclose(here.contrast[x], contrast, rtol=1e-5, atol=1e-5 * scale)
            np.testing.assert_allclose(here.coherence[x], coherence, rtol=1e-6, atol=1e-6 * scale)


@pytest.mark.parametrize("k", [3, 5, 7, 9, 15, 21])
def test_sums_stay_whole_numbers(k):
    lever = sum(abs(j - k // 2) for j in range(k)) * k
    assert whole_unit(k) * max(k * k, lever) <= 2**24


@pytest.mark.parametrize("k", [3, 5, 41])
def test_every_window_lies_in_one_panel(k):
    rng = np.random.default_rng(1)
    width = 300
    mu = image(rng, 4, (k, width))
    pixels = standardise_pixels(mu, k)
    found = []
    for panel in panels_of(4, width, mu.dtype, k, 1):
        for y in range(k):
            add_row(panel, np.ascontiguousarray(mu), y, y, np.nan)
        assert panel.left == sum(part.shape[1] for part in found)
        found.append(panel.row.total[:, : panel.windows].copy())
    whole = np.lib.stride_tricks.sliding_window_view(pixels.samples[:, :, :width].sum(axis=1), k, axis=1)
    assert len(found) > 1
    assert np.array_equal(np.concatenate(found, axis=1), whole.sum(axis=2))

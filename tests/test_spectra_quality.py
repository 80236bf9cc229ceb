"""Every limit on what is taken for a reference spectrum: met from one side and from the other."""

from pathlib import Path

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.spectra import Spectrum, edge_step, find_e0, normalise, read_library
from gigaxas.spectra.quality import noise_of, refuse_cut_out, refuse_noise
from gigaxas.spectra.spectrum import in_order
from spectra_model import GRID, raw, scan_energies

EVEN = np.arange(7000.0, 7331.0, 2.0)
PRE, POST = (7009.0, 7095.0), (7170.0, 7321.0)
ALTERNATING = np.where(np.arange(EVEN.size) % 2, 1.0, -1.0)


def spectrum(mu, energy=EVEN) -> Spectrum:
    return Spectrum("one", energy, np.asarray(mu, dtype=float))


def within(span):
    return (span[0] <= EVEN) & (span[1] >= EVEN)


@pytest.mark.parametrize(("step", "taken_at"), [(0.25, 1.75), (2.0, 2.0), (4.0, 4.0)])
def test_noise_is_the_third_differences_of_samples_1_75_ev_apart_or_more(step, taken_at) -> None:
    energy = np.arange(0, 140.0, step)
    # the third difference of x^3 over steps h is 6 h^3; that of independent noise has 20 times its variance
    assert noise_of(spectrum(energy**3, energy), (0, 140)) == pytest.approx(6 * taken_at**3 / 20**0.5)


@pytest.mark.parametrize(("samples", "tells"), [(4, False), (5, True)])
def test_a_short_range_tells_nothing_of_noise(samples, tells) -> None:
    assert (noise_of(spectrum(EVEN**2 + ALTERNATING), (7000, 7000 + 2 * (samples - 1))) > 0) == tells


@pytest.mark.parametrize("span", [PRE, POST])
@pytest.mark.parametrize(("noise", "usable"), [(0.019, True), (0.021, False)])
def test_noise_up_to_a_fiftieth_of_the_edge_step_is_usable(span, noise, usable) -> None:
    # the third difference of +-a is +-8 a
    noisy = spectrum(np.where(within(span), noise * 20**0.5 / 8 * ALTERNATING, 0.0))
    if usable:
        refuse_noise(noisy, PRE, POST)
    else:
        with pytest.raises(InputError, match=r"noise of 0\.021 of its edge step; expected at most 0\.02"):
            refuse_noise(noisy, PRE, POST)


@pytest.mark.parametrize(
    ("equal", "jump", "live"), [(7, 0.5, True), (8, 0.5, False), (8, 0.09, True), (8, 0.11, False)]
)
def test_eight_equal_samples_before_a_jump_of_a_tenth_are_a_detector_cut_out(equal, jump, live) -> None:
    start = 30
    mu = 0.01 * np.arange(EVEN.size, dtype=float)
    mu[start : start + equal] = mu[start]
    mu[start + equal :] = mu[start] + jump * 1.5
    if live:
        refuse_cut_out(spectrum(mu), 1.5)
    else:
        with pytest.raises(InputError, match=r"is exactly 0\.3 over 8 energies up to 7074\.0 eV"):
            refuse_cut_out(spectrum(mu), 1.5)


@pytest.mark.parametrize(("times", "edge"), [(4.0, False), (6.0, True)])
def test_an_edge_step_is_five_times_the_scatter_about_the_pre_edge_line(times, edge) -> None:
    mu = np.where(EVEN < 7095, 0.01 * ALTERNATING, np.where(EVEN < 7120, 0.0, 0.01 * times))
    if edge:
        assert edge_step(spectrum(mu), PRE, POST) == pytest.approx(0.01 * times, rel=0.05)
    else:
        with pytest.raises(InputError, match="expected an edge well above its noise"):
            edge_step(spectrum(mu), PRE, POST)


def test_rounding_is_no_spectrum() -> None:
    with pytest.raises(InputError, match="the same at every energy"):
        normalise(spectrum(np.where(ALTERNATING > 0, 3.0, np.nextafter(3.0, 4.0))), PRE, POST)


@pytest.mark.parametrize("e0", [7050.0, 7200.0])
def test_an_edge_inside_a_range_is_refused(e0) -> None:
    with pytest.raises(InputError, match=f"E0 = {e0:g} eV; expected it between the ranges"):
        normalise(spectrum(raw(EVEN)), PRE, POST, e0)


@pytest.mark.parametrize(("energies", "enough"), [(2, False), (3, True)])
def test_a_line_needs_three_energies(energies, enough) -> None:
    short = (7010.0, 7010.0 + 2 * (energies - 1))
    if enough:
        normalise(spectrum(raw(EVEN)), short, POST)
    else:
        with pytest.raises(InputError, match="2 energies in the pre-edge range"):
            normalise(spectrum(raw(EVEN)), short, POST)


@pytest.mark.parametrize("seed", range(3))
def test_e0_is_where_a_line_over_0_6_ev_to_either_side_is_steepest(seed) -> None:
    energy = np.arange(7090, 7170, 0.08)
    mu = np.random.default_rng(seed).normal(0, 0.1, energy.size).cumsum()
    slopes = []
    for at in energy:
        near = np.abs(energy - at) < 0.6
        slopes.append(np.polyfit(energy[near] - at, mu[near], 1)[0])
    inside = (energy >= 7100) & (energy <= 7160)
    best = energy[inside][np.argmax(np.array(slopes)[inside])]
    assert find_e0(spectrum(mu, energy), (7100, 7160)) == pytest.approx(best, abs=0.01)


@pytest.mark.parametrize(("back", "sorted_in"), [(0.9, True), (1.1, False)])
def test_jitter_of_an_electronvolt_is_sorted(back, sorted_in) -> None:
    energy = np.arange(7000.0, 7020.0)
    energy[10] = energy[9] - back
    jittered = spectrum(energy**2, energy)
    if sorted_in:
        np.testing.assert_array_equal(in_order(jittered).mu, np.sort(energy) ** 2)
    else:
        with pytest.raises(InputError, match=r"goes back by 1\.1 eV at row 11"):
            in_order(jittered)


def test_samples_at_one_energy_become_their_mean() -> None:
    energy = np.array([1.0, 2, 2, 3, 4, 5, 5, 5, 6, 7, 8])
    mu = np.array([0.0, 1, 2, 3, 4, 5, 6, 10, 7, 8, 9])
    found = in_order(spectrum(mu, energy))
    assert found.energy.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert found.mu.tolist() == [0, 1.5, 3, 4, 7, 7, 8, 9]


@pytest.mark.parametrize(("energies", "enough"), [(7, False), (8, True)])
def test_a_spectrum_has_eight_energies(energies, enough) -> None:
    short = spectrum(np.arange(energies), np.arange(float(energies)))
    if enough:
        assert in_order(short).mu.tolist() == list(range(8))
    else:
        with pytest.raises(InputError, match="has 7 energies; expected at least 8"):
            in_order(short)


@pytest.mark.parametrize(("difference", "status"), [(5e-4, "duplicate"), (2e-3, "read")])
def test_spectra_that_differ_by_a_thousandth_of_the_step_are_the_same(
    tmp_path: Path, difference, status
) -> None:
    energy = scan_energies()
    bump = np.exp(-(((energy - 7140) / 8) ** 2))
    for name, mu in {"a": raw(energy), "b": raw(energy) + 1.3 * difference * bump}.items():
        np.savetxt(tmp_path / f"{name}.dat", np.column_stack([energy, mu]), header="energy mu")
    assert [row.status for row in read_library(tmp_path, GRID).table] == ["read", status]


def test_lines_are_held_at_the_ends_of_their_ranges() -> None:
    step = np.where(EVEN < 7120, 0.0, 1.0 + 0.002 * (EVEN - 7170)) + 0.01 * (EVEN - 7000)
    normal = normalise(spectrum(step), (7020.0, 7095.0), (7170.0, 7300.0), 7120.0)
    # the pre-edge line goes from 0.2 to 3, the post-edge line from 0.7 to 1.26
    assert normal.mu[[0, -1]] == pytest.approx([(0 - 0.2) / 0.7, (1.32 + 3.3 - 3) / 1.26])

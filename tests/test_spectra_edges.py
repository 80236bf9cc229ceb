"""Edges by name, the edge of a spectrum, and the ranges that follow from an edge and an axis."""

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.spectra.edges import edge_ranges, edges_within, find_edge, parse_edge
from hypothesis import given
from hypothesis import strategies as st

PAPER = np.linspace(7009.2, 7321.2, 178)
SHORT = np.linspace(7090, 7175, 58)
SOFT = np.linspace(700, 730, 61)


def step(energy, position, width=2.0):
    return 1 / (1 + np.exp(-(energy - position) / width))


def peak(energy, position, width):
    return np.exp(-(((energy - position) / width) ** 2))


def iron_l(energy):
    return 1.2 * peak(energy, 708.4, 1) + 0.4 * peak(energy, 721.5, 1.5) + 0.15 * step(energy, 709, 0.5)


@pytest.mark.parametrize(
    ("text", "name", "energy", "position", "method"),
    [
        ("Fe K", "Fe K", 7112.0, 7125.0, "lines"),
        ("fek", "Fe K", 7112.0, 7125.0, "lines"),
        (" NI_k ", "Ni K", 8333.0, 8346.0, "lines"),
        ("Fe L3", "Fe L3", 706.8, 706.8, "constants"),
        ("fe l", "Fe L3", 706.8, 706.8, "constants"),
        ("Pt L3", "Pt L3", 11564.0, 11564.0, "lines"),
        ("CK", "C K", 284.2, 284.2, "constants"),
        ("co k", "Co K", 7709.0, 7722.0, "lines"),
        (7120, "7120 eV", 7120.0, 7120.0, "lines"),
        ("7120.5 eV", "7120.5 eV", 7120.5, 7120.5, "lines"),
    ],
)
def test_an_edge_has_its_tabulated_energy(text, name, energy, position, method) -> None:
    edge = parse_edge(text)
    assert (edge.name, edge.energy, edge.position, edge.method) == (name, energy, position, method)
    assert (edge.l2 is not None) == name.endswith("L3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Xx K", "an element from H to Cf"),
        ("iron", "such as Fe K, Ni K or Fe L3"),
        ("Fe M5", r"expected Fe K \(7112 eV\), Fe L3 \(706.8 eV\)"),
        ("C L3", r"expected C K \(284.2 eV\)"),
        (-5.0, "above 0"),
        (float("nan"), "above 0"),
    ],
)
def test_what_is_no_edge_is_refused_with_what_there_is(text, message) -> None:
    with pytest.raises(InputError, match=message):
        parse_edge(text)


@pytest.mark.parametrize(
    ("edge", "axis", "pre", "post"),
    [
        ("Fe K", PAPER, (7009.2, 7080.0), (7200.0, 7321.2)),
        ("Fe K", np.linspace(6900, 7500, 600), (7009.2, 7080.0), (7200.0, 7321.2)),
        ("Fe K", SHORT, (7090.0, 7104.08), (7149.8, 7175.0)),
        ("Ni K", np.linspace(8200, 8600, 401), (8230.2, 8301.0), (8421.0, 8542.2)),
        ("Fe L", SOFT, (700.0, 703.8), (725.9, 730.0)),
        ("Pt L3", np.linspace(11400, 13400, 999), (11461.2, 11532.0), (11652.0, 11773.2)),
        ("C K", np.linspace(278, 320, 85), (278.0, 281.968), (305.68, 320.0)),
    ],
)
def test_ranges_follow_from_the_edge_and_the_axis(edge, axis, pre, post) -> None:
    found = edge_ranges(parse_edge(edge), axis)
    assert found.pre_edge == pytest.approx(pre, abs=1e-9)
    assert found.post_edge == pytest.approx(post, abs=1e-9)


def test_the_ranges_of_the_paper_are_exact() -> None:
    found = edge_ranges(parse_edge("Fe K"), PAPER)
    assert (found.pre_edge, found.post_edge) == ((7009.2, 7080.0), (7200.0, 7321.2))


@given(first=st.floats(20, 120), last=st.floats(32, 400))
def test_ranges_lie_inside_the_axis_and_clear_of_the_edge(first: float, last: float) -> None:
    axis = np.arange(7112 - first, 7112 + last, 0.5)
    edge = parse_edge("Fe K")
    found = edge_ranges(edge, axis)
    (a, b), (c, d) = found.pre_edge, found.post_edge
    assert axis[0] <= a < b < edge.energy - 6.5 < edge.position < edge.energy + 17.9 < c < d <= axis[-1]


@pytest.mark.parametrize(
    ("edge", "axis", "message"),
    [
        ("Ni K", PAPER, "Ni K lies at 8333 eV, the energies run from 7009.2 to 7321.2 eV"),
        ("Fe K", np.linspace(7000, 7125, 126), "lie after Fe K"),
        ("Fe K", np.linspace(7105, 7300, 196), "lie before Fe K"),
        ("Fe K", np.linspace(7000, 7330, 12), "lie before Fe K|lie after Fe K"),
        ("Fe L3", np.linspace(700, 724, 200), "lie after Fe L3.* rests on extrapolation"),
        ("Fe L3", np.linspace(704.5, 730, 200), "lie before Fe L3"),
    ],
)
def test_ranges_that_would_rest_on_extrapolation_are_refused(edge, axis, message) -> None:
    with pytest.raises(InputError, match=message):
        edge_ranges(parse_edge(edge), axis)


@pytest.mark.parametrize(
    ("energy", "spectrum", "name"),
    [
        (PAPER, step(PAPER, 7122), "Fe K"),
        (PAPER, 0.4 + 2e-3 * (7321 - PAPER) + step(PAPER, 7128), "Fe K"),
        (SHORT, step(SHORT, 7121) + 0.8 * peak(SHORT, 7124, 2.5), "Fe K"),
        (SOFT, iron_l(SOFT), "Fe L3"),
        (PAPER, step(PAPER, 7246), "Gd L3"),
        (SHORT, peak(SHORT, 7125, 8.0), None),
        (PAPER, peak(PAPER, 7125, 6.0) + 0.05 * step(PAPER, 7125), None),
        (SOFT, peak(SOFT, 708.4, 1), None),
        (PAPER, np.full(178, 3.0), None),
        (PAPER, 2 - step(PAPER, 7125), None),
        (PAPER + 90, step(PAPER, 7060), None),
    ],
)
def test_the_edge_of_a_spectrum_is_where_it_rises_for_good(energy, spectrum, name) -> None:
    found = find_edge(energy, spectrum)
    assert (found.name if found else None) == name


@given(seed=st.integers(0, 10**6), gain=st.floats(1e-3, 1e5), offset=st.floats(-1e3, 1e3))
def test_noise_shows_no_edge_and_scale_hides_none(seed: int, gain: float, offset: float) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.02, PAPER.size)
    assert find_edge(PAPER, offset + gain * noise) is None
    found = find_edge(PAPER, offset + gain * (step(PAPER, 7124) + noise))
    assert found is not None
    assert found.name == "Fe K"


def test_peaks_over_thousands_of_wavenumbers_are_no_edge() -> None:
    axis = np.linspace(100, 3200, 1024)
    raman = sum(peak(axis, at, 8.0) for at in (206.0, 464.0, 709.0, 722.0, 1086.0, 2900.0))
    assert find_edge(axis, raman + 0.1) is None


def test_k_edges_come_before_l_edges() -> None:
    assert [edge.name for edge in edges_within(PAPER)] == ["Fe K", "Gd L3"]
    assert edges_within(np.linspace(1.5, 3.0, 200)) == []

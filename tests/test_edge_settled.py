"""The edge of a run, its ranges and its normalisation, settled from a configuration and the energies."""

import numpy as np
import pytest
from gigaxas.config.schema import Config
from gigaxas.errors import InputError
from gigaxas.workflow.edge import method_of, ranges_of, resolve_edge
from pydantic import ValidationError

PAPER = np.linspace(7009.2, 7321.2, 178)
SHORT = np.linspace(7090, 7175, 58)
SOFT = np.linspace(700, 730, 121)
RAMAN = np.linspace(100, 3200, 400)
FIELDS = {"transmitted": "t.h5", "reference": "r.h5", "positions": "p.csv"}


def settings(**given):
    image = {} if {"simulate", "ingest", "cube"} & given.keys() else {"simulate": {}}
    references = given.pop("references", {"modelled": True})
    return Config.model_validate({"title": "t", "output": "o", "references": references} | image | given)


def settled(energy, **given):
    return resolve_edge(settings(**given), energy, None)


def stack(**given):
    return {"stack": "s.tif", "energies": "e.txt"} | given


@pytest.fixture
def folder(tmp_path):
    """Files of references of four kinds, a folder each."""
    peak = np.exp(-(((SOFT - 708.5) / 1.2) ** 2)) + 0.4 * np.exp(-(((SOFT - 721.5) / 1.5) ** 2))
    kinds = {
        "iron": (PAPER, 1 / (1 + np.exp(-(PAPER - 7124) / 2))),
        "soft": (SOFT, peak + 0.2 / (1 + np.exp(-(SOFT - 709)))),
        "raman": (RAMAN, np.exp(-(((RAMAN - 1086) / 9) ** 2)) + 0.3 * np.exp(-(((RAMAN - 712) / 9) ** 2))),
    }
    for name, (energy, values) in kinds.items():
        (tmp_path / name).mkdir()
        np.savetxt(tmp_path / name / "a.txt", np.column_stack([energy, values]))
    return tmp_path


def test_iron_k_on_the_grid_of_the_paper_needs_no_word():
    config = settled(PAPER)
    assert config.edge == "Fe K"
    assert ranges_of(config) == ((7009.2, 7080.0), (7200.0, 7321.2))
    assert config.references.normalise == "lines"


def test_raw_fields_of_iron_keep_their_step_and_lines():
    config = settled(PAPER, ingest={"fields": FIELDS, "energies": "e.txt"})
    assert config.ingest.fields.edge == 7125.0
    assert config.ingest.fields.normalise == "lines"
    soft = settled(SOFT, ingest={"fields": FIELDS, "energies": "e.txt"}, edge="Fe L3")
    assert soft.ingest.fields.normalise == "step"
    assert method_of(soft, soft.ingest.fields.normalise) == "constants"


@pytest.mark.parametrize(
    ("kind", "energy", "unit", "edge", "normalise"),
    [
        ("iron", PAPER, "eV", "Fe K", "lines"),
        ("iron", SHORT, "eV", "Fe K", "lines"),
        ("soft", SOFT, "eV", "Fe L3", "step"),
        ("raman", RAMAN, "eV", None, "none"),
        ("raman", RAMAN, "1/cm", None, "none"),
        ("iron", PAPER, "1/cm", None, "none"),
    ],
)
def test_the_edge_is_the_one_that_the_references_show(folder, kind, energy, unit, edge, normalise):
    config = settled(energy, references={"path": folder / kind}, ingest=stack(unit=unit))
    assert (config.edge, config.references.normalise) == (edge, normalise)
    assert (config.references.pre_edge is None) == (edge is None)


@pytest.mark.parametrize(
    ("energy", "given", "method"),
    [
        (PAPER, {"edge": "fe k"}, "lines"),
        (PAPER, {"edge": "Fe K", "references": {"modelled": True, "normalise": "step"}}, "step"),
        (PAPER, {"references": {"modelled": True, "normalise": "none"}}, None),
        (SOFT, {"edge": "Fe L"}, "constants"),
        (SOFT, {"edge": "Fe L", "references": {"modelled": True, "normalise": "lines"}}, "lines"),
        (PAPER, {"edge": 7120}, "lines"),
    ],
)
def test_normalisation_is_that_of_the_edge_unless_told(energy, given, method):
    config = settled(energy, **given)
    assert method_of(config, config.references.normalise) == method


def test_given_ranges_stay_and_need_no_photon_energies():
    given = {"modelled": True, "pre_edge": [50, 65], "post_edge": [75, 90]}
    config = settled(np.linspace(50, 90, 61), references=given, ingest=stack(unit="1/cm"))
    assert config.edge is None
    assert ranges_of(config) == ((50, 65), (75, 90))
    assert method_of(config, config.references.normalise) == "lines"


def test_one_given_range_goes_with_the_other_of_the_edge():
    config = settled(PAPER, references={"modelled": True, "pre_edge": [7020, 7070]})
    assert ranges_of(config) == ((7020, 7070), (7200.0, 7321.2))


def test_what_is_settled_is_settled_again_as_it_is():
    once = settled(SHORT, edge="Fe K")
    assert resolve_edge(once, SHORT, None) == once


def ranged(**ranges):
    return {"references": {"modelled": True, **ranges}}


@pytest.mark.parametrize(
    ("energy", "given", "message"),
    [
        (PAPER, {"edge": "Ni K"}, "Ni K lies at 8333 eV"),
        (np.linspace(7000, 7130, 131), {"edge": "Fe K"}, "rests on extrapolation"),
        (np.linspace(700, 724, 97), {"edge": "Fe L3"}, "lie after Fe L3"),
        (PAPER, ranged(post_edge=[7400, 7500]), "references.post_edge: 0 of the energies"),
        (PAPER, ranged(pre_edge=[7009, 7012], post_edge=[7200, 7300]), "references.pre_edge: 2 of"),
        (PAPER, ranged(pre_edge=[7200, 7300], post_edge=[7009, 7080]), "four rising energies"),
        (
            RAMAN,
            {"ingest": stack(unit="1/cm"), **ranged(normalise="lines")},
            "lines needs an",
        ),
        (RAMAN, {"ingest": stack(unit="1/cm"), **ranged(pre_edge=[200, 300])}, "found one of pre_edge"),
        (RAMAN, {"ingest": {"fields": FIELDS, "energies": "e.txt", "unit": "1/cm"}}, "none was found"),
    ],
)
def test_what_cannot_be_normalised_is_refused_before_anything_runs(energy, given, message):
    with pytest.raises(InputError, match=message):
        settled(energy, **given)


def test_an_edge_of_no_element_is_refused_as_the_file_is_read():
    with pytest.raises(ValidationError, match="names no edge"):
        settings(edge="Xx K")


def test_absorbance_without_ranges_is_never_simulated():
    with pytest.raises(InputError, match="name it"):
        ranges_of(settled(np.linspace(8000, 8100, 90)))

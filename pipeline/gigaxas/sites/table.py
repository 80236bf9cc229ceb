"""The sites of a run with what each was made of: from named standards to the table that assignment uses."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.sites.candidates import Draw, Growth, check_draw, grow, mix
from gigaxas.sites.distance import as_matrix, check_square_memory
from gigaxas.sites.reduction import Method, group_candidates, group_means
from gigaxas.sites.spacing import Criterion
from gigaxas.spectra.noise import Noise

_NAMED_SHARE = 0.005
_NAMED_MOST = 5


@dataclass(frozen=True)
class Mixtures:
    """Spectra and the weights that make them from standards."""

    spectra: FloatArray
    """(n, E) normalised absorbance."""
    weights: FloatArray
    """(n, n_standards) shares of the standards, rows summing to 1."""


@dataclass(frozen=True)
class SiteTable:
    """The site matrix: site k + 1 is row k."""

    spectra: FloatArray
    """(m, E) normalised absorbance."""
    weights: FloatArray
    """(m, n_standards) rows that sum to 1; (m, 0) where nothing tells what sites are made of."""
    names: tuple[str, ...]
    """(m,) what each site is made of, such as "0.50 Hematite + 0.50 Magnetite"."""
    standards: tuple[str, ...]
    """Names of the columns of `weights`."""


def build_sites(
    names: Sequence[str],
    standards: FloatArray,
    noise: Noise,
    *,
    mixtures: Literal["pairs", "none"] = "pairs",
    trials: int = 0,
    draw: Draw = "standards",
    accept: float = 0.01,
    limit: float = 1e-4,
    method: Method = "average",
    seed: int = 0,
    components: int = 3,
    criterion: Criterion = "z",
) -> SiteTable:
    """Return the reduced sites of named standards (n, E): candidates, growth and reduction of METHOD 3.

    Sites are numbered by their lowest candidate in the order of `build_candidates`; no library's order is
    involved. Equal names are told apart as "magnetite", "magnetite (2)". Raises InputError as
    `build_candidates` and `reduce_sites` do.
    """
    check_recipe(len(names), mixtures, trials, draw, method, components)
    candidates = build_candidates(
        standards,
        noise,
        mixtures=mixtures,
        trials=trials,
        draw=draw,
        accept=accept,
        seed=seed,
        components=components,
        criterion=criterion,
    )
    return reduce_table(names, candidates, noise, limit=limit, method=method)


def check_recipe(
    standards: int, mixtures: str, trials: int, draw: Draw, method: Method, components: int
) -> None:
    """Raise InputError for what `build_sites` cannot make of so many standards, before the long growth."""
    if method == "average":
        check_square_memory(standards * (standards + 1) // 2 if mixtures == "pairs" else standards)
    check_draw(standards, trials, draw, components)


def build_candidates(
    standards: FloatArray,
    noise: Noise,
    *,
    mixtures: Literal["pairs", "none"] = "pairs",
    trials: int = 0,
    draw: Draw = "standards",
    accept: float = 0.01,
    seed: int = 0,
    components: int = 3,
    criterion: Criterion = "z",
) -> Mixtures:
    """Return the candidates of standards (n, E): the standards, then their pairs, then the grown mixtures.

    Pairs are in the order (0,1), (0,2), ... (1,2), ...; grown ones in the order of their trials.
    Raises InputError for an unknown `mixtures` and as `grow_candidates` does.
    """
    standards = as_matrix(standards)
    first = Mixtures(standards, np.eye(standards.shape[0]))
    if mixtures == "pairs":
        first = _with_pairs(first)
    elif mixtures != "none":
        raise InputError(f"unknown mixtures {mixtures!r}: give 'pairs' (half and half) or 'none'")
    grown = grow(first.spectra, standards, noise, trials, accept, draw, seed, components, criterion)
    return _with_growth(first, grown, from_standards=draw == "standards")


def reduce_table(
    names: Sequence[str],
    candidates: Mixtures,
    noise: Noise,
    *,
    limit: float = 1e-4,
    method: Method = "average",
) -> SiteTable:
    """Return the sites that candidates reduce to, with names and weights; InputError as `reduce_sites`."""
    if len(names) != candidates.weights.shape[1]:
        raise InputError(f"{len(names)} names for {candidates.weights.shape[1]} standards: give one for each")
    groups = group_candidates(candidates.spectra, noise, limit, method)
    weights = group_means(candidates.weights, groups)
    labels = distinct_names(names)
    return SiteTable(
        spectra=group_means(candidates.spectra, groups),
        weights=weights,
        names=tuple(mixture_name(labels, row) for row in weights),
        standards=labels,
    )


def distinct_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return names with a number behind repeated ones: "magnetite", "magnetite (2)"."""
    seen: Counter[str] = Counter()
    distinct = []
    for name in names:
        seen[name] += 1
        distinct.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(distinct)


def mixture_name(names: Sequence[str], weights: FloatArray) -> str:
    """Return a readable name of weights (n_standards,), the largest first, small shares left out."""
    order = np.argsort(-weights, kind="stable")
    shown = [int(k) for k in order[:_NAMED_MOST] if weights[k] >= _NAMED_SHARE]
    if not shown:
        return "mixture of many standards"
    if weights[shown[0]] > 1.0 - _NAMED_SHARE:
        return names[shown[0]]
    text = " + ".join(f"{weights[k]:.2f} {names[k]}" for k in shown)
    return text if weights[shown].sum() > 1.0 - _NAMED_SHARE else f"{text} + ..."


def _with_pairs(standards: Mixtures) -> Mixtures:
    """Append the mixtures of two different standards."""
    spectra = standards.spectra
    first, second = np.triu_indices(spectra.shape[0], k=1)
    weights = np.zeros((first.size, spectra.shape[0]))
    weights[np.arange(first.size), first] = 0.5
    weights[np.arange(first.size), second] = 0.5
    return Mixtures(
        np.concatenate([spectra, 0.5 * (spectra[first] + spectra[second])]),
        np.concatenate([standards.weights, weights]),
    )


def _with_growth(first: Mixtures, grown: Growth, from_standards: bool) -> Mixtures:
    """Append grown mixtures, their picks traced back to the standards."""
    count = first.weights.shape[0]
    weights = np.concatenate([first.weights, np.zeros((grown.spectra.shape[0], first.weights.shape[1]))])
    standards = np.eye(first.weights.shape[1])
    for k, (picks, shares) in enumerate(zip(grown.picks, grown.shares, strict=True)):
        weights[count + k] = mix(standards if from_standards else weights, picks, shares)
    return Mixtures(np.concatenate([first.spectra, grown.spectra]), weights)

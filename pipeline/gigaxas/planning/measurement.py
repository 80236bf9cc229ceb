"""The plan of a measurement: how surely pairs are told apart, by which exposure, thickness and energies."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.errors import InputError
from gigaxas.planning.energies import EnergySet, energy_sets
from gigaxas.planning.exposure import (
    PairTerms,
    Planned,
    exposure_needed,
    pair_error,
    pair_terms,
    pair_z,
    planned,
)
from gigaxas.planning.split import at_least, best_split
from gigaxas.planning.thickness import Thickness, thickness_curve
from gigaxas.sites.distance import as_matrix, z_limit
from gigaxas.spectra.noise import NoiseModel

ALIKE = 1e-18
"""1 - r of two spectra that differ by rounding alone."""
NAMED = 4
CURVE = (1e-3, 1e2)
"""Exposures of the curve of errors, as multiples of the one at which all pairs are told apart."""
CURVE_POINTS = 161
Pair = tuple[str, str] | tuple[int, int]


@dataclass(frozen=True)
class PairPlan:
    """Two spectra, and what it takes to tell them apart on the whole grid."""

    names: tuple[str, str]
    """Of the two."""
    z12: float
    """Distance with the noise of the first ([I] Eq. 5), at the working point."""
    z21: float
    """With that of the second."""
    error: float
    """s_error ([I] Eq. 1) at the working point."""
    c_ref: float
    """Reference counts at every energy from which on the error is the one asked for."""
    best_step: float
    """mu_high - mu_low that serves this pair best at the light of the working point."""


@dataclass(frozen=True)
class Choice:
    """Energies, and how the dose of a scan of the whole grid at the working point is shared out over them."""

    title: str
    """What it is."""
    members: IntArray
    """(k,) numbers of its energies in the grid."""
    c_ref: FloatArray
    """(k,) reference counts at each, at the dose of the whole grid."""
    error: float
    """s_error of the pair that is told apart worst at this dose."""
    worst: tuple[str, str]
    """Names of this pair."""
    dose: float
    """Dose at which all pairs have the error asked for, as a share of that of the whole grid."""

    @property
    def needed(self) -> FloatArray:
        """Reference counts (k,) at that dose."""
        return self.c_ref * self.dose


@dataclass(frozen=True)
class MeasurementPlan:
    """What to measure so that noise confuses the spectra of a pair no more often than asked for."""

    names: tuple[str, ...]
    """(n,) of the spectra."""
    noise: NoiseModel
    """Camera and working point."""
    error: float
    """s_error that a pair may have."""
    numbers: IntArray
    """(P, 2) rows of the spectra of every pair."""
    pairs: tuple[PairPlan, ...]
    """(P,) what each takes, in the same order."""
    curve_c_ref: FloatArray
    """(C,) reference counts at every energy."""
    curve_error: FloatArray
    """(C, P) s_error of every pair there."""
    thickness: Thickness
    """The pairs over the thickness of the specimen."""
    sets: tuple[EnergySet, ...]
    """The best sets of few energies found, a size each, at the dose of the whole grid."""
    choices: tuple[Choice, ...]
    """The whole grid, the smallest set that is enough, and the one that is best, each also with the best
    split of its exposure."""

    @property
    def goal(self) -> float:
        """The z of the error asked for."""
        return z_limit(self.error, "error")

    @property
    def c_ref(self) -> float:
        """Reference counts at every energy of the whole grid from which on all pairs are told apart."""
        return max(pair.c_ref for pair in self.pairs)

    @property
    def confused(self) -> tuple[PairPlan, ...]:
        """The pairs that the working point does not tell apart, the worst first."""
        found = [pair for pair in self.pairs if pair.error > self.error]
        return tuple(sorted(found, key=lambda pair: -pair.error))

    @property
    def hardest(self) -> tuple[PairPlan, ...]:
        """All pairs, those that need most light first."""
        return tuple(sorted(self.pairs, key=lambda pair: -pair.c_ref))

    @property
    def smallest(self) -> EnergySet | None:
        """The smallest set found that, exposed alike, tells all pairs apart at the dose of the whole grid."""
        return next((one for one in self.sets if one.z >= self.goal), None)

    @property
    def fewest(self) -> int:
        """No set of fewer energies, exposed alike, tells all pairs apart at this dose."""
        sizes = [len(one.members) for one in self.sets if one.bound >= self.goal]
        return sizes[0] if sizes else len(self.sets[-1].members) + 1

    @property
    def is_split_enough(self) -> bool:
        """Whether the best set tells all pairs apart at this dose with the best split of its exposure."""
        return self.choices[-1].dose <= 1.0

    @property
    def best(self) -> EnergySet:
        """The set found that needs the smallest dose, exposed alike."""
        return max(self.sets, key=lambda one: one.z)


def plan(
    references: FloatArray,
    noise: NoiseModel,
    *,
    names: Sequence[str] | None = None,
    pairs: Sequence[Pair] | None = None,
    error: float = 1e-4,
    most_energies: int = 24,
) -> MeasurementPlan:
    """Plan a measurement that tells pairs of normalised spectra (n, E) apart with an error of one's choice.

    Args:
        references: (n, E), 0 before and 1 after the edge.
        noise: The camera and the working point: mean counts of the open beam, absorbance before and after.
        names: Of the spectra; left out, they are numbered.
        pairs: Names or rows of two spectra each; left out, every two.
        error: s_error ([I] Eq. 1) that every pair is to have, between 0 and 0.5.
        most_energies: Energies in the largest set of few that is looked for.

    Returns:
        `pairs` with z, s_error and the counts that each needs, `c_ref` for all of them, `thickness`, `sets`
        of few energies, and `choices` with exposures; doses are shares of that of the whole grid.

    Raises:
        InputError: Spectra of another shape, flat or not finite, or too dark for the camera; names that are
            not there; an error outside (0, 0.5); pairs that no exposure tells apart.
    """
    spectra = as_matrix(references)
    known = _names_of(names, len(spectra))
    numbers = _numbers_of(pairs, known)
    goal = z_limit(error, "error")
    if most_energies < 2:
        raise InputError(f"most_energies = {most_energies}; expected 2 or more: one energy has no shape")
    whole = planned(spectra, noise)
    terms = pair_terms(whole, numbers)
    needed = exposure_needed(terms, error)
    _check_different(known, numbers, terms, needed)
    thickness = thickness_curve(spectra, noise, numbers, goal)
    exposures = np.geomspace(*CURVE, CURVE_POINTS) * needed.max()
    exposures = exposures[exposures >= terms.least]
    sets = tuple(energy_sets(whole, numbers, goal, most_energies))
    return MeasurementPlan(
        names=known,
        noise=noise,
        error=error,
        numbers=numbers,
        pairs=_pair_plans(known, numbers, terms, needed * noise.c_ref, thickness.best_of_pairs),
        curve_c_ref=exposures * noise.c_ref,
        curve_error=np.array([pair_error(terms, exposure) for exposure in exposures]),
        thickness=thickness,
        sets=sets,
        choices=_choices(whole, known, numbers, noise.c_ref, error, sets),
    )


def _names_of(names: Sequence[str] | None, count: int) -> tuple[str, ...]:
    known = tuple(names) if names is not None else tuple(str(row + 1) for row in range(count))
    if len(known) != count or len(set(known)) != count:
        raise InputError(
            f"names: {len(known)} names, {len(set(known))} of them different, for {count} spectra; give each "
            "spectrum a name of its own"
        )
    return known


def _numbers_of(pairs: Sequence[Pair] | None, names: tuple[str, ...]) -> IntArray:
    """Return the rows (P, 2) of pairs of names or rows, each pair once; of every two where none are given."""
    if pairs is None:
        found = list(combinations(range(len(names)), 2))
    else:
        _check_names([one for pair in pairs for one in pair if isinstance(one, str)], names)
        rows = [[names.index(one) if isinstance(one, str) else int(one) for one in pair] for pair in pairs]
        wrong = [row for pair in rows for row in pair if not 0 <= row < len(names)]
        if wrong:
            raise InputError(f"pairs: there is no spectrum {wrong[0]}; the rows are 0 to {len(names) - 1}")
        found = list(dict.fromkeys((min(pair), max(pair)) for pair in rows))
    same = [names[first] for first, second in found if first == second]
    if same:
        raise InputError(f"pairs: {same[0]} stands beside itself; give two different spectra")
    if not found:
        raise InputError(f"pairs: found {len(names)} spectra and no pair of them; give two spectra or more")
    return np.array(found, dtype=np.int64)


def _check_names(wanted: Sequence[str], names: tuple[str, ...]) -> None:
    unknown = list(dict.fromkeys(name for name in wanted if name not in names))
    if unknown:
        raise InputError(
            f"pairs: found no reference named {', '.join(unknown)}; the names are {', '.join(names)}"
        )


def _check_different(names: tuple[str, ...], numbers: IntArray, terms: PairTerms, needed: FloatArray) -> None:
    """Raise InputError for pairs that no exposure tells apart."""
    alike = np.flatnonzero((terms.half <= ALIKE) | ~np.isfinite(needed))
    if alike.size:
        told = "; ".join(f"{names[i]} and {names[j]}" for i, j in numbers[alike[:NAMED]])
        more = f"; and {alike.size - NAMED} more pairs" if alike.size > NAMED else ""
        raise InputError(
            f"pairs: no exposure can tell apart {told}{more}: their spectra are the same but for gain and "
            "offset; leave one of the two out"
        )


def _pair_plans(
    names: tuple[str, ...], numbers: IntArray, terms: PairTerms, c_ref: FloatArray, steps: FloatArray
) -> tuple[PairPlan, ...]:
    z, errors = pair_z(terms), pair_error(terms)
    return tuple(
        PairPlan(
            names=(names[i], names[j]),
            z12=float(z[p, 0]),
            z21=float(z[p, 1]),
            error=float(errors[p]),
            c_ref=float(c_ref[p]),
            best_step=float(steps[p]),
        )
        for p, (i, j) in enumerate(numbers.tolist())
    )


def _choices(
    whole: Planned,
    names: tuple[str, ...],
    numbers: IntArray,
    c_ref: float,
    error: float,
    sets: tuple[EnergySet, ...],
) -> tuple[Choice, ...]:
    """Return the whole grid, the smallest set and the best, with equal exposures and with the best split."""
    goal, energies = z_limit(error, "error"), whole.spectra.shape[1]
    best = max(sets, key=lambda one: one.z)
    enough = next((one for one in sets if one.z >= goal), best)
    wanted = {"whole grid": np.arange(energies)}
    if enough is not best:
        wanted["smallest set"] = enough.members
    if best.z > 0:
        wanted["best set"] = best.members
    choices = []
    for title, members in wanted.items():
        spectra = whole.at(members)
        alike = np.full(members.size, energies / members.size)
        split = at_least(best_split(spectra, numbers, goal).share * energies, whole.least)
        for how, exposure in (("", alike), (", best split", split)):
            terms = pair_terms(spectra, numbers, exposure)
            errors, needed = pair_error(terms), exposure_needed(terms, error)
            i, j = numbers[needed.argmax()]
            choices.append(
                Choice(
                    title=title + how,
                    members=members,
                    c_ref=exposure * c_ref,
                    error=float(errors.max()),
                    worst=(names[i], names[j]),
                    dose=float(needed.max()),
                )
            )
    return tuple(choices)

"""The page of a planned measurement: one HTML file that needs nothing else, no network either."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.planning import Choice, Covered, MeasurementPlan, PairPlan
from gigaxas.report import plot
from gigaxas.report.page import environment
from gigaxas.report.palette import cluster_colours
from gigaxas.report.plot import Axis, Curve, Mark, Plot
from gigaxas.report.wording import counts as counts_in_words
from gigaxas.report.wording import error as in_words

MOST_CURVES = 6
MOST_SPECTRA = 12
MOST_ROWS = 30
LEAST_ERROR = 1e-12
CELL = 18.0
"""Side of a cell of the matrix."""
TOLD, CONFUSED = ((233, 241, 246), (43, 106, 140)), ((250, 230, 214), (163, 52, 26))
"""Colours of pairs that are told apart, those that need least light last, and of those that are not."""


@dataclass(frozen=True)
class MeasurementPage:
    """What the page shows."""

    title: str
    """Title of the run."""
    version: str
    """Version of gigaxas."""
    plan: MeasurementPlan
    """What to measure."""
    energy: FloatArray
    """The grid, (E,) in eV."""
    spectra: FloatArray
    """(n, E) normalised absorbance of the references."""
    count_rate: float | None
    """Reference counts of a pixel in a second."""
    covered: Sequence[Covered]
    """What every choice of energies takes on the area; none without one."""


@dataclass(frozen=True)
class Cell:
    """A pair in the matrix."""

    x: float
    """Left border."""
    y: float
    """Upper border."""
    colour: str
    """As '#rrggbb'."""
    text: str
    """What it says."""


@dataclass(frozen=True)
class Matrix:
    """All pairs, the light that each needs as a colour."""

    names: tuple[str, ...]
    """Of rows and columns."""
    cells: list[Cell]
    """Both halves."""
    side: float
    """Of the square that the cells fill."""
    margin: float
    """Left of it and above it, for the names."""


def render_measurement(page: MeasurementPage) -> str:
    """Return the page's HTML; every text of it is escaped."""
    made = page.plan
    context = {
        "page": page,
        "plan": made,
        "curves": _error_plot(made),
        "matrix": _matrix(made),
        "spectra": _spectra_plot(page),
        "dose": _dose_plot(page),
        "sets": _set_plot(made),
        "thickness": _thickness_plot(made),
        "rows": made.hardest[:MOST_ROWS],
        "covered": list(zip(made.choices, page.covered, strict=False)),
        "noise": list(made.noise.record().items()),
        "told": len(made.pairs) - len(made.confused),
        "ranges": (TOLD, CONFUSED),
    }
    return environment().get_template("measurement.html").render(context)


def _error_plot(made: MeasurementPlan) -> Plot:
    """Return the error of the hardest pairs, and the largest of all, against reference counts."""
    largest = made.curve_error.max(axis=1)
    shown = (largest >= LEAST_ERROR) | (made.curve_c_ref <= 1.2 * made.noise.c_ref)
    counts = made.curve_c_ref[shown]
    x = Axis("reference counts at every energy", float(counts.min()), float(counts.max()), is_log=True)
    y = Axis("error of a pixel (Eq. 1)", LEAST_ERROR, 0.5, is_log=True)
    order = np.argsort([-pair.c_ref for pair in made.pairs], kind="stable")[:MOST_CURVES]
    curves = [
        _falling(x, y, counts, made.curve_error[shown, p], " – ".join(made.pairs[p].names), colour)
        for p, colour in zip(order.tolist(), cluster_colours(len(order)), strict=True)
    ]
    curves.append(_falling(x, y, counts, largest[shown], "worst of all pairs", "var(--ink)", "dashed"))
    marks = [
        plot.level(y, made.error, f"error asked for, {in_words(made.error)}"),
        *_within(x, made.noise.c_ref, f"working point, {counts_in_words(made.noise.c_ref)}", 8.0),
        *_within(x, made.c_ref, f"all told apart, {counts_in_words(made.c_ref)}", 24.0),
    ]
    return Plot(x, y, curves, marks, f"Errors fall to {made.error:g} at {made.c_ref:.3g} reference counts")


def _falling(
    x: Axis, y: Axis, counts: FloatArray, errors: FloatArray, name: str, colour: str, kind: str = "curve"
) -> Curve:
    """Return a curve of errors as far as they are on the axis."""
    shown = errors >= y.low
    return plot.curve(x, y, (counts[shown], errors[shown]), name, colour, kind)


def _within(x: Axis, value: float, text: str, above: float) -> list[Mark]:
    """Return a vertical line, its text above the foot, where the axis holds the value."""
    return [plot.upright(x, value, text, plot.FOOT - above)] if x.low <= value <= x.high else []


def _matrix(made: MeasurementPlan) -> Matrix:
    margin = 12.0 + 6.3 * max(map(len, made.names))
    needed = np.log([pair.c_ref / made.noise.c_ref for pair in made.pairs])
    cells = []
    for (i, j), pair, light in zip(made.numbers.tolist(), made.pairs, needed.tolist(), strict=True):
        colour, text = _shade(light, needed), _told(pair, made)
        cells += [Cell(margin + CELL * a, margin + CELL * b, colour, text) for a, b in ((i, j), (j, i))]
    return Matrix(made.names, cells, CELL * len(made.names), margin)


def _shade(light: float, needed: FloatArray) -> str:
    """Return the colour of a pair that needs exp(light) times the exposure of the working point."""
    if light <= 0:
        (pale, deep), share = TOLD, light / min(needed.min(), -1e-9)
    else:
        (pale, deep), share = CONFUSED, light / max(needed.max(), 1e-9)
    mixed = [round(a + share * (b - a)) for a, b in zip(pale, deep, strict=True)]
    return "#{:02x}{:02x}{:02x}".format(*mixed)


def _told(pair: PairPlan, made: MeasurementPlan) -> str:
    needed = f"{counts_in_words(pair.c_ref)} reference counts on ({pair.c_ref / made.noise.c_ref:.3g} times)"
    return f"{' – '.join(pair.names)}: error {in_words(pair.error)}, told apart from {needed}"


def _drawn(page: MeasurementPage) -> list[int]:
    """Return the spectra that are drawn: all, or those of the hardest pairs."""
    names = [name for pair in page.plan.hardest for name in pair.names]
    first = list(dict.fromkeys(names))[:MOST_SPECTRA]
    return sorted(page.plan.names.index(name) for name in first)


def _energy_axis(page: MeasurementPage) -> Axis:
    return Axis("energy, eV", float(page.energy[0]), float(page.energy[-1]))


def _spectra_plot(page: MeasurementPage) -> Plot:
    """Return the spectra, and over them the energies of the best set and of the smallest."""
    drawn, x = _drawn(page), _energy_axis(page)
    values = page.spectra[drawn]
    margin = 0.06 * float(np.ptp(values))
    y = Axis("normalised absorbance", float(values.min()) - margin, float(values.max()) + margin)
    top = np.array([y.high])
    best, smallest = page.plan.best, page.plan.smallest
    curves: list[Curve] = []
    if best.z > 0:
        energies = page.energy[best.members]
        curves.append(plot.bars(x, y, (energies, top.repeat(energies.size)), "best set", "var(--accent)"))
    if smallest is not None and smallest is not best:
        energies = page.energy[smallest.members]
        half = np.full(energies.size, 0.5 * (y.low + y.high))
        curves.append(plot.bars(x, y, (energies, half), "smallest set that is enough", "var(--warn-line)"))
    curves += [
        plot.curve(x, y, (page.energy, row), page.plan.names[number], colour)
        for number, row, colour in zip(drawn, values, cluster_colours(len(drawn)), strict=True)
    ]
    said = ", ".join(f"{value:.1f}" for value in page.energy[best.members])
    return Plot(x, y, curves, [], f"Spectra with the energies of the best set: {said} eV")


def _dose_plot(page: MeasurementPage) -> Plot:
    """Return the best split of the exposure over the whole grid and the best set, in working points."""
    whole, best = page.plan.choices[1], page.plan.choices[-1]
    x = _energy_axis(page)
    most = float(max(whole.c_ref.max(), best.c_ref.max()))
    y = Axis("exposure, of the working point's", 0.0, 1.05 * most / page.plan.noise.c_ref)
    curves = [
        _dose_bars(page, x, y, whole, "var(--soft)"),
        *([] if best is whole else [_dose_bars(page, x, y, best, "var(--accent)")]),
    ]
    return Plot(x, y, curves, [], "Exposures of the best split over the energies")


def _dose_bars(page: MeasurementPage, x: Axis, y: Axis, choice: Choice, colour: str) -> Curve:
    exposures = choice.c_ref / page.plan.noise.c_ref
    return plot.bars(x, y, (page.energy[choice.members], exposures), choice.title, colour)


def _set_plot(made: MeasurementPlan) -> Plot:
    """Return the dose that sets of every size need, with the bound that none can pass."""
    told = [one for one in made.sets if one.z > 0]
    goal, whole = made.goal, made.choices[0]
    sizes = np.array([len(one.members) for one in told], dtype=np.float64)
    dose, bound = (np.array([(goal / getattr(one, part)) ** 2 for one in told]) for part in ("z", "bound"))
    x = Axis("energies of the set", 1.0, float(sizes.max(initial=2.0)) + 1.0)
    every = np.r_[dose, bound, whole.dose, 1.0]
    y = Axis(
        "dose needed, of the whole grid's", 0.8 * float(every.min()), 1.25 * float(every.max()), is_log=True
    )
    curves = [
        plot.curve(x, y, (sizes, bound), "no set needs less", "var(--soft)", "dashed"),
        plot.curve(x, y, (sizes, dose), "best set found", "var(--accent)"),
    ]
    marks = [
        plot.level(y, 1.0, "dose of the whole grid at the working point"),
        plot.level(y, whole.dose, f"whole grid, {whole.dose:.3g}"),
    ]
    return Plot(x, y, curves, marks, "Dose that the best sets need, by their number of energies")


def _thickness_plot(made: MeasurementPlan) -> Plot:
    """Return the exposure that the worst pair needs, in working points, over the edge step."""
    light = (made.goal / made.thickness.z.min(axis=1)) ** 2
    best = float(light.min())
    shown = light <= 100.0 * best
    step = made.thickness.step[shown]
    x = Axis("edge step, mu_high − mu_low", float(step.min()), float(step.max()))
    y = Axis(
        "exposure needed, of the working point's", 0.8 * best, 1.25 * float(light[shown].max()), is_log=True
    )
    curves = [plot.curve(x, y, (step, light[shown]), "all pairs", "var(--accent)")]
    marks = [
        plot.upright(x, made.noise.edge_step, f"working point, {made.noise.edge_step:.3g}", 24.0),
        plot.upright(x, made.thickness.best, f"best, {made.thickness.best:.3g}", 40.0),
    ]
    return Plot(
        x, y, curves, marks, f"The exposure needed is least at an edge step of {made.thickness.best:.3g}"
    )

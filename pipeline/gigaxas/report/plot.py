"""The geometry of a plot of curves on linear or logarithmic axes; a page's template draws it as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.report.chart import line_path, scaled, ticks
from gigaxas.report.wording import count, raised

WIDTH, HEIGHT = 560.0, 330.0
LEFT, RIGHT, TOP, FOOT = 56.0, 548.0, 12.0, 286.0
MOST_TICKS = 6


@dataclass(frozen=True)
class Axis:
    """An axis of a plot."""

    title: str
    """What it shows, with its unit."""
    low: float
    """Its lower end."""
    high: float
    """Its upper end."""
    is_log: bool = False
    """Whether it is logarithmic."""

    def positions(self, values: FloatArray, start: float, end: float) -> FloatArray:
        """Map values between the ends to positions between `start` and `end`; those beyond to the ends."""
        inside = np.clip(np.asarray(values, dtype=np.float64), self.low, self.high)
        if self.is_log:
            return scaled(np.log10(inside), np.log10(self.low), np.log10(self.high), start, end)
        return scaled(inside, self.low, self.high, start, end)

    def ticks(self, start: float, end: float) -> list[tuple[float, str]]:
        """Return position and text of every tick."""
        if not self.is_log:
            return ticks(self.low, self.high, MOST_TICKS, start, end)
        first, last = np.ceil(np.log10(self.low) - 1e-9), np.floor(np.log10(self.high) + 1e-9)
        stride = max(1, int(np.ceil((last - first + 1) / MOST_TICKS)))
        values = 10.0 ** np.arange(first, last + 1, stride)
        if last - first < 2:
            every = np.outer(10.0 ** np.arange(first - 1, last + 1), (1.0, 2.0, 5.0)).ravel()
            values = every[(every >= self.low) & (every <= self.high)]
        places = self.positions(values, start, end)
        return [(round(float(place), 1), _value(value)) for place, value in zip(places, values, strict=True)]


@dataclass(frozen=True)
class Curve:
    """A curve of a plot."""

    path: str
    """The d of its SVG path."""
    name: str
    """What it is; empty for one that the caption tells of."""
    colour: str
    """As '#rrggbb', or a variable of the page's style."""
    kind: str = "curve"
    """Its class in the page's style."""


@dataclass(frozen=True)
class Mark:
    """A line across a plot."""

    path: str
    """The d of its SVG path."""
    text: str
    """What it says, at its end."""
    x: float
    """Where its text is."""
    y: float
    """Where its text is."""
    anchor: str
    """The end of the text that lies there: start or end."""


@dataclass(frozen=True)
class Plot:
    """Curves, marks and ticks in WIDTH x HEIGHT units, y downward."""

    x: Axis
    """The axis below."""
    y: Axis
    """The axis to the left."""
    curves: Sequence[Curve]
    """The curves, those behind first."""
    marks: Sequence[Mark]
    """Lines across."""
    alt: str
    """What it shows, in words."""

    @property
    def x_ticks(self) -> list[tuple[float, str]]:
        """Position and text of every tick below."""
        return self.x.ticks(LEFT, RIGHT)

    @property
    def y_ticks(self) -> list[tuple[float, str]]:
        """Position and text of every tick to the left."""
        return self.y.ticks(FOOT, TOP)


def curve(
    x: Axis, y: Axis, values: tuple[FloatArray, FloatArray], name: str, colour: str, kind: str = "curve"
) -> Curve:
    """Return a curve through points (N,), (N,) on these axes."""
    return Curve(line_path(*_points(x, y, *values)), name, colour, kind)


def bars(x: Axis, y: Axis, values: tuple[FloatArray, FloatArray], name: str, colour: str) -> Curve:
    """Return upright bars (N,) of heights (N,) on these axes."""
    places, tops = _points(x, y, *values)
    path = "".join(f"M{place:.1f} {FOOT:.1f}V{top:.1f}" for place, top in zip(places, tops, strict=True))
    return Curve(path, name, colour, "bars")


def upright(x: Axis, value: float, text: str, y: float) -> Mark:
    """Return a vertical line at a value of the axis below, its text at this height."""
    place = float(x.positions(np.array([value]), LEFT, RIGHT)[0])
    is_left = place < 0.5 * (LEFT + RIGHT)
    aside, anchor = (4.0, "start") if is_left else (-4.0, "end")
    return Mark(f"M{place:.1f} {TOP}V{FOOT}", text, place + aside, y, anchor)


def level(y: Axis, value: float, text: str) -> Mark:
    """Return a horizontal line at a value of the axis to the left."""
    place = float(y.positions(np.array([value]), FOOT, TOP)[0])
    return Mark(f"M{LEFT} {place:.1f}H{RIGHT}", text, LEFT + 6.0, place - 4.0, "start")


def _points(x: Axis, y: Axis, across: FloatArray, up: FloatArray) -> tuple[FloatArray, FloatArray]:
    return x.positions(across, LEFT, RIGHT), y.positions(up, FOOT, TOP)


def _value(value: float) -> str:
    """Return 1, 2 or 5 times a power of ten, plainly from 0.01 to 50000."""
    if 0.01 <= value < 1e5:
        return f"{value:g}" if value < 1e3 else count(round(value))
    digit, power = f"{value:.0e}".split("e")
    return ("" if digit == "1" else f"{digit}·") + f"10{raised(int(power))}"

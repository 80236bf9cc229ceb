"""What a report shows: plain records, checked once, free of files and graphs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray, LabelArray
from gigaxas.errors import InputError
from gigaxas.report import wording

DIFFERS_BELOW = 1e-4  # s_error of the site spacing: below it, noise does not explain the difference
STATE_NAMES = ("void", "kept", "core", "filled", "border")


@dataclass(frozen=True)
class Finding:
    """What explains a cluster whose site was observed in the data: `made_of` references, or `outside` them.

    chi_square, with `freedom` degrees of freedom, and p_value are of that explanation, None without a
    library; place is (y, x) of a uniform window of it, in pixels.
    """

    made_of: str
    chi_square: float | None
    freedom: float | None
    p_value: float | None
    outside: bool
    place: tuple[int, int]


@dataclass(frozen=True, eq=False)
class ClusterRow:
    """One cluster: its size, its spectrum and the reference nearest to it.

    `correlation` is Pearson's r to that reference, `error` the s_error of [I] Eq. 1 between the two
    (0 to 0.5), `share` the part of all labelled pixels (0 to 1), `area_um2` in um2; `spectrum`,
    `standard_error` and `reference` are (E,). A standard error that is not finite (one pixel alone) is
    drawn as none. `finding` is there where the cluster's site was observed in the data. Where components
    were decided, `given` is the name that the cluster then has and `explained` how others explain it, empty
    for a component.
    """

    label: int
    name: str
    correlation: float
    error: float | None
    pixels: int
    share: float
    area_um2: float
    spectrum: FloatArray
    standard_error: FloatArray
    reference: FloatArray
    finding: Finding | None = None
    given: str = ""
    explained: str = ""

    @property
    def differs(self) -> bool:
        """Whether noise does not explain the difference from the nearest reference."""
        return self.error is not None and self.error < DIFFERS_BELOW

    @property
    def reason(self) -> str:
        """Why the cluster lies outside the library; empty where it does not."""
        if self.explained or (self.finding and not self.finding.outside):
            return ""
        if self.finding:
            return f"no mixture of references explains it (p {wording.error(self.finding.p_value)})"
        return (
            f"beyond the noise from {self.name} (error {wording.error(self.error)})" if self.differs else ""
        )

    @property
    def title(self) -> str:
        """The name to show: the one it was given, or that of its nearest reference."""
        return self.given or (f"near {self.name}" if self.reason else self.name)


@dataclass(frozen=True)
class ComponentRow:
    """A component: the label of its cluster, its name, '#rrggbb' colour and share of the field (0 to 1)."""

    label: int
    name: str
    colour: str
    share: float


@dataclass(frozen=True)
class TruthRow:
    """How one true phase was found: `recall` of its pixels, `precision` of the pixels given its name.

    Both run from 0 to 1; NaN says that there was nothing to measure on.
    """

    phase: str
    pixels: int
    recall: float
    precision: float


@dataclass(frozen=True)
class Truth:
    """The result against a known truth; `minority` names the phase that must not be lost."""

    rows: Sequence[TruthRow]
    right_share: float
    minority: str | None = None


@dataclass(frozen=True)
class Picture:
    """A figure of the page as PNG for light and dark surroundings, told in words by `alt`."""

    title: str
    alt: str
    note: str
    light: bytes
    dark: bytes


@dataclass(frozen=True, eq=False)
class ReportData:
    """Everything one report shows.

    The maps are (y, x), whole or every `step`-th pixel in both directions: `label` the final labels
    (0 none), `state` 0 to 4 in the order of STATE_NAMES, `density` the iron density mu_high - mu_low,
    `correlation` Pearson's r of each pixel with its site. `energy` is (E,) in eV, `pixel_um` the size of a
    whole-map pixel in um, `states` the pixel count of each state of the *whole* map, `parameters` rows of
    (name, value, meaning), `timings` rows of (stage, seconds), `components` those that the clusters came
    down to, none before that was decided.
    Raises InputError where shapes, labels or states contradict each other.
    """

    title: str
    source: str
    energy: FloatArray
    pixel_um: float
    label: LabelArray
    state: NDArray[np.integer[Any]]
    clusters: Sequence[ClusterRow]
    states: Mapping[str, int]
    density: FloatArray | None = None
    correlation: FloatArray | None = None
    site_names: Sequence[str] = ()
    parameters: Sequence[tuple[str, str, str]] = ()
    noise: Mapping[str, float | str] | None = None
    timings: Sequence[tuple[str, float]] = ()
    truth: Truth | None = None
    warnings: Sequence[str] = ()
    site_pictures: Sequence[Picture] = ()
    components: Sequence[ComponentRow] = ()
    version: str = ""
    step: int = 1

    def __post_init__(self) -> None:
        _check_maps(self)
        _check_clusters(self)

    @property
    def shape_um(self) -> tuple[float, float]:
        """Height and width of the field in um (to within `step` pixels)."""
        pitch = self.pixel_um * self.step
        return self.label.shape[0] * pitch, self.label.shape[1] * pitch

    @property
    def total_pixels(self) -> int:
        """Pixels of the whole map, void ones included."""
        return sum(self.states.values())


def _check_maps(data: ReportData) -> None:
    """Refuse maps that do not belong together."""
    if data.label.ndim != 2 or data.label.size == 0:
        raise InputError(
            f"the label map has shape {data.label.shape}; a report needs a (y, x) map with pixels"
        )
    for name in ("state", "density", "correlation"):
        layer = getattr(data, name)
        if layer is not None and layer.shape != data.label.shape:
            raise InputError(
                f"the {name} map has shape {layer.shape}, the label map {data.label.shape}; "
                "give both at one step"
            )
    if data.state.min() < 0 or data.state.max() >= len(STATE_NAMES):
        raise InputError(
            f"the state map holds values {data.state.min()} to {data.state.max()}; states run from 0 to 4"
        )
    if unknown := set(data.states) - set(STATE_NAMES):
        raise InputError(f"unknown states {sorted(unknown)}; the states are {', '.join(STATE_NAMES)}")
    if data.step < 1 or not data.pixel_um > 0:
        raise InputError(f"step {data.step} and pixel size {data.pixel_um} um: both must be positive")


def _check_clusters(data: ReportData) -> None:
    """Refuse cluster rows that do not fit the energies or the map."""
    labels = [row.label for row in data.clusters]
    if len(set(labels)) != len(labels):
        raise InputError("two clusters carry the same label; give one row for each label")
    if missing := set(np.unique(data.label).tolist()) - {0, *labels}:
        raise InputError(
            f"the map holds labels without a cluster row: {sorted(missing)[:5]}; give a row for each"
        )
    for row in data.clusters:
        for name in ("spectrum", "standard_error", "reference"):
            if getattr(row, name).shape != data.energy.shape:
                raise InputError(
                    f"cluster {row.label}: its {name} has shape {getattr(row, name).shape}, "
                    f"the energies {data.energy.shape}; bring both on one grid"
                )
        if not (np.isfinite(row.spectrum).all() and np.isfinite(row.reference).all()):
            raise InputError(
                f"cluster {row.label}: its spectrum or reference is not finite; leave such clusters out"
            )

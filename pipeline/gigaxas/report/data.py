"""What a report shows: plain records, checked once, free of files and graphs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray, LabelArray
from gigaxas.errors import InputError
from gigaxas.report import wording
from gigaxas.report.specks import SpeckReport
from gigaxas.report.underway import Underway

DIFFERS_BELOW = 1e-4
"""s_error of the site spacing: below it, noise does not explain the difference."""
STATE_NAMES = ("void", "kept", "core", "filled", "border")
"""Names of the states 0 to 4 of a pixel."""


@dataclass(frozen=True)
class Finding:
    """What explains a cluster whose site was observed in the data."""

    made_of: str
    """The references that explain it best, with their shares."""
    chi_square: float | None
    """Chi-square of that explanation; None without a library."""
    freedom: float | None
    """Its degrees of freedom; None without a library."""
    p_value: float | None
    """Its tail probability; None without a library."""
    outside: bool
    """Whether no mixture of references explains it within the noise."""
    position: tuple[int, int]
    """Row and column of a uniform window of it, in pixels."""


@dataclass(frozen=True)
class Moved:
    """A reference that explains a cluster when it is moved in energy."""

    name: str
    """Its name."""
    ev: float
    """By how many eV it is moved, up where positive."""
    p_value: float
    """How often noise alone gives a misfit as large."""


@dataclass(frozen=True, eq=False)
class ClusterRow:
    """One cluster: its size, its spectrum and the reference nearest to it."""

    label: int
    """Its label in the maps."""
    name: str
    """Name of the nearest reference."""
    correlation: float
    """Pearson's r with that reference."""
    error: float | None
    """s_error of [I] Eq. 1 with that reference, 0 to 0.5; None where it is not known."""
    pixels: int
    """Pixels with its label."""
    share: float
    """Its part of all labelled pixels, 0 to 1."""
    area_um2: float
    """Its area in um2."""
    spectrum: FloatArray
    """Mean spectrum (E,) of its kept pixels."""
    standard_error: FloatArray
    """Standard error (E,) of that mean; where it is not finite (one pixel alone) none is drawn."""
    reference: FloatArray
    """Spectrum (E,) of the nearest reference."""
    finding: Finding | None = None
    """What explains it, where its site was observed in the data."""
    moved: Moved | None = None
    """The reference that it is at another energy, where it lies outside the library."""
    given: str = ""
    """The name it has as a continuum, or where components were decided."""
    explained: str = ""
    """How other clusters explain it, where components were decided; empty for a component."""
    decided_outside: bool | None = None
    """Whether the components that it is, or the ends of a continuum, lie outside the library; None where that
    is not decided."""

    @property
    def differs(self) -> bool:
        """Whether noise does not explain the difference from the nearest reference."""
        return self.error is not None and self.error < DIFFERS_BELOW

    @property
    def outside(self) -> bool:
        """Whether the library does not hold it, alone or, where its site was observed, as a mixture."""
        if self.decided_outside is not None:
            return self.decided_outside
        return self.finding.outside if self.finding else self.differs

    @property
    def reason(self) -> str:
        """Why the cluster lies outside the library; empty where it does not."""
        if not self.outside:
            return ""
        if self.finding:
            said = f"no mixture of references explains it (p {wording.error(self.finding.p_value)})"
        else:
            said = f"beyond the noise from {self.name} (error {wording.error(self.error)})"
        if self.moved is None:
            return said
        return f"{said}; {self.moved.name} moved by {self.moved.ev:+.2f} eV does"

    @property
    def title(self) -> str:
        """The name to show: the one it was given, what it is made of, or what it is near at most."""
        if self.given:
            return self.given
        if self.finding and not self.finding.outside:
            return self.finding.made_of
        return f"near {self.name}" if self.outside else self.name


@dataclass(frozen=True)
class ComponentRow:
    """A component that the clusters came down to."""

    label: int
    """Label of its cluster."""
    name: str
    """What it is called."""
    colour: str
    """Its colour as '#rrggbb'."""
    share: float
    """Its share of the field, 0 to 1."""


@dataclass(frozen=True)
class TruthRow:
    """How one true phase was found."""

    phase: str
    """What it is called."""
    pixels: int
    """Pixels that are truly of it."""
    recall: float
    """Share of these that were given its name, 0 to 1; NaN where there are none."""
    precision: float
    """Share of the pixels given its name that are of it, 0 to 1; NaN where there are none."""


@dataclass(frozen=True)
class Truth:
    """The result against a known truth."""

    rows: Sequence[TruthRow]
    """The true phases, the largest first."""
    right_share: float
    """Share of all pixels that were named rightly, 0 to 1."""
    minority: str | None = None
    """Name of the phase that must not be lost."""


@dataclass(frozen=True)
class Picture:
    """A figure of the page."""

    title: str
    """Its heading."""
    alt: str
    """What it shows, in words."""
    note: str
    """What stands under it."""
    light: bytes
    """PNG for a light page."""
    dark: bytes
    """PNG for a dark page."""


@dataclass(frozen=True, eq=False)
class ReportData:
    """Everything one report shows; its maps are (y, x), whole or every `step`-th pixel in both directions.

    Raises InputError where shapes, labels or states contradict each other.
    """

    title: str
    """Heading of the report."""
    source: str
    """Where the cube lies."""
    energy: FloatArray
    """Energies (E,) in eV."""
    pixel_um: float
    """Size of a pixel of the whole map in um."""
    label: LabelArray
    """Final labels; 0 where there is none."""
    state: NDArray[np.integer[Any]]
    """States 0 to 4 in the order of STATE_NAMES."""
    clusters: Sequence[ClusterRow]
    """A row for every label of the map."""
    states: Mapping[str, int]
    """Pixels of each state in the whole map."""
    void: Mapping[str, int] = field(default_factory=dict)
    """Void pixels of the whole map by reason."""
    density: FloatArray | None = None
    """Iron density mu_high - mu_low, where the cube tells it."""
    correlation: FloatArray | None = None
    """Pearson's r of each pixel with its site."""
    site_names: Sequence[str] = ()
    """Names of all sites, by label from 1."""
    parameters: Sequence[tuple[str, str, str]] = ()
    """Name, value and meaning of what the run was told."""
    noise: Mapping[str, Any] | None = None
    """Parameters of the noise by name."""
    timings: Sequence[tuple[str, float]] = ()
    """Every stage with its seconds."""
    truth: Truth | None = None
    """The result against the truth of a simulated cube."""
    warnings: Sequence[str] = ()
    """Sentences that stand at the top of the page."""
    site_pictures: Sequence[Picture] = ()
    """Figures of the sites."""
    components: Sequence[ComponentRow] = ()
    """The components that the clusters came down to; none before they were decided."""
    specks: SpeckReport | None = None
    """The specks, where these were searched."""
    version: str = ""
    """Version of gigaxas."""
    step: int = 1
    """Pixels of the whole map from one pixel of these maps to the next."""
    underway: Underway | None = None
    """How far the measurement is, while it is watched."""

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

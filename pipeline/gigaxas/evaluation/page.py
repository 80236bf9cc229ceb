"""The page of a verification study: tables and figures in Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from jinja2 import Environment, PackageLoader, StrictUndefined

from gigaxas.evaluation import Maps, VerifyScene
from gigaxas.evaluation.scenes import SIZES
from gigaxas.evaluation.speck_scenes import SPECK_EDGES, SPECK_SIZES
from gigaxas.evaluation.speck_study import NEEDLE, SmallNeedleRow, SpecklessRow, SpeckRow
from gigaxas.evaluation.study import (
    FRAMES,
    LARGE,
    LIMIT_SIZES,
    Z_EDGES,
    CostRow,
    ImperfectRow,
    InsetRow,
    LimitCurve,
    NeedleRow,
    NoiseOnly,
    SweepRow,
)
from gigaxas.spectra.noise import NoiseModel


@dataclass(frozen=True)
class StudyResult:
    """Everything one study has found."""

    references: tuple[str, ...]
    """Names of the library."""
    pair: tuple[str, str]
    """Background and inset of the published scene."""
    conditions: dict[str, NoiseModel]
    """Noise by the name of its condition."""
    library: int
    """Sites of the library."""
    library_seconds: float
    """Time to build them."""
    inset: list[InsetRow]
    """The published scene."""
    sweep: list[SweepRow]
    """Classes and mistakes against the light."""
    limit: list[LimitCurve]
    """The smallest region found against the light."""
    needles: list[NeedleRow]
    """Planted needles, by condition and source of sites."""
    others: list[NeedleRow]
    """General clustering on some of these scenes."""
    variants: list[NeedleRow]
    """Thickness, light and gradients."""
    imperfect: list[ImperfectRow]
    """Imperfect instruments."""
    specks: list[SpeckRow]
    """Planted specks, by what is imperfect."""
    speckless: list[SpecklessRow]
    """Scenes without specks."""
    small_needles: list[SmallNeedleRow]
    """The smallest needles of the map, by blur of the specimen."""
    noise_only: list[NoiseOnly]
    """Fields of one phase."""
    scene: VerifyScene
    """The scene that is drawn."""
    maps: dict[str, Maps]
    """Its maps, by source of sites."""
    cost: list[CostRow]
    """Time of whole runs."""


def study_page(title: str, found: StudyResult, images: str) -> str:
    """Return the page of a study; `images` begins the names of its figures."""
    environment = Environment(
        loader=PackageLoader("gigaxas.report", "template"),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("verification.md").render(
        title=title,
        found=found,
        images=images,
        conditions="; ".join(f"*{name}* {_noise(noise)}" for name, noise in found.conditions.items()),
        needles=needle_table(found.needles),
        others=needle_table(found.others),
        variants=needle_table(found.variants, strayed=True),
        imperfect=_imperfect_table(found.imperfect),
        frames=f"{FRAMES:g}",
        specks=speck_table(found.specks),
        speckless=speckless_table(found.speckless),
        small_needles=small_needle_table(found.small_needles),
        needle=NEEDLE,
        noise_only=_noise_table(found.noise_only),
        inset=_inset_table(found.inset),
        limit=_limit_table(found.limit),
        cost=_cost_table(found.cost),
    )


def needle_table(rows: Sequence[NeedleRow], strayed: bool = False) -> str:
    """Return a table of recall by size and by z; with `strayed` in place of false clusters."""
    sizes = [f"{size} px" for size in SIZES]
    bins = [f"z {low:g}-{high:g}" for low, high in pairwise(Z_EDGES)]
    last = "strayed" if strayed else "false"
    return _table(
        ["condition", "method", "scenes", "recall", *sizes, *bins, "pure", last, "classes", "s"],
        (
            (
                row.condition,
                row.method,
                row.scenes,
                *map(_percent, (row.recall, *row.by_size, *row.by_z)),
                _percent(row.pure, 2),
                f"{100 * row.strayed:.2f}" if strayed else f"{row.false:.2f}",
                f"{row.classes:.1f}",
                f"{row.seconds:.2f}",
            )
            for row in rows
        ),
    )


def _imperfect_table(rows: Sequence[ImperfectRow]) -> str:
    """Return a table of both levels, labels and components, a pair of columns for each figure."""
    ideal = sum(rows[0].seconds)
    return _table(
        (
            "imperfect",
            "scenes",
            f"{LARGE} px and more",
            "as components",
            "5 px",
            "as components",
            "pure",
            "as components",
            "classes",
            "with components",
            "components",
            "kept",
            "times the ideal's time",
        ),
        (
            (
                row.name,
                row.scenes,
                *map(_percent, (*row.large, *row.small)),
                *(_percent(share, 2) for share in row.pure),
                *(f"{number:.1f}" for number in (*row.classes, row.components)),
                _percent(row.kept),
                f"{sum(row.seconds) / ideal:.1f}",
            )
            for row in rows
        ),
    )


def speck_table(rows: Sequence[SpeckRow]) -> str:
    """Return a table of the recall of specks by distance and by size, and of those that are false."""
    ranges = [f"{low:g} to {high:g}" for low, high in pairwise(SPECK_EDGES)]
    sizes = [f"{size} px" for size in SPECK_SIZES]
    return _table(
        ("imperfect", "scenes", *ranges, *sizes, "false a Mpx", "of lost grains a Mpx", "hits named"),
        (
            (
                row.name,
                row.scenes,
                *map(_percent, (*row.by_distance, *row.by_size)),
                f"{row.false:.1f}",
                f"{row.lost:.1f}",
                _percent(row.hits),
            )
            for row in rows
        ),
    )


def speckless_table(rows: Sequence[SpecklessRow]) -> str:
    """Return a table of the specks in scenes without any."""
    return _table(
        ("scenes", "Mpx", "false specks", "of lost grains", "tail over theory"),
        ((row.name, f"{row.pixels / 1e6:.2f}", row.false, row.lost, f"{row.tail:.2f}") for row in rows),
    )


def small_needle_table(rows: Sequence[SmallNeedleRow]) -> str:
    """Return a table of the smallest needles of the map, found by it and as specks."""
    return _table(
        ("blur, px", "needles", "on the map", "as specks", "either"),
        (
            (f"{row.blur:g}", row.needles, *map(_percent, (row.by_map, row.by_specks, row.together)))
            for row in rows
        ),
    )


def _noise_table(rows: Sequence[NoiseOnly]) -> str:
    return _table(
        ("condition", "scenes", "Mpx", "false clusters"),
        ((row.condition, row.scenes, f"{row.pixels / 1e6:.2f}", row.false) for row in rows),
    )


def _inset_table(rows: Sequence[InsetRow]) -> str:
    return _table(
        ("condition", "method", "field", "classes before", "wrong, %", "classes after", "wrong, %"),
        (
            (row.condition, row.method, f"{row.side} px", *_classes(row.before), *_classes(row.after))
            for row in rows
        ),
    )


def _limit_table(curves: Sequence[LimitCurve]) -> str:
    return _table(
        ("region", "sites", "light", *(f"{size} px" for size in LIMIT_SIZES)),
        ((curve.region, curve.method, f"{curve.light:g}", *map(_percent, curve.found)) for curve in curves),
    )


def _cost_table(rows: Sequence[CostRow]) -> str:
    return _table(
        ("sites from", "sites", "s", "times the library's", "right pixels, %"),
        (
            (
                row.method,
                row.sites,
                f"{row.seconds:.1f}",
                f"{row.seconds / rows[0].seconds:.2f}",
                _percent(row.right, 2),
            )
            for row in rows
        ),
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *([str(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _classes(found: tuple[int, float] | None) -> tuple[str, str]:
    return ("", "") if found is None else (str(found[0]), f"{100 * found[1]:.3f}")


def _percent(share: float, digits: int = 1) -> str:
    return "" if share != share else f"{100 * share:.{digits}f}"


def _noise(noise: NoiseModel) -> str:
    return f"(c_ref {noise.c_ref:g}, mu_low {noise.mu_low:g}, mu_high {noise.mu_high:g})"

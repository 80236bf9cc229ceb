"""What verbs print of plans, references, sites and names: tables that fit a screen."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gigaxas.locations import shown

if TYPE_CHECKING:
    from gigaxas.config.schema import Config
    from gigaxas.evaluation.page import StudyResult
    from gigaxas.sites import Proof, SiteAudit
    from gigaxas.spectra import ReadRow
    from gigaxas.spectra.noise import Noise
    from gigaxas.stores.sites import StoredSites
    from gigaxas.workflow.classify import SitesMade
    from gigaxas.workflow.coverage import Coverage, CoverRow
    from gigaxas.workflow.identify import Identified
    from gigaxas.workflow.info import FileInfo
    from gigaxas.workflow.inject import InjectionResult
    from gigaxas.workflow.plan import Plan
    from gigaxas.workflow.products import Product, Stage
    from gigaxas.workflow.registration import Registration

NAMED = 4  # records named of those refused for one reason; references.csv names all
LONGEST, SHORT = 32, 24
MOST_ROWS = 40
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
QUANTILE_NAMES = ("lowest", "5 %", "25 %", "median", "75 %", "95 %", "highest")


def show_references(out: Console, rows: Sequence["ReadRow"]) -> None:
    """Print what became of every record: those read in a line each, those refused a line a reason."""
    if not rows:
        return
    groups = {
        status: [row for row in rows if row.status == status] for status in ("read", "duplicate", "refused")
    }
    counts = ", ".join(f"{len(found)} {status}" for status, found in groups.items() if found)
    empty = [row for row in rows if row.status == "no spectrum"]
    out.print(f"references {counts}, of {len(rows) - len(empty)} records")
    if groups["read"]:
        _print_line(out, _columns("read", "file", "shift eV", "E0 eV", "step", ""))
    for row in groups["read"]:
        shift = f"{row.shift_ev:+.2f}" if row.shift_ev else ""
        e0 = "" if row.e0_ev is None else f"{row.e0_ev:.1f}"
        step = "" if row.edge_step is None else f"{row.edge_step:.3f}"
        _print_line(out, _columns(row.name, row.source, shift, e0, step, row.brief))
    for row in groups["duplicate"]:
        _print_line(out, f"duplicate  {row.name}: {row.brief}")
    for kind, left_out in (("refused   ", groups["refused"]), ("no spectrum", empty)):
        for reason, names in _by_reason(left_out):
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            _print_line(out, f"{kind} {len(names):<3} {reason}: {', '.join(map(_cut, names[:NAMED]))}{more}")
    out.print()


def show_info(out: Console, found: "FileInfo") -> None:
    """Print what is in a file, and the lines of a configuration that read it."""
    out.print(f"{found.path}: {found.kind}", markup=False, soft_wrap=True)
    table = Table("name", "shape", "type", "axes", "energies", "pixel um", "", box=None, pad_edge=False)
    for row in found.rows[:MOST_ROWS]:
        shape = " x ".join(map(str, row.shape))
        pixel = "" if row.pixel_um is None else f"{row.pixel_um:g}"
        cells = (row.name, shape, row.dtype, row.axes, row.energies, pixel, row.note)
        table.add_row(*(Text(cell) for cell in cells))
    out.print(table)
    if len(found.rows) > MOST_ROWS:
        out.print(f"and {len(found.rows) - MOST_ROWS} more")
    if found.settings:
        out.print()
        out.print(found.settings, markup=False, soft_wrap=True)


def show_coverage(out: Console, found: "Coverage") -> None:
    """Print a line for every edge of a library, then its spectra, then those that cannot be used."""
    known = {
        panel.edge: [row for row in found.rows if row.edge == panel.edge and row.e0_ev is not None]
        for panel in found.panels
    }
    for edge, rows in known.items():
        out.print(_edge_line(edge, rows), soft_wrap=True)
    if known:
        out.print()
        out.print(_coverage_table([row for rows in known.values() for row in rows]))
        out.print()
    for row in found.rows:
        if row.reason:
            _print_line(
                out, f"{'unused' if row.status == 'fits' else row.status:<8} {row.name}: {row.reason}"
            )
    counts = {word: sum(row.status == status for row in found.rows) for status, word in _COVERED.items()}
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    out.print(f"{len(found.rows)} records: {told}")


_COVERED = {"fits": "fit", "copy": "are copies", "misfit": "do not fit", "refused": "cannot be used"}
"""What is said of the records of every status."""


def _edge_line(edge: str, rows: Sequence["CoverRow"]) -> str:
    e0 = [row.e0_ev for row in rows if row.e0_ev is not None]
    first, last = max(row.first for row in rows), min(row.last for row in rows)
    span = f"all of them from {first:.1f} to {last:.1f} eV" if first < last else "no range that all share"
    return f"{edge:<6} {len(rows)} spectra, E0 {min(e0):.1f} to {max(e0):.1f} eV, {span}"


def _coverage_table(rows: Sequence["CoverRow"]) -> Table:
    names = ("name", "edge", "E0 eV", "from", "to", "points", "step eV", "nearest", "r", "")
    table = Table(*names, box=None, pad_edge=False)
    for column in (2, 3, 4, 5, 6, 8):
        table.columns[column].justify = "right"
    for row in rows:
        state = row.status if row.status != "fits" else "normalised" if row.normalised else ""
        cells = (
            _cut(row.name, SHORT),
            row.edge,
            f"{row.e0_ev:.1f}",
            f"{row.first:.1f}",
            f"{row.last:.1f}",
            str(row.points),
            f"{row.spacing_ev:.2g}",
            _cut(row.nearest, SHORT),
            "" if row.correlation is None else f"{row.correlation:.5f}",
            state,
        )
        table.add_row(*(Text(cell) for cell in cells))
    return table


def show_edge(out: Console, config: "Config") -> None:
    """Print the edge of a run with its ranges, and how references are normalised there."""
    from gigaxas.workflow.edge import told_edge

    out.print(f"edge       {told_edge(config)}")


def show_places(out: Console, config: "Config") -> None:
    """Print where a run reads and writes, every path as this folder sees it."""
    from gigaxas.config.paths import paths_of, read_from

    paths = paths_of(config)
    places = [f"{shown(place)} ({key})" for key, place in read_from(config).items()]
    for number, place in enumerate(places):
        out.print(f"{'' if number else 'from':<10} {place}", markup=False, soft_wrap=True)
    out.print(f"{'to':<10} {shown(paths.output)}", markup=False, soft_wrap=True)
    if paths.has_result_elsewhere:
        out.print(f"{'':<10} {shown(paths.result)} (result)", markup=False, soft_wrap=True)


def show_plan(out: Console, plan: "Plan") -> None:
    """Print what a run is about to do."""
    from dask.utils import format_bytes

    energies, height, width = plan.shape
    out.print(f"plan       {height} x {width} pixels, {energies} energies, {plan.tiles} tiles of {plan.tile}")
    out.print(
        f"           reads {format_bytes(plan.bytes_read)}, writes up to {format_bytes(plan.bytes_written)}, "
        f"takes about {format_bytes(plan.memory)} of memory and {_duration(plan.seconds)}"
    )


def show_stages(out: Console, products: Sequence["Product"], last: Sequence["Stage"]) -> None:
    """Print the stages of a run in order: tiles, bytes, and what an earlier run has left."""
    from dask.utils import format_bytes

    table = Table("", "stage", "tiles", "reads", "writes up to", "done", box=None, pad_edge=False)
    for column in (2, 3, 4, 5):
        table.columns[column].justify = "right"
    for name, stages in [*((product.name, product.stages) for product in products), ("report", last)]:
        for number, stage in enumerate(stages):
            sizes = (stage.bytes_read, stage.bytes_written)
            share = f"{stage.done:,} of {stage.tiles:,}" if 0 < stage.done < stage.tiles else ""
            table.add_row(
                "" if number else name,
                stage.name,
                f"{stage.tiles:,}",
                *(format_bytes(size) if size else "" for size in sizes),
                "all" if stage.done >= stage.tiles > 0 else share,
            )
    out.print(table)


def show_registration(out: Console, found: "Registration") -> None:
    """Print how fields were placed, and their shift of energy."""
    pairs = found.placement.pairs
    used = [pair for pair in pairs if not pair.rejected]
    out.print(f"stitched   {len(found.placement.corners)} fields by {len(used)} of {len(pairs)} overlaps")
    if found.shift:
        out.print(
            f"           energy shift up to {found.shift.largest:.3f} eV, known to "
            f"{found.shift.error:.3f} eV (from {found.shift.blocks} blocks)"
        )


def show_matches(out: Console, found: "Identified") -> None:
    """Print a line for each spectrum: its name, and how sure that is."""
    table = Table(
        *("spectrum", "name", "r", "s_error", "runner-up", "r", "between"), box=None, pad_edge=False
    )
    for column in (2, 3, 5, 6):
        table.columns[column].justify = "right"
    for match in found.matches:
        name = match.name if match.name == match.nearest else f"{match.name} (nearest {match.nearest})"
        table.add_row(
            _cut(match.spectrum),
            name,
            f"{match.correlation:.5f}",
            f"{match.error:.2g}",
            match.runner_up,
            f"{match.runner_up_correlation:.5f}",
            f"{match.runner_up_error:.2g}",
        )
    out.print(table)
    unknown = sum(match.name != match.nearest for match in found.matches)
    out.print(f"{len(found.matches):,} spectra, {unknown:,} unknown, against {found.entries:,} entries")
    noise = found.noise
    out.print(f"noise      {noise:g} a sample" if isinstance(noise, float) else _noise_line(noise))
    for reason in found.left_out[:NAMED]:
        _print_line(out, f"left out   {reason}")
    if len(found.left_out) > NAMED:
        out.print(f"and {len(found.left_out) - NAMED:,} more left out")


def _noise_line(noise: "Noise") -> str:
    from gigaxas.spectra.noise import NoiseModel

    if not isinstance(noise, NoiseModel):
        return "noise      as the image shows it"
    return (
        f"noise      c_ref {noise.c_ref:g}, mu_low {noise.mu_low:g}, mu_high {noise.mu_high:g}, "
        f"A {noise.a:g}, B {noise.b:g}"
    )


def show_sites(out: Console, made: "SitesMade") -> None:
    """Print the references, the noise, candidates and sites, and the audit."""
    from gigaxas.sites import quantiles

    config, stored = made.config, made.stored
    audit = stored.audit
    show_references(out, made.references)
    if config.noise_kind == "camera":
        out.print(_noise_line(made.noise))
    _show_making(out, made)
    if audit is None:
        return
    table = Table("s_error to nearest site", *QUANTILE_NAMES, box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    of = "references" if config.sites.file else "candidates"
    for name, errors in (
        (f"{len(stored.table.names):,} sites", audit.spacing_error),
        (of, audit.candidate_error),
    ):
        if errors.size:
            table.add_row(name, *(f"{value:.2g}" for value in quantiles(errors, QUANTILES).values()))
    out.print()
    out.print(table)
    _show_shares(out, audit, of)
    if config.sites.origin != "observed":
        _show_proof(out, stored.proof)


def _show_making(out: Console, made: "SitesMade") -> None:
    config, stored = made.config, made.stored
    sites, standards = len(stored.table.names), len(stored.table.standards)
    if config.sites.file:
        out.print(f"sites      {sites:,} from {config.sites.file}", soft_wrap=True)
        return
    if stored.evidence:
        _show_observed(out, stored, config.noise_kind == "camera")
    if config.sites.origin == "observed":
        return
    recipe, candidates = config.sites, stored.audit.candidate_error.size if stored.audit else 0
    pairs = standards * (standards - 1) // 2 if recipe.mixtures == "pairs" else 0
    grown = candidates - standards - pairs
    out.print(
        f"candidates {candidates:,}: {standards:,} references, {pairs:,} pairs, {grown:,} accepted of "
        f"{recipe.trials:,} trials of {recipe.components}"
    )
    out.print(f"sites      {sites:,} by the reduction {recipe.method!r} at {recipe.limit:g}")


def _show_observed(out: Console, stored: "StoredSites", camera: bool) -> None:
    """Print what was seen in the data: a camera's noise, sites, and those the library does not explain."""
    from gigaxas.workflow.observed import told_continua

    evidence = stored.evidence
    assert evidence is not None
    noise, seen = evidence.noise, int((evidence.windows > 0).sum())
    if camera:
        out.print(
            f"noise      uniform windows show {noise.scale:.3f} times the model's ({noise.windows:,} windows "
            "probed)"
        )
    shared = (
        f"neighbouring pixels share it: the variance of a window's mean is {noise.sharing:.1f} times that of "
        "independent ones"
        if noise.sharing > 1.0
        else "neighbouring pixels are independent"
    )
    out.print(f"noise      {shared}")
    out.print(f"observed   {seen:,} sites in {int(evidence.windows.sum()):,} uniform windows")
    for line in told_continua(stored):
        out.print(f"gradient   {line}", markup=False, soft_wrap=True)
    if evidence.coarsened:
        out.print(f"warning    {evidence.coarsened}", soft_wrap=True)
    for site in evidence.outside.nonzero()[0].tolist():
        y, x = evidence.first[site].tolist()
        chi_square, freedom = evidence.chi_square[site], evidence.freedom[site]
        _print_line(
            out,
            f"unknown    site {site + 1} at row {y}, column {x}: {stored.table.names[site]}; chi-square "
            f"{chi_square:.0f} on {freedom:.0f}, p {evidence.p_value[site]:.1g}",
        )


def show_study(out: Console, found: "StudyResult") -> None:
    """Print the needles of a verification study; the page has the rest."""
    table = Table("condition", "sites", "recall", "pure", "false", "s", box=None, pad_edge=False)
    for row in found.needles:
        table.add_row(
            row.condition,
            row.method,
            f"{row.recall:.1%}",
            f"{row.pure:.2%}",
            f"{row.false:.2f}",
            f"{row.seconds:.2f}",
        )
    out.print(table)
    for alone in found.noise_only:
        out.print(f"noise alone, {alone.condition}: {alone.false} false clusters in {alone.scenes} scenes")


def show_injection(out: Console, found: "InjectionResult") -> None:
    """Print how many injected needles were found by size and z, and the smallest size that is sure."""
    from gigaxas.evaluation import INJECT_SIZES, INJECT_Z

    table = Table("size, pixels", *(f"z {z:g}" for z in INJECT_Z), box=None, pad_edge=False)
    for row, size in enumerate(INJECT_SIZES):
        rows = (found.found[row].tolist(), found.tried[row].tolist(), found.by_map[row].tolist())
        cells = zip(*rows, strict=True)
        table.add_row(str(size), *(f"{good} of {tried} ({shown})" for good, tried, shown in cells))
    out.print(table)
    out.print("found on the map or as specks; in brackets on the map alone")
    for z, size in zip(INJECT_Z, found.limit, strict=True):
        said = f"from {size} x {size} pixels on" if size else "not for sure at any of these sizes"
        out.print(f"z {z:g}: found with 95 % probability {said}")
    most = 3.0 / (found.pixels / 1e6)
    out.print(
        f"false clusters: {found.false} in {found.pixels / 1e6:.2f} Mpx of simulated noise"
        + (f"; with 95 % confidence fewer than {most:.1f} per Mpx" if not found.false else "")
    )


def _show_shares(out: Console, audit: "SiteAudit", of: str) -> None:
    near = (audit.spacing_error > audit.limit).mean()
    out.print(f"spacing    {near:.1%} of the sites are nearer to another than the limit of {audit.limit:g}")
    if audit.candidate_error.size:
        missed = (audit.candidate_error < audit.limit).mean()
        out.print(f"cover      {missed:.2%} of the {of} are farther than the limit from every site")
    if audit.uncovered:
        shares = ", ".join(f"N = {number} {share:.2%}" for number, share in audit.uncovered.items())
        out.print(f"denseness  uncovered of {audit.mixtures:,} random mixtures of N references: {shares}")
    if audit.dimension:
        out.print(
            f"dimension  {audit.dimension} ({audit.neighbours} neighbours, eigenvalues above "
            f"{audit.share:g} of the largest)"
        )


def _show_proof(out: Console, proof: "Proof | None") -> None:
    if proof is None:
        out.print("proof      none: no two spectra near enough for mistakes to be counted, or counts too low")
        return
    out.print(
        f"proof      Eq. 1 against mistakes counted on {len(proof.measured)} pairs, 2 x {proof.draws:,} "
        f"noisy spectra each: off by {abs(proof.pulls).max():.1f} sigma at most"
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _by_reason(rows: Iterable["ReadRow"]) -> list[tuple[str, list[str]]]:
    """Return reasons with the names they hold for, the most frequent first."""
    groups: dict[str, list[str]] = {}
    for row in rows:
        groups.setdefault(row.brief, []).append(row.name)
    return sorted(groups.items(), key=lambda group: -len(group[1]))


def _columns(name: str, file: str, shift: str, e0: str, step: str, note: str) -> str:
    text = f"{_cut(name):<{LONGEST}} {_cut(file):<{LONGEST}} {shift:>8} {e0:>7} {step:>6}  {note}"
    return text.rstrip()


def _print_line(out: Console, line: str) -> None:
    """Print one line: cut where a screen ends, whole where there is none."""
    screen = out.is_terminal
    out.print(line, markup=False, no_wrap=True, overflow="ellipsis" if screen else "ignore", crop=screen)


def _cut(name: str, longest: int = LONGEST) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"

"""The command `gigaxas`: verbs in the order of work, progress, and exit codes."""

import logging
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from gigaxas import __version__
from gigaxas.cli.error_log import ErrorLog
from gigaxas.cli.outcome import show_paths, show_phases, show_summary
from gigaxas.cli.screen import err, out, show_error, show_plainly
from gigaxas.cli.tables import (
    show_edge,
    show_info,
    show_injection,
    show_matches,
    show_places,
    show_plan,
    show_references,
    show_registration,
    show_sites,
    show_stages,
    show_study,
)
from gigaxas.errors import InputError, RunError
from gigaxas.locations import shown
from gigaxas.machine_code import cache_by_version

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from gigaxas.config.schema import Config
    from gigaxas.execution.tile_tasks import Advance
    from gigaxas.workflow.exports import Export
    from gigaxas.workflow.resolve import Resolved

BAD_INPUT, NOT_FINISHED, INTERRUPTED = 2, 1, 130

log = ErrorLog()
app = typer.Typer(
    help="Exact phase maps from gigapixel X-ray absorption spectral images.",
    epilog="Each verb takes a configuration; classify runs what is missing before it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="a YAML file such as configs/sinter.yaml")]

Scheduler = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="a running Dask scheduler, as tcp://host:8786")
]

Fresh = Annotated[bool, typer.Option("--fresh", help="start over instead of going on where a run stopped")]


def main() -> None:
    """Run the command. Exit 0 done, 1 not finished, 2 bad input with every error told, 130 interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # a read that fails leaves others of its chunks pending, which asyncio would tell of after the error
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    show_plainly()
    log.folder = None
    try:
        sys.exit(_status())
    except InputError as error:
        _fail(error, BAD_INPUT)
    except RunError as error:
        _fail(error, NOT_FINISHED)
    except Exception as error:
        if hasattr(error, "format_message"):  # of a wrong command
            _fail(error.format_message(), BAD_INPUT)
        _fail(log.sentence(error), NOT_FINISHED)


def _status() -> int:
    if cache_by_version() is None:
        raise InputError(
            "found no folder for temporary files that can be written; set TMPDIR to one, such as a folder "
            "beside the output"
        )
    status = app(standalone_mode=False)
    if status == INTERRUPTED:
        err.print(f"interrupted; to go on, type: {shlex.join(['gigaxas', *sys.argv[1:]])}", soft_wrap=True)
    return int(status or 0)


@app.callback(invoke_without_command=True)
def gigaxas(
    version: Annotated[bool, typer.Option("--version", help="say which version this is")] = False,
) -> None:
    """Exact phase maps from gigapixel X-ray absorption spectral images."""
    if version:
        out.print(f"gigaxas {__version__}")
        raise typer.Exit


@app.command("info")
def info_verb(
    file: Annotated[str, typer.Argument(metavar="FILE", help="a file or folder, or file::array")],
) -> None:
    """Say what is in a file of images or spectra, and what lines of a configuration read it."""
    from gigaxas.workflow.info import info

    show_info(out, info(file))


@app.command("init")
def init_verb(
    image: Annotated[
        str | None, typer.Argument(metavar="IMAGE", help="a stack, a cube, a folder of images, file::array")
    ] = None,
    references: Annotated[Path | None, typer.Option(metavar="PATH", help="reference spectra")] = None,
    energies: Annotated[str | None, typer.Option(help="the energies, in a file or file::array")] = None,
    i0: Annotated[str | None, typer.Option("--i0", help="counts of the open beam, likewise")] = None,
    dark: Annotated[str | None, typer.Option(help="images without light")] = None,
    quantity: Annotated[str | None, typer.Option(help="counts, intensity, absorbance or normalised")] = None,
    positions: Annotated[str | None, typer.Option(help="stage positions of raw fields, a CSV")] = None,
    edge: Annotated[str | None, typer.Option(help="the absorption edge, as Fe K")] = None,
    title: Annotated[str | None, typer.Option(help="title of the report")] = None,
    to: Annotated[Path | None, typer.Option(metavar="CONFIG", help="the file to write")] = None,
    force: Annotated[bool, typer.Option("--force", help="replace the file that is there")] = False,
) -> None:
    """Write a configuration for your images and references, with comments; ask what files do not tell."""
    from gigaxas.cli.questions import ask_for_start, settled
    from gigaxas.workflow.init import configuration, write_configuration

    given = {
        "energies": energies, "i0": i0, "dark": dark, "quantity": quantity, "positions": positions
    }  # fmt: skip
    start = ask_for_start(image, references, to)
    found = settled(start.image, {key: value for key, value in given.items() if value is not None})
    write_configuration(start.to, configuration(start.to, found, start.references, edge, title), force)
    out.print(f"{found.about}", soft_wrap=True)
    show_paths(out, [start.to])
    out.print(f"next: {shlex.join(['gigaxas', 'check', shown(start.to)])}", soft_wrap=True)


@app.command("references")
def references_verb(
    library: Annotated[Path, typer.Argument(metavar="PATH", help="a file or folder of spectra, or Zarr")],
    to: Annotated[Path | None, typer.Option(metavar="FOLDER", help="write a table and a picture")] = None,
) -> None:
    """Show what reference spectra cover: edges, ranges, copies, and spectra that do not fit."""
    from gigaxas.cli.tables import show_coverage
    from gigaxas.workflow.coverage import cover, write_coverage

    found = cover(library)
    show_coverage(out, found)
    if to:
        show_paths(out, write_coverage(to, found))


@app.command("plan")
def plan_verb(config: ConfigPath) -> None:
    """Plan a measurement before any beam: exposure, thickness, energies and time to tell phases apart."""
    from gigaxas.cli.measurement import show_measurement
    from gigaxas.workflow.measurement_plan import plan_measurement

    made = plan_measurement(_settings(config))
    show_references(out, made.references)
    show_measurement(out, made)
    show_paths(out, list(made.paths))


@app.command("check")
def check_verb(config: ConfigPath) -> None:
    """Say everything that is wrong with a configuration and its files; run nothing."""
    from gigaxas.workflow.products import products_of, report_stages
    from gigaxas.workflow.resolve import resolve

    run = resolve(_settings(config), out.print)
    show_references(out, run.references.table)
    _show_start(run)
    show_stages(out, products_of(run), report_stages(run))
    out.print("nothing wrong found")


@app.command("simulate")
def simulate_verb(
    config: ConfigPath,
    scheduler: Scheduler = None,
    paced: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0, help="write raw fields as an instrument does, a file in this time"
        ),
    ] = None,
) -> None:
    """Make the cube of a simulated scene, with its truth."""
    from gigaxas.workflow.classify import simulate, simulate_slowly

    if paced is not None:
        show_paths(out, [simulate_slowly(_settings(config, scheduler), paced, out.print)])
        return
    show_paths(out, [simulate(_settings(config, scheduler), _bar, out.print)])


@app.command("ingest")
def ingest_verb(config: ConfigPath) -> None:
    """Make the cube of raw fields of view, or of a stack of images."""
    from gigaxas.workflow.classify import ingest

    made = ingest(_settings(config), _bar, out.print)
    if made.registration:
        show_registration(out, made.registration)
    show_paths(out, [made.cube, *made.paths])


@app.command("watch")
def watch_verb(config: ConfigPath) -> None:
    """Make the phase map while an instrument writes raw fields, and say when it has measured enough."""
    from gigaxas.workflow.watch import watch

    show_summary(out, watch(_settings(config), _bar, out.print))


@app.command("sites")
def sites_verb(config: ConfigPath) -> None:
    """Make the site spectra from the references, and say how far to trust them."""
    from gigaxas.workflow.classify import sites

    made = sites(_settings(config), _bar, out.print)
    show_sites(out, made)
    show_paths(out, list(made.paths))


@app.command("classify")
def classify_verb(config: ConfigPath, scheduler: Scheduler = None, fresh: Fresh = False) -> None:
    """Make the phase map: assign, clean up, fill, tables, report. What is done already is kept."""
    from gigaxas.workflow.classify import classify

    settings = _settings(config, scheduler)
    summary = classify(
        settings,
        _bar,
        out.print,
        _show_start,
        lambda made: show_sites(out, made),
        fresh,
    )
    show_summary(out, summary)


def _show_start(run: "Resolved") -> None:
    show_places(out, run.config)
    show_edge(out, run.config)
    show_plan(out, run.plan)


@app.command("phases")
def phases_verb(config: ConfigPath) -> None:
    """Find the components among the clusters of a finished result; map how much of each a pixel holds."""
    from gigaxas.workflow.phases import phases

    show_phases(out, phases(_settings(config), _bar))


@app.command("report")
def report_verb(
    config: ConfigPath,
    ome_zarr: Annotated[bool, typer.Option("--ome-zarr", help="write the maps as OME-Zarr too")] = False,
    tiff: Annotated[bool, typer.Option("--tiff", help="write every map as a TIFF file too")] = False,
    hyperspy: Annotated[
        bool, typer.Option("--hyperspy", help="write maps and spectra as HyperSpy signals too")
    ] = False,
) -> None:
    """Write the tables and the report of a finished result again, and its maps for other programs."""
    from gigaxas.workflow.classify import report_again

    asked: dict[Export, bool] = {"ome-zarr": ome_zarr, "tiff": tiff, "hyperspy": hyperspy}
    exports = [name for name, is_asked in asked.items() if is_asked]
    show_summary(out, report_again(_settings(config), _bar, exports))


@app.command("identify")
def identify_verb(
    spectra: Annotated[Path, typer.Argument(metavar="SPECTRA", help="a file, folder, run or Zarr library")],
    library: Annotated[Path, typer.Option(metavar="PATH", help="named spectra, likewise")],
    config: Annotated[Path | None, typer.Option(help="take noise and edge ranges from it")] = None,
    normalise: Annotated[bool, typer.Option("--normalise", help="both are measured absorbance")] = False,
    as_is: Annotated[bool, typer.Option("--as-is", help="compare without standardising")] = False,
    span: Annotated[
        tuple[float, float] | None, typer.Option("--range", help="compare these energies alone")
    ] = None,
    sigma: Annotated[float | None, typer.Option(help="noise of a sample, of spectra of any kind")] = None,
    limit: Annotated[float, typer.Option(help="s_error below which a spectrum is unknown")] = 1e-4,
    output: Annotated[Path | None, typer.Option(help="write a CSV table")] = None,
) -> None:
    """Name spectra by their nearest entries in a library, as far as the noise allows a name."""
    from gigaxas.workflow.identify import comparison, identify, write_matches

    how = comparison(
        config, normalise, sigma, standardised=not as_is, span=span, limit=limit, spectra=spectra
    )
    found = identify(spectra, library, how)
    show_matches(out, found)
    if output:
        write_matches(output, found)
        show_paths(out, [output])


def _settings(config: Path, scheduler: str | None = None) -> "Config":
    """Read a configuration; from here on its output folder is where errors are told."""
    from gigaxas.config.load import load_config, set_scheduler

    settings = load_config(config)
    log.folder = settings.output
    return settings if scheduler is None else set_scheduler(settings, scheduler)


@app.command("verify")
def verify_verb(
    config: ConfigPath,
    inject: Annotated[bool, typer.Option("--inject", help="inject needles into the cube itself")] = False,
    seeds: Annotated[int, typer.Option(min=1, help="needle scenes a condition")] = 20,
    to: Annotated[Path | None, typer.Option(help="folder to write to, else OUTPUT/verification")] = None,
    page: Annotated[str, typer.Option(help="name of the page")] = "verification",
) -> None:
    """Prove the method on scenes with known truth, or, with --inject, in the cube itself."""
    settings = _settings(config)
    if inject:
        from gigaxas.workflow.inject import inject_needles

        found = inject_needles(settings, to, _bar)
        show_injection(out, found)
        show_paths(out, list(found.paths))
        return
    from gigaxas.workflow.verify import verify

    verified = verify(settings, seeds, to, page, _bar)
    show_study(out, verified.found)
    show_paths(out, list(verified.paths))


def _bar(stage: str, total: int) -> "AbstractContextManager[Advance]":
    from gigaxas.execution.bars import terminal_bar

    return terminal_bar(out, stage, total)


def _fail(error: object, code: int) -> NoReturn:
    show_error(error)
    sys.exit(code)

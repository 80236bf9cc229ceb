"""Spectra named by their nearest library entries, with what the noise says of each name."""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.config.load import load_config
from gigaxas.config.paths import paths_of
from gigaxas.config.schema import Config
from gigaxas.errors import InputError
from gigaxas.search.product import fit_product
from gigaxas.sites import paired_error
from gigaxas.sites.table import distinct_names
from gigaxas.spectra import POST_EDGE, PRE_EDGE, Spectrum, standardise
from gigaxas.spectra.noise import Noise, NoiseModel
from gigaxas.spectra.readers.formats import Found
from gigaxas.spectra.signal_noise import SignalNoise
from gigaxas.spectra.spectrum import MIN_SAMPLES, NoSpectrum
from gigaxas.stores.io.files import Columns, publish_table
from gigaxas.stores.io.folders import exists
from gigaxas.workflow.collection import Ranges, on_grid, read_collection, run_of
from gigaxas.workflow.edge import ranges_of, resolve_edge
from gigaxas.workflow.image import look_at_image
from gigaxas.workflow.noise import resolve_noise
from gigaxas.workflow.resolve import describe, needs_image
from gigaxas.workflow.screen import screen

UNKNOWN = "unknown"
WORKING_POINT = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)


@dataclass(frozen=True)
class Comparison:
    """How spectra and entries are compared. InputError for a value that has no meaning."""

    noise: Noise | float = WORKING_POINT
    """A working point, for normalised absorbance, or the standard deviation of a sample, for any other."""
    ranges: Ranges | None = None
    """Pre-edge and post-edge, eV, to normalise both, if they are measured absorbance; None: as they are."""
    standardised: bool = True
    """Whether mean and length are taken off, as [I] does."""
    span: tuple[float, float] | None = None
    """Low and high, eV: what is compared; None: all energies of a spectrum."""
    limit: float = 1e-4
    """A spectrum is unknown when its s_error with the nearest entry is below this."""

    def __post_init__(self) -> None:
        if isinstance(self.noise, int | float) and not 0 < self.noise < np.inf:
            raise InputError(f"noise of {self.noise:g}; expected a standard deviation above 0")
        if not 0 < self.limit < 0.5:
            raise InputError(f"limit = {self.limit:g}; expected an s_error above 0 and below 0.5")
        if self.span and not self.span[0] < self.span[1]:
            raise InputError(
                f"range {self.span[0]:g} to {self.span[1]:g}; expected it from low to high, in eV"
            )


@dataclass(frozen=True)
class Match:
    """A spectrum and the two entries nearest to it."""

    spectrum: str
    """Its name."""
    source: str
    """Where it comes from."""
    name: str
    """That of the nearest entry, or "unknown"."""
    nearest: str
    """That of the nearest entry."""
    correlation: float
    """Pearson correlation of the spectrum with it."""
    distance: float
    """Euclidean distance of the two, as compared."""
    error: float
    """s_error of the two ([I] Eq. 1)."""
    runner_up: str
    """The name of the second nearest entry."""
    runner_up_correlation: float
    """Pearson correlation of the spectrum with it."""
    runner_up_distance: float
    """Euclidean distance of the two, as compared."""
    runner_up_error: float
    """s_error of the two entries."""


@dataclass(frozen=True)
class Identified:
    """What `identify` found."""

    matches: tuple[Match, ...]
    """In the order of the spectra."""
    entries: int
    """How many of the library took part."""
    left_out: tuple[str, ...]
    """Why entries that some spectrum was not compared with were not, and which files hold no spectrum."""
    noise: Noise | float
    """The noise that names were given by."""


def comparison(
    config: Path | None,
    normalised: bool,
    sigma: float | None,
    *,
    standardised: bool = True,
    span: tuple[float, float] | None = None,
    limit: float = 1e-4,
    spectra: Path | None = None,
) -> Comparison:
    """Return how to compare, with noise and edge ranges of a configuration, or the paper's without one.

    Spectra of a run bring their own noise. `normalised` says that both are to be; `sigma` stands in place of
    a camera. InputError as `load_config`.
    """
    ranges: Ranges = (PRE_EDGE, POST_EDGE)
    noise: Noise | float = WORKING_POINT
    if config is not None:
        settings = load_config(config)
        noise = _noise_of(settings)
        ranges = _ranges(settings, spectra, ranges)
    elif sigma is None and spectra is not None:
        noise = noise_of_run(spectra) or WORKING_POINT
    return Comparison(
        noise if sigma is None else sigma, ranges if normalised else None, standardised, span, limit
    )


def _noise_of(config: Config) -> Noise:
    """Return the noise of a configuration, measured on its cube where it says so."""
    paths = paths_of(config)
    cube = describe(config, paths) if exists(paths.cube) else None
    known = resolve_noise(config, cube)
    if known.noise_kind == "camera" and known.noise.is_given and (cube is None or not needs_image(known)):
        return known.noise.camera()
    if cube is None:
        raise InputError(
            f"noise: it is measured on {paths.cube}, which is not made yet; run gigaxas classify first, or "
            "give the noise of a sample (--sigma)"
        )
    settled = resolve_edge(known, cube.energy, cube)
    found = look_at_image(settled, screen(settled, cube, lambda line: None))
    return found.noise if found else settled.noise.camera()


def _ranges(config: Config, spectra: Path | None, usual: Ranges) -> Ranges:
    """Return the ranges of a configuration, else those of its edge on the energies of the first spectrum."""
    given = config.references.pre_edge, config.references.post_edge
    if given[0] and given[1]:
        return given[0], given[1]
    if spectra is None:
        return usual
    items = read_collection(spectra)
    first = next((item for item in items if isinstance(item, Spectrum)), None)
    if first is None:
        raise next(item for item in items if isinstance(item, InputError))
    return ranges_of(resolve_edge(config, first.energy, None))


def noise_of_run(path: Path) -> Noise | None:
    """Return the noise that the run at `path` was made with, None where `path` is no run.

    Raises InputError for a run whose manifest does not say.
    """
    run = run_of(path)
    if run is None:
        return None
    manifest = run / "manifest.json"
    try:
        record = json.loads(manifest.read_text(encoding="utf-8"))["noise"]
        return NoiseModel(**record) if "c_ref" in record else SignalNoise.from_record(record)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{manifest}: does not tell the noise of this run ({error!r}); run gigaxas report on it, or give "
            "the noise (--config or --sigma)"
        ) from None


def identify(
    spectra: str | Path,
    library: str | Path,
    comparison: Comparison | None = None,
) -> Identified:
    """Name the spectra of a file, folder or run by the nearest entries of a library.

    Args:
        spectra: Path of what is to be named.
        library: Path of the named spectra; they are resampled to the energies of each spectrum.
        comparison: How spectra are compared, and their noise; left out, by shape, with the noise
            at the working point of [I].

    Returns:
        The nearest entry and the runner-up for each spectrum, with their correlation and s_error ([I] Eq. 1).

    Raises:
        InputError: Spectra or a library that cannot be read, that do not overlap, or that the noise says
            nothing about; every unusable spectrum is named.
    """
    how = comparison or Comparison()
    asked, known = (read_collection(Path(path), how.ranges) for path in (spectra, library))
    wanted = _all_usable([item for item in asked if not isinstance(item, NoSpectrum)])
    entries = [item for item in known if not isinstance(item, NoSpectrum)]
    names = distinct_names([entry.name if isinstance(entry, Spectrum) else "" for entry in entries])
    matches: dict[int, Match] = {}
    left_out: dict[int, str] = {}
    taken = 0
    for grid, members in _by_grid(wanted, how.span):
        values, kept, refused = _library_on(entries, grid, library)
        left_out = refused | left_out
        taken = max(taken, len(kept))
        group = _match([wanted[i] for i in members], grid, values, [names[i] for i in kept], how)
        matches |= dict(zip(members, group, strict=True))
    empty = [str(item) for item in (*asked, *known) if isinstance(item, NoSpectrum)]
    said = (*(left_out[i] for i in sorted(left_out)), *dict.fromkeys(empty))
    return Identified(tuple(matches[i] for i in range(len(wanted))), taken, said, how.noise)


def write_matches(path: Path, found: Identified) -> None:
    """Write a CSV table, a row a spectrum. RunError: it cannot be written."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
    publish_table(path, MATCH_COLUMNS, found.matches)


MATCH_COLUMNS: Columns[Match] = {
    "spectrum": lambda match: match.spectrum,
    "source": lambda match: match.source,
    "name": lambda match: match.name,
    "nearest": lambda match: match.nearest,
    "correlation": lambda match: f"{match.correlation:.6f}",
    "distance": lambda match: f"{match.distance:.6g}",
    "s_error": lambda match: f"{match.error:.6g}",
    "runner_up": lambda match: match.runner_up,
    "runner_up_correlation": lambda match: f"{match.runner_up_correlation:.6f}",
    "runner_up_distance": lambda match: f"{match.runner_up_distance:.6g}",
    "runner_up_s_error": lambda match: f"{match.runner_up_error:.6g}",
}


def _all_usable(items: Sequence[Found]) -> list[Spectrum]:
    bad = [str(item) for item in items if isinstance(item, InputError)]
    if bad:
        raise InputError("\n".join(bad))
    return [item for item in items if isinstance(item, Spectrum)]


def _by_grid(
    spectra: Sequence[Spectrum], span: tuple[float, float] | None
) -> Iterable[tuple[FloatArray, list[int]]]:
    """Return the energies (E,) within the span that spectra have, and which spectra have them."""
    groups: dict[bytes, tuple[FloatArray, list[int]]] = {}
    for i, spectrum in enumerate(spectra):
        grid = spectrum.energy
        if span:
            grid = grid[(grid >= span[0]) & (grid <= span[1])]
        if grid.size < MIN_SAMPLES:
            raise InputError(
                f"{spectrum.name}: {grid.size} energies to compare, of {spectrum.energy[0]:g} to "
                f"{spectrum.energy[-1]:g} eV; expected at least {MIN_SAMPLES}; widen the range"
            )
        groups.setdefault(grid.tobytes(), (grid, []))[1].append(i)
    return groups.values()


def _library_on(
    entries: Sequence[Found], grid: FloatArray, library: str | Path
) -> tuple[FloatArray, list[int], dict[int, str]]:
    """Return the entries (n, E) that have the energies (E,), which these are, and why others do not."""
    found = [on_grid(entry, grid) if isinstance(entry, Spectrum) else entry for entry in entries]
    kept = [i for i, values in enumerate(found) if not isinstance(values, InputError)]
    refused = {i: str(values) for i, values in enumerate(found) if isinstance(values, InputError)}
    if len(kept) < 2:
        reasons = "".join(f"; {reason}" for reason in list(refused.values())[:2])
        raise InputError(
            f"{library}: {len(kept)} of {len(entries)} entries can be compared from {grid[0]:g} to "
            f"{grid[-1]:g} eV; expected at least 2, a nearest and a runner-up{reasons}"
        )
    return np.array([found[i] for i in kept]), kept, refused


def _match(
    spectra: Sequence[Spectrum], grid: FloatArray, entries: FloatArray, names: Sequence[str], how: Comparison
) -> list[Match]:
    """Match spectra at the energies `grid` (E,) with entries (n, E) of these names."""
    values = np.array(_all_on_grid(spectra, grid))
    shapes, entry_shapes = standardise(values), standardise(entries)
    compared, library = (shapes, entry_shapes) if how.standardised else (values, entries)
    found = fit_product(library).query(compared, k=2)
    first, second = found.index.T
    near = np.einsum("qe,qe->q", shapes, entry_shapes[first])
    next_to = np.einsum("qe,qe->q", shapes, entry_shapes[second])
    nearest, next_best = (_at_level(entries[which], values, how) for which in (first, second))
    with_entry = paired_error(values, nearest, _sigma(values, how), _sigma(nearest, how))
    between = paired_error(nearest, next_best, _sigma(nearest, how), _sigma(next_best, how))
    return [
        Match(
            spectrum=spectrum.name,
            source=spectrum.source,
            name=names[first[q]] if with_entry[q] >= how.limit else UNKNOWN,
            nearest=names[first[q]],
            correlation=float(near[q]),
            distance=float(found.distance[q, 0]),
            error=float(with_entry[q]),
            runner_up=names[second[q]],
            runner_up_correlation=float(next_to[q]),
            runner_up_distance=float(found.distance[q, 1]),
            runner_up_error=float(between[q]),
        )
        for q, spectrum in enumerate(spectra)
    ]


def _all_on_grid(spectra: Sequence[Spectrum], grid: FloatArray) -> list[FloatArray]:
    found = [on_grid(spectrum, grid) for spectrum in spectra]
    bad = [
        f"{spectrum.source}: {spectrum.name}: {values}"
        for spectrum, values in zip(spectra, found, strict=True)
        if isinstance(values, InputError)
    ]
    if bad:
        raise InputError("\n".join(bad))
    return [values for values in found if not isinstance(values, InputError)]


def _at_level(entries: FloatArray, spectra: FloatArray, how: Comparison) -> FloatArray:
    """Return entries (q, E) as strong as the spectra (q, E) they are compared with, in whose unit noise is.

    A camera's noise is that of normalised absorbance, which both are.
    """
    if isinstance(how.noise, int | float | NoiseModel):
        return entries
    shapes = standardise(entries)
    mean = spectra.mean(axis=1, keepdims=True)
    return np.asarray(mean + shapes * np.linalg.norm(spectra - mean, axis=1, keepdims=True))


def _sigma(values: FloatArray, how: Comparison) -> FloatArray:
    if isinstance(how.noise, int | float):
        return np.full_like(values, how.noise)
    try:
        return how.noise.sigma(values)
    except InputError as error:
        raise InputError(
            f"{error}; spectra are taken as normalised absorbance: normalise measured ones (--normalise), "
            "give the noise of any others (--sigma)"
        ) from None

"""The energies of the references against those of the image: the shift told, and applied when asked."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.config.schema import Config
from gigaxas.errors import InputError
from gigaxas.execution.cluster import Announce
from gigaxas.raw.normalisation import normalise_spectra
from gigaxas.spectra.alignment import FARTHEST, NOTABLE, Shift, estimate_shift, shifts_by_source
from gigaxas.spectra.resampling import resample
from gigaxas.spectra.spectrum import Spectrum
from gigaxas.workflow.image import ImageFound
from gigaxas.workflow.references import ReferenceSet, normaliser_of


@dataclass(frozen=True)
class Alignment:
    """How references and image agree in energy."""

    shift: Shift
    """Of all references together."""
    sources: Mapping[str, Shift]
    """Of each source of references by itself, where there are several."""
    applied: bool
    """Whether the references were moved by it."""

    def record(self) -> dict[str, Any]:
        """Return what is kept with the sites, as JSON takes it."""
        return {**asdict(self.shift), "notable": self.shift.is_notable, "applied": self.applied}


def align(
    config: Config, energy: FloatArray, references: ReferenceSet, found: ImageFound, announce: Announce
) -> Alignment | None:
    """Estimate the shift of the references against the image, and tell it; None where that is off.

    None too where there is nothing to compare: no file of references, or no edge.
    """
    wanted = config.references.align
    if wanted == "off" or not references.own or config.references.pre_edge is None:
        return None
    try:
        shift = estimate_shift(energy, found.windows, found.windows_sigma, references.own)
        sources = shifts_by_source(energy, found.windows, found.windows_sigma, _in_folders(references.own))
    except InputError as error:
        if wanted == "apply":
            raise
        announce(f"shift      not known: {error}")
        return None
    alignment = Alignment(shift, sources if len(sources) > 1 else {}, wanted == "apply")
    for line in told_shift(alignment.record()):
        announce(line)
    for name, own in alignment.sources.items():
        if abs(own.ev - shift.ev) > max(own.error, shift.error, NOTABLE):
            announce(f"warning    {name} alone agrees best when moved by {_ev(own.ev, own.error)}")
    return alignment


def told_shift(record: Mapping[str, Any]) -> list[str]:
    """Return what is said of a shift, from its record: the finding, and a warning where it matters."""
    lines = [
        f"shift      the references agree best when moved by {_ev(record['ev'], record['error'])}: the mean "
        f"correlation goes from {record['unmoved']:.4f} to {record['moved']:.4f}"
    ]
    if record["at_limit"]:
        lines.append(
            f"warning    that is an end of the interval of {FARTHEST:g} eV: the true shift may lie beyond; "
            "check the edge, the unit of the energies and the library"
        )
    if record["applied"]:
        lines.append("           they were moved by it (references.align: apply)")
    elif record["notable"]:
        lines.append(
            "warning    names may be wrong by that shift; set references.align: apply to move the "
            "references, or calibrate the energies"
        )
    return lines


def moved(references: ReferenceSet, config: Config, energy: FloatArray, alignment: Alignment) -> ReferenceSet:
    """Return the references moved by the shift, on the energies (E,) of the cube; ends are held."""
    ev = alignment.shift.ev
    spectra = np.array(
        [resample(replace(own, energy=own.energy + ev), energy, extrapolate=True) for own in references.own]
    )
    if config.ingest and config.ingest.is_normalised:
        spectra = normalise_spectra(spectra, normaliser_of(config, energy))
    table = tuple(
        replace(
            row,
            shift_ev=row.shift_ev + ev,
            e0_ev=None if row.e0_ev is None else row.e0_ev + ev,
        )
        for row in references.table
    )
    return replace(references, spectra=spectra, table=table)


def _in_folders(references: Sequence[Spectrum]) -> list[Spectrum]:
    """Return the references whose file or folder holds several: one alone may be a phase the image lacks."""
    source = [PurePosixPath(item.source or item.name).parts[0] for item in references]
    return [item for item, name in zip(references, source, strict=True) if source.count(name) > 1]


def _ev(value: float, error: float) -> str:
    return f"{value:+.2f} +- {error:.2f} eV"

"""The sites of a run with their audit, and what is written of them for people."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.config.schema import Sites
from gigaxas.errors import InputError
from gigaxas.report import write_proof_png, write_sites_png
from gigaxas.sites import (
    Mixtures,
    Proof,
    audit_sites,
    build_candidates,
    check_recipe,
    prove_error,
    reduce_table,
    write_columns,
)
from gigaxas.spectra import ReadRow
from gigaxas.spectra.noise import Noise
from gigaxas.stores.io.files import Columns, publish_table
from gigaxas.stores.sites import StoredSites
from gigaxas.workflow.site_file import read_site_file

PROOF_SPECTRA = 600
PROOF_PAIRS = 24
PROOF_DRAWS = 3000


def check_sites(
    wanted: Sites, noise: Noise, energy: FloatArray, names: tuple[str, ...], references: FloatArray
) -> None:
    """Raise InputError for sites that cannot be made or read, or whose counts the camera has no noise for."""
    if wanted.file:
        noise.sigma(read_site_file(wanted.file, energy, names, references).table.spectra)
        return
    if wanted.origin != "observed":
        check_recipe(
            len(names), wanted.mixtures, wanted.trials, wanted.draw, wanted.method, wanted.components
        )
    noise.sigma(references)


def build_stored(
    wanted: Sites, noise: Noise, energy: FloatArray, names: tuple[str, ...], references: FloatArray
) -> StoredSites:
    """Build the sites of references (n, E), audit them, put Eq. 1 to the proof; raises as the builders."""
    recipe = wanted.recipe
    limit, method = recipe.pop("limit"), recipe.pop("method")
    candidates = build_candidates(references, noise, **recipe)
    table = reduce_table(names, candidates, noise, limit=limit, method=method)
    audit = audit_sites(table, candidates, noise, limit=limit, seed=wanted.seed)
    return StoredSites(energy, table, references, audit, _proof(candidates.spectra, noise, wanted.seed))


def take_stored(wanted: Sites, noise: Noise, stored: StoredSites, has_references: bool) -> StoredSites:
    """Audit the sites of a file; their candidates are not known, so the references stand for them."""
    known = has_references or stored.table.weights.size > 0
    candidates = Mixtures(stored.references, np.eye(len(stored.references))) if known else None
    audit = audit_sites(stored.table, candidates, noise, limit=wanted.limit, seed=wanted.seed)
    proof = _proof(stored.table.spectra, noise, wanted.seed)
    return replace(stored, audit=audit, proof=proof)


def write_for_people(folder: Path, stored: StoredSites, rows: tuple[ReadRow, ...]) -> None:
    """Write sites.csv, sites.png, references.csv where files were read, and proof.png where it was tried."""
    for old in paths_for_people(folder):
        old.unlink()
    write_columns(folder / "sites.csv", stored.energy, stored.table.spectra, stored.table.names)
    if stored.audit:
        write_sites_png(folder / "sites.png", stored.audit)
    if rows:
        publish_table(folder / "references.csv", REFERENCE_COLUMNS, rows)
    if stored.proof:
        write_proof_png(folder / "proof.png", stored.proof)


def paths_for_people(folder: Path) -> list[Path]:
    """Return what `write_for_people` has left in a folder."""
    names = ("references.csv", "sites.csv", "sites.png", "proof.png")
    return [folder / name for name in names if (folder / name).is_file()]


def _proof(spectra: FloatArray, noise: Noise, seed: int) -> Proof | None:
    """Return the proof on evenly sampled spectra; None where no pair is near enough, or all is too dark."""
    sample = np.unique(np.linspace(0, len(spectra) - 1, PROOF_SPECTRA).round().astype(np.int64))
    try:
        proof = prove_error(spectra[sample], noise, pairs=PROOF_PAIRS, draws=PROOF_DRAWS, seed=seed)
    except InputError:
        return None
    return Proof(sample[proof.pairs], proof.measured, proof.expected, proof.deviation, proof.draws)


REFERENCE_COLUMNS: Columns[ReadRow] = {
    "name": lambda row: row.name,
    "file": lambda row: row.source,
    "status": lambda row: row.status,
    "shift_ev": lambda row: f"{row.shift_ev:g}",
    "e0_ev": lambda row: _number(row.e0_ev),
    "edge_step": lambda row: _number(row.edge_step),
    "reason": lambda row: row.reason,
}


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"

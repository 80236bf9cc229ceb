"""The site matrix as a store: spectra, what each is made of, the references behind them, and the audit."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.locations import Location
from gigaxas.observed import Continuum, Evidence, FieldError, NoiseFound, classes_of
from gigaxas.sites import Proof, SiteAudit, SiteTable
from gigaxas.stores.io.chunks import read, save_array
from gigaxas.stores.io.folders import exists
from gigaxas.stores.io.groups import attributes_of, create_group

EVIDENCE = {
    "windows": "uniform windows of the cube nearest to the site; 0 for a site of the library",
    "first": "row and column of one of these windows, -1 for none",
    "loss": "probability that the clean-up deletes a window of the site",
    "chi_square": "chi-square of the best explanation by references, against the noise of one window",
    "freedom": "degrees of freedom of chi_square",
    "p_value": "probability of so large a chi-square",
    "outside": "1 where no mixture of up to three references explains the site",
}

POLYNOMIALS = "terms of products of Legendre polynomials of y and x from -1 to 1, by rising total degree"


@dataclass(frozen=True)
class StoredSites:
    """Sites and what is known of them."""

    energy: FloatArray
    """Energies (E,) of their spectra, in eV."""
    table: SiteTable
    """Their spectra, and what each is made of."""
    references: FloatArray
    """The reference spectra (n, E) behind them."""
    audit: SiteAudit | None = None
    """How far to trust them."""
    proof: Proof | None = None
    """How well Eq. 1 foretells mistakes between their candidates."""
    evidence: Evidence | None = None
    """What speaks for those that were observed in a cube."""
    shift: Mapping[str, Any] | None = None
    """How far the references lie off the image in energy, by name; None where that is not known."""
    field: FieldError | None = None
    """The slow error of the field that the image shows; None where it shows none, or was not looked at."""
    continua: tuple[Continuum, ...] = ()
    """Sites between which compositions vary without a gap, so that one stands for them in the map."""

    @property
    def classes(self) -> IntArray:
        """The number (m,), from 1, of the site that stands for each in the map: its own for most."""
        return classes_of(self.continua, len(self.table.names))


def write_sites(path: Location, sites: StoredSites, fingerprint: str) -> None:
    """Write sites into a new group. Site k + 1 is row k of `spectra`."""
    table = sites.table
    create_group(
        path,
        {
            "title": "gigaxas sites",
            "fingerprint": fingerprint,
            "names": list(table.names),
            "standards": list(table.standards),
            "audit": _audit_figures(sites.audit),
            "proof": {"draws": sites.proof.draws} if sites.proof else None,
            "noise_found": asdict(sites.evidence.noise) if sites.evidence else None,
            "resolution": sites.evidence.resolution if sites.evidence else None,
            "shift": None if sites.shift is None else dict(sites.shift),
            "field": _field_figures(sites.field),
            "continua": [_continuum_figures(one) for one in sites.continua],
        },
    )
    save_array(path, "energy", sites.energy, ("energy",), units="eV")
    save_array(path, "spectra", table.spectra, ("site", "energy"), long_name="normalised absorbance")
    save_array(path, "references", sites.references, ("standard", "energy"))
    save_array(path, "classes", sites.classes, ("site",), long_name="label, from 1, of its pixels in the map")
    if table.weights.size:
        save_array(path, "weights", table.weights, ("site", "standard"), long_name="share of each standard")
    if sites.audit:
        _write_audit(path, sites.audit)
    if sites.proof:
        _write_proof(path, sites.proof)
    if sites.evidence:
        _write_evidence(path, sites.evidence)
    if sites.field:
        _write_field(path, sites.field)


def read_sites(path: Location) -> StoredSites:
    """Read what `write_sites` wrote. Raises InputError where there is none, RunError where it is damaged."""
    attributes = attributes_of(path)
    spectra = _whole(path, "spectra", 2)
    table = SiteTable(
        spectra=spectra,
        weights=_whole(path, "weights", 2) if _holds(path, "weights") else np.empty((spectra.shape[0], 0)),
        names=tuple(attributes["names"]),
        standards=tuple(attributes["standards"]),
    )
    return StoredSites(
        _whole(path, "energy", 1),
        table,
        _whole(path, "references", 2),
        _read_audit(path, attributes.get("audit")),
        _read_proof(path, attributes.get("proof")),
        _read_evidence(path, attributes),
        attributes.get("shift"),
        _read_field(path, attributes.get("field")),
        _read_continua(path, attributes.get("continua", [])),
    )


def _audit_figures(audit: SiteAudit | None) -> dict[str, Any] | None:
    if audit is None:
        return None
    return {
        "uncovered": {str(number): share for number, share in audit.uncovered.items()},
        "dimension": audit.dimension,
        "limit": audit.limit,
        "mixtures": audit.mixtures,
        "neighbours": audit.neighbours,
        "share": audit.share,
    }


def _write_audit(path: Location, audit: SiteAudit) -> None:
    save_array(path, "spacing_error", audit.spacing_error, ("site",), long_name="s_error with nearest site")
    save_array(path, "coordinates", audit.coordinates, ("site", "component"))
    if audit.candidate_error.size:
        about = "s_error of a candidate with its nearest site"
        save_array(path, "candidate_error", audit.candidate_error, ("candidate",), long_name=about)


def _write_proof(path: Location, proof: Proof) -> None:
    save_array(path, "proof_pairs", proof.pairs, ("pair", "member"), long_name="candidates, from 0")
    for name, about in (
        ("measured", "share of noisy spectra nearer to the other of the pair"),
        ("expected", "s_error of the pair"),
        ("deviation", "standard deviation of the measured share"),
    ):
        save_array(path, f"proof_{name}", getattr(proof, name), ("pair",), long_name=about)


def _read_audit(path: Location, figures: Mapping[str, Any] | None) -> SiteAudit | None:
    if figures is None:
        return None
    return SiteAudit(
        spacing_error=_whole(path, "spacing_error", 1),
        candidate_error=_whole(path, "candidate_error", 1)
        if _holds(path, "candidate_error")
        else np.empty(0),
        uncovered={int(number): float(share) for number, share in figures["uncovered"].items()},
        dimension=int(figures["dimension"]),
        coordinates=_whole(path, "coordinates", 2),
        limit=float(figures["limit"]),
        mixtures=int(figures["mixtures"]),
        neighbours=int(figures["neighbours"]),
        share=float(figures["share"]),
    )


def _read_proof(path: Location, figures: Mapping[str, Any] | None) -> Proof | None:
    if figures is None:
        return None
    return Proof(
        pairs=_whole(path, "proof_pairs", 2).astype(np.int64),
        measured=_whole(path, "proof_measured", 1),
        expected=_whole(path, "proof_expected", 1),
        deviation=_whole(path, "proof_deviation", 1),
        draws=int(figures["draws"]),
    )


def _write_evidence(path: Location, evidence: Evidence) -> None:
    for name, about in EVIDENCE.items():
        values = getattr(evidence, name)
        dims = ("site", "axis")[: values.ndim]
        save_array(
            path, name, values.astype(np.uint8) if name == "outside" else values, dims, long_name=about
        )


def _read_evidence(path: Location, attributes: Mapping[str, Any]) -> Evidence | None:
    noise = attributes.get("noise_found")
    if noise is None:
        return None
    found = {name: _whole(path, name, 2 if name == "first" else 1) for name in EVIDENCE}
    return Evidence(
        windows=found.pop("windows").astype(np.int64),
        first=found.pop("first").astype(np.int64),
        outside=found.pop("outside") > 0,
        **found,
        noise=NoiseFound(**noise),
        resolution=float(attributes["resolution"]),
    )


def _field_figures(field: FieldError | None) -> dict[str, Any] | None:
    if field is None:
        return None
    return {"plane": list(field.plane), "explained": field.explained, "grains": field.grains}


def _write_field(path: Location, field: FieldError) -> None:
    if field.shift.size:
        save_array(path, "field_shift", field.shift, ("term",), units="eV", long_name=POLYNOMIALS)
    if field.additive.size:
        save_array(path, "field_additive", field.additive, ("additive_term", "energy"), long_name=POLYNOMIALS)


def _read_field(path: Location, figures: Mapping[str, Any] | None) -> FieldError | None:
    if figures is None:
        return None
    energies = _whole(path, "energy", 1).size
    return FieldError(
        plane=(int(figures["plane"][0]), int(figures["plane"][1])),
        shift=_whole(path, "field_shift", 1) if _holds(path, "field_shift") else np.zeros(0),
        additive=_whole(path, "field_additive", 2)
        if _holds(path, "field_additive")
        else np.zeros((0, energies)),
        explained=float(figures["explained"]),
        grains=int(figures["grains"]),
    )


def _continuum_figures(continuum: Continuum) -> dict[str, Any]:
    """Return what the store tells of a continuum; its sites are numbered from 1 there."""
    return {
        "site": continuum.site + 1,
        "ends": [end + 1 for end in continuum.ends],
        "dimension": continuum.dimension,
        "share": continuum.share,
    }


def _read_continua(path: Location, figures: Sequence[Mapping[str, Any]]) -> tuple[Continuum, ...]:
    if not figures:
        return ()
    classes = _whole(path, "classes", 1)
    found = []
    for one in figures:
        ends = tuple(int(end) - 1 for end in one["ends"])
        sites = np.union1d(np.flatnonzero(classes == one["site"]), ends).astype(np.int64)
        found.append(Continuum(sites, ends, float(one["share"])))
    return tuple(found)


def _whole(path: Location, name: str, ndim: int) -> FloatArray:
    return np.asarray(read(path, name, (slice(None),) * ndim), dtype=np.float64)


def _holds(path: Location, name: str) -> bool:
    return exists(path / name / "zarr.json")

"""Sites of the measured standards at three working points, by both reductions: figures for the docs.

Run `GIGAXAS_STANDARDS=folder python scripts/site_figures.py`; prints Markdown tables.
"""

import os
import sys
from pathlib import Path

import numpy as np
from gigaxas.config.schema import Config
from gigaxas.stores.sites import StoredSites
from gigaxas.workflow.edge import resolve_edge
from gigaxas.workflow.references import read_references
from gigaxas.workflow.sites import build_stored

ENERGY = np.linspace(7009.2, 7321.2, 178)
POINTS = {
    "paper: 2.7e4, 0.36, 1.56": {"c_ref": 2.7e4, "mu_low": 0.36, "mu_high": 1.56},
    "noisy: 2.0e4, 0.5, 2.5": {"c_ref": 2.0e4, "mu_low": 0.5, "mu_high": 2.5},
    "program: 2.7e4, 0.36, 1.92": {"c_ref": 2.7e4, "mu_low": 0.36, "mu_high": 1.92},
}
VARIANTS: dict[str, dict[str, str | int]] = {
    "`draw: candidates`": {"draw": "candidates"},
    "`criterion: error`": {"criterion": "error"},
    "`components: 4`": {"components": 4},
    "`trials: 0`": {"trials": 0},
}


def sites_of(folder: Path, noise: dict[str, float], **recipe: str | int) -> StoredSites:
    """Build the sites that a configuration with these sections builds."""
    config = Config.model_validate(
        {
            "title": "figures",
            "output": "unused",
            "cube": {"path": "unused"},
            "references": {"path": folder},
            "noise": noise,
            "sites": {"trials": 10_000, **recipe},
        }
    )
    references = read_references(resolve_edge(config, ENERGY, None), ENERGY)
    return build_stored(config.sites, config.noise.camera(), ENERGY, references.names, references.spectra)


def row(title: str, method: str, stored: StoredSites) -> str:
    """Return one line of the table."""
    audit = stored.audit
    assert audit is not None
    uncovered = ", ".join(f"{share:.2%}" for share in audit.uncovered.values())
    near, missed = (audit.spacing_error > audit.limit).mean(), (audit.candidate_error < audit.limit).mean()
    worst = audit.candidate_error.min()
    pull = f"{np.abs(stored.proof.pulls).max():.1f}" if stored.proof else "none"
    return (
        f"| {title} | {method} | {audit.candidate_error.size:,} | {audit.spacing_error.size:,} | "
        f"{np.median(audit.spacing_error):.1e} | {near:.1%} | {worst:.1e} | {missed:.2%} | "
        f"{uncovered} | {audit.dimension} | {pull} |"
    )


def main() -> None:
    """Print the tables."""
    if "GIGAXAS_STANDARDS" not in os.environ:
        sys.exit("set GIGAXAS_STANDARDS to the folder of the measured standards")
    folder = Path(os.environ["GIGAXAS_STANDARDS"])
    print(
        "| working point | reduction | candidates | sites | median spacing | nearer than limit | "
        "worst cover | not covered | uncovered N = 3, 4, 5 | dimension | proof, sigma |\n" + "|---" * 11 + "|"
    )
    for title, noise in POINTS.items():
        for method in ("average", "net"):
            print(row(title, method, sites_of(folder, noise, method=method)), flush=True)
    for title, recipe in VARIANTS.items():
        for method in ("average", "net"):
            stored = sites_of(folder, POINTS["paper: 2.7e4, 0.36, 1.56"], method=method, **recipe)
            print(row(f"paper, {title}", method, stored), flush=True)


if __name__ == "__main__":
    main()

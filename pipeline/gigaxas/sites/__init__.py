"""Site points: candidates from a library of standards, distances in noise, reduction, audit and proof."""

from gigaxas.sites.audit import SiteAudit, audit_sites, intrinsic_dimension, quantiles
from gigaxas.sites.candidates import grow_candidates, mix_pairs
from gigaxas.sites.columns import read_columns, write_columns
from gigaxas.sites.distance import cross_distance, nearest_error, scale, site_distance, site_error, z_limit
from gigaxas.sites.paired import paired_error
from gigaxas.sites.proof import Proof, prove_error
from gigaxas.sites.reduction import reduce_sites
from gigaxas.sites.table import (
    Mixtures,
    SiteTable,
    build_candidates,
    build_sites,
    check_recipe,
    distinct_names,
    mixture_name,
    reduce_table,
)

__all__ = [
    "Mixtures",
    "Proof",
    "SiteAudit",
    "SiteTable",
    "audit_sites",
    "build_candidates",
    "build_sites",
    "check_recipe",
    "cross_distance",
    "distinct_names",
    "grow_candidates",
    "intrinsic_dimension",
    "mix_pairs",
    "mixture_name",
    "nearest_error",
    "paired_error",
    "prove_error",
    "quantiles",
    "read_columns",
    "reduce_sites",
    "reduce_table",
    "scale",
    "site_distance",
    "site_error",
    "write_columns",
    "z_limit",
]

"""Sites observed in the data: uniform windows, groups of one composition, and the sites chosen among them."""

from gigaxas.observed.continuum import Continuum, class_map, classes_of
from gigaxas.observed.evidence import Evidence, NoiseFound, gather_evidence, with_library
from gigaxas.observed.explanation import SiteExplanation, explain
from gigaxas.observed.field import FieldError, GrainSums, count_in_cells, counts_of, fit_field, grain_sums
from gigaxas.observed.grouping import observe_block
from gigaxas.observed.noise_level import (
    NoiseLevel,
    WindowSample,
    find_level,
    level_of_samples,
    sample_windows,
)
from gigaxas.observed.sampling import block_grid, field_grid, sample_grid
from gigaxas.observed.sites import ObservedSites, observe_field, observe_sites, sites_of_groups
from gigaxas.observed.window_groups import WindowGroups, merge_groups

__all__ = [
    "Continuum",
    "Evidence",
    "FieldError",
    "GrainSums",
    "NoiseFound",
    "NoiseLevel",
    "ObservedSites",
    "SiteExplanation",
    "WindowGroups",
    "WindowSample",
    "block_grid",
    "class_map",
    "classes_of",
    "count_in_cells",
    "counts_of",
    "explain",
    "field_grid",
    "find_level",
    "fit_field",
    "gather_evidence",
    "grain_sums",
    "level_of_samples",
    "merge_groups",
    "observe_block",
    "observe_field",
    "observe_sites",
    "sample_grid",
    "sample_windows",
    "sites_of_groups",
    "with_library",
]

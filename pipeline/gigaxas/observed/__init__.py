"""Sites observed in the data: uniform windows, grains of one composition, and the sites chosen among them."""

from gigaxas.observed.block import observe_parcel, probe_windows
from gigaxas.observed.evidence import Evidence, NoiseFound, gather_evidence, with_library
from gigaxas.observed.explanation import Explanation, explain
from gigaxas.observed.level import Level, find_level
from gigaxas.observed.sampling import parcels, probes
from gigaxas.observed.sites import ObservedSites, join_probes, observe_sites, settle_sites
from gigaxas.observed.window_groups import Grains, merge_grains

__all__ = [
    "Evidence",
    "Explanation",
    "Grains",
    "Level",
    "NoiseFound",
    "ObservedSites",
    "explain",
    "find_level",
    "gather_evidence",
    "join_probes",
    "merge_grains",
    "observe_parcel",
    "observe_sites",
    "parcels",
    "probe_windows",
    "probes",
    "settle_sites",
    "with_library",
]

"""Sites observed in the data: uniform windows, grains of one composition, and the sites chosen among them."""

from pipeline.observed.evidence import Evidence, NoiseFound, gather_evidence, with_library
from pipeline.observed.explain import Explanation, explain
from pipeline.observed.grains import Grains, merge_grains
from pipeline.observed.level import Level, find_level
from pipeline.observed.parcel import observe_parcel, probe_windows
from pipeline.observed.places import parcels, probes
from pipeline.observed.sites import ObservedSites, join_probes, observe_sites, settle_sites

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

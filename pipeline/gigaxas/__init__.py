"""Exact phase maps from gigapixel X-ray absorption spectral images."""

from importlib import import_module
from typing import Any

from gigaxas.machine_code import cache_by_version
from gigaxas.notebook.registration import register_with_xarray

__version__ = "0.1.0"

cache_by_version()  # before any kernel is decorated
register_with_xarray()

# Loaded when first asked for, so that `gigaxas --help` answers at once.
_ROOMS = {
    "InputError": "errors",
    "NoiseModel": "spectra.noise",
    "RunError": "errors",
    "assign": "nearest",
    "classify": "workflow.in_memory",
    "clean_up": "execution.label_maps",
    "fill": "execution.label_maps",
    "find_specks": "workflow.find_specks",
    "fit_search": "search",
    "grow_candidates": "sites",
    "identify": "workflow.identify",
    "info": "workflow.info",
    "intrinsic_dimension": "sites",
    "load_config": "config.load",
    "measure_noise": "spectra.measured_noise",
    "mix_pairs": "sites",
    "observe_sites": "observed.sites",
    "open_result": "stores.result",
    "plan": "planning",
    "read_spectra": "spectra",
    "reduce_sites": "sites",
    "run": "workflow.classify",
    "site_distance": "sites",
    "site_error": "sites",
}
__all__ = sorted([*_ROOMS, "__version__"])


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return getattr(import_module(f"gigaxas.{_ROOMS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

"""The accessor `gigaxas` is there as soon as xarray is, which `import gigaxas` does not load."""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xarray import Dataset

    from gigaxas.notebook.accessor import ResultAccessor

NAME = "gigaxas"


def register_with_xarray() -> None:
    """Register the accessor with xarray, now where that is loaded, else as soon as it is."""
    if "xarray" in sys.modules:
        _register()
    else:
        sys.meta_path.insert(0, _Waiting())


class _Waiting(MetaPathFinder):
    """Finds xarray as the other finders do, and registers once it is loaded."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of xarray, None for every other module."""
        if name != "xarray":
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in others)), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Registering(spec.loader, self)
        return spec


class _Registering(Loader):
    """Loads a module as its own loader does, and registers afterwards."""

    def __init__(self, loader: Loader, finder: _Waiting) -> None:
        self._loader, self._finder = loader, finder

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Return what the loader returns."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module with its own loader in its spec, and register."""
        sys.meta_path.remove(self._finder)
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        _register()


def _register() -> None:
    from xarray import Dataset, register_dataset_accessor

    if not hasattr(Dataset, NAME):
        register_dataset_accessor(NAME)(_accessor)


def _accessor(result: "Dataset") -> "ResultAccessor":
    from gigaxas.notebook.accessor import ResultAccessor

    return ResultAccessor(result)

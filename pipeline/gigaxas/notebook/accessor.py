"""`result.gigaxas`: pictures, spectra and other programs' objects of a result, from a notebook."""

from typing import TYPE_CHECKING, Any

import xarray as xr

from gigaxas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

NEEDED = ("label", "cluster", "pixels", "spectrum", "energy")


class ResultAccessor:
    """What a result can show and hand on: `result.gigaxas` of any dataset that gigaxas made.

    Shown at the end of a cell it is a small map and a table of the phases. Other datasets have it too, but
    every use of it raises InputError.
    """

    def __init__(self, result: xr.Dataset) -> None:
        self._result = result

    @property
    def plot(self) -> "ResultPlots":
        """Figures of the result; each returns the axes that it drew on."""
        return ResultPlots(self._checked())

    def spectrum(self, label: int) -> xr.DataArray:
        """Return the mean spectrum of a cluster.

        Args:
            label: The cluster, by its number in the map `label`.

        Returns:
            Mean spectrum (E,) of its kept pixels over `energy` in eV, with the coordinates `name` (where the
            result has names) and `standard_error` (E,).

        Raises:
            InputError: No cluster has this label.
        """
        result = self._checked()
        if label not in result.cluster.values:
            known = ", ".join(str(number) for number in result.cluster.values.tolist())
            raise InputError(f"label: {label} is no cluster of this result; expected one of {known}")
        chosen = result.sel(cluster=label)
        spectrum: xr.DataArray = chosen.spectrum.assign_coords(standard_error=chosen.standard_error)
        return spectrum

    def to_hyperspy(self) -> dict[str, Any]:
        """Return the maps and the spectra of the clusters as signals of HyperSpy.

        Returns:
            A `Signal2D` (y, x), in um, for every map by its name, and `spectrum`, a `Signal1D` over cluster
            and energy.

        Raises:
            InputError: HyperSpy is not installed.
        """
        from gigaxas.notebook.other_programs import signals

        return signals(self._checked())

    def to_napari(self) -> list[tuple[Any, dict[str, Any], str]]:
        """Return the maps as layers of napari: `for layer in ...: viewer.add_layer(Layer.create(*layer))`.

        Returns:
            A `LayerDataTuple` (data, settings, kind) for every map (y, x), measured ones as images, those of
            labels as labels; pixels have their size in um, clusters the colours of `plot.phases` and their
            names.
        """
        from gigaxas.notebook.other_programs import layers

        return layers(self._checked())

    def _repr_html_(self) -> str:
        from gigaxas.notebook.html import summary

        return summary(self._checked())

    def _checked(self) -> xr.Dataset:
        missing = [name for name in NEEDED if name not in self._result.variables]
        if missing:
            raise InputError(
                f"result: it lacks {', '.join(missing)}; `gigaxas` is for what gx.run, gx.classify and "
                "gx.open_result return"
            )
        return self._result


class ResultPlots:
    """Figures of a result, drawn by Matplotlib."""

    def __init__(self, result: xr.Dataset) -> None:
        self._result = result

    def phases(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the map of the phases with a legend, the largest phase first.

        Args:
            ax: Axes to draw on; left out, those of a new figure.

        Returns:
            The axes; y and x are in um. A side of more than 2048 pixels is thinned out.
        """
        from gigaxas.notebook.figures import draw_phases

        return draw_phases(self._result, ax)

    def spectra(self, labels: "Sequence[int] | None" = None, ax: "Axes | None" = None) -> "Axes":
        """Draw the mean spectra of clusters in the colours of `phases`.

        Args:
            labels: Clusters, by their numbers in the map `label`; left out, all of them.
            ax: Axes to draw on; left out, those of a new figure.

        Returns:
            The axes; the energy is in eV, the spectra in the unit of the image.

        Raises:
            InputError: No cluster has one of these labels.
        """
        from gigaxas.notebook.figures import draw_spectra

        return draw_spectra(self._result, labels, ax)

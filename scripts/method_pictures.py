"""Draw the pictures of docs/explanation/two-minutes.md from a small simulated sinter.

Run `python scripts/method_pictures.py configs/sinter.yaml docs/images`; it takes about a minute.
"""

import sys
import tempfile
from itertools import product
from pathlib import Path

import gigaxas as gx
import numpy as np
import xarray as xr
from gigaxas.arrays import BoolArray, FloatArray
from gigaxas.config.paths import paths_of
from gigaxas.config.schema import Config
from gigaxas.evaluation.paper_figures import MapStage, draw_stages
from gigaxas.stores.sites import read_sites
from matplotlib.figure import Figure
from scipy import ndimage

SHAPE = (256, 256)
CROP = 96
SHOWN_EV = (7100.0, 7124.0, 7133.0)
DPI = 110
INK, BLUE, WARM, PALE = "#22262b", "#3f78ad", "#b4552d", "#c9ccd0"


def small(config: Config, folder: Path) -> Config:
    """Return the configuration of a field of SHAPE in a folder of its own."""
    record = config.model_dump(by_alias=True, exclude_unset=True)
    record["simulate"] |= {"shape": SHAPE}
    record["sites"] = {"method": "average", "trials": 1000}
    compute = {"cluster": "threads", "workers": 2}
    return Config.model_validate({**record, "output": folder, "compute": compute})


def busiest(removed: BoolArray) -> tuple[slice, slice]:
    """Return the window of CROP pixels a side in which the clean-up removed most."""
    starts = [range(8, size - CROP - 8, CROP // 4) for size in removed.shape]
    y, x = max(product(*starts), key=lambda at: removed[at[0] : at[0] + CROP, at[1] : at[1] + CROP].sum())
    return slice(y, y + CROP), slice(x, x + CROP)


def innermost(result: xr.Dataset, name: str) -> tuple[int, int]:
    """Return the pixel of a phase, away from the frame, that is farthest from any other."""
    label = int(result.cluster.values[list(result.name.values).index(name)])
    inside = np.zeros(SHAPE, bool)
    inside[8:-8, 8:-8] = result.label.values[8:-8, 8:-8] == label
    y, x = np.unravel_index(ndimage.distance_transform_edt(inside).argmax(), SHAPE)
    return int(y), int(x)


def draw_measurement(cube: xr.Dataset, pixels: list[tuple[int, int]]) -> Figure:
    """Draw the image at three energies, and the spectra of pixels."""
    figure = Figure(figsize=(10.5, 3.0), layout="constrained")
    places = figure.subplots(1, 4, width_ratios=(1, 1, 1, 1.5))
    for axes, energy in zip(places, SHOWN_EV, strict=False):
        image = cube.mu.sel(energy=energy, method="nearest")
        axes.imshow(image, cmap="gray", vmin=-0.2, vmax=1.8, interpolation="nearest")
        axes.set_title(f"{float(image.energy):.0f} eV", fontsize=9)
        for (y, x), colour in zip(pixels, (BLUE, WARM), strict=True):
            axes.plot(x, y, "o", mfc="none", mec=colour, ms=9, mew=2)
        axes.set_axis_off()
    for (y, x), colour in zip(pixels, (BLUE, WARM), strict=True):
        places[3].plot(cube.energy, cube.mu[:, y, x], color=colour, lw=1)
    places[3].set(xlabel="energy (eV)", ylabel="normalised absorbance", xlim=(7080, 7220))
    places[3].set_title("two of its pixels", fontsize=9)
    return figure


def draw_nearest(energy: FloatArray, sites: FloatArray, pixel: FloatArray) -> Figure:
    """Draw how well every site agrees with a pixel, and the nearest over it."""
    r = np.array([np.corrcoef(pixel, site)[0, 1] for site in sites])
    order = np.argsort(-r)
    figure = Figure(figsize=(10.5, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(energy, pixel, color=PALE, lw=2.5, label="the pixel")
    left.plot(energy, fitted(sites[order[0]], pixel), color=BLUE, lw=1.2, label="its nearest site")
    left.plot(energy, fitted(sites[order[-1]], pixel), color=WARM, lw=1.2, label="the farthest")
    left.set(xlabel="energy (eV)", ylabel="normalised absorbance", xlim=(7080, 7220))
    left.legend(frameon=False, fontsize=8)
    right.plot(np.arange(1, len(sites) + 1), r, ".", color=INK, ms=4)
    right.plot(order[0] + 1, r[order[0]], "o", mfc="none", mec=BLUE, ms=11, mew=2)
    right.set(xlabel="number of the site", ylabel="correlation with the pixel")
    right.set_title(f"{len(sites)} sites, every one compared", fontsize=9)
    return figure


def fitted(site: FloatArray, pixel: FloatArray) -> FloatArray:
    """Return a site with the scale and offset at which it is nearest to a pixel."""
    slope, offset = np.polyfit(site, pixel, 1)
    return np.asarray(slope * site + offset)


def draw_answer(result: xr.Dataset) -> Figure:
    """Draw the map of the phases, and the spectra of the largest five and of the smallest."""
    figure = Figure(figsize=(10.5, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.1))
    result.gigaxas.plot.phases(left)
    by_size = result.cluster.values[np.argsort(-result.pixels.values)].tolist()
    result.gigaxas.plot.spectra([*by_size[:5], by_size[-1]], right)
    right.set_xlim(7080, 7220)
    return figure


def main() -> None:
    """Classify the small field and draw all pictures."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    pictures = Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        config = small(gx.load_config(sys.argv[1]), Path(folder))
        result = gx.run(config).load()
        paths = paths_of(config)
        cube = xr.open_zarr(str(paths.cube), consolidated=False).load()
        sites = read_sites(paths.sites).table.spectra
    chosen = [innermost(result, name) for name in ("hematite", "magnetite")]
    energy = cube.energy.values
    y, x = chosen[1]
    for name, figure in {
        "method-measurement": draw_measurement(cube, chosen),
        "method-nearest": draw_nearest(energy, sites, cube.mu.values[:, y, x]),
        "method-answer": draw_answer(result),
    }.items():
        figure.savefig(pictures / f"{name}.png", dpi=DPI)
    stages = {"site": "as assigned", "kept": "kept by the clean-up", "label": "filled"}
    crop = busiest((result.kept.values == 0) & (result.state.values > 0))
    print(f"{np.mean(result.state.values[result.label.values > 0] >= 2):.2%} of the labels were changed")
    drawn = [MapStage(title, result[name].values[crop]) for name, title in stages.items()]
    order = result.cluster.values[np.argsort(-result.pixels.values)].tolist()
    step = float(result.x[1] - result.x[0])
    picture = draw_stages(drawn, result.state.values[crop] == 0, order, step)
    (pictures / "method-clean-up.png").write_bytes(picture)


if __name__ == "__main__":
    main()

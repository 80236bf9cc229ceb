"""Draw the figures of the paper [I] that a simulated scene allows, from a run with its phases made.

Run `gigaxas classify CONFIG`, `gigaxas phases CONFIG`, then `python scripts/paper_figures.py CONFIG FOLDER`:
the figures go into the folder as paper-*.png.
"""

import sys
import tempfile
from itertools import product
from pathlib import Path

import numpy as np
import xarray as xr
from gigaxas.arrays import BoolArray, FloatArray, LabelArray
from gigaxas.config.load import load_config
from gigaxas.config.paths import paths_of
from gigaxas.config.schema import Config
from gigaxas.evaluation.paper_figures import (
    CORNERS,
    Curve,
    MapStage,
    Partition,
    draw_curves,
    draw_partition,
    draw_ratios,
    draw_stages,
)
from gigaxas.nearest import assign
from gigaxas.report.components import ComponentMap
from gigaxas.simulate import edge_windows, modelled_library, simulate_block
from gigaxas.sites.audit import first_components
from gigaxas.sites.distance import nearest_error, scale
from gigaxas.sites.table import build_candidates
from gigaxas.spectra.noise import NoiseModel
from gigaxas.stores.cube import create_cube, write_tile
from gigaxas.stores.result import open_result
from gigaxas.stores.sites import StoredSites, read_sites
from gigaxas.tiles import flat, regular_grid
from gigaxas.workflow.classify import classify
from gigaxas.workflow.component_tables import read_component_tables
from gigaxas.workflow.phases import phases
from gigaxas.workflow.pyramid import component_labels

NOISE = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)
TRIANGLE = ("hematite", "magnetite", "wustite")
SIDE = 360
EDGE = 7120.0
CROP = 144
SHARES = (np.arange(40) + 0.5) / 40
FIELD = (120, 200)


def partition(config: Config, stored: StoredSites) -> Partition:
    """Return the sites of a run in the space of spectra, with the candidates that they were reduced from."""
    noise, recipe = config.noise.camera(), config.sites.recipe
    limit = recipe.pop("limit")
    recipe.pop("method")
    candidates = build_candidates(stored.references, noise, **recipe).spectra
    sites = stored.table.spectra
    plane = first_components(np.vstack([candidates, sites]))
    corners = [stored.table.standards.index(name) for name in TRIANGLE]
    cells = triangle(sites, stored.references[corners])
    shares = stored.table.weights[:, corners]
    inside = shares[shares.sum(axis=1) > 1 - 1e-6] @ CORNERS
    scaled = [scale(spectra, noise) for spectra in (candidates, sites)]
    errors = [nearest_error(each, each, np.arange(len(each.t)))[0] for each in scaled]
    split = len(candidates)
    return Partition(
        plane[:split],
        plane[split:],
        plane[: len(stored.references)],
        TRIANGLE,
        cells,
        inside,
        errors[0],
        errors[1],
        limit,
    )


def triangle(sites: FloatArray, corners: FloatArray) -> LabelArray:
    """Return the nearest site of every mixture of three spectra (3, E), as a picture; 0 outside."""
    x, y = np.meshgrid((np.arange(SIDE) + 0.5) / SIDE, (np.arange(SIDE) + 0.5) / SIDE * CORNERS[2, 1])
    top = y / CORNERS[2, 1]
    right = x - top / 2
    shares = np.stack([1 - top - right, right, top], axis=-1)
    inside = (shares >= 0).all(axis=-1)
    cells = np.zeros(x.shape, np.uint32)
    cells[inside] = assign(shares[inside] @ corners, sites)
    return cells


def busiest(removed: BoolArray) -> tuple[slice, slice]:
    """Return the window of CROP pixels a side in which the clean-up removed most."""
    starts = [range(8, size - CROP - 8, CROP // 4) for size in removed.shape]
    y, x = max(product(*starts), key=lambda at: removed[at[0] : at[0] + CROP, at[1] : at[1] + CROP].sum())
    return slice(y, y + CROP), slice(x, x + CROP)


def mixed_field(folder: Path) -> tuple[Config, FloatArray]:
    """Measure a field with a gradient, an even mixture and a needle; return its settings and true shares."""
    energy = np.linspace(7009.2, 7321.2, 178)
    names, library = modelled_library(energy)
    pure = [library[names.index(name)] for name in ("hematite", "magnetite", "wustite", "SFCA-I", "C2F")]
    spectra = [*pure, 0.5 * (pure[0] + pure[2]), *((1 - w) * pure[0] + w * pure[1] for w in SHARES)]
    phase = np.zeros(FIELD, np.uint8)
    phase[:60, 60:140] = 6 + np.arange(80) // 2
    phase[:60, 140:], phase[22:34, 164:176] = 1, 4
    phase[60:, :60], phase[60:, 60:120], phase[60:, 120:] = 5, 2, 3
    y, x = np.mgrid[: FIELD[0], : FIELD[1]]
    thickness = (1 + 0.08 * np.sin(y / 17) * np.cos(x / 23)).astype(np.float32)
    create_cube(folder / "cube.zarr", energy, FIELD, 256, 0.46, "mixed field")
    for tile in flat(regular_grid(FIELD, (256, 256))):
        block = simulate_block(
            phase, thickness, np.array(spectra), NOISE, np.random.default_rng(4), edge_windows(energy)
        )
        write_tile(folder / "cube.zarr", tile, block.mu, mu_low=block.mu_low, mu_high=block.mu_high)
    settings = {
        "title": "Mixed field",
        "output": folder / "run",
        "cube": {"path": folder / "cube.zarr"},
        "references": {"modelled": True},
        "sites": {"method": "net"},
        "compute": {"cluster": "threads", "workers": 1},
    }
    return Config.model_validate(settings), np.where(phase > 5, SHARES[np.maximum(phase, 6) - 6], np.nan)


def ratios() -> bytes:
    """Classify a mixed field and draw what its clusters come down to."""
    with tempfile.TemporaryDirectory() as folder:
        config, true = mixed_field(Path(folder))
        classify(config)
        found = phases(config)
        with (
            open_result(config.output / "result.zarr") as result,
            xr.open_zarr(config.output / "phases.zarr", consolidated=False) as made,
        ):
            label, main, ratio = result.label.values, made.main.values, made.ratio.values
            order = result.cluster.values[np.argsort(-result.pixels.values, kind="stable")].tolist()
    own = found.components
    shown = ComponentMap(
        title="",
        main=main,
        ratio=ratio,
        density=None,
        labels=[each.row.label for each in own],
        names=[each.name for each in own],
        colours=[each.colour for each in own],
        shares=[each.share for each in own],
        pixel_um=0.46,
        width_mm=80,
        dpi=160,
    )
    there = np.isfinite(true)
    magnetite = ratio[[each.name for each in own].index("magnetite")]
    return draw_ratios(label, order, shown, true[there], magnetite[there].astype(np.float64))


def main() -> None:
    """Draw all figures."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    config, folder = load_config(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    stored = read_sites(paths_of(config).sites)
    with open_result(paths_of(config).result) as opened:
        order = opened.cluster.values[np.argsort(-opened.pixels.values, kind="stable")].tolist()
        spectra = dict(zip(opened.cluster.values.tolist(), opened.spectrum.values, strict=True))
        energy, step = opened.energy.values, float(opened.x.values[1] - opened.x.values[0])
        crop = busiest((opened.kept.values == 0) & (opened.state.values > 0))
        maps = {name: opened[name].values[crop] for name in ("site", "kept", "label", "state")}
        own = component_labels(paths_of(config).composition, opened.attrs["fingerprint"])[0]
    tables = read_component_tables(config.output, own)
    if not own or tables is None:
        sys.exit(f"{config.output}: no tables of phases; run gigaxas phases {sys.argv[1]}")
    made = {"paper-sites": draw_partition(partition(config, stored))}
    titles = {"site": "as assigned", "kept": "kept by the clean-up", "label": "filled"}
    stages = [MapStage(title, maps[name]) for name, title in titles.items()]
    made["paper-clean-up"] = draw_stages(stages, maps["state"] == 0, order, step)
    near = {name: stored.references[k] for k, name in enumerate(stored.table.standards)}
    curves = [
        Curve(each.name, each.colour, spectra[each.label], near.get(each.name)) for each in tables.components
    ]
    made["paper-spectra"] = draw_curves(energy, curves, EDGE)
    made["paper-ratios"] = ratios()
    for name, content in made.items():
        (folder / f"{name}.png").write_bytes(content)


if __name__ == "__main__":
    main()

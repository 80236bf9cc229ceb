"""Draw the components of the ALS STXM stack at the Fe L edges, from the files that the beamline gave.

Run `python scripts/measured_stack.py PICTURE [FOLDER]`; FOLDER is als_stxm_fe_l of the measured stacks, by
default below GIGAXAS_STACKS. The data are those of github.com/stetef/nano-XANES-microscopy-of-Fe.
"""

import io
import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import xarray as xr
from gigaxas.arrays import LabelArray
from gigaxas.config.load import load_config
from gigaxas.config.schema import Config
from gigaxas.report.chart import fit_reference
from gigaxas.report.palette import as_rgb
from gigaxas.stores.sites import read_sites
from gigaxas.workflow.classify import classify
from gigaxas.workflow.cluster_rows import Component
from gigaxas.workflow.phases import phases
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

REFERENCES = ("oxidized.t", "reduced.t")
CONFIG = """
title: Iron in particles, STXM at the Fe L edges
output: {work}/run
edge: Fe L3
ingest:
  stack: {data}/aligned/71214078_a{{index}}.xim
  energies: {data}/71214078.hdr
  i0: {data}/i0.xsp
  quantity: counts
references: {{path: {work}/references}}
compute: {{cluster: threads}}
"""
VOID, INK = "#eceae5", "#22262b"
DPI = 160


def configuration(data: Path, work: Path) -> Config:
    """Return the run over the stack in a folder, which leaves what it makes in `work`."""
    (work / "references").mkdir()
    for name in REFERENCES:
        shutil.copy(data / name, work / "references")
    path = work / "stxm.yaml"
    path.write_text(CONFIG.format(data=data, work=work), encoding="utf-8")
    return load_config(path)


def draw(config: Config, components: tuple[Component, ...], void: str) -> bytes:
    """Return the picture: the map of the main components, and their spectra with the nearest references."""
    figure = Figure(figsize=(9.6, 4.4), layout="constrained")
    picture, curves = figure.subplots(1, 2, width_ratios=(1.0, 1.1))
    with xr.open_zarr(config.output / "phases.zarr", consolidated=False) as found:
        draw_map(picture, found.main.values, components)
        width = float(found.x[-1] - found.x[0])
        energy = found.energy.values
    picture.set_xlabel(f"{width:.0f} µm; {void}", fontsize=8, color=INK)
    stored = read_sites(config.output / "sites.zarr")
    references = dict(zip(stored.table.standards, stored.references, strict=True))
    for each in components:
        spectrum = each.row.spectrum
        label = f"{each.name}, {each.share:.0%} (r = {each.row.near[0].correlation:.3f})"
        curves.plot(energy, spectrum, color=each.colour, lw=1.6, label=label)
        nearest = fit_reference(spectrum, references[each.row.near[0].name])
        curves.plot(energy, nearest, color=INK, lw=0.8, ls=(0, (3, 3)))
    curves.set(xlabel="energy, eV", ylabel="absorbance; dashed: nearest reference, fitted")
    curves.spines[["top", "right"]].set_visible(False)
    curves.legend(frameon=False, fontsize=8, labelcolor=INK)
    out = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(out, format="png", dpi=DPI, metadata={"Software": None})
    return out.getvalue()


def draw_map(axes: Axes, main: LabelArray, components: tuple[Component, ...]) -> None:
    """Draw the labels (y, x) of the main components in the colours of these."""
    image = as_rgb([VOID])[0] + 0 * main[..., None].repeat(3, axis=2)
    for each in components:
        image[main == each.row.label] = as_rgb([each.colour])[0]
    axes.imshow(image, interpolation="nearest")
    axes.set(xticks=[], yticks=[])


def main() -> None:
    """Classify the stack, find its components, and draw them."""
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    stacks = Path(os.environ.get("GIGAXAS_STACKS", "../shared/data/stacks"))
    data = Path(sys.argv[2]) if len(sys.argv) == 3 else stacks / "als_stxm_fe_l"
    if not (data / "i0.xsp").is_file():
        sys.exit(f"{data}: no stack of the ALS in it; give its folder, or set GIGAXAS_STACKS")
    with TemporaryDirectory() as work:
        config = configuration(data.absolute(), Path(work))
        summary = classify(config, announce=print)
        components = tuple(phases(config).components)
        void = f"grey: void, {sum(reason.share for reason in summary.void):.1%}"
        Path(sys.argv[1]).write_bytes(draw(config, components, void))
    print(f"{void}; {len(components)} components; wrote {sys.argv[1]}")


if __name__ == "__main__":
    main()

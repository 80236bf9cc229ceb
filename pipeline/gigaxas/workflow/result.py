"""From a cube and its sites to the result: assigned, cleaned up, filled, and its clusters summed."""

from typing import Any

import numpy as np

from gigaxas.arrays import IntArray
from gigaxas.checkpoint.identity import told
from gigaxas.checkpoint.owner import is_made
from gigaxas.errors import InputError
from gigaxas.execution.reduction import Reduction, Summary, gather, open_reduction
from gigaxas.execution.runner import Runner
from gigaxas.locations import Location
from gigaxas.nearest import prepare
from gigaxas.nearest.approximate import build_index
from gigaxas.nearest.certainty import prepare_certainty
from gigaxas.spatial.cell_sums import cell_side
from gigaxas.spatial.clean_up import CleanUp
from gigaxas.spatial.cluster_sums import cluster_spectra, join_sums
from gigaxas.spatial.fill import join_fill, merge_fill
from gigaxas.spatial.regions import join_regions, merge_regions
from gigaxas.spectra.void import VOID_MEANINGS, VOID_REASONS
from gigaxas.stores.cells import create_cells
from gigaxas.stores.deferred import create_deferred, remove_deferred
from gigaxas.stores.io.folders import remove
from gigaxas.stores.io.groups import partial_of, publish
from gigaxas.stores.result import PixelCounts, clusters_are_whole, create_result, write_clusters
from gigaxas.tasks import assign as assign_tasks
from gigaxas.tasks import clean_up as clean_up_tasks
from gigaxas.tasks import clusters as cluster_tasks
from gigaxas.tasks.pixels import ScreenedCube
from gigaxas.workflow.plan import Plan
from gigaxas.workflow.resolve import Resolved, result_basis, result_fingerprint

REGIONS = Summary("regions", join_regions, merge_regions)
FILL = Summary("fill", join_fill, merge_fill)
COUNTS = Summary("counts", clean_up_tasks.join_counts)
SUMS = Summary("sums", join_sums)


def make_result(run: Resolved, runner: Runner) -> None:
    """Make the result store, unless these settings have made it from this cube before and it is whole.

    What other settings of the clean-up leave as it is, the assignment, is not done again.
    """
    final, info, plan = run.paths.result, run.info, run.plan
    spectra, fingerprint = run.sites.table.spectra, result_fingerprint(run)
    if is_made(final, fingerprint) and clusters_are_whole(final) and runner.is_intact(final, content=True):
        return
    store, count = partial_of(final), len(spectra)
    create_result(
        store,
        plan.plane,
        plan.tile,
        info.pixel_um,
        count,
        result_basis(run),
        run.config.maps,
        grows=run.config.normalises_fields,
    )
    shares = _assign(run, store, runner)
    reduction = open_reduction(runner, plan.spatial, store)
    states, pixels, void = clean_up_and_fill(reduction, plan, run.config.clean_up.value, store, count)
    check_signal(void, run)
    settings = {"info": info, "result": store, "step": plan.tile, "sites": count}
    sums = gather(reduction, "clusters", cluster_tasks.sum_tile, SUMS, None, **settings).whole
    means = cluster_spectra(sums, info.scale, info.offset)
    remove_deferred(store)
    remove(reduction.store)
    counts = PixelCounts(pixels[sums.labels], states, void)
    write_clusters(store, info.energy, means, counts, fingerprint, shares)
    publish(store, final)


def check_signal(void: IntArray, run: Resolved) -> None:
    """Raise InputError where no pixel is left that holds a signal; `void` counts them by reason."""
    if void[0]:
        return
    told = ", ".join(f"{count:,} {VOID_MEANINGS[name]}" for name, count in named_void(void).items())
    raise InputError(
        f"{run.paths.cube}: all pixels are void ({told}); expected some with a signal; look at the quantity, "
        "the edge, the noise and `void.least_step`"
    )


def named_void(void: IntArray) -> dict[str, int]:
    """Return the void pixels by reason, reasons without a pixel left out."""
    names = zip(VOID_REASONS[1:], void[1:].tolist(), strict=True)
    return {name: count for name, count in names if count}


def _assign(run: Resolved, store: Location, runner: Runner) -> dict[str, tuple[int, int]]:
    """Assign every tile; return what was counted, (pixels, of so many), where labels are not beyond doubt."""
    config, info, grid, spectra = run.config, run.info, run.plan.grid, run.sites.table.spectra
    sites, shares = prepare(spectra), {}
    settings: dict[str, Any] = {"info": info, "result": store, "sites": sites, "classes": run.sites.classes}
    more: dict[str, Any] = {
        "certainty": prepare_certainty(spectra, run.noise, config.maps),
        "expected": _make_room(run, store),
        "cells": _make_cells(run, store),
    }
    if config.engine == "approximate":
        index = build_index(sites)
        shares["right"] = _added(
            runner.over(
                "assign", assign_tasks.assign_tile_approximately, grid, **settings, index=index, **more
            )
        )
    else:
        own = _own_marks(run, runner, [sites, run.sites.classes, more["certainty"], more["cells"]])
        if own is None:
            runner.over("assign", assign_tasks.assign_tile, grid, **settings, **more)
        else:
            runner.over_marked("assign", assign_tasks.assign_tile, grid, own, **settings, **more)
    if info.step > 1:
        shares["changed"] = _added(runner.over("compare", assign_tasks.compare_tile, grid, **settings))
    return shares


def _own_marks(run: Resolved, runner: Runner, settings: list[Any]) -> list[list[str]] | None:
    """Return what tells every tile of a cube of raw fields from others; None where its chunks do not.

    So tiles of a cube that grows are not assigned again where nothing of them has changed.
    """
    info = run.info
    if not run.config.normalises_fields or runner.ledger is None:
        return None
    if isinstance(info, ScreenedCube) and info.stored is not None:
        return None
    numbers = [info.dtype.str, info.scale, info.offset, info.invalid, info.energy]
    rules = [info.void, info.mask_identity] if isinstance(info, ScreenedCube) else []
    shared = told(settings, numbers, rules)
    return runner.ledger.tile_marks(run.paths.cube, run.plan.grid, info.chunk, shared)


def _make_room(run: Resolved, store: Location) -> CleanUp | None:
    """Make room for what the assignment keeps for the clusters; return the clean-up it is kept for."""
    info, plan, clean_up = run.info, run.plan, run.config.clean_up.value
    if info.dtype != np.uint16:
        return None
    grid = len(plan.grid), len(plan.grid[0])
    settings = {**clean_up._asdict(), "plane": list(plan.plane)}
    create_deferred(store, grid, plan.tile, info.bytes_per_pixel, settings)
    return clean_up


def _make_cells(run: Resolved, store: Location) -> int:
    """Make room for the mean spectra of cells; return their side in pixels, 0 where none fit the tiles."""
    info, plan = run.info, run.plan
    side = cell_side(plan.plane, info.chunk, plan.tile)
    if side:
        create_cells(store, info.shape[0], plan.plane, plan.tile, side)
    return side


def _added(counts: list[list[tuple[int, int]]]) -> tuple[int, int]:
    some, pixels = np.sum([pair for row in counts for pair in row], axis=0).tolist()
    return some, pixels


def clean_up_and_fill(
    reduction: Reduction, plan: Plan, clean_up: CleanUp, store: Location, count: int
) -> tuple[IntArray, IntArray, IntArray]:
    """Clean the map up and fill it (METHOD 5 and 6).

    Each of the two is a pass over tiles, a merge of what meets at their borders, and a second pass. Returns
    the pixels of each state, of each label from 0 to `count`, and of each of VOID_REASONS.
    """
    settings = {"result": store, "plane": plan.plane, "clean_up": clean_up}
    regions = gather(reduction, "regions", clean_up_tasks.find_tile_regions, REGIONS, None, **settings)
    rings = gather(reduction, "clean-up", clean_up_tasks.keep_tile, FILL, regions, **settings)
    counts = gather(reduction, "fill", clean_up_tasks.fill_tile_holes, COUNTS, rings, **settings, sites=count)
    states, labels, void = counts.whole
    return states, labels, void

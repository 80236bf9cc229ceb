"""A simulated run against its truth: how much of every phase got the right name."""

from collections.abc import Mapping

import numpy as np

from gigaxas.arrays import IntArray
from gigaxas.execution.runner import Runner
from gigaxas.locations import Location
from gigaxas.report import Truth, TruthRow
from gigaxas.stores.truth import describe_truth
from gigaxas.tasks import truth as tasks
from gigaxas.tiles import regular_grid
from gigaxas.workflow.plan import SPATIAL_SIDE
from gigaxas.workflow.resolve import Resolved


def score(
    run: Resolved,
    runner: Runner,
    names: Mapping[int, str],
    labels: tuple[Location, str] | None = None,
) -> Truth | None:
    """Compare the final labels, by the names of their clusters, with the truth of a simulated cube.

    `labels` names the store and the map of other labels to compare.
    Returns None for a measured cube. A pixel without iron is right when it has no label.
    """
    if run.config.simulate is None:
        return None
    truth = describe_truth(run.paths.truth)
    parts = runner.over(
        "truth",
        tasks.count_tile,
        regular_grid(truth.plane, (SPATIAL_SIDE, SPATIAL_SIDE)),
        labels=labels or (run.paths.result, "label"),
        truth=truth.path,
        phases=len(truth.names),
        count=len(run.sites.table.names) + 1,
    )
    counts = np.sum([part for row in parts for part in row], axis=0)
    return _truth(counts, truth.names, truth.minority, names)


def _truth(counts: IntArray, phases: tuple[str, ...], minority: str, names: Mapping[int, str]) -> Truth:
    rows, right = [], int(counts[-1, 0])
    for number, phase in enumerate(phases):
        same = [label for label, name in names.items() if name == phase]
        pixels, named, both = counts[number].sum(), counts[:, same].sum(), counts[number, same].sum()
        right += int(both)
        if pixels or named:
            rows.append(TruthRow(phase, int(pixels), _share(both, pixels), _share(both, named)))
    rows.append(
        TruthRow(
            "no iron",
            int(counts[-1].sum()),
            _share(counts[-1, 0], counts[-1].sum()),
            _share(counts[-1, 0], counts[:, 0].sum()),
        )
    )
    rows.sort(key=lambda row: -row.pixels)
    return Truth(rows, right / int(counts.sum()), minority)


def _share(part: int, whole: int) -> float:
    return float(part / whole) if whole else float("nan")

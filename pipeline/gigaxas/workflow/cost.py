"""What a run costs with sites of either source, on the simulated cube of a configuration."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from gigaxas.config.paths import paths_of
from gigaxas.config.schema import Config
from gigaxas.evaluation.rows import CostRow
from gigaxas.execution.runner import Progress
from gigaxas.stores.sites import read_sites
from gigaxas.workflow.classify import classify, simulate

COST_RUNS = 2


def study_cost(config: Config, progress: Progress) -> list[CostRow]:
    """Time a run with the library's sites and one with those of the data, from one cube to the report.

    Returns nothing for a configuration that does not simulate a cube: one's own may be large.
    """
    if config.simulate is None or config.simulate.raw:
        return []
    with TemporaryDirectory() as folder, progress("cost", COST_RUNS + 1) as advance:
        simulate(config.model_copy(update={"output": Path(folder)}))
        advance(1)
        rows = []
        for source in ("library", "observed"):
            sites = config.sites.model_copy(update={"source": source, "file": None})
            one = config.model_copy(update={"output": Path(folder), "sites": sites})
            start = time.perf_counter()
            truth = classify(one).truth
            seconds = time.perf_counter() - start
            right = truth.right_share if truth else np.nan
            rows.append(CostRow(source, len(read_sites(paths_of(one).sites).table.names), seconds, right))
            advance(1)
        return rows

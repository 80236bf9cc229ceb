"""What surrounds every run: its folder claimed and locked, its log, its workers, its journal."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from distributed import Client, performance_report

from gigaxas import __version__
from gigaxas.checkpoint.identity import settings_mark
from gigaxas.checkpoint.ledger import Ledger, output_mark
from gigaxas.checkpoint.owner import claim
from gigaxas.config.paths import Paths
from gigaxas.config.schema import Compute, Config
from gigaxas.execution.cluster import Announce, open_client, worker_count
from gigaxas.execution.events import Events
from gigaxas.execution.lock import locked
from gigaxas.execution.runner import Progress, Runner, silent


@contextmanager
def open_session(
    paths: Paths,
    config: Config,
    verb: str,
    progress: Progress = silent,
    announce: Announce = lambda line: None,
) -> Iterator[Runner]:
    """Yield what runs the stages of one verb in the output folder of a run; `announce` is told where to look.

    Raises InputError where the folder cannot be written or another run holds it.
    """
    folder, compute = paths.output, config.compute
    claim(paths, config.title)
    events, mark = Events(folder), output_mark(folder)
    ledger = Ledger(folder, settings_mark(config))
    with locked(folder, announce):
        events.tell("run started", verb=verb, version=__version__, title=config.title)
        try:
            with open_client(compute, mark, announce) as client, _watched(folder, compute, client):
                workers = worker_count(compute) if client is None else sum(client.nthreads().values())
                yield Runner(client, workers, progress, {}, ledger, events)
        except BaseException as error:
            events.tell("run ended", verb=verb, status=_status(error), reason=str(error))
            raise
        events.tell("run ended", verb=verb, status="finished")


def on_threads(config: Config) -> Config:
    """Return a configuration that runs in this process: for what needs no cluster."""
    compute = config.compute.model_copy(update={"cluster": "threads", "scheduler": None})
    return config.model_copy(update={"compute": compute})


def _watched(folder: Path, compute: Compute, client: Client | None) -> AbstractContextManager[Any]:
    if client is None or not compute.performance_report:
        return nullcontext()
    return performance_report(str(folder / "performance.html"))


def _status(error: BaseException) -> str:
    return "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"

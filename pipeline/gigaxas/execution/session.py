"""What surrounds every run: its folder claimed and locked, its log, its workers, its journal."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gigaxas import __version__
from gigaxas.checkpoint.identity import settings_mark
from gigaxas.checkpoint.ledger import Ledger, output_mark
from gigaxas.checkpoint.owner import claim
from gigaxas.config.paths import Paths
from gigaxas.config.schema import Compute, Config
from gigaxas.execution.cluster import Announce, is_local, open_client, worker_count
from gigaxas.execution.events import Events
from gigaxas.execution.lock import locked
from gigaxas.execution.runner import Connect, Progress, Runner, silent

if TYPE_CHECKING:
    from distributed import Client


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
            with _clients(folder, compute, mark, announce) as client:
                yield Runner(client, _workers(compute, client), progress, {}, ledger, events)
        except BaseException as error:
            events.tell("run ended", verb=verb, status=_status(error), reason=str(error))
            raise
        events.tell("run ended", verb=verb, status="finished")


def on_threads(config: Config) -> Config:
    """Return a configuration that runs in this process: for what needs no cluster."""
    compute = config.compute.model_copy(update={"cluster": "threads", "scheduler": None})
    return config.model_copy(update={"compute": compute})


@contextmanager
def _clients(folder: Path, compute: Compute, mark: str, announce: Announce) -> Iterator[Connect]:
    """Yield what returns the client; processes of this machine are started when it is first asked for."""
    with ExitStack() as held:

        @cache
        def client() -> "Client | None":
            opened = held.enter_context(open_client(compute, mark, announce))
            if opened is not None and compute.performance_report:
                from distributed import performance_report

                held.enter_context(performance_report(str(folder / "performance.html")))
            return opened

        if not is_local(compute):
            client()
        yield client


def _workers(compute: Compute, client: Connect) -> int:
    """Return how many tasks run at once; a cluster that others run tells it."""
    connected = None if is_local(compute) else client()
    return worker_count(compute) if connected is None else sum(connected.nthreads().values())


def _status(error: BaseException) -> str:
    return "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"

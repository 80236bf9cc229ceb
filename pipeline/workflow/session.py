"""What surrounds every run: its folder claimed and locked, its log, its workers, its journal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline import __version__
from pipeline.cluster import open_client, worker_count
from pipeline.config import Config
from pipeline.workflow.events import Events
from pipeline.workflow.lock import locked
from pipeline.workflow.paths import claim
from pipeline.workflow.resume import Ledger
from pipeline.workflow.runner import Progress, Runner, silent

Announce = Callable[[str], None]


@contextmanager
def open_runner(
    config: Config, verb: str, progress: Progress = silent, announce: Announce = lambda line: None
) -> Iterator[Runner]:
    """Yield what runs the stages of one verb in the output folder of a run; `announce` is told where to look.

    Raises InputError where the folder cannot be written or another run holds it.
    """
    claim(config)
    events = Events(config.output)
    with locked(config.output):
        events.tell("run started", verb=verb, version=__version__, title=config.title)
        try:
            with open_client(config.compute) as client:
                if client is not None:
                    announce(f"dashboard  {client.dashboard_link}")
                yield Runner(
                    client, worker_count(config.compute), progress, {}, Ledger(config.output), events
                )
        except BaseException as error:
            events.tell("run ended", verb=verb, status=_status(error), reason=str(error))
            raise
        events.tell("run ended", verb=verb, status="finished")


def _status(error: BaseException) -> str:
    return "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"

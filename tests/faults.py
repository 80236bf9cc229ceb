"""Runs in processes of their own, to be killed, and what they leave."""

import contextlib
import multiprocessing
import os
import signal
import time

import gigaxas as gx
import numpy as np
from gigaxas.checkpoint import journal
from gigaxas.execution.runner import silent
from gigaxas.workflow.classify import classify

MAPS = ("site", "kept", "label", "state", "correlation")
FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["faults", "gigaxas.workflow", "gigaxas.report", "matplotlib.figure"])


def run_to_its_end(config, heard=None, work=classify):
    """Classify, or do other work, in this process; tell the names of its stages through a pipe."""

    def progress(stage, total):
        if heard is not None:
            heard.send(stage)
        return silent(stage, total)

    journal.EVERY_SECONDS = 0.0  # every tile is recorded at once, so that small runs have something to keep
    work(config, progress)


@contextlib.contextmanager
def running(config, work=classify):
    """A process that classifies, or does other work, and the end of a pipe that hears of its stages."""
    hear, heard = FORK.Pipe(duplex=False)
    process = FORK.Process(target=run_to_its_end, args=(config, heard, work))
    process.start()
    heard.close()
    try:
        yield process, hear
    finally:
        process.kill()
        process.join()


def killed_after(config, stage, seconds, work=classify):
    """Classify, or do other work; SIGKILL it some seconds after a stage began; False where it ended."""
    with running(config, work) as (process, hear):
        with contextlib.suppress(EOFError):
            while hear.recv() != stage:
                pass
        end = time.monotonic() + seconds
        while time.monotonic() < end and process.is_alive():
            time.sleep(0.001)
        alive = process.is_alive()
        if alive:
            os.kill(process.pid, signal.SIGKILL)
        process.join()
        return alive


def killed_at(config, stage, records, work=classify):
    """Classify, or do other work, in a process that kills itself as so many tiles of a stage are recorded."""
    process = FORK.Process(target=run_to_a_record, args=(config, stage, records, work))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def run_to_a_record(config, stage, records, work):
    """Classify, or do other work; SIGKILL this process when the journal has so many files of a stage."""
    publish = journal.StageJournal.flush

    def publish_and_die(self):
        publish(self)
        if self.folder.name.startswith(f"{stage}.") and len(list(self.folder.iterdir())) >= records:
            os.kill(os.getpid(), signal.SIGKILL)

    journal.StageJournal.flush = publish_and_die
    run_to_its_end(config, None, work)


def maps_of(config):
    """The maps of a finished run, and its clusters."""
    with gx.open_result(config.output) as result:
        return {name: result[name].values for name in (*MAPS, "spectrum", "standard_error", "pixels")}


def assert_same(found, expected):
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)

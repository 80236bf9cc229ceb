"""The phase map of a measurement that is still going on: taken in field by field and scan by scan."""

import json
import math
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import numpy as np

from gigaxas.checkpoint.identity import settings_mark
from gigaxas.checkpoint.ledger import Ledger
from gigaxas.checkpoint.owner import check_owner
from gigaxas.config.paths import paths_of
from gigaxas.config.schema import Config, Ingest, StopSection
from gigaxas.errors import InputError, RunError
from gigaxas.execution.cluster import Announce
from gigaxas.execution.runner import Progress, Runner, silent
from gigaxas.execution.session import on_threads, open_session
from gigaxas.locations import shown
from gigaxas.planning import PairReached, pairs_reached
from gigaxas.raw.readers.acquisition import Acquisition
from gigaxas.raw.readers.arrivals import (
    Look,
    Unit,
    folders_of,
    images_of,
    look,
    why_not_whole,
    why_shared_not_whole,
)
from gigaxas.raw.readers.changes import changes
from gigaxas.raw.readers.files import has_scan
from gigaxas.raw.readers.formats.hdf5 import forget_files
from gigaxas.raw.readers.positions import listed_positions
from gigaxas.report import Underway, tell_pages
from gigaxas.spectra.noise import Noise
from gigaxas.spectra.signal_noise import SignalNoise
from gigaxas.stores.io.files import publish_file
from gigaxas.workflow.products import Listener, make_products, products_of
from gigaxas.workflow.report import report
from gigaxas.workflow.resolve import Resolved, resolve
from gigaxas.workflow.summary import Summary

TAKEN, STOP = "watch.json", "stop.json"
"""Files of the output: what has been taken in, and that it was enough."""
MOST_NAMED = 5
"""Files that one sentence names."""
T = TypeVar("T")


@dataclass(frozen=True)
class Reached:
    """What pairs have reached after so many scans of every field."""

    scans: int
    """Scans of every field."""
    error: float
    """s_error that a pair may have."""
    pairs: tuple[PairReached, ...]
    """What each has reached; its exposure is a multiple of these scans."""

    @property
    def is_enough(self) -> bool:
        """Whether all pairs have reached it."""
        return all(pair.error <= self.error for pair in self.pairs)

    @property
    def scans_needed(self) -> float:
        """Scans at which the last pair reaches it, in parts of a scan too."""
        return self.scans * max(pair.exposure for pair in self.pairs)


@dataclass(frozen=True)
class Expected:
    """What has to be there at the end; None where nothing tells it."""

    fields: int | None
    scans: int | None
    images: int | None


def watch(config: Config, progress: Progress = silent, announce: Announce = lambda line: None) -> Summary:
    """Make the maps and the report of raw fields as they are written, until all are there or it is enough.

    The section `simulate` is left aside: files alone count. What is whole is taken in, `announce` is told of
    it and of what is waited for. A watch that was stopped goes on where it was; after the last file the maps
    are those of `classify`. Raises InputError for what no further file can mend, and RunError where nothing
    new comes for `watch.timeout` seconds.
    """
    if config.ingest is None or config.ingest.fields is None:
        raise InputError(
            "watch: the configuration has no `ingest.fields`; there are no raw fields to wait for"
        )
    expected = _expected(config, config.ingest)
    measured = on_threads(config.model_copy(update={"simulate": None}))
    check_owner(paths_of(config), config.title)
    with open_session(paths_of(config), measured, "watch", progress, announce) as runner:
        (config.output / STOP).unlink(missing_ok=True)
        taken = _read_taken(config.output / TAKEN)
        return Watch(measured, config.ingest, expected, runner, announce, taken).run()


def _expected(config: Config, ingest: Ingest) -> Expected:
    """Return what has to be there at the end. InputError where nothing could ever tell that it is."""
    wanted, fields = config.watch, ingest.fields
    assert fields is not None
    raw = config.simulate.raw if config.simulate else None
    number, scans = wanted.fields, wanted.scans
    if number is None and raw:
        number = raw.fields[0] * raw.fields[1]
    if number is None and fields.positions is None:
        number = 1
    if scans is None and raw:
        scans = raw.scans
    if scans is None and not has_scan(fields.transmitted):
        scans = 1
    if number is None and not isinstance(fields.positions, Path):
        raise InputError("watch.fields: missing; say how many fields will come, or give a table of positions")
    if scans is None and wanted.stop is None:
        raise InputError(
            "watch.scans: missing; say how many scans of a field will come, or give `watch.stop`"
        )
    return Expected(number, scans, wanted.energies)


@dataclass
class Watch:
    """A watch while it lasts."""

    config: Config
    ingest: Ingest
    expected: Expected
    runner: Runner
    announce: Announce
    taken: dict[str, str | None]
    """Stamps of the files that were taken in, in this watch or an earlier one."""
    units: frozenset[Unit] = frozenset()
    """Scans that were taken in."""
    checked: dict[Unit, list[str | None]] = field(default_factory=dict)
    """Stamps of the files of scans that were found to be whole."""
    waiting: dict[str, str] = field(default_factory=dict)
    """What is there and not whole, and why."""
    told: set[str] = field(default_factory=set)
    """Warnings that were told."""
    reached: Reached | None = None
    """What the pairs have reached, where that can be told."""
    underway: Underway | None = None
    """What the last pages say, where this watch has written any."""

    def run(self) -> Summary:
        """Take in what is whole, again and again, until all is there or it is enough."""
        assert self.ingest.fields is not None
        if not look(self.ingest).units:
            self.announce(f"waiting    no file fits {shown(self.ingest.fields.transmitted)} yet")
        try:
            return self._to_the_end()
        except BaseException:
            if self.underway:
                told = f"the watch was stopped at {_now()}; this is what had come by then"
                tell_pages(
                    paths_of(self.config).report_folder, replace(self.underway, told=told, is_over=True)
                )
            raise

    def _to_the_end(self) -> Summary:
        wanted, now, shown = self.config.watch, Look(), dict[str, str | None]()
        news, summary = time.monotonic(), None
        with closing(changes(*folders_of(self.ingest), wanted.every, self.announce)) as moments:
            while True:
                next(moments)
                before, now = now, look(self.ingest, now)
                if now.stamps != before.stamps:
                    news = time.monotonic()
                    forget_files()
                whole = self._whole(now)
                units = self._in_step(whole)
                files = {file: now.stamps[file] for file in _files(now, units)}
                if units and units >= self.units and files != shown:
                    self._tell(units, files)
                    summary = self._shown(units, files) or summary
                    shown, self.units, news = files, units, time.monotonic()
                is_last = files == shown and self._is_all(whole)
                if summary is not None and (is_last or (self.reached and self.reached.is_enough)):
                    return summary
                if time.monotonic() - news > wanted.timeout:
                    raise RunError(self._given_up(whole))

    def _whole(self, now: Look) -> frozenset[Unit]:
        """Return the scans of fields that are whole, and note why others are not."""
        self.waiting.clear()
        is_stable = now.is_stable(now.shared, self.config.watch.every)
        reason = why_shared_not_whole(now) if is_stable else "not there, or being written"
        images = None
        if reason is None:
            try:
                images = images_of(self.ingest, self.expected.images)
            except InputError as error:
                if self.expected.images is None and self.ingest.energies is None:
                    raise
                reason = str(error)
        if reason is not None:
            self.waiting[", ".join(now.shared[:MOST_NAMED])] = reason
            return frozenset()
        return frozenset(unit for unit in now.units if self._is_whole(unit, now, images))

    def _in_step(self, whole: frozenset[Unit]) -> frozenset[Unit]:
        """Return the scans to be taken in: where the noise is to be judged, as many of each field.

        That is all of them where more of a field have been taken in already, as where an instrument takes all
        scans of a field before those of the next.
        """
        if self.config.watch.stop is None or self._is_all(whole):
            return whole
        least = min(Counter(name for name, _ in whole).values(), default=0)
        by_field: dict[str, list[int]] = {}
        for name, scan in sorted(whole):
            by_field.setdefault(name, []).append(scan)
        equal = frozenset((name, scan) for name, scans in by_field.items() for scan in scans[:least])
        return equal if equal >= self.units else whole

    def _is_whole(self, unit: Unit, now: Look, images: int | None) -> bool:
        files = now.files_of(unit)
        stamps = [now.stamps[file] for file in (*files, *now.shared)]
        if self.checked.get(unit) == stamps:
            return True
        reason: str | None = "it is being written"
        if now.is_stable(files, self.config.watch.every):
            reason = why_not_whole(self.ingest, now, unit, images)
        if reason is None:
            self.checked[unit] = stamps
        else:
            self.waiting[_name(unit)] = reason
        return reason is None

    def _tell(self, whole: frozenset[Unit], files: dict[str, str | None]) -> None:
        """Tell what is taken in, what came out of order, and which files were written again."""
        for file, stamp in files.items():
            if file in self.taken and self.taken[file] != stamp:
                self.announce(
                    f"warning    {file} was written again after it was taken in; it is taken in anew"
                )
        for name, scan in sorted(whole - self.units):
            later = [other for field, other in self.units if field == name and other > scan]
            if later:
                self.announce(
                    f"warning    {_name((name, scan))} came after scan {max(later)}; it counts all the same"
                )
        new = sorted(whole - self.units)
        named = ", ".join(map(_name, new[:MOST_NAMED]))
        more = f" and {len(new) - MOST_NAMED} more" if len(new) > MOST_NAMED else ""
        if new:
            self.announce(f"taken in   {named}{more}; fields there: {len(_names(whole))}")

    def _shown(self, whole: frozenset[Unit], files: dict[str, str | None]) -> Summary | None:
        """Make maps and report of what is whole; None where they cannot be made yet, which is told."""
        run = self._attempt(lambda: resolve(self.config, self._warn, files), whole)
        if run is None:
            return None
        if self.config.watch.stop:  # before any work: what is wrong with the pairs, no file can mend
            _reached(run, SignalNoise(np.array(1.0)), self.config.watch.stop)
        fresh = replace(
            self.runner,
            ledger=Ledger(run.paths.output, settings_mark(self.config)),
            seconds={},
            suspects=set(),
        )
        listener = Listener(self._warn)

        def work() -> tuple[Summary, Reached | None, Underway]:
            made = make_products(products_of(run), run, fresh, listener)
            reached = self._judged(made, whole)
            underway = self._underway(made, whole, reached)
            return report(made, fresh, underway=underway), reached, underway

        found = self._attempt(lambda: fresh.mended(work), whole)
        if found is None:
            return None
        summary, self.reached, self.underway = found
        self.taken |= files
        publish_file(run.paths.output / TAKEN, json.dumps(self.taken, indent=1).encode())
        tell_pages(run.paths.report_folder, self.underway)
        self._say_whether_enough(whole)
        return summary

    def _judged(self, run: Resolved, whole: frozenset[Unit]) -> Reached | None:
        """Return what the pairs have reached; None where that is not asked or cannot be told."""
        stop, scans = self.config.watch.stop, set(Counter(name for name, _ in whole).values())
        number = self._fields()
        if stop is None or len(scans) > 1 or (number is not None and len(_names(whole)) < number):
            return None
        if run.image is None or run.image.measured is None:
            self.announce("limit      the noise cannot be measured in this image yet")
            return None
        return Reached(scans.pop(), stop.error, _reached(run, run.image.measured.model, stop))

    def _say_whether_enough(self, whole: frozenset[Unit]) -> None:
        """Say what the pairs have reached; where that is enough, say so in a file and run the command."""
        found, stop = self.reached, self.config.watch.stop
        if found is None or stop is None:
            return
        self.announce(f"limit      {_told(found)}")
        if not found.is_enough:
            return
        content = {**asdict(found), "scans_needed": found.scans_needed, "fields": len(_names(whole))}
        publish_file(self.config.output / STOP, json.dumps(content, indent=1).encode())
        self.announce(f"enough     wrote {shown(self.config.output / STOP)}")
        if stop.command:
            _run(stop.command, self.announce)

    def _underway(self, run: Resolved, whole: frozenset[Unit], reached: Reached | None) -> Underway:
        """Return what the pages say of how far the measurement is."""
        scans = Counter(name for name, _ in whole)
        told = f"measuring: field {_of(len(scans), self._fields())}"
        if self.expected.scans != 1:
            told += f", scan {_of(max(scans.values()), self.expected.scans)}"
        told += f", last update {_now()}"
        if reached:
            told += f"; {_told(reached)}"
        assert isinstance(run.source, Acquisition)
        y, x = run.source.stage_px.min(axis=0).tolist()
        is_over = self._is_all(whole) or (reached is not None and reached.is_enough)
        return Underway(time.time_ns() // 10**6, told, (x, y), is_over)

    def _attempt(self, step: Callable[[], T], whole: frozenset[Unit]) -> T | None:
        """Return what a step gives; an error that further files may mend is told."""
        try:
            return step()
        except (InputError, RunError) as error:
            if self._is_all(whole):
                raise
            self.announce(f"warning    not shown yet: {error}")
            return None

    def _warn(self, line: str) -> None:
        if line.startswith("warning") and line not in self.told:
            self.told.add(line)
            self.announce(line)

    def _fields(self) -> int | None:
        """Return how many fields there will be; None where nothing tells it."""
        positions = self.ingest.fields and self.ingest.fields.positions
        if self.expected.fields is not None or not isinstance(positions, Path):
            return self.expected.fields
        try:
            return len(listed_positions(positions))
        except InputError:
            return None

    def _is_all(self, whole: frozenset[Unit]) -> bool:
        """Return whether all scans of all fields are there."""
        scans, number, wanted = Counter(name for name, _ in whole), self._fields(), self.expected.scans
        if number is None or wanted is None:
            return False
        return len(scans) >= number and min(scans.values()) >= wanted

    def _given_up(self, whole: frozenset[Unit]) -> str:
        said = [f"{name}: {reason}" for name, reason in list(self.waiting.items())[:MOST_NAMED]]
        number, wanted = self._fields(), self.expected.scans
        expected = "an unknown number" if number is None or wanted is None else str(number * wanted)
        told = "; ".join([f"{len(whole)} of {expected} scans of fields are whole", *said])
        return (
            f"watch: nothing new came for {self.config.watch.timeout:g} s; {told}; see to the instrument, or "
            "to watch.fields and watch.scans, and run the same command again: what was taken in is kept"
        )


def _files(seen: Look, whole: Iterable[Unit]) -> list[str]:
    return [*(file for unit in sorted(whole) for file in seen.files_of(unit)), *seen.shared]


def _names(units: Iterable[Unit]) -> set[str]:
    return {name for name, _ in units}


def _of(number: int, whole: int | None) -> str:
    return f"{number} of {whole}" if whole else str(number)


def _now() -> str:
    return datetime.now().astimezone().strftime("%H:%M:%S")


def _name(unit: Unit) -> str:
    name = unit[0] or "the field"
    return f"{name} scan {unit[1]}" if unit[1] else name


def _reached(run: Resolved, noise: Noise, stop: StopSection) -> tuple[PairReached, ...]:
    return pairs_reached(run.library.spectra, noise, stop.pairs, run.library.names, stop.error)


def _told(found: Reached) -> str:
    pairs = ", ".join(f"{' - '.join(pair.names)} {pair.error:.2g}" for pair in found.pairs)
    more = max(0, math.ceil(found.scans_needed - found.scans))
    left = "reached" if found.is_enough else f"{more} more of each needed" if more else "nearly reached"
    scans = f"{found.scans} scan{'s' if found.scans > 1 else ''}"
    return f"after {scans}: s_error {pairs}, asked for {found.error:g}: {left}"


def _run(command: Sequence[str], announce: Announce) -> None:
    """Run the command that was asked for; where it fails, say so."""
    try:
        status = subprocess.run(command, check=False).returncode
    except OSError as error:
        announce(f"warning    {command[0]}: cannot be run ({error.strerror}); stop the measurement by hand")
        return
    said = f"ended with status {status}"
    announce(
        f"warning    {command[0]}: {said}; see that it worked"
        if status
        else f"command    {command[0]}: {said}"
    )


def _read_taken(path: Path) -> dict[str, str | None]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(found) if isinstance(found, dict) else {}

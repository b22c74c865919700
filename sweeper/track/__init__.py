"""Trackers: where runs are reported to. One backend a file.

A tracker works in the launching process, in a thread of its own: nothing that it does, or fails to
do, delays a run or fails one. What it is given has no secrets in it any more.
"""

from __future__ import annotations

import math
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple, Protocol

from .. import yamls
from ..current import read_reports
from ..errors import SettingsError, SweeperError, TrackerError, nearest
from ..grammar import show
from ..job import read_record
from ..records import ENDED, Job, Outcome
from ..redact import masked, masked_words
from ..score import within_64_bits
from ..settings import OPTIONS


class SweepRecord(NamedTuple):
    """What a tracker is told of a sweep, or of a single run's circumstances."""

    id: str
    name: str
    directory: str
    started: str
    search: str = ""  # empty for a single run
    objective: str = ""
    overrides: tuple[str, ...] = ()
    note: str = ""
    seed: int | None = None
    folder: str = ""
    redact: tuple[str, ...] = ()
    here: bool = False  # whether runs are made in this process
    origin: Mapping[str, Any] = {}  # program, versions, git: see `provenance.origin`
    resumed: bool = False  # an earlier process may have told of it
    planned: int | None = None  # runs in all, where that is known
    slots: int | None = None  # runs at a time
    repeats: int = 1  # runs of a point

    @property
    def git(self) -> Mapping[str, Any]:
        """Commit, branch and dirty; empty outside of a repository."""
        return self.origin.get("git") or {}

    @property
    def command(self) -> str:
        """The command line that made it."""
        return str(self.origin.get("program", {}).get("command", ""))


class Tracker(Protocol):
    """A backend. It is made with a `SweepRecord` and its settings, before the first run is told.

    Beside these three it may have `flush()`, called a fifth of a second after the first thing that it
    keeps back; `close(status)`, when the sweep has ended; `has(run)`, whether it knows a run's end from
    before (without it, the run's own `.sweeper/told` says so), so that a resumed sweep does not tell it
    again; and `environment(run)`, which returns environment variables for the run's process and is
    waited for before that starts. A class method `joins(sweep, **settings)` says whether runs have to wait
    for it, and raises SettingsError for settings that are mistakes.

    Two attributes of the class say what it does not need: `config = False`, that it gets no configs; and
    `late = True`, that it hears of runs that are made in this process, single ones and those of the inline
    launcher, only when all have ended, since the function may use the same client.

    A second attempt at a run is started under the id of the first, and takes its place; the first is
    not finished, but where it was interrupted.
    """

    def start(self, run: Job) -> None:
        """Take note that a run begins."""
        ...

    def log(self, run: Job, metrics: Mapping[str, float], step: int | None, at: float) -> None:
        """Take note of metrics that a run has reported; `at` is in seconds since 1970."""
        ...

    def finish(self, run: Job, outcome: Outcome) -> None:
        """Take note of what came of a run; its config has its interpolations resolved by now."""
        ...


# Every tracker that ships, by the name of its option: module and class.
TRACKERS: dict[str, tuple[str, str]] = {
    "sqlite": ("sqlite", "Sqlite"),
    "mlflow": ("mlflow", "Mlflow"),
    "wandb": ("wandb", "Wandb"),
    "comet": ("comet", "Comet"),
    "tensorboard": ("tensorboard", "TensorBoard"),
    "sacred": ("sacred", "Sacred"),
    "notify": ("notify", "Notify"),
}
ENTRY_POINTS = "sweeper.trackers"  # the group in which other packages name theirs


class Trackers:
    """All the trackers of a sweep, each behind a queue of its own."""

    def __init__(self) -> None:
        self.lines: list[_Line] = []

    def environment(self, run: Job) -> dict[str, str]:
        """Return what the trackers want a run's process to find in its environment."""
        found: dict[str, str] = {}
        for line in self.lines:
            if line.joins:
                found.update(line.ask("environment", run))
        return found

    def start(self, run: Job) -> None:
        """Tell all of them; see `Tracker`."""
        self._tell("start", run)

    def log(self, run: Job, metrics: Mapping[str, float], step: int | None, at: float) -> None:
        """Tell all of them; see `Tracker`."""
        self._tell("log", run, metrics, step, at)

    def finish(self, run: Job, outcome: Outcome) -> None:
        """Tell all of them; see `Tracker`."""
        self._tell("finish", run, outcome)

    def retell(self, run: Job, outcome: Outcome, whole: Callable[[], Job]) -> None:
        """Tell those of a run that an earlier process made which do not know of it; `whole` makes its job.

        `run` needs no more than its ids and its directory.
        """
        self._tell("retell", run, outcome, whole)

    def close(self, status: str) -> None:
        """Tell all of them, and wait until they have written what they know."""
        self._tell("close", status)
        for line in self.lines:
            line.end()

    def _tell(self, verb: str, *what: Any) -> None:
        for line in self.lines:
            line.queue.put((verb, what, None))


_FLUSH_EVERY = 0.2  # seconds
_ENVIRONMENT_WITHIN = 30.0  # seconds that a run waits for what a tracker puts into its environment
_SILENCE = 3.0  # seconds after which it is said whom the end waits for
_OPTIONAL = ("flush", "close")


class _Line:
    """One tracker and the thread that it works in."""

    def __init__(
        self, name: str, kind: Any, sweep: SweepRecord, options: Mapping[str, Any], *, threaded: bool = True
    ) -> None:
        self.name, self.kind, self.redact = name, kind, sweep.redact
        self.joins = hasattr(kind, "environment")
        if hasattr(kind, "joins"):
            self.joins = kind.joins(sweep, **options)
        self.make: Callable[[], Any] = partial(kind, sweep, **options)
        self.queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.masked: dict[str, Job] = {}
        self.finished: list[Job] = []  # those that the next flush makes safe
        self.tracker: Any = None
        self.late = sweep.here and getattr(kind, "late", False)
        self.held: list[tuple[str, Any]] = []  # what a late one is told at the close
        self.failed = False
        self.thread = threading.Thread(target=self._work, name=f"sweeper-{name}", daemon=True)
        if threaded:
            self.thread.start()

    def ask(self, verb: str, *what: Any) -> dict[str, str]:
        answer: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()
        self.queue.put((verb, what, answer))
        with suppress(queue.Empty):
            return answer.get(timeout=_ENVIRONMENT_WITHIN)
        return {}

    def _work(self) -> None:
        flush_at: float | None = None  # at most so long is anything kept back, or a database locked
        while True:
            wait = None if flush_at is None else max(0.0, flush_at - time.monotonic())
            try:
                message = self.queue.get(timeout=wait) if wait != 0.0 else ("flush", (), None)
            except queue.Empty:
                message = ("flush", (), None)
            if message is None:
                return
            verb, what, answer = message
            came = None if self.failed else self._try(verb, what)
            if answer is not None:
                answer.put(came or {})
            if verb in _OPTIONAL:
                flush_at = None
            elif flush_at is None:
                flush_at = time.monotonic() + _FLUSH_EVERY

    def _try(self, verb: str, what: tuple[Any, ...]) -> Any:
        if self.late and verb not in ("close", "environment"):
            if verb != "flush":
                self.held.append((verb, what))
            return None
        try:
            if self.tracker is None:
                self.tracker = self.make()
            held, self.held = self.held, []
            for message in held:
                self._do(*message)
            return self._do(verb, what)
        except Exception as error:  # noqa: BLE001  no tracker may fail a run
            self.failed, self.tracker = True, None  # what it holds, such as a lock, is let go
            words = f"{type(error).__name__}: {error}"
            if isinstance(error, (SweeperError, ImportError)):
                words = str(error).replace("\n", "\n  ")
            rest = "" if verb == "close" else ", and is left out from here on"
            _say(f"warning: the tracker {self.name!r} fails{rest}: {words}")
            return None

    def _do(self, verb: str, what: tuple[Any, ...]) -> Any:
        if verb == "retell":
            return self.retell(*what)
        method = getattr(self.tracker, verb, None)
        if verb in _OPTIONAL:
            if method is not None:
                method(*what)
            self._note_told()
            return None
        if method is None:
            raise TrackerError(f"{type(self.tracker).__name__} has no method {verb!r}")
        run, *rest = what
        if verb == "log":
            rest[0] = _storable(rest[0])
        elif verb == "finish":
            score = None if rest[0].score is None else within_64_bits(rest[0].score)
            rest[0] = rest[0]._replace(score=score, metrics=_storable(rest[0].metrics))
        came = method(self._without_secrets(run, verb), *rest)
        if verb == "finish":
            self.finished.append(run)
            if not hasattr(self.tracker, "flush"):  # it keeps nothing back
                self._note_told()
        return came

    def retell(self, run: Job, outcome: Outcome, whole: Callable[[], Job] | None = None) -> None:
        """Tell of a run that was made before; where `whole` makes its job, unless its end is known."""
        if whole is not None:
            has = getattr(self.tracker, "has", self._was_told)
            if has(run):
                return
            run = whole()
        self._do("start", (run,))
        for line in read_reports(run.directory)[0]:
            self._do("log", (run, line["metrics"], line["step"], line["time"]))
        found = read_record(run.directory)
        self._do("finish", (run, found if found is not None and found.status in ENDED else outcome))

    def _note_told(self) -> None:
        """Write into the runs' directories that this tracker knows their ends, if it cannot say so itself."""
        finished, self.finished = self.finished, []
        if hasattr(self.tracker, "has"):
            return
        for run in finished:
            if run.sweep_directory:  # a single run is never told again
                with suppress(OSError), open(f"{run.records}/told", "a", encoding="utf-8") as file:
                    file.write(f"{self.name}\n")

    def _was_told(self, run: Job) -> bool:
        try:
            with open(f"{run.records}/told", encoding="utf-8") as file:
                return self.name in file.read().splitlines()
        except OSError:
            return False

    def _without_secrets(self, run: Job, verb: str) -> Job:
        known = self.masked.get(run.id)
        if known is None or verb in ("start", "environment"):
            known = self.masked[run.id] = run._replace(
                config=self._config(run.config),
                params=masked(run.params, self.redact),
                overrides=masked_words(run.overrides, self.redact),
                argv=masked_words(run.argv, self.redact),
            )
        if verb == "finish":
            del self.masked[run.id]
            known = known._replace(git=run.git)
            if self._wants_config:
                with suppress(OSError, ValueError):  # if the config has no interpolation, there is none
                    known = known._replace(config=self._config(yamls.read(f"{run.records}/resolved.yaml")))
        return known

    @property
    def _wants_config(self) -> bool:
        return getattr(self.kind, "config", True) is not False

    def _config(self, config: Any) -> dict[Any, Any]:
        return masked(config, self.redact) if self._wants_config else {}

    def end(self) -> None:
        """Wait until all that was told is written; Ctrl-C ends the waiting, not the sweep."""
        self.queue.put(None)
        with suppress(KeyboardInterrupt):
            self.thread.join(_SILENCE)
            if self.thread.is_alive():
                _say(f"note: the tracker {self.name!r} still writes; Ctrl-C leaves it")
                self.thread.join()


def _storable(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: within_64_bits(value) for name, value in metrics.items()}


def _say(text: str) -> None:
    print(f"{text}\n", end="", file=sys.stderr)  # noqa: T201  in one piece: others may speak too


def find_trackers(settings: Mapping[str, Any]) -> dict[str, tuple[Any, Mapping[str, Any]]]:
    """Return class and settings of the trackers that are named; the embedded one is always among them.

    Raises:
        SettingsError: if there is none of a name, or it has no such setting.
    """
    named = {name: options for name, options in settings.items() if name != "redact"}
    for name, options in named.items():
        _check(name, options)
    if "none" in named:
        return {}
    named.setdefault("sqlite", {})
    return {name: (_kind(name, options), options) for name, options in named.items()}


def open_trackers(settings: Mapping[str, Any], sweep: SweepRecord) -> Trackers:
    """Return the trackers that the settings name, at work.

    Raises:
        SettingsError: if there is none of a name, or it has no such setting.
    """
    sweep, found = _shown(sweep), Trackers()
    for name, (kind, options) in find_trackers(settings).items():
        found.lines.append(_Line(name, kind, sweep, _given(options)))
    return found


def tell_again(
    name: str,
    options: Mapping[str, Any],
    sweep: SweepRecord,
    runs: Iterable[tuple[Job, Outcome]],
    status: str,
) -> Any:
    """Tell one tracker of runs that were made before, whether it knows them or not; return the tracker.

    Raises:
        SweeperError: if it cannot be told.
    """
    line = _Line(name, _kind(name, options), _shown(sweep), _given(options), threaded=False)
    line.tracker = line.make()
    for job, outcome in runs:
        line.retell(job, outcome)
    line.tracker.close(status)
    return line.tracker


def _shown(sweep: SweepRecord) -> SweepRecord:
    return sweep._replace(overrides=masked_words(sweep.overrides, sweep.redact))


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key != "_target_"}


def _check(name: str, options: Any) -> None:
    """Refuse what is no node of a tracker, and settings that a tracker which ships does not have."""
    if not isinstance(options, dict):
        raise SettingsError(
            f"sweeper.tracker.{name} must be a mapping, not {show(options)}",
            hint="A tracker's settings stand under its name: {mine: {_target_: package.Tracker}}",
        )
    known = OPTIONS["tracker"].get(name)
    if known is None or "_target_" in options:
        return
    for key in options:
        if key not in known:
            raise SettingsError(
                f"There is no setting sweeper.tracker.{name}.{key}",
                hint=nearest(str(key), known) or f"sweeper.tracker.{name} has {', '.join(known) or 'none'}.",
            )


def _kind(name: str, options: Mapping[str, Any]) -> Any:
    """Return the class of a tracker: one that ships, that `_target_` names, or another package's.

    Raises:
        SettingsError: if there is none of that name.
    """
    if "_target_" in options:
        from ..instantiation import get_object

        return get_object(str(options["_target_"]))
    if name in TRACKERS:
        module, kind = TRACKERS[name]
        return getattr(import_module(f".{module}", __name__), kind)
    from importlib.metadata import entry_points

    others = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if name in others:
        try:
            return others[name].load()
        except Exception as error:  # noqa: BLE001  whatever another package's import comes to
            raise SettingsError(f"The tracker {name!r} cannot be imported: {error}") from None
    known = [*TRACKERS, *others]
    raise SettingsError(
        f"There is no tracker {name!r}",
        hint=nearest(name, known) or f"There are {', '.join(known)} and none; or name a class by _target_.",
    )


# ------------------------------------------------------------------------------ what trackers share


def library(package: str, tracker: str) -> Any:
    """Return the package that a tracker works with, imported; its extra has the tracker's name.

    Raises:
        TrackerError: if it is not installed.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise TrackerError(
            f"it needs the package {package} ({error})", hint=f"pip install 'sweeper[{tracker}]'"
        ) from None


def unreported(outcome: Outcome, last: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics that a run returned, beside those that it had reported, with their `last` values."""
    return {
        name: value
        for name, value in outcome.metrics.items()
        if name not in last or not (last[name] == value or (math.isnan(value) and math.isnan(last[name])))
    }

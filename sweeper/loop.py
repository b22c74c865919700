"""The loop: ask, launch, tell, until there is nothing left to ask.

One loop serves every search and every launcher. Each run that ends frees a slot, is told to the
searcher and the trackers, and the next point is asked for; nothing waits for a batch. What happens is
written to `sweep.jsonl` before it happens, so that a sweep that is killed can be resumed.
"""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from . import yamls
from .errors import RecordError, SpaceError, SweeperError, UsageError
from .grammar import show
from .job import ended_badly, read_record, read_reports, run_job, write_record
from .launch import Executor, Launcher, RunDiedError, make_launcher
from .plan import Plan, directory_of
from .points import Points
from .provenance import git_state, versions
from .records import (
    CANCELLED,
    COMPLETED,
    ENDED,
    FAILED,
    PRUNED,
    History,
    Job,
    Objective,
    Outcome,
    Point,
    Program,
    Trial,
)
from .search import Asker, make_searcher
from .space import Space
from .runs import JobMaker, is_setting, make_directory, link_latest, new_id
from .track import SweepRecord, Trackers, open_trackers
from .view import STATUS_ORDER, Ended, Progress, View, command_line, show_param, summary

DEFAULT_TRIALS = 20
_POLL = 0.25  # seconds between looks at what runs report
_RESULTS_EVERY = 1.0  # seconds between writes of results.csv

# ----------------------------------------------------------------------------------------- results


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run that has ended."""

    number: int
    attempt: int
    directory: str
    params: Mapping[str, Any]
    outcome: Outcome

    @property
    def status(self) -> str:
        """COMPLETED, FAILED, PRUNED or CANCELLED."""
        return self.outcome.status

    @property
    def score(self) -> float | None:
        """What the function returned, if it can be compared."""
        return self.outcome.score

    @property
    def metrics(self) -> Mapping[str, float]:
        """All metrics, the last value of each."""
        return self.outcome.metrics

    @property
    def seconds(self) -> float:
        """How long the run took."""
        return self.outcome.seconds


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What came of a sweep."""

    directory: str
    objective: Objective
    runs: tuple[RunResult, ...]  # by number
    reason: str = ""  # why it ended
    interrupted: bool = False

    @property
    def best(self) -> RunResult | None:
        """The run with the best score, the first of equals."""
        return best_of(self.runs, self.objective)

    @property
    def failed(self) -> tuple[RunResult, ...]:
        """The runs that failed."""
        return tuple(run for run in self.runs if run.status == FAILED)

    def to_pandas(self) -> Any:
        """Return a DataFrame with a row a run, the columns those of results.csv."""
        import pandas

        return pandas.DataFrame(rows(self.runs))


def best_of(runs: Sequence[RunResult], objective: Objective) -> RunResult | None:
    """Return the run with the best score, the first of equals."""
    best: RunResult | None = None
    for run in sorted(runs, key=lambda run: run.number):
        if run.status != COMPLETED or run.score is None or objective.several:
            continue
        if objective.better(run.score, best.score if best is not None else None):
            best = run
    return best


_FIXED = ("number", "status", "score", "seconds")


def rows(runs: Sequence[RunResult]) -> list[dict[str, Any]]:
    """Return the rows of results.csv: one a run, with the columns of all."""
    keys = dict.fromkeys(key for run in runs for key in run.params)
    names = dict.fromkeys(name for run in runs for name in run.metrics)
    taken = {*_FIXED, *(f"metrics.{name}" for name in names)}
    column = {key: f"params.{key}" if key in taken else key for key in keys}
    found = []
    for run in sorted(runs, key=lambda run: run.number):
        row: dict[str, Any] = {
            "number": run.number, "status": run.status, "score": run.score, "seconds": run.seconds,
        }  # fmt: skip
        row.update({column[key]: run.params.get(key, "") for key in keys})
        row.update({f"metrics.{name}": run.metrics.get(name, "") for name in names})
        found.append(row)
    return found


def write_results(path: str, runs: Sequence[RunResult]) -> None:
    """Write results.csv."""
    table = rows(runs)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table[0] if table else _FIXED)
    for row in table:
        writer.writerow([_cell(name, value) for name, value in row.items()])
    yamls.write_text(path, text.getvalue())


def _cell(name: str, value: Any) -> Any:
    if value is None and name in _FIXED:
        return ""
    return value if isinstance(value, str) else show(value)


# ----------------------------------------------------------------------------------------- records


class Journal:
    """The sweep's append-only record, `sweep.jsonl`: the truth."""

    def __init__(self, path: str) -> None:
        self.file = open(path, "a", encoding="utf-8")  # noqa: SIM115  kept open; closed by close()
        self.synced = time.monotonic()

    def write(self, event: str, **what: Any) -> None:
        """Append a line; it is in the system's hands when this returns."""
        line = {"event": event, "time": _now(), **what}
        self.file.write(json.dumps(line) + "\n")
        self.file.flush()

    def sync(self) -> None:
        """See that what was written reaches the disk."""
        if time.monotonic() - self.synced > 1.0:
            os.fsync(self.file.fileno())
            self.synced = time.monotonic()

    def close(self) -> None:
        """Close the file, all of it on the disk."""
        os.fsync(self.file.fileno())
        self.file.close()


def read_journal(path: str) -> list[dict[str, Any]]:
    """Return the lines of a journal, but for one that was cut off while it was written."""
    found = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            with suppress(ValueError):
                found.append(json.loads(line))
    return found


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


# -------------------------------------------------------------------------------------- the sweep


@dataclass(slots=True)
class _Asked:
    """A run from its ask on."""

    number: int
    point: Point
    params: Mapping[str, Any]
    attempts: int = 0
    directory: str = ""
    result: RunResult | None = None


@dataclass(slots=True)
class Sweep:
    """A sweep that goes on: all its state."""

    points: Points
    maker: JobMaker
    journal: Journal
    asker: Asker
    trackers: Trackers
    view: View
    runs: dict[int, _Asked] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)  # the numbers that have ended, in that order
    again: list[int] = field(default_factory=list)  # asked by an earlier process, not ended
    live: dict[Future[Outcome], Job] = field(default_factory=dict)
    offsets: dict[int, int] = field(default_factory=dict)  # how far each run's reports are read
    reason: str = ""
    mistake: SweeperError | None = None
    began: float = field(default_factory=time.monotonic)
    written: float = 0.0

    @property
    def plan(self) -> Plan:
        """What was asked for."""
        return self.points.plan

    @property
    def searching(self) -> bool:
        """Whether scores decide what comes next, or would."""
        return self.plan.settings.search.name != "grid"

    def history(self) -> History:
        """Return what a searcher may know now."""
        ended = []
        for number in self.order:
            asked = self.runs[number]
            result = asked.result
            score = result.score if result is not None and result.status == COMPLETED else None
            loss = None if score is None else -score if self.maker.objective.maximize else score
            ended.append(Trial(number, asked.point, loss))
        done = set(self.order)
        return History(ended, [Trial(n, a.point) for n, a in self.runs.items() if n not in done])

    def drive(self, executor: Executor, slots: int) -> None:
        """Keep every slot busy until there is nothing left to ask."""
        while True:
            while len(self.live) < slots and not self.reason:
                asked = self.next_run()
                if asked is None:
                    break
                self.launch(executor, asked)
                self.view.progress.running = len(self.live)
                self.view.tick()
            if not self.live:
                return
            done, _ = wait(self.live, timeout=_POLL, return_when=FIRST_COMPLETED)
            self.read_reports()
            for future in done:
                self.end(future)
            self.write_results()
            self.journal.sync()
            self.view.tick()

    def next_run(self) -> _Asked | None:
        """Return the run to start next; None, with the reason, if there is none."""
        settings = self.plan.settings.search
        if self.again:
            return self.runs[self.again.pop(0)]
        limit = self.limit()
        if settings.timeout is not None and time.monotonic() - self.began >= settings.timeout:
            self.reason = f"the time of {settings.timeout:g} s is over"
            return None
        if limit is not None and len(self.runs) >= limit:
            self.reason = "all trials made" if self.searching else "all points run"
            return None
        point = self.asker.ask(self.history())
        if point is None:
            self.reason = "the space is exhausted" if self.searching else "all points run"
            return None
        number = len(self.runs)
        asked = _Asked(number, point, self.points.space.params(point))
        self.journal.write("ask", number=number, point=point, params=dict(asked.params))
        self.runs[number] = asked
        return asked

    def limit(self) -> int | None:
        """Return how many runs there may be."""
        trials = self.plan.settings.search.trials
        return DEFAULT_TRIALS if trials is None and self.searching else trials

    def launch(self, executor: Executor, asked: _Asked) -> None:
        """Make a directory for a run and hand its job to the executor."""
        asked.attempts += 1
        number, attempt = asked.number, asked.attempts
        try:
            overrides = self.points.overrides(asked.point)
            composed = self.plan.compose(overrides)
            job = self.maker.make(number, attempt, "", composed, overrides, asked.params)
            if not asked.directory:
                asked.directory = self.maker.subdirectory(job, composed)
        except SweeperError as error:
            if not self.order and not self.live:
                raise
            self.fail(asked, error)
            return
        name = asked.directory if attempt == 1 else f"{asked.directory}.{attempt - 1}"
        self.journal.write("start", number=number, attempt=attempt, directory=name)
        directory = make_directory(os.path.join(self.maker.sweep_directory, name), fixed=False)
        job = job._replace(directory=directory)
        self.trackers.start(job)
        self.live[executor.submit(run_job, job)] = job

    def fail(self, asked: _Asked, error: SweeperError) -> None:
        """Take note of a point whose config cannot be composed, when others could be."""
        path = os.path.join(self.maker.sweep_directory, str(asked.number))
        job = self.maker.make(
            asked.number, asked.attempts, make_directory(path, fixed=False), self.plan.base, (), asked.params
        )
        outcome = Outcome(FAILED, started=_now(), ended=_now(), error=str(error))
        os.makedirs(job.records, exist_ok=True)
        write_record(job, outcome)
        self.trackers.start(job)
        self.take(job, outcome)

    def end(self, future: Future[Outcome]) -> None:
        """Take note of a run that has ended, however it did."""
        job = self.live.pop(future)
        self.read_reports([job])
        self.offsets.pop(job.number, None)
        self.take(job, self.outcome_of(future, job))

    def outcome_of(self, future: Future[Outcome], job: Job) -> Outcome:
        """Return the outcome of a job; where its process left none, one that says so."""
        error = future.exception()
        if error is None:
            return future.result()
        if not isinstance(error, RunDiedError):
            found = read_record(job.directory)  # of a process that speaks through its files
            if found is not None and found.status in ENDED:
                return found
            words = "the process ended before the run began; see the log"
        else:
            words = str(error)
        return ended_badly(job, words, "", 0.0)

    def take(self, job: Job, outcome: Outcome) -> None:
        """Record an outcome, everywhere; end the sweep if there is no sense in going on."""
        asked = self.runs[job.number]
        asked.result = RunResult(job.number, job.attempt, job.directory, job.params, outcome)
        self.order.append(job.number)
        self.journal.write("end", number=job.number, attempt=job.attempt, **_journaled(outcome))
        self.trackers.finish(job, outcome)
        progress = self.view.progress
        progress.ended += 1
        progress.failed += outcome.status == FAILED
        progress.seconds += outcome.seconds
        progress.running = len(self.live)
        score = outcome.score
        best = progress.best
        if score is not None and self.maker.objective.better(score, best[1] if best else None):
            progress.best = (job.number, score)
        self.view.ended(job, outcome)
        self.judge(outcome)

    def judge(self, outcome: Outcome) -> None:
        """End a sweep whose runs all fail, or a search that gets nothing to compare."""
        ended = [self.runs[number].result for number in self.order]
        limit = self.plan.settings.launcher.max_failures
        if limit and len(ended) == limit and all(r is not None and r.status == FAILED for r in ended):
            self.reason = f"the first {limit} runs failed"
        usable = outcome.score is not None or outcome.values
        if self.searching and len(ended) == 1 and outcome.status == COMPLETED and not usable:
            self.reason = "no score to search by"
            self.mistake = UsageError(
                f"A search needs a score, but the first run {outcome.note or 'returned none'}",
                hint="Return a number, or a dict of metrics and name one with "
                "sweeper.objective.metric=NAME.",
            )

    def read_reports(self, jobs: Sequence[Job] | None = None) -> None:
        """Hand on what runs have reported since the last look."""
        for job in self.live.values() if jobs is None else jobs:
            lines, offset = read_reports(job.directory, self.offsets.get(job.number, 0))
            self.offsets[job.number] = offset
            for line in lines:
                self.trackers.log(job, line["metrics"], line["step"], line["time"])

    def results(self) -> list[RunResult]:
        """Return the runs that have ended."""
        found = (self.runs[number].result for number in self.order)
        return [result for result in found if result is not None]

    def write_results(self, *, now: bool = False) -> None:
        """Write results.csv, at most once a second."""
        if now or time.monotonic() - self.written > _RESULTS_EVERY:
            write_results(os.path.join(self.maker.sweep_directory, "results.csv"), self.results())
            self.written = time.monotonic()

    def cancel(self, executor: Executor, grace: float) -> None:
        """End what runs; each can be made again by a resumed sweep."""
        executor.stop(grace)
        wait(self.live, timeout=grace + 5)
        for future, job in list(self.live.items()):
            outcome = future.result() if future.done() and future.exception() is None else None
            if outcome is None or outcome.status not in (COMPLETED, PRUNED):
                ended = ended_badly(job, "the sweep was interrupted", "", 0.0)
                outcome = ended if ended.status == COMPLETED else ended._replace(status=CANCELLED)
                write_record(job, outcome)
            del self.live[future]
            self.take(job, outcome)


def _journaled(outcome: Outcome) -> dict[str, Any]:
    kept: dict[str, Any] = {
        "status": outcome.status, "score": outcome.score, "seconds": outcome.seconds,
        "metrics": dict(outcome.metrics), "started": outcome.started, "ended": outcome.ended,
    }  # fmt: skip
    if outcome.values:
        kept["values"] = list(outcome.values)
    for name in ("error", "note"):
        if getattr(outcome, name):
            kept[name] = getattr(outcome, name)
    return kept


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end a sweep as Ctrl-C does: schedulers send it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run_sweep(
    plan: Plan,
    program: Program,
    *,
    resumed: Resumed | None = None,
    stream: Any = None,
) -> SweepResult:
    """Run a plan's sweep to its end and return what came of it.

    Raises:
        SweeperError: for a mistake that shows before, or with, the first run.
    """
    settings = plan.settings
    objective = settings.goal()
    grid = settings.search.name == "grid"
    points = Points(plan)
    space = points.space
    if not grid and not space.first():
        raise SpaceError(
            "There is nothing to search",
            hint="Give a range such as 'lr=interval(1e-4, 1, log=true)', or declare one under "
            "sweeper.space or _space_.",
        )
    if grid:
        _grid_size(space)
    points.check()
    launcher = make_launcher(settings.launcher, program)
    seed = settings.search.seed
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "big")
    if resumed is not None:
        seed = resumed.seed
    asker = Asker(make_searcher(settings.search), space, seed)
    epoch = resumed.epoch if resumed is not None else time.time()
    git = git_state(program.folder)
    if resumed is not None:
        sweep_id, directory = resumed.id, resumed.directory
    else:
        sweep_id = new_id()
        directory = _sweep_directory(plan, program, epoch)
    maker = JobMaker(plan, program, objective, sweep_id, directory, seed, epoch, git)
    record = SweepRecord(
        id=sweep_id, name=settings.name or program.name, directory=directory, started=_now(),
        search=settings.search.name, objective=objective.describe(),
        overrides=tuple(o.text for o in plan.overrides), command=command_line(program.line),
        note=settings.note, seed=seed, folder=program.folder, git=git,
    )  # fmt: skip
    with ExitStack() as stack:
        stack.enter_context(_lock(directory))
        if resumed is None:
            _write_sweep(directory, points, program, record)
            link_latest(settings.sweep.dir, directory, program.folder)
        journal = Journal(os.path.join(directory, "sweep.jsonl"))
        stack.callback(journal.close)
        trackers = open_trackers(settings.tracker, record)
        shown = View(objective, Progress(None, launcher.slots), stream=stream)
        sweep = Sweep(points, maker, journal, asker, trackers, shown)
        if resumed is not None:
            resumed.replay(sweep)
        shown.progress.total = _total(sweep)
        journal.write("begin" if resumed is None else "resume", seed=seed, epoch=epoch, pid=os.getpid())
        shown.begin(_headline(sweep, launcher))
        status = _conduct(sweep, launcher, program)
        sweep.write_results(now=True)
        journal.write("stop", reason=sweep.reason, status=status)
        trackers.close(status)
        _say_end(sweep, program)
    if sweep.mistake is not None:
        raise sweep.mistake
    runs = tuple(sorted(sweep.results(), key=lambda run: run.number))
    return SweepResult(directory, objective, runs, sweep.reason, interrupted=status == CANCELLED)


def _conduct(sweep: Sweep, launcher: Launcher, program: Program) -> str:
    """Drive a sweep to its end, whichever way it ends, and return its status."""
    executor: Executor | None = None
    try:
        with _terminable():
            executor = launcher.open(program)
            try:
                sweep.drive(executor, launcher.slots)
            except KeyboardInterrupt:
                sweep.reason = "interrupted"
                sweep.view.line("interrupted: waiting for the runs to end; again to end them at once")
                try:
                    sweep.cancel(executor, sweep.plan.settings.launcher.grace)
                except KeyboardInterrupt:
                    sweep.cancel(executor, 0)
                return CANCELLED
    finally:
        sweep.view.end()
        if executor is not None:
            executor.shutdown()
    return FAILED if any(run.status == FAILED for run in sweep.results()) else COMPLETED


def _total(sweep: Sweep) -> int | None:
    limit = sweep.limit()
    size = sweep.points.space.grid_size() if not sweep.searching else None
    return min(x for x in (limit, size) if x is not None) if (limit, size) != (None, None) else None


def _headline(sweep: Sweep, launcher: Launcher) -> str:
    settings = sweep.plan.settings
    total = sweep.view.progress.total
    count = f"{total} {'run' if total == 1 else 'runs'}" if total is not None else "runs without end"
    goal = f", {sweep.maker.objective.describe()}" if sweep.searching else ""
    done = f", {len(sweep.order)} of them made before" if sweep.order else ""
    note = ""
    if not sweep.searching and sweep.plan.base.space:
        note = "\nnote: a grid does not search what _space_ declares; give a search, such as --search tpe"
    return (
        f"{settings.search.name}: {count}, {launcher.slots} at a time{goal}{done}\n"
        f"in {os.path.relpath(sweep.maker.sweep_directory)}{note}"
    )


def _sweep_directory(plan: Plan, program: Program, epoch: float) -> str:
    template = plan.settings.sweep.dir
    facts = {
        "now": time.localtime(epoch),
        "sweeper": {"job": {"name": program.name}},
        "hydra": {"job": {"name": program.name}},
    }
    path = os.path.join(program.folder, directory_of(template, plan.base, facts))
    fixed = "${now" not in template
    if fixed and os.path.exists(os.path.join(path, "sweep.jsonl")):
        raise RecordError(
            f"There is a sweep in {path} already",
            hint=f"To go on with it: --resume {path}. To begin anew, name another sweeper.sweep.dir.",
        )
    return make_directory(path, fixed=fixed)


def _write_sweep(directory: str, points: Points, program: Program, record: SweepRecord) -> None:
    plan = points.plan
    ref = program.ref
    content = {
        "id": record.id,
        "name": record.name,
        "note": record.note or None,
        "started": record.started,
        "seed": record.seed,
        "search": record.search,
        "objective": record.objective,
        "overrides": [o.text for o in plan.overrides],
        "space": points.space.describe(),
        "program": {
            "main": ref.main,
            "module": ref.module,
            "function": ref.name,
            "interpreter": sys.executable,
            "folder": program.folder,
            "flags": list(program.flags),
            "command": command_line(program.line),
        },
        "versions": versions(),
        "git": dict(record.git) if record.git else None,
        "config_name": plan.primary,
        "config_files": plan.search.digests(),
        "config": plan.base.tree,
        "sweeper": plan.base.settings,
    }
    yamls.write(os.path.join(directory, "sweep.yaml"), content)


@contextmanager
def _lock(directory: str) -> Iterator[None]:
    """Hold a sweep's directory, so that no second process drives it."""
    path = os.path.join(directory, ".lock")
    try:
        import fcntl
    except ImportError:  # no such locks on Windows
        yield
        return
    with open(path, "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RecordError(f"Another process drives the sweep in {directory}") from None
        try:
            yield
        finally:
            with suppress(OSError):
                os.unlink(path)


def _say_end(sweep: Sweep, program: Program) -> None:
    results = sweep.results()
    counts = {status: sum(r.status == status for r in results) for status in STATUS_ORDER}
    best = best_of(results, sweep.maker.objective)
    repeat = ""
    if best is not None:
        point = sweep.runs[best.number].point
        texts = [o.text for o in sweep.points.overrides(point) if not is_setting(o)]
        repeat = command_line([*program.words, *program.flags, *texts])
    directory = os.path.relpath(sweep.maker.sweep_directory)
    resume = ""
    if sweep.reason == "interrupted":
        resume = command_line([*program.words, "--resume", directory])
    ended = Ended(
        reason=sweep.reason, directory=directory, objective=sweep.maker.objective, counts=counts,
        seconds=time.monotonic() - sweep.began, searching=sweep.searching, best=best, repeat=repeat,
        resume=resume,
    )  # fmt: skip
    for line in summary(ended):
        sweep.view.line(line)


# ---------------------------------------------------------------------------------------- resuming


@dataclass(frozen=True, slots=True)
class Resumed:
    """What an earlier process left of a sweep."""

    directory: str
    id: str
    seed: int
    epoch: float
    events: list[dict[str, Any]]
    retry_failed: bool = False

    def replay(self, sweep: Sweep) -> None:
        """Bring a sweep to where the earlier process left it.

        Raises:
            RecordError: if its points do not belong to the space.
        """
        for event in self.events:
            number = event.get("number")
            if event["event"] == "ask":
                point = event["point"]
                self._check(sweep, number, point)
                sweep.runs[number] = _Asked(number, point, event["params"])
                sweep.asker.replay(point)
            elif event["event"] == "start":
                asked = sweep.runs[number]
                asked.attempts = event["attempt"]
                asked.directory = asked.directory or event["directory"]
            elif event["event"] == "end":
                self._end(sweep, event)
        for asked in sweep.runs.values():
            self._look(sweep, asked)
        ended = sweep.results()
        progress = sweep.view.progress
        progress.ended, progress.seconds = len(ended), sum(run.seconds for run in ended)
        progress.failed = sum(run.status == FAILED for run in ended)
        best = best_of(ended, sweep.maker.objective)
        progress.best = (best.number, best.score) if best is not None and best.score is not None else None

    def _check(self, sweep: Sweep, number: int, point: Point) -> None:
        space = sweep.points.space
        try:
            active = space.active(point)
            fits = {p.name for p in active} == set(point)
            fits = fits and all(p.domain.contains(point[p.name]) for p in active)
        except SweeperError:
            fits = False
        if not fits:
            raise RecordError(
                f"The space has changed since the sweep began: run {number} is no point of it",
                f"    {', '.join(f'{k}={show_param(v)}' for k, v in point.items())}",
                "Take the change back, or begin a new sweep.",
            )

    def _end(self, sweep: Sweep, event: dict[str, Any]) -> None:
        status = event["status"]
        if status == CANCELLED or (status == FAILED and self.retry_failed):
            return
        number = event["number"]
        asked = sweep.runs[number]
        outcome = Outcome(
            status=status, score=event["score"], metrics=event["metrics"],
            values=tuple(event.get("values", ())), started=event["started"], ended=event["ended"],
            seconds=event["seconds"], error=event.get("error", ""), note=event.get("note", ""),
        )  # fmt: skip
        attempt = event["attempt"]
        asked.result = RunResult(number, attempt, self._place(asked, attempt), asked.params, outcome)
        sweep.order.append(number)

    def _place(self, asked: _Asked, attempt: int) -> str:
        name = asked.directory if attempt == 1 else f"{asked.directory}.{attempt - 1}"
        return os.path.join(self.directory, name)

    def _look(self, sweep: Sweep, asked: _Asked) -> None:
        """See to a run that has no end: it may have completed all the same."""
        if asked.result is not None:
            return
        found = read_record(self._place(asked, asked.attempts)) if asked.attempts else None
        if found is not None and found.status in (COMPLETED, PRUNED):
            event = {"number": asked.number, "attempt": asked.attempts, **_journaled(found)}
            self._end(sweep, event)
            sweep.journal.write("end", **event)
        else:
            sweep.again.append(asked.number)


def read_sweep(directory: str) -> dict[str, Any]:
    """Return what a sweep's `sweep.yaml` holds.

    Raises:
        RecordError: if there is no sweep in the directory.
    """
    path = os.path.join(directory, "sweep.yaml")
    try:
        found = yamls.read(path)
    except OSError:
        raise RecordError(
            f"There is no sweep in {directory}", hint="--resume takes a sweep's directory, as it was printed."
        ) from None
    if not isinstance(found, dict) or "program" not in found:
        raise RecordError(f"{path} is no record of a sweep")
    return found


def find_resumed(directory: str, *, retry_failed: bool) -> Resumed:
    """Return what an earlier process left in a directory."""
    directory = os.path.abspath(directory)
    record = read_sweep(directory)
    path = os.path.join(directory, "sweep.jsonl")
    events = read_journal(path) if os.path.exists(path) else []
    begun = next((event for event in events if event["event"] == "begin"), None)
    epoch = begun["epoch"] if begun else time.time()
    return Resumed(directory, record["id"], record["seed"], epoch, events, retry_failed)


def check_unchanged(plan: Plan, record: Mapping[str, Any]) -> list[str]:
    """Refuse to resume with another config; return warnings of what else has changed.

    Raises:
        RecordError: naming the first key that differs.
    """
    before, now = record["config"] or {}, plan.base.tree
    if before != now:
        key = _first_difference(before, now, "")
        raise RecordError(
            f"The config has changed since the sweep began, at '{key}'",
            f"in {', '.join(_changed(plan, record)) or 'the config'}",
            "Take the change back, or begin a new sweep.",
        )
    warnings = []
    for name, version in (record.get("versions") or {}).items():
        current = versions().get(name)
        if current != version:
            warnings.append(f"warning: {name} is {current} now, and was {version}")
    return warnings


def _changed(plan: Plan, record: Mapping[str, Any]) -> list[str]:
    before, now = record.get("config_files") or {}, plan.search.digests()
    return [path for path, digest in now.items() if before.get(path, digest) != digest]


def _first_difference(before: Any, now: Any, path: str) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in {**before, **now}:
            if key not in before or key not in now:
                return f"{path}{key}"
            if before[key] != now[key]:
                return _first_difference(before[key], now[key], f"{path}{key}.")
    return path.rstrip(".")


def dry_run(plan: Plan, program: Program, write: Callable[[str], None]) -> None:
    """List the command lines of a sweep's runs, and run none."""
    found = Points(plan)
    space, settings = found.space, plan.settings.search
    if found.is_grid:
        size = _grid_size(space)
        points = map(space.grid_point, range(size if settings.trials is None else min(size, settings.trials)))
    else:
        points = iter([space.first()])
        write("# the first run; what comes next is decided by the scores")
    for point in points:
        overrides = found.overrides(point)
        plan.compose(overrides)
        texts = [o.text for o in overrides if not is_setting(o)]
        write(command_line([*program.words, *program.flags, *texts]))


def _grid_size(space: Space) -> int:
    """Return how many points a grid has.

    Raises:
        SpaceError: if there is no end of them.
    """
    size = space.grid_size()
    if size is None:
        endless = next(root for root in space.roots if root.domain.size is None)
        raise SpaceError(
            f"A grid has no end over {endless.key}={endless.domain.describe()}",
            hint=f"Give points, {endless.key}=0.1,0.2,0.3, or a search: --search tpe",
        )
    return size

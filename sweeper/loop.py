"""The loop: ask, launch, tell, until there is nothing left to ask.

One loop serves every search and every launcher. Each run that ends frees a slot, is told to the
searcher and the trackers, and the next point is asked for; nothing waits for a batch. What happens is
written to `sweep.jsonl` before it happens, so that a sweep that is killed can be resumed.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from .current import LOOK_EVERY, read_reports
from .errors import RecordError, SweeperError, UsageError
from .job import ended_badly, read_record, run_job, write_record
from .journal import (
    Journal,
    journaled,
    outcome_from,
    point_from,
    point_texts,
)
from .launch import Executor, Keeper, Launcher, RunDiedError
from .output import terminable
from .plan import Plan
from .points import Points
from .prune import Pruner
from .records import (
    CANCELLED,
    COMPLETED,
    ENDED,
    FAILED,
    PRUNED,
    RUNNING,
    History,
    Job,
    Outcome,
    Point,
    Program,
    now,
)
from .results import RunResult, write_results
from .runs import JobMaker, is_of_disk, make_directory, unwritable
from .search import Asker
from .track import Trackers
from .trials import Trials
from .view import View, command_line, show_param

INTERRUPTED, LEFT = "interrupted", "left to its engine"  # reasons for which a sweep is to be gone on with
THE_RECORDS = "The sweep's records"
_LOOK_TO_PRUNE = 0.05  # seconds, where a pruner waits for what runs report
_RETRIES_OF_LOST = 3  # of a run whose machine went away
_RESULTS_EVERY = 1.0  # seconds between writes of results.csv

# -------------------------------------------------------------------------------------- the sweep


@dataclass(slots=True)
class _Asked:
    """A run from its ask on."""

    number: int
    point: Point
    params: Mapping[str, Any]
    attempts: int = 0
    directories: list[str] = field(default_factory=list)  # of the attempts, in the sweep's
    resources: Mapping[str, str] | None = None  # of an attempt that has begun and not ended, by variable
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
    trials: Trials
    pruner: Pruner | None = None
    runs: dict[int, _Asked] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)  # the numbers that have ended, in that order
    names: set[str] = field(default_factory=set)  # of the runs' directories
    lined_up: list[int] = field(default_factory=list)  # lined up: asked by an earlier process, or just now
    asking: Future[Point | None] | None = None  # a searcher at work
    free: dict[str, list[str]] = field(init=False)  # resources that no run has, by variable
    live: dict[Future[Outcome], Job] = field(default_factory=dict)
    offsets: dict[int, int] = field(default_factory=dict)  # how far each run's reports are read
    reason: str = ""  # why no run starts any more
    exhausted: str = ""  # why nothing more is asked for; what failed can still be made again
    left: str = ""  # words for what was left to the engine
    mistake: Exception | None = None  # with which it ends
    removed: set[int] = field(default_factory=set)  # numbers of runs that people took away
    noted: str = ""  # of what the executor says, what was shown
    began: float = field(default_factory=time.monotonic)
    written: float = 0.0  # when results.csv was
    pause: float = _RESULTS_EVERY  # until it is again

    def __post_init__(self) -> None:
        resources = self.plan.settings.launcher.resources
        self.free = {name: [str(value) for value in values] for name, values in resources.items()}

    @property
    def plan(self) -> Plan:
        """What was asked for."""
        return self.points.plan

    def open(self, asked: _Asked) -> None:
        """Take note of a run that is asked for."""
        self.runs[asked.number] = asked
        self.trials.open(asked.number, asked.point)

    def close(self, asked: _Asked, result: RunResult) -> None:
        """Take note of what came of a run."""
        asked.result = result
        self.order.append(asked.number)
        self.trials.close(asked.number, result.outcome)

    def restore(self, events: Iterable[Mapping[str, Any]], *, retry_failed: bool) -> None:
        """Bring the sweep to where an earlier process left it, by what its journal says.

        Raises:
            RecordError: if its points do not belong to the space.
        """
        for event in events:
            number: int = event.get("number", -1)
            if event["event"] == "ask":
                point = point_from(event["point"])
                self.check_point(number, point)
                self.open(_Asked(number, point, event["params"]))
                if number % self.trials.repeats == 0:
                    self.asker.replay(point)
            elif event["event"] == "start":
                asked = self.runs[number]
                self.reopen(asked)
                self.removed.discard(number)
                asked.attempts = event["attempt"]
                asked.directories.append(event["directory"])
                self.names.add(event["directory"])
                asked.resources = event.get("resources", {})
            elif event["event"] == "removed":
                self.removed.add(number)
            elif event["event"] == "end":
                self.runs[number].resources = None
                failed = event["status"] == FAILED and retry_failed
                again = event["status"] == CANCELLED or failed or event.get("again", False)
                if not again:
                    self.restore_end(number, event["attempt"], outcome_from(event))
        for asked in list(self.runs.values()):
            if asked.result is None:
                self.look_after(asked)
        if self.runs:
            last = self.runs[max(self.runs)]
            self.repeat(last.number // self.trials.repeats, last.point, begin=last.number + 1)
        for asked in (self.runs[number] for number in self.order):
            if asked.result is not None:
                outcome = asked.result.outcome
                outcome = outcome._replace(score=None) if asked.number in self.removed else outcome
                self.view.progress.count(asked.number, asked.params, outcome)

    def reopen(self, asked: _Asked) -> None:
        """Take back what came of a run that was begun again."""
        if asked.result is not None:
            asked.result = None
            self.order.remove(asked.number)
            self.trials.reopen(asked.number)

    def check_point(self, number: int, point: Point) -> None:
        """Refuse a point that the space does not have."""
        space = self.points.space
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

    def restore_end(self, number: int, attempt: int, outcome: Outcome) -> None:
        """Take over what came of a run."""
        asked = self.runs[number]
        place = self.place(asked.directories[attempt - 1]) if asked.directories else ""
        if self.pruner is not None:
            for line in read_reports(place)[0] if place else ():
                self.pruner.report(number, line["metrics"], line["step"])
            self.pruner.end(number, outcome.score, pruned=outcome.status == PRUNED)
        self.close(asked, RunResult(number, attempt, place, asked.params, outcome))

    def look_after(self, asked: _Asked) -> None:
        """See to a run that has no end: make it again, unless it completed all the same."""
        attempt = asked.attempts
        found = read_record(self.place(asked.directories[-1])) if attempt else None
        if found is not None and found.status in (COMPLETED, PRUNED):
            self.restore_end(asked.number, attempt, found)
            self.journal.write("end", number=asked.number, attempt=attempt, **journaled(found))
        else:
            self.lined_up.append(asked.number)

    def place(self, name: str) -> str:
        """Return the path of a run's directory."""
        return os.path.join(self.maker.sweep_directory, name)

    def tell_trackers(self, results: Sequence[RunResult]) -> None:
        """Tell what an earlier process may not have come to tell."""
        for result in results:
            number, attempt, directory = result.number, result.attempt, result.directory
            whole = partial(self.job_again, self.runs[number], attempt, directory)
            self.trackers.retell(self.maker.brief(number, attempt, directory), result.outcome, whole)

    def give_up(self) -> None:
        """Tell the trackers what came of runs that were to be made again, when nobody will."""
        for asked in (self.runs[number] for number in self.lined_up):
            if asked.directories:
                place = self.place(asked.directories[-1])
                outcome = read_record(place)
                if outcome is not None and outcome.status in ENDED:
                    self.trackers.finish(self.job_again(asked, asked.attempts, place), outcome)

    def job_again(self, asked: _Asked, attempt: int, directory: str) -> Job:
        """Return the job of an attempt that an earlier process began."""
        try:
            overrides = self.points.overrides(asked.point)
        except SweeperError:
            overrides = []
        return self.maker.make(asked.number, attempt, directory, self.plan.base, overrides, asked.params)

    def adopt(self, executor: Executor) -> None:
        """Take over the runs of an earlier process that the engine has kept."""
        if not hasattr(executor, "adopt"):
            return
        for asked in [self.runs[number] for number in self.lined_up]:
            if asked.resources is None:
                continue
            job = self.job_again(asked, asked.attempts, self.place(asked.directories[-1]))
            future = cast("Keeper", executor).adopt(job)
            if future is None:
                continue
            self.lined_up.remove(asked.number)
            self.trackers.start(job)
            self.view.progress.start(asked.number, job.params, time.time())
            self.live[future] = job
            for name, value in asked.resources.items():
                if value in self.free.get(name, ()):  # the settings may have changed
                    self.free[name].remove(value)

    def leave(self, executor: Keeper) -> str:
        """Hand all runs to an engine that keeps them, and return words for what was submitted."""
        jobs: list[Job] = []
        with ThreadPoolExecutor(1) as thinker:  # which a search without scores has no use for
            while self.goes_on():
                asked = self.next_run(thinker)
                job = None if asked is None else self.prepare(asked)
                if job is not None:
                    jobs.append(job)
        self.reason = LEFT
        return f"{len(jobs)} runs submitted, {executor.leave(jobs)}"

    def drive(self, executor: Executor, slots: int) -> None:
        """Keep every slot busy until there is nothing left to ask."""
        self.adopt(executor)
        if hasattr(executor, "look"):  # while it makes a run, we see to nothing
            executor.look = self.read_reports
        with ExitStack() as stack:
            thinker = ThreadPoolExecutor(1, "sweeper-ask")  # which starts its thread when it is needed
            stack.callback(thinker.shutdown, wait=False, cancel_futures=True)
            while True:
                while len(self.live) < slots and self.asking is None and self.goes_on():
                    asked = self.next_run(thinker)
                    if asked is not None:
                        self.launch(executor, asked)
                if not self.live and self.asking is None:
                    self.reason = self.reason or self.exhausted
                    return
                waited: set[Future[Any]] = {*self.live, *([self.asking] if self.asking is not None else [])}
                poll = LOOK_EVERY if self.pruner is None else _LOOK_TO_PRUNE
                done, _ = wait(waited, timeout=poll, return_when=FIRST_COMPLETED)
                if executor.note != self.noted:
                    self.noted = executor.note
                    self.view.line(f"note: {executor.note}")
                self.read_reports()
                for future in done & self.live.keys():
                    self.end(future)
                if self.asking in done:
                    point, self.asking = self.asking.result(), None
                    if not self.reason:  # no end was come to meanwhile
                        self.admit(point)
                self.write_results()
                self.journal.sync()

    def goes_on(self) -> bool:
        """Whether there is, or may be, a run to start."""
        return not self.reason and (bool(self.lined_up) or not self.exhausted)

    def next_run(self, thinker: ThreadPoolExecutor) -> _Asked | None:
        """Return the run to start next; None if the searcher is at work, or for a reason."""
        limit = self.points.limit
        if self.is_time_over():
            self.reason = f"the time of {self.plan.settings.search.timeout:g} s is over"
        elif self.lined_up:
            return self.runs[self.lined_up.pop(0)]
        elif limit is not None and len(self.trials) >= limit:
            self.exhausted = "all points run" if self.points.listed else "all trials made"
        elif self.asker.thinks:  # in a thread, so that what runs is looked after meanwhile
            history = self.trials.history()
            self.asking = thinker.submit(self.ask, History(list(history.ended), history.pending))
        else:
            self.admit(self.ask(self.trials.history()))
        return None

    def is_time_over(self) -> bool:
        """Whether no run may start any more."""
        timeout = self.plan.settings.search.timeout
        return timeout is not None and time.monotonic() - self.began >= timeout

    def ask(self, history: History) -> Point | None:
        """Ask the searcher, which may be anybody's: an OSError of it tells nothing of the sweep's disk."""
        try:
            return self.asker.ask(history)
        except OSError as error:
            raise RuntimeError(f"the search {self.plan.settings.search.name!r} fails: {error}") from error

    def admit(self, point: Point | None) -> None:
        """Take a point that the searcher asks for, as often as it is to be run."""
        if point is None:
            self.exhausted = "all points run" if self.points.listed else "the space is exhausted"
        else:
            self.repeat(len(self.trials), point)

    def repeat(self, trial: int, point: Point, *, begin: int | None = None) -> None:
        """Line up the runs of a point."""
        repeats = self.trials.repeats
        for number in range(trial * repeats if begin is None else begin, (trial + 1) * repeats):
            asked = _Asked(number, point, self.points.space.params(point))
            self.journal.write("ask", number=number, point=point_texts(point), params=dict(asked.params))
            self.open(asked)
            self.lined_up.append(number)

    def launch(self, executor: Executor, asked: _Asked) -> None:
        """Make a directory for a run and hand its job to the executor."""
        job = self.prepare(asked)
        if job is None:
            return
        self.trackers.start(job)
        self.view.progress.start(job.number, job.params, time.time())
        try:
            self.live[executor.submit(run_job, job)] = job
        except SweeperError as error:
            self.trackers.finish(job, ended_badly(job, str(error)))
            raise

    def prepare(self, asked: _Asked) -> Job | None:
        """Return a run's job, its directory made; None, and on record, if it cannot be composed."""
        asked.attempts += 1
        try:
            overrides = self.points.overrides(asked.point)
            composed = self.plan.compose(overrides)
            job = self.maker.make(asked.number, asked.attempts, "", composed, overrides, asked.params)
            name = self.maker.subdirectory(job, composed)
        except SweeperError as error:
            if not self.order and not self.live:
                raise
            self.fail(asked, error)
            return None
        asked.resources = {key: values.pop(0) for key, values in self.free.items()}
        job = job._replace(directory=self.begin(asked, name))
        return job._replace(env={**job.env, **asked.resources, **self.trackers.environment(job)})

    def begin(self, asked: _Asked, name: str) -> str:
        """Put the beginning of an attempt on record, and return its directory, made."""
        if asked.directories:  # the second attempt at run 3 is 3.1
            name = f"{asked.directories[0]}.{asked.attempts - 1}"
        name = self.free_name(name)
        asked.directories.append(name)
        more = {"resources": asked.resources} if asked.resources else {}
        self.removed.discard(asked.number)
        self.journal.write("start", number=asked.number, attempt=asked.attempts, directory=name, **more)
        return make_directory(self.place(name), fixed=True)

    def free_name(self, name: str) -> str:
        """Return a directory's name that no run of the sweep has: the name itself, or with -2, -3."""
        for count in itertools.count(1):
            free = name if count == 1 else f"{name}-{count}"
            if free not in self.names and not os.path.exists(os.path.join(self.maker.sweep_directory, free)):
                self.names.add(free)
                return free
        raise AssertionError

    def fail(self, asked: _Asked, error: SweeperError) -> None:
        """Take note of a point whose config cannot be composed, when others could be."""
        asked.resources = None
        directory = self.begin(asked, str(asked.number))
        job = self.maker.make(asked.number, asked.attempts, directory, self.plan.base, (), asked.params)
        outcome = Outcome(FAILED, started=now(), ended=now(), error=str(error))
        os.makedirs(job.records, exist_ok=True)
        write_record(job, outcome)
        self.trackers.start(job)
        self.take(job, outcome)

    def end(self, future: Future[Outcome]) -> None:
        """Take note of a run that has ended, however it did.

        Raises:
            SweeperError: if its worker can make no run of this sweep.
        """
        error = future.exception()
        if isinstance(error, SweeperError):
            raise error
        job = self.live.pop(future)
        self.read_reports([job])
        self.offsets.pop(job.number, None)
        outcome = self.outcome_of(future, job)
        if self.pruner is not None:
            pruned = outcome.status == PRUNED
            if pruned:
                outcome = outcome._replace(last=self.pruner.reached(job.number, outcome.metrics))
            self.pruner.end(job.number, outcome.score, pruned=pruned)
            if self.pruner.note:
                self.view.line(f"note: {self.pruner.note}")
                self.pruner = None
        asked = self.runs[job.number]
        for name, value in (asked.resources or {}).items():
            self.free.setdefault(name, []).insert(0, value)
        asked.resources = None
        if self.makes_again(job, outcome):
            return
        self.take(job, outcome)
        if outcome.status == CANCELLED:  # in this process, by Ctrl-C
            raise KeyboardInterrupt

    def makes_again(self, job: Job, outcome: Outcome) -> bool:
        """Line up another attempt at a run that failed, if the settings allow one."""
        settings = self.plan.settings.launcher
        retries = settings.retries if outcome.cause in settings.causes() else 0
        if outcome.cause == "lost":
            retries = max(settings.retries, _RETRIES_OF_LOST)
        if outcome.status != FAILED or job.attempt > retries or self.reason or self.is_time_over():
            return False
        self.journal.write("end", number=job.number, attempt=job.attempt, again=True, **journaled(outcome))
        self.view.progress.stop(job.number)
        self.view.ended(_result(job, outcome), job.log)
        self.view.line(f"    attempt {job.attempt + 1} of {retries + 1} follows")
        self.lined_up.insert(0, job.number)
        return True

    def outcome_of(self, future: Future[Outcome], job: Job) -> Outcome:
        """Return the outcome of a job; where its process left none, one that says so."""
        error = future.exception()
        if error is None:
            return future.result()
        if not isinstance(error, RunDiedError):
            found = read_record(job.directory)  # of a process that speaks through its files
            if found is not None and found.status in ENDED:
                return found
            words = "the process ended before its run did; see the log"
            return ended_badly(job, words)
        return ended_badly(job, str(error), error.cause)

    def take(self, job: Job, outcome: Outcome) -> None:
        """Record an outcome, everywhere; end the sweep if there is no sense in going on."""
        result = _result(job, outcome)
        self.close(self.runs[job.number], result)
        self.journal.write("end", number=job.number, attempt=job.attempt, **journaled(outcome))
        self.trackers.finish(job, outcome)
        self.view.progress.end(job.number, job.params, outcome)
        self.view.ended(result, job.log)
        self.judge(outcome)

    def judge(self, outcome: Outcome) -> None:
        """End a sweep whose runs all fail, or a search that gets nothing to compare."""
        limit, progress = self.plan.settings.launcher.max_failures, self.view.progress
        if self.plan.settings.launcher.fail_fast and outcome.status == FAILED:
            self.reason = "a run failed (fail_fast)"
        if limit and progress.ended == progress.failed == limit:
            self.reason = f"the first {limit} runs failed"
        settings, trials = self.plan.settings.search, self.trials
        target, objective = settings.target, self.maker.objective
        if target is not None and trials.least is not None and trials.least <= objective.loss(target):
            self.reason = f"the target of {target:g} is reached"
        if settings.patience and trials.least is not None and trials.since >= settings.patience:
            self.reason = f"no better score in {trials.since * trials.repeats} runs"
        usable = outcome.score is not None or outcome.values
        if not self.points.listed and progress.ended == 1 and outcome.status == COMPLETED and not usable:
            self.reason = "no score to search by"
            self.mistake = UsageError(
                f"A search needs a score, and the first run has none: {outcome.note or 'nothing returned'}",
                hint="Return a number, or a dict of metrics and name one with sweeper.objective.metric=NAME.",
            )

    def read_reports(self, jobs: Sequence[Job] | None = None) -> None:
        """Hand on what runs have reported since the last look."""
        for job in self.live.values() if jobs is None else jobs:
            lines, offset = read_reports(job.directory, self.offsets.get(job.number, 0))
            self.offsets[job.number] = offset
            for line in lines:
                self.trackers.log(job, line["metrics"], line["step"], line["time"])
                self.view.progress.report(job.number, line["metrics"], line["step"])
                if self.pruner is not None and self.pruner.report(job.number, line["metrics"], line["step"]):
                    with open(f"{job.records}/stop", "a", encoding="utf-8"):
                        pass  # looked for at the run's next report

    def results(self) -> list[RunResult]:
        """Return the runs that have ended, but for those that people took away."""
        found = (self.runs[number].result for number in self.order if number not in self.removed)
        return [result for result in found if result is not None]

    def write_results(self, *, now: bool = False) -> None:
        """Write results.csv, at most once a second, and in a twentieth of the time."""
        began = time.monotonic()
        if now or began - self.written > self.pause:
            write_results(os.path.join(self.maker.sweep_directory, "results.csv"), self.results())
            self.written = time.monotonic()
            self.pause = max(_RESULTS_EVERY, 20 * (self.written - began))

    def cancel(self, executor: Executor, grace: float) -> None:
        """End what runs; each can be made again by a resumed sweep."""
        executor.stop(grace)
        wait(self.live, timeout=grace + 5)
        for future, job in list(self.live.items()):
            outcome = future.result() if future.done() and future.exception() is None else None
            if outcome is None or outcome.status not in (COMPLETED, PRUNED):
                ended = ended_badly(job, "the sweep was interrupted")
                outcome = ended if ended.status == COMPLETED else ended._replace(status=CANCELLED)
                write_record(job, outcome)
            del self.live[future]
            self.take(job, outcome)


def _result(job: Job, outcome: Outcome) -> RunResult:
    return RunResult(job.number, job.attempt, job.directory, job.params, outcome)


def conduct(sweep: Sweep, launcher: Launcher, program: Program, *, leaving: bool = False) -> str:
    """Drive a sweep to its end, whichever way it ends, and return its status; or leave it to its engine."""
    executor: Executor | None = None
    try:
        with terminable():
            executor = launcher.open(program)
            try:
                if leaving:
                    sweep.left = sweep.leave(cast("Keeper", executor))
                    return RUNNING
                sweep.drive(executor, launcher.slots)
            except KeyboardInterrupt:
                sweep.reason = INTERRUPTED
                if getattr(launcher, "leaves", False):
                    sweep.view.line("interrupted: the runs go on without this process")
                    return RUNNING
                sweep.view.line("interrupted: ending the runs; again to end them at once")
                try:
                    sweep.cancel(executor, sweep.plan.settings.launcher.grace)
                except KeyboardInterrupt:
                    sweep.cancel(executor, 0)
                return CANCELLED
            except SweeperError as error:
                sweep.reason, sweep.mistake = "a mistake", error
                sweep.cancel(executor, sweep.plan.settings.launcher.grace)
                return FAILED
            except Exception as error:  # noqa: BLE001  of a searcher, or our own: raised when all is closed
                if isinstance(error, OSError) and is_of_disk(error):
                    mistake = sweep.mistake = unwritable_sweep(sweep, program, error)
                    sweep.reason = mistake.what
                    executor.stop(sweep.plan.settings.launcher.grace)
                    return FAILED
                sweep.reason, sweep.mistake = f"{type(error).__name__}: {error}", error
                with suppress(OSError):  # as many open files as there may be, or whatever else began it
                    sweep.cancel(executor, sweep.plan.settings.launcher.grace)
                return FAILED
    finally:
        sweep.give_up()
        sweep.view.close()
        if executor is not None:
            with suppress(KeyboardInterrupt):  # what came of the sweep is still to be told
                executor.shutdown()
    return FAILED if any(run.status == FAILED for run in sweep.results()) else COMPLETED


def unwritable_sweep(sweep: Sweep, program: Program, error: OSError) -> RecordError:
    """Return the error for a disk that is full or gone, with the command that goes on."""
    directory = os.path.relpath(sweep.maker.sweep_directory)
    return unwritable(error, THE_RECORDS, directory, how_to_go_on(program, directory))


def how_to_go_on(program: Program, directory: str) -> str:
    """Return the hint for a sweep whose records cannot be written."""
    return f"Make room, then go on with: {words_to_resume(program, directory)}"


def words_to_resume(program: Program, directory: str) -> str:
    """Return what goes on with a sweep: a command, or the call of one that was made from Python."""
    if not program.words:
        return f"sweeper.sweep(…, resume={directory!r})"
    return command_line([*program.words, "--resume", directory])

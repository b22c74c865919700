"""A sweep from its plan to its summary: what is checked and made before the loop, and said after it."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from typing import Any

from .callbacks import Callbacks
from .errors import RecordError, SettingsError, SpaceError, UsageError
from .findings import importances, write_best
from .grammar import show
from .job import bind
from .journal import Earlier, Journal, has_begun, locked, read_journal, write_sweep
from .launch import Launcher, make_launcher
from .live import view_for
from .loop import (
    INTERRUPTED,
    LEFT,
    THE_RECORDS,
    Sweep,
    conduct,
    how_to_go_on,
    unwritable_sweep,
    words_to_resume,
)
from .plan import Plan, directory_of
from .points import Points
from .provenance import git_state, origin
from .prune import make_pruner
from .records import History, Objective, Point, Program, Trial, now
from .results import SweepResult, front_of, standings_of
from .runs import JobMaker, is_setting, link_latest, make_directory, new_id, writing
from .search import Asker, Lister, Searcher, make_searcher
from .settings import SearchSettings
from .track import SweepRecord, find_trackers, open_trackers
from .trials import Trials
from .view import STATUS_ORDER, Ended, Progress, View, command_line, headline, summary
from .warm import Warm, warm_from, warm_start


def run_sweep(
    plan: Plan,
    program: Program,
    *,
    earlier: Earlier | None = None,
    stream: Any = None,
    quiet: bool = False,
) -> SweepResult:
    """Run a plan's sweep to its end and return what came of it.

    Raises:
        SweeperError: for a mistake that shows before, or with, the first run.
    """
    settings = plan.settings
    objective = settings.objective.checked()
    searcher = make_searcher(settings.search)
    pruner = make_pruner(settings.pruner, objective)
    callbacks = Callbacks(settings.callbacks)
    find_trackers(settings.tracker)  # so that a mistake shows before anything is made
    points = checked_points(plan, program, searcher)
    launcher = make_launcher(settings.launcher, program)
    leaving = earlier is None and _is_left(launcher, plan, searcher)
    warm = warm_from(earlier.warm) if earlier is not None else warm_start(settings.search, points, objective)
    first = [*_first_points(points), *warm.first]
    if points.constraints:  # if nothing satisfies them, nothing is to be made
        Asker(searcher, points.space, 0, first).ask(History())
    # In this order: that a cluster is not there is said before anything is made.
    slots, maker = launcher.slots, _job_maker(plan, program, earlier)
    asker = Asker(searcher, points.space, maker.seed or 0, first)
    directory, total = maker.sweep_directory, planned(asker, points)
    record = _record(plan, program, maker)._replace(planned=total, slots=slots)
    with ExitStack() as stack:
        stack.enter_context(_held(directory, program))
        if earlier is None:
            write_sweep(directory, points, record)
            link_latest(settings.sweep.dir, directory, program.folder)
        journal = Journal(os.path.join(directory, "sweep.jsonl"))
        stack.callback(journal.close)
        trackers = open_trackers(settings.tracker, record._replace(resumed=earlier is not None))
        shown = stack.enter_context(_view(plan, total, slots, stream, quiet=quiet))
        trials = Trials(objective, settings.search.repeats, warm.observed)
        sweep = Sweep(points, maker, journal, asker, trackers, shown, trials, pruner)
        _begin(sweep, earlier, warm)
        shown.begin(_headline(sweep, slots))
        _see_through(sweep, launcher, program, callbacks, leaving=leaving)
    if sweep.mistake is not None:
        raise sweep.mistake
    return SweepResult(
        directory, objective, tuple(sorted(sweep.results(), key=lambda run: run.number)), sweep.reason,
        interrupted=sweep.reason == INTERRUPTED, repeats=trials.repeats,
    )  # fmt: skip


def _begin(sweep: Sweep, earlier: Earlier | None, warm: Warm) -> None:
    """Write a sweep's first line; or take up what an earlier process left, and write this one's."""
    maker = sweep.maker
    known: dict[str, Any] = {"seed": maker.seed, "epoch": maker.epoch, "pid": os.getpid()}
    if earlier is None:
        kept = {"warm": warm.journaled()} if sweep.plan.settings.search.warm_start else {}
        sweep.journal.write("begin", **known, overrides=[], **kept)
        return
    # Read again, now that nobody else writes it.
    sweep.restore(read_journal(sweep.journal.path), retry_failed=earlier.retry_failed)
    sweep.tell_trackers(sweep.results())
    sweep.journal.write("resume", **known, overrides=list(earlier.overrides))


def _see_through(
    sweep: Sweep, launcher: Launcher, program: Program, callbacks: Callbacks, *, leaving: bool
) -> None:
    """Drive a sweep to its end, and tell all who are to know what came of it."""
    base = sweep.plan.base
    callbacks.start("on_multirun_start", config=base.config())
    status = conduct(sweep, launcher, program, leaving=leaving)
    callbacks.end("on_multirun_end", config=base.config())
    sweep.trackers.close(status)
    try:
        if sweep.reason != LEFT:
            sweep.write_results(now=True)
        space = sweep.points.space.describe_found()
        sweep.journal.write("stop", reason=sweep.reason, status=status, space=space)
        _say_end(sweep, program)
    except OSError as error:
        sweep.mistake = sweep.mistake or unwritable_sweep(sweep, program, error)


@contextmanager
def _held(directory: str, program: Program) -> Iterator[None]:
    """Hold a sweep's directory; where it cannot be written to, say so."""
    shown = os.path.relpath(directory)
    with writing(THE_RECORDS, shown, how_to_go_on(program, shown)), locked(directory):
        yield


def _view(
    plan: Plan, total: int | None, slots: int, stream: Any, *, quiet: bool
) -> AbstractContextManager[View]:
    progress = Progress(plan.settings.objective.checked(), total, slots, repeats=plan.settings.search.repeats)
    timeout = plan.settings.search.timeout
    if timeout is not None:
        progress.until = time.time() + timeout
    shared = plan.settings.launcher.name == "inline"  # its runs have the terminal themselves
    return closing(view_for(progress, stream=stream, quiet=quiet, shared=shared))


def checked_points(plan: Plan, program: Program, searcher: Searcher | Lister) -> Points:
    """Return the points of a plan, the first of them composed: mistakes show before a run starts.

    Raises:
        SpaceError: if there is nothing to search, or no end of a grid.
        SettingsError: if it is to end by a score that there is not.
    """
    points, objective = Points(plan), plan.settings.objective.checked()
    if objective.several:
        _check_budget(plan.settings.search, objective)
    if points.listed:
        Asker(searcher, points.space, 0).size()  # so that one without end is refused
    elif objective.several and not getattr(searcher, "several", False):
        raise SpaceError(
            f"The search '{plan.settings.search.name}' follows one objective, and there are several: "
            f"{objective.describe()}",
            hint="Name one metric, or use --search tpe, nsga2, sobol or random.",
        )
    elif not points.space.first():
        raise SpaceError(
            "There is nothing to search",
            hint="Give a range such as 'lr=interval(1e-4, 1, log=true)', or declare one under "
            "sweeper.space or _space_.",
        )
    bind(program.function, points.compose(points.space.first()).config())
    points.check()
    return points


def _check_budget(search: SearchSettings, several: Objective) -> None:
    """Refuse what waits for a score, where there is none."""
    for name in ("target", "patience"):
        if getattr(search, name) is not None:
            raise SettingsError(
                f"sweeper.search.{name} follows one score, and the objectives are several",
                f"    {several.describe()}",
                "Leave it out; trials and timeout end such a sweep.",
            )


def _is_left(launcher: Launcher, plan: Plan, searcher: Searcher | Lister) -> bool:
    """Whether the runs are left to the launcher's engine, and no process looks on.

    Raises:
        UsageError: if they are, and scores or what runs report decide what comes next.
    """
    settings = plan.settings
    if not getattr(launcher, "leaves", False):
        return False
    if hasattr(searcher, "ask") and not getattr(searcher, "blind", False):
        raise UsageError(
            f"The search '{settings.search.name}' needs scores, so the sweep cannot be left while it goes on",
            "sweeper.launcher.wait is false",
            "Leave that out, or make a grid or give --search random, sobol or lhs.",
        )
    if settings.pruner.name != "none":
        raise UsageError(
            f"The pruner '{settings.pruner.name}' needs a process that looks on, so the sweep cannot be left",
            "sweeper.launcher.wait is false",
            "Leave out one of the two.",
        )
    return True


def _job_maker(plan: Plan, program: Program, earlier: Earlier | None) -> JobMaker:
    """Return what makes a sweep's jobs, its directory made; or that of an earlier process."""
    objective = plan.settings.objective.checked()
    if earlier is not None:
        git = git_state(program.folder, earlier.directory)
        return JobMaker(
            plan, program, objective, earlier.id, earlier.directory, earlier.seed, earlier.epoch, git
        )
    seed = plan.settings.search.seed
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "big")
    maker = JobMaker(plan, program, objective, new_id(), "", seed, time.time(), None)
    directory = _sweep_directory(plan, program, maker)
    return maker._replace(sweep_directory=directory, git=git_state(program.folder, directory))


def _record(plan: Plan, program: Program, maker: JobMaker) -> SweepRecord:
    settings = plan.settings
    return SweepRecord(
        id=maker.sweep_id, name=settings.name or program.name, directory=maker.sweep_directory, started=now(),
        search=settings.search.name, objective=maker.objective.describe(),
        overrides=tuple(o.text for o in plan.overrides),
        note=settings.note, seed=maker.seed, folder=program.folder, redact=settings.redact(),
        here=settings.launcher.name == "inline", repeats=settings.search.repeats,
        origin=origin(program, maker.git, settings.redact()),
    )  # fmt: skip


def _first_points(points: Points) -> list[Point]:
    """Return the points to try before any that a searcher asks for: the config's own, and those listed."""
    found = [points.space.first()]
    for number, values in enumerate(points.plan.settings.search.first):
        where = f"in sweeper.search.first, point {number + 1}"
        if not isinstance(values, Mapping):
            raise SpaceError(f"A point maps keys to values; {show(values)} does not", where)
        point = points.point_of(values, where)
        if point is not None and not points.space.allows(point):
            raise SpaceError("The constraints forbid the point", where)
        found += [point] if point is not None else []
    return found


def planned(asker: Asker, points: Points) -> int | None:
    """Return how many runs there will be, where that is known."""
    settings, size = points.plan.settings.search, asker.size()
    if size is not None and points.constraints:
        return None  # to know it would be to try them all
    known = [count for count in (points.limit, size) if count is not None]
    return min(known) * settings.repeats if known else None


def _headline(sweep: Sweep, slots: int) -> str:
    settings = sweep.plan.settings
    total = sweep.view.progress.total
    each = f", {sweep.trials.repeats} of each point" if sweep.trials.repeats > 1 else ""
    objective = "" if sweep.points.listed else sweep.maker.objective.describe()
    done = f", {len(sweep.order)} of them made before" if sweep.order else ""
    note = ""
    if sweep.points.listed and sweep.plan.base.space:
        note = "\nnote: a grid does not search what _space_ declares; give a search, such as --search tpe"
    first = headline(settings.search.name, total, slots, objective, each)
    return f"{first}{done}\nin {os.path.relpath(sweep.maker.sweep_directory)}{note}"


def _sweep_directory(plan: Plan, program: Program, maker: JobMaker) -> str:
    template = plan.settings.sweep.dir
    facts = maker.facts(maker.hydra_facts(plan.base, [o.text for o in plan.overrides]), number=0, id="")
    path = os.path.join(program.folder, directory_of(template, plan.base, facts))
    fixed = "${now" not in template
    if fixed and has_begun(path):
        raise RecordError(
            f"There is a sweep in {path} already",
            hint=f"To go on with it: --resume {path}. To begin anew, name another sweeper.sweep.dir.",
        )
    return make_directory(path, fixed=fixed)


def _say_end(sweep: Sweep, program: Program) -> None:
    """Print what came of a sweep, and write its best point as a file."""
    results, objective, searching = sweep.results(), sweep.maker.objective, not sweep.points.listed
    directory = os.path.relpath(sweep.maker.sweep_directory)
    resume = words_to_resume(program, directory)
    if sweep.reason == LEFT:
        collect = f"wait for them, and collect what came of them, with  {resume}"
        sweep.view.last([f"{sweep.left}; they go on without this process", collect])
        return
    counts = {status: sum(r.status == status for r in results) for status in STATUS_ORDER}
    standings = standings_of(results, objective, sweep.trials.repeats).ranked()
    repeat = experiment = ""
    if standings:
        overrides = sweep.points.overrides(sweep.runs[standings[0].first.number].point)
        texts = [o for o in overrides if not is_setting(o)]
        if program.words:
            repeat = command_line([*program.words, *program.flags, *(o.text for o in texts)])
        said = f"{objective.describe()}: {standings[0].describe()}, run {standings[0].first.number}"
        best = write_best(sweep.maker.sweep_directory, texts, sweep.plan, said)
        experiment = os.path.relpath(best.path)
        if best.overrides and program.words:
            experiment = command_line([*program.words, *program.flags, *best.overrides])
        if sweep.trials.repeats > 1 and not any(standing.spread for standing in standings):
            sweep.view.line(
                "note: all runs of a point agree; repeats tell something where the function draws from "
                "random, numpy or torch, or from sweeper.current_run().seed"
            )
    ended = Ended(
        reason=sweep.reason, directory=directory, objective=objective, counts=counts,
        seconds=time.monotonic() - sweep.began, searching=searching, standings=standings,
        front=front_of(results, objective) if objective.several else [],
        importances=importances(sweep.points.space.active, History(sweep.trials.own)) if searching else {},
        repeat=repeat, experiment=experiment, resume=resume if sweep.reason == INTERRUPTED else "",
    )  # fmt: skip
    sweep.view.last(summary(ended))


def dry_run(plan: Plan, program: Program, write: Callable[[str], None]) -> None:
    """List the command lines of a sweep's runs, and run none."""
    settings = plan.settings.search
    searcher = make_searcher(settings)
    points = checked_points(plan, program, searcher)
    warm = warm_start(settings, points, plan.settings.objective.checked())
    asker = Asker(searcher, points.space, settings.seed or 0, [*_first_points(points), *warm.first])
    limit = points.limit
    if asker.thinks:
        limit = len(asker.first[:limit])
        write("# the first runs; what comes next is decided by the scores")
    elif not points.listed and settings.seed is None:
        write("# with the seed 0; one is drawn where sweeper.search.seed is null")
    asked: list[Trial] = []
    for _ in itertools.count() if limit is None else range(limit):
        point = asker.ask(History((), asked))
        if point is None:
            break
        asked.append(Trial(len(asked), point))
        overrides = points.overrides(point)
        plan.compose(overrides)
        texts = [o.text for o in overrides if not is_setting(o)]
        line = command_line([*program.words, *program.flags, *texts])
        for _ in range(settings.repeats):
            write(line)

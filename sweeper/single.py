"""A single run: a sweep of one point, in this process.

The same job, records and trackers as a sweep's runs; only the terminal stays the user's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from . import yamls
from .callbacks import Callbacks
from .current import read_reports
from .job import Result, call
from .output import teed, terminable
from .plan import Plan, directory_of
from .provenance import GitDiff, git_head, origin
from .records import Program, now
from .runs import JobMaker, is_setting, link_latest, make_directory, new_id, params_of, writing
from .track import SweepRecord, open_trackers


def run_single(
    plan: Plan,
    program: Program,
    *,
    chdir: bool,
    seed: int | None = None,
    tags: Mapping[str, str] | None = None,
) -> Result:
    """Run a plan without sweeps, and return what came of it."""
    settings = plan.settings
    epoch, run_id = time.time(), new_id()
    git = git_head(program.folder)
    maker = JobMaker(plan, program, settings.objective.checked(), run_id, "", None, epoch, git)
    template = settings.run.dir
    texts = [o.text for o in plan.overrides if not is_setting(o)]
    facts = maker.facts(maker.hydra_facts(plan.base, texts), number=0, id=run_id)
    path = os.path.join(program.folder, directory_of(template, plan.base, facts))
    directory = make_directory(path, fixed="${now" not in template)
    link_latest(template, directory, program.folder)
    with writing("The run's records", directory, "Make room, or set another with sweeper.run.dir."):
        return _run_in(directory, maker, tuple(texts), chdir=chdir, seed=seed, tags=tags)


def _run_in(
    directory: str,
    maker: JobMaker,
    texts: tuple[str, ...],
    *,
    chdir: bool,
    seed: int | None,
    tags: Mapping[str, str] | None,
) -> Result:
    plan, program, git, settings = maker.plan, maker.program, maker.git, maker.plan.settings
    made = maker.make(0, 1, directory, plan.base, plan.overrides, params_of(plan.overrides))
    job = made._replace(capture=False, chdir=chdir, seed=seed)
    os.makedirs(job.records, exist_ok=True)
    record = SweepRecord(
        id=maker.sweep_id, name=settings.name or program.name, directory=directory,
        started=now(), objective=maker.objective.describe(), overrides=texts,
        note=settings.note, folder=program.folder, redact=settings.redact(), here=True,
        origin=origin(program, git, settings.redact()),
    )  # fmt: skip
    kept = {
        "name": record.name, "note": record.note or None, "objective": record.objective,
        **record.origin, "config_name": plan.primary, "sweeper": plan.base.settings,
        **({"hydra": plan.base.hydra} if plan.base.hydra else {}),
    }  # fmt: skip
    yamls.write(f"{job.records}/origin.yaml", kept)
    diff = GitDiff(program.folder, f"{job.records}/git.diff") if git else None
    callbacks = Callbacks(settings.callbacks)
    callbacks.start("on_run_start", config=plan.base.config())
    trackers = open_trackers(settings.tracker, record)
    job = job._replace(env={**job.env, **trackers.environment(job)})
    trackers.start(job)
    result, read = None, 0

    def look() -> None:
        nonlocal read
        lines, read = read_reports(directory, read)
        for line in lines:
            trackers.log(job, line["metrics"], line["step"], line["time"])

    try:
        with teed(job.log), terminable():
            result = call(job, lambda: program.function, tags, look if trackers.lines else None)
    finally:
        callbacks.end("on_run_end", config=plan.base.config())
        dirty = diff.end() if diff is not None else None
        if result is not None:
            trackers.finish(job._replace(git={**git, "dirty": dirty} if git else None), result.outcome)
            trackers.close(result.outcome.status)
    return result

"""Making runs: their directories, and the jobs that processes get."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .composition import Composed
from .errors import RecordError
from .grammar import Override
from .plan import Plan, directory_of
from .records import Job, Objective, Point, Program, derive_seed


def new_id() -> str:
    """Return an id for a sweep or a single run: sortable by time."""
    return time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(3)


def make_directory(path: str, *, fixed: bool) -> str:
    """Create a directory and return its absolute path; a taken one gets -2, -3, … unless fixed."""
    path = os.path.abspath(path)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        count, found = 1, path
        while True:
            try:
                os.mkdir(found)
            except FileExistsError:
                if fixed:
                    return found
                count += 1
                found = f"{path}-{count}"
            else:
                return found
    except OSError as error:
        raise RecordError(
            f"Cannot make the directory {path}: {error.strerror}", hint="Set another with sweeper.sweep.dir "
            "or sweeper.run.dir."
        ) from None


def link_latest(template: str, directory: str, folder: str) -> None:
    """Point `latest`, beside the first part of a template that has a time in it, to a directory."""
    fixed, found, _ = template.partition("${")
    if not found:
        return
    link = os.path.join(folder, os.path.dirname(fixed) if "/" in fixed else "", "latest")
    aside = f"{link}.{os.getpid()}.tmp"
    with suppress(OSError):  # a convenience, where links can be made
        if os.path.islink(link) or not os.path.exists(link):
            os.symlink(os.path.relpath(directory, os.path.dirname(link)), aside)
            os.replace(aside, link)


# -------------------------------------------------------------------------------------------- jobs


@dataclass(slots=True)
class JobMaker:
    """Makes the jobs of a sweep, or the one job of a single run."""

    plan: Plan
    program: Program
    objective: Objective
    sweep_id: str
    sweep_directory: str  # empty for a single run
    seed: int | None
    epoch: float
    git: Mapping[str, Any] | None

    def make(self, number: int, attempt: int, point: Point, directory: str, composed: Composed) -> Job:
        """Return the job of a point."""
        plan, settings = self.plan, self.plan.settings
        overrides = [o for o in plan.point_overrides(point) if not is_setting(o)]
        texts = tuple(o.text for o in overrides)
        single = not self.sweep_directory
        params = {o.name: _param(o) for o in overrides} if single else plan.space.params(point)
        program = self.program
        hydra = {
            "job": {"override_dirname": ",".join(sorted(texts)), "config_name": plan.primary},
            "runtime": {"choices": dict(composed.choices)},
        }
        return Job(
            number=number,
            attempt=attempt,
            directory=directory,
            config=composed.tree,
            function=program.ref,
            params=params,
            overrides=texts,
            argv=(program.argv[0] if program.argv else "", *program.flags, *texts),
            name=settings.job.name or program.name,
            sweep_id=self.sweep_id,
            sweep_directory=self.sweep_directory,
            seed=None if self.seed is None else derive_seed(self.seed, "run", number),
            objective=self.objective,
            chdir=settings.job.chdir,
            folder=program.folder,
            path=program.path,
            env={key: str(value) for key, value in settings.job.env.items()},
            epoch=self.epoch,
            git=self.git,
            hydra=hydra,
        )

    def subdirectory(self, number: int, point: Point, composed: Composed) -> str:
        """Return the name of a run's directory in the sweep's."""
        template = self.plan.settings.sweep.subdir
        if template == "${sweeper:run.number}":
            return str(number)
        preview = self.make(number, 1, point, self.sweep_directory, composed)
        facts = {
            "sweeper": {"run": {"number": number, "id": preview.id}, "sweep": {"dir": self.sweep_directory}},
            "hydra": {**preview.hydra, "job": {**preview.hydra["job"], "num": number, "name": preview.name}},
            "now": time.localtime(self.epoch),
        }
        return directory_of(template, composed, facts)


def is_setting(override: Override) -> bool:
    return override.name.startswith(("sweeper.", "sweeper/", "hydra.", "hydra/"))


def _param(override: Override) -> Any:
    return "(deleted)" if override.sign == "~" else override.value



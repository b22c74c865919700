"""Making runs: their directories, and the jobs that processes get."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from . import trees
from .composition import Composed
from .errors import RecordError
from .grammar import Override
from .plan import OWN, Plan, directory_of
from .records import Job, Objective, Program, derive_seed


def new_id() -> str:
    """Return an id for a sweep or a single run: sortable by time."""
    return time.strftime("%Y%m%d-%H%M%S-") + os.urandom(3).hex()


def make_directory(path: str, *, fixed: bool) -> str:
    """Create a directory and return its absolute path; a taken one gets -2, -3, … unless fixed."""
    path = os.path.abspath(path)
    count, found = 1, path
    try:
        while True:
            try:
                os.mkdir(found)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(path), exist_ok=True)
            except FileExistsError:
                if fixed and os.path.isdir(found):
                    return found
                if fixed:
                    raise
                count += 1
                found = f"{path}-{count}"
            else:
                return found
    except OSError as error:
        raise RecordError(
            f"Cannot make the directory {path}: {error.strerror}",
            hint="Set another with sweeper.sweep.dir or sweeper.run.dir.",
        ) from None


def link_latest(template: str, directory: str, folder: str) -> None:
    """Point `latest` to a directory, beside the first part of a template that has a time in it."""
    if "${now" not in template:
        return
    fixed = template.partition("${")[0]
    link = os.path.join(folder, os.path.dirname(fixed) if "/" in fixed else "", "latest")
    aside = f"{link}.{os.getpid()}.tmp"
    with suppress(OSError):  # a convenience, where links can be made
        if os.path.islink(link) or not os.path.exists(link):
            os.symlink(os.path.relpath(directory, os.path.dirname(link)), aside)
            os.replace(aside, link)


_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.EACCES, errno.EPERM)


def is_of_disk(error: OSError) -> bool:
    """Whether it is the error of a disk that is full or gone."""
    return error.errno in _DISK


def unwritable(error: OSError, what: str, where: str, hint: str) -> RecordError:
    """Return the error for a disk that is full or gone; what else it may be is a bug, and raised again."""
    if not is_of_disk(error):
        raise error
    return RecordError(
        f"{what} cannot be written: {error.strerror or error}", str(error.filename or where), hint
    )


@contextmanager
def writing(what: str, where: str, hint: str) -> Iterator[None]:
    """Turn the error of a disk that is full or gone into one that says so."""
    try:
        yield
    except OSError as error:
        raise unwritable(error, what, where, hint) from None


# -------------------------------------------------------------------------------------------- jobs


class JobMaker(NamedTuple):
    """Makes the jobs of a sweep, or the one job of a single run."""

    plan: Plan
    program: Program
    objective: Objective
    sweep_id: str
    sweep_directory: str  # empty for a single run
    seed: int | None
    epoch: float
    git: Mapping[str, Any] | None

    def make(
        self,
        number: int,
        attempt: int,
        directory: str,
        composed: Composed,
        overrides: Sequence[Override],
        params: Mapping[str, Any],
    ) -> Job:
        """Return the job of a run."""
        settings, program = self.plan.settings, self.program
        texts = tuple(o.text for o in overrides if not is_setting(o))
        hydra = self.hydra_facts(composed, texts)
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
            chdir=bool(settings.job.chdir),
            folder=program.folder,
            path=program.path,
            env={key: str(value) for key, value in settings.job.env.items()},
            memory=settings.launcher.memory if isinstance(settings.launcher.memory, int) else None,
            epoch=self.epoch,
            git=self.git,
            typed=composed.typed,
            callbacks=settings.callbacks,
            output_subdir=composed.hydra.get("output_subdir"),
            hydra=hydra,
            logging=settings.job.logging,
            redact=settings.redact(),
            verbose=settings.job.loggers(),
        )

    def brief(self, number: int, attempt: int, directory: str) -> Job:
        """Return a run's job with nothing but what tells which one it is."""
        return Job(
            number, attempt, directory, {}, self.program.ref, sweep_id=self.sweep_id,
            sweep_directory=self.sweep_directory, folder=self.program.folder,
        )  # fmt: skip

    def hydra_facts(self, composed: Composed, texts: Sequence[str]) -> dict[str, Any]:
        """Return what Hydra's node would say of a run, as far as it is known before the run."""
        node: dict[str, Any] = trees.copy(dict(composed.hydra))
        known = {
            "job": {
                "name": self.plan.settings.job.name or self.program.name,
                "override_dirname": _dirname(node, texts),
                "config_name": self.plan.primary,
            },
            "runtime": {
                "choices": dict(composed.choices),
                "config_sources": self.plan.search.table(),
                "cwd": self.program.folder,
                "version": "1.3.8",
                "version_base": "1.1" if self.plan.search.legacy else "1.3",
            },
            "overrides": {"task": list(texts), "hydra": _hydras(self.plan.overrides)},
            "mode": "MULTIRUN" if self.sweep_directory else "RUN",
        }
        trees.merge(node, known)
        return node

    def facts(self, hydra: Mapping[str, Any], **run: Any) -> dict[str, Any]:
        """Return what directories are named from."""
        job = {**hydra["job"], "id": str(run["number"]), "num": run["number"]}
        return {
            "sweeper": {"run": run, "sweep": {"dir": self.sweep_directory}, "job": {"name": job["name"]}},
            "hydra": {**hydra, "job": job, "sweep": {**hydra.get("sweep", {}), "dir": self.sweep_directory}},
            "now": time.localtime(self.epoch),
        }

    def subdirectory(self, job: Job, composed: Composed) -> str:
        """Return the name of a run's directory in the sweep's."""
        template = self.plan.settings.sweep.subdir
        if template == "${sweeper:run.number}":
            return str(job.number)
        return directory_of(template, composed, self.facts(job.hydra, number=job.number, id=job.id))


def _dirname(hydra: Mapping[str, Any], texts: Sequence[str]) -> str:
    """Return the overrides as a part of a directory's name, as Hydra writes it."""
    rules = {"kv_sep": "=", "item_sep": ",", "exclude_keys": []}
    found = ((hydra.get("job") or {}).get("config") or {}).get("override_dirname")
    rules.update(found or {})
    kept = (text for text in texts if text.partition("=")[0].lstrip("+~") not in rules["exclude_keys"])
    return str(rules["item_sep"]).join(sorted(kept)).replace("=", str(rules["kv_sep"]))


def _hydras(overrides: Sequence[Override]) -> list[str]:
    return [o.text for o in overrides if o.name.startswith(("hydra.", "hydra/"))]


def is_setting(override: Override) -> bool:
    """Whether an override is one of the program's own settings, and no param of a run."""
    return override.name.startswith(OWN)


def params_of(overrides: Sequence[Override]) -> dict[str, Any]:
    """Return the params of a single run: its overrides."""
    return {o.name: "(deleted)" if o.sign == "~" else o.value for o in overrides if not is_setting(o)}

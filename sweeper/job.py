"""One run: the only code that a worker enters.

`run_job` takes a `Job`, calls the training function with the job's config, and returns an `Outcome`,
which is also a file, `.sweeper/run.yaml`. `python -m sweeper.job DIR` does the same for the job that
lies in a directory, so that every engine runs the same thing.

It raises nothing but what a debugger or an interrupt must see: whatever happens in the function is
an outcome.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from . import current, nodes, resolve, yamls
from .entry import find_function, import_main, written
from .errors import ConfigError, Pruned, UsageError
from .output import captured, leave, logged
from .records import CANCELLED, COMPLETED, FAILED, PRUNED, RUNNING, FunctionRef, Job, Objective, Outcome, now
from .redact import hides
from .score import Score, score_of


def bind(function: Callable[..., Any], config: Any) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments for a training function.

    One parameter, or one named `cfg` or annotated `DictConfig`, takes the whole config; of several,
    each takes the config's key of its name, or keeps its default.

    Raises:
        UsageError: if a parameter has neither.
    """
    import inspect

    parameters = list(inspect.signature(function).parameters.values())
    usual = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    required = [p for p in usual if p.default is p.empty]
    schema = schema_of(function)
    whole = [p for p in usual if p.name in ("cfg", schema[0]) or "DictConfig" in str(p.annotation)]
    if len(usual) == 1 and (required or len(parameters) == 1):
        whole = usual
    elif not usual and any(p.kind == p.VAR_POSITIONAL for p in parameters):
        return [config], {}
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for p in usual:
        if whole and p is whole[0]:
            value = config
        elif p.name in config:
            value = _value_of(p.name, function, config)
        elif p.default is not p.empty:
            continue
        else:
            if p.name in list(config):
                raise UsageError(
                    f"{written(function).__name__}() takes '{p.name}', which has no value: it is ???",
                    hint=f"Give it one: {p.name}=…",
                )
            raise UsageError(
                f"{written(function).__name__}() takes '{p.name}', but the config has no such key",
                hint=f"It has {', '.join(map(str, config))}. Name one parameter cfg to get all of it.",
            )
        if p.kind == p.POSITIONAL_ONLY:
            args.append(value)
        else:
            kwargs[p.name] = value
    return args, kwargs


def _value_of(name: str, function: Callable[..., Any], config: Any) -> Any:
    try:
        return config[name]
    except Exception as error:  # noqa: BLE001  resolvers are anybody's code
        what = f"{written(function).__name__}() takes '{name}', which cannot be resolved"
        raise UsageError(what, hint=str(error).partition("\n")[0]) from None


# -------------------------------------------------------------------------------------- the process


def host_name() -> str:
    """Return this machine's name, as runs record it."""
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")


def seed_everything(seed: int) -> None:
    """Seed `random`, and numpy and torch where they are loaded."""
    import random

    random.seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)


def schema_of(function: Callable[..., Any]) -> tuple[str, Any]:
    """Return the parameter annotated with a dataclass or an attrs class, and the class, if any."""
    function = written(function)
    notes = getattr(function, "__annotations__", {})
    for name, note in notes.items():
        if name == "return" or note in ("DictConfig", "str", "int", "float", "bool"):
            continue
        found = note
        if isinstance(note, str):
            found = getattr(function, "__globals__", {}).get(note.partition("[")[0])
        if isinstance(found, type) and (
            hasattr(found, "__dataclass_fields__") or hasattr(found, "__attrs_attrs__")
        ):
            return name, found
    return "", None


@contextmanager
def surroundings(job: Job) -> Iterator[None]:
    """Give the process the environment, folder and command line of a run, and put them back."""
    environment = {
        **{str(key): str(value) for key, value in job.env.items()},
        "SWEEPER_RUN_DIR": job.directory,
        "SWEEPER_RUN_MAIN": job.function.identity,
    }
    before = {key: os.environ.get(key) for key in environment}
    argv, folder = sys.argv, os.getcwd()
    os.environ.update(environment)
    if job.argv:
        sys.argv = list(job.argv)
    if job.chdir:
        os.chdir(job.directory)
    elif job.folder and job.folder != folder:
        os.chdir(job.folder)
    try:
        yield
    finally:
        if "MLFLOW_RUN_ID" in job.env:
            _end_fluent_runs()
        sys.argv = argv
        os.chdir(folder)
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def _end_fluent_runs() -> None:
    """End what the function has open in MLflow: it is of this run, not of the next in this process."""
    mlflow = sys.modules.get("mlflow")
    if mlflow is not None:
        with suppress(Exception):  # it may be half imported, or its server gone
            while mlflow.active_run() is not None:
                mlflow.end_run()


@contextmanager
def limited(job: Job) -> Iterator[None]:
    """Keep this process to the memory of a run; what goes beyond is a MemoryError."""
    if job.memory is None or not job.capture:
        yield
        return
    try:
        import resource
    except ImportError:  # not on Windows
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (job.memory, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


# --------------------------------------------------------------------------------------- the record


def write_record(job: Job, outcome: Outcome) -> None:
    """Write the run's `run.yaml`."""
    yamls.write(
        f"{job.records}/run.yaml",
        {
            "id": job.id,
            "number": job.number,
            "attempt": job.attempt,
            **({"restarts": job.restarts} if job.restarts else {}),
            "status": outcome.status,
            "started": outcome.started or None,
            "ended": outcome.ended or None,
            "seconds": outcome.seconds,
            "score": outcome.score,
            "metrics": dict(outcome.metrics),
            **({"values": list(outcome.values)} if outcome.values else {}),
            "params": dict(job.params),
            "error": outcome.error or None,
            "note": outcome.note or None,
            "host": outcome.host,
            "pid": outcome.pid,
            "seed": job.seed,
            "git": dict(job.git) if job.git else None,
            **({"tags": dict(outcome.tags)} if outcome.tags else {}),
            **({"artifacts": list(outcome.artifacts)} if outcome.artifacts else {}),
            **({"inputs": [dict(entry) for entry in outcome.inputs]} if outcome.inputs else {}),
        },
    )


def read_record(directory: str) -> Outcome | None:
    """Return the outcome that a run's `run.yaml` holds, or None if there is none to read."""
    try:
        record = yamls.read(f"{directory}/.sweeper/run.yaml")
        return _outcome_of(record) if isinstance(record, dict) and "status" in record else None
    except (OSError, ValueError, TypeError, ConfigError):  # damaged, as a power cut may leave it
        return None


def _outcome_of(record: Mapping[str, Any]) -> Outcome:
    return Outcome(
        status=record["status"],
        score=record.get("score"),
        metrics=record.get("metrics") or {},
        values=tuple(record.get("values") or ()),
        started=record.get("started") or "",
        ended=record.get("ended") or "",
        seconds=record.get("seconds") or 0.0,
        error=record.get("error") or "",
        note=record.get("note") or "",
        host=record.get("host") or "",
        pid=record.get("pid") or 0,
        tags=record.get("tags") or {},
        artifacts=tuple(record.get("artifacts") or ()),
        inputs=tuple(record.get("inputs") or ()),
    )


def write_config(job: Job) -> None:
    """Write what the function gets, and the overrides that made it."""
    os.makedirs(job.records, exist_ok=True)
    folders = {job.records}
    if job.output_subdir and job.output_subdir != ".sweeper":
        folders.add(os.path.join(job.directory, job.output_subdir))
        os.makedirs(os.path.join(job.directory, job.output_subdir), exist_ok=True)
    config, overrides = yamls.dump(job.config), yamls.dump(list(job.overrides))
    for folder in folders:
        with open(f"{folder}/config.yaml", "w", encoding="utf-8") as file:
            file.write(config)
        with open(f"{folder}/overrides.yaml", "w", encoding="utf-8") as file:
            file.write(overrides)


def _shown(path: str, job: Job) -> str:
    """Return a path as Hydra tells it: relative to the folder of the start, if it lies in there."""
    return path.removeprefix(f"{job.folder}/") if job.folder else path


def facts_of(job: Job) -> dict[str, Any]:
    """Return what `${sweeper:…}` and `${hydra:…}` resolve from, inside a run."""
    sweeper = {
        "run": {"dir": job.directory, "number": job.number, "id": job.id, "seed": job.seed},
        "sweep": {"dir": job.sweep_directory},
        "job": {"name": job.name},
    }
    hydra = {
        **job.hydra,
        "run": {"dir": _shown(job.directory, job)},
        "sweep": {"dir": _shown(job.sweep_directory, job), "subdir": os.path.basename(job.directory)},
        "job": {**job.hydra.get("job", {}), "name": job.name, "num": job.number, "id": job.id},
        "runtime": {**job.hydra.get("runtime", {}), "output_dir": job.directory, "cwd": job.folder},
    }
    return {"sweeper": sweeper, "hydra": hydra, "now": time.localtime(job.epoch or None)}


# ------------------------------------------------------------------------------------------- a run


class Result(NamedTuple):
    """An outcome, with what cannot leave the process: the value, or the exception."""

    outcome: Outcome
    value: Any = None
    exception: BaseException | None = None


def run_job(job: Job) -> Outcome:
    """Make a run in a worker's process, and return what came of it."""
    os.makedirs(job.records, exist_ok=True)
    with captured(job.log) if job.capture else nullcontext():
        return call(job, lambda: find_function(job.function)).outcome


def call(
    job: Job,
    function: Callable[[], Callable[..., Any]],
    tags: Mapping[str, str] | None = None,
    look: Callable[[], None] | None = None,
) -> Result:
    """Make a run in this process: the records, the function's call, the score.

    `look` is called every now and then while the function is: see `current.watched`.
    """
    resolve.register()
    started, clock = now(), time.perf_counter()
    host, pid = host_name(), os.getpid()
    write_job(job)
    for name in ("metrics.jsonl", "stop"):  # of an earlier run in a directory that the user fixed
        with suppress(FileNotFoundError):
            os.unlink(f"{job.records}/{name}")
    write_record(job, Outcome(RUNNING, started=started, host=host, pid=pid))
    value: Any = None
    exception: BaseException | None = None
    status, error, cause = COMPLETED, "", ""
    with current.inside(job) as run, current.watched(look):
        run.tags.update(tags or {})
        try:
            value = _call(job, function)
        except Pruned:
            status = PRUNED
        except (SystemExit, KeyboardInterrupt) as end:
            exception = end
            if by := _cut_short(end):
                status, error = CANCELLED, "KeyboardInterrupt"
                if job.capture:  # Ctrl-C goes to the launching process; here it is a signal like any other
                    status, error, cause = FAILED, f"the process was killed by {by}", "died"
            elif isinstance(end, SystemExit) and end.code not in (None, 0):
                status, error, cause = FAILED, f"SystemExit: {end.code}", "error"
        except BaseException as end:  # noqa: BLE001  whatever it is, it is this run's alone
            status, exception, cause = FAILED, end, "error"
            frames = own_frames(end.__traceback__)
            error = "".join(traceback.format_exception(type(end), end, frames))
            if job.capture:
                sys.stderr.write(error)
            if run.was_pruned:  # in a process of its own, or what called it raised an error instead
                status, exception, error, cause = PRUNED, None, "", ""
    try:
        said = score_of(value, job.objective, run.last_metrics())
    except Exception as end:  # noqa: BLE001  a value that breaks when it is looked at
        said = Score(None, dict(run.metrics), note=f"the value cannot be read: {end!r:.100}")
    completed = status == COMPLETED
    outcome = Outcome(
        status=status,
        score=said.score if completed else None,
        metrics=said.metrics,
        values=said.values if completed else (),
        started=started,
        ended=now(),
        seconds=round(time.perf_counter() - clock, 4),
        error=yamls.encodable(error),  # trackers send it everywhere
        cause=cause,
        note=said.note if completed else "",
        host=host,
        pid=pid,
        tags=run.tags,
        artifacts=tuple(run.artifacts),
        inputs=tuple(run.inputs),
    )
    write_record(job, outcome)
    return Result(outcome, value, exception)


def _cut_short(end: SystemExit | KeyboardInterrupt) -> str:
    """Return the signal that ended the function, or nothing where that exits by itself.

    Lightning turns SIGTERM into an exit of a class of its own, and Ctrl-C into `exit(1)`.
    """
    if isinstance(end, KeyboardInterrupt) or isinstance(end.__context__, KeyboardInterrupt):
        return "SIGINT"
    return "" if type(end) is SystemExit or end.code else "SIGTERM"


def join(job: Job, function: Callable[..., Any]) -> Any:
    """Call the function for a run that another process owns: the same config and directory, no record."""
    resolve.register()
    schema = schema_of(function)[1]
    with current.inside(job, helping=True), resolve.facts_of_run(facts_of(job)):
        config = job.typed if job.typed is not None else nodes.build(job.config, struct=True)
        if job.typed is None and schema is not None:  # its class could not be pickled
            from omegaconf import OmegaConf

            config = OmegaConf.merge(OmegaConf.structured(schema), config)
        args, kwargs = bind(function, config)
        return function(*args, **kwargs)


def _call(job: Job, function: Callable[[], Callable[..., Any]]) -> Any:
    known = facts_of(job)
    logging = resolve.resolve(job.logging, {**job.config, "hydra": known["hydra"]}, "the logging")
    with surroundings(job), limited(job), resolve.facts_of_run(known), logged(logging, job.verbose, job.log):
        found = function()
        if job.seed is not None:
            seed_everything(job.seed)
        config = job.typed if job.typed is not None else nodes.build(job.config, struct=True)
        if resolve.has_interpolation(job.config):
            hidden = partial(hides, patterns=job.redact)
            yamls.write(f"{job.records}/resolved.yaml", resolve.resolved(job.config, config, hidden))
        args, kwargs = bind(found, config)
        if not job.callbacks:
            return found(*args, **kwargs)
        return _call_told(job, found, config, lambda: found(*args, **kwargs))


def _call_told(job: Job, function: Callable[..., Any], config: Any, call: Callable[[], Any]) -> Any:
    """Make the call between those of the callbacks."""
    from .callbacks import Callbacks, JobReturn, JobStatus

    callbacks = Callbacks(job.callbacks)
    callbacks.start("on_job_start", config=config, task_function=function)
    status, value = JobStatus.FAILED, None
    try:
        value = call()
        status = JobStatus.COMPLETED
    except BaseException as error:
        value = error
        raise
    finally:
        came = JobReturn(value, status, config, job.overrides, job.directory, job.name)
        callbacks.end("on_job_end", config=config, job_return=came)
    return value


def own_frames(frames: Any) -> Any:
    """Return the part of a traceback that is the user's: below this file's own frames."""
    users = (at for at in all_frames(frames) if at.tb_frame.f_code.co_filename != __file__)
    return next(users, frames)


def all_frames(frames: Any) -> Iterator[Any]:
    """Yield the entries of a traceback, the outermost first."""
    while frames is not None:
        yield frames
        frames = frames.tb_next


def ended_badly(job: Job, error: str, cause: str = "died") -> Outcome:
    """Return the outcome of a run whose process is gone, and write it into its record."""
    before = read_record(job.directory)
    if before is not None and before.status == COMPLETED:
        return before
    started = before.started if before else ""
    lasted = datetime.now().astimezone() - datetime.fromisoformat(started) if started else timedelta()
    outcome = Outcome(
        status=FAILED,
        started=started,
        ended=now(),
        seconds=max(0.0, round(lasted.total_seconds(), 3)),  # the clock may have been set back
        error=error,
        cause=cause,
        host=before.host if before else "",
        pid=before.pid if before else 0,
        metrics=current.last_metrics(job.directory),
    )
    os.makedirs(job.records, exist_ok=True)
    write_record(job, outcome)
    return outcome


# ------------------------------------------------------------------------- a job that lies in a file


def write_job(job: Job) -> None:
    """Write a job into its directory: for a process that shares nothing but the file system, or joins."""
    write_config(job)
    content = job._asdict()
    del content["config"]  # it lies beside, as people read it
    if content.pop("typed") is not None:
        with suppress(pickle.PicklingError, AttributeError, TypeError):  # a class that has no name
            typed = pickle.dumps(job.typed)
            with open(f"{job.records}/config.pickle", "wb") as file:
                file.write(typed)
    content["function"], content["objective"] = job.function._asdict(), job.objective._asdict()
    with open(f"{job.records}/job.json", "w", encoding="utf-8", opener=_private) as file:
        file.write(json.dumps(content, default=str))


def _private(path: str, flags: int) -> int:
    """Open a file that nobody else may read: `sweeper.job.env` stands there resolved, keys and all.

    The other records keep such interpolations as they were typed, so their mode is the umask's.
    """
    return os.open(path, flags, 0o600)


def read_job(directory: str, *, joining: bool = False) -> Job:
    """Return the job that lies in a directory; who joins its run has imported the script already."""
    with open(f"{directory}/.sweeper/job.json", encoding="utf-8") as file:
        found = json.load(file)
    found["function"] = FunctionRef(**found["function"])
    goal = found["objective"]
    found["objective"] = Objective(tuple(goal["metrics"]), tuple(goal["directions"]))
    for name in ("overrides", "argv", "path", "redact", "verbose"):
        found[name] = tuple(found[name])
    job = Job(**found, config=yamls.read(f"{directory}/.sweeper/config.yaml") or {})
    if not os.path.exists(f"{job.records}/config.pickle"):
        return job
    if not joining:
        import_main(job.function.main)  # where the classes may be
    with open(f"{job.records}/config.pickle", "rb") as file:
        return job._replace(typed=pickle.load(file))  # noqa: S301  our own, beside the job


def main(arguments: Sequence[str]) -> int:
    """Make the run of the job in a directory: `python -m sweeper.job DIR`."""
    job = read_job(arguments[0])
    job = job._replace(restarts=int(os.environ.get("SLURM_RESTART_COUNT") or 0))
    for entry in reversed(job.path):
        if entry not in sys.path:
            sys.path.insert(0, entry)
    outcome = run_job(job)
    return 0 if outcome.status in (COMPLETED, PRUNED) else 1


if __name__ == "__main__":
    leave(main(sys.argv[1:]))

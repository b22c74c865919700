"""One run: the only code that a worker enters.

`run_job` takes a `Job`, calls the training function with the job's config, and returns an `Outcome`,
which is also a file, `.sweeper/run.yaml`. `python -m sweeper.job DIR` does the same for the job that
lies in a directory, so that every engine runs the same thing.

It raises nothing but what a debugger or an interrupt must see: whatever happens in the function is
an outcome.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, NamedTuple

from . import nodes, resolve, yamls
from .errors import Pruned, UsageError
from .records import COMPLETED, FAILED, PRUNED, RUNNING, FunctionRef, Job, Objective, Outcome

# ---------------------------------------------------------------------------- the run, from inside


class CurrentRun:
    """The run that the caller is in: `id`, `number`, `directory`, `seed` and `params`."""

    def __init__(self, job: Job | None = None) -> None:
        self.id = job.id if job else ""
        self.number = job.number if job else 0
        self.directory = job.directory if job else ""
        self.seed = job.seed if job else None
        self.params: dict[str, Any] = dict(job.params) if job else {}
        self.metrics: dict[str, float] = {}
        self.tags: dict[str, str] = {}
        self.artifacts: list[str] = []
        self.inputs: list[dict[str, Any]] = []
        self._records = job.records if job else ""
        self._stream: Any = None

    def report(self, metrics: Mapping[str, Any], step: int | None, *, prune: bool) -> bool:
        """Append metrics to the run's `metrics.jsonl`; see `sweeper.report`."""
        numbers = {str(name): _number(value, str(name)) for name, value in metrics.items()}
        self._append({"time": round(time.time(), 3), "step": step, "metrics": numbers})
        self.metrics.update(numbers)
        if self._records and os.path.exists(f"{self._records}/stop"):
            if prune:
                raise Pruned
            return True
        return False

    def log_artifact(self, path: str | os.PathLike[str]) -> None:
        """Record a file that the run has made."""
        absolute = os.path.abspath(path)
        if not os.path.exists(absolute):
            raise UsageError(f"log_artifact: there is no file {os.fspath(path)!r}")
        self.artifacts.append(absolute)

    def log_input(self, name: str, path: str | os.PathLike[str]) -> None:
        """Record a file that the run has read: its path, size in bytes and sha256."""
        import hashlib

        with open(path, "rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
        size = os.path.getsize(path)
        entry = {"name": name, "path": os.path.abspath(path), "size": size, "sha256": digest.hexdigest()}
        self.inputs.append(entry)

    def set_tag(self, key: str, value: object) -> None:
        """Record a tag of the run."""
        self.tags[str(key)] = str(value)

    def _append(self, line: dict[str, Any]) -> None:
        if not self._records:
            return
        import json

        if self._stream is None:
            self._stream = open(f"{self._records}/metrics.jsonl", "a", encoding="utf-8")  # noqa: SIM115
        self._stream.write(json.dumps(line) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Close the file of reports."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


_OUTSIDE = CurrentRun()
_current: ContextVar[CurrentRun] = ContextVar("sweeper_current_run")
_latest: CurrentRun = _OUTSIDE  # for threads that the function starts


def current_run() -> CurrentRun:
    """Return the run that the caller is in; outside of one, a run with nothing in it."""
    return _current.get(_latest)


def report(metrics: Mapping[str, Any], step: int | None = None, *, prune: bool = True) -> bool:
    """Report metrics of the current run while it goes on.

    Args:
        metrics: numbers by name.
        step: when they were measured, such as an epoch.
        prune: whether to raise when the run should end early; otherwise True is returned then.

    Raises:
        Pruned: if the run should end early.
        UsageError: if a metric is no number.
    """
    return current_run().report(metrics, step, prune=prune)


# ------------------------------------------------------------------------------------- the function


def find_function(ref: FunctionRef) -> Callable[..., Any]:
    """Return the training function that a reference names, importing its script or module.

    Raises:
        UsageError: if it is not there.
    """
    import importlib

    import_main(ref.main)
    module = sys.modules.get(ref.module) or importlib.import_module(ref.module)
    found: Any = module
    for part in ref.name.split("."):
        found = getattr(found, part, None)
        if found is None:
            raise UsageError(
                f"A run's process cannot find {ref.name!r} in {ref.main or ref.module}",
                hint="Define the function at the top level of the script.",
            )
    return getattr(found, "__wrapped__", found)  # type: ignore[no-any-return]


class EndOfImport(BaseException):
    """Raised by a call of the decorated function while a worker imports the script: enough is known."""


importing = False  # whether a worker is importing the script


def import_main(main: str) -> None:
    """Import the script or module that the launching process runs as `__main__`, once.

    As multiprocessing does it, under the name `__mp_main__`, so that `__main__` guards hold; a call
    of the decorated function without a guard ends the import there.
    """
    global importing  # noqa: PLW0603  the decorated function asks
    if not main or getattr(sys.modules.get("__mp_main__"), "__sweeper_main__", "") == main:
        return
    import types

    module = types.ModuleType("__mp_main__")
    module.__dict__["__sweeper_main__"] = main
    before = sys.modules["__main__"]
    importing = True
    try:
        if main.startswith("-m "):
            content = _run(main[3:], module, is_module=True)
        else:
            content = _run(main, module, is_module=False)
        module.__dict__.update(content)
        sys.modules["__main__"] = sys.modules["__mp_main__"] = module
    except BaseException:
        sys.modules["__main__"] = before
        raise
    finally:
        importing = False


def _run(main: str, module: Any, *, is_module: bool) -> dict[str, Any]:
    """Execute the script in a module of its own, keeping what it defined if it ends early."""
    import importlib.util

    if is_module:
        spec = importlib.util.find_spec(main)
        if spec is None or spec.loader is None:
            raise UsageError(f"A run's process cannot find the module {main!r}")
        code = spec.loader.get_code(main)  # type: ignore[attr-defined]
        file, package = spec.origin, main.rpartition(".")[0]
    else:
        with open(main, "rb") as source:
            code = compile(source.read(), main, "exec")
        spec, file, package = None, main, ""
        folder = os.path.dirname(os.path.abspath(main))
        if folder not in sys.path:
            sys.path.insert(0, folder)
    names = module.__dict__
    names.update(__name__="__mp_main__", __file__=file, __package__=package, __spec__=None)
    sys.modules["__mp_main__"] = sys.modules["__main__"] = module
    try:
        exec(code, names)  # noqa: S102  it is the user's own script
    except EndOfImport:
        pass
    return dict(names)


def bind(function: Callable[..., Any], config: Any) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments for a training function.

    One parameter, or one named `cfg` or annotated `DictConfig`, takes the whole config; of several,
    each takes the config's key of its name, or keeps its default.

    Raises:
        UsageError: if a parameter has neither.
    """
    import inspect

    parameters = list(inspect.signature(function).parameters.values())
    usual = [
        p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    required = [p for p in usual if p.default is p.empty]
    whole = [p for p in usual if p.name == "cfg" or "DictConfig" in str(p.annotation)]
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
            value = config[p.name]
        elif p.default is not p.empty:
            continue
        else:
            raise UsageError(
                f"{function.__name__}() takes '{p.name}', but the config has no such key",
                hint=f"It has {', '.join(map(str, config))}. Name one parameter cfg to get all of it.",
            )
        if p.kind == p.POSITIONAL_ONLY:
            args.append(value)
        else:
            kwargs[p.name] = value
    return args, kwargs


# ------------------------------------------------------------------------------------------ results


def _number(value: Any, name: str) -> float:
    found = to_number(value)
    if found is None:
        raise UsageError(f"The metric {name!r} must be a number, not {type(value).__name__} {value!r:.60}")
    return found


def to_number(value: Any) -> float | None:
    """Return a number as a plain Python one: of numpy and torch too, if it holds just one."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):  # numpy's double is one too
        return float(value)
    item = getattr(value, "item", None)
    if item is not None and not isinstance(value, type):
        try:
            value = item()
        except (TypeError, ValueError, RuntimeError):
            return None
        return value if isinstance(value, (int, float)) else None
    try:  # Fraction, Decimal
        return float(value) if hasattr(type(value), "__float__") else None
    except (TypeError, ValueError):
        return None


class Score(NamedTuple):
    """What a returned value says."""

    score: float | None
    metrics: dict[str, float]
    values: tuple[float, ...] = ()
    note: str = ""


def score_of(value: Any, objective: Objective, reported: Mapping[str, float]) -> Score:
    """Return the score and the metrics that a function's value, and what it reported, stand for."""
    metrics: dict[str, float] = dict(reported)
    bad: list[str] = []
    if isinstance(value, Mapping):
        for name, item in value.items():
            number = to_number(item)
            if number is None:
                bad.append(f"{name} is {type(item).__name__}, no number")
            else:
                metrics[str(name)] = number
    names = objective.metrics
    if objective.several or len(names) > 1:
        return _several(value, objective, metrics)
    score: float | None = None
    note = ""
    if isinstance(value, Mapping):
        if names:
            score = metrics.get(names[0])
        elif len(value) == 1:
            score = metrics.get(str(next(iter(value))))
        else:
            note = (
                f"returned {len(value)} metrics ({', '.join(map(str, value))}) and "
                "sweeper.objective.metric names none of them"
            )
    elif value is None:
        score = metrics.get(names[0]) if names else None
        note = "returned None" if score is None and not names else ""
    else:
        score = to_number(value)
        if score is None:
            note = f"returned {type(value).__name__} {value!r:.60}, which is no number"
        elif names:
            metrics.setdefault(names[0], score)
    if score is None and names and not note:
        note = f"has no metric '{names[0]}'; it has {', '.join(metrics) or 'none'}"
    if score is not None and not math.isfinite(score):
        note, score = f"the score is {score}", None
    return Score(score, metrics, (), "; ".join(filter(None, [note, *bad])))


def _several(value: Any, objective: Objective, metrics: dict[str, float]) -> Score:
    names = objective.metrics
    if isinstance(value, Sequence) and not isinstance(value, str):
        numbers = [to_number(item) for item in value]
        if None in numbers or len(numbers) != len(objective.directions):
            return Score(
                None, metrics, (), f"returned {value!r:.60}, not {len(objective.directions)} numbers"
            )
        values = tuple(float(number) for number in numbers if number is not None)
        metrics.update(zip(names or [f"objective_{i}" for i in range(len(values))], values, strict=False))
    else:
        missing = [name for name in names if name not in metrics]
        if missing or not names:
            return Score(None, metrics, (), f"has no metric {', '.join(missing) or 'at all'}")
        values = tuple(float(metrics[name]) for name in names)
    if not all(map(math.isfinite, values)):
        return Score(None, metrics, (), f"an objective is not finite: {values}")
    return Score(None, metrics, values)


# -------------------------------------------------------------------------------------- the process


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


def _host() -> str:
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


@contextmanager
def surroundings(job: Job) -> Iterator[None]:
    """The environment, folder and command line of a run, put back afterwards."""
    environment = {
        **{str(key): str(value) for key, value in job.env.items()},
        "SWEEPER_RUN_DIR": job.directory,
        "SWEEPER_RUN_MAIN": job.function.main,
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
        sys.argv = argv
        os.chdir(folder)
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


@contextmanager
def captured(path: str) -> Iterator[None]:
    """Send all output of this process to a file, that of C code and of subprocesses included."""
    _flush()
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    saved = [os.dup(1), os.dup(2)]
    streams = sys.stdout, sys.stderr
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115
    try:
        yield
    finally:
        _flush()
        sys.stdout, sys.stderr = streams
        for number, before in enumerate(saved, 1):
            os.dup2(before, number)
            os.close(before)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            try:
                stream.flush()
            except (OSError, ValueError):  # closed, or its reader went away
                continue


class _Tee:
    """A terminal's stream that also writes to a file; all else is the terminal's."""

    def __init__(self, terminal: Any, file: Any) -> None:
        self._terminal, self._file = terminal, file

    def write(self, text: str) -> int:
        self._file.write(text)
        return self._terminal.write(text)  # type: ignore[no-any-return]

    def flush(self) -> None:
        self._terminal.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._terminal, name)


@contextmanager
def teed(path: str) -> Iterator[None]:
    """Write what Python prints to a file as well; the terminal stays one."""
    with open(path, "a", encoding="utf-8", errors="replace", buffering=1) as file:
        streams = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = _Tee(sys.stdout, file), _Tee(sys.stderr, file)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = streams


@contextmanager
def logged(*, to_output: bool) -> Iterator[None]:
    """Send log records of level INFO and above to the output, unless the program sees to logging."""
    import logging

    root = logging.getLogger()
    if root.handlers or not to_output:
        yield
        return

    class Output(logging.StreamHandler[Any]):
        """Writes to whatever `sys.stdout` is at the time."""

        def emit(self, record: logging.LogRecord) -> None:
            self.stream = sys.stdout
            super().emit(record)

    handler = Output(sys.stdout)
    handler.setFormatter(logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"))
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


# --------------------------------------------------------------------------------------- the record


def write_record(job: Job, outcome: Outcome) -> None:
    """Write the run's `run.yaml`."""
    yamls.write(
        f"{job.records}/run.yaml",
        {
            "id": job.id,
            "number": job.number,
            "attempt": job.attempt,
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
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or "status" not in record:
        return None
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


def facts_of(job: Job) -> dict[str, Any]:
    """Return what `${sweeper:…}` and `${hydra:…}` resolve from, inside a run."""
    sweeper = {
        "run": {"dir": job.directory, "number": job.number, "id": job.id, "seed": job.seed},
        "sweep": {"dir": job.sweep_directory},
        "job": {"name": job.name},
    }
    hydra = {
        **job.hydra,
        "run": {"dir": job.directory},
        "sweep": {"dir": job.sweep_directory, "subdir": os.path.basename(job.directory)},
        "job": {"name": job.name, "num": job.number, "id": job.id, **dict(job.hydra.get("job", {}))},
        "runtime": {"output_dir": job.directory, "cwd": job.folder, **dict(job.hydra.get("runtime", {}))},
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
    with captured(job.log) if job.capture else ExitStack():
        return call(job, lambda: find_function(job.function)).outcome


def call(job: Job, function: Callable[[], Callable[..., Any]]) -> Result:
    """Make a run in this process: the records, the function's call, the score."""
    global _latest  # noqa: PLW0603  threads have no context of their own
    resolve.register()
    started, clock = _now(), time.perf_counter()
    host, pid = _host(), os.getpid()
    if not os.path.exists(f"{job.records}/config.yaml"):
        write_config(job)
    write_record(job, Outcome(RUNNING, started=started, host=host, pid=pid))
    run = CurrentRun(job)
    value: Any = None
    exception: BaseException | None = None
    status, error, note = COMPLETED, "", ""
    token, _latest = _current.set(run), run
    try:
        with surroundings(job), resolve.facts(facts_of(job)), logged(to_output=True):
            found = function()
            if job.seed is not None:
                seed_everything(job.seed)
            args, kwargs = bind(found, nodes.build(job.config, struct=True))
            value = found(*args, **kwargs)
    except Pruned:
        status = PRUNED
    except SystemExit as end:
        exception = end
        if end.code not in (None, 0):
            status, error = FAILED, f"SystemExit: {end.code}"
    except KeyboardInterrupt as end:
        status, error, exception = FAILED, "KeyboardInterrupt", end
    except BaseException as end:  # noqa: BLE001  whatever it is, it is this run's alone
        status, exception = FAILED, end
        error = "".join(traceback.format_exception(type(end), end, _inside(end.__traceback__)))
        if job.capture:
            sys.stderr.write(error)
    finally:
        _current.reset(token)
        _latest = _OUTSIDE
        run.close()
    try:
        found_score = score_of(value, job.objective, run.metrics)
    except Exception as end:  # noqa: BLE001  a value that breaks when it is looked at
        found_score = Score(None, dict(run.metrics), (), f"the value cannot be read: {end!r:.100}")
    if status == COMPLETED:
        note = found_score.note
    outcome = Outcome(
        status=status,
        score=found_score.score if status == COMPLETED else None,
        metrics=found_score.metrics,
        values=found_score.values if status == COMPLETED else (),
        started=started,
        ended=_now(),
        seconds=round(time.perf_counter() - clock, 4),
        error=error,
        note=note,
        host=host,
        pid=pid,
        tags=run.tags,
        artifacts=tuple(run.artifacts),
        inputs=tuple(run.inputs),
    )
    write_record(job, outcome)
    return Result(outcome, value, exception)


def _inside(frames: Any) -> Any:
    """Return the part of a traceback that is the user's: below this file's own frames."""
    here = frames
    while here is not None and here.tb_frame.f_code.co_filename == __file__:
        here = here.tb_next
    return here or frames


def ended_badly(job: Job, error: str, started: str, seconds: float) -> Outcome:
    """Return the outcome of a run whose process is gone, and write it into its record."""
    before = read_record(job.directory)
    if before is not None and before.status == COMPLETED:
        return before
    outcome = Outcome(
        status=FAILED,
        started=before.started if before else started,
        ended=_now(),
        seconds=round(seconds, 4),
        error=error,
        host=before.host if before else "",
        pid=before.pid if before else 0,
        metrics=last_metrics(job.directory),
    )
    os.makedirs(job.records, exist_ok=True)
    write_record(job, outcome)
    return outcome


def last_metrics(directory: str) -> dict[str, float]:
    """Return the last value of each metric that a run has reported."""
    found: dict[str, float] = {}
    for line in read_reports(directory)[0]:
        found.update(line["metrics"])
    return found


def read_reports(directory: str, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Return what a run has reported since a place in its `metrics.jsonl`, and the new place."""
    try:
        with open(f"{directory}/.sweeper/metrics.jsonl", "rb") as file:
            file.seek(offset)
            data = file.read()
    except OSError:
        return [], offset
    whole = data.rpartition(b"\n")[0]
    if not whole:
        return [], offset
    import json

    lines = []
    for line in whole.split(b"\n"):
        try:
            lines.append(json.loads(line))
        except ValueError:  # a run that died while it wrote
            continue
    return lines, offset + len(whole) + 1


def leave(code: int) -> None:
    """End this process as Python does, without taking its memory apart piece by piece."""
    import atexit

    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001  joins the threads that want it
    atexit._run_exitfuncs()  # noqa: SLF001
    _flush()
    if "ctypes" in sys.modules:
        import ctypes

        ctypes.CDLL(None).fflush(None)
    os._exit(code)


# ------------------------------------------------------------------------- a job that lies in a file


def write_job(job: Job) -> None:
    """Write a job into its directory, for a process that shares nothing but the file system."""
    import json

    write_config(job)
    content = job._asdict()
    del content["config"]  # it lies beside, as people read it
    content["function"], content["objective"] = job.function._asdict(), job.objective._asdict()
    yamls.write_text(f"{job.records}/job.json", json.dumps(content, default=str))


def read_job(directory: str) -> Job:
    """Return the job that lies in a directory."""
    import json

    with open(f"{directory}/.sweeper/job.json", encoding="utf-8") as file:
        found = json.load(file)
    found["function"] = FunctionRef(**found["function"])
    goal = found["objective"]
    found["objective"] = Objective(tuple(goal["metrics"]), tuple(goal["directions"]))
    for name in ("overrides", "argv", "path"):
        found[name] = tuple(found[name])
    return Job(**found, config=yamls.read(f"{directory}/.sweeper/config.yaml") or {})


def main(arguments: Sequence[str]) -> int:
    """Make the run of the job in a directory: `python -m sweeper.job DIR`."""
    job = read_job(arguments[0])
    for entry in reversed(job.path):
        if entry not in sys.path:
            sys.path.insert(0, entry)
    outcome = run_job(job)
    return 0 if outcome.status in (COMPLETED, PRUNED) else 1


if __name__ == "__main__":
    # Under its own name, so that the classes are those that everybody else imports.
    from sweeper import job as _job

    _job.leave(_job.main(sys.argv[1:]))

"""What engines whose workers are elsewhere have in common: Dask and Ray.

    launching process ── a job, through the engine ──>  worker: a fork server, for a sweep ──>  child
                      <── its outcome ────────────────

In a worker runs are made as `local` makes them, so whatever ends a run's process costs that run alone,
and the worker stays. All else goes through the sweep's directory, which launching process and workers
share: what runs report, what is pruned, and the lease, a file that the launching process rewrites every
second. A worker that sees no change in it for a while ends its runs; so no run outlives its sweep.
"""

from __future__ import annotations

import os
import pickle
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from ..errors import RecordError, SettingsError, SweeperError, UsageError
from ..job import read_record
from ..records import ENDED, Job, Outcome, Program
from ..settings import LauncherSettings
from . import RunDiedError
from .local import LocalExecutor, program_path

CONNECT_TIMEOUT = 10.0  # seconds that a cluster has to answer
_BEAT = 1.0  # seconds between signs of life
_LOOK = 0.5  # seconds between a worker's looks for one
_LOOKS_IN_VAIN = 40  # looks without one, after which a worker ends the runs
_SIGHT = 10.0  # seconds until a file must be seen on another machine


class Task(NamedTuple):
    """What travels to a worker, for one run."""

    program: Program
    settings: LauncherSettings
    lease: str  # the file
    token: str  # what stands in it: who it is that launches
    run: Callable[[Job], Outcome]
    job: Job
    typed: bytes  # the job's config with types, which only a process that imported the script can read


class Reply(NamedTuple):
    """What comes back: an outcome, the words for a run that left none, or a mistake that ends the sweep."""

    outcome: Outcome | None = None
    error: str = ""
    cause: str = "died"
    mistake: tuple[str, str, str] | None = None
    note: str = ""


# ---------------------------------------------------------------------------- in the launching process


class Engine(Protocol):
    """A cluster that is connected to."""

    room: int  # runs that its workers can make at once

    def send(self, task: bytes) -> Future[Reply]:
        """Have a worker `work` on a task, once."""
        ...

    def explain(self, error: BaseException) -> Exception:
        """Return what the engine's own error says of a run: a `RunDiedError`, or a mistake."""
        ...

    def close(self) -> None:
        """Let go of the cluster, and end it if it was started for this sweep."""
        ...


class Remote:
    """A launcher on an engine; its class says how to connect."""

    def __init__(self, settings: LauncherSettings) -> None:
        self.settings = settings

    def connect(self) -> Engine:
        """Return the engine.

        Raises:
            SettingsError: if there is none.
        """
        raise NotImplementedError

    @cached_property
    def engine(self) -> Engine:
        """The engine, connected to when it is first asked for."""
        return self.connect()

    @cached_property
    def slots(self) -> int:
        """As many as are asked for; else what the cluster has room, and there are resources, for."""
        room = self.engine.room  # connected to in any case: that there is no cluster is said early
        given = [len(values) for values in self.settings.resources.values()]
        return min([room, *given]) if self.settings.jobs is None else self.settings.jobs

    def open(self, program: Program) -> RemoteExecutor:
        """Return an executor on the engine's workers."""
        return RemoteExecutor(self.engine, program, self.settings)


class RemoteExecutor:
    """Hands jobs to an engine, and keeps the lease."""

    def __init__(self, engine: Engine, program: Program, settings: LauncherSettings) -> None:
        self.engine, self.settings = engine, settings
        self.program = program._replace(
            function=_elsewhere,
            argv=program.argv or tuple(sys.argv),
            path=tuple(_own_path(program_path(program))),
            folder=program.folder or os.getcwd(),
        )
        self.note = ""
        self.lease: Lease | None = None
        self.running: set[Future[Outcome]] = set()

    def submit(self, run: Callable[[Job], Outcome], job: Job, /) -> Future[Outcome]:
        """Hand a job to the engine.

        Raises:
            SweeperError: if the cluster takes no more.
        """
        if self.lease is None:
            self.lease = Lease(os.path.join(job.sweep_directory, ".lease"))
        task = Task(
            self.program, self.settings, self.lease.path, self.lease.token,
            run, job._replace(typed=None), pickle.dumps(job.typed),
        )  # fmt: skip
        future: Future[Outcome] = Future()
        future.set_running_or_notify_cancel()
        sent = self.engine.send(pickle.dumps(task))
        self.running.add(future)
        sent.add_done_callback(lambda sent: self._ended(sent, future))
        return future

    def _ended(self, sent: Future[Reply], future: Future[Outcome]) -> None:
        self.running.discard(future)
        try:
            reply = sent.result()
        except BaseException as error:  # noqa: BLE001  whatever an engine raises
            future.set_exception(self.engine.explain(error))
            return
        self.note = self.note or reply.note
        if reply.outcome is not None:
            future.set_result(reply.outcome)
        elif reply.mistake is not None:
            future.set_exception(UsageError(*reply.mistake))
        else:
            died = RunDiedError(reply.error)
            died.cause = reply.cause
            future.set_exception(died)

    def stop(self, grace: float) -> None:
        """Have the workers end all runs, and wait until they have."""
        if self.lease is not None:
            self.lease.say(f"stop {grace:g}")
        deadline = time.monotonic() + grace + 4 * _LOOK
        while self.running and time.monotonic() < deadline:
            time.sleep(0.02)

    def shutdown(self) -> None:
        """Take the lease back, on which the workers end what they keep for the sweep."""
        if self.lease is not None:
            self.lease.end()
        self.engine.close()


class Lease:
    """The launching process's sign of life: a file of one short line."""

    def __init__(self, path: str) -> None:
        self.path, self.token = path, os.urandom(8).hex()
        self.order, self.beats = "go", 0
        self.over = threading.Event()
        self.lock = threading.Lock()
        with open(path, "w", encoding="utf-8"):
            pass
        self._write()
        threading.Thread(target=self._beat, name="sweeper-lease", daemon=True).start()

    def say(self, order: str) -> None:
        """Tell the workers what to do: `go`, or `stop` and the seconds of grace."""
        self.order = order
        self._write()

    def end(self) -> None:
        """Stop beating, and take the file away."""
        with self.lock:
            self.over.set()
            if _read_lease(self.path)[:1] == [self.token]:
                with suppress(OSError):
                    os.unlink(self.path)

    def _beat(self) -> None:
        while not self.over.wait(_BEAT):
            self._write()

    def _write(self) -> None:
        with self.lock:
            if self.over.is_set():
                return
            self.beats += 1
            try:  # in place and always as long, which asks a full disk for nothing
                with open(self.path, "r+", encoding="utf-8") as file:
                    file.write(f"{self.token} {self.beats} {self.order}".ljust(63) + "\n")
            except OSError:
                return


def _read_lease(path: str) -> list[str]:
    """Return the words of a lease; none if there is no such file, or it cannot be read just now."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().split()
    except FileNotFoundError:
        return []
    except OSError:
        return ["?"]


def _elsewhere(*_: object) -> None:
    """Stand for the training function, which workers find by its name."""


def _own_path(path: list[str]) -> list[str]:
    """Return what a path has beside the interpreter's own folders, for which a worker has its own."""
    own = tuple({os.path.join(prefix, "") for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix)})
    return [entry for entry in path if not entry.startswith(own)]


def check_answers(name: str, address: str, host: str, port: int) -> None:
    """See that something listens at an address: the engines themselves try for minutes, and tell of it.

    Raises:
        SettingsError: if nothing does.
    """
    try:
        socket.create_connection((host, port), CONNECT_TIMEOUT).close()
    except OSError as error:
        raise no_cluster(name, address, str(error.strerror or error)) from None


def connected(name: str, address: str, connect: Callable[[], Any]) -> Any:
    """Return what `connect` does, in a thread: engines wait for ever where another service listens.

    Raises:
        SettingsError: if there is no answer, or an error.
    """
    done: Future[Any] = Future()

    def attempt() -> None:
        try:
            done.set_result(connect())
        except BaseException as error:  # noqa: BLE001  whatever an engine raises
            done.set_exception(error)

    threading.Thread(target=attempt, name="sweeper-connect", daemon=True).start()
    try:
        return done.result(CONNECT_TIMEOUT)
    except FutureTimeoutError:
        why = f"what listens there does not answer as {name} does"
        raise no_cluster(name, address, why) from None
    except Exception as error:  # noqa: BLE001  the same
        raise no_cluster(name, address, " ".join(str(error).split())) from None


def no_cluster(name: str, address: str, why: str) -> SettingsError:
    """Return the error for a cluster that cannot be reached."""
    return SettingsError(
        f"There is no {name} cluster at {address}: {why}",
        f"sweeper.launcher.address={address}",
        "Start one there, correct the address, or leave it out to start one for the sweep.",
    )


def unable(name: str, why: str) -> RecordError:
    """Return the error for workers that cannot so much as begin."""
    return RecordError(
        f"The workers of the {name} cluster cannot make runs: {why}",
        hint="They need the Python and the packages of the launching machine, sweeper among them.",
    )


# ---------------------------------------------------------------------------------------- in a worker


class Station:
    """What a worker's process keeps for a sweep: a fork server, and a lookout on the lease."""

    def __init__(self, task: Task) -> None:
        self.lease, self.token = task.lease, task.token
        self.gone = ""  # why no run starts here any more
        self.lock = threading.Lock()
        path = (*task.program.path, *(entry for entry in sys.path if entry not in task.program.path))
        settings = task.settings
        if settings.threads is None:  # a slot of a cluster is a core
            settings = settings._replace(jobs=os.cpu_count())
        self.executor = LocalExecutor(task.program._replace(path=path), settings)
        threading.Thread(target=self._look_out, name="sweeper-lookout", daemon=True).start()

    def make_run(self, run: Callable[[Job], Outcome], job: Job) -> Reply:
        """Make a run in a process of its own, and return what came of it."""
        with self.lock:
            if self.gone:
                return Reply(error=self.gone, cause="lost")
            future = self.executor.submit(run, job)
        error = future.exception()
        note = self.executor.note
        if error is None:
            return Reply(future.result(), note=note)
        if self.gone:
            return Reply(error=self.gone, cause="lost")
        if isinstance(error, RunDiedError):
            return Reply(error=str(error), cause=error.cause)
        found = read_record(job.directory)  # of a process that speaks through its files
        if found is not None and found.status in ENDED:
            return Reply(found, note=note)
        return Reply(error="the process ended before its run did; see the log")

    def _look_out(self) -> None:
        last: list[str] = []
        still = 0
        while still < _LOOKS_IN_VAIN:
            found = _read_lease(self.lease)
            if found[:1] not in ([self.token], ["?"]):
                break
            still = still + 1 if found in (last, ["?"]) else 0
            if found[2:3] == ["stop"] and last[2:] != found[2:]:
                self.gone = "the sweep was interrupted"
                grace = float(found[3])
                threading.Thread(target=self.executor.stop, args=(grace,), daemon=True).start()
            last = found if found != ["?"] else last
            time.sleep(_LOOK)
        self.gone = self.gone or "the worker heard no more of the launching process"
        with _stations_lock:
            _stations.pop(self.token, None)
        with suppress(OSError):
            self.executor.shutdown()


_stations: dict[str, Station] = {}  # of this process, by the lease's token
_stations_lock = threading.Lock()


class _Folded:
    """An object that is whole again in the process that unpickles this."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __reduce__(self) -> tuple[Any, ...]:
        return pickle.loads, (self.data,)


def work(data: bytes, env: Mapping[str, str] | None = None) -> Reply:
    """Make a run in a worker's process; `env` is what the engine adds to the run's environment."""
    try:
        task: Task = pickle.loads(data)  # noqa: S301  from the launching process
    except Exception as error:  # noqa: BLE001  another version's words
        return _mistake(f"A worker cannot read a job: {error!r}", "", "Install the same sweeper there.")
    job = task.job._replace(env={**(env or {}), **task.job.env}, typed=_Folded(task.typed))
    blind = _unseen(task)
    if blind is not None:
        return blind
    os.makedirs(job.records, exist_ok=True)
    try:
        with open(f"{job.records}/worker", "x", encoding="utf-8") as file:
            file.write(f"{_host()} {os.getpid()}\n")
    except FileExistsError:  # the engine hands on what a worker that died has begun
        return Reply(error="the worker died that had begun the run", cause="lost")
    try:
        with _stations_lock:
            station = _stations.get(task.token) or _stations.setdefault(task.token, Station(task))
        return station.make_run(task.run, job)
    except SweeperError as error:
        return _mistake(error.what, error.where, error.hint)


def _unseen(task: Task) -> Reply | None:
    """Return what is wrong if this worker does not share the launching process's files."""
    deadline = time.monotonic() + _SIGHT
    while True:
        lease = _read_lease(task.lease)
        if lease[:1] == [task.token] and os.path.isdir(task.job.directory):
            break
        if lease and lease[0] not in ("?", task.token):
            return Reply(error="another process drives the sweep", cause="lost")
        if time.monotonic() > deadline:
            return _mistake(
                "A worker does not see the run's directory", task.job.directory,
                "Set sweeper.sweep.dir to a folder that the launching machine and all workers share.",
            )  # fmt: skip
        time.sleep(0.1)
    if not os.path.isdir(task.program.folder):
        return _mistake(
            "A worker does not see the program's folder", task.program.folder,
            "Start the program in a folder that the launching machine and all workers share.",
        )  # fmt: skip
    return None


def _mistake(what: str, where: str, hint: str) -> Reply:
    return Reply(mistake=(what.replace("A worker ", f"The worker on {_host()} ", 1), where, hint))


def _host() -> str:
    return socket.gethostname()

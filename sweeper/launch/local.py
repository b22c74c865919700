"""Runs on this machine, each in a process of its own, forked from a server that imported the script.

The default: 5 to 10 ms a run whatever the script imports, and nothing that a run does reaches
another. See `forkserver` for the other side.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from itertools import count
from typing import Any

from ..errors import UsageError
from ..job import write_job
from ..records import Job, Outcome, Program
from ..settings import LauncherSettings
from . import RunDiedError, RunLostError, RunTimeoutError, death, thread_limits
from .forkserver import receive, send

# Found along the launching process's own path, in its order: no environment variable can say that.
_BOOT = (
    "import sys; sys.path[:] = sys.argv[2:]; from sweeper.launch.forkserver import main; main(sys.argv[1:2])"
)


def program_path(program: Program) -> list[str]:
    """Return where a program's modules, and sweeper's own, are found."""
    return list(program.path or sys.path)


class Local:
    """See the module."""

    def __init__(self, settings: LauncherSettings) -> None:
        self.settings, self.slots = settings, settings.jobs or 1

    def open(self, program: Program) -> LocalExecutor:
        """Start a fork server for a program."""
        return LocalExecutor(program, self.settings)


class LocalExecutor:
    """Hands jobs to a fork server, and starts another if one dies."""

    def __init__(self, program: Program, settings: LauncherSettings) -> None:
        self.program, self.settings = program, settings
        self.keys = count()
        self.lock = threading.Lock()
        self.closing = False
        self.note, self.spawns = "", False
        self._start()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen(  # noqa: S603  our own interpreter
            [sys.executable, "-c", _BOOT, str(theirs.fileno()), *(program_path(self.program))],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # what the import prints, the launching process printed before
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, **thread_limits(self.settings)},
        )
        theirs.close()
        self.channel, self.broken = ours, False
        self.futures: dict[int, Future[Outcome]] = {}
        self.ready = threading.Event()
        self.imported, self.error = False, ""
        program = self.program
        request = {
            "path": program_path(program),
            "argv": list(program.argv or sys.argv),
            "folder": program.folder or os.getcwd(),
            "function": program.ref,
            "preload": self.settings.preload,
            "start": self.settings.start,
        }
        send(self.channel, request)
        listener = threading.Thread(
            target=self._listen, args=(ours, self.futures, self.ready), name="sweeper-local", daemon=True
        )
        listener.start()

    def submit(self, run: Callable[[Job], Outcome], job: Job, /) -> Future[Outcome]:
        """Start a job in a process of its own."""
        if self.broken and not self.closing:
            self.process.kill()  # it is gone already, or will not be missed
            self.process.wait()
            self.channel.close()
            self._start()
        self.ready.wait()
        if not self.imported:  # it died first; once may be chance
            self._start()
            self.ready.wait()
        if not self.imported:
            self.error = f"While it imports the script, {death(self.process.wait())}"
        if self.error:
            raise UsageError("The script cannot be imported by a run's process", self.error.rstrip())
        future: Future[Outcome] = Future()
        future.set_running_or_notify_cancel()
        key = next(self.keys)
        self.futures[key] = future
        try:
            limit = self.settings.run_timeout
            if self.spawns:
                write_job(job)
                message: Any = ("spawn", key, limit, job.directory, job.log)
            else:
                task = pickle.dumps((run, job), protocol=pickle.HIGHEST_PROTOCOL)
                message = ("fork", key, limit, task)
            with self.lock:
                send(self.channel, message)
        except OSError:
            self.broken = True
            if not future.done():
                future.set_exception(RunLostError("the fork server is gone"))
        return future

    def _listen(
        self, channel: socket.socket, futures: dict[int, Future[Outcome]], ready: threading.Event
    ) -> None:
        while True:
            message: Any = receive(channel)
            if message is None:
                break
            if message[0] == "ready":
                _, self.note, self.spawns, self.error = message
                self.imported = True
                ready.set()
                continue
            if message[0] == "unstarted":
                _, key, words = message
                futures.pop(key).set_exception(RunLostError(f"no process could be started for it: {words}"))
                continue
            _, key, code, result, timed_out = message
            future = futures.pop(key)
            if timed_out:
                future.set_exception(RunTimeoutError(self.settings.run_timeout))
            elif result:
                try:
                    future.set_result(pickle.loads(result))  # noqa: S301  from our own child
                except Exception:  # noqa: BLE001  a result that was cut short
                    future.set_exception(RunDiedError(death(code)))
            elif self.spawns and code in (0, 1):
                future.set_exception(Spawned())
            else:
                future.set_exception(RunDiedError(death(code)))
        if channel is self.channel:
            self.broken = True  # said before any future is: the next job needs another server
        ready.set()
        for future in list(futures.values()):
            if not future.done():
                future.set_exception(RunLostError("the fork server died"))

    def stop(self, grace: float) -> None:
        """Ask all runs to end, wait for them, and end those that stay."""
        waiting = list(self.futures.values())
        try:
            with self.lock:
                send(self.channel, ("signal", signal.SIGTERM))
            deadline = time.monotonic() + grace
            while time.monotonic() < deadline and not all(future.done() for future in waiting):
                time.sleep(0.02)
        finally:
            with self.lock:
                try:
                    send(self.channel, ("signal", signal.SIGKILL))
                except OSError:
                    return

    def shutdown(self) -> None:
        """End the fork server, and with it every run that is left."""
        self.closing = True
        self.ready.wait(timeout=0)
        self.channel.shutdown(socket.SHUT_RDWR)
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.channel.close()


class Spawned(Exception):
    """The run's process ended by itself, and its outcome is in its record."""

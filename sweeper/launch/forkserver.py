"""The fork server: a process that has imported the user's script, and forks a child a run.

    launching process  ── fork, signal ──>  fork server  ── fork ──>  child: setsid, run, leave
                       <── ready, ended ──               <── result ──

It imports only, and never runs the function; so a child has everything loaded and nothing done. A
child is a session of its own: what it starts ends with it; what it starts in yet another session ends
with the server, which adopts it. When the launching process goes away, for whatever reason, its socket
closes, and the server ends every child and itself. Should the server be killed, its guard ends them, a
process that does nothing else. Where a script must not be forked, each run is started as a process of
its own instead, supervised all the same.

Messages are length-prefixed pickles over a Unix socket. Speaks to nobody else.
"""

from __future__ import annotations

import gc
import os
import pickle
import selectors
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from . import KILL_AFTER, adopt_orphans, die_with_parent, end_group, signal_run

_HEAD = struct.Struct("!I")
# The package has imported the module by the time that it is run, which Python would remark upon.
QUIETLY = ("-W", "ignore::RuntimeWarning:runpy")


def send(channel: socket.socket, message: Any) -> None:
    """Send one message."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    channel.sendall(_HEAD.pack(len(data)) + data)


def receive(channel: socket.socket) -> Any:
    """Return one message, or None when the other side is gone."""
    head = _read(channel, _HEAD.size)
    data = head and _read(channel, _HEAD.unpack(head)[0])
    return pickle.loads(data) if data else None  # noqa: S301  from our own other half


def _read(channel: socket.socket, size: int) -> bytes:
    pieces = []
    while size:
        try:
            piece = channel.recv(min(size, 1 << 20))
        except (ConnectionError, OSError):
            return b""
        if not piece:
            return b""
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


@dataclass(slots=True)
class _Child:
    """A run's process, as the server sees it."""

    key: int
    pid: int
    pipe: int
    result: bytearray
    deadline: float | None = None
    timed_out: bool = False


class Server:
    """The loop of the fork server."""

    def __init__(self, channel: socket.socket, guard: int) -> None:
        self.channel, self.guard = channel, guard
        self.children: dict[int, _Child] = {}  # by pid
        self.selector = selectors.DefaultSelector()
        self.spawns = False

    def prepare(self, request: dict[str, Any]) -> None:
        """Import what runs need, and tell what came of it."""
        sys.path[:] = request["path"]
        sys.argv = list(request["argv"])
        os.chdir(request["folder"])
        start, reason, error = request["start"], "", ""
        try:
            if start == "spawn":
                reason = "asked for"
            else:
                _preload(request)
                reason = _unforkable()
        except BaseException:  # noqa: BLE001  whatever the user's script does
            error = traceback.format_exc()
        self.spawns = bool(reason) and start != "fork"
        note = "" if not self.spawns or start == "spawn" else f"each run starts a Python of its own: {reason}"
        send(self.channel, ("ready", note, self.spawns, error))
        gc.collect()
        gc.freeze()  # the collector would touch, and so copy, what the children share

    def serve(self) -> None:
        """Do what is asked until the other side is gone."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector.register(self.channel, selectors.EVENT_READ, "channel")
        self.selector.register(wake_read, selectors.EVENT_READ, "wake")
        while True:
            for found, _ in self.selector.select(self._patience()):
                if found.data == "channel":
                    message = receive(self.channel)
                    if message is None:
                        return
                    self._obey(message, (wake_read, wake_write))
                elif found.data == "wake":
                    with suppress(BlockingIOError):
                        os.read(wake_read, 4096)
                else:
                    self._read_result(found.data)
            self._reap()
            self._end_late()

    def _patience(self) -> float | None:
        deadlines = [c.deadline for c in self.children.values() if c.deadline is not None]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _obey(self, message: tuple[Any, ...], fds: tuple[int, int]) -> None:
        verb, *rest = message
        if verb == "signal":
            for child in self.children.values():
                signal_run(child.pid, rest[0])
            return
        key, timeout, *task = rest
        try:
            pid, pipe = self._start(verb, fds, task)
        except OSError as error:  # processes, memory or open files are used up: other runs go on
            send(self.channel, ("unstarted", key, error.strerror))
        else:
            self._watch(key, timeout, pid, pipe)

    def _start(self, verb: str, fds: tuple[int, int], task: list[Any]) -> tuple[int, int]:
        """Start a run's process; return its number, and the pipe that brings its outcome."""
        read, write = os.pipe()
        try:
            pid = self._fork(fds, read, write, *task) if verb == "fork" else self._spawn(*task)
        except OSError:
            os.close(read)
            raise
        finally:
            os.close(write)
        return pid, read

    def _fork(self, fds: tuple[int, int], read: int, write: int, task: bytes) -> int:
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            self._become_child(server, task, write, fds)
        return pid

    def _spawn(self, directory: str, log: str) -> int:
        """Start a run as a process that imports everything itself; its outcome is in its record."""
        import subprocess

        with open(log, "ab") as file:
            process = subprocess.Popen(  # noqa: S603  our own interpreter
                [sys.executable, *QUIETLY, "-m", "sweeper.job", directory],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        process.returncode = 0  # the server reaps its children itself
        _tell_guard(self.guard, process.pid)
        return process.pid

    def _watch(self, key: int, timeout: float | None, pid: int, pipe: int) -> None:
        os.set_blocking(pipe, False)
        deadline = None if timeout is None else time.monotonic() + timeout
        child = _Child(key, pid, pipe, bytearray(), deadline)
        self.children[pid] = child
        self.selector.register(pipe, selectors.EVENT_READ, child)

    def _become_child(self, server: int, task: bytes, write: int, fds: tuple[int, int]) -> None:
        code = 1
        try:
            os.setsid()
            _tell_guard(self.guard, os.getpid())
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            die_with_parent(server)
            self.selector.close()
            for fd in (self.channel.detach(), self.guard, *fds, *(c.pipe for c in self.children.values())):
                os.close(fd)
            self.children.clear()
            gc.unfreeze()
            run, job = pickle.loads(task)  # noqa: S301  from our own other half
            os.makedirs(job.records, exist_ok=True)
            log = os.open(job.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.close(log)
            data = pickle.dumps(run(job))
            while data:
                data = data[os.write(write, data) :]
            os.close(write)
            code = 0
        except BaseException:  # noqa: BLE001  nothing may go up into the server's loop
            traceback.print_exc()
        finally:
            try:
                from ..output import leave

                leave(code)
            finally:
                os._exit(code)

    def _read_result(self, child: _Child) -> None:
        try:
            piece = os.read(child.pipe, 1 << 20)
        except BlockingIOError:
            return
        if piece:
            child.result += piece
        else:
            self.selector.unregister(child.pipe)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid in self.children:  # else one that a run had left behind
                self._bury(self.children.pop(pid), os.waitstatus_to_exitcode(status))

    def _bury(self, child: _Child, code: int) -> None:
        """Tell what came of a child that has ended."""
        while True:  # what is still in the pipe
            try:
                piece = os.read(child.pipe, 1 << 20)
            except BlockingIOError:
                break
            if not piece:
                break
            child.result += piece
        with suppress(KeyError, ValueError):
            self.selector.unregister(child.pipe)
        os.close(child.pipe)
        end_group(child.pid)
        _tell_guard(self.guard, -child.pid)
        send(self.channel, ("ended", child.key, code, bytes(child.result), child.timed_out))

    def _end_late(self) -> None:
        now = time.monotonic()
        for child in self.children.values():
            if child.deadline is None or now < child.deadline:
                continue
            signal_run(child.pid, signal.SIGKILL if child.timed_out else signal.SIGTERM)
            child.timed_out, child.deadline = True, now + KILL_AFTER

    def _end_all(self) -> None:
        for pid in self.children:
            signal_run(pid, signal.SIGKILL)
        while left := _below():
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                with suppress(ChildProcessError):
                    os.waitpid(pid, 0)
        self.children.clear()


def _start_guard(channel: int) -> int:
    """Start a process that ends the groups of children when this one is gone; return how to tell it."""
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        os.close(channel)
        os.close(write)
        groups: set[int] = set()
        with open(read, encoding="ascii") as told:
            for line in told:
                pid = int(line)
                (groups.add if pid > 0 else groups.discard)(abs(pid))
        for pid in groups:
            end_group(pid)
        os._exit(0)
    os.close(read)
    return write


def _tell_guard(guard: int, pid: int) -> None:
    """Tell the guard that the group of a child begins; a negative number, that it has ended."""
    with suppress(OSError):
        os.write(guard, b"%d\n" % pid)


def _below() -> set[int]:
    """Return the children of this process: runs, and what they have left in sessions of their own."""
    own, found = str(os.getpid()), set()
    with suppress(FileNotFoundError):  # not Linux
        for name in filter(str.isdigit, os.listdir("/proc")):
            with suppress(OSError), open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                if file.read().rpartition(")")[2].split()[1] == own:
                    found.add(int(name))
    return found


def _preload(request: dict[str, Any]) -> None:
    from importlib import import_module

    from ..entry import find_function

    preload = request["preload"]
    if preload == "auto":
        find_function(request["function"])
    else:
        for name in [preload] if isinstance(preload, str) else preload or ():
            import_module(name)
    import ctypes  # noqa: F401  for die_with_parent, in each child


_HARMLESS = ("jemalloc_bg_thd",)  # jemalloc stops its thread before a fork; pyarrow brings it, by pandas


def _threads() -> list[str]:
    """Return the names of this process's threads, the main one first."""
    found = []
    for number in sorted(map(int, os.listdir("/proc/self/task"))):
        with suppress(OSError), open(f"/proc/self/task/{number}/comm", encoding="utf-8") as file:
            found.append(file.read().strip())
    return found


def _end_idle_threads() -> int:
    """End the threads that OpenMP keeps for its next loop, and return how many BLAS may keep.

    No child has them, and would wait for them for ever. BLAS sees to its own at a fork; those of OpenMP begin
    again in whoever needs them.
    """
    import ctypes

    from threadpoolctl import ThreadpoolController

    kept = 0
    for library in ThreadpoolController().lib_controllers:
        if library.user_api == "blas":
            kept += library.num_threads - 1
        elif library.user_api == "openmp":
            pause = getattr(ctypes.CDLL(library.filepath), "omp_pause_resource_all", None)
            if pause is not None:  # OpenMP 5
                pause(2)  # omp_pause_hard
    return kept


def _strange_threads() -> list[str]:
    """Return the names of the threads of C code that a fork may not survive."""
    if len(_threads()) == 1:
        return []
    known = 1 + _end_idle_threads()
    for _ in range(20):
        found = [name for name in _threads() if name not in _HARMLESS]
        if len(found) <= known:
            return []
        time.sleep(0.005)  # the kernel takes a moment to forget a thread
    return found[known:]


def _unforkable() -> str:
    """Return why this process must not fork, or nothing."""
    import threading

    others = [t.name for t in threading.enumerate() if t is not threading.main_thread()]
    if others:
        return f"importing the script starts threads ({', '.join(others)})"
    if sys.platform.startswith("linux") and (strange := _strange_threads()):
        return f"importing the script starts threads in C code ({', '.join(strange)})"
    torch: Any = sys.modules.get("torch")
    if torch is not None and getattr(torch, "cuda", None) is not None and torch.cuda.is_initialized():
        return "importing the script initialises CUDA"
    return ""


def main(arguments: list[str], exit_with: Callable[[int], None] = os._exit) -> None:
    """Serve over the socket whose number is given."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the launching process's to handle
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    adopt_orphans()
    number = int(arguments[0])
    guard = _start_guard(number)
    channel = socket.socket(fileno=number)
    server = Server(channel, guard)
    request = receive(channel)
    if request is not None:
        server.prepare(request)
        with suppress(BrokenPipeError, ConnectionError):
            server.serve()
        server._end_all()  # noqa: SLF001
    exit_with(0)

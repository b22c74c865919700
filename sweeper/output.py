"""Where the output of a run goes: its log, the terminal, or both."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any


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
        if not self._file.closed:  # whoever kept the stream writes on after the run
            self._file.write(text)
        return self._terminal.write(text)  # type: ignore[no-any-return]

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

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


class _Output(logging.StreamHandler):  # type: ignore[type-arg]  # no type takes it before 3.11
    """Writes to whatever `sys.stdout` is at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stdout
        super().emit(record)


@contextmanager
def logged() -> Iterator[None]:
    """Send log records of level INFO and above to the output, unless the program sees to logging."""
    root = logging.getLogger()
    if root.handlers:
        yield
        return
    handler, level = _Output(sys.stdout), root.level
    handler.setFormatter(logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"))
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


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

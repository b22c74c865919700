"""Where the output of a run goes: its log, the terminal, or both."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from .errors import ConfigError


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
        self.terminal, self._file = terminal, file

    def write(self, text: str) -> int:
        if not self._file.closed:  # whoever kept the stream writes on after the run
            with suppress(OSError):  # a full disk costs the log, and not the run
                self._file.write(text)
        return self.terminal.write(text)  # type: ignore[no-any-return]

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self.terminal.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.terminal, name)


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
def logged(
    config: Mapping[str, Any] | None = None, verbose: Sequence[str] = (), log: str = ""
) -> Iterator[None]:
    """Set logging up for a run, and put back the root's handlers and the levels that it sets.

    Args:
        config: as `logging.config.dictConfig` has it; where its `root` is null logging is left alone,
            and without one records of level INFO and above go to the output, unless the program sees
            to logging itself.
        verbose: names of loggers that get the level DEBUG; an empty one is the root's.
        log: the run's log, which its output goes to anyway.
    """
    root = logging.getLogger()
    if config is None and root.handlers and not verbose:
        yield
        return
    handlers = list(root.handlers)
    loggers = [root, *map(logging.getLogger, verbose)]
    levels = [logger.level for logger in loggers]
    if config is None:
        if not handlers:
            ours = _Output(sys.stdout)
            ours.setFormatter(logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"))
            root.addHandler(ours)
            root.setLevel(logging.INFO)
    elif config.get("root") is not None:
        _configure(config, log)
    for name in verbose:
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        yield
    finally:
        for handler in [h for h in root.handlers if h not in handlers]:
            root.removeHandler(handler)
            handler.close()
        for handler in handlers:
            root.addHandler(handler)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _configure(config: Mapping[str, Any], log: str) -> None:
    """Configure logging, so that no record comes into the run's log by two ways.

    Raises:
        ConfigError: if the config has no meaning.
    """
    import logging.config

    from .instantiation import refuse_targets

    config = _without_colours(config)
    refuse_targets(config)
    try:
        logging.config.dictConfig(config)
    except (ValueError, TypeError, AttributeError, ImportError, KeyError) as error:
        cause = f": {error.__cause__}" if error.__cause__ else ""
        raise ConfigError(f"Cannot configure logging: {error}{cause}") from None
    loggers = [logging.getLogger(), *map(logging.getLogger, config.get("loggers") or ())]
    for logger in loggers:
        files = [h.baseFilename for h in logger.handlers if isinstance(h, logging.FileHandler)]
        if log and os.path.abspath(log) in files:
            for handler in [h for h in logger.handlers if type(h) is logging.StreamHandler]:
                _pass_by(logger, handler)


def _pass_by(logger: logging.Logger, handler: Any) -> None:
    """Let a handler of the output reach the terminal without the log, or else no more at all."""
    if isinstance(handler.stream, _Tee):
        handler.setStream(handler.stream.terminal)
    elif handler.stream in (sys.stdout, sys.stderr):
        logger.removeHandler(handler)


def _without_colours(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config that does without colorlog where it is not installed."""
    from importlib.util import find_spec

    formatters = config.get("formatters") or {}
    coloured = [n for n, f in formatters.items() if str(f.get("()", "")).startswith("colorlog.")]
    if not coloured or find_spec("colorlog"):
        return dict(config)
    plain = {"format": "[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"}
    return {**config, "formatters": {**formatters, **dict.fromkeys(coloured, plain)}}


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


_ENDS = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM, which schedulers send, and SIGHUP, of a terminal that goes, end us as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in _ENDS}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:  # as nohup has it
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""What goes out in the background: several calls at a time, each again and again until it succeeds.

A call takes no arguments. `Unreachable` puts it back: then one call alone is tried, ever more
seldom, until it gets through. Any other exception is fatal: nothing goes out any more.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable

from .mlflow_rest import Unreachable

Call = Callable[[], None]
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 30.0  # seconds between tries, while there is no answer
_LAST_TRIES = 2  # at the end, of what gets no answer


class Outbox:
    """Calls, and the threads that make them."""

    def __init__(self, name: str, say: Callable[[str], None]) -> None:
        """`say` is told once, and why, when two tries in a row had no answer."""
        self.name, self.say = name, say
        self.workers = 1
        self.changed = threading.Condition(threading.RLock())
        self.fatal: Exception | None = None
        self.trouble = ""  # why there is no answer; empty while there is
        self._waiting: list[tuple[float, int, Call]] = []
        self._count = itertools.count()
        self._threads = self._idle = self._busy = 0
        self._failures = self._last_tries = 0
        self._try_at = 0.0
        self._said = self._ending = self._closed = False

    def put(self, call: Call, delay: float = 0.0) -> None:
        """Have a call made, some seconds from now."""
        with self.changed:
            heapq.heappush(self._waiting, (time.monotonic() + delay, next(self._count), call))
            if len(self._waiting) > self._idle and self._threads < self.workers:
                self._threads += 1
                name = f"sweeper-{self.name}-{self._threads}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
            self.changed.notify_all()

    def end(self, patience: float) -> None:
        """Wait until all is done, or what is tried last gets no answer in some seconds.

        What is under way, such as a big file, is waited for: it has a time limit of its own.
        """
        with self.changed:
            self._ending, self._try_at = True, 0.0
            began = time.monotonic()
            self.changed.notify_all()
            while (self._waiting or self._busy) and self.fatal is None:
                late = time.monotonic() - began >= patience
                if self._last_tries >= (1 if late else _LAST_TRIES):
                    break
                self.changed.wait()
            self._closed = True
            self.changed.notify_all()

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            entry, alone = taken
            try:
                entry[2]()
            except Unreachable as error:
                self._put_back(entry, str(error), alone=alone)
            except Exception as error:  # noqa: BLE001  handed on to who put the call here
                with self.changed:
                    self.fatal, self._closed = error, True
                    self.changed.notify_all()
            else:
                with self.changed:
                    self.trouble, self._busy = "", self._busy - 1
                    self._failures = self._last_tries = 0
                    self.changed.notify_all()

    def _take(self) -> tuple[tuple[float, int, Call], bool] | None:
        """Wait for the next call, and whether it is tried alone; None at the end."""
        with self.changed:
            while not self._closed:
                now = time.monotonic()
                at = self._waiting[0][0] if self._waiting else float("inf")
                if self._ending and self._waiting:
                    at = now
                if self.trouble:  # one call at a time finds out whether there is an answer again
                    at = max(at, float("inf") if self._busy else self._try_at)
                if at <= now:
                    self._busy += 1
                    return heapq.heappop(self._waiting), bool(self.trouble)
                self._idle += 1
                self.changed.wait(None if at == float("inf") else at - now)
                self._idle -= 1
            return None

    def _put_back(self, entry: tuple[float, int, Call], words: str, *, alone: bool) -> None:
        with self.changed:
            self._busy -= 1
            # Behind the others: it may be this one alone that gets no answer.
            heapq.heappush(self._waiting, (time.monotonic(), next(self._count), entry[2]))
            if alone or not self.trouble:  # not what was under way beside the first that failed
                self._failures += 1
                self._last_tries += self._ending
                delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** (self._failures - 1))
                self._try_at = time.monotonic() + delay
            self.trouble = words
            speak = self._failures > 1 and not self._said
            self._said = self._said or speak
            self.changed.notify_all()
        if speak:
            self.say(words)

"""A webhook: JSON to a URL when runs end as chosen, or the sweep; `text` is what Slack shows.

    {"text": "train: run 3 FAILED after 4.2s, lr=0.1: ValueError: boom", "sweeper": {…the same as fields}}

The URL of a webhook is a secret: it is never shown or recorded, and is best given as `${oc.env:SLACK_URL}`.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ..errors import TrackerError, nearest
from ..grammar import show
from ..records import CANCELLED, COMPLETED, FAILED, PRUNED, Job, Objective, Outcome
from ..standings import Standings
from . import SweepRecord

EVENTS = ("completed", "failed", "pruned", "sweep")
_TIMEOUT = 5.0  # seconds
_PAUSES = (0.5, 2.0)  # seconds before the second and the third try


class Notify:
    """See the module.

    Args:
        sweep: what is known of the sweep.
        url: of the webhook.
        on: of what it is told: completed, failed, pruned (each such run), sweep (its end).
    """

    config = False

    def __init__(
        self, sweep: SweepRecord, *, url: str | None = None, on: str | Sequence[str] = ("failed", "sweep")
    ) -> None:
        self.sweep, self.url = sweep, str(url or "")
        self.on = (on,) if isinstance(on, str) else tuple(map(str, on))
        for event in self.on:
            if event not in EVENTS:
                raise TrackerError(
                    f"sweeper.tracker.notify.on is of {', '.join(EVENTS)}, not {event!r}",
                    hint=nearest(event, EVENTS),
                )
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise TrackerError(
                "sweeper.tracker.notify.url must be an http or https address",
                hint="It is best kept in the environment: url: ${oc.env:SLACK_URL}",
            )
        self.counts: Counter[str] = Counter()
        objective = Objective.parse(sweep.objective)
        self.standings = Standings[Job](maximize=objective.maximize, repeats=sweep.repeats)
        self.began = time.monotonic()

    def start(self, run: Job) -> None:
        """Nothing is sent when a run begins."""

    def log(self, run: Job, metrics: Mapping[str, float], step: int | None, at: float) -> None:
        """Nothing is sent while a run goes on."""

    def finish(self, run: Job, outcome: Outcome) -> None:
        """Send what came of the run, if it is asked for."""
        self.counts[outcome.status] += 1
        score = outcome.score
        self.standings.add(run.number, score, run)
        if outcome.status.lower() not in self.on:
            return
        name = f"run {run.number}" if run.sweep_directory else "the run"
        words = [f"{self.sweep.name}: {name} {outcome.status} after {outcome.seconds:.3g}s", _params(run)]
        text = ", ".join(word for word in words if word)
        if outcome.error:
            text += f": {outcome.error.rstrip().splitlines()[-1]:.300}"
        elif score is not None:
            text += f": score {score:.6g}"
        fields = {
            "event": "run", "run": run.id, "number": run.number, "attempt": run.attempt,
            "status": outcome.status, "score": _finite(score), "seconds": outcome.seconds,
            "params": {key: _finite(value) for key, value in run.params.items()},
            "metrics": {key: _finite(value) for key, value in outcome.metrics.items()},
            "error": outcome.error or None, "note": outcome.note or None, "tags": dict(outcome.tags),
            "host": outcome.host, "directory": run.directory,
        }  # fmt: skip
        self._send(text, fields)

    def close(self, status: str) -> None:
        """Send how the sweep ended, if it did something and it is asked for."""
        if "sweep" not in self.on or not self.sweep.search or not self.counts:
            return
        order = [s for s in (COMPLETED, FAILED, PRUNED, CANCELLED) if self.counts[s]]
        counts = {s: self.counts[s] for s in order}
        seconds = round(time.monotonic() - self.began, 1)
        text = f"{self.sweep.name}: sweep {'interrupted' if status == CANCELLED else 'ended'} after "
        text += f"{seconds:g}s: {', '.join(f'{n} {s}' for s, n in counts.items())}"
        best = None
        if self.standings.best is not None:
            found, run = self.standings.best, self.standings.best.first
            best = {"run": run.id, "number": run.number, "score": found.score}
            words = f"run {run.number}, score {found.describe()}, {_params(run)}"
            text += f"; best ({self.sweep.objective}): {words}"
        fields = {
            "event": "sweep", "status": status, "counts": counts, "best": best, "seconds": seconds,
            "search": self.sweep.search, "note": self.sweep.note or None, "directory": self.sweep.directory,
        }  # fmt: skip
        self._send(text, fields)

    def _send(self, text: str, fields: dict[str, Any]) -> None:
        """Send a message, in three tries.

        Raises:
            TrackerError: if it does not arrive; without the URL.
        """
        from http.client import HTTPException
        from urllib.error import HTTPError
        from urllib.request import Request, urlopen

        message = {"text": text, "sweeper": {"sweep": self.sweep.id, "name": self.sweep.name, **fields}}
        body = json.dumps(message, default=str).encode()
        why = ""
        for pause in (*_PAUSES, None):
            try:
                request = Request(self.url, body, {"Content-Type": "application/json"})  # noqa: S310  checked
                with urlopen(request, timeout=_TIMEOUT):  # noqa: S310
                    return
            except HTTPError as error:
                why = f"answers {error.code}"
                error.close()
                if error.code < 500 and error.code != 429:  # it will not change its mind
                    break
            except (OSError, HTTPException, ValueError) as error:
                reason = getattr(error, "reason", error)
                why = f"cannot be reached ({getattr(reason, 'strerror', None) or type(reason).__name__})"
            if pause is not None:
                time.sleep(pause)
        raise TrackerError(
            f"the webhook at {urlsplit(self.url).hostname} {why}", hint="Look at sweeper.tracker.notify.url."
        )


def _params(run: Job) -> str:
    return " ".join(f"{key}={show(value)}" for key, value in run.params.items())


def _finite(value: Any) -> Any:
    """Return a value as JSON has it: it knows no NaN and no infinity."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value

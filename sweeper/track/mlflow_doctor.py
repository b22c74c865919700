"""Whether a tracker gets through to MLflow, and which of the server's settings make it slow.

It makes a run with one file in an experiment, measures what that takes, and removes it again. What is
said of a cause is what the figures look like; they cannot prove it.
"""

from __future__ import annotations

import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ..errors import SweeperError
from .mlflow_rest import API, Metric, Refused, Rest, Unreachable
from .mlflow_store import make_client, shown_uri

_TIMEOUT = 10.0  # seconds for a request
_REQUESTS = 12  # of which the median counts
_SLOW_SERVER = 0.025  # seconds of a request beyond the network's round trip
_SLOW_PASSWORD = 0.06  # seconds that a request with a password takes beyond one without


class Finding(NamedTuple):
    """One thing that was found out: `ok`, `slow` or `wrong`, and what to do about it."""

    verdict: str
    what: str
    cure: str = ""


def examine(uri: str | None, experiment: str) -> Iterator[Finding]:
    """Yield what is found out about a store: at a URI, or where MLFLOW_TRACKING_URI says."""
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI")
    try:
        began = time.perf_counter()
        client = make_client(uri, _TIMEOUT)
        if isinstance(client, Rest):
            yield from _server(client)
        else:
            took = time.perf_counter() - began
            yield Finding(
                "ok", f"{client.uri}, by the package mlflow {client.version()}: {took:.1f} s to load"
            )
            if client.uri.startswith("sqlite"):
                yield Finding(
                    "ok", "a file: good for one machine; many processes at once wait for each other"
                )
        yield from _run(client, experiment)
    except Unreachable as error:
        yield Finding(
            "wrong",
            f"{shown_uri(uri)} cannot be reached: {error}",
            "Is the server up, and the address that of its page?",
        )
    except SweeperError as error:
        yield Finding("wrong", " ".join(filter(None, (error.what, error.where))), error.hint)


def _server(client: Rest) -> Iterator[Finding]:
    """Find out how quickly an http server answers, and what of it is the network's share."""
    version = client.version()
    client.find_experiment("Default")  # whether we are let in
    asks = _asks_who(client)
    who = f"and lets {client.known_as or 'the token'} in" if asks else "and asks nobody for a password"
    yield Finding("ok", f"{client.uri} answers as MLflow {version}, {who}")
    network = _median(lambda: _knock(client), 5)
    plain = _median(lambda: client.call_plainly("/health"))
    asked = _median(lambda: client.find_experiment("Default"))
    figures = f"a request takes {_ms(asked)}; /health {_ms(plain)}; the network's round trip {_ms(network)}"
    slow = False
    if asks and asked - plain > _SLOW_PASSWORD:
        slow = True
        yield Finding(
            "slow", f"{figures}: a password seems to cost {_ms(asked - plain)} at each request",
            "Set auth_cache_ttl_seconds = 60 in the server's basic_auth.ini, the file that its "
            "MLFLOW_AUTH_CONFIG_PATH names.",
        )  # fmt: skip
    if plain - network > _SLOW_SERVER:
        slow = True
        yield Finding(
            "slow", f"{figures}: the server itself takes {_ms(plain - network)} for nothing",
            "It looks like several workers or the job runner: for few users, start it with --workers 1 and "
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false. Or the machine is busy.",
        )  # fmt: skip
    if not slow and network > _SLOW_SERVER:
        yield Finding(
            "ok",
            f"{figures}: the network is far, which delays no run; sweeps end some {_ms(2 * network)} later",
        )
    elif not slow:
        yield Finding("ok", figures)


def _asks_who(client: Rest) -> bool:
    """Whether a server refuses those who say nothing of themselves."""
    nobody = Rest(client.uri, _TIMEOUT)
    nobody.headers.pop("Authorization", None)
    try:
        nobody.call("GET", f"{API}/experiments/get-by-name", {"experiment_name": "Default"})
    except Refused as error:
        return not error.code
    return False


def _run(client: Any, experiment: str) -> Iterator[Finding]:
    """Find out whether a run can be made, what it costs, and where its artifacts go."""
    place = client.find_experiment(experiment)
    if place is None:  # one that was made here could not be taken away again
        yield Finding("wrong", f"there is no experiment {experiment!r}", "Name one with --experiment.")
        return
    now = int(time.time() * 1000)
    began = time.perf_counter()
    run, artifacts = client.create_run(
        place, "sweeper doctor", now, {"mlflow.note.content": "sweeper doctor"}
    )
    try:
        client.log_batch(run, [Metric("score", 1.0, now, 0)], {f"p{n}": str(n) for n in range(10)}, {})
        client.update_run(run, "FINISHED", now)
        took = time.perf_counter() - began
        yield Finding("ok", f"a run of 10 params and a metric takes {_ms(took)} in 3 requests")
        yield from _artifacts(client, run, artifacts)
    finally:
        client.delete_run(run)


def _artifacts(client: Any, run: str, uri: str) -> Iterator[Finding]:
    scheme = uri.partition(":")[0] if ":" in uri else "file"
    local = scheme == "file" and isinstance(client, Rest)
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "doctor.txt")
            with open(path, "w", encoding="utf-8") as file:
                file.write("written by sweeper doctor\n")
            began = time.perf_counter()
            client.upload(run, uri, path, "doctor.txt")
            took = time.perf_counter() - began
    except SweeperError as error:
        yield Finding("wrong", f"artifacts cannot be written to {uri}: {error.what}", error.hint)
        return
    if local:
        yield Finding(
            "ok", f"artifacts go into a folder, {uri}, which was written to from here",
            "On another machine than the server's it is another folder: start the server with "
            "--artifacts-destination, so that they go through it.",
        )  # fmt: skip
    elif scheme == "mlflow-artifacts":
        yield Finding("ok", f"artifacts go through the server: {_ms(took)} for a small file")
    else:
        yield Finding("ok", f"artifacts go to {uri}: {_ms(took)} for a small file")


def _knock(client: Rest) -> None:
    port = client.port or (443 if client.secure else 80)
    with socket.create_connection((client.host, port), timeout=_TIMEOUT):
        pass


def _median(do: Callable[[], object], count: int = _REQUESTS) -> float:
    do()  # the first may have to connect
    times = []
    for _ in range(count):
        began = time.perf_counter()
        do()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"

"""The layout of Sacred's FileStorageObserver: a numbered folder a run, which tools for Sacred read.

    sacred/<id>/run.json       status, times, result, host, experiment, artifacts
                config.json    what the function got
                metrics.json   {name: {steps, values, timestamps}}
                info.json      what Sacred has no place for: sweep, params, tags, inputs, our status
                cout.txt       the run's log, and beside it copies of its artifacts
    sacred/_sources/           the scripts, by their md5

As sacred 0.8.7 writes it; the package itself is not needed. Times are UTC without a zone, as there.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from ..records import COMPLETED, FAILED, Job, Outcome, now
from . import SweepRecord, unreported

_HEARTBEAT = 10.0  # seconds between writes of what a run has reported, as Sacred has it
_OWN = ("run.json", "config.json", "metrics.json", "info.json", "cout.txt")


class Sacred:
    """See the module.

    Args:
        sweep: what is known of the sweep.
        dir: the folder of the runs' folders; sweeps share it.
    """

    def __init__(self, sweep: SweepRecord, *, dir: str = "sacred") -> None:  # noqa: A002
        self.sweep = sweep
        self.folder = os.path.join(sweep.folder, dir)
        os.makedirs(self.folder, exist_ok=True)
        self.experiment, self.host = _experiment(sweep, self.folder), _host(sweep)
        self.places: dict[str, str] = dict(self._earlier()) if sweep.search else {}
        self.runs: dict[str, _Run] = {}

    def _earlier(self) -> Iterator[tuple[str, str]]:
        """Yield the runs of this sweep that an earlier process has told of, and their folders."""
        began = 0.0
        with suppress(OSError):
            began = os.path.getmtime(os.path.join(self.sweep.directory, "sweep.yaml"))
        for entry in os.scandir(self.folder):
            if entry.name.isdigit() and entry.stat().st_mtime >= began:
                with suppress(OSError, ValueError, KeyError, TypeError):
                    with open(f"{entry.path}/info.json", encoding="utf-8") as file:
                        found = json.load(file)["sweeper"]
                    if found["sweep"] == self.sweep.id:
                        yield found["id"], entry.path

    def start(self, run: Job) -> None:
        """Make a folder, or empty that of an earlier attempt."""
        place = self.places.get(run.id)
        if place is None:
            place = self.places[run.id] = self._make_folder()
        else:
            shutil.rmtree(place, ignore_errors=True)
            os.makedirs(place, exist_ok=True)
        entry: dict[str, Any] = {
            "experiment": self.experiment, "command": "main", "host": self.host,
            "start_time": _utc(now()), "status": "RUNNING", "resources": [], "artifacts": [],
            "heartbeat": None,
            "meta": {
                "command": "main", "config_updates": dict(run.params), "named_configs": [],
                "comment": self.sweep.note,
                "options": {"--name": self.sweep.name, "--comment": self.sweep.note},
            },
        }  # fmt: skip
        info = {
            "id": run.id, "sweep": self.sweep.id, "number": run.number, "attempt": run.attempt,
            "search": self.sweep.search, "params": dict(run.params), "overrides": list(run.overrides),
            "directory": run.directory, "command": self.sweep.command,
        }  # fmt: skip
        ours = self.runs[run.id] = _Run(place, entry, info)
        ours.write("info.json", {"sweeper": info})
        ours.write("run.json", entry)
        ours.write("config.json", _config(run))

    def _make_folder(self) -> str:
        """Make the folder of the next number; other processes may do so too."""
        taken = (int(name) for name in os.listdir(self.folder) if name.isdigit())
        number = max(taken, default=0)
        while True:
            number += 1
            place = os.path.join(self.folder, str(number))
            with suppress(FileExistsError):
                os.mkdir(place)
                return place

    def log(self, run: Job, metrics: Mapping[str, float], step: int | None, at: float) -> None:
        """Add to the metrics."""
        self.runs[run.id].add(metrics, step, at)

    def flush(self) -> None:
        """Write what runs have reported, now and then: each time it is the whole of it."""
        for ours in self.runs.values():
            if time.monotonic() - ours.written > _HEARTBEAT:
                ours.entry["heartbeat"] = _utc(now())
                ours.write("run.json", ours.entry)
                ours.write("metrics.json", ours.metrics)
                ours.written = time.monotonic()

    def finish(self, run: Job, outcome: Outcome) -> None:
        """Write what came of the run."""
        ours = self.runs.pop(run.id)
        at = datetime.fromisoformat(outcome.ended).timestamp() if outcome.ended else time.time()
        ours.add(unreported(outcome, ours.last), None, at)
        with suppress(OSError):
            shutil.copyfile(run.log, os.path.join(ours.place, "cout.txt"))
        ours.info.update(
            status=outcome.status, score=outcome.score, seconds=outcome.seconds, note=outcome.note,
            host=outcome.host, pid=outcome.pid, tags=dict(outcome.tags), git=run.git,
        )  # fmt: skip
        ours.entry.update(
            status=_status(outcome), heartbeat=_utc(outcome.ended or now()),
            stop_time=_utc(outcome.ended or now()), result=list(outcome.values) or outcome.score,
            artifacts=list(_copied(outcome.artifacts, ours.place)),
            resources=[[entry["path"], entry["path"]] for entry in outcome.inputs],
        )  # fmt: skip
        if outcome.started:
            ours.entry["start_time"] = _utc(outcome.started)
        if outcome.host:
            ours.entry["host"] = {**self.host, "hostname": outcome.host}
        if outcome.error:
            ours.entry["fail_trace"] = outcome.error.splitlines(keepends=True)
        ours.info["inputs"] = [dict(entry) for entry in outcome.inputs]
        ours.write("config.json", _config(run))
        ours.write("metrics.json", ours.metrics)
        ours.write("info.json", {"sweeper": ours.info})
        ours.write("run.json", ours.entry)


class _Run:
    """A run that goes on: what its files are to hold."""

    def __init__(self, place: str, entry: dict[str, Any], info: dict[str, Any]) -> None:
        self.place, self.entry, self.info = place, entry, info
        self.metrics: dict[str, dict[str, list[Any]]] = {}
        self.last: dict[str, float] = {}
        self.written = time.monotonic()

    def add(self, metrics: Mapping[str, float], step: int | None, at: float) -> None:
        when = datetime.fromtimestamp(at, timezone.utc).replace(tzinfo=None).isoformat()
        for name, value in metrics.items():
            series = self.metrics.setdefault(name, {"steps": [], "values": [], "timestamps": []})
            following = series["steps"][-1] + 1 if series["steps"] else 0  # as Sacred counts
            series["steps"].append(following if step is None else step)
            series["values"].append(value)
            series["timestamps"].append(when)
        self.last.update(metrics)

    def write(self, name: str, content: Any) -> None:
        """Write a file aside and rename it: a reader sees the old or the new one."""
        path = os.path.join(self.place, name)
        with open(f"{path}.tmp", "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2, default=str)
        os.replace(f"{path}.tmp", path)


def _config(run: Job) -> dict[Any, Any]:
    return {"seed": run.seed, **run.config}


def _status(outcome: Outcome) -> str:
    """Return Sacred's word: a run that was pruned or cancelled is an interrupted one there."""
    if outcome.status == FAILED and outcome.cause == "timeout":
        return "TIMEOUT"
    return outcome.status if outcome.status in (COMPLETED, FAILED) else "INTERRUPTED"


def _utc(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(timezone.utc).replace(tzinfo=None).isoformat()


def _copied(paths: tuple[str, ...], place: str) -> Iterator[str]:
    """Copy artifacts into a run's folder and yield their names there; of a folder, every file."""
    taken = set(_OWN)
    for path in dict.fromkeys(paths):
        files = [path]
        if os.path.isdir(path):
            files = [os.path.join(base, name) for base, _, names in os.walk(path) for name in names]
        for file in files:
            name = os.path.relpath(file, os.path.dirname(path))
            while name in taken:
                name = f"_{name}"
            target = os.path.join(place, name)
            with suppress(OSError):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copyfile(file, target)
                taken.add(name)
                yield name


def _experiment(sweep: SweepRecord, folder: str) -> dict[str, Any]:
    """Return what is known of the program: its script, a copy of it, packages and commit."""
    program = sweep.origin.get("program", {})
    main, base = str(program.get("main") or ""), str(program.get("folder") or sweep.folder)
    sources = []
    with suppress(OSError):
        script = os.path.join(base, main)
        with open(script, "rb") as file:
            digest = hashlib.md5(file.read(), usedforsecurity=False).hexdigest()
        stem, ending = os.path.splitext(os.path.basename(script))
        kept = os.path.join("_sources", f"{stem}_{digest}{ending}")
        os.makedirs(os.path.join(folder, "_sources"), exist_ok=True)
        shutil.copyfile(script, os.path.join(folder, kept))
        sources = [[os.path.relpath(script, base), kept]]
    versions = dict(sweep.origin.get("versions") or {})
    versions.pop("python", None)
    git = sweep.git
    return {
        "name": sweep.name,
        "base_dir": base,
        "mainfile": sources[0][0] if sources else main,
        "sources": sources,
        "dependencies": [f"{name}=={version}" for name, version in versions.items()],
        "repositories": [{"url": None, "commit": git["commit"], "dirty": git.get("dirty")}] if git else [],
    }


def _host(sweep: SweepRecord) -> dict[str, Any]:
    versions = sweep.origin.get("versions") or {}
    return {
        "hostname": platform.node(),
        "os": [platform.system(), platform.platform()],
        "python_version": versions.get("python", platform.python_version()),
        "cpu": platform.processor(),
        "ENV": {},
    }

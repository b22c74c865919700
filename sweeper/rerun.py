"""A run made again from its own record: the config, the seed, and what they ran with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from . import yamls
from .errors import RecordError
from .groups import digest_of
from .job import read_record
from .provenance import DECISIVE, git_head, versions
from .records import Outcome

_SETTINGS = ("name", "note", "job", "logging", "objective", "tracker", "callbacks")


class RunRecord(NamedTuple):
    """What a run's directory tells of how it was made, and of what came of it."""

    id: str
    directory: str
    outcome: Outcome
    config: Mapping[Any, Any]  # as the function got it, with the nodes that the program itself needs
    overrides: tuple[str, ...]
    seed: int | None
    origin: Mapping[str, Any]  # see `provenance.origin`


def read_run(directory: str) -> RunRecord:
    """Return the record of the run in a directory.

    Raises:
        RecordError: if there is none, or not all of it.
    """
    directory = os.path.abspath(directory)
    outcome = read_record(directory)
    if outcome is None:
        raise RecordError(f"There is no run in {directory}")
    try:
        record = yamls.read(f"{directory}/.sweeper/run.yaml")
        config = yamls.read(f"{directory}/.sweeper/config.yaml") or {}
        overrides = yamls.read(f"{directory}/.sweeper/overrides.yaml") or ()
        origin = yamls.read(_origin_of(directory))
    except OSError as error:
        raise RecordError(f"The record of the run in {directory} is not whole", str(error)) from None
    own = {key: value for key, value in origin["sweeper"].items() if key in _SETTINGS}
    if "${now" in origin["sweeper"]["run"]["dir"]:  # not one that would be written over
        own["run"] = origin["sweeper"]["run"]
    config = {**config, "sweeper": own, **({"hydra": origin["hydra"]} if origin.get("hydra") else {})}
    return RunRecord(record["id"], directory, outcome, config, tuple(overrides), record["seed"], origin)


def _origin_of(directory: str) -> str:
    """Return the file that tells where a run came from: its own, or its sweep's."""
    path = f"{directory}/.sweeper/origin.yaml"
    while not os.path.exists(path) and directory != os.path.dirname(directory):
        directory = os.path.dirname(directory)
        path = f"{directory}/sweep.yaml"
    return path


def differences(record: RunRecord) -> list[str]:
    """Return words for what is not now as it was when a run was made."""
    origin = record.origin
    program, before, now = origin["program"], origin.get("versions") or {}, versions()
    found = [
        f"{name} is {now.get(name)} now, and was {before[name]}"
        for name in DECISIVE
        if name in before and before[name] != now.get(name)
    ]
    if program.get("sha256") and digest_of(program["main"]) != program["sha256"]:
        found.append(f"{program['main']} has changed since")
    git, head = origin.get("git") or {}, git_head(program["folder"])
    if git.get("commit") and (head or {}).get("commit") != git["commit"]:
        found.append(f"the commit is {(head or {}).get('commit')} now, and was {git['commit']}")
    diff = os.path.join(os.path.dirname(_origin_of(record.directory)), "git.diff")
    if os.path.exists(diff):
        found.append(f"it was made with changes that were not committed: {diff}")
    return found


def start_again(directory: str) -> int:
    """Start the program of a run with `--rerun`, as it was started then, and return its exit code."""
    import subprocess
    import sys

    record = read_run(directory)
    program = record.origin["program"]
    if not program["main"]:
        raise RecordError(
            f"The run was not made by a program, but by {program['module']}:{program['function']}",
            hint="Make it again from Python, with the config in its .sweeper/config.yaml.",
        )
    interpreter = program["interpreter"]
    if not os.path.exists(interpreter):
        print(f"warning: {interpreter} is gone; this is {sys.executable}", file=sys.stderr)  # noqa: T201
        interpreter = sys.executable
    main = program["main"]
    words = main.split(" ", 1) if main.startswith("-m ") else [main]
    command = [interpreter, *words, "--rerun", record.directory]
    return subprocess.run(command, cwd=program["folder"], check=False).returncode  # noqa: S603  the user's own


def verdict(record: RunRecord, score: float | None) -> tuple[bool, str]:
    """Return whether a run that was made again came to the same score, and words that say so."""
    before = record.outcome.score
    if score == before:
        return True, f"the score is {score!r}, as it was in {record.id}"
    return False, f"the score is {score!r}, and was {before!r} in {record.id}"

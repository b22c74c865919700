"""A run made again from its own record: the config, the seed, and what they ran with."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from . import yamls
from .errors import RecordError
from .job import read_record
from .journal import read_sweep
from .provenance import DECISIVE, digest_of, git_head, versions
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
        origin = yamls.read(origin_of(directory))
    except OSError as error:
        raise RecordError(f"The record of the run in {directory} is not whole", str(error)) from None
    own = {key: value for key, value in origin["sweeper"].items() if key in _SETTINGS}
    if "${now" in origin["sweeper"]["run"]["dir"]:  # not one that would be written over
        own["run"] = origin["sweeper"]["run"]
    config = {**config, "sweeper": own, **({"hydra": origin["hydra"]} if origin.get("hydra") else {})}
    return RunRecord(record["id"], directory, outcome, config, tuple(overrides), record["seed"], origin)


def origin_of(directory: str) -> str:
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
    diff = os.path.join(os.path.dirname(origin_of(record.directory)), "git.diff")
    if os.path.exists(diff):
        found.append(f"it was made with changes that were not committed: {diff}")
    return found


def start_again(directory: str) -> int:
    """Start the program of a run with `--rerun`, as it was started then, and return its exit code."""
    import subprocess

    record = read_run(directory)
    program = record.origin["program"]
    if program.get("from_python"):
        raise RecordError(
            "The run was made from Python, and no command can make it again",
            f"function {program['function']!r}",
            "Call it with the config in the run's .sweeper/config.yaml.",
        )
    if not program["main"]:
        raise RecordError(
            f"The run was not made by a program, but by {program['module']}:{program['function']}",
            hint="Make it again from Python, with the config in its .sweeper/config.yaml.",
        )
    command = [*program_words(program), "--rerun", record.directory]
    return subprocess.run(command, cwd=program["folder"], check=False).returncode  # noqa: S603  the user's own


def resume(directory: str, settings: Sequence[str]) -> int:
    """Become the program of a sweep, with `--resume` and what else is given.

    Raises:
        RecordError: if that program cannot be started again.
    """
    import subprocess
    import sys

    program = read_sweep(directory)["program"]
    command = [*program_words(program), "--resume", directory, *settings]
    if not os.path.isdir(program["folder"]):
        raise RecordError(f"The sweep was made in {program['folder']}, which is gone", directory)
    sys.stdout.flush()
    if os.name == "posix":  # so that Ctrl-C and SIGTERM are the program's own
        os.chdir(program["folder"])
        os.execv(command[0], command)  # noqa: S606  the user's own
    return subprocess.call(command, cwd=program["folder"])  # noqa: S603  the user's own


def exported(directory: str, tool: str) -> str:
    """Return what the program of a sweep prints with `--export`.

    Raises:
        RecordError: if that program cannot be started again, or refuses, with its own words.
    """
    import subprocess
    import sys

    program = read_sweep(directory)["program"]
    command = [*program_words(program), "--resume", directory, "--export", tool]
    if not os.path.isdir(program["folder"]):
        raise RecordError(f"The sweep was made in {program['folder']}, which is gone", directory)
    done = subprocess.run(  # noqa: S603  the user's own
        command, cwd=program["folder"], capture_output=True, text=True, check=False
    )
    if done.returncode == 2 and "error: " in done.stderr:
        raise RecordError(done.stderr.partition("error: ")[2].strip().replace("\n  ", "\n"))
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        raise RecordError("The program of the sweep does not start", f"    {last}", "Mend it first.")
    sys.stderr.write(done.stderr)
    return done.stdout


def program_words(program: Mapping[str, Any]) -> list[str]:
    """Return the words that start a program again: an interpreter, and what it runs.

    Raises:
        RecordError: if it cannot be started by words.
    """
    import shlex
    import sys

    if program.get("from_python"):
        raise RecordError(
            "The sweep was made from Python, and no command can go on with it",
            f"function {program['function']!r}",
            "Call sweeper.sweep again as it was called, with resume=DIR.",
        )
    main, module, interpreter = program["main"], program["module"], program["interpreter"]
    if not os.path.exists(interpreter):
        print(f"warning: {interpreter} is gone; this is {sys.executable}", file=sys.stderr)  # noqa: T201
        interpreter = sys.executable
    if main.startswith("-m "):
        return [interpreter, *main.split(" ", 1)]
    if main:
        return [interpreter, main]
    if not module:
        raise RecordError("The function lives in a notebook, which no command can start again")
    name = shlex.split(program["command"])[0]
    return [interpreter, "-c", _CALL.format(name=name, module=module, function=program["function"])]


# A console script's function, called as the script does.
_CALL = """\
import sys
from importlib import import_module
sys.argv[0] = {name!r}
program = import_module({module!r}).{function}
if not hasattr(program, "__sweeper_main__"):
    sys.exit("error: {module}:{function} is no program; it was swept from Python")
program()
"""


def verdict(record: RunRecord, outcome: Outcome) -> tuple[bool, str]:
    """Return whether a run that was made again came to the same, and words that say so.

    With several objectives the values of all are compared; a run without a score has none to compare.
    """
    before = record.outcome
    if before.values or outcome.values:
        same = before.values == outcome.values
        found, was = (f"the values are {list(outcome.values)}", f"were {list(before.values)}")
        return same, f"{found}, {'as they were' if same else f'and {was}'} in {record.id}"
    if before.score is None and outcome.score is None:
        return True, f"there is no score to compare, nor was there in {record.id}"
    same = before.score == outcome.score
    was = "as it was" if same else f"and was {before.score!r}"
    return same, f"the score is {outcome.score!r}, {was} in {record.id}"

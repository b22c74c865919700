"""The command line of a decorated program: flags and overrides, mixed in any order.

The flags are a table; parsing and help are made from it. A flag that is short for a setting becomes
an override where it stands, so that the later of two wins.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from .errors import UsageError, nearest
from .grammar import show


class Flag(NamedTuple):
    """A flag: its names, the longest first; the word for its value, if it takes one."""

    names: tuple[str, ...]
    text: str
    value: str = ""
    override: str = ""  # what it is short for; {} stands for the value
    sweeps: bool = False  # implies -m
    optional: str = ""  # the value where none is given
    choices: tuple[str, ...] = ()


SHELLS = ("bash", "zsh", "fish")
FLAGS = (
    Flag(("--multirun", "-m"), "run a grid or a search instead of a single run"),
    Flag(("--search",), "search the space", "NAME", "sweeper/search={}", sweeps=True),
    Flag(("--pruner",), "end runs early that lag behind", "NAME", "sweeper/pruner={}"),
    Flag(("--trials",), "points to run in all", "N", "sweeper.search.trials={}", sweeps=True),
    Flag(("--jobs",), "runs at the same time", "N", "sweeper.launcher.jobs={}"),
    Flag(("--timeout",), "start no run after this time: 90, 30m, 2h", "TIME", "sweeper.search.timeout={}"),
    Flag(("--maximize",), "the highest score is best", "", "sweeper.objective.direction=maximize"),
    Flag(("--minimize",), "the lowest score is best", "", "sweeper.objective.direction=minimize"),
    Flag(("--tracker",), "report runs to these trackers too", "NAME,…", "sweeper/tracker=[{}]"),
    Flag(("--resume",), "go on with the sweep in a directory", "DIR", sweeps=True),
    Flag(("--retry-failed",), "with --resume, make the failed runs again"),
    Flag(("--rerun",), "make the run in a directory again, from its record", "DIR"),
    Flag(("--quiet", "-q"), "print nothing of a sweep but its last line"),
    Flag(("--dry-run",), "list the runs and make none"),
    Flag(
        ("--export",), "print the sweep as another tool has it, and make no run", "TOOL", sweeps=True,
        choices=("katib",),
    ),
    Flag(("--cfg", "-c"), "print the config and stop", "WHAT", choices=("job", "sweeper", "hydra", "all")),
    Flag(("--resolve",), "with --cfg, resolve the interpolations"),
    Flag(("--package", "-p"), "with --cfg, print this node only", "KEY"),
    Flag(("--explain",), "print the files and overrides that set a value", "KEY"),
    Flag(
        ("--info", "-i"), "print how the config is found and composed", "WHAT", optional="all",
        choices=("all", "config", "defaults", "defaults-tree", "plugins", "searchpath"),
    ),
    Flag(("--config-name", "-cn"), "begin with this config", "NAME"),
    Flag(("--config-path", "-cp"), "look for configs in this folder instead", "DIR"),
    Flag(("--config-dir", "-cd"), "look for configs in this folder too", "DIR"),
    Flag(("--run", "-r"), "make a single run; the default"),
    Flag(("--help", "-h"), "print this, the config groups and the config"),
    Flag(("--hydra-help",), "print the flags"),
    Flag(("--version",), "print the version"),
    Flag(
        ("--shell-completion", "-sc"), "print what makes TAB complete, or what undoes it", "WHAT",
        choices=tuple(f"{do}={shell}" for do in ("install", "uninstall", "query") for shell in SHELLS),
    ),
)  # fmt: skip

# These also stand before the overrides of each run, so that it can be made again by its command line.
KEPT = ("--config-name", "--config-path", "--config-dir")


class Command:
    """A command line, read."""

    def __init__(self) -> None:
        self.overrides: list[str] = []
        self.values: dict[str, str] = {}  # by the flag's long name; empty for one without a value
        self.multirun = False

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def kept(self) -> tuple[str, ...]:
        """Return the flags that each run of a sweep needs."""
        return tuple(word for name in KEPT if name in self.values for word in (name, self.values[name]))


_BY_NAME = {name: flag for flag in FLAGS for name in flag.names}


def parse_command(arguments: Sequence[str]) -> Command:
    """Return what a command line says.

    Raises:
        UsageError: for a flag that does not exist, lacks its value, or contradicts another.
    """
    command = Command()
    words = list(arguments)
    while words:
        word = words.pop(0)
        if not word.startswith("-") or word == "-":
            command.overrides.append(word)
            continue
        if word == "--":
            continue
        name, equals, value = word.partition("=")
        flag = _find(name)
        if flag.value:
            if not equals:
                value = _next_value(flag, words)
            if flag.choices and value not in flag.choices:
                raise UsageError(
                    f"{flag.names[0]} takes {', '.join(flag.choices)}, not {value!r}",
                    hint=nearest(value, flag.choices),
                )
        elif equals:
            raise UsageError(f"{flag.names[0]} takes no value, but stands as {word}")
        _take(command, flag, value)
    if "--run" in command and command.multirun:
        raise UsageError("--run contradicts --multirun, --search, --trials and --resume")
    if "--maximize" in command and "--minimize" in command:
        raise UsageError("--maximize contradicts --minimize")
    for name in ("--resolve", "--package"):
        if name in command and not command.values.keys() & {"--cfg", "--help"}:
            raise UsageError(f"{name} goes with --cfg", hint=f"For example: --cfg job {name}")
    if "--retry-failed" in command and "--resume" not in command:
        raise UsageError("--retry-failed goes with --resume DIR")
    return command


def _next_value(flag: Flag, words: list[str]) -> str:
    if words and not (flag.optional and words[0] not in flag.choices):
        if words[0].startswith("-") and words[0] in _BY_NAME:
            raise UsageError(f"{flag.names[0]} needs a value: {flag.names[0]} {flag.value}")
        return words.pop(0)
    if flag.optional:
        return flag.optional
    raise UsageError(f"{flag.names[0]} needs a value: {flag.names[0]} {flag.value}")


def _find(name: str) -> Flag:
    if name in _BY_NAME:
        return _BY_NAME[name]
    if name.startswith("--"):  # a beginning that only one flag has
        found = {_BY_NAME[known] for known in _BY_NAME if known.startswith(name)}
        if len(found) == 1:
            return found.pop()
    raise UsageError(
        f"There is no flag {name}", hint=nearest(name, _BY_NAME) or "All flags are listed by --help."
    )


def _take(command: Command, flag: Flag, value: str) -> None:
    long = flag.names[0]
    command.values[long] = value
    command.multirun |= flag.sweeps or long == "--multirun"
    if long == "--config-dir":
        command.values[long] = os.path.abspath(value)
    if flag.override:
        quoted = value if long == "--tracker" else show(value) if long == "--timeout" else value
        command.overrides.append(flag.override.format(quoted))


def flags_help() -> str:
    """Return the table of flags as people read it."""
    lines = []
    for flag in FLAGS:
        names = ", ".join(reversed(flag.names))
        value = f" {flag.value}" if flag.value else ""
        short = f"  [{flag.override.format(flag.value)}]" if flag.override else ""
        lines.append(f"  {names + value:<28} {flag.text}{short}")
    return "\n".join(lines)

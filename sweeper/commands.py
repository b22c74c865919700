"""The `sweeper` command: what one does with sweeps that have been made."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from . import __version__
from .errors import RecordError, SweeperError
from .export import export_optuna


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says, and return the exit code."""
    parser = argparse.ArgumentParser(prog="sweeper", description=__doc__, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"sweeper {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    export = commands.add_parser("export", help="write a sweep for another tool")
    export.add_argument("sweep", metavar="SWEEP", help="a sweep's directory; last is the newest")
    export.add_argument("--to", choices=["optuna"], required=True, help="the tool")
    export.add_argument("--out", metavar="FILE", help="the file; SWEEP/optuna.db by default")
    asked = parser.parse_args(arguments)
    try:
        directory = find_sweep(asked.sweep)
        path = os.path.abspath(asked.out or os.path.join(directory, "optuna.db"))
        url = export_optuna(directory, path)
    except SweeperError as error:
        text = str(error).replace("\n", "\n  ")
        print(f"error: {text}", file=sys.stderr)  # noqa: T201
        return 2
    print(f"{url}\nlook at it with  optuna-dashboard {url}")  # noqa: T201
    return 0


def find_sweep(name: str) -> str:
    """Return a sweep's directory.

    Raises:
        RecordError: if there is none of the name.
    """
    path = os.path.join("multirun", "latest") if name == "last" else name
    if not os.path.exists(os.path.join(path, "sweep.jsonl")):
        raise RecordError(f"There is no sweep in {path}", hint="Give a sweep's directory, as it was printed.")
    return os.path.realpath(path)

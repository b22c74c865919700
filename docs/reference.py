"""The pages of the reference, made from the code whenever the site is built; a hook of MkDocs.

python docs/reference.py FOLDER     writes them as files
"""

from __future__ import annotations

import argparse
import inspect
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from importlib import import_module
from typing import Any

import sweeper.prune
from sweeper import callbacks, cli, commands, current, errors, results, settings, standings, types, utils
from sweeper.core import config_store, hydra_config
from sweeper.grammar import show
from sweeper.launch import LAUNCHERS
from sweeper.search import SEARCHERS, Searcher
from sweeper.track import TRACKERS, SweepRecord, Tracker, sqlite

_LONG = 80  # characters of a signature
GROUPS = {"search": SEARCHERS, "launcher": LAUNCHERS, "tracker": TRACKERS}
FOLDERS = {"search": "search", "launcher": "launch", "tracker": "track"}

# What the code, or a library on its behalf, looks for in the environment or puts there; a test holds it.
ENVIRONMENT = {
    "SWEEPER_RUN_DIR": "set in a run: its directory. What it starts reports there; the same script joins it",
    "SWEEPER_RUN_MAIN": "set in a run: which script that is",
    "SWEEPER_INSTANTIATE_ALLOW": "targets of `instantiate` that would be refused, by commas",
    "HYDRA_INSTANTIATE_ALLOWLIST_OVERRIDE": "the same, by Hydra's name",
    "OMP_NUM_THREADS": "set in a run, like the variables of other libraries for threads, unless it is set: "
    "the cores shared out among the runs; see `sweeper.launcher.threads`",
    "RANK": "set by torchrun, as is `LOCAL_RANK`: only rank 0 owns the run's directory",
    "WORLD_SIZE": "set by torchrun: how many processes; a sweep is not for several of them to make",
    "CI": "no live view is drawn",
    "TERM": "no live view is drawn if it is `dumb` or `unknown`",
    "NO_COLOR": "no colours",
    "SLURM_RESTART_COUNT": "set by Slurm in a job that it has requeued",
    "MLFLOW_TRACKING_URI": "where the tracker `mlflow` reports to, unless `sweeper.tracker.mlflow.uri` says",
    "MLFLOW_TRACKING_USERNAME": "the user's name at MLflow",
    "MLFLOW_TRACKING_PASSWORD": "the password",
    "MLFLOW_TRACKING_TOKEN": "a token, instead of them",
    "MLFLOW_TRACKING_INSECURE_TLS": "`true` if its certificate is not to be checked",
    "MLFLOW_TRACKING_SERVER_CERT_PATH": "the certificates by which it is checked",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH": "the certificate that we show",
    "MLFLOW_WORKSPACE": "the workspace, where a server has several",
    "MLFLOW_TRACKING_AUTH": "another way to log in; then the package `mlflow` speaks to the server",
    "MLFLOW_TRACKING_AWS_SIGV4": "the same",
    "MLFLOW_RUN_ID": "set in a run that joins: MLflow's id of it. A program that finds it set, as by "
    "`mlflow run`, has its sweep, or its single run, in that run",
    "MLFLOW_EXPERIMENT_ID": "set in a run that joins",
    "WANDB_PROJECT": "the project, unless `sweeper.tracker.wandb.project` says",
    "WANDB_MODE": "`online`, `offline` or `disabled`, unless `sweeper.tracker.wandb.mode` says",
    "WANDB_DIR": "where wandb's files go, unless `sweeper.tracker.wandb.dir` says",
    "WANDB_INIT_TIMEOUT": "seconds that Weights & Biases has to answer; 20",
    "COMET_PROJECT_NAME": "the project, unless `sweeper.tracker.comet.project` says",
    "COMET_API_KEY": "the key that Comet's own client reads",
}
# What is only handed to libraries, shells and other processes of ours.
INTERNAL = (
    "COMPUTERNAME", "COMP_LINE", "COMP_POINT", "PATH", "PYTHONPATH", "COMET_ERROR_TRACKING_ENABLE",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "SLURM_CONF", "WANDB_ERROR_REPORTING", "WANDB_SERVICE",
    "RAY_USAGE_STATS_ENABLED", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO",
)  # fmt: skip


# ---------------------------------------------------------------------------------------- settings


def settings_page() -> str:
    """Return the page of the `sweeper` node: every key, every option that ships."""
    text = """# Settings

Settings of sweeper itself are config, under the key `sweeper`: in any file, or as an override,
`sweeper.search.trials=50`. `python train.py --cfg sweeper` prints them as they are composed. A key that does
not exist, or a value of the wrong type, is a mistake. The function does not get the node.
"""
    short: dict[str, list[str]] = {}
    for flag in cli.FLAGS:
        short.setdefault(_key(flag.override), []).append(f"`{flag.names[0]}`")
    parts: dict[str, list[Sequence[str]]] = {}
    for name, (kind, default, meaning) in settings.keys().items():
        part = name.rpartition(".")[0]
        shown = "`local`; not on Linux `joblib`" if name == "launcher.name" else f"`{show(default)}`"
        flags = ", ".join(short.get(f"sweeper.{name}", ()))
        row = (f"`sweeper.{name}`", _kind(kind), shown, meaning, flags)
        parts.setdefault(part, []).append(row)
    for part, rows in parts.items():
        text += f"\n## {f'sweeper.{part}' if part else 'sweeper'}\n\n"
        text += table(("key", "type", "default", "", "flag"), rows)
        if part in settings.OPTIONS:
            text += "".join(_options(part))
    return text + "\n## sweeper/tracker\n\n" + "".join(_options("tracker"))


def _options(group: str) -> Iterator[str]:
    yield f"\nOptions of the group `sweeper/{group}`, and what they have beside the keys above:\n"
    said = set[str]()
    for name, options in settings.OPTIONS[group].items():
        yield f"\n### {group} {name}\n\n"
        words = _docstrings(group, name)
        if words[0] not in said:
            said.add(words[0])
            yield prose(_without_keys(words[0], options)) + "\n"
        prefix = f"sweeper.{group}.{name}" if group == "tracker" else f"sweeper.{group}"
        rows = [
            (f"`{prefix}.{key}`", f"`{show(value)}`", meaning(key, words)) for key, value in options.items()
        ]
        yield table(("key", "default", ""), rows) if rows else "It has no keys of its own.\n"


def _docstrings(group: str, name: str) -> tuple[str, ...]:
    """Return what an option's module and class say of themselves."""
    if group not in GROUPS or name not in GROUPS[group]:
        words = sweeper.prune.__doc__ if group == "pruner" else ""
        return (inspect.cleandoc(words or ""),)
    module, kind = GROUPS[group][name]
    found = import_module(f"sweeper.{FOLDERS[group]}.{module}")
    classes = (getattr(found, kind), getattr(found, "Options", None))
    return tuple(inspect.cleandoc(each.__doc__ or "") for each in (found, *filter(None, classes)))


def meaning(key: str, docstrings: Sequence[str]) -> str:
    """Return what docstrings say of a key: in a table, or among the `Args:`."""
    for text in docstrings:
        found = re.search(
            rf"^ +(?:sweeper\.\w+\.)?{key}(?:: | {{2,}})(.*(?:\n {{8,}}.*)*)", text, re.MULTILINE
        )
        if found:
            return " ".join(found[1].split())
    return ""


def _without_keys(docstring: str, keys: Mapping[str, Any]) -> str:
    parts = docstring.split("\n\n")
    return "\n\n".join(part for part in parts if not any(meaning(key, [part]) for key in keys))


def _key(override: str) -> str:
    return override.partition("=")[0].replace("/", ".") + (".name" if "/" in override else "")


def _kind(kind: str) -> str:
    words = {"str": "text", "int": "integer", "float": "number", "bool": "true, false", "None": "null",
             "list[Any]": "list", "Mapping[str, Any]": "mapping"}  # fmt: skip
    return ", ".join(words[name] for name in kind.split(" | "))


# ------------------------------------------------------------------------------------ command lines


def flags_page() -> str:
    """Return the page of a decorated program's command line."""
    rows = []
    for flag in cli.FLAGS:
        names = ", ".join(f"`{name}`" for name in reversed(flag.names))
        value = f" `{flag.value}`" if flag.value else ""
        choices = f": {', '.join(f'`{choice}`' for choice in flag.choices)}" if flag.choices else ""
        short = f"`{flag.override.format(flag.value)}`" if flag.override else ""
        rows.append((names + value, flag.text + choices, short, "`-m`" if flag.sweeps else ""))
    return f"""# Flags

`python train.py [override | flag]…`, in any order. A flag may be shortened as long as it is the only one that
begins so, and takes its value after a space or a `=`. One that is short for an override counts where it
stands: the later of two wins.

{table(("flag", "", "is short for", "implies"), rows)}
## Exit codes

| code | |
| --- | --- |
| 0 | all runs completed, or were pruned |
| 1 | at least one run failed; the others were made. A single run shows its own traceback |
| 2 | a mistake, which is said in a few lines |
| 130 | interrupted; a sweep prints the command that goes on with it |

A single run that calls `sys.exit` keeps its own code. The [`sweeper` command](command.md) exits with 0, with
1 where the answer is no, with 2 for a mistake, and with 130 if it was interrupted.
"""


def command_page() -> str:
    """Return the page of the `sweeper` command, as its own `--help` has it."""
    os.environ.update(COLUMNS="100", NO_COLOR="1")  # what argparse looks at
    parser = commands._parser()  # noqa: SLF001  its own documentation
    text = "# The sweeper command\n\n" + prose(commands.__doc__ or "") + "\n"
    text += block(parser.format_help().partition("\n\n")[0])
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for name, each in action.choices.items():
                text += f"\n## sweeper {name}\n\n{block(each.format_help())}"
    return text


# ------------------------------------------------------------------------------------ public names


def python_page() -> str:
    """Return the page of every public name, with its docstring."""
    text = "# Python\n\nWhat `import sweeper` offers.\n"
    for name in sweeper.__all__:
        if not name.endswith(("Error", "Pruned")):
            text += entry(f"sweeper.{name}", getattr(sweeper, name))
    text += "\n## What they return\n"
    for kind in (results.SweepResult, results.RunResult, standings.Standing, current.CurrentRun):
        text += entry(f"{kind.__module__}.{kind.__name__}", kind)
    text += f"\n## Errors\n\n{prose(errors.__doc__ or '')}\n"
    for kind in (sweeper.SweeperError, sweeper.Pruned):
        text += entry(f"sweeper.{kind.__name__}", kind)
    text += "\n## Hydra's names\n\nFor [existing code](../howto/hydra.md).\n"
    for module in (utils, config_store, hydra_config, types):
        text += f"\n### {module.__name__}\n\n{prose(module.__doc__ or '')}\n"
        for name in getattr(module, "__all__", ["HydraConfig"]):
            text += entry(f"{module.__name__}.{name}", getattr(module, name), level=4)
    text += "\n## For a search, a tracker or a callback of your own\n"
    for each in (Searcher, Tracker, SweepRecord):
        text += entry(f"{each.__module__}.{each.__name__}", each)
    return text + f"\n### Callbacks\n\n{prose(callbacks.__doc__ or '')}\n"


def entry(path: str, found: Any, level: int = 3) -> str:
    """Return what there is to say of a class or a function."""
    name = path.rpartition(".")[2]
    text = f"\n{'#' * level} {path}\n\n"
    if not inspect.isclass(found) and not inspect.isroutine(found):
        return text + f"`{found}`\n"
    if not inspect.isclass(found):
        text += block(name + _signature(found), "python")
    words, fields = inspect.getdoc(found) or "", getattr(found, "_fields", ())
    text += prose(_without_keys(words, dict.fromkeys(fields))) + "\n"
    if not inspect.isclass(found):
        return text
    rows = [(f"`{field}`", "field", meaning(field, [words])) for field in fields]
    for each, value in vars(found).items():
        kind, inner = "method", getattr(value, "__func__", value)
        if isinstance(value, property):
            kind, inner = "property", value.fget
        if each.startswith("_") or not inspect.isfunction(inner):
            continue
        words = " ".join((inspect.getdoc(inner) or "").split("\n\n")[0].split())
        rows.append((f"`{each}{_signature(inner) if kind == 'method' else ''}`", kind, words))
    return text + (f"\n{table(('name', '', ''), rows)}" if rows else "")


def _signature(found: Callable[..., Any]) -> str:
    """Return how something is called; on several lines where one would be long."""
    signature = inspect.signature(found)
    words, kind = list[str](), inspect.Parameter.POSITIONAL_ONLY
    for each in signature.parameters.values():
        if each.name in ("self", "cls"):
            continue
        if each.kind == each.KEYWORD_ONLY != kind:
            words.append("*")
        kind = each.kind
        stars = {each.VAR_POSITIONAL: "*", each.VAR_KEYWORD: "**"}.get(kind, "")
        note = "" if each.annotation is each.empty else f": {each.annotation}"
        words.append(
            f"{stars}{each.name}{note}" + ("" if each.default is each.empty else f" = {each.default!r}")
        )
    end = "" if signature.return_annotation is signature.empty else f" -> {signature.return_annotation}"
    line = f"({', '.join(words)}){end}"
    return line if len(line) < _LONG else "(\n    " + ",\n    ".join(words) + f",\n){end}"


# ------------------------------------------------------------------------------------------ records


def database_page() -> str:
    """Return the page of `sweeper.db`, from one that was made."""
    text = "# The database\n\n" + prose(sqlite.__doc__ or "") + "\n"
    text += f"\nThe schema has a version, `pragma user_version`, now {sqlite.VERSION}; older files are "
    text += "brought up to it when they are opened.\n"
    with tempfile.TemporaryDirectory() as folder, closing(sqlite.connect(f"{folder}/sweeper.db")) as db:
        names = [row[0] for row in db.execute("select name from sqlite_master where type = 'table'")]
        for name in names:
            rows = []
            keys = {row[3]: f"`{row[2]}.{row[4]}`" for row in db.execute(f"pragma foreign_key_list({name})")}
            for _, column, kind, _, _, primary in db.execute(f"pragma table_info({name})"):
                what = "key" if primary else keys.get(column, "")
                rows.append((f"`{column}`", kind.lower() or "any", what))
            text += f"\n## {name}\n\n{table(('column', 'type', ''), rows)}"
    return text


def environment_page() -> str:
    """Return the page of environment variables."""
    rows = [(f"`{name}`", meaning) for name, meaning in ENVIRONMENT.items()]
    return f"# Environment variables\n\n{table(('variable', ''), rows)}"


# --------------------------------------------------------------------------------------------- text


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown, without the columns that are empty."""
    kept = [at for at, _ in enumerate(head) if any(row[at] for row in rows)]
    lines = [[head[at] for at in kept], ["---"] * len(kept)]
    lines += [[" ".join(row[at].replace("|", "\\|").split()) for at in kept] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def block(text: str, kind: str = "text") -> str:
    """Return a block of code."""
    return f"```{kind}\n{text.rstrip()}\n```\n\n"


def prose(docstring: str) -> str:
    """Return a docstring in Markdown: examples and drawings become blocks, `Args:` and `Raises:` lists."""
    found = []
    for part in inspect.cleandoc(docstring).split("\n\n"):
        head, _, rest = part.partition("\n")
        if head in ("Args:", "Raises:", "Returns:"):
            items = re.split(r"\n(?=\S)", inspect.cleandoc(rest))
            listed = [re.sub(r"^([\w.]+):", r"`\1`:", " ".join(item.split())) for item in items]
            found.append(f"{head}\n\n" + "\n".join(f"- {item}" for item in listed))
        elif part.startswith((">>>", "    ")):
            found.append(block(inspect.cleandoc(part) if part[0] != " " else _outdented(part)).rstrip())
        elif "\n    " in part or re.search(r"^\S+ {3,}\S", part, re.MULTILINE):
            found.append(block(part).rstrip())
        else:
            found.append(part)
    return "\n\n".join(found) + "\n"


def _outdented(text: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in text.split("\n"))


PAGES: dict[str, Callable[[], str]] = {
    "reference/settings.md": settings_page,
    "reference/flags.md": flags_page,
    "reference/command.md": command_page,
    "reference/python.md": python_page,
    "reference/database.md": database_page,
    "reference/environment.md": environment_page,
}


def on_files(files: Any, config: Any) -> Any:
    """Add the pages to those that MkDocs has found."""
    from mkdocs.structure.files import File

    for path, page in PAGES.items():
        files.append(File.generated(config, path, content=page()))
    return files


if __name__ == "__main__":
    for path, page in PAGES.items():
        place = os.path.join(sys.argv[1], path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "w", encoding="utf-8") as file:
            file.write(page())

"""A sweep of Weights & Biases, `sweep.yaml`, read as a config of ours: its space, search and pruner.

    method             grid, random; bayes is gp, and custom tpe
    metric, metrics    sweeper.objective; target is sweeper.search.target
    run_cap            sweeper.search.trials
    early_terminate    the pruner asha, which compares runs as their hyperband does
    parameters         keys with a value each, and their ranges in sweeper.space
    command            the words that start the program

What has no counterpart is left out or comes near, and a note says so; what would mean something else is
refused, with its file and line. Their package is not needed, and nothing is run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import trees, yamls
from .errors import ConfigError, nearest
from .grammar import Choice, Override, Swept, show
from .space import Choices, Parameter, domain_of
from .wandb_space import Distribution, Source

_TOP = (
    "program", "command", "method", "metric", "metrics", "parameters", "run_cap", "early_terminate", "name",
    "description", "entity", "project", "job", "image_uri", "scheduler", "controller", "apiVersion", "kind",
)  # fmt: skip
_NO_MATCH = ("job", "image_uri", "scheduler", "controller")
_WORDS = {"name": "name", "description": "note"}
_METHODS = {"grid": "grid", "random": "random", "bayes": "gp", "custom": "tpe"}

_KEY = re.compile(r"[A-Za-z_][\w.-]*\Z", re.ASCII)
_RESERVED = ("sweeper", "hydra", "defaults", "_space_")

# What stands for the parameters in a command: of a Hydra program, with the sign of its overrides.
_OVERRIDES = {"${args_no_hyphens}": "", "${args_append_hydra}": "+", "${args_override_hydra}": "++"}
_MACROS = ("${args}", "${args_no_equals}", "${args_no_boolean_flags}", "${args_json}", "${args_json_file}")
_USUAL_COMMAND = ("${env}", "${interpreter}", "${program}", "${args}")


@dataclass
class WandbSweep:
    """What a sweep says in our words: a config, what starts the program, and what is not the same."""

    config: dict[str, Any] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)  # that start the program
    overrides: list[str] = field(default_factory=list)  # of a program that has configs of its own
    notes: list[str] = field(default_factory=list)
    is_experiment: bool = False  # whether the program has configs of its own, with these keys

    def command(self, out: str = "") -> str:
        """Return the command line that runs the sweep from a config file."""
        *folders, name = (out or "conf/sweep.yaml").removesuffix(".yaml").split("/")
        inside = "experiment" in folders
        if inside or (self.is_experiment and not out):
            path = "/".join(folders[folders.index("experiment") + 1 :]) if inside else ""
            chosen = [f"+experiment={path}/{name}" if path else f"+experiment={name}"]
        else:
            chosen = ["-cn", name]
        return " ".join(map(_quoted, [*self.words, "-m", *chosen, *self.overrides]))

    def text(self, source: str, out: str = "") -> str:
        """Return the config as a file: by itself, or as an experiment on top of others."""
        said = [f"From {source} of Weights & Biases. Run it:", f"  {self.command(out)}"]
        said += [f"note: {note}" for note in self.notes]
        return "\n".join(["# @package _global_", *(f"# {line}" for line in said), yamls.dump(self.config)])


def read_wandb_sweep(path: str, name: str | None = None) -> WandbSweep:
    """Return what a file with a sweep of theirs says, under a name of its own or another.

    Raises:
        ConfigError: if it cannot be read, or is no sweep of theirs.
        SpaceError: with file, line and key, for what has no meaning, there or here.
    """
    try:
        found = yamls.read(path)
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"Cannot read {path}: it is no text") from None
    if not isinstance(found, dict) or not ({"method", "parameters"} <= set(found)):
        raise ConfigError(
            f"{path} is no sweep of Weights & Biases: that has a 'method' and 'parameters'",
            hint="Runs are read from a csv, or from a sweep's directory.",
        )
    return _Reader(path, {**found, **({"name": name} if name else {})}).read()


class _Reader:
    """Turns one sweep's keys, one after the other, into ours."""

    def __init__(self, path: str, sweep: dict[str, Any]) -> None:
        self.source, self.sweep = Source(path), sweep
        self.wrong, self.note, self.number = self.source.wrong, self.source.notes.append, self.source.number
        self.made = WandbSweep(notes=self.source.notes)
        self.values: dict[str, Any] = {}  # by key
        self.space: dict[str, Any] = {}
        self.sign: str | None = None  # of overrides, where the program has configs of its own

    def read(self) -> WandbSweep:
        for key in self.sweep:
            if key not in _TOP:
                raise self.wrong(f"A sweep has no '{key}'", str(key), nearest(str(key), _TOP))
        method = str(self.sweep["method"])
        if method not in _METHODS:
            hint = nearest(str(method), _METHODS) or f"There are {', '.join(_METHODS)}."
            raise self.wrong(f"There is no method '{method}'", "method", hint)
        self.grid = method == "grid"
        literals = self.read_command()
        self.read_parameters(self.mapping("parameters"), "parameters", "")
        self.read_literals(literals)
        words = {ours: str(self.sweep[theirs]) for theirs, ours in _WORDS.items() if self.sweep.get(theirs)}
        parts = {
            "objective": self.objective(),
            "search": self.search(method),
            "pruner": self.pruner(),
            "space": self.space,
        }
        settings = {**words, **{name: part for name, part in parts.items() if part}}
        name = "tpe" if "metrics" in self.sweep and method == "bayes" else _METHODS[method]
        defaults = [{"override /sweeper/search": name}]
        defaults += [{"override /sweeper/pruner": "asha"}] if parts["pruner"] else []
        self.note_rest(method)
        self.made.config = {"defaults": [*defaults, "_self_"], **self.nested(), "sweeper": settings}
        return self.made

    def mapping(self, key: str) -> dict[str, Any]:
        found = self.sweep[key]
        if not isinstance(found, dict) or not found:
            raise self.wrong(f"'{key}' must be a mapping, not {show(found)}", key)
        return found

    # ---------------------------------------------------------------------------- the settings

    def objective(self) -> dict[str, Any]:
        if "metric" in self.sweep:
            if "metrics" in self.sweep:
                raise self.wrong("A sweep has one 'metric', or several 'metrics'", "metrics")
            return self.metric(self.mapping("metric"), "metric")
        metrics = self.sweep.get("metrics", [])
        if not isinstance(metrics, list) or not all(isinstance(metric, dict) for metric in metrics):
            raise self.wrong("'metrics' must be a list of mappings", "metrics")
        found = [self.metric(metric, f"metrics.{at}") for at, metric in enumerate(metrics)]
        return {key: [each[key] for each in found] for key in ("metric", "direction") if found}

    def metric(self, metric: Mapping[str, Any], where: str) -> dict[str, Any]:
        known = ("name", "goal", "target", "impute", "impute_while_running")
        for key in metric:
            if key not in known:
                raise self.wrong(f"A metric has no '{key}'", f"{where}.{key}", nearest(str(key), known))
        goal = metric.get("goal", "minimize")
        if goal not in ("minimize", "maximize"):
            hint = nearest(str(goal), ("minimize", "maximize"))
            raise self.wrong(f"A goal is minimize or maximize, not {show(goal)}", f"{where}.goal", hint)
        if not isinstance(metric.get("name"), str):
            raise self.wrong("A metric has a name: that of what is reported or returned", where)
        if {"impute", "impute_while_running"} & set(metric):
            self.note(f"{where}.impute is left out: a run without a score is a failed trial")
        return {"metric": metric["name"], "direction": goal}

    def search(self, method: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        cap = self.sweep.get("run_cap")
        if cap is not None:
            if type(cap) is not int or cap < 1:
                raise self.wrong(f"'run_cap' must be a whole number above zero, not {show(cap)}", "run_cap")
            found["trials"] = cap
        elif method != "grid":
            self.note("no run_cap: theirs goes on until it is stopped, ours makes 20 runs; see --trials")
        target = (self.sweep.get("metric") or {}).get("target")
        if target is not None:
            found["target"] = self.number(target, "metric.target")
        if method == "bayes" and "metric" not in self.sweep:
            self.note("no metric is named: what the function returns is the score")
        if method == "custom":
            self.note("the scheduler of method custom is left out; tpe stands in its place")
        return found

    def pruner(self) -> dict[str, Any]:
        if "early_terminate" not in self.sweep:
            return {}
        said, here = self.mapping("early_terminate"), "early_terminate"
        known = ("type", "min_iter", "max_iter", "s", "eta", "strict")
        for key in said:
            if key not in known:
                raise self.wrong(f"'{here}' has no '{key}'", f"{here}.{key}", nearest(str(key), known))
        if said.get("type") != "hyperband":
            raise self.wrong(f"'{here}' is of type hyperband, not {show(said.get('type'))}", f"{here}.type")
        numbers = {key: self.number(said[key], f"{here}.{key}") for key in known[1:5] if key in said}
        eta = numbers.get("eta", 3)
        if eta <= 1:
            raise self.wrong(f"'eta' must be above one, not {show(eta)}", f"{here}.eta")
        factor = max(round(eta), 2)
        if factor != eta:
            self.note(f"early_terminate.eta {show(eta)} is {factor}: asha's factor is a whole number")
        if said.get("strict"):
            self.note("early_terminate.strict is left out: asha has no such rule")
        if "max_iter" in numbers and "s" in numbers:
            first, band = 0, numbers["max_iter"] / eta
            for _ in range(int(numbers["s"])):
                if band < 1:
                    break
                first, band = int(band), band / eta
        else:
            first = int(numbers.get("min_iter", 0))
        if first < 1:
            hint = "It needs min_iter, or max_iter and s: when runs are first compared."
            raise self.wrong("hyperband has no band", here, hint)
        return {"min_step": first, "factor": factor}

    def note_rest(self, method: str) -> None:
        left = [key for key in _NO_MATCH if key in self.sweep and (method != "custom" or key != "scheduler")]
        if left:
            self.note(f"left out, since nothing here is like it: {', '.join(left)}")
        place = {key: self.sweep[key] for key in ("project", "entity") if self.sweep.get(key)}
        if place:
            words = " ".join(f"sweeper.tracker.wandb.{key}={show(value)}" for key, value in place.items())
            self.note(f"runs go to sweeper.db; to have them there too, add  --tracker wandb {words}")

    # ----------------------------------------------------------------------------- the command

    def read_command(self) -> list[str]:
        """Find the words that start the program, and return those that it gets beside the parameters."""
        command = self.sweep.get("command") or _USUAL_COMMAND
        if not isinstance(command, (list, tuple)):
            raise self.wrong("'command' must be a list of words", "command")
        program = str(self.sweep.get("program") or "")
        if not program and "${program}" in command:
            program = "train.py"
            self.note("no program is named: train.py stands for it")
        filled = {"${interpreter}": "python", "${program}": program}
        words = [filled.get(str(word), str(word)) for word in command if word != "${env}"]
        words = [re.sub(r"\$\{envvar:(\w+)\}", r"$\1", word) for word in words]
        end = self.end_of_program(words, program)
        if not words[:end]:
            raise self.wrong("The command starts no program", "command")
        self.made.words = words[:end]
        signs = [_OVERRIDES[word] for word in words[end:] if word in _OVERRIDES]
        self.sign = signs[0] if signs else None
        self.made.is_experiment = bool(signs)
        for word in words[end:]:
            if word.startswith("${") and word not in (*_OVERRIDES, *_MACROS):
                hint = nearest(word, (*_OVERRIDES, *_MACROS))
                raise self.wrong(f"The command has no '{word}'", "command", hint)
        if "python" not in words[0] and not words[end - 1].endswith(".py"):
            self.note(f"{shlex.join(words[:end])} is no Python program: let a function of one start it")
        return [word for word in words[end:] if not word.startswith("${")]

    def end_of_program(self, words: list[str], program: str) -> int:
        """Return where the words that start the program end."""
        if program in words:
            return words.index(program) + 1
        for at, word in enumerate(words):
            if word.endswith(".py"):
                return at + 1
            if word == "-m":
                return at + 2
            if word in _MACROS or word in _OVERRIDES:
                return at
        return len(words)

    def read_literals(self, words: list[str]) -> None:
        """Take what the command says for every run: overrides as they are, flags as keys."""
        if self.sign is not None:
            self.made.overrides += words
            return
        at = 0
        while at < len(words):
            word, at = words[at], at + 1
            key, equals, value = word.lstrip("-").partition("=")
            if not word.startswith("-") or not _KEY.match(key):
                self.note(f"the command's word {word!r} is left out: the function gets a config")
                continue
            if not equals and at < len(words) and not words[at].startswith("-"):
                value, equals, at = words[at], "=", at + 1
            if any(name.lstrip("+") == key for name in (*self.space, *self.values)):
                self.note(f"the command's {word!r} is left out: '{key}' is a parameter")
                continue
            self.values[key] = yamls.parse(value, self.source.path) if equals else True

    # -------------------------------------------------------------------------- the parameters

    def read_parameters(self, parameters: Mapping[Any, Any], where: str, prefix: str) -> None:
        for name, node in parameters.items():
            here, key = f"{where}.{name}", f"{prefix}{name}"
            if not isinstance(name, str) or not _KEY.match(name):
                raise self.wrong(f"{show(name)} is no key of a config", here)
            if not prefix and name.partition(".")[0] in _RESERVED:
                hint = "Rename it, here and in the function."
                raise self.wrong(f"'{name}' means something else in a config of ours", here, hint)
            if not isinstance(node, dict):
                hint = f"Write {name}: {{value: {show(node)}}}"
                raise self.wrong(f"A parameter is a mapping, not {show(node)}", here, hint)
            if "parameters" in node:
                if len(node) > 1 or not isinstance(node["parameters"], dict):
                    raise self.wrong("'parameters' inside of one is a mapping, and stands alone", here)
                self.read_parameters(node["parameters"], f"{here}.parameters", f"{key}.")
                continue
            self.keep(key, Distribution(self.source, here, key, node).read(grid=self.grid))

    def keep(self, key: str, found: Any) -> None:
        """Keep a parameter: a value, or a range and the value that is tried first."""
        if self.sign is None:
            ranged = isinstance(found, Swept)
            self.values[key] = self.first(key, found) if ranged else found
            if ranged:
                self.space[key] = _written(found)
        elif isinstance(found, Swept):
            self.space[self.sign + key] = _written(found)
        else:
            self.made.overrides.append(f"{self.sign}{key}={show(found)}")

    def first(self, key: str, found: Swept) -> Any:
        """Return the value in a range's middle, in few digits; of choices the first."""
        domain = domain_of(found, self.source.path)
        if isinstance(domain, Choices):
            return domain.values[domain.size // 2 if domain.ordered else 0]
        value = Parameter(key, domain, Override("", "", key, None, found)).first()
        short = float(f"{value:.3g}")
        return short if isinstance(value, float) and domain.contains(short) else value

    def nested(self) -> dict[str, Any]:
        """Return the values by key as a tree."""
        tree: dict[str, Any] = {}
        for key, value in self.values.items():
            *above, last = key.split(".")
            node: Any = tree
            for part in above:
                node = node.setdefault(part, {})
                if not isinstance(node, dict):
                    raise self.wrong(f"'{key}' stands below '{part}', which has a value", "parameters")
            if last in node:
                raise self.wrong(f"'{key}' stands there twice, with a dot and without", "parameters")
            node[last] = trees.copy(value)
        return tree


def _written(found: Swept) -> Any:
    """Return a range as `sweeper.space` has it: text, or a list of choices."""
    return list(found.values) if isinstance(found, Choice) else show(found)


def _quoted(word: str) -> str:
    return word if re.fullmatch(r"[\w@%+=:,./$-]+", word) else shlex.quote(word)

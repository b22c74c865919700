"""What a page tells of a sweep, as plain data.

Read from `sweeper.db`; the config, the space and the points from the sweep's directory, if it is still
there. Draws nothing.
"""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Mapping, Sequence
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from .. import yamls
from ..errors import SweeperError
from ..findings import importances
from ..grammar import Swept, parse, parse_value
from ..imports import import_directories
from ..journal import is_driven, read_journal, read_sweep
from ..ledger import Ledger, Row
from ..records import COMPLETED, ENDED, RUNNING, History, Objective, Trial, instant, undominated
from ..redact import listed, masked
from ..space import Choices, Domain, Floats, Parameter, domain_of
from ..standings import Standing, Standings
from ..track.sqlite import from_lines
from ..view import command_line

ABSENT = "–"  # noqa: RUF001  a dash, as tables have it where there is nothing
_CURVES = 40  # runs whose learning curves are drawn
_STEPS = 200  # points of a curve
_METRICS = 12  # of which there are curves
_STRIPS = 12  # values up to which a choice of numbers is drawn as a choice
_DECADES = 1e3  # between the ends of numbers whose axis is logarithmic, unless their space says


class Varied(NamedTuple):
    """A parameter, as the runs had it."""

    key: str
    space: str  # as it was declared
    numbers: bool  # on an axis of numbers; otherwise a strip a value
    log: bool
    values: Mapping[int, Any]  # by the place of the run


class Facts(NamedTuple):
    """What is known of a sweep."""

    row: Row  # of the table `sweeps`
    running: bool
    objectives: tuple[Objective, ...]
    runs: list[Row]  # by number; `values` has one for each objective, or is empty
    varied: list[Varied]
    importances: list[dict[str, float]]  # for each objective
    curves: dict[str, dict[int, list[tuple[int, float]]]]  # by metric, then by the place of the run
    stepped: dict[str, int]  # how many runs have such a curve
    versions: Mapping[str, str]
    config: str  # YAML
    words: list[str]  # that start the program
    reason: str  # why the sweep stopped, as far as it said

    @property
    def directory(self) -> str:
        """The sweep's own."""
        return str(self.row["directory"] or "")

    @property
    def several(self) -> bool:
        """Whether there is more than one objective."""
        return len(self.objectives) > 1

    def scored(self) -> list[int]:
        """Return the places of the runs that have a value of every objective."""
        return [at for at, run in enumerate(self.runs) if run["values"]]

    def ended(self) -> list[int]:
        """Return the places of the runs that have ended, in that order."""
        done = [at for at, run in enumerate(self.runs) if run["status"] in ENDED]
        return sorted(done, key=lambda at: (instant(self.runs[at]["ended"]), self.runs[at]["number"]))

    def standings(self, which: int = 0) -> list[Standing[int]]:
        """Return how the points stand by an objective, the best first; a run is its place."""
        found = Standings[int](maximize=self.objectives[which].maximize, repeats=self.row["repeats"])
        for at in self.scored():
            found.add(self.runs[at]["number"], self.runs[at]["values"][which], at)
        return found.ranked()

    def best(self) -> int | None:
        """Return the place of the best run, the first of its point; None for several objectives."""
        found = [] if self.several else self.standings()
        return found[0].first if found else None

    def front(self) -> list[int]:
        """Return the places of the runs that none beats in every objective."""
        scored = self.scored()
        return [scored[at] for at in undominated([self.losses(at) for at in scored])]

    def losses(self, at: int) -> tuple[float, ...]:
        """Return a run's values, each so that lower is better."""
        pairs = zip(self.objectives, self.runs[at]["values"], strict=True)
        return tuple(objective.loss(value) for objective, value in pairs)

    def repeat(self, at: int) -> str:
        """Return the command that makes a run's point again; empty if the program is not known."""
        texts = from_lines(self.runs[at]["overrides"])
        return command_line([*self.words, *texts]) if self.words else ""


def read_facts(ledger: Ledger, row: Row) -> Facts:
    """Return what is known of a sweep, given its row in the ledger."""
    objectives = Objective.parse(row["objective"] or "").each()
    runs = ledger.whole_runs(row["id"])
    for run in runs:
        run["values"] = _values(run, objectives)
    record, events = _records(row["directory"] or "")
    declared = _declared(record, events)
    stepped = ledger.stepped(row["id"])
    facts = Facts(
        row=row,
        running=row["status"] == RUNNING and is_driven(row["directory"] or ""),
        objectives=objectives,
        runs=runs,
        varied=_varied(runs, declared),
        importances=[],
        curves={},
        stepped={name: len(ids) for name, ids in stepped.items()},
        versions=ledger.versions(row["environment"]),
        config=_config(record),
        words=program_words(row["command"] or "", record.get("program") or {}),
        reason=next((str(event["reason"]) for event in reversed(events) if event["event"] == "stop"), ""),
    )
    return facts._replace(
        importances=[_importances(facts, at, events, declared) for at in range(len(objectives))],
        curves=_curves(ledger, facts, stepped),
    )


def read_directory(directory: str) -> Facts:
    """Return what a sweep's directory tells of it, where no database does."""
    with TemporaryDirectory() as folder:
        path = os.path.join(folder, "sweeper.db")
        import_directories(directory, path)
        ledger = Ledger(path)
        try:
            return read_facts(ledger, ledger.find_sweep("last"))
        finally:
            ledger.db.close()


def _values(run: Row, objectives: Sequence[Objective]) -> list[float]:
    """Return a run's value of each objective; nothing unless it has them all."""
    names = [objective.name for objective in objectives]
    found = [run["score"]] if len(names) == 1 else [run["metrics"].get(name) for name in names]
    whole = run["status"] == COMPLETED and all(v is not None and math.isfinite(v) for v in found)
    return found if whole else []


def _records(directory: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a sweep's own record and its journal, or as much of them as is there."""
    try:
        return read_sweep(directory), list(read_journal(os.path.join(directory, "sweep.jsonl")))
    except (OSError, SweeperError):
        return {}, []


def _config(record: Mapping[str, Any]) -> str:
    config = record.get("config")
    return yamls.dump(masked(config, listed(record))) if config else ""


def program_words(command: str, program: Mapping[str, Any]) -> list[str]:
    """Return the words of a command line up to the program's own: `python train.py` and its flags."""
    main = str(program.get("main") or "")
    if program.get("from_python"):
        return []
    try:
        words = shlex.split(command)
    except ValueError:
        return []
    last = main.removeprefix("-m ") if main.startswith("-m ") else os.path.basename(main)
    for at, word in enumerate(words):
        if (word == last or os.path.basename(word) == last) if main else word.endswith(".py"):
            return [*words[: at + 1], *(program.get("flags") or ())]
    return []


# -------------------------------------------------------------------------------------- parameters


def _declared(record: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return what the sweep declared of its parameters, by name; in a running one, of its roots alone."""
    found = dict(record.get("space") or {})
    for event in events:
        found.update(event.get("space") or {})
    return found


def _domain(text: str | None) -> Domain | None:
    try:
        value = parse_value(text) if text else None
        return domain_of(value, "") if isinstance(value, Swept) else None
    except SweeperError:  # such as a glob, whose options are not known here
        return None


def _varied(runs: Sequence[Row], declared: Mapping[str, str]) -> list[Varied]:
    """Return the parameters in which runs differ."""
    texts: dict[str, list[str]] = {}
    for name, text in declared.items():
        texts.setdefault(name.partition(" [")[0], []).append(text)
    found = []
    for key in dict.fromkeys(key for run in runs for key in run["params"]):
        values = {at: run["params"][key] for at, run in enumerate(runs) if key in run["params"]}
        if len({repr(value) for value in values.values()}) < 2 and len(values) == len(runs) > 1:
            continue
        domains = [domain for text in texts.get(key, ()) if (domain := _domain(text)) is not None]
        numbers = all(map(is_number, values.values()))
        few = len(set(values.values())) <= _STRIPS if numbers else True
        strips = few and all(isinstance(domain, Choices) for domain in domains) and bool(domains)
        log = numbers and any(getattr(domain, "log", False) for domain in domains)
        if numbers and not any(hasattr(domain, "log") for domain in domains):
            log = min(values.values()) > 0 and max(values.values()) / min(values.values()) >= _DECADES
        log = log and min(values.values()) > 0
        found.append(Varied(key, ", ".join(texts.get(key, ())), numbers and not strips, log, values))
    return found


def is_number(value: Any) -> bool:
    """Whether a value has a place on an axis of numbers."""
    return isinstance(value, (int, float)) and math.isfinite(value)


def _importances(
    facts: Facts, which: int, events: Sequence[Mapping[str, Any]], declared: Mapping[str, str]
) -> dict[str, float]:
    """Return what share of an objective's variance each parameter explains; see `findings`."""
    names = {event["number"]: event["point"] for event in events if event["event"] == "ask"}
    trials: list[Trial] = []
    values: dict[str, list[Any]] = {}
    for standing in facts.standings(which):
        run = facts.runs[standing.first]
        point = {}
        for name in names.get(run["number"]) or run["params"]:
            value = run["params"].get(name.partition(" [")[0])
            point[name] = value
            values.setdefault(name, []).append(value)
        trials.append(Trial(run["number"], point, facts.objectives[which].loss(standing.score)))
    known = {name: _parameter(name, declared.get(name), taken) for name, taken in values.items()}
    return importances(lambda point: [known[name] for name in point], History(trials))


def _parameter(name: str, text: str | None, values: Sequence[Any]) -> Parameter:
    """Return a parameter as it was declared, or one that may take the values it took."""
    key, _, owner = name.removesuffix("]").partition(" [")
    domain: Domain = Choices(tuple(values))
    if all(map(is_number, values)):
        domain = _domain(text) or Floats(min(values), max(values))
    return Parameter(key, domain, parse("x=1"), owner)


def _curves(ledger: Ledger, facts: Facts, stepped: Mapping[str, Sequence[str]]) -> Any:
    """Return learning curves: of the best runs, and of some of the others."""
    ranks = {at: rank for rank, standing in enumerate(facts.standings()) for at in standing.runs}
    place = {run["id"]: at for at, run in enumerate(facts.runs)}
    found: dict[str, dict[int, list[tuple[int, float]]]] = {}
    for name in list(stepped)[:_METRICS]:
        order = sorted((place[run] for run in stepped[name]), key=lambda at: ranks.get(at, len(ranks)))
        best, others = order[: _CURVES // 2], order[_CURVES // 2 :]
        chosen = sorted([*best, *thinned(others, _CURVES - len(best))])
        curves = {at: ledger.curve(facts.runs[at]["id"], name) for at in chosen}
        curves = {at: thinned(curve, _STEPS) for at, curve in curves.items() if curve}
        if any(len(curve) > 1 for curve in curves.values()):
            found[name] = curves
    return found


def thinned(items: Sequence[Any], most: int) -> list[Any]:
    """Return at most so many items, evenly taken, the first and the last among them.

    >>> thinned(range(10), 4)
    [0, 3, 6, 9]
    """
    if len(items) <= most:
        return list(items)
    if most < 2:
        return list(items[:most])
    return [items[round(at * (len(items) - 1) / (most - 1))] for at in range(most)]

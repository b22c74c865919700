"""The nouns: what a run is asked to do, and what came of it. Plain data, no behaviour to speak of.

A *point* gives each parameter that is active a value. A *run* is one call of the training function,
at a point, in a directory of its own; its *job* is what a process needs to make that call, its
*outcome* what came of it. A *trial* is what a searcher knows of a run.

They are named tuples: as frozen as a frozen dataclass, and a tenth of its cost at every start.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import le
from typing import Any, NamedTuple

QUEUED, RUNNING, COMPLETED = "QUEUED", "RUNNING", "COMPLETED"
FAILED, PRUNED, CANCELLED = "FAILED", "PRUNED", "CANCELLED"
ENDED = (COMPLETED, FAILED, PRUNED, CANCELLED)

Point = dict[str, Any]  # value by parameter name, in the order in which they were chosen


class FunctionRef(NamedTuple):
    """Where the training function is found again in another process.

    `main` is the script that runs as `__main__`: a path, or `-m package.module`; empty if there is
    none that could be imported again. An empty `module` means that it cannot travel by name.
    """

    module: str
    name: str
    main: str = ""

    @property
    def identity(self) -> str:
        """What tells the program of this function from every other."""
        return self.main or f"{self.module}:{self.name}"


class Program(NamedTuple):
    """A started program: its training function, how others find it, and how it was started."""

    function: Callable[..., Any]
    ref: FunctionRef
    name: str = "app"  # of the script, without its ending
    words: tuple[str, ...] = ("python",)  # that start it: python train.py; none of a sweep from Python
    flags: tuple[str, ...] = ()  # such as --config-name, which each of its runs needs
    argv: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    folder: str = ""

    @property
    def line(self) -> tuple[str, ...]:
        """The whole command line."""
        return (*(self.words or self.argv[:1]), *self.argv[1:])


class Objective(NamedTuple):
    """What makes a run good: the metrics that count, and which way. Empty `metrics`: the score."""

    metrics: tuple[str, ...] = ()
    directions: tuple[str, ...] = ("minimize",)

    @property
    def several(self) -> bool:
        """Whether there is more than one objective, so that no single score exists."""
        return len(self.directions) > 1

    @property
    def maximize(self) -> bool:
        """Whether the highest score is best."""
        return self.directions[0] == "maximize"

    @property
    def names(self) -> tuple[str, ...]:
        """What each is called; the values of a list without names are `objective_0` and so on."""
        if self.metrics or not self.several:
            return self.metrics or ("score",)
        return tuple(f"objective_{at}" for at in range(len(self.directions)))

    @property
    def name(self) -> str:
        """What the first is called."""
        return self.names[0]

    def each(self) -> tuple[Objective, ...]:
        """Return each by itself."""
        return tuple(Objective((n,), (way,)) for n, way in zip(self.names, self.directions, strict=True))

    def loss(self, value: float) -> float:
        """Return a value of the first, so that lower is better."""
        return -value if self.maximize else value

    def losses(self, values: Sequence[float]) -> tuple[float, ...]:
        """Return values of the objectives, each so that lower is better."""
        pairs = zip(self.directions, values, strict=True)
        return tuple(-value if way == "maximize" else value for way, value in pairs)

    def describe(self) -> str:
        """Return words such as 'maximize accuracy'."""
        names = self.metrics or ("score",) * len(self.directions)
        return ", ".join(f"{way} {name}" for way, name in zip(self.directions, names, strict=False))

    @classmethod
    def parse(cls, text: str) -> Objective:
        """Return the objective that words such as 'maximize accuracy, minimize size' describe.

        >>> Objective.parse("maximize accuracy, minimize size").directions
        ('maximize', 'minimize')
        """
        pairs = [part.partition(" ") for part in re.split(r", (?=maximize |minimize )", text)] if text else []
        names = tuple(name for _, _, name in pairs)
        ways = tuple(way for way, _, _ in pairs) or ("minimize",)
        return cls(() if set(names) == {"score"} else names, ways)


class Job(NamedTuple):
    """All that a process needs to make one run: small, plain and picklable."""

    number: int
    attempt: int
    directory: str
    config: dict[Any, Any]
    function: FunctionRef
    params: Mapping[str, Any] = {}
    overrides: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()
    name: str = "app"
    sweep_id: str = ""
    sweep_directory: str = ""
    seed: int | None = None  # None: the random state is not touched
    objective: Objective = Objective()
    output_subdir: str | None = None  # another folder for the records, where a Hydra tree names one
    chdir: bool = False
    folder: str = ""  # where the program was started
    path: tuple[str, ...] = ()  # sys.path of the launching process
    env: Mapping[str, str] = {}
    git: Mapping[str, Any] | None = None
    memory: int | None = None  # bytes that the run's process may allocate
    capture: bool = True  # all output goes to the log, C level and subprocesses included
    epoch: float = 0.0  # when the sweep began, in seconds: what ${now:…} tells
    typed: Any = None  # the config as a DictConfig, where a schema gives it types
    callbacks: Mapping[str, Any] = {}  # the nodes of objects that are told of the run
    hydra: Mapping[str, Any] = {}  # what ${hydra:…} resolves from
    logging: Mapping[str, Any] | None = None  # as dictConfig has it, unresolved
    redact: tuple[str, ...] = ()  # keys of secrets, beside those that look like one
    verbose: tuple[str, ...] = ()  # the loggers of level DEBUG; an empty name is the root's
    restarts: int = 0  # how often its engine began it anew, after it took the machine away

    @property
    def id(self) -> str:
        """The run's name across sweeps."""
        return f"{self.sweep_id}/{self.number}" if self.sweep_directory else self.sweep_id

    @property
    def log(self) -> str:
        """The file with all that the run printed."""
        return f"{self.directory}/{self.name}.log"

    @property
    def records(self) -> str:
        """The folder of the run's own records."""
        return f"{self.directory}/.sweeper"


class Outcome(NamedTuple):
    """What came of a run."""

    status: str
    score: float | None = None
    metrics: Mapping[str, float] = {}
    values: tuple[float, ...] = ()  # of several objectives, in their order
    last: tuple[int, float] | None = None  # of a pruned run: the step it came to, and its metric there
    started: str = ""  # ISO 8601, with time zone
    ended: str = ""
    seconds: float = 0.0
    error: str = ""  # the traceback, or what is known of the death
    cause: str = ""  # of a failure: error (an exception), died, timeout, or lost (with its machine)
    note: str = ""
    host: str = ""
    pid: int = 0
    tags: Mapping[str, str] = {}
    artifacts: tuple[str, ...] = ()
    inputs: tuple[Mapping[str, Any], ...] = ()


class Trial(NamedTuple):
    """What a searcher knows of a run: its point, and its loss once it has ended.

    Lower is better, whichever way the user counts. None in an ended trial means that the run failed,
    was pruned, or returned nothing that can be compared; of several objectives `losses` has each.
    """

    number: int
    point: Point
    loss: float | None = None
    losses: tuple[float, ...] = ()
    reached: tuple[int, float] | None = None  # of a pruned run: its last step, and its loss there


class History(NamedTuple):
    """What a searcher asks with: the trials that have ended, in that order, and those that run."""

    ended: Sequence[Trial] = ()
    pending: Sequence[Trial] = ()

    @property
    def scored(self) -> list[Trial]:
        """The trials that ended with a loss, or with several."""
        return [trial for trial in self.ended if trial.loss is not None or trial.losses]


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether losses are nowhere worse than others, and somewhere better."""
    return all(map(le, one, other)) and tuple(one) != tuple(other)


def undominated(losses: Sequence[tuple[float, ...]]) -> list[int]:
    """Return the places of the losses that no others dominate, the Pareto front, in the losses' order."""
    found: list[int] = []
    for at in sorted(range(len(losses)), key=lambda at: losses[at]):  # what dominates comes first
        rivals = found if len(losses[at]) > 2 else found[-1:]  # which has the least second of two
        if not any(dominates(losses[other], losses[at]) for other in rivals):
            found.append(at)
    return found


def now() -> str:
    """Return the time, in ISO 8601 with the zone."""
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


def instant(time: str | None) -> float:
    """Return a time of ISO 8601 in seconds since 1970, whatever its zone; none is before all."""
    return datetime.fromisoformat(time).timestamp() if time else -math.inf


def derive_seed(*parts: object) -> int:
    """Return a seed in [0, 2**32) that depends on all the parts and on nothing else."""
    import hashlib

    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "big")

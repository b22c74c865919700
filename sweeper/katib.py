"""A sweep as an Experiment of Katib's, which searches on Kubernetes: each trial is a job there.

What Katib has no words for is refused, with the reasons. Runs nothing.
"""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from . import yamls
from .errors import SpaceError, UsageError
from .grammar import Override, show
from .plan import Plan
from .points import Points, firsts
from .records import Program
from .redact import hidden
from .search import Asker, make_searcher
from .settings import OPTIONS, SearchSettings, Settings
from .space import Domain, Floats, Integers, Parameter
from .sweeps import checked_points, planned

IMAGE = "IMAGE"  # stands where the image of the user's own is to stand
ALGORITHMS = {
    "grid": "grid",
    "random": "random",
    "sobol": "sobol",
    "tpe": "tpe",
    "gp": "bayesianoptimization",
    "skopt": "bayesianoptimization",
    "cmaes": "cmaes",
}
_OPTIONS = {  # what Katib calls the options of a search
    "tpe": {"startup": "n_startup_trials", "candidates": "n_ei_candidates"},
    "gp": {"startup": "n_initial_points"},
    "skopt": {"startup": "n_initial_points"},
}
_OF_THE_SWEEP = re.compile(r"(?:sweeper|hydra)[./](?:search|pruner|launcher|sweeper|run|sweep|space|mode)\b")
_DIRECTORY = "/tmp/trial"  # noqa: S108  in a container of its own
_CONDITION = 'status.conditions.#(type=="{}")#|#(status=="True")#'


def manifest(plan: Plan, program: Program) -> str:
    """Return the Experiment, as YAML, that searches what a plan's sweep would.

    Raises:
        SpaceError: if the space, or what the search is to do, is beyond Katib.
        SweeperError: for a mistake that would show before the sweep's first run.
    """
    search = plan.settings.search
    if reasons := list(_beyond(plan.settings)):
        raise _refusal(reasons)
    searcher = make_searcher(search)
    points = checked_points(plan, program, searcher)
    parameters = _parameters(points)
    total = planned(Asker(searcher, points.space, 0), points)
    overrides = [o for o in points.overrides(points.space.first()) if not _OF_THE_SWEEP.match(o.name)]
    if reasons := list(_unspeakable(search.name, parameters, overrides, plan.settings.redact())):
        raise _refusal(reasons)
    if plan.base.hydra.get("mode"):  # which may say that a command without flags sweeps
        program = program._replace(flags=(*program.flags, "--run"))
    return yamls.dump(_experiment(plan.settings, program, parameters, overrides, total or 1))


def _refusal(reasons: Sequence[str]) -> SpaceError:
    return SpaceError(
        "Katib cannot make this sweep",
        "\n".join(f"    {reason}" for reason in reasons),
        "Leave that out, or search here and have a cluster make the runs: sweeper/launcher=dask, ray, slurm.",
    )


def _beyond(settings: Settings) -> Iterator[str]:
    """Yield what Katib has no words for, of what the settings ask."""
    search = settings.search
    if search.name not in ALGORITHMS:
        yield f"sweeper/search={search.name}: it knows {', '.join(ALGORITHMS)}"
    if settings.objective.checked().several:
        yield f"{settings.objective.checked().describe()}: it has one objective"
    if settings.pruner.name != "none":
        yield f"sweeper/pruner={settings.pruner.name}: a program cannot be asked by it to end early"
    words = {
        "constraint": "it has no constraints",
        "repeats": "it makes each point once",
        "first": "its search chooses all points",
        "warm_start": "its search begins with nothing",
        "timeout": "it stops after a number of trials, or at a target",
        "patience": "it stops after a number of trials, or at a target",
    }
    for name, why in words.items():
        if getattr(search, name) != getattr(SearchSettings(), name):
            yield f"sweeper.search.{name}: {why}"
    if search.name == "sobol" and search.seed is not None:
        yield "sweeper.search.seed: its sobol takes none"
    for name, value in search.options.items():
        if name not in _OPTIONS.get(search.name, {}) and value != OPTIONS["search"].get(search.name, {}).get(
            name
        ):
            yield f"sweeper.search.{name}: it has no such option"


def _parameters(points: Points) -> tuple[Parameter, ...]:
    """Return the parameters, which must be there whatever is chosen.

    Raises:
        SpaceError: if there are none, or if some come with an option.
    """
    space = points.space
    found = space.active(space.first())
    if not found:
        raise SpaceError("There is nothing to search", hint="Give values, or a range: 'lr=interval(0, 1)'.")
    names = {parameter.name for parameter in found}
    for root in space.roots:
        for value in getattr(root.domain, "values", ()) if root.is_group else ():
            chosen = space.complete(firsts(root, value))
            others = {parameter.name for parameter in space.active(chosen)}
            if differing := sorted(others ^ names):
                listed = ", ".join(name.partition(" [")[0] for name in differing)
                one = show(value if others - names else root.first())
                raise SpaceError(
                    f"Katib searches the same parameters in every trial, but '{root.key}' decides on some",
                    f"    {listed}",
                    f"Export one option at a time, such as {root.key}={one}.",
                )
    return found


def _unspeakable(
    search: str, parameters: Sequence[Parameter], overrides: Sequence[Override], redact: Sequence[str]
) -> Iterator[str]:
    """Yield what of the parameters and of the command line cannot stand in a manifest."""
    numbers = [p for p in parameters if _feasible(p.domain)["parameterType"] in ("double", "int")]
    if search == "cmaes" and len(numbers) < 2:
        yield f"sweeper/search=cmaes: it wants two numbers or more, and here are {len(numbers)}"
    for parameter in parameters:
        for value in _feasible(parameter.domain)["feasibleSpace"].get("list", ()):
            if re.search(r"""['"\\\n]""", value):
                yield f"{parameter.key}={value}: it puts values into a command as they are, quotes too"
                break
    searched = {parameter.override.name for parameter in parameters}
    for override in overrides:
        if override.name not in searched and hidden(override.name, redact) and "${" not in override.text:
            yield f"{override.name}: a secret; let the pod's environment have it: ${{oc.env:…}}"


def _feasible(domain: Domain) -> dict[str, Any]:
    """Return the type and the values of a parameter, in Katib's words; it has texts for numbers."""
    match domain:
        case Floats(low=low, high=high, log=log):
            kind, ends = "double", {"min": repr(low), "max": repr(high)}
        case Integers(low=low, high=high, step=1, log=log):
            kind, ends = "int", {"min": str(low), "max": str(high)}
        case _:  # its searches pass over the step of an int
            values = [domain.at(index) for index in range(domain.size or 0)]
            number = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
            kind = "discrete" if number else "categorical"
            return {"parameterType": kind, "feasibleSpace": {"list": [show(value) for value in values]}}
    return {
        "parameterType": kind,
        "feasibleSpace": {**ends, "distribution": "logUniform" if log else "uniform"},
    }


def _experiment(
    settings: Settings,
    program: Program,
    parameters: Sequence[Parameter],
    overrides: Sequence[Override],
    total: int,
) -> dict[str, Any]:
    search, launcher = settings.search, settings.launcher
    failures = 0 if launcher.fail_fast else total if launcher.max_failures is None else launcher.max_failures
    names = _names(parameters)
    goal = {"goal": search.target} if search.target is not None else {}
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": _name(settings.name or program.name)},
        "spec": {
            "objective": {
                "type": settings.objective.checked().directions[0], **goal, "objectiveMetricName": "score",
            },
            "algorithm": _algorithm(settings),
            "maxTrialCount": total,
            "parallelTrialCount": min(launcher.jobs or 1, total),
            "maxFailedTrialCount": min(failures, total),
            "parameters": [{"name": p.key, **_feasible(p.domain)} for p in parameters],
            "metricsCollectorSpec": {
                "collector": {"kind": "StdOut"},
                "source": {
                    "filter": {"metricsFormat": [r"(score): ([+-]?\d+(\.\d+)?([eE][+-]?\d+)?)"]},
                },
            },
            "trialTemplate": {
                "primaryContainerName": "trial",
                "successCondition": _CONDITION.format("Complete"),
                "failureCondition": _CONDITION.format("Failed"),
                "trialParameters": [
                    {"name": names[p.key], "description": p.key, "reference": p.key} for p in parameters
                ],
                "trialSpec": _job(settings, _line(program, overrides, parameters, names)),
            },
        },
    }  # fmt: skip


def _name(text: str) -> str:
    """Return a name as Kubernetes takes it, short enough for those of the trials, which are longer.

    >>> _name("My_Net.v2")
    'my-net-v2'
    """
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).lstrip("-0123456789")[:40].rstrip("-")
    if not name:
        raise UsageError(
            f"{text!r} makes no name of an Experiment, which begins with a letter from a to z",
            hint="Give one with sweeper.name=…",
        )
    return name


def _names(parameters: Sequence[Parameter]) -> dict[str, str]:
    """Return what parameters are called in the template, by key: without dots, and no two alike."""
    found: dict[str, str] = {}
    for parameter in parameters:
        plain = name = re.sub(r"\W+", "-", parameter.key).strip("-")
        count = 1
        while name in found.values():
            count += 1
            name = f"{plain}-{count}"
        found[parameter.key] = name
    return found


def _algorithm(settings: Settings) -> dict[str, Any]:
    search = settings.search
    shipped = OPTIONS["search"][search.name]
    said = {
        name: search.options[key]
        for key, name in _OPTIONS.get(search.name, {}).items()
        if search.options.get(key) not in (None, shipped[key])
    }
    if search.seed is not None:
        said["random_state"] = search.seed
    listed = [{"name": name, "value": str(value)} for name, value in said.items()]
    return {"algorithmName": ALGORITHMS[search.name], **({"algorithmSettings": listed} if listed else {})}


def _line(
    program: Program, overrides: Sequence[Override], parameters: Sequence[Parameter], names: dict[str, str]
) -> str:
    """Return the command of a trial: a single run, and then the line of its record that has the score."""
    searched = {p.override.name: names[p.key] for p in parameters}
    fixed = [o.text for o in overrides if o.name not in searched]
    varied = [
        f"'{override.text.partition('=')[0]}=${{trialParameters.{searched[override.name]}}}'"
        for override in overrides
        if override.name in searched
    ]
    start = [_within(program.folder, word) for word in program.words]
    words = [shlex.join([*start, *program.flags, *fixed]), *varied, f"sweeper.run.dir={_DIRECTORY}"]
    # Katib has the output of what stands last, and the pod's log the program's own.
    return " \\\n  ".join(words) + f" \\\n&& grep '^score: [-0-9]' {_DIRECTORY}/.sweeper/run.yaml"


def _within(folder: str, word: str) -> str:
    """Return a path below a folder as it is typed there: the folder is another in the image."""
    return os.path.relpath(word, folder) if word.startswith(folder + os.sep) else word


def _job(settings: Settings, line: str) -> dict[str, Any]:
    launcher = settings.launcher
    deadline, memory = launcher.run_timeout, launcher.memory
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "spec": {
            "backoffLimit": launcher.retries,
            **({"activeDeadlineSeconds": max(1, math.ceil(deadline))} if deadline is not None else {}),
            "template": {
                "metadata": {"annotations": {"sidecar.istio.io/inject": "false"}},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [
                        {
                            "name": "trial",
                            "image": IMAGE,
                            "command": ["sh", "-c"],
                            "args": [line],
                            **({"resources": {"limits": {"memory": str(memory)}}} if memory else {}),
                        }
                    ],
                },
            },
        },
    }

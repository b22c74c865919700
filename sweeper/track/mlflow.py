"""MLflow: an experiment a name, the sweep a parent run in it, and each run a nested child.

    uri                where: http(s)://…, sqlite:///…, databricks; MLFLOW_TRACKING_URI if null
    experiment         its name; sweeper.name, or the program's, if null
    artifact_location  where a new experiment keeps its artifacts
    artifacts          whether what `log_artifact` names, and what the run printed, is uploaded
    config             whether the whole config stands among the params, beside what is swept
    timeout            seconds that a request may take
    join               whether the user's own `mlflow.…` calls go to the same run: `auto` if the script,
                       or what it imports, uses mlflow. A run then starts when MLflow knows of it.

A run takes three requests, and one for each file: it is created when it starts; from then on what there
is to say goes out at most once a second; at its end come the rest and its status. Several requests are
under way at a time, and no run waits for one. An http server is spoken to without the `mlflow` package.

A run is found again by its tags `sweeper.run_id` and `sweeper.attempt`, and all of it is there when it
has the tag `sweeper.status`, but for its files. What is sent twice does no harm: MLflow keeps a value of the
same metric, step and time once.

Where MLFLOW_RUN_ID names a run, such as that of a project that `mlflow run` has started, this one is the
parent, or the single run; what a project starts a second time is nested in it. Whoever made it ends it.
"""

from __future__ import annotations

import math
import os
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from ..errors import SettingsError, SweeperError, TrackerError, nearest
from ..grammar import show
from ..job import read_record
from ..records import CANCELLED, ENDED, FAILED, RUNNING, Job, Objective, Outcome, now
from ..standings import Standings
from . import SweepRecord
from .mlflow_rest import Found, Metric, Refused, dataset
from .mlflow_store import make_client, shown_uri, store_uri
from .mlflow_terms import (
    STATUSES,
    Scored,
    files_of,
    key_of,
    milliseconds,
    name_of,
    params_of,
    tags_of_end,
    tags_of_outcome,
    tags_of_run,
    tags_of_sweep,
)
from .outbox import Outbox

_BATCH_EVERY = 1.0  # seconds
_MOST_METRICS, _MOST_PARAMS, _MOST_TAGS = 800, 100, 50  # of one request: 1000 in all, and a megabyte
_MOST_UNSENT = 200  # runs of a record that are told at a time


class Options(NamedTuple):
    """`sweeper.tracker.mlflow`."""

    uri: str | None = None
    experiment: str | None = None
    artifact_location: str | None = None
    artifacts: bool = True
    config: bool = True
    timeout: float = 20.0
    join: bool | str = "auto"

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Options:
        """Return the options that a config gives.

        Raises:
            SettingsError: for one that does not exist or is of the wrong type.
        """
        for key, value in given.items():
            if key not in cls._fields:
                raise SettingsError(
                    f"There is no setting sweeper.tracker.mlflow.{key}",
                    hint=nearest(key, cls._fields) or f"There are {', '.join(cls._fields)}.",
                )
            if key == "timeout":
                fits = isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
                words = "a number of seconds"
            elif key == "join":
                fits, words = value in (True, False, "auto"), "auto, true or false"
            elif isinstance(cls._field_defaults[key], bool):
                fits, words = isinstance(value, bool), "true or false"
            else:
                fits, words = value is None or isinstance(value, str), "a text"
            if not fits:
                raise SettingsError(f"sweeper.tracker.mlflow.{key} must be {words}, not {show(value)}")
        return cls(**given)


class _Run:
    """A run, or the parent: what it is at MLflow, and what is still to be sent."""

    def __init__(
        self, name: str, start: int, tags: dict[str, str], key: tuple[str, int], job: Job | None = None
    ) -> None:
        self.name, self.start, self.first_tags, self.key, self.job = name, start, tags, key, job
        self.id = self.artifact_uri = ""
        self.tried = self.ended = self.whole = self.finishing = False
        self.borrowed = False  # made by another program, which ends it too
        self.sending = 0  # batches under way: one while it runs, and one more at its end
        self.outcome: tuple[Outcome, int] | None = None  # what came of it, and when, in milliseconds
        self.metrics: list[Metric] = []
        self.params: dict[str, str] = {}
        self.told: dict[str, str] = {}  # params that were sent, or are on their way
        self.tags: dict[str, str] = {}  # sent when all else is
        self.left: set[str] = set()  # what else its end needs: status, inputs, files
        self.reported: dict[str, Metric] = {}  # of each name the one that MLflow takes for the last
        self.steps: Counter[str] = Counter()

    @property
    def settled(self) -> bool:
        """Whether all of it is sent."""
        return self.ended and not (self.sending or self.metrics or self.params or self.tags or self.left)


class Mlflow:
    """See the module."""

    def __init__(self, sweep: SweepRecord, **given: Any) -> None:
        self.sweep, self.options = sweep, Options.read(given)
        self.join = self.joins(sweep, **given)
        self.uri = store_uri(self.options.uri, sweep.folder)
        self.client: Any = None
        self.experiment = ""
        self.around = self._around()  # the id of the run that all this is to be in
        self.place: Found | None = None  # that run
        self.known: dict[tuple[str, int], Found] = {}  # what an earlier process has told
        self.parent: _Run | None = None
        self.runs: dict[tuple[str, int], _Run] = {}  # those that are not settled
        self.total = self.there = 0  # runs told of, and those that were there already
        objective = Objective.parse(sweep.objective)
        self.standings = Standings[Scored](maximize=objective.maximize, repeats=sweep.repeats)
        self.counts: Counter[str] = Counter()
        self.last_end = 0  # of the runs told of, in milliseconds
        self.hinted = False
        if sweep.search:
            name = f"{sweep.search} {sweep.id}"
            self.parent = _Run(name, milliseconds(sweep.started), tags_of_sweep(sweep), (sweep.id, 0))
        self.outbox = Outbox("mlflow", self._say_trouble)
        self.outbox.put(self._connect)

    @classmethod
    def joins(cls, sweep: SweepRecord, **given: Any) -> bool:
        """Whether runs have to wait for their environment.

        Raises:
            SettingsError: for an option that does not exist or is of the wrong type.
        """
        join = Options.read(given).join
        return _uses_mlflow(sweep) if join == "auto" else bool(join)

    # ------------------------------------------------------------------------------- what it is told

    def environment(self, run: Job) -> dict[str, str]:
        """Return what makes MLflow's own functions write to the run; nothing if it cannot be had."""
        if not self.join:
            return {}
        self.start(run)
        made = self.runs[run.id, run.attempt]
        with self.outbox.changed:
            self.outbox.changed.wait_for(
                lambda: made.id or self.outbox.trouble or self.outbox.fatal, self.options.timeout
            )
        if not made.id:
            return {}
        return {
            "MLFLOW_RUN_ID": made.id,
            "MLFLOW_EXPERIMENT_ID": self.experiment,
            "MLFLOW_TRACKING_URI": self.client.uri,
            "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "1",
        }

    def start(self, run: Job) -> None:
        """Create the run; an earlier attempt at it is over."""
        self._check()
        key = (run.id, run.attempt)
        if key in self.runs:
            return
        for other in list(self.runs.values()):
            if other.job is not None and other.job.id == run.id and not other.ended:
                self.finish(other.job, _ended(other.job, FAILED))
        begun = read_record(run.directory) if self.sweep.resumed else None
        start = milliseconds(begun.started if begun else "")
        made = _Run(name_of(run, self.sweep), start, tags_of_run(run, self.sweep), key, run)
        with self.outbox.changed:
            if self.sweep.resumed:  # told from records, as fast as they can be read
                self.outbox.changed.wait_for(
                    lambda: len(self.runs) < _MOST_UNSENT or self.outbox.trouble or self.outbox.fatal
                )
            self.runs[key] = made
            self.total += 1
            if not self.join:  # else the user's own params go first: none is written twice
                made.params = {k: v for k, v in self._params(run).items() if "${" not in v}
            if self.experiment:
                self.outbox.put(partial(self._create, made))

    def log(self, run: Job, metrics: Mapping[str, float], step: int | None, at: float) -> None:
        """Keep metrics for the next request."""
        self._check()
        made = self.runs.get((run.id, run.attempt))
        if made is None:
            return
        with self.outbox.changed:
            for name, value in metrics.items():
                count = made.steps[name] if step is None else int(step)
                made.steps[name] += 1
                metric = Metric(key_of(name), float(value), int(at * 1000), count)
                made.metrics.append(metric)
                last = made.reported.get(name)
                if last is None or count >= last.step:
                    made.reported[name] = metric
            if made.id and not (made.sending or made.whole) and len(made.metrics) == len(metrics):
                self.outbox.put(partial(self._send, made), _BATCH_EVERY)

    def finish(self, run: Job, outcome: Outcome) -> None:
        """Send the rest of a run, and how it ended."""
        self._check()
        made = self.runs.get((run.id, run.attempt))
        if made is None:
            return
        self._hint(run, outcome)
        end = milliseconds(outcome.ended)
        self.last_end = max(self.last_end, end)
        with self.outbox.changed:
            made.job = run
            for name, value in outcome.metrics.items():
                last = made.reported.get(name)
                if last is None:
                    made.metrics.append(Metric(key_of(name), float(value), end, 0))
                elif last.value != value and not (math.isnan(last.value) and math.isnan(value)):
                    later = max(end, last.time + 1)  # of one step and moment MLflow takes the highest
                    made.metrics.append(Metric(key_of(name), float(value), later, last.step))
            if outcome.score is not None and "score" not in outcome.metrics:
                made.metrics.append(Metric("score", float(outcome.score), end, 0))
            made.params = {k: v for k, v in self._params(run).items() if k not in made.told}
            made.tags = tags_of_outcome(outcome)
            made.ended, made.outcome = True, (outcome, end)
            if self.known.get(made.key) is None or not _whole(self.known[made.key]):
                self._note(run, outcome)
            if made.id:
                self._put_end(made)

    def has(self, run: Job) -> bool:
        """Whether all of a run is there."""
        self._check()
        with self.outbox.changed:
            self.outbox.changed.wait_for(lambda: self.experiment or self.outbox.trouble or self.outbox.fatal)
            found = self.known.get((run.id, run.attempt))
            self.there += found is not None and _whole(found)
        return found is not None and _whole(found)

    def flush(self) -> None:
        """Say if nothing can be sent at all."""
        self._check()

    def close(self, status: str) -> None:
        """Send how the sweep ended, and wait until all is there, or no answer comes."""
        self._check()
        for made in list(self.runs.values()):
            if made.job is not None and not made.ended:
                self.finish(made.job, _ended(made.job, CANCELLED))
        parent = self.parent
        with self.outbox.changed:
            self.last_end = self.last_end or milliseconds()
            if parent is not None:
                parent.tags = tags_of_end(self.counts, self.standings.best, status)
                best = self.standings.best
                if best is not None:
                    runs = sum(self.counts.values())
                    parent.metrics = [Metric("best_score", best.score, self.last_end, runs)]
                parent.ended = True
                if parent.id:
                    self._put_parents_end()
        self.outbox.end(self.options.timeout)
        self._check()
        if self.unsent:
            raise TrackerError(self._words_for_unsent())

    @property
    def page(self) -> str:
        """Where to look at it."""
        if not self.client.uri.startswith("http"):
            return f"mlflow ui --backend-store-uri {self.client.uri}"
        run = f"/runs/{self.parent.id}" if self.parent is not None else ""
        return f"{self.client.uri}/#/experiments/{self.experiment}{run}"

    @property
    def unsent(self) -> int:
        """How many runs are not there, or not whole; one if it is the parent alone."""
        return len(self.runs) or int(self.parent is not None and not self.parent.settled)

    def _words_for_unsent(self) -> str:
        """Return words for what is not there, and for what to do about it."""
        where = shown_uri(self.client.uri if self.client else self.uri)
        return (
            f"{len(self.runs)} of {self.total + self.there} runs are not in MLflow at {where}: "
            f"{self.outbox.trouble or 'no answer'}\n"
            f"Nothing is lost; send them later with: {self._export_command()}"
        )

    # ------------------------------------------------------------------------------- what goes out

    def _connect(self) -> None:
        """Find the experiment, or make it, and the parent; then create what has begun meanwhile."""
        if self.client is None:
            self.client = make_client(self.uri, self.options.timeout)
        experiment = ""
        if self.around:
            self.place = self._find_place()
            experiment = self.place.experiment
        elif self.sweep.resumed:  # it may have been in a project's run, whatever the experiment of that
            for found in self.client.find("sweeper.sweep_id", self.sweep.id):
                self._know(found)
                experiment = found.experiment
        if not experiment:
            name = self.options.experiment or self.sweep.name
            experiment = self.client.experiment(name, self.options.artifact_location)
        if self.parent is not None and not self.parent.id:
            self._make(self.parent, experiment)
        with self.outbox.changed:
            self.outbox.workers = self.client.workers
            self.experiment = experiment
            for made in self.runs.values():
                self.outbox.put(partial(self._create, made))
            if self.parent is not None and self.parent.ended:
                self._put_parents_end()

    def _around(self) -> str:
        """Return the id of the run that this process was started in; empty if there is none at this store."""
        its = store_uri(None, self.sweep.folder)
        if self.sweep.resumed or (self.uri or "").rstrip("/") != (its or "").rstrip("/"):
            return ""
        return os.environ.get("MLFLOW_RUN_ID", "")

    def _find_place(self) -> Found:
        try:
            found: Found = self.client.run(self.around)
        except Refused as error:
            if error.code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise TrackerError(
                f"MLFLOW_RUN_ID is {self.around}, and MLflow at {shown_uri(self.client.uri)} has no such run",
                hint="Unset MLFLOW_RUN_ID, or set the MLFLOW_TRACKING_URI that it belongs to.",
            ) from None
        return found

    def _know(self, found: Found) -> None:
        tags = found.tags
        attempt = int(tags.get("sweeper.attempt", "0"))
        self.known[tags.get("sweeper.run_id", ""), attempt] = found
        if attempt and _whole(found):
            self.counts[tags["sweeper.status"]] += 1
            if "sweeper.score" in tags:
                run = Scored(int(tags["sweeper.number"]), tags.get("sweeper.overrides", ""))
                self.standings.add(run.number, float(tags["sweeper.score"]), run)

    def _create(self, made: _Run) -> None:
        run = made.job
        if made.id:
            return
        try:
            self._make(made, self.experiment)
        except Refused as error:
            self._refused(made, error)
            with self.outbox.changed:
                self.runs.pop(made.key, None)
            return
        if run is not None and run.attempt > 1:
            for attempt in range(1, run.attempt):
                earlier = self.known.get((run.id, attempt))
                if earlier is not None and earlier.status == RUNNING:
                    self.client.update_run(earlier.id, STATUSES[CANCELLED], made.start)
        with self.outbox.changed:
            if made.ended:
                self._put_end(made)
            elif (made.metrics or made.params) and not made.whole:
                self.outbox.put(partial(self._send, made), _BATCH_EVERY)
            self.outbox.changed.notify_all()

    def _make(self, made: _Run, experiment: str) -> None:
        """Create a run, unless it is there."""
        found = self.known.get(made.key)
        if found is None and made.tried:  # an answer may have been lost
            same = self.client.find("sweeper.run_id", made.key[0], experiment)
            found = next((f for f in same if f.tags.get("sweeper.attempt") == str(made.key[1])), None)
        made.tried = True
        place = self.place if made.job is None or self.parent is None else None
        if place is not None and place.tags.get("sweeper.run_id") in (None, made.key[0]):
            self._borrow(made, place)
            return
        if found is None:
            tags = made.first_tags
            if made.job is not None and self.parent is not None:
                tags = {**tags, "mlflow.parentRunId": self.parent.id}
            elif place is not None:
                tags = {**tags, "mlflow.parentRunId": place.id}
            made.id, made.artifact_uri = self.client.create_run(experiment, made.name, made.start, tags)
            return
        made.told = dict(found.params)
        made.params = {key: value for key, value in made.params.items() if key not in found.params}
        made.artifact_uri = found.artifact_uri
        made.whole = made.job is not None and _whole(found)
        if found.status != RUNNING and not made.whole and not made.ended:
            self.client.update_run(found.id, RUNNING, None)
        made.id = found.id  # last: it is what others look at

    def _borrow(self, made: _Run, place: Found) -> None:
        """Let a run be one that there is already, which keeps what it says of itself."""
        tags = {key: text for key, text in made.first_tags.items() if place.tags.get(key) is None}
        self.client.log_batch(place.id, [], {}, tags)
        made.borrowed, made.told, made.artifact_uri = True, dict(place.params), place.artifact_uri
        made.params = {key: value for key, value in made.params.items() if key not in place.params}
        made.id = place.id

    def _put_end(self, made: _Run) -> None:
        """Send what a run's end needs, all of it at once."""
        run = made.job
        assert made.outcome is not None and run is not None  # noqa: PT018, S101
        outcome, end = made.outcome
        files = files_of(run, outcome) if self.options.artifacts else {}
        if made.whole:
            made.metrics, made.params, made.tags = [], {}, {}
            made.left.add("a look")
            self.outbox.put(partial(self._look, made, files))
            return
        status = STATUSES.get(outcome.status, "FAILED")
        tasks = {"status": partial(self.client.update_run, made.id, status, end)}
        if made.borrowed:
            del tasks["status"]
        if outcome.inputs:
            tasks["inputs"] = partial(self._log_inputs, made.id, [dataset(entry) for entry in outcome.inputs])
        self._put_tasks(made, tasks)
        self._put_files(made, files)
        self.outbox.put(partial(self._send, made))

    def _log_inputs(self, run: str, inputs: list[dict[str, Any]]) -> None:
        """Add data sets to a run; a server that made one of them for another run just then is asked again."""
        try:
            self.client.log_inputs(run, inputs)
        except Refused:
            self.client.log_inputs(run, inputs)

    def _look(self, made: _Run, files: Mapping[str, str]) -> None:
        """Send the files that a run lacks which is there but for them."""
        there = self.client.artifacts(made.id) if files else set()
        lacking = {name: path for name, path in files.items() if name.partition("/")[0] not in there}
        with self.outbox.changed:
            if not lacking:
                self.there += 1
                self.total -= 1
            self._put_files(made, lacking)
            made.left.discard("a look")
            self._settle(made)

    def _put_files(self, made: _Run, files: Mapping[str, str]) -> None:
        self._put_tasks(
            made,
            {
                f"the file {name}": partial(self.client.upload, made.id, made.artifact_uri, path, name)
                for name, path in files.items()
            },
        )

    def _put_tasks(self, made: _Run, tasks: Mapping[str, Any]) -> None:
        made.left.update(tasks)
        for name, task in tasks.items():
            self.outbox.put(partial(self._do, made, name, task))

    def _put_parents_end(self) -> None:
        assert self.parent is not None  # noqa: S101
        status = STATUSES.get(self.parent.tags["sweeper.status"], "FAILED")
        if not self.parent.borrowed:
            task = partial(self.client.update_run, self.parent.id, status, self.last_end)
            self._put_tasks(self.parent, {"status": task})
        self.outbox.put(partial(self._send, self.parent))

    def _do(self, made: _Run, name: str, task: Any) -> None:
        """Do one of the things that a run's end needs."""
        if name not in made.left:
            return
        try:
            task()
        except Refused as error:
            self._refused(made, error)
        except OSError as error:  # a file that is gone meanwhile
            self._say(f"{name} of run {made.name} cannot be read: {error.strerror or error}")
        with self.outbox.changed:
            made.left.discard(name)
            if name == "inputs":
                self.outbox.put(partial(self._send, made))
            self._settle(made)

    def _send(self, made: _Run) -> None:
        """Send what there is of metrics and params, and at the end, with the last of them, the tags.

        A batch of the end goes out beside one that is under way, and has what is in that one too: so it
        need not wait for it, and where the tags are, all is.
        """
        with self.outbox.changed:
            if made.finishing or (made.sending and not made.ended) or not made.id:
                return
            metrics = made.metrics[:_MOST_METRICS]
            params = dict(list(made.params.items())[:_MOST_PARAMS])
            more = len(metrics) < len(made.metrics) or len(params) < len(made.params)
            tags: dict[str, str] = {}
            if made.ended and not more and "inputs" not in made.left:
                tags = dict(list(made.tags.items())[:_MOST_TAGS])
            if not (metrics or params or tags):
                self._settle(made)
                return
            made.sending, made.finishing, ended = made.sending + 1, made.ended, made.ended
        try:
            self.client.log_batch(made.id, metrics, params, tags)
        except Refused as error:
            if not self._gives_way(made, params, error):
                self._refused(made, error)
                self._sent(made, metrics, params, tags)
        else:
            self._sent(made, metrics, params, tags)
        finally:
            with self.outbox.changed:
                made.sending -= 1
                made.finishing = made.finishing and not ended
        with self.outbox.changed:
            if made.metrics or made.params or (made.ended and made.tags):
                ready = made.ended or len(made.metrics) >= _MOST_METRICS
                self.outbox.put(partial(self._send, made), 0.0 if ready else _BATCH_EVERY)
            self._settle(made)

    def _sent(
        self, made: _Run, metrics: list[Metric], params: Mapping[str, str], tags: Mapping[str, str]
    ) -> None:
        with self.outbox.changed:
            sent = set(map(id, metrics))
            made.metrics = [metric for metric in made.metrics if id(metric) not in sent]
            made.told.update(params)
            for key in params:
                made.params.pop(key, None)
            for key in tags:
                made.tags.pop(key, None)

    def _gives_way(self, made: _Run, params: Mapping[str, str], error: Refused) -> bool:
        """Leave params out that the run has already, such as autologging's: none is written twice."""
        if not error.code or not params:
            return False
        there = self.client.run(made.id).params
        taken = [key for key in params if key in there]
        with self.outbox.changed:
            for key in taken:
                made.params.pop(key, None)
            made.told.update({key: there[key] for key in taken})
        return bool(taken)

    def _refused(self, made: _Run, error: Refused) -> None:
        """Go on without what MLflow refuses of one run; raise what it would refuse of any."""
        if not error.code:
            raise error
        self._say(f"{made.name}: {error.what}")

    def _settle(self, made: _Run) -> None:
        if made.settled and made.job is not None:
            self.runs.pop(made.key, None)
        self.outbox.changed.notify_all()

    # ------------------------------------------------------------------------------- what is said

    def _check(self) -> None:
        """Raise what keeps everything from being sent."""
        error = self.outbox.fatal
        if error is None:
            return
        if not isinstance(error, SweeperError):
            raise error
        raise TrackerError(
            error.what,
            error.where,
            f"{error.hint}\nTo send the runs afterwards: {self._export_command()}".strip(),
        )

    def _say(self, words: str) -> None:
        print(f"warning: MLflow: {words}\n", end="", file=sys.stderr)  # noqa: T201  in one piece

    def _say_trouble(self, words: str) -> None:
        where = shown_uri(self.client.uri if self.client else self.uri)
        self._say(
            f"{where} cannot be reached ({words}); the sweep goes on, and so do the tries to send its runs"
        )

    def _hint(self, run: Job, outcome: Outcome) -> None:
        if self.join and not self.hinted and "does not match environment run ID" in outcome.error:
            self.hinted = True
            self._say(
                f"run {run.number} calls mlflow.set_experiment, but it is in an experiment already, that of "
                "sweeper.tracker.mlflow.experiment. Remove the call, or set sweeper.tracker.mlflow.join=false"
            )

    def _export_command(self) -> str:
        directory = self.sweep.directory
        with suppress(ValueError):  # another drive, on Windows
            shorter = os.path.relpath(directory)
            directory = shorter if len(shorter) < len(directory) else directory
        return f"sweeper export {directory} --to mlflow"

    def _params(self, run: Job) -> dict[str, str]:
        return params_of(run, config=self.options.config)

    def _note(self, run: Job, outcome: Outcome) -> None:
        self.counts[outcome.status] += 1
        self.standings.add(run.number, outcome.score, Scored(run.number, " ".join(run.overrides)))


def _uses_mlflow(sweep: SweepRecord) -> bool:
    """Whether the program has imported mlflow, or its script speaks of it."""
    if "mlflow" in sys.modules:
        return True
    main = str(sweep.origin.get("program", {}).get("main", ""))
    if not os.path.isfile(main):  # -m package.module
        main = getattr(sys.modules.get("__main__"), "__file__", None) or ""
    try:
        with open(main, encoding="utf-8", errors="replace") as file:
            return "mlflow" in file.read()
    except OSError:
        return False


def _whole(found: Found) -> bool:
    """Whether all of a run was sent."""
    return found.status in STATUSES.values() and "sweeper.status" in found.tags


def _ended(run: Job, status: str) -> Outcome:
    """Return what came of a run that nobody has told the end of."""
    found = read_record(run.directory)
    if found is not None and found.status in ENDED:
        return found
    return (found or Outcome(status))._replace(status=status, ended=now())

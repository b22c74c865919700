"""MLflow by its own package: for the stores that are no http server, such as `sqlite:///mlflow.db`.

The same few methods as `mlflow_rest.Rest`. Importing the package takes a second.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from ..errors import TrackerError
from .mlflow_rest import EXPERIMENT_TAGS, Found, Metric, Refused, Unreachable, checked_experiment, copy_into

_TRANSIENT = ("TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "INTERNAL_ERROR")


class Package:
    """A store that the `mlflow` package opens."""

    def __init__(self, uri: str | None, timeout: float) -> None:
        """Import the package, and take note of the store.

        Raises:
            TrackerError: if the package is not installed.
        """
        try:
            with quiet():
                import mlflow
                from mlflow.tracking import MlflowClient
        except ImportError as error:
            raise TrackerError(
                f"MLflow at {uri or 'its default store'} needs the package mlflow: {error}",
                hint="pip install 'sweeper[mlflow]'; or set sweeper.tracker.mlflow.uri to an http server, "
                "which needs no package.",
            ) from None
        self.uri = uri or mlflow.get_tracking_uri()
        self.workers = 1 if self.uri.startswith("sqlite") else 4  # a file has one writer at a time
        with named(self.uri), quiet():  # it makes the tables of a new file
            self.client: Any = MlflowClient(tracking_uri=self.uri)

    def version(self) -> str:
        """Return the package's version."""
        import mlflow

        return str(mlflow.__version__)

    def find_experiment(self, name: str) -> str | None:
        """See `Rest`; the store is made where it does not exist."""
        with named(self.uri), quiet():
            found = self.client.get_experiment_by_name(name)
            return None if found is None else checked_experiment(name, found)

    def experiment(self, name: str, artifact_location: str | None) -> str:
        """See `Rest`."""
        known = self.find_experiment(name)
        if known is not None:
            return known
        with named(self.uri), quiet():
            return str(self.client.create_experiment(name, artifact_location or None, EXPERIMENT_TAGS))

    def experiments(self) -> list[str]:
        """See `Rest`."""
        token, found = None, list[str]()
        while True:
            with named(self.uri):
                page = self.client.search_experiments(max_results=1000, page_token=token)
            found += [str(each.experiment_id) for each in page]
            token = page.token
            if not token:
                return found

    def find(self, tag: str, value: str, experiment: str | None = None) -> Iterator[Found]:
        """See `Rest`."""
        experiments = [experiment] if experiment else self.experiments()
        token = None
        while experiments:
            with named(self.uri):
                page = self.client.search_runs(experiments, f"tags.`{tag}` = '{value}'", 1, 1000, None, token)
            yield from map(_found, page)
            token = page.token
            if not token:
                return

    def run(self, run_id: str) -> Found:
        """See `Rest`."""
        with named(self.uri), quiet():
            return _found(self.client.get_run(run_id))

    def create_run(self, experiment: str, name: str, start: int, tags: Mapping[str, str]) -> tuple[str, str]:
        """See `Rest`."""
        with named(self.uri):
            run = self.client.create_run(experiment, start_time=start, tags=dict(tags), run_name=name)
        return run.info.run_id, run.info.artifact_uri

    def log_batch(
        self, run_id: str, metrics: Sequence[Metric], params: Mapping[str, str], tags: Mapping[str, str]
    ) -> None:
        """See `Rest`."""
        from mlflow import entities

        with named(self.uri):
            self.client.log_batch(
                run_id,
                [entities.Metric(m.key, m.value, m.time, m.step) for m in metrics],
                [entities.Param(*pair) for pair in params.items()],
                [entities.RunTag(*pair) for pair in tags.items()],
            )

    def log_inputs(self, run_id: str, inputs: Sequence[Mapping[str, Any]]) -> None:
        """See `Rest`."""
        from mlflow import entities

        found = []
        for entry in inputs:
            known = {key: value for key, value in entry.items() if key != "tags"}
            tags = [entities.InputTag(*pair) for pair in entry["tags"].items()]
            found.append(entities.DatasetInput(entities.Dataset(**known), tags))
        with named(self.uri):
            self.client.log_inputs(run_id, found)

    def update_run(self, run_id: str, status: str, end: int | None) -> None:
        """See `Rest`."""
        with named(self.uri):
            if status == "RUNNING":
                self.client.update_run(run_id, status)
            else:
                self.client.set_terminated(run_id, status, end)

    def artifacts(self, run_id: str) -> set[str]:
        """See `Rest`."""
        with named(self.uri):
            return {file.path for file in self.client.list_artifacts(run_id)}

    def delete_run(self, run_id: str) -> None:
        """See `Rest`."""
        with named(self.uri):
            self.client.delete_run(run_id)

    def upload(self, run_id: str, artifact_uri: str, path: str, name: str) -> None:
        """See `Rest`."""
        parts = urlsplit(artifact_uri)
        if parts.scheme in ("", "file"):
            copy_into(unquote(parts.path), path, name)
            return
        folder = name.rpartition("/")[0]
        with named(self.uri):
            self.client.log_artifact(run_id, path, folder or None)


def _found(run: Any) -> Found:
    info, data = run.info, run.data
    return Found(
        info.run_id,
        str(info.experiment_id),
        info.status,
        info.artifact_uri,
        data.tags,
        data.params,
        data.metrics,
    )


@contextmanager
def named(uri: str) -> Iterator[None]:
    """Say what went wrong in our words: what MLflow refuses, and what may go better later."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        words = str(error).strip().partition("\n")[0]
        if error.error_code in _TRANSIENT and "API request" in words:
            raise Unreachable(words[:200]) from None
        refused = Refused(f"MLflow at {uri} refuses: {words[:300]}")
        refused.code = str(error.error_code)
        raise refused from None
    except ImportError as error:
        raise Refused(f"MLflow at {uri} needs a package that is missing: {error}") from None


@contextmanager
def quiet() -> Iterator[None]:
    """Keep MLflow's remarks on the tables that it makes out of the program's output.

    While nothing else of it is under way: the levels are the process's.
    """
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)

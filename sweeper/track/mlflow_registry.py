"""MLflow's registry: registered models, their versions, and the aliases that stand for a version.

Two ways to the same few methods, as for runs: `RestRegistry` speaks to an http server without MLflow's
package, `PackageRegistry` opens any other store with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from .mlflow_package import Package, named, quiet
from .mlflow_rest import API, Found, Refused, Rest, pairs
from .mlflow_store import make_client

_ABSENT = "RESOURCE_DOES_NOT_EXIST"
_NO_ALIAS = "INVALID_PARAMETER_VALUE"  # what MLflow says of an alias that a model does not have
_TAKEN = "RESOURCE_ALREADY_EXISTS"
_TIMEOUT = 20.0  # seconds for a request
_VERSIONS = "mlflow.modelVersions"  # the tag by which MLflow's page links a logged model to its versions
MLMODEL = "MLmodel"  # the file that makes a folder a model


class Version(NamedTuple):
    """A version of a registered model."""

    number: str
    run_id: str  # MLflow's
    source: str
    tags: Mapping[str, str]


class Logged(NamedTuple):
    """A model that a run has logged, as an entity of its own: MLflow has these since 3.0."""

    id: str
    name: str
    made: int  # milliseconds since 1970


class Registry(Protocol):
    """What promoting a run asks of MLflow."""

    client: Any  # finds runs: a `Rest` or a `Package`

    def logged(self, run: Found) -> list[Logged]:
        """Return the models that a run has logged, and that are whole."""
        ...

    def files(self, run_id: str, folder: str) -> Iterator[tuple[str, bool]]:
        """Yield the path of each of a run's artifacts in a folder, and whether it is a folder itself."""
        ...

    def aliased(self, model: str, alias: str) -> Version | None:
        """Return the version that an alias of a model stands for, if any."""
        ...

    def versions(self, model: str, run_id: str) -> list[Version]:
        """Return the versions of a model that come from a run."""
        ...

    def register(
        self, model: str, run: Found, source: str, logged: Logged | None, tags: Mapping[str, str]
    ) -> Version:
        """Make a version of a model, and the model where there is none."""
        ...

    def set_alias(self, model: str, alias: str, version: str) -> None:
        """Let an alias stand for a version."""
        ...


def open_registry(uri: str | None) -> Registry:
    """Return the registry of a store.

    Raises:
        TrackerError: if it takes a package that is not installed.
    """
    client = make_client(uri, _TIMEOUT)
    return RestRegistry(client) if isinstance(client, Rest) else PackageRegistry(client)


class RestRegistry:
    """See `Registry`."""

    def __init__(self, client: Rest) -> None:
        self.client = client

    def logged(self, run: Found) -> list[Logged]:
        asked: dict[str, Any] = {
            "experiment_ids": [run.experiment],
            "filter": f"source_run_id = '{run.id}'",
        }
        found = list[Logged]()
        while True:
            page = self.client.call("POST", f"{API}/logged-models/search", asked)
            found += [
                Logged(info["model_id"], info["name"], int(info["creation_timestamp_ms"]))
                for info in (model["info"] for model in page.get("models", ()))
                if info["status"] == "LOGGED_MODEL_READY"
            ]
            asked["page_token"] = page.get("next_page_token")
            if not asked["page_token"]:
                return found

    def files(self, run_id: str, folder: str) -> Iterator[tuple[str, bool]]:
        asked = {"run_id": run_id, **({"path": folder} if folder else {})}
        while True:
            page = self.client.call("GET", f"{API}/artifacts/list", asked)
            for file in page.get("files", ()):
                yield file["path"], bool(file.get("is_dir"))
            asked["page_token"] = page.get("next_page_token", "")
            if not asked["page_token"]:
                return

    def aliased(self, model: str, alias: str) -> Version | None:
        asked = {"name": model, "alias": alias}
        try:
            found = self.client.call("GET", f"{API}/registered-models/alias", asked)
        except Refused as error:
            if error.code in (_ABSENT, _NO_ALIAS):
                return None
            raise
        return _version(found["model_version"])

    def versions(self, model: str, run_id: str) -> list[Version]:
        asked = {"filter": f"run_id = '{run_id}'", "max_results": 1000}
        page = self.client.call("GET", f"{API}/model-versions/search", asked)
        return [_version(each) for each in page.get("model_versions", ()) if each["name"] == model]

    def register(
        self, model: str, run: Found, source: str, logged: Logged | None, tags: Mapping[str, str]
    ) -> Version:
        try:
            self.client.call("POST", f"{API}/registered-models/create", {"name": model})
        except Refused as error:
            if error.code != _TAKEN:
                raise
        asked = {"name": model, "source": source, "run_id": run.id, "tags": pairs(tags)}
        if logged is not None:
            asked["model_id"] = logged.id
        return _version(self.client.call("POST", f"{API}/model-versions/create", asked)["model_version"])

    def set_alias(self, model: str, alias: str, version: str) -> None:
        asked = {"name": model, "alias": alias, "version": version}
        self.client.call("POST", f"{API}/registered-models/alias", asked)


class PackageRegistry:
    """See `Registry`."""

    def __init__(self, client: Package) -> None:
        self.client, self.mlflow = client, client.client

    def logged(self, run: Found) -> list[Logged]:
        found, token = list[Logged](), None
        while True:
            with named(self.client.uri):
                page = self.mlflow.search_logged_models(
                    [run.experiment], f"source_run_id = '{run.id}'", page_token=token
                )
            found += [
                Logged(each.model_id, each.name, each.creation_timestamp)
                for each in page
                if str(each.status) == "READY"
            ]
            token = page.token
            if not token:
                return found

    def files(self, run_id: str, folder: str) -> Iterator[tuple[str, bool]]:
        with named(self.client.uri):
            found = self.mlflow.list_artifacts(run_id, folder or None)
        for file in found:
            yield file.path, bool(file.is_dir)

    def aliased(self, model: str, alias: str) -> Version | None:
        try:
            with named(self.client.uri), quiet():
                return _version(self.mlflow.get_model_version_by_alias(model, alias))
        except Refused as error:
            if error.code in (_ABSENT, _NO_ALIAS):
                return None
            raise

    def versions(self, model: str, run_id: str) -> list[Version]:
        with named(self.client.uri):
            found = self.mlflow.search_model_versions(f"run_id = '{run_id}'")
        return [_version(each) for each in found if each.name == model]

    def register(
        self, model: str, run: Found, source: str, logged: Logged | None, tags: Mapping[str, str]
    ) -> Version:
        import mlflow

        try:
            with named(self.client.uri):
                self.mlflow.create_registered_model(model)
        except Refused as error:
            if error.code != _TAKEN:
                raise
        mlflow.set_tracking_uri(self.client.uri)  # where MLflow itself looks for a logged model
        with named(self.client.uri):
            made = self.mlflow.create_model_version(
                model, source, run.id, dict(tags), model_id=logged.id if logged else None
            )
            if logged is not None:  # as a server does by itself
                known = json.loads(self.mlflow.get_logged_model(logged.id).tags.get(_VERSIONS) or "[]")
                text = json.dumps([*known, {"name": model, "version": made.version}])
                self.mlflow.set_logged_model_tags(logged.id, {_VERSIONS: text})
        return _version(made)

    def set_alias(self, model: str, alias: str, version: str) -> None:
        with named(self.client.uri):
            self.mlflow.set_registered_model_alias(model, alias, version)


def _version(found: Any) -> Version:
    """Return a version that a server or the package describes."""
    if isinstance(found, Mapping):
        tags = {each["key"]: each.get("value", "") for each in found.get("tags", ())}
        return Version(str(found["version"]), found.get("run_id", ""), found.get("source", ""), tags)
    return Version(str(found.version), found.run_id or "", found.source or "", dict(found.tags))

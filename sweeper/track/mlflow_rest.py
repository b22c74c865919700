"""MLflow's REST interface, as far as a tracker needs it, in the standard library alone.

The `mlflow` package takes 0.6 to 1 s to import; this speaks to a server without it. One connection a
thread, kept alive. Who asks is known by MLflow's own variables: MLFLOW_TRACKING_USERNAME and
MLFLOW_TRACKING_PASSWORD, or `~/.mlflow/credentials`; MLFLOW_TRACKING_TOKEN; MLFLOW_TRACKING_INSECURE_TLS,
MLFLOW_TRACKING_SERVER_CERT_PATH and MLFLOW_TRACKING_CLIENT_CERT_PATH.

Tries once; whoever calls it decides whether `Unreachable` is worth another try.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import shutil
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlencode, urlsplit

from ..errors import TrackerError

API = "/api/2.0/mlflow"
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}  # so the page opens with the runs
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
_SLOWEST = 1e6  # bytes a second at which a file is still waited for
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)


class Unreachable(Exception):
    """A server that gives no answer, or none yet; another try may bring one."""


class Refused(TrackerError):
    """A request that a server answers with a no; `code` is MLflow's word for the reason."""

    code = ""


class Metric(NamedTuple):
    """A metric's value; `time` is in milliseconds since 1970."""

    key: str
    value: float
    time: int
    step: int


class Found(NamedTuple):
    """A run that a server has."""

    id: str
    experiment: str
    status: str
    artifact_uri: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]


def credentials() -> tuple[str, str]:
    """Return the user's name and password, from the environment or MLflow's own file."""
    names = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
    name, password = (os.environ.get(key, "") for key in names)
    path = os.path.expanduser("~/.mlflow/credentials")
    if not (name and password) and os.path.exists(path):
        from configparser import ConfigParser
        from configparser import Error as Unreadable

        parser = ConfigParser(interpolation=None)
        try:
            parser.read(path)
        except Unreadable:
            return name, password
        if "mlflow" in parser:
            name = name or parser["mlflow"].get(names[0].lower(), "")
            password = password or parser["mlflow"].get(names[1].lower(), "")
    return name, password


class Rest:
    """A server at an http or https URI."""

    workers = 8  # requests at the same time

    def __init__(self, uri: str, timeout: float) -> None:
        """Take note of a server; nothing is sent yet.

        Raises:
            TrackerError: if the URI is no address.
        """
        try:
            parts = urlsplit(uri if "//" in uri else f"http://{uri}")
            self.secure, self.host, self.port = parts.scheme == "https", parts.hostname or "", parts.port
            self.host.encode("idna")
            http.client.HTTPConnection(self.host, 80)  # which does not connect yet
        except (ValueError, http.client.InvalidURL) as error:
            shown = without_password(uri)
            raise TrackerError(f"{shown} is no address of an MLflow server: {error}") from None
        self.path = quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~")
        place = f"[{self.host}]" if ":" in self.host else self.host
        self.place = place if self.port is None else f"{place}:{self.port}"
        self.uri = f"{parts.scheme}://{self.place}{self.path}"  # without a password
        self.timeout = timeout
        self.headers = {"User-Agent": "sweeper"}
        name, password = (
            (unquote(parts.username), unquote(parts.password or "")) if parts.username else credentials()
        )
        token = os.environ.get("MLFLOW_TRACKING_TOKEN", "")
        self.known_as = name
        if name and password:
            self.headers["Authorization"] = "Basic " + b64encode(f"{name}:{password}".encode()).decode()
        elif token:
            self.headers["Authorization"] = f"Bearer {token}"
        if os.environ.get("MLFLOW_WORKSPACE"):
            self.headers["X-MLFLOW-WORKSPACE"] = os.environ["MLFLOW_WORKSPACE"]
        self.context = self._trust() if self.secure else None
        self.local = threading.local()

    def _trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context(
            cafile=os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or None
        )
        if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if os.environ.get("MLFLOW_TRACKING_CLIENT_CERT_PATH"):
            context.load_cert_chain(os.environ["MLFLOW_TRACKING_CLIENT_CERT_PATH"])
        return context

    # ------------------------------------------------------------------------------- what is asked

    def version(self) -> str:
        """Return the server's version."""
        return self.call_plainly("/version").decode(errors="replace").strip()[:40]

    def call_plainly(self, path: str) -> bytes:
        """Return what the server answers to a path outside of its interface."""
        return self._send("GET", path)[1]

    def find_experiment(self, name: str) -> str | None:
        """Return the id of an experiment; None if there is none of the name."""
        try:
            found = self.call("GET", f"{API}/experiments/get-by-name", {"experiment_name": name})
        except Refused as error:
            if error.code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        return checked_experiment(name, found["experiment"])

    def experiment(self, name: str, artifact_location: str | None) -> str:
        """Return the id of an experiment; one that does not exist is made."""
        known = self.find_experiment(name)
        if known is not None:
            return known
        asked: dict[str, Any] = {"name": name, "tags": pairs(EXPERIMENT_TAGS)}
        if artifact_location:
            asked["artifact_location"] = artifact_location
        try:
            return str(self.call("POST", f"{API}/experiments/create", asked)["experiment_id"])
        except Refused as error:
            known = self.find_experiment(name) if error.code == "RESOURCE_ALREADY_EXISTS" else None
            if known is None:
                raise
            return known

    def experiments(self) -> list[str]:
        """Return the ids of all experiments."""
        asked: dict[str, Any] = {"max_results": 1000}
        found: list[str] = []
        while True:
            page = self.call("POST", f"{API}/experiments/search", asked)
            found += [str(each["experiment_id"]) for each in page.get("experiments", ())]
            asked["page_token"] = page.get("next_page_token")
            if not asked["page_token"]:
                return found

    def find(self, tag: str, value: str, experiment: str | None = None) -> Iterator[Found]:
        """Yield the runs with a tag of a value, of an experiment or of all."""
        experiments = [experiment] if experiment else self.experiments()
        asked: dict[str, Any] = {
            "experiment_ids": experiments,
            "filter": f"tags.`{tag}` = '{value}'",
            "max_results": 1000,
        }
        while experiments:
            page = self.call("POST", f"{API}/runs/search", asked)
            for run in page.get("runs", ()):
                yield _found(run)
            asked["page_token"] = page.get("next_page_token")
            if not asked["page_token"]:
                return

    def run(self, run_id: str) -> Found:
        """Return a run."""
        return _found(self.call("GET", f"{API}/runs/get", {"run_id": run_id})["run"])

    def create_run(self, experiment: str, name: str, start: int, tags: Mapping[str, str]) -> tuple[str, str]:
        """Make a run, and return its id and where its artifacts go."""
        asked = {"experiment_id": experiment, "run_name": name, "start_time": start, "tags": pairs(tags)}
        if "mlflow.user" in tags:
            asked["user_id"] = tags["mlflow.user"]
        info = self.call("POST", f"{API}/runs/create", asked)["run"]["info"]
        return info["run_id"], info["artifact_uri"]

    def log_batch(
        self, run_id: str, metrics: Sequence[Metric], params: Mapping[str, str], tags: Mapping[str, str]
    ) -> None:
        """Add to a run; what it has already in the same words stays as it is."""
        points = [
            {"key": m.key, "value": _json_number(m.value), "timestamp": m.time, "step": m.step}
            for m in metrics
        ]
        asked = {"run_id": run_id, "metrics": points, "params": pairs(params), "tags": pairs(tags)}
        self.call("POST", f"{API}/runs/log-batch", asked)

    def log_inputs(self, run_id: str, inputs: Sequence[Mapping[str, Any]]) -> None:
        """Add data sets to a run; see `dataset`."""
        datasets = [
            {"dataset": {k: v for k, v in entry.items() if k != "tags"}, "tags": pairs(entry["tags"])}
            for entry in inputs
        ]
        self.call("POST", f"{API}/runs/log-inputs", {"run_id": run_id, "datasets": datasets})

    def update_run(self, run_id: str, status: str, end: int | None) -> None:
        """Set how a run stands."""
        asked = {"run_id": run_id, "status": status, **({"end_time": end} if end is not None else {})}
        self.call("POST", f"{API}/runs/update", asked)

    def artifacts(self, run_id: str) -> set[str]:
        """Return the names of a run's artifacts; of those in a folder, the folder's."""
        found = self.call("GET", f"{API}/artifacts/list", {"run_id": run_id})
        return {file["path"] for file in found.get("files", ())}

    def delete_run(self, run_id: str) -> None:
        """Remove a run; an administrator can bring it back."""
        self.call("POST", f"{API}/runs/delete", {"run_id": run_id})

    def upload(self, run_id: str, artifact_uri: str, path: str, name: str) -> None:
        """Put a file where a run's artifacts go: through the server, or where the URI is a folder's."""
        parts = urlsplit(artifact_uri)
        if parts.scheme in ("", "file"):
            copy_into(unquote(parts.path), path, name)
        elif parts.scheme == "mlflow-artifacts" and parts.netloc in ("", self.place):
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                where = quote(f"{ARTIFACTS}/{parts.path.strip('/')}/{name}")
                status, data, _ = self._send(
                    "PUT", where, file, {"Content-Length": str(size)}, size / _SLOWEST
                )
            self._checked(status, data, where)
        else:  # the store's own client, which mlflow brings
            from .mlflow_package import Package

            Package(self.uri, self.timeout).upload(run_id, artifact_uri, path, name)

    # ------------------------------------------------------------------------------- how it is asked

    def call(self, method: str, path: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a request.

        Raises:
            Unreachable: if there is none, or none yet.
            Refused: if it is a no, or no answer of MLflow's.
        """
        if method == "GET":
            status, data, headers = self._send("GET", f"{path}?{urlencode(asked)}")
        else:
            body = json.dumps(asked).encode()
            status, data, headers = self._send(method, path, body, {"Content-Type": "application/json"})
        return self._checked(status, data, path, headers.get("Location", ""))

    def _checked(self, status: int, data: bytes, path: str, location: str = "") -> dict[str, Any]:
        try:
            answer = json.loads(data or b"{}")
        except ValueError:
            answer = None
        words = answer.get("message", "") if isinstance(answer, dict) else ""
        if status == 200 and isinstance(answer, dict):
            return answer
        if status in _TRANSIENT:
            raise Unreachable(
                f"it answers with {status} {http.client.responses.get(status, '')}: {words[:200]}".rstrip(
                    ": "
                )
            )
        raise self._refusal(status, answer, words, path, location)

    def _refusal(self, status: int, answer: Any, words: str, path: str, location: str) -> Refused:
        if status == 401:
            who = f"as {self.known_as!r}" if self.known_as else "without a name"
            error = Refused(
                f"MLflow at {self.uri} does not let us in {who}",
                hint="Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.",
            )
        elif status == 403:
            who = f"{self.known_as!r}" if self.known_as else "who has no name"
            error = Refused(
                f"MLflow at {self.uri} forbids {who} {path.rpartition('/mlflow/')[2] or path}",
                hint=words or "Ask for the permission to edit the experiment, or name another one.",
            )
        elif 300 <= status < 400:
            error = Refused(
                f"{self.uri} answers with a redirection", hint=f"The address to use seems to be {location}."
            )
        elif not isinstance(answer, dict) or "error_code" not in answer:
            error = Refused(
                f"{self.uri} is no MLflow server: it answers {path} with {status}",
                hint="Give the address that shows MLflow's page in a browser.",
            )
        else:
            error = Refused(f"MLflow at {self.uri} refuses {path.rpartition('/mlflow/')[2]}: {words[:300]}")
            error.code = str(answer["error_code"])
        return error

    def _send(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        more_time: float = 0.0,
    ) -> tuple[int, bytes, Mapping[str, str]]:
        connection = self._connection()
        try:
            if connection.sock is None:
                connection.connect()
            connection.sock.settimeout(self.timeout + more_time)
            connection.request(method, self.path + path, body, {**self.headers, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._trouble(error) from None

    def _trouble(self, error: Exception) -> Exception:
        """Return what a failed request means: another try may help, or not."""
        if isinstance(error, TimeoutError):
            return Unreachable(f"no answer within {self.timeout:g} s")
        if isinstance(error, socket.gaierror):
            return Unreachable(f"there is no host {self.host!r}")
        if isinstance(error, ConnectionRefusedError):
            return Unreachable("connection refused")
        if isinstance(error, ssl.SSLError):
            return TrackerError(
                f"{self.uri}: {getattr(error, 'verify_message', '') or error.reason or error}",
                hint="Is it http, not https? Or name the authority with MLFLOW_TRACKING_SERVER_CERT_PATH; "
                "MLFLOW_TRACKING_INSECURE_TLS=true trusts any.",
            )
        if isinstance(error, http.client.HTTPException) and not isinstance(
            error, (http.client.RemoteDisconnected, http.client.IncompleteRead)
        ):
            return TrackerError(f"{self.uri} is no MLflow server: its answer is no HTTP")
        return Unreachable(getattr(error, "strerror", None) or str(error) or type(error).__name__)

    def _connection(self) -> http.client.HTTPConnection:
        """Return this thread's connection; one that the server has closed meanwhile is opened again."""
        connection: http.client.HTTPConnection | None = getattr(self.local, "connection", None)
        if connection is None:
            connection = self.local.connection = self._connect()
        elif connection.sock is not None and _readable(connection.sock):
            connection.close()
        return connection

    def _connect(self) -> http.client.HTTPConnection:
        if self.context is not None:
            return http.client.HTTPSConnection(
                self.host, self.port or 443, timeout=self.timeout, context=self.context
            )
        return http.client.HTTPConnection(self.host, self.port or 80, timeout=self.timeout)


def without_password(uri: str) -> str:
    """Return an address without the password that may stand in it."""
    return re.sub(r"//[^/@]*@", "//", uri)


def checked_experiment(name: str, found: Any) -> str:
    """Return the id of an experiment that was found, if it can be written to.

    Raises:
        TrackerError: if it was deleted.
    """
    stage = found["lifecycle_stage"] if isinstance(found, Mapping) else found.lifecycle_stage
    if stage == "deleted":
        raise TrackerError(
            f"The experiment {name!r} was deleted in MLflow",
            hint="Restore it there, or name another with sweeper.tracker.mlflow.experiment.",
        )
    return str(found["experiment_id"] if isinstance(found, Mapping) else found.experiment_id)


def dataset(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an input of a run, see `CurrentRun.log_input`, as a data set of MLflow's."""
    return {
        "name": str(entry["name"])[:500],
        "digest": str(entry["sha256"])[:36],
        "source_type": "local",
        "source": json.dumps({"uri": entry["path"]}),
        "profile": json.dumps({"size": entry["size"], "sha256": entry["sha256"]}),
        "tags": {"mlflow.data.context": str(entry["name"])[:500]},
    }


def copy_into(folder: str, path: str, name: str) -> None:
    """Copy a file into a folder of artifacts.

    Raises:
        TrackerError: if it cannot be written.
        OSError: if the file cannot be read.
    """
    target = os.path.join(folder, name)
    with open(path, "rb") as source:
        try:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as file:
                shutil.copyfileobj(source, file)
        except OSError as error:
            raise Refused(
                f"The artifact {name} cannot be written to {folder}: {error.strerror}",
                hint="Is that folder on the server's machine? Then start it with --artifacts-destination, "
                "so that artifacts go through it.",
            ) from None


def _readable(sock: socket.socket) -> bool:
    """Whether there is something to read where nothing was asked: the other side has closed."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([sock], [], [], 0)[0])


def _json_number(value: float) -> float | str:
    if value != value:  # noqa: PLR0124  NaN alone differs from itself
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Return params or tags as the interface takes them."""
    return [{"key": key, "value": value} for key, value in values.items()]


def _found(run: Mapping[str, Any]) -> Found:
    info, data = run["info"], run.get("data", {})

    def read(kind: str) -> dict[str, Any]:
        return {entry["key"]: entry.get("value", "") for entry in data.get(kind, ())}

    return Found(
        info["run_id"],
        info["experiment_id"],
        info["status"],
        info.get("artifact_uri", ""),
        read("tags"),
        read("params"),
        read("metrics"),
    )

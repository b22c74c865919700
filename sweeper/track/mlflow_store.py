"""Where MLflow keeps its runs: the address, and what speaks to it."""

from __future__ import annotations

import os
from typing import Any

from .mlflow_rest import Rest, without_password


def store_uri(asked: str | None, folder: str) -> str | None:
    """Return the store's address; None is what the package takes by itself."""
    uri = asked or os.environ.get("MLFLOW_TRACKING_URI") or None
    if uri is not None and uri.startswith("sqlite:///") and not uri.startswith("sqlite:////"):
        path = uri.removeprefix("sqlite:///")
        return f"sqlite:///{os.path.join(folder or os.getcwd(), path)}"
    return uri


def shown_uri(uri: str | None) -> str:
    """Return an address without the password that may stand in it."""
    return without_password(uri or "its default store")


def make_client(uri: str | None, timeout: float) -> Any:
    """Return what speaks to a store: our own client to an http server, MLflow's package to any other."""
    own = uri is not None and uri.partition("://")[0].lower() in ("http", "https")
    if own and not (os.environ.get("MLFLOW_TRACKING_AUTH") or os.environ.get("MLFLOW_TRACKING_AWS_SIGV4")):
        return Rest(str(uri), timeout)
    from .mlflow_package import Package

    return Package(uri, timeout)

"""Runs on a Ray cluster: one that is there, or one started for the sweep.

    sweeper.launcher.address    `auto`, or host:port; null starts a cluster
    sweeper.launcher.cpus       CPUs of a run
    sweeper.launcher.gpus       GPUs of a run, which finds them in CUDA_VISIBLE_DEVICES; 0.5 is half of one

Each run is a task, which Ray gives a process where there is room; see `remote` for what that does.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from ..errors import SettingsError
from ..settings import LauncherSettings
from . import RunDiedError, RunLostError, thread_limits
from .remote import Engine, Remote, Reply, check_answers, connected, unable, work


class Ray(Remote):
    """See the module."""

    def connect(self) -> Engine:
        """Connect to the cluster that the settings name, or start one."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # A run without GPUs keeps the variables that say which there are, as Ray will do by itself.
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        try:
            import ray
        except ImportError:
            raise SettingsError(
                "The launcher 'ray' needs the package ray", hint="pip install 'sweeper[ray]'"
            ) from None
        if ray.is_initialized():  # in a notebook
            return _Engine(ray, self.settings, ours=False)
        address = self.settings.options.get("address")
        logging.getLogger("ray").setLevel(logging.CRITICAL)
        quiet: dict[str, Any] = {
            "logging_level": logging.CRITICAL, "log_to_driver": False, "configure_logging": False,
        }  # fmt: skip
        if address is None:
            jobs = self.settings.jobs or len(os.sched_getaffinity(0))
            with _environment(thread_limits(self.settings._replace(jobs=jobs))):  # that of its workers
                ray.init(
                    address="local", num_cpus=jobs * self.settings.options.get("cpus", 1),
                    include_dashboard=False, **quiet,
                )  # fmt: skip
        else:
            _check_address(str(address))
            connected("Ray", str(address), lambda: ray.init(address=str(address), **quiet))
        return _Engine(ray, self.settings, ours=True)


@contextmanager
def _environment(more: Mapping[str, str]) -> Iterator[None]:
    """Add to the environment for a while."""
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        for name in more:
            del os.environ[name]
        os.environ.update({name: before[name] for name in more if name in before})


def _check_address(address: str) -> None:
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        check_answers("Ray", address, host.strip("[]"), int(port))


class _Engine:
    """A connection to a cluster."""

    def __init__(self, ray: Any, settings: LauncherSettings, *, ours: bool) -> None:
        self.ray, self.ours = ray, ours
        cpus, gpus = settings.options.get("cpus", 1), settings.options.get("gpus", 0.0)
        there = ray.cluster_resources()
        rooms = [there.get(name, 0) // each for name, each in (("CPU", cpus), ("GPU", gpus)) if each]
        self.room = int(min(rooms))
        if not self.room and settings.jobs is None:
            self.close()
            raise SettingsError(
                f"The Ray cluster has no room for a run of {cpus} CPUs and {gpus:g} GPUs",
                hint=f"It has {there.get('CPU', 0):g} CPUs and {there.get('GPU', 0):g} GPUs.",
            )
        # Made again by the loop, if at all, as an attempt on record.
        self.task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(_work)

    def send(self, task: bytes) -> Future[Reply]:
        """Submit a task."""
        return self.task.remote(task).future()  # type: ignore[no-any-return]

    def explain(self, error: BaseException) -> Exception:
        """Return what an error of Ray's says of a run."""
        from ray import exceptions

        words = " ".join(str(error).split())
        if isinstance(error, exceptions.OutOfMemoryError):
            return RunDiedError(words)
        if isinstance(error, exceptions.RayTaskError):
            return unable("Ray", str(error).strip().splitlines()[-1])
        return RunLostError(f"the worker died: {words:.300}")

    def close(self) -> None:
        """Leave the cluster; one that was started ends."""
        if self.ours:
            self.ray.shutdown()


def _work(task: bytes) -> Reply:
    """Work on a task in a worker of Ray's, with the GPUs that it gives."""
    import ray

    gpus = ray.get_gpu_ids()
    return work(task, {"CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus))} if gpus else None)

"""Runs on the workers of a Dask cluster: one that is there, or one started for the sweep.

    sweeper.launcher.address    a scheduler's address or its scheduler file; null starts a cluster

Dask hands a task whose worker died to another one, by itself; it is the loop that makes a run again,
as a new attempt, so a worker begins no run that another has begun. See `remote` for the workers' side.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from concurrent.futures import Future
from typing import Any

from ..errors import RecordError, SettingsError
from ..settings import LauncherSettings
from . import RunLostError, die_with_parent, thread_limits
from .remote import CONNECT_TIMEOUT, Engine, Remote, Reply, check_answers, connected, no_cluster, unable

# A process of its own, which imports nothing of the user's, and ends with the launching one.
_BOOT = (
    "import sys; sys.path[:] = sys.argv[2:]; from sweeper.launch.dask import serve; serve(int(sys.argv[1]))"
)
_WHY = "python -c 'from distributed import LocalCluster; LocalCluster()'"
# An expression: a worker that cannot unpickle a function, for want of sweeper, goes down without a word.
_WORK = "__import__('sweeper.launch.remote', fromlist=['work']).work(task)"


class Dask(Remote):
    """See the module."""

    def connect(self) -> Engine:
        """Connect to the scheduler that the settings name, or start one."""
        try:
            import distributed
        except ImportError:
            raise SettingsError(
                "The launcher 'dask' needs the package distributed", hint="pip install 'sweeper[dask]'"
            ) from None
        # What it tells of connections comes back as an error, or does not matter.
        for name in ("distributed", "distributed.client"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        address = self.settings.options.get("address")
        cluster = None
        if address is None:
            cluster = start_cluster(self.settings)
            found = cluster.stdout.readline().strip() if cluster.stdout else ""
            if not found:
                raise SettingsError("No Dask cluster could be started", hint=f"See why: {_WHY}")
        else:
            found = _address_of(str(address), distributed)
        client = connected(
            "Dask",
            str(address or found),
            lambda: distributed.Client(found, set_as_default=False, name="sweeper"),
        )
        return _Engine(client, cluster, self.settings, found)


def start_cluster(settings: LauncherSettings) -> subprocess.Popen[str]:
    """Start a process that holds a cluster; it prints the scheduler's address."""
    jobs = settings.jobs or len(os.sched_getaffinity(0))
    return subprocess.Popen(  # noqa: S603  our own interpreter
        [sys.executable, "-c", _BOOT, str(jobs), *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env={**os.environ, **thread_limits(settings._replace(jobs=jobs))},
    )


def serve(jobs: int) -> None:
    """Hold a cluster of so many workers on this machine, until standard input ends."""
    die_with_parent()
    import dask
    from distributed import LocalCluster

    dask.config.set({"distributed.nanny.pre-spawn-environ": {}})  # threads are what the launcher says
    with LocalCluster(
        n_workers=jobs, threads_per_worker=1, memory_limit=0, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        print(cluster.scheduler_address, flush=True)  # noqa: T201  for the launching process
        sys.stdin.read()


def _address_of(text: str, distributed: Any) -> str:
    """Return the address that a text is, or that stands in the file which it names."""
    if os.path.exists(text):
        import json

        try:
            with open(text, encoding="utf-8") as file:
                text = json.load(file)["address"]
        except (OSError, ValueError, KeyError, TypeError):
            raise SettingsError(
                f"{text} is no scheduler file of Dask's", f"sweeper.launcher.address={text}"
            ) from None
    try:
        scheme, _ = distributed.comm.addressing.parse_address(text)
        if scheme in ("tcp", "tls"):
            check_answers("Dask", text, *distributed.comm.get_address_host_port(text))
    except ValueError as error:
        raise no_cluster("Dask", text, str(error)) from None
    return text


class _Engine:
    """A client of a scheduler."""

    def __init__(self, client: Any, cluster: Any, settings: LauncherSettings, address: str) -> None:
        self.client, self.cluster, self.address = client, cluster, address
        self.executor = client.get_executor(pure=False, retries=0)
        self.room = sum(client.nthreads().values())
        if not self.room and settings.jobs is None:
            self.close()
            raise SettingsError(
                f"The Dask cluster at {address} has no workers",
                hint=f"Start some, with dask worker {address}, or say how many runs it will take: --jobs 8.",
            )

    def send(self, task: bytes) -> Future[Reply]:
        """Submit a task, once the scheduler can be reached."""
        deadline = time.monotonic() + 4 * CONNECT_TIMEOUT
        while self.client.status != "running":
            if self.client.status != "connecting" or time.monotonic() > deadline:
                raise self._gone()
            time.sleep(0.1)
        return self.executor.submit(eval, _WORK, {"task": task})  # type: ignore[no-any-return]

    def explain(self, error: BaseException) -> Exception:
        """Return what an error of Dask's says of a run."""
        from concurrent.futures import CancelledError

        from distributed import KilledWorker

        if isinstance(error, KilledWorker):
            return RunLostError("the worker died")
        if isinstance(error, CancelledError):
            return RunLostError(f"the scheduler at {self.address} went away")
        return unable("Dask", f"{type(error).__name__}: {error}")

    def _gone(self) -> RecordError:
        return RecordError(
            f"The Dask scheduler at {self.address} went away",
            hint="When it is back, go on with --resume and the sweep's directory.",
        )

    def close(self) -> None:
        """Leave the scheduler, and end the cluster that was started."""
        self.client.close(timeout=CONNECT_TIMEOUT)
        if self.cluster is not None:
            self.cluster.stdin.close()
            try:
                self.cluster.wait(timeout=CONNECT_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.cluster.kill()
                self.cluster.wait()
            self.cluster.stdout.close()

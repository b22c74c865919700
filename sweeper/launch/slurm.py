"""Runs as jobs of Slurm: one job a run, on whatever nodes Slurm gives it.

    sbatch    takes a run, or an array of them; each is `python -m sweeper.job DIRECTORY`
    squeue    says, once in `poll` seconds and for all of them, which are still there
    scontrol  says how one ended that is not
    scancel   ends them

A run's directory is shared with the nodes, and nothing else is: its outcome is its record. Of what left
none Slurm tells the end, by `scontrol`; `sacct` would need an accounting database, and submitit, which
asks nobody else, never notices a killed job without one.

The jobs outlive the launching process. Before a run is submitted its name is written into its
`.sweeper/slurm.json`, and the job's id after; so a resumed sweep finds it again, and runs nothing twice.
"""

from __future__ import annotations

import json
import math
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from .. import yamls
from ..errors import SettingsError, SweeperError, UsageError
from ..grammar import show
from ..job import read_record, write_job
from ..records import CANCELLED, ENDED, FAILED, Job, Outcome, Program
from ..settings import LauncherSettings, seconds
from . import THREADS, RunDiedError, RunLostError, RunTimeoutError, death, thread_limits
from .forkserver import QUIETLY

JOBS = 16  # runs in the queue at once, where nothing is said
_LOOK = 0.1  # seconds between looks at the records
_LOOK_EACH = 0.002  # and at least so many a run
_LAG = 5.0  # seconds that a record may take through a shared file system
_SUBMIT_WITHIN = 600.0  # seconds for which runs are submitted again, where Slurm takes none
_AGAIN = 5.0  # seconds between two such attempts
_KILL_AFTER = 2  # seconds between the polite signal and the last one, for a run out of time
_QUEUED_LONG = 10.0  # seconds in the queue after which it is said what for
_ASKS = 30  # of Slurm for a job by its name, one a second
_GONE = 20.0  # seconds for the queue to be rid of what was ended

# How a job can have ended; any other state goes on, or may again.
_LOST = ("NODE_FAIL", "BOOT_FAIL", "LAUNCH_FAILED", "PREEMPTED", "RECONFIG_FAIL", "REVOKED")
_OUT_OF_TIME = ("TIMEOUT", "DEADLINE")
_ABSENT = "ABSENT"  # our word for a task of an array that is known, when the task itself is not
_OVER = ("COMPLETED", "FAILED", "CANCELLED", "OUT_OF_MEMORY", _ABSENT, *_OUT_OF_TIME, *_LOST)
# Reasons to wait that need no word.
_USUAL = ("None", "Priority", "Resources", "JobArrayTaskLimit", "Dependency", "BeginTime", "Cleaning")


# A run leads a process group of its own, and what is left of that ends with it: not every cluster sees to
# it. SIGTERM is handed on to the group; it is the run's to end, and the shell's to wait.
_SUPERVISE = """\
group=$!
trap 'kill -TERM -- -$group' TERM
while :; do
    wait $group
    code=$?
    kill -0 $group 2>/dev/null || break
done
kill -KILL -- -$group 2>/dev/null
exit $code
"""


class Options(NamedTuple):
    """What `sweeper.launcher` says for Slurm alone, in the words of sbatch.

    Args:
        partition: as sbatch has it.
        account: as sbatch has it.
        qos: as sbatch has it.
        time: limit of the job, as sbatch has it, quoted: '1:30:00'.
        cpus: of a run.
        gpus: of a run, as sbatch has it.
        nodes: as sbatch has it.
        constraint: as sbatch has it.
        setup: lines of shell before the run, such as module load: a text or a list.
        extra: other options of sbatch: {exclude: node7}.
        poll: seconds between two looks at the queue.
        wait: whether to wait for the jobs; if false they are submitted, and `--resume` collects them.
    """

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    time: str | None = None
    cpus: int | None = None
    gpus: str | int | None = None
    nodes: str | int | None = None
    constraint: str | None = None
    setup: str | list[Any] | None = None
    extra: Mapping[str, Any] | None = None
    poll: float = 1.0
    wait: bool = True


def options_from(given: Mapping[str, Any]) -> Options:
    """Return the options that the settings give.

    Raises:
        SettingsError: for a value that sbatch could not mean.
    """
    found = Options(**given)
    for name in ("partition", "account", "qos", "constraint", "gpus", "nodes"):
        value = getattr(found, name)
        if isinstance(value, (bool, float, list, dict)):
            raise SettingsError(f"sweeper.launcher.{name} is a text or a number, not {show(value)}")
    if found.time is not None and not isinstance(found.time, str):
        raise SettingsError(
            f"sweeper.launcher.time is a text, as sbatch --time takes it, not {show(found.time)}",
            hint="Quote it: '1:30:00', or '90' for minutes; YAML reads a bare 1:30:00 as 5400.",
        )
    if found.cpus is not None and (type(found.cpus) is not int or found.cpus < 1):
        raise SettingsError(
            f"sweeper.launcher.cpus must be a whole number above zero, not {show(found.cpus)}"
        )
    if not isinstance(found.setup, (str, list, type(None))):
        raise SettingsError(f"sweeper.launcher.setup is lines of shell, not {show(found.setup)}")
    if not isinstance(found.extra or {}, Mapping):
        raise SettingsError(
            f"sweeper.launcher.extra maps options of sbatch to values, such as {{exclude: node7}}, "
            f"and is {show(found.extra)}"
        )
    if type(found.wait) is not bool:
        raise SettingsError(f"sweeper.launcher.wait must be true or false, not {show(found.wait)}")
    poll = seconds(found.poll, "sweeper.launcher.poll")
    return found._replace(poll=max(_LOOK, poll))


class Slurm:
    """See the module."""

    def __init__(self, settings: LauncherSettings) -> None:
        self.settings, self.options = settings, options_from(settings.options)
        self.slots = settings.jobs or min([JOBS, *map(len, settings.resources.values())])
        self.leaves = not self.options.wait
        missing = [name for name in ("sbatch", "squeue", "scontrol", "scancel") if not shutil.which(name)]
        if missing:
            raise UsageError(
                f"The launcher slurm needs {', '.join(missing)}, and there is no such command here",
                hint="Start the sweep on a machine from which you submit jobs to Slurm.",
            )
        if self.leaves and settings.resources:
            raise SettingsError(
                "sweeper.launcher.resources cannot be handed out to runs that nothing waits for",
                hint="Leave out sweeper.launcher.wait=false.",
            )

    def open(self, program: Program) -> SlurmExecutor:
        """Return an executor that submits what it is given."""
        return SlurmExecutor(program, self.settings, self.options, self.slots)


@dataclass(slots=True)
class _Submitted:
    """A run that Slurm has."""

    job: Job
    id: str
    future: Future[Outcome]
    since: float
    read: tuple[int, int] | None = None  # the file of its record that was read last
    over: float | None = None  # since when Slurm says that it has ended


class SlurmExecutor:
    """Submits runs, and watches over them in a thread of its own."""

    def __init__(self, program: Program, settings: LauncherSettings, options: Options, slots: int) -> None:
        self.program, self.settings, self.options, self.slots = program, settings, options, slots
        self.note = ""
        self.unsent: set[Future[Outcome]] = set()
        self.live: dict[Future[Outcome], _Submitted] = {}
        self.lingering: set[str] = set()  # jobs whose outcome is known, but that Slurm may still have
        self.closing = threading.Event()
        self.poll = options.poll
        self.begun = False
        # One at a time, and in a thread that Ctrl-C does not reach: a job's id must not be lost.
        self.sender = ThreadPoolExecutor(1, "sweeper-sbatch")
        self.watcher = threading.Thread(target=self._watch, name="sweeper-slurm", daemon=True)
        self.watcher.start()

    # ---- what the loop asks for

    def submit(self, run: Callable[[Job], Outcome], job: Job, /) -> Future[Outcome]:
        """Submit a run; what Slurm says of the first one is the user's to mend."""
        future: Future[Outcome] = Future()
        future.set_running_or_notify_cancel()
        write_job(job)
        self.unsent.add(future)
        sending = self.sender.submit(self._send, job, future, patient=self.begun)
        if not self.begun:
            sending.result()
            self.begun = True
        return future

    def adopt(self, job: Job) -> Future[Outcome] | None:
        """Take over a run that an earlier process submitted; None if it never came to that."""
        try:
            with open(f"{job.records}/slurm.json", encoding="utf-8") as file:
                known = json.load(file)
        except (OSError, ValueError):
            return None
        found = known["job"] or _find_at_last(known["name"], known["index"])
        if found is None:
            return None
        future: Future[Outcome] = Future()
        future.set_running_or_notify_cancel()
        self.begun = True
        self.live[future] = _Submitted(job, found, future, time.monotonic())
        return future

    def leave(self, jobs: Sequence[Job]) -> str:
        """Submit runs as arrays, for a later process to collect; return what was submitted, in words."""
        size = _largest_array()
        arrays: list[str] = []
        for start in range(0, len(jobs), size):
            part = jobs[start : start + size]
            name = f"{part[0].name}/{part[0].sweep_id}/{start}"
            for index, job in enumerate(part):
                write_job(job)
                _note(job, name, index, None)
            more = [f"--array=0-{len(part) - 1}%{self.slots}"]
            if arrays:  # so that no more run at once than were asked for
                more.append(f"--dependency=afterany:{arrays[-1]}")
            arrays.append(self.sender.submit(self._sbatch, name, part, more).result())
            for index, job in enumerate(part):
                _note(job, name, index, f"{arrays[-1]}_{index}")
        return f"Slurm's job array{'s' * (len(arrays) > 1)} {', '.join(arrays)}"

    def stop(self, grace: float) -> None:
        """Ask the runs to end, and end them after `grace` seconds; those that nothing waits for go on."""
        if not self.options.wait:
            return
        self.closing.set()
        self.sender.shutdown(wait=True, cancel_futures=True)  # what is being submitted has its id then
        while self.unsent:
            self.unsent.pop().set_exception(RunDiedError("the run was not submitted"))
        self.poll = _LOOK
        ours = list(self.live.values())
        ids = [one.id for one in ours]
        if ids:
            _call("scancel", "--state=PENDING", *ids)
            _call("scancel", "--signal=TERM", "--batch", *ids)
            deadline = time.monotonic() + grace
            while time.monotonic() < deadline and not all(future.done() for future in list(self.live)):
                time.sleep(0.02)
        self._end(ids)
        for one in ours:  # so that a resumed sweep takes none for cancelled by somebody else
            with suppress(OSError):
                os.unlink(f"{one.job.records}/slurm.json")

    def shutdown(self) -> None:
        """Let go of what has ended; end what has not, where somebody was to wait for it."""
        self.closing.set()
        self.sender.shutdown(wait=True, cancel_futures=True)
        if self.options.wait:
            deadline = time.monotonic() + self.settings.grace  # a process ends soon after its run
            while self.lingering and not self.live and time.monotonic() < deadline:
                time.sleep(0.05)
                queue = _queue()
                self.lingering &= queue.keys() if queue is not None else self.lingering
            self._end([*self.lingering, *(one.id for one in self.live.values())])
        self.poll = math.inf
        self.live.clear()

    def _end(self, ids: Iterable[str]) -> None:
        """End jobs at once, and wait until Slurm is rid of them."""
        left, deadline = set(ids), time.monotonic() + _GONE
        if not left:
            return
        _call("scancel", "--signal=KILL", *left)  # by itself scancel waits for Slurm's KillWait
        _call("scancel", *left)
        while left and time.monotonic() < deadline:
            queue = _queue()
            left &= queue.keys() if queue is not None else left
            time.sleep(0.05 if left else 0)

    # ---- submitting

    def _send(self, job: Job, future: Future[Outcome], *, patient: bool) -> None:
        """Submit a run; where `patient`, one that cannot be submitted has died, and the sweep goes on."""
        self.unsent.discard(future)
        try:
            self._hand_over(job, future, patient=patient)
        except Exception as error:
            if not patient:
                raise
            future.set_exception(RunDiedError(f"the run was not submitted: {error}"))

    def _hand_over(self, job: Job, future: Future[Outcome], *, patient: bool) -> None:
        """Submit a run, again and again where `patient`: a controller is restarted now and then."""
        name = f"{job.name}/{job.id}" + (f".{job.attempt - 1}" if job.attempt > 1 else "")
        _note(job, name, None, None)
        deadline = time.monotonic() + _SUBMIT_WITHIN
        while True:
            try:
                found = self._sbatch(name, [job], [])
                break
            except SweeperError as error:
                if not patient or self.closing.wait(_AGAIN) or time.monotonic() > deadline:
                    raise
                self.note = f"Slurm takes no runs at present ({error.what}); they are submitted again"
                with suppress(LookupError):
                    known = _find(name, None)  # it may have been taken all the same
                    if known is not None:
                        found = known
                        break
        self.live[future] = _Submitted(job, found, future, time.monotonic())
        with suppress(OSError):  # a resumed sweep finds the job by its name
            _note(job, name, None, found)

    def _sbatch(self, name: str, jobs: Sequence[Job], more: Sequence[str]) -> str:
        """Submit a batch script for runs, and return the job's id.

        Raises:
            UsageError: with what sbatch says, if it does not take it.
        """
        words = [
            "sbatch", "--parsable", f"--job-name={name}", f"--chdir={self.program.folder or os.getcwd()}",
            "--output=/dev/null", "--export=ALL", "--no-requeue" if self.options.wait else "--requeue",
            *self._options(), *more,
        ]  # fmt: skip
        # What Slurm told of a job that this process may itself be in is not the runs'.
        kept = {k: v for k, v in os.environ.items() if not k.startswith("SLURM_") or k == "SLURM_CONF"}
        usual = str(self.options.cpus or 1)
        limits = {name: usual for name in THREADS if name not in os.environ}
        if self.settings.threads:
            limits = thread_limits(self.settings)
        done = _run(words, self._script(jobs), {**kept, **limits})
        if done.returncode != 0:
            said = [line.removeprefix("sbatch: ") for line in done.stderr.strip().splitlines()]
            raise UsageError(
                "Slurm does not take the run" if len(jobs) == 1 else "Slurm does not take the runs",
                "\n".join(f"    {line}" for line in said) or f"    exit code {done.returncode}",
                f"It was asked with: {' '.join(map(shlex.quote, words))}",
            )
        return done.stdout.strip().partition(";")[0]

    def _options(self) -> Iterator[str]:
        """Yield the options of sbatch that the settings stand for."""
        options, limit, memory = self.options, self.settings.run_timeout, self.settings.memory
        minutes = None if limit is None else math.ceil(limit / 60) or 1
        asked: dict[str, Any] = {
            "partition": options.partition,
            "account": options.account,
            "qos": options.qos,
            "time": minutes if options.time is None else options.time,
            "cpus-per-task": options.cpus,
            "gpus": options.gpus,
            "nodes": options.nodes,
            "constraint": options.constraint,
            "mem": f"{math.ceil(memory / 2**20)}M" if isinstance(memory, int) else None,
            **{str(key).lstrip("-").replace("_", "-"): value for key, value in (options.extra or {}).items()},
        }
        for key, value in asked.items():
            if value is True:
                yield f"--{key}"
            elif value is not None and value is not False:
                yield f"--{key}={','.join(map(str, value)) if isinstance(value, list) else value}"

    def _script(self, jobs: Sequence[Job]) -> str:
        """Return the batch script that makes runs: the one, or that of an array's task."""
        setup = self.options.setup or []
        timeout = []
        if self.settings.run_timeout is not None:  # to the second, and whoever waits
            timeout = ["timeout", f"--kill-after={_KILL_AFTER}", f"{self.settings.run_timeout or 0.001:g}"]
        python = " ".join(map(shlex.quote, [*timeout, sys.executable, *QUIETLY, "-m", "sweeper.job"]))
        lines = [
            "#!/bin/bash",
            "runs=(",
            *(shlex.quote(job.directory) for job in jobs),
            ")",
            "run=${runs[${SLURM_ARRAY_TASK_ID:-0}]}",
            'exec >>"$run/.sweeper/slurm.out" 2>&1 </dev/null',
            "set -m",
            *([setup] if isinstance(setup, str) else map(str, setup)),
        ]
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        if root != sysconfig.get_path("purelib"):
            lines.append(f"export PYTHONPATH={shlex.quote(root)}${{PYTHONPATH:+:$PYTHONPATH}}")
        return "\n".join([*lines, f'{python} "$run" &', _SUPERVISE])

    # ---- watching

    def _watch(self) -> None:
        """See to what has ended: by its record, which is there first, or else by what Slurm says."""
        asked = time.monotonic()
        while self.poll < math.inf:
            time.sleep(max(_LOOK, _LOOK_EACH * len(self.live)) if self.live else 0.02)
            for one in list(self.live.values()):
                with self._alone(one):
                    self._look(one)
            if self.live and time.monotonic() - asked >= self.poll:
                self._ask()
                asked = time.monotonic()

    @contextmanager
    def _alone(self, one: _Submitted) -> Iterator[None]:
        """Let a run whose end cannot be told end alone: the others wait for the same thread."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  whatever lies in its directory
            words = f"what came of it cannot be read: {type(error).__name__}: {error}"
            self._settle(one, RunDiedError(words))

    def _look(self, one: _Submitted) -> bool:
        """Whether a run's record says that it has ended; then its future has the outcome."""
        try:
            file = os.stat(f"{one.job.records}/run.yaml")
        except OSError:
            return False
        if (file.st_mtime_ns, file.st_ino) == one.read:
            return False
        one.read = (file.st_mtime_ns, file.st_ino)
        found = read_record(one.job.directory)
        if found is None or found.status not in ENDED:
            return False
        if found.status == CANCELLED:  # by a signal that was not ours
            self._settle(one, _cancelled(one.id, "by SIGINT"))
            return True
        if found.status == FAILED:
            found = found._replace(cause="error")
        if one.over is None:
            self.lingering.add(one.id)
        self._settle(one, found)
        return True

    def _ask(self) -> None:
        """Ask Slurm which jobs it still has, and what became of the others."""
        queue = _queue()
        if queue is None:  # the controller does not answer: nothing is known
            return
        self.lingering &= queue.keys()
        for one in list(self.live.values()):
            state, reason = queue.get(one.id, ("", ""))
            if not state:
                facts = _facts(one.id)
                if facts is not None:
                    with self._alone(one):
                        self._judge(one, facts)
            elif state == "PENDING" and reason not in _USUAL and time.monotonic() - one.since > _QUEUED_LONG:
                self.note = f"Slurm keeps run {one.job.number} waiting, as job {one.id}: {reason}"

    def _judge(self, one: _Submitted, facts: Mapping[str, str]) -> None:
        """Settle a run whose job Slurm no longer has in its queue."""
        state = facts.get("JobState", "")
        if facts and state not in _OVER:
            return
        one.over = one.over or time.monotonic()
        if self._look(one):
            return
        if state == _ABSENT:  # long over and forgotten, or else cancelled before it began
            facts = {} if one.read else {"JobState": "CANCELLED"}
        if state in ("COMPLETED", "FAILED") and _exit_code(facts) in (0, 1):
            if time.monotonic() - one.over < _LAG:
                return  # its record is on the way
            words = f"{death(_exit_code(facts))}, and without a record: {_tail(one.job) or 'see the log'}"
            self._settle(one, RunDiedError(words))
        else:
            self._settle(one, end_of(one.id, facts, self.settings.run_timeout))

    def _settle(self, one: _Submitted, came: Outcome | RunDiedError) -> None:
        self.live.pop(one.future, None)
        if one.future.done():
            return
        if isinstance(came, RunDiedError):
            one.future.set_exception(came)
        else:
            one.future.set_result(came)


# ----------------------------------------------------------------------------------- what Slurm says


def end_of(job: str, facts: Mapping[str, str], limit: float | None) -> RunDiedError:
    """Return what became of a run that left no outcome, by what `scontrol` knows of its job.

    >>> end_of("7", {"JobState": "NODE_FAIL", "NodeList": "n1"}, None)
    RunLostError('Slurm job 7 ended as NODE_FAIL on n1')
    """
    if not facts:
        return RunLostError(f"Slurm no longer knows job {job}, and the run left no outcome")
    state, reason = facts["JobState"], facts.get("Reason", "None")
    code = _exit_code(facts)
    if state in _OUT_OF_TIME:
        return RunTimeoutError(None, f"the run took longer than {facts['TimeLimit']} (Slurm's limit)")
    late = limit is not None and _elapsed(facts) >= limit  # and so it was `timeout` that killed it
    if state == "FAILED" and limit is not None and (code == 124 or (code == -9 and late)):
        return RunTimeoutError(limit)
    where = "" if facts.get("NodeList", "(null)") == "(null)" else f" on {facts['NodeList']}"
    why = "" if reason in ("None", "NonZeroExitCode", "JobLaunchFailure") else f" ({reason})"
    if state in _LOST:
        return RunLostError(f"Slurm job {job} ended as {state}{where}{why}")
    if state == "CANCELLED":
        return _cancelled(job, reason if why else "by somebody else")
    if state == "OUT_OF_MEMORY":
        return RunDiedError(f"Slurm ended the run: it was out of memory{where}; see sweeper.launcher.memory")
    return RunDiedError(f"{death(code)}{where}{why}")


def _cancelled(job: str, how: str) -> RunDiedError:
    error = RunDiedError(f"Slurm job {job} was cancelled, {how}")
    error.cause = "cancelled"  # which no retry is meant for
    return error


def _exit_code(facts: Mapping[str, str]) -> int:
    """Return how a job ended; negative codes are signals, whether Slurm saw them or the shell did."""
    code, _, number = facts.get("ExitCode", "0:0").partition(":")
    found = -int(number) if int(number or 0) else int(code)
    return 128 - found if 128 < found <= 128 + 64 else found


def _elapsed(facts: Mapping[str, str]) -> float:
    """Return the seconds that a job took, of Slurm's [days-]hours:minutes:seconds."""
    days, _, clock = facts.get("RunTime", "0").rpartition("-")
    total = 0.0
    for part in clock.split(":"):
        total = total * 60 + float(part)
    return float(days or 0) * 86400 + total


def _queue() -> dict[str, tuple[str, str]] | None:
    """Return state and reason of each of our jobs in the queue, by id; None if Slurm does not answer."""
    lines = _lines("--states=PENDING,RUNNING,COMPLETING,CONFIGURING,SUSPENDED")
    return None if lines is None else {id_: (state, reason) for id_, state, reason, _ in lines}


def _find(name: str, index: int | None) -> str | None:
    """Return the id of a job, or of a task of an array, that has a name; None if there is none.

    Raises:
        LookupError: if Slurm does not answer.
    """
    lines = _lines("--states=all")
    if lines is None:
        raise LookupError
    found = [id_ for id_, _, _, known in lines if known == name]
    if index is not None:
        found = [id_ for id_ in found if id_.endswith(f"_{index}")]
    return found[-1] if found else None


def _find_at_last(name: str, index: int | None) -> str | None:
    """Return what `_find` does, once Slurm answers.

    Raises:
        UsageError: if it does not.
    """
    for _ in range(_ASKS):
        with suppress(LookupError):
            return _find(name, index)
        time.sleep(1.0)
    raise UsageError("Slurm does not say which runs it has", hint="Resume the sweep when squeue answers.")


def _lines(states: str) -> list[list[str]] | None:
    """Return what squeue says of this user's jobs: id, state, reason and name, the oldest first."""
    done = _call(
        "squeue", "--noheader", "--array", "--sort=i", f"--user={os.geteuid()}", states,
        "--format=%i|%T|%r|%j",
    )  # fmt: skip
    if done.returncode != 0:
        return None
    return [line.split("|", 3) for line in done.stdout.splitlines() if line.count("|") >= 3]


def _facts(job: str) -> dict[str, str] | None:
    """Return what scontrol knows of a job: nothing if it has forgotten it, None if it does not answer."""
    done = _call("scontrol", "show", "job", "--oneliner", job)
    if done.returncode != 0:
        said = done.stderr + done.stdout
        return {"JobState": _ABSENT} if " not found" in said else {} if "Invalid job id" in said else None
    lines = done.stdout.splitlines()
    return dict(word.split("=", 1) for word in lines[0].split() if "=" in word) if lines else None


def _largest_array() -> int:
    """Return how many tasks an array may have on this cluster."""
    for line in _call("scontrol", "show", "config").stdout.splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "MaxArraySize" and value.strip().isdigit():
            return max(1, int(value) - 1)
    return 1000


def _call(*words: str) -> subprocess.CompletedProcess[str]:
    return _run(words)


def _run(
    words: Sequence[str], text: str = "", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of Slurm's, in a session of its own: Ctrl-C is not for it."""
    try:
        return subprocess.run(  # noqa: S603  found by name, as the user's shell would
            words, input=text, env=env, capture_output=True, encoding="utf-8", errors="replace",
            start_new_session=True, timeout=120, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(words, 1, "", f"{words[0]}: {error}")


def _note(job: Job, name: str, index: int | None, found: str | None) -> None:
    """Write down under which name, and then which id, Slurm has a run."""
    content = {"job": found, "name": name, "index": index}
    yamls.write_text(f"{job.records}/slurm.json", json.dumps(content) + "\n")


def _tail(job: Job) -> str:
    """Return the last line of what a job printed before its run began."""
    with suppress(OSError), open(f"{job.records}/slurm.out", encoding="utf-8", errors="replace") as file:
        lines = [line.strip() for line in file.readlines()[-20:]]
        return next((line for line in reversed(lines) if line), "")
    return ""

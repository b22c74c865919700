"""A storm over a sweep: do all its points come to one good end, whatever is killed, and when?

A sweep of short runs, real programs in real processes, some of which start processes of their own. Its
runs are hit by signals of every kind, now and then its fork server too; its launching process is killed
at random moments, and the sweep resumed. In the end each point must have completed exactly once, every
record must be readable, and no process may be left.

    python tests/chaos.py --seconds 900 --out chaos.json
    python tests/chaos.py --seed 3 --launcher joblib --search tpe --seconds 1     # one storm
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import itertools
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from textwrap import dedent

import yaml

import sweeper

TRAIN = """
    import random, subprocess, time
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        luck = random.Random(cfg.x)
        if luck.random() < 0.2:
            subprocess.Popen(["sleep", "600"])
        for step in range(luck.randrange(3)):
            sweeper.report({"loss": cfg.x - step}, step=step)
            time.sleep(luck.random() * cfg.pause)
        return (cfg.x - 3) ** 2

    if __name__ == "__main__":
        train()
"""
SIGNALS = [
    signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT, signal.SIGINT, signal.SIGQUIT,
    signal.SIGHUP, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGUSR1, signal.SIGALRM,
]  # fmt: skip
LAUNCHERS = {"local": 0.04, "joblib": 0.25}  # and the seconds between hits: a pooled worker starts slowly
SEARCHES = {"grid": "x=range(0,{runs})", "random": "x=interval(0,10)", "tpe": "x=interval(0,10)"}


class Process:
    """A process, by its number, as /proc shows it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        folder = Path("/proc", str(pid))
        self.cwd = os.readlink(folder / "cwd")
        self.line = (folder / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        self.state, self.parent = fields[0], int(fields[1])


def processes(folder: Path) -> list[Process]:
    """Return the processes whose folder is this one: the launching process, and all that come of it."""
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):  # not a process, or no more one
            process = Process(int(name))
            if process.cwd == str(folder) and process.state != "Z":
                found.append(process)
    return found


class Storm:
    """One sweep, and what befalls it."""

    def __init__(self, folder: Path, launcher: str, search: str, runs: int, kills: int, seed: int) -> None:
        self.folder, self.launcher, self.search = folder.resolve(), launcher, search
        self.runs, self.kills, self.random = runs, kills, Random(seed)
        self.journal = self.folder / "here/sweep.jsonl"
        self.output = (self.folder / "output.txt").open("w")
        self.struck: Counter[str] = Counter()
        self.faults: list[str] = []
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        (self.folder / "conf").mkdir()
        (self.folder / "conf/config.yaml").write_text("x: 0.0\npause: 0.03\n")
        (self.folder / "train.py").write_text(dedent(TRAIN))

    def pass_over(self) -> Storm:
        """Kill and resume until the sweep is through, then look at what is left."""
        for kill in range(self.kills):
            process = self.start()
            self.strike(process, enough=self.runs * kill // self.kills)
            process.kill()
            process.wait()
            self.struck["launching process"] += 1
            if self.random.random() < 0.5:  # else the next one starts while this one's runs still end
                self.expect_no_process()
        process = self.start()
        self.strike(process)
        if process.wait():
            self.faults.append(f"exit code {process.returncode}")
        self.output.close()
        if "sweeper/sweeps.py" in (self.folder / "output.txt").read_text():
            self.faults.append("a traceback of ours in output.txt")
        self.expect_no_process()
        self.look()
        return self

    def start(self) -> subprocess.Popen[str]:
        """Start the sweep, or go on with it."""
        words = ["--resume", "here"]
        if not (self.journal.exists() and self.journal.read_text().strip()):
            space = SEARCHES[self.search].format(runs=self.runs)
            words = [
                "--search", self.search, space, "--trials", str(self.runs), "--jobs", "3",
                f"sweeper/launcher={self.launcher}", "sweeper.launcher.retries=1000",
                "sweeper.launcher.max_failures=null", "sweeper.sweep.dir=here",
                "sweeper.search.seed=1",
            ]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(Path(sweeper.__file__).parents[1])}
        return subprocess.Popen(
            [sys.executable, "train.py", *words], cwd=self.folder, env=environment, text=True,
            stdin=subprocess.DEVNULL, stdout=self.output, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def strike(self, process: subprocess.Popen[str], enough: int | None = None) -> None:
        """Hit runs until so many have ended, and a moment longer; without a number, to the end."""
        moment = None
        while process.poll() is None:
            if moment is None and enough is not None and self.ended() >= enough:
                moment = time.monotonic() + self.random.random() * 0.6
            if moment is not None and time.monotonic() >= moment:
                break
            time.sleep(self.random.expovariate(1 / LAUNCHERS[self.launcher]))
            self.hit(process.pid)

    def hit(self, launching: int) -> None:
        """Send a signal to one of the runs, or, seldom, the last one to the fork server; never to a guard.

        The fork server's guard is the first of its children.
        """
        found = processes(self.folder)
        servers = [p for p in found if p.parent == launching and "launch.forkserver" in p.line]
        parents = {p.pid for p in servers}
        runs = [
            p
            for p in found
            if p.parent in parents and p.pid != min(q.pid for q in found if q.parent == p.parent)
        ]
        runs += [p for p in found if p.parent == launching and "popen_loky_posix" in p.line]
        number = self.random.choice(SIGNALS)
        victims, name = runs, number.name
        if servers and self.random.random() < 0.02:
            victims, number, name = servers, signal.SIGKILL, "fork server"
        if victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.random.choice(victims).pid, number)
                self.struck[name] += 1
            if victims is servers:  # what runs have started ends by the launching process, if it has a moment
                time.sleep(0.3)

    def ended(self) -> int:
        """Return how many runs have completed."""
        with contextlib.suppress(OSError):
            return self.journal.read_text().count('"status": "COMPLETED"')
        return 0

    def expect(self, what: str, *, holds: bool) -> None:
        """Take note of what does not hold."""
        if not holds:
            self.faults.append(what)

    def expect_no_process(self) -> None:
        """Give processes a moment to end."""
        for _ in range(60):
            if not processes(self.folder):
                return
            time.sleep(0.05)
        self.faults += [f"left: {p.pid} of {p.parent}: {p.line[:200]}" for p in processes(self.folder)]
        for p in processes(self.folder):
            os.kill(p.pid, signal.SIGKILL)

    def look(self) -> None:
        """Read every record."""
        events = []
        for line in self.journal.read_text().splitlines():
            try:
                events.append(json.loads(line))
            except ValueError:
                self.faults.append(f"a line of sweep.jsonl: {line[:200]!r}")
        ends = [e for e in events if e["event"] == "end" and not e.get("again")]
        numbers = list(range(self.runs))
        once = sorted(e["number"] for e in ends) == numbers
        self.expect("each run has one end", holds=once)
        self.expect("all completed", holds={e["status"] for e in ends} == {"COMPLETED"})
        asked = [e["number"] for e in events if e["event"] == "ask"]
        self.expect("each run is asked for once", holds=asked == numbers)
        done: set[int] = set()
        for e in events:
            if e["event"] == "start" and e["number"] in done:
                self.faults.append(f"run {e['number']} started again after it had completed")
            if e["event"] == "end" and e["status"] == "COMPLETED":
                done.add(e["number"])
        places = [e["directory"] for e in events if e["event"] == "start"]
        self.expect("no two attempts share a directory", holds=len(places) == len(set(places)))
        self.look_at_runs({e["number"]: e["attempt"] for e in ends}, events)
        with (self.folder / "here/results.csv").open() as file:
            rows = list(csv.DictReader(file))
        whole = [int(row["number"]) for row in rows if row["status"] == "COMPLETED" and row["score"]]
        self.expect("results.csv has a row a run", holds=whole == numbers)
        with contextlib.closing(sqlite3.connect(self.folder / "sweeper.db")) as db:
            self.expect(
                "sweeper.db is whole", holds=db.execute("pragma integrity_check").fetchone()[0] == "ok"
            )
            found = db.execute("select number, status from runs order by number").fetchall()
            self.expect("sweeper.db has a row a run", holds=found == [(n, "COMPLETED") for n in numbers])
            found = db.execute("select status from sweeps").fetchall()
            self.expect("sweeper.db has one sweep", holds=found == [("COMPLETED",)])

    def look_at_runs(self, ends: dict[int, int], events: list[dict]) -> None:
        """Read the records of the runs, of all attempts."""
        for event in (e for e in events if e["event"] == "start"):
            records = self.folder / "here" / event["directory"] / ".sweeper"
            good = ends.get(event["number"]) == event["attempt"]
            record = None
            for name in ("run", "config", "overrides"):
                file = records / f"{name}.yaml"
                self.expect(f"{file} is missing", holds=file.exists() or not good)
                if file.exists():
                    content = yaml.safe_load(file.read_text())
                    record = content if name == "run" else record
            if good:
                self.expect(
                    f"{records}: COMPLETED", holds=record is not None and record["status"] == "COMPLETED"
                )
            reports = records / "metrics.jsonl"
            for line in reports.read_text().splitlines() if reports.exists() else ():
                json.loads(line)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=900, help="no new storm begins after these")
    parser.add_argument("--seed", type=int, default=0, help="of the first storm; each next one has the next")
    parser.add_argument("--launcher", choices=LAUNCHERS, nargs="*", default=list(LAUNCHERS))
    parser.add_argument("--search", choices=SEARCHES, nargs="*", default=list(SEARCHES))
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--kills", type=int, default=20, help="of the launching process")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    began, storms, struck = time.monotonic(), [], Counter()
    kinds = itertools.cycle(itertools.product(args.search, args.launcher))
    for seed, (search, launcher) in enumerate(kinds, args.seed):
        folder = Path(tempfile.mkdtemp(prefix="chaos-"))
        start = time.monotonic()
        storm = Storm(folder, launcher, search, args.runs, args.kills, seed).pass_over()
        seconds = round(time.monotonic() - start, 1)
        print(f"seed {seed}  {launcher:6}  {search:6}  {seconds:5} s  {sum(storm.struck.values())} signals  "
              f"{storm.faults or 'well'}", flush=True)  # fmt: skip
        struck += storm.struck
        storms.append({"seed": seed, "launcher": launcher, "search": search, "seconds": seconds,
                       "runs": args.runs, "struck": dict(storm.struck), "faults": storm.faults})  # fmt: skip
        if not storm.faults:
            shutil.rmtree(folder)
        if time.monotonic() - began > args.seconds:
            break
    print(f"{len(storms)} storms, {args.runs * len(storms)} runs, {dict(struck)}")
    if args.out is not None:
        args.out.write_text(json.dumps(storms, indent=1) + "\n")
    return any(storm["faults"] for storm in storms)


if __name__ == "__main__":
    sys.exit(main())

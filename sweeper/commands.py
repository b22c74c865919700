"""The `sweeper` command: what one does with sweeps and runs that have been made.

SWEEP is a sweep's directory or the beginning of its id; RUN is SWEEP/number, or the id or directory of
a run; last is the newest. All but the directories themselves is read from sweeper.db.
"""

from __future__ import annotations

import argparse
import io
import os
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from . import __version__
from .errors import RecordError, SweeperError, UsageError
from .ledger import Ledger, Row, is_filter
from .provenance import DECISIVE
from .records import COMPLETED, RUNNING, Objective
from .standings import Standings
from .tables import json_text, table
from .view import command_line, duration, show_param

_WITHOUT_JSON = ("watch", "rerun", "resume", "export", "rm")  # which have nothing to tell a program
_LAST = 100  # rows of a list, unless another number is asked for


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says, and return the exit code."""
    asked = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # what a terminal cannot show is escaped
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return int(asked.do(asked) or 0)
    except SweeperError as error:
        text = str(error).replace("\n", "\n  ")
        print(f"error: {text}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read our output has seen enough
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  the process ends here
        return 0
    except (sqlite3.Error, OSError) as error:
        print(f"error: {_words(error, asked.db)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _words(error: sqlite3.Error | OSError, db: str) -> str:
    """Return what went wrong with a file, or with the database."""
    if isinstance(error, OSError):
        about = f"{error.filename}: " if error.filename is not None else ""
        return f"{about}{error.strerror or error}"
    if "locked" in str(error):
        return f"{db} is locked: another process writes to it\n  Try again, or find out what keeps it."
    return f"{db} cannot be used: {error}\n  Name another database with --db PATH."


def _parser() -> argparse.ArgumentParser:
    common = _of_database("sweeper.db")
    speaking = argparse.ArgumentParser(add_help=False)
    speaking.add_argument("--json", action="store_true", help="print JSON")
    kind = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="sweeper", description=__doc__, formatter_class=kind, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"sweeper {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, do: Callable[[Any], int | None], text: str) -> argparse.ArgumentParser:
        parents = [common] if name in _WITHOUT_JSON else [common, speaking]
        made = commands.add_parser(
            name, help=text, description=f"{text[0].upper()}{text[1:]}.", parents=parents, allow_abbrev=False
        )
        made.set_defaults(do=do, **({"json": False} if name in _WITHOUT_JSON else {}))
        return made

    ls = command("ls", _ls, "list sweeps and single runs, or the runs of a sweep, or those that pass filters")
    ls.add_argument(
        "what", nargs="*", metavar="SWEEP|FILTER",
        help="filters: status=FAILED, params.lr<0.1, metrics.loss>=2, tags.mine=yes, name~rid (contains)",
    )  # fmt: skip
    ls.add_argument("--sort", metavar="KEY", default="", help="by score, metrics.NAME, params.NAME, …")
    ls.add_argument("--reverse", action="store_true", help="the other way round")
    ls.add_argument(
        "--last", metavar="N", type=int, help=f"the last N of them; {_LAST} by default, 0 for all"
    )
    show = command("show", _show, "show what is known of a run or a sweep")
    show.add_argument("name", nargs="?", default="last", metavar="RUN|SWEEP")
    best = command("best", _best, "show the best runs of a sweep")
    best.add_argument("sweep", nargs="?", default="last", metavar="SWEEP")
    best.add_argument("-n", type=_count, default=5, help="how many; 5 by default")
    best.add_argument("--metric", metavar="NAME", help="another metric than the score")
    ways = best.add_mutually_exclusive_group()
    ways.add_argument(
        "--maximize", dest="way", action="store_const", const="maximize", help="the highest is best"
    )
    ways.add_argument(
        "--minimize", dest="way", action="store_const", const="minimize", help="the lowest is best"
    )
    watch = command("watch", _watch, "show a sweep while it runs elsewhere")
    watch.add_argument("sweep", nargs="?", default="last", metavar="SWEEP")
    watch.add_argument("--quiet", "-q", action="store_true", help="print nothing but the last line")
    compare = command("compare", _compare, "show in what runs differ; a sweep stands for its best run")
    compare.add_argument("names", nargs="+", metavar="RUN|SWEEP")
    compare.add_argument(
        "--baseline", metavar="TAG", help="the run with this tag, key or key=value, to compare with"
    )
    _report_words(command("report", _report, "write a page on sweeps: one HTML file that needs no network"))
    tag = command("tag", _tag, "set tags of a run")
    tag.add_argument("run", metavar="RUN")
    tag.add_argument("tags", nargs="+", metavar="KEY=VALUE", help="KEY= takes it away")
    rerun = command(
        "rerun", _rerun, "make a run again from its own record, and say whether the score is the same"
    )
    rerun.add_argument("run", metavar="RUN")
    resume = command("resume", _resume, "go on with a sweep, or collect one that was left to its engine")
    resume.add_argument("sweep", metavar="SWEEP")
    resume.add_argument(
        "settings", nargs=argparse.REMAINDER, metavar="...",
        help="what may stand beside --resume: --retry-failed, --trials N, --jobs N, sweeper.launcher…",
    )  # fmt: skip
    _add_tools(command)
    rm = command("rm", _rm, "remove runs and sweeps, their directories too")
    rm.add_argument("names", nargs="+", metavar="RUN|SWEEP")
    rm.add_argument("--keep-files", action="store_true", help="leave the directories")
    rm.add_argument("--yes", "-y", action="store_true", help="do not ask")
    return parser


def _of_database(default: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sweeper", add_help=False, allow_abbrev=False)
    parser.add_argument("--db", metavar="PATH", default=default, help="the database; ./sweeper.db by default")
    return parser


def _count(text: str) -> int:
    """Return a whole number from one on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from one on")
    return int(text)


def _add_tools(command: Callable[[str, Callable[[Any], int | None], str], argparse.ArgumentParser]) -> None:
    """Add the commands that have to do with other tools."""
    export = command("export", _export, "write a sweep for other tools")
    export.add_argument("sweep", metavar="SWEEP")
    export.add_argument("--to", choices=list(_EXPORTS), required=True, help="the tool, or the format")
    export.add_argument("--out", metavar="FILE", help="the file; standard output, or SWEEP/optuna.db")
    export.add_argument("--uri", help="of MLflow; the sweep's own, or MLFLOW_TRACKING_URI, by default")
    export.add_argument("--image", help="for Katib: the image that has the program; IMAGE if not said")
    promote = command("promote", _promote, "register the model of a run, or of a sweep's best, at MLflow")
    promote.add_argument("name", metavar="RUN|SWEEP")
    promote.add_argument("--model", metavar="NAME", required=True, help="the registered model")
    promote.add_argument(
        "--alias", default="champion", help="what stands for the version from then on; champion by default"
    )
    promote.add_argument("--artifact", metavar="NAME", help="which model, where the run has several")
    promote.add_argument("--force", action="store_true", help="replace one that is better, or not comparable")
    promote.add_argument("--uri", help="of MLflow; the sweep's own, or MLFLOW_TRACKING_URI, by default")
    doctor = command("doctor", _doctor, "find out whether a tracker's server works, and what slows it down")
    doctor.add_argument("tracker", choices=["mlflow"])
    doctor.add_argument("--uri", help="of MLflow; MLFLOW_TRACKING_URI by default")
    doctor.add_argument("--experiment", default="Default", help="where a run is tried; Default by default")
    imported = command(
        "import", _import,
        "read a csv of experiments kept by hand, or a sweep's directory again; "
        "or make a config of a sweep.yaml of Weights & Biases",
    )  # fmt: skip
    imported.add_argument("path", metavar="FILE|DIR")
    imported.add_argument("--name", help="the name of the experiment; the file's without it")
    imported.add_argument("--maximize", action="store_true", help="the highest score of a csv is best")
    imported.add_argument("--out", metavar="FILE", help="the config; standard output without it")


def _report_words(report: argparse.ArgumentParser) -> None:
    report.add_argument(
        "sweeps", nargs="*", metavar="SWEEP", help="the newest by default; several are compared"
    )
    report.add_argument("--out", metavar="FILE", help="SWEEP/report.html by default")
    report.add_argument(
        "--watch", action="store_true", help="write it anew while the sweep runs; the page reloads itself"
    )


def _json(value: Any) -> None:
    print(json_text(value))


# ---------------------------------------------------------------------------------------- to look at


def _ls(asked: Any) -> None:
    ledger = Ledger(asked.db)
    filters = [word for word in asked.what if is_filter(word)]
    names = [word for word in asked.what if word not in filters]
    if len(names) > 1:
        raise UsageError(f"ls takes one sweep, and got {', '.join(names)}")
    last = _LAST if asked.last is None else min(asked.last, sys.maxsize - 1) or None
    if asked.last is not None and asked.last < 0:
        raise UsageError(f"--last takes a whole number from zero on, not {asked.last}")
    more = None if last is None else last + 1  # one more than is shown tells that there are more
    if not (names or filters or asked.sort or asked.reverse):
        rows = [_now(ledger, row) for row in ledger.sweeps(more)]
        shown = [_sweep_row(row) for row in rows]
    else:
        sweep = ledger.find_sweep(names[0])["id"] if names else None
        known = _killed(ledger) if any("status" in word for word in (*filters, asked.sort)) else {}
        rows = ledger.runs(
            filters, sweep=sweep, sort=asked.sort, last=more, reverse=asked.reverse, known=known
        )
        rows = [_now(ledger, row) for row in rows]
        shown = [_run_row(row, within=sweep is not None, extra=asked.sort) for row in rows]
    cut = last is not None and len(rows) > last
    rows, shown = rows[cut:], shown[cut:]
    if asked.json:
        _json(rows)
        return
    if cut and asked.last is None:
        print(f"the last {last}; --last N shows more, --last 0 all", file=sys.stderr)
    if rows:
        print(table(shown))
    else:
        print("there is none" if names or filters else "there are no runs yet", file=sys.stderr)


def _now(ledger: Ledger, row: Row) -> Row:
    """Return the row of a sweep or a run as it is by now, whoever was killed before it could say so."""
    if row["status"] != RUNNING:
        return row
    from .archive import run_now, sweep_now  # which takes as long as all the rest

    if row.get("search"):
        left = ledger.rows("select 1 from sweeps where id = ? and ended is not null", [row["id"]])
        return row if left else sweep_now(row)  # what was left to its engine goes on without a process
    sweep = row.get("sweep", row.get("sweep_id"))
    found = ledger.rows("select directory from sweeps where id = ?", [sweep])
    return run_now(row, found[0]["directory"] if found else None)


def _killed(ledger: Ledger) -> dict[str, str]:
    """Return the statuses by now of runs that could not say so themselves, by id."""
    running = ledger.rows("select id, sweep_id, status, directory from runs where status = ?", [RUNNING])
    now = {row["id"]: _now(ledger, row)["status"] for row in running}
    return {run: status for run, status in now.items() if status != RUNNING}


def _sweep_row(row: Row) -> Row:
    return {
        "id": row["id"], "name": row["name"], "search": row["search"] or "-", "status": row["status"],
        "runs": row["runs"], "failed": row["failed"] or None, "best": row["best"],
        "started": _time(row["started"]), "note": row["note"], "overrides": row["overrides"],
    }  # fmt: skip


def _run_row(row: Row, *, within: bool, extra: str = "") -> Row:
    seconds = row["seconds"]
    shown = {
        **({"number": row["number"]} if within else {"run": row["id"], "name": row["name"]}),
        "status": row["status"],
        "score": row["score"],
        "time": duration(seconds) if seconds is not None else None,
        **{_apart(key): value for key, value in row["params"].items()},
        **{f"#{key}": value for key, value in row["tags"].items()},
    }
    metric = extra.removeprefix("metrics.")
    if metric in row["metrics"]:
        shown[f"metrics.{metric}"] = row["metrics"][metric]
    return shown


def _apart(key: str) -> str:
    """Return a param's column: its key, unless a column of the run itself has that name."""
    return f"params.{key}" if key in ("number", "run", "name", "status", "score", "time") else key


def _time(text: str | None) -> str | None:
    return text[:19].replace("T", " ") if text else None


def _show(asked: Any) -> None:
    ledger = Ledger(asked.db)
    sweep = ledger.sweep_or_none(asked.name)
    if sweep is not None:
        asked_of = "select id, sweep_id, status, directory from runs where sweep_id = ?"
        counts = Counter(_now(ledger, run)["status"] for run in ledger.rows(asked_of, [sweep["id"]]))
        facts = {**_now(ledger, sweep), "runs": dict(sorted(counts.items()))}
    else:
        run = _now(ledger, ledger.find_run(asked.name))
        facts = {**run, **ledger.details(run["id"])}
    if asked.json:
        _json(facts)
        return
    facts["versions"] = {k: v for k, v in facts.get("versions", {}).items() if k in DECISIVE}
    for key, value in facts.items():
        for at, line in enumerate(_lines(value)):
            print(f"{'' if at else key:<13}{line}".rstrip())


def _lines(value: Any) -> list[str]:
    """Return the lines that show a fact; none for what is empty."""
    if value in (None, "", {}, []):
        return []
    if isinstance(value, dict):
        width = max(map(len, value))
        return [f"{name:<{width}}  {show_param(each)}" for name, each in value.items()]
    if isinstance(value, list):
        return [show_param(each) for each in value]
    return show_param(value).rstrip().split("\n")


def _best(asked: Any) -> None:
    ledger = Ledger(asked.db)
    sweep = ledger.find_sweep(asked.sweep)
    objective = Objective.parse(sweep["objective"] or "")
    own = next((each for each in objective.each() if each.name == asked.metric), objective)
    way = asked.way or own.directions[0]
    key = f"metrics.{asked.metric}" if asked.metric else "score"
    if asked.metric is None and objective.several:
        raise UsageError(
            f"The sweep has several objectives: {objective.describe()}",
            hint="Name one with --metric; the sweep's own summary names those that no other run beats.",
        )
    found = _ranked(ledger, sweep, asked.metric, maximize=way == "maximize")[: asked.n]
    if not found:
        raise RecordError(f"No run of the sweep {sweep['id']} has a {asked.metric or 'score'}")
    if asked.json:
        _json(found)
        return
    name = asked.metric or objective.describe().partition(" ")[2]
    print(f"{way} {name}, sweep {sweep['id']}")
    print(table([{"rank": at + 1, **_run_row(row, within=True, extra=key)} for at, row in enumerate(found)]))
    texts = ledger.details(found[0]["id"])["overrides"]
    words = _words_of(sweep)
    if words:
        print(f"repeat the best  {command_line([*words, *texts])}")


def _words_of(sweep: Row) -> list[str]:
    """Return the words that start the program of a sweep; none if its directory is gone."""
    from .journal import read_sweep
    from .page.facts import program_words

    try:
        record = read_sweep(sweep["directory"])
    except RecordError:
        return []
    return program_words(sweep["command"] or "", record["program"])


def _ranked(ledger: Ledger, sweep: Row, metric: str | None, *, maximize: bool) -> list[Row]:
    """Return the first run of each point, the best first, with the mean of the point's runs."""
    standings = Standings[Row](maximize=maximize, repeats=sweep["repeats"])
    for row in ledger.runs([f"status={COMPLETED}"], sweep=sweep["id"]):
        standings.add(row["number"], row["metrics"].get(metric) if metric else row["score"], row)
    return [
        {**each.first, "value": each.score, **({} if metric else {"score": each.score}), "of": len(each.runs)}
        for each in standings.ranked()
    ]


def _watch(asked: Any) -> int:
    from .watch import watch

    ledger = Ledger(asked.db)
    return watch(ledger, ledger.find_sweep(asked.sweep), quiet=asked.quiet)


def _compare(asked: Any) -> None:
    from .comparison import compare

    ledger = Ledger(asked.db)
    runs = [_stands_for(ledger, name) for name in asked.names]
    baseline = ledger.tagged(asked.baseline) if asked.baseline else None
    if len(runs) + (baseline is not None) < 2:
        raise UsageError("compare takes two runs or more, or one and --baseline TAG")
    rows = compare(ledger, runs, baseline)
    if asked.json:
        _json(rows)
    else:
        print(table(rows, width=0))


def _stands_for(ledger: Ledger, name: str) -> Row:
    sweep = ledger.sweep_or_none(name)
    if sweep is None:
        return ledger.find_run(name)
    best = ledger.standings(sweep).best
    if best is None:
        raise RecordError(f"No run of the sweep {sweep['id']} has a score", hint="Name a run of it.")
    return ledger.find_run(best.first["id"])


def _report(asked: Any) -> None:
    from .page import watch_page, write_page
    from .page.facts import read_directory, read_facts

    names = list(dict.fromkeys(asked.sweeps)) or ["last"]
    ledger = Ledger(asked.db) if os.path.exists(asked.db) else None
    rows = [_sweep_in(ledger, name) for name in names]
    places = [
        str(row["directory"]) if row else find_directory(name, asked.db)
        for name, row in zip(names, rows, strict=True)
    ]
    alone = len(names) == 1 and os.path.isdir(places[0])
    path = os.path.abspath(asked.out or os.path.join(places[0] if alone else "", "report.html"))
    if not asked.watch:
        sweeps = [
            read_facts(ledger, row) if ledger and row else read_directory(place)
            for row, place in zip(rows, places, strict=True)
        ]
        write_page(sweeps, path)
    elif ledger is None or None in rows:
        raise RecordError(
            f"{asked.db} knows nothing of {names[rows.index(None)]}",
            hint="--watch reads sweeper.db as it is written; name it with --db PATH.",
        )
    else:
        print(f"writing {path} while the sweep runs; open it in a browser", file=sys.stderr)
        watch_page(ledger, [row["id"] for row in rows if row], path)
    if asked.json:
        _json({"page": path})
    else:
        print(path)


def _sweep_in(ledger: Ledger | None, name: str) -> Row | None:
    """Return the row of a sweep, or None if only its directory is known.

    Raises:
        RecordError: if neither is.
    """
    if ledger is not None:
        with suppress(RecordError):
            return ledger.find_sweep(name)
        if not os.path.exists(os.path.join(name, "sweep.jsonl")):
            return ledger.find_sweep(name)
    return None


# ---------------------------------------------------------------------------------------- to change


def _tag(asked: Any) -> None:
    ledger = Ledger(asked.db)
    run = ledger.find_run(asked.run)
    tags: dict[str, str | None] = {}
    for word in asked.tags:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise UsageError(f"{word!r} is no tag", hint="Write KEY=VALUE; KEY= takes it away.")
        tags[key] = value or None
    ledger.tag(run["id"], tags)
    if asked.json:
        _json(ledger.details(run["id"])["tags"])


def _rm(asked: Any) -> int:
    from .removal import remove

    ledger = Ledger(asked.db)
    runs: list[Row] = []
    sweeps: list[Row] = []
    for name in asked.names:
        sweep = ledger.sweep_or_none(name)
        if sweep is None:
            runs.append(ledger.find_run(name))
        else:
            sweeps.append(sweep)
            runs += ledger.rows("select * from runs where sweep_id = ?", [sweep["id"]])
    remove(ledger, runs, sweeps, keep_files=asked.keep_files, sure=asked.yes)
    return 0


def _rerun(asked: Any) -> int:
    from .rerun import start_again

    if os.path.exists(os.path.join(asked.run, ".sweeper", "run.yaml")):
        return start_again(asked.run)
    return start_again(Ledger(asked.db).find_run(asked.run)["directory"])


def _resume(asked: Any) -> int:
    from .rerun import resume

    own, settings = _of_database(asked.db).parse_known_args(asked.settings)  # the rest is the program's
    return resume(find_directory(asked.sweep, own.db), settings)


# ----------------------------------------------------------------------------------- to other tools


def _export(asked: Any) -> None:
    _EXPORTS[asked.to](asked)


def _export_table(asked: Any) -> None:
    from .export import export_csv, export_json

    ledger = Ledger(asked.db)
    rows = ledger.runs(sweep=ledger.find_sweep(asked.sweep)["id"], sort="number")
    rows = [_now(ledger, row) for row in rows]
    text = export_csv(rows) if asked.to == "csv" else export_json(rows)
    _write(text, asked.out)


def _write(text: str, path: str | None) -> None:
    if path is None:
        sys.stdout.write(text)
        return
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _export_optuna(asked: Any) -> None:
    from .export import export_optuna

    directory = find_directory(asked.sweep, asked.db)
    path = os.path.abspath(asked.out or os.path.join(directory, "optuna.db"))
    url = export_optuna(directory, path)
    print(f"{url}\nlook at it with  optuna-dashboard {url}")


def _export_mlflow(asked: Any) -> None:
    from .export import export_mlflow

    single = os.path.exists(os.path.join(asked.sweep, ".sweeper", "origin.yaml"))
    directory = asked.sweep if single else find_directory(asked.sweep, asked.db)
    print(export_mlflow(directory, asked.uri))


def _export_katib(asked: Any) -> None:
    from . import yamls
    from .katib import IMAGE
    from .rerun import exported

    text = exported(find_directory(asked.sweep, asked.db), "katib")
    if asked.image is not None:
        text = text.replace(f"image: {IMAGE}\n", yamls.dump({"image": asked.image}))
    _write(text, asked.out)


_EXPORTS: dict[str, Callable[[Any], None]] = {
    "csv": _export_table,
    "json": _export_table,
    "katib": _export_katib,
    "mlflow": _export_mlflow,
    "optuna": _export_optuna,
}


def _promote(asked: Any) -> int:
    from .promotion import promote, words

    ledger = Ledger(asked.db)
    found = promote(
        ledger, _stands_for(ledger, asked.name), asked.model, asked.alias,
        uri=asked.uri, artifact=asked.artifact, force=asked.force,
    )  # fmt: skip
    if asked.json:
        _json(found._asdict())
    else:
        print("\n".join(words(found)))
    return int(not found.promoted)


def _doctor(asked: Any) -> int:
    from .track.mlflow_doctor import examine

    findings = list(examine(asked.uri, asked.experiment))
    if asked.json:
        _json([finding._asdict() for finding in findings])
    else:
        for finding in findings:
            print(f"{finding.verdict:<6}{finding.what}")
            if finding.cure:
                print(f"      {finding.cure}")
    return int(any(finding.verdict != "ok" for finding in findings))


def _import(asked: Any) -> int:
    if asked.path.endswith((".yaml", ".yml")):
        _import_wandb_sweep(asked)
        return 0
    if asked.out is not None:
        raise UsageError("--out is for the config that a sweep.yaml becomes; runs are read into --db")
    from .imports import import_csv, import_directories, said_of

    if os.path.isdir(asked.path):
        for flag, value in (("--name", asked.name), ("--maximize", asked.maximize)):
            if value:
                raise UsageError(f"{flag} is for a csv", hint=f"What is in {asked.path} says it itself.")
        read, known, damaged, moved = import_directories(asked.path, asked.db)
    else:
        read = import_csv(asked.path, asked.db, name=asked.name, maximize=asked.maximize)
        known, damaged, moved = 0, {}, ()
    if damaged:
        print(f"not read, as they are not whole:\n{said_of(damaged)}".replace("\n", "\n  "), file=sys.stderr)
    if asked.json:
        _json({"read": read, "known": known})
    else:
        more = f"; {known} {'was' if known == 1 else 'were'} there already" if known else ""
        print(f"{read} {'run' if read == 1 else 'runs'} read into {asked.db}{more}")
        for place in moved:
            print(f"moved to {place}, and found there from now on")
    return int(bool(damaged))


def _import_wandb_sweep(asked: Any) -> None:
    from .wandb_sweep import read_wandb_sweep

    if asked.maximize:
        raise UsageError("--maximize is for a csv", hint=f"{asked.path} says it: metric.goal")
    found = read_wandb_sweep(asked.path, asked.name)
    out = asked.out or ""
    if out and not out.endswith(".yaml"):
        raise UsageError("--out is a config, whose name ends in .yaml", hint="Such as --out conf/sweep.yaml")
    if os.path.exists(out):
        raise UsageError(f"{out} is there already", hint="Remove it, or name another with --out.")
    text = found.text(asked.path, out)
    if out:
        from .yamls import write_text

        os.makedirs(os.path.dirname(out) or ".", exist_ok=True)
        write_text(out, text)
    if asked.json:
        _json({"config": found.config, "command": found.command(out), "notes": found.notes})
        return
    if not out:
        sys.stdout.write(text)
    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)
    if out:
        print(f"{out} is written; run it with  {found.command(out)}")


def find_directory(name: str, db: str) -> str:
    """Return a sweep's directory.

    Raises:
        RecordError: if there is none of the name.
    """
    if os.path.exists(os.path.join(name, "sweep.jsonl")):
        return os.path.realpath(name)
    if name == "last" and not os.path.exists(db):
        return find_directory(os.path.join("multirun", "latest"), db)
    if os.sep in name or not os.path.exists(db):
        raise RecordError(f"There is no sweep in {name}", hint="Give a sweep's directory, as it was printed.")
    directory = str(Ledger(db).find_sweep(name)["directory"])
    if not os.path.exists(os.path.join(directory, "sweep.jsonl")):
        raise RecordError(f"The directory of the sweep is gone: {directory}")
    return directory

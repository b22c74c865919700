"""`@sweeper.main`: a training function becomes a program.

The only module that reads the command line and ends the process.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any

from omegaconf import DictConfig, OmegaConf

from . import entry, nodes, trees
from . import job as jobs
from .cli import Command, parse_command
from .composition import is_legacy, main_source, parse_all, refuse_sweeps, search_path
from .errors import RecordError, SettingsError, SweeperError, UsageError, nearest
from .grammar import Choice, Override, show
from .groups import SearchPath, Source, Table, source
from .plan import OWN, Plan, directory_of, make_plan, shipped
from .records import FunctionRef, Program
from .typed import plain

UNSET = ""  # of version_base: none was given


def main(
    config_path: str | None = None,
    config_name: str | None = None,
    version_base: str | None = UNSET,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a program of a training function.

    Args:
        config_path: the folder with the configs, relative to the function's file; absolute, or
            `pkg://package`.
        config_name: the config to begin with, without `.yaml`.
        version_base: as Hydra's; "1.1" composes and changes folders as Hydra 1.1 did.

    The function gets the config, or keys of it by the names of its parameters. Called without
    arguments it reads the command line; called with some it is the function itself.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        own = entry.written(function)

        @functools.wraps(function)
        def program(*args: Any, **kwargs: Any) -> Any:
            if args or kwargs:
                return function(*args, **kwargs)
            if entry.importing:
                raise entry.EndOfImport
            if own.__module__ == "__mp_main__":  # a process that a run started by spawn imports us
                return None
            value = _Start(function, config_path, config_name, version_base).run()
            return None if _is_console_script(function) else value

        program.__sweeper_main__ = (config_path, config_name, version_base)  # type: ignore[attr-defined]
        return program

    return decorate


class _Start:
    """One start of a program."""

    def __init__(
        self,
        function: Callable[..., Any],
        config_path: str | None,
        config_name: str | None,
        version_base: str | None,
    ) -> None:
        self.function = function
        self.config_path, self.config_name = config_path, config_name
        self.version_base = version_base
        self.schema = jobs.schema_of(function)[1]

    def run(self) -> Any:
        """Read the command line and do what it says."""
        try:
            _refuse_foreign_line()
            joined = os.environ.get("SWEEPER_RUN_DIR")
            if joined and _is_run_of(os.environ.get("SWEEPER_RUN_MAIN", ""), ref_to(self.function)):
                return _join(self.function, joined)
            came = self._obey(parse_command(sys.argv[1:]))
        except SweeperError as error:
            _refuse(error)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)  # noqa: T201
            sys.exit(130)
        except BrokenPipeError:  # whoever read our output has seen enough
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115  the process ends here
            sys.exit(0)
        if not isinstance(came, jobs.Result):
            return came
        if came.exception is not None:
            if isinstance(came.exception, SweeperError) and not _reached(self.function, came.exception):
                _refuse(came.exception)
            _hide_own_frames()
            raise came.exception.with_traceback(jobs.own_frames(came.exception.__traceback__))
        return came.value

    def _obey(self, command: Command) -> Any:
        if "--version" in command:
            from . import __version__

            print(f"sweeper {__version__}")  # noqa: T201
            return None
        if "--shell-completion" in command:
            from .completion import answer

            print(answer(command.values["--shell-completion"], os.path.basename(sys.argv[0])))  # noqa: T201
            return None
        search, name = self.search_path(command), self.primary(command)
        if "--resume" in command:
            for flag in ("--help", "--cfg", "--info", "--explain", "--dry-run"):
                if flag in command:
                    raise UsageError(f"{flag} does not go with --resume")
            return self._resume(command, search)
        if "--rerun" in command:
            return self._rerun(command)
        overrides = parse_all(command.overrides)
        shows = command.values.keys() & {"--cfg", "--help", "--hydra-help", "--info", "--explain"}
        sweeping = command.multirun or any(override.sweeps for override in overrides)
        plan = make_plan(search, name, overrides, sweeping=sweeping, schema=self.schema)
        if not command.multirun and "--run" not in command and _mode(plan) == "MULTIRUN":
            command.multirun = True
            plan = make_plan(search, name, plan.overrides, sweeping=True, schema=self.schema)
        if not command.multirun and not shows:
            refuse_sweeps(overrides)
        program = program_of(self.function, command)
        if shows:
            from . import resolve
            from .show import show_config

            with resolve.facts(_preview(plan, program)), _showing():
                show_config(command, plan, program)
            return None
        for override in overrides:
            _resolve_typed(plan, program, override)
        with _launchers_logging(plan, program):
            if command.multirun or "--dry-run" in command:
                return self._sweep(plan, program, command)
            return self._single(plan, program)

    # ---- where the configs are

    def search_path(self, command: Command) -> SearchPath:
        """Return the search path that the decorator and the flags name."""
        more: list[Source] = []
        if "--config-dir" in command:
            folder = os.path.abspath(command.values["--config-dir"])
            if not os.path.isdir(folder):
                raise UsageError(f"--config-dir: there is no folder {folder}")
            more.append(source(folder, "command-line"))
        path = command.values.get("--config-path", self.config_path)
        main = None if path is None else main_source(self._absolute(path))
        found = search_path(main, *more, shipped())
        found.legacy = is_legacy(self.version_base)
        return found

    def _absolute(self, path: str) -> str:
        if path.endswith((".yaml", ".yml")) and "://" not in path:
            folder, name = os.path.split(path)
            raise UsageError(
                f"config_path={path!r} is a file; it must be a folder",
                hint=f"Write config_path={folder or '.'!r}, config_name={os.path.splitext(name)[0]!r}",
            )
        if "://" in path or os.path.isabs(path):
            return path
        code = getattr(entry.written(self.function), "__code__", None)
        file = code.co_filename if code is not None else ""
        return os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(file)), path))

    def primary(self, command: Command) -> str | None:
        """Return the name of the config to begin with."""
        name = command.values.get("--config-name", self.config_name)
        return name.removesuffix(".yaml") if name else None

    # ---- a single run

    def _single(self, plan: Plan, program: Program) -> Any:
        from .single import run_single

        if _rank():
            from . import resolve

            with resolve.facts_of_run(_preview(plan, program)):
                return call_directly(self.function, plan.base.config())
        jobs.bind(self.function, plan.base.config())  # so that a mistake shows before the run
        return run_single(plan, program, chdir=self._chdir(plan))

    def _rerun(self, command: Command) -> Any:
        from . import rerun
        from .single import run_single

        if command.overrides or len(command.values) > 1:
            raise UsageError("--rerun goes with no override and no other flag: the run's record says all")
        record = rerun.read_run(command.values["--rerun"])
        self._check_made_by_this(record.origin["program"], f"The run in {record.directory}", "--rerun")
        for words in rerun.differences(record):
            print(f"warning: {words}", file=sys.stderr)  # noqa: T201
        path = search_path(Table({"config": dict(record.config)}, record.directory), shipped())
        plan = make_plan(path, "config", (), sweeping=False, schema=self.schema)
        plan = plan._replace(overrides=parse_all(record.overrides))
        program = program_of(self.function, command)
        with _launchers_logging(plan, program):
            came = run_single(
                plan, program, chdir=self._chdir(plan), seed=record.seed, tags={"rerun_of": record.id}
            )
        if came.exception is None:
            same, words = rerun.verdict(record, came.outcome)
            print(words)  # noqa: T201
            if not same:
                sys.exit(1)
        return came

    def _check_made_by_this(self, made: Mapping[str, Any], what: str, flag: str) -> None:
        own = ref_to(self.function)
        if (made["main"], made["module"], made["function"]) != (own.main, own.module, own.name):
            raise RecordError(
                f"{what} was made by another program",
                f"    {made['main'] or made['module']}",
                f"Begin it so: {made['interpreter']} {made['main']} {flag} DIR",
            )

    def _chdir(self, plan: Plan) -> bool:
        asked = plan.settings.job.chdir
        if asked is not None:
            return asked
        hydra = plan.base.hydra
        node = hydra.get("job")
        if isinstance(node, Mapping) and isinstance(node.get("chdir"), bool):
            return bool(node["chdir"])
        return self.version_base in ("1.0", "1.1") or (self.version_base == UNSET and bool(hydra))

    # ---- a sweep

    def _sweep(self, plan: Plan, program: Program, command: Command) -> Any:
        from . import sweeps

        if "--export" in command:
            return _export(plan, program)
        if _rank() is not None and os.environ["WORLD_SIZE"] != "1":
            raise UsageError(
                f"This is one of {os.environ['WORLD_SIZE']} processes of one run (RANK and WORLD_SIZE are "
                "set), and each would make the sweep",
                hint="Start the sweep without torchrun, and let each of its runs start its own processes.",
            )
        if "--dry-run" in command:
            with _showing():
                sweeps.dry_run(plan, program, print)
            return None
        return self._end(sweeps.run_sweep(self._with_chdir(plan), program, quiet="--quiet" in command))

    def _with_chdir(self, plan: Plan) -> Plan:
        settings = plan.settings
        return plan._replace(settings=settings._replace(job=settings.job._replace(chdir=self._chdir(plan))))

    def _end(self, result: Any) -> Any:
        if result.interrupted:
            sys.exit(130)
        if result.failed:
            print(f"error: {len(result.failed)} of {len(result.runs)} runs failed", file=sys.stderr)  # noqa: T201
            sys.exit(1)
        return result

    def _resume(self, command: Command, search: SearchPath) -> Any:
        from . import journal, sweeps

        directory = command.values["--resume"]
        record = journal.read_sweep(directory)
        made = record["program"]
        self._check_made_by_this(made, f"The sweep in {directory}", "--resume")
        later = parse_all(command.overrides)
        for override in later:
            if not override.name.startswith(("sweeper.", "sweeper/")):
                raise UsageError(
                    f"'{override.text}' would change a sweep that is resumed",
                    hint="Only settings of sweeper can be given, such as --trials and --jobs.",
                )
            if journal.changes_search(override):
                raise UsageError(
                    f"'{override.text}' would change the search of a sweep that is resumed",
                    hint=f"Only its budget can change: {', '.join(journal.BUDGETS)}.",
                )
        earlier = journal.find_earlier(directory, command.overrides, retry_failed="--retry-failed" in command)
        recorded = parse_command(made["flags"])
        search, name = self.search_path(recorded), record["config_name"]
        overrides = parse_all([*record["overrides"], *earlier.overrides])
        plan = make_plan(search, name, overrides, sweeping=True, schema=self.schema)
        for warning in journal.check_unchanged(plan, record):
            print(warning, file=sys.stderr)  # noqa: T201
        program = program_of(self.function, command)._replace(
            flags=tuple(made["flags"]), folder=made["folder"]
        )
        if "--export" in command:
            return _export(plan, program)
        with _launchers_logging(plan, program):
            quiet = "--quiet" in command
            return self._end(sweeps.run_sweep(self._with_chdir(plan), program, earlier=earlier, quiet=quiet))


# ----------------------------------------------------------------------------- how we were started


def main_of(function: Callable[..., Any]) -> str:
    """Return the script or module that runs as `__main__`, if a worker can and should import it."""
    module = sys.modules["__main__"]
    spec = getattr(module, "__spec__", None)
    file: str | None = getattr(module, "__file__", None)
    own = function.__module__ in ("__main__", "__mp_main__")
    if spec is not None and spec.name:
        return f"-m {spec.name}" if own else ""
    if file and (own or file.endswith(".py")) and os.path.isfile(file):
        return os.path.abspath(file)
    return ""


def ref_to(function: Callable[..., Any]) -> FunctionRef:
    """Return how another process finds a function; without a module if it cannot by name."""
    own = entry.written(function)
    main, module, name = main_of(own), own.__module__, own.__qualname__
    if module == "__main__":
        module = "__mp_main__"
        if not main:
            return FunctionRef("", name)
    return FunctionRef(module if _is_named(function) else "", name, main)


def _is_named(function: Callable[..., Any]) -> bool:
    """Whether a name in its module leads to a function: to none that is an object's, or made in place."""
    bound = getattr(function, "__self__", None)
    if bound is not None and not isinstance(bound, (type, ModuleType)):
        return False
    return "<" not in getattr(function, "__qualname__", "<>")


def program_of(function: Callable[..., Any], command: Command | None = None) -> Program:
    """Return how the program of a function was started."""
    module = sys.modules["__main__"]
    spec = getattr(module, "__spec__", None)
    argv0 = sys.argv[0] if sys.argv else ""
    if spec is not None and spec.name:
        name = spec.name.removesuffix(".__main__")
        words: tuple[str, ...] = ("python", "-m", name)
        name = name.rpartition(".")[2]
    else:
        name = os.path.splitext(os.path.basename(argv0))[0] or "app"
        words = ("python", argv0) if argv0.endswith(".py") else (os.path.basename(argv0) or "python",)
    flags = command.kept() if command is not None else ()
    return Program(
        function, ref_to(function), name, words, flags, tuple(sys.argv), tuple(sys.path), os.getcwd()
    )


def _refuse_foreign_line() -> None:
    """Refuse to read a command line that is pytest's or a notebook's."""
    module = sys.modules["__main__"]
    spec = getattr(module, "__spec__", None)
    script = os.path.basename(sys.argv[0]) if sys.argv else ""
    foreign = ""
    if script in ("pytest", "py.test") or (spec is not None and spec.name.split(".")[0] == "pytest"):
        foreign = "pytest"
    elif "ipykernel" in sys.modules and not getattr(module, "__file__", None):
        foreign = "a notebook"
    if foreign:
        raise UsageError(
            f"The command line here is not the program's own, but {foreign}'s",
            hint="Call sweeper.sweep(train, overrides=[…]), or train(cfg) with a config.",
        )


def _mode(plan: Plan) -> str:
    """Return what a tree says of Hydra's mode: RUN or MULTIRUN."""
    mode = str(plan.base.hydra.get("mode") or "RUN").upper()
    if mode not in ("RUN", "MULTIRUN"):
        raise SettingsError(
            f"hydra.mode must be RUN or MULTIRUN, not {mode}", hint=nearest(mode, ("MULTIRUN",))
        )
    return mode


def _is_console_script(function: Callable[..., Any]) -> bool:
    """Whether an installed command called us, which would take our value for an exit code."""
    module = sys.modules["__main__"]
    file = getattr(module, "__file__", None) or ""
    spec = getattr(module, "__spec__", None)
    ours = entry.written(function).__module__ == "__main__"
    return not ours and spec is None and bool(file) and not file.endswith(".py")


def _rank() -> int | None:
    """Return which of the processes of one run this is, where torchrun or its like started several.

    Only the first, 0, owns a directory and is recorded.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    if not all(os.environ.get(name, "").isdigit() for name in names):
        return None
    return int(os.environ["RANK"])


def _is_run_of(main: str, own: FunctionRef) -> bool:
    """Whether a run of the program `main` is one of ours."""
    if main.startswith("-m "):  # and we may be started anew by path, as sys.argv has it
        path = os.sep + main[3:].replace(".", os.sep)
        return own.main == main or own.main.endswith((f"{path}.py", os.path.join(path, "__main__.py")))
    return main == own.identity


def _join(function: Callable[..., Any], directory: str) -> Any:
    """Run inside of a run that another process owns, with its frozen config."""
    try:
        job = jobs.read_job(directory, joining=True)
    except OSError:
        raise RecordError(
            f"There is no run in {directory} to join",
            "SWEEPER_RUN_DIR in the environment names it",
            "Unset it to start a run of its own.",
        ) from None
    return jobs.join(job, function)


def call_directly(function: Callable[..., Any], config: DictConfig) -> Any:
    """Call a training function with a config, and leave no record."""
    from . import resolve

    resolve.register()
    args, kwargs = jobs.bind(function, config)
    return function(*args, **kwargs)


def _resolve_typed(plan: Plan, program: Program, override: Override) -> None:
    """Refuse an interpolation typed on the command line that cannot be resolved."""
    from . import resolve

    if "${" not in override.text or override.name.startswith(OWN) or override.sign == "~":
        return
    if isinstance(override.value, Choice):
        for value in override.value.values:
            _resolve_typed(plan, program, override.with_value(value))
        return
    tree = trees.copy(plan.base.tree)
    try:
        trees.put(tree, override.key, override.value, add=True)
    except (trees.Mismatch, trees.Unresolved):
        return
    config = nodes.build(tree)
    try:
        resolve.register()
        with resolve.facts(_preview(plan, program)):
            found = OmegaConf.select(config, override.key)
            if OmegaConf.is_config(found):
                OmegaConf.to_container(found, resolve=True)
    except Exception as error:  # noqa: BLE001  resolvers are anybody's code
        raise UsageError(
            f"Cannot resolve '{override.text}': {str(error).splitlines()[0]}",
            hint="Quote a text that is no interpolation with a backslash: \\${…}",
        ) from None


def _preview(plan: Plan, program: Program) -> dict[str, Any]:
    """Return facts of a run that does not exist yet, so that its interpolations can be tried."""
    from .runs import JobMaker, is_setting

    maker = JobMaker(plan, program, plan.settings.objective.checked(), "", "", None, time.time(), None)
    texts = [override.text for override in plan.overrides if not is_setting(override)]
    facts = maker.facts(maker.hydra_facts(plan.base, texts), number=0, id="", seed=0, dir="")
    try:
        directory = os.path.abspath(directory_of(plan.settings.run.dir, plan.base, facts))
    except SweeperError:  # it is said where a directory is needed
        directory = ""
    facts["hydra"]["mode"] = _mode(plan)
    facts["sweeper"]["run"]["dir"] = facts["hydra"]["runtime"]["output_dir"] = directory
    return facts


@contextmanager
def _launchers_logging(plan: Plan, program: Program) -> Iterator[None]:
    """Set the launching process's logging up, where the settings ask for it."""
    if plan.settings.logging is None:
        yield
        return
    from . import output, resolve

    known = _preview(plan, program)
    with resolve.facts(known):
        whole = {**plan.base.tree, "hydra": known["hydra"]}
        config = resolve.resolve(plan.settings.logging, whole, "the logging")
    with output.logged(config):
        yield


@contextmanager
def _showing() -> Iterator[None]:
    try:
        yield
    except UnicodeEncodeError as error:
        part = error.object[error.start : error.end]
        raise UsageError(f"A text in it cannot be shown: {error.encoding} has no {part!a}") from None


def _export(plan: Plan, program: Program) -> None:
    from .katib import manifest

    print(manifest(plan, program), end="")  # noqa: T201


def _reached(function: Callable[..., Any], error: BaseException) -> bool:
    """Whether an exception came out of a function, and not from what is made ready for it."""
    code, at = getattr(function, "__code__", None), error.__traceback__
    while at is not None:
        if code is None or at.tb_frame.f_code is code:
            return True
        at = at.tb_next
    return False


def _hide_own_frames() -> None:
    """Let a traceback of the function's own show the user's code alone."""
    show = sys.excepthook

    def shown(kind: type[BaseException], error: BaseException, frames: Any) -> None:
        users = [frame for frame in jobs.all_frames(frames) if frame.tb_frame.f_code.co_filename != __file__]
        for frame, below in zip(users, [*users[1:], None], strict=True):
            frame.tb_next = below
        show(kind, error, users[0] if users else frames)

    sys.excepthook = shown


def _refuse(error: SweeperError) -> None:
    text = str(error).replace("\n", "\n  ")
    print(f"error: {text}", file=sys.stderr)  # noqa: T201
    sys.exit(2)


# --------------------------------------------------------------------------------------- in Python


def sweep(  # noqa: PLR0913  named, all but the first
    function: Callable[..., Any],
    *,
    config: str | os.PathLike[str] | Mapping[str, Any] | DictConfig | None = None,
    overrides: Sequence[str] = (),
    search: str = "grid",
    trials: int | None = None,
    jobs: int = 1,
    maximize: bool = False,
    quiet: bool = False,
    resume: str | os.PathLike[str] | None = None,
) -> Any:
    """Run a sweep of a training function and return its `SweepResult`; never exits.

    Args:
        function: the training function, decorated or not.
        config: a config file's path, or a config; by default what the decorator names.
        overrides: as on the command line, ranges included.
        search: an option of `sweeper/search`.
        trials: points to run in all.
        jobs: runs at the same time.
        maximize: whether the highest score is best.
        quiet: whether nothing is printed.
        resume: the sweep's directory: if there is a sweep in it, that one goes on.

    Raises:
        SweeperError: for a mistake in the config, the overrides or the space.
    """
    from . import journal
    from .sweeps import run_sweep

    if entry.importing:
        raise entry.EndOfImport
    if isinstance(overrides, str):
        raise UsageError(f"overrides must be a list of texts, not the text {overrides!r}")
    own = getattr(function, "__sweeper_main__", None)
    inner = entry.undecorated(function)
    start = _Start(inner, *(own or (None, None, UNSET)))
    path, name = start.search_path(Command()), start.primary(Command())
    if isinstance(config, (str, os.PathLike)):
        folder, file = os.path.split(os.path.abspath(config))
        path, name = search_path(main_source(folder), shipped()), file.removesuffix(".yaml")
    elif isinstance(config, (Mapping, DictConfig)):
        path, name = search_path(Table({"config": _plain(config)}, "config"), shipped()), "config"
    elif config is not None:
        raise UsageError(f"config must be a file's path or a mapping, not {config!r:.60}")
    texts = [f"sweeper/search={search}", f"sweeper.launcher.jobs={jobs}"]
    if trials is not None:
        texts.append(f"sweeper.search.trials={trials}")
    if maximize:
        texts.append("sweeper.objective.direction=maximize")
    if resume is not None:
        if not os.fspath(resume):
            raise UsageError("resume is empty; it must be the directory of a sweep, begun or not")
        overrides = [*overrides, f"sweeper.sweep.dir={show(os.path.abspath(resume))}"]
    parsed = parse_all([*texts, *overrides])
    if own is None and config is None and start.schema is None:  # there is nothing but what is given here
        parsed = [o if o.sign or o.name.startswith(OWN) else o._replace(sign="+") for o in parsed]
    plan = make_plan(path, name, parsed, sweeping=True, schema=start.schema)
    program = program_of(inner)._replace(words=())
    earlier = None
    if resume is not None and journal.has_begun(os.fspath(resume)):
        earlier, warnings = journal.find_same(os.fspath(resume), plan, program)
        for warning in () if quiet else warnings:
            print(warning, file=sys.stderr)  # noqa: T201
    with ExitStack() as stack:
        stream = stack.enter_context(open(os.devnull, "w", encoding="utf-8")) if quiet else None
        return run_sweep(plan, program, earlier=earlier, stream=stream)


def _plain(config: Any) -> Any:
    """Return a config as plain data, and so the configs that stand in it."""
    if OmegaConf.is_config(config):
        return plain(config)
    if isinstance(config, Mapping):
        return {key: _plain(value) for key, value in config.items()}
    return [_plain(value) for value in config] if isinstance(config, (list, tuple)) else config

r"""Shell completion: what TAB offers on a program's command line, without importing the program.

The shell's function, of `shells`, calls `main` with the words up to the cursor. `program_text` finds the
program's file and reads its decorator, and `Completer` offers flags, groups, options, keys and values.
Only what begins with the word under the cursor is offered; where nothing does, nothing is printed, and
the shell completes as it did before.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from glob import glob
from typing import Any, NamedTuple

from . import trees
from .cli import FLAGS, Command, Flag, parse_command
from .composition import Composed, compose_tree, is_legacy, search_path, with_searchpath
from .errors import SweeperError, UsageError
from .grammar import Choice, Override, parse, show
from .groups import Config, Folder, SearchPath, Source, source
from .hydra import whole_node
from .plan import ROOTS, shipped
from .program_text import RUNNERS, ProgramText, find_script, read_program
from .shells import INSTALL, PYTHONS, START, UNINSTALL
from .trees import MISSING

# ------------------------------------------------------------------------- what the shell calls


def main() -> None:
    """Print what completes a command line, one a line; what needs no more after it ends in a space.

    `sys.argv` has the shell's name, then for bash the line up to the cursor and COMP_WORDBREAKS, for
    the others the words up to the cursor.
    """
    shell, *given = sys.argv[1:]
    if shell == "bash":
        line, breaks = given
        *words, last = split_line(line, breaks)
    else:
        words = [Word(text) for text in given[:-1]]
        last = split_line(given[-1])[-1] if shell == "fish" else Word(given[-1])
    for offer in complete([word.text for word in words], last.text):
        print(last.rest_of(offer) if shell == "bash" else offer)  # noqa: T201


def answer(asked: str, command: str) -> str:
    """Return what `--shell-completion` prints: `install=bash` and its like, for a command's name."""
    action, _, shell = asked.partition("=")
    if action == "query":
        line = os.environ.get("COMP_LINE", "")
        *words, last = split_line(line[: int(os.environ.get("COMP_POINT") or len(line))])
        return "\n".join(complete([word.text for word in words], last.text))
    import shlex

    names = dict.fromkeys([*PYTHONS, os.path.basename(sys.executable), *RUNNERS, command])
    script = (INSTALL if action == "install" else UNINSTALL)[shell]
    quoted = " ".join(shlex.quote(name) for name in names if name)
    return script.strip("\n") % {"start": START, "python": shlex.quote(sys.executable), "words": quoted}


class Word(NamedTuple):
    """A word of a line, read as the shell reads it."""

    text: str
    kept: int = 0  # how many characters of it stay, since the shell replaces what comes after
    quote: str = ""  # that is still open

    def rest_of(self, offer: str) -> str:
        """Return what takes the place of the word from `kept` on, quoted as bash needs it."""
        text, end = offer[self.kept :].removesuffix(" "), " " * offer.endswith(" ")
        if not self.quote:
            text = re.sub(r"([\s\\'\"$`!#&*()\[\]{}<>?;|])", r"\\\1", text)
        return text + end


def split_line(line: str, breaks: str = "") -> list[Word]:
    """Return the words of a line as bash splits it; the last one, maybe empty, is at its end.

    At one of `breaks`, outside of quotes, and at a quote, begins what the shell replaces.
    """
    words, text, kept, quote, begun, escaped = [], "", 0, "", False, False
    for at, char in enumerate(line):
        if escaped:
            text, escaped = text + char, False
        elif char == "\\" and (not quote or (quote == '"' and line[at + 1 : at + 2] in tuple('"\\$`'))):
            begun = escaped = True
        elif char == quote or (char in "'\"" and not quote):
            quote, kept, begun = "" if quote else char, len(text), True
        elif char.isspace() and not quote:
            if begun:
                words.append(Word(text))
            text, kept, begun = "", 0, False
        else:
            text, begun = text + char, True
            if char in breaks and not quote:
                kept = len(text)
    return [*words, Word(text, kept, quote)]


def complete(words: Sequence[str], word: str) -> list[str]:
    """Return what a word can become, given the words before it on the line."""
    started = find_script(words)
    if started is None:
        return []
    program = read_program(started.file)
    if program is None:
        return []
    offers = Completer(program, started.arguments).offers(word)
    return list(dict.fromkeys(o for o in offers if o.startswith(word) and "\n" not in o))


# ------------------------------------------------------------------------- what is offered


class Completer:
    """What completes the arguments of a program, given those that stand before the cursor."""

    def __init__(self, program: ProgramText, arguments: Sequence[str]) -> None:
        self.program = program
        self.arguments = [os.path.expanduser(word) for word in arguments]  # ~/configs; ~group stays
        self.command = _read(self.arguments)
        self.path = self.command.values.get("--config-path", program.config_path)

    def offers(self, word: str) -> Iterable[str]:
        """Return what a word may become; some may not begin with it."""
        flag = _flag_named(self.arguments[-1]) if self.arguments else None
        if flag is not None and flag.value:
            values = [value for value in self._values_of(flag, word) if value.startswith(word)]
            if values or not flag.optional:
                return [value if value[-1] in "=./" else f"{value} " for value in values]
        name, equals, value = word.partition("=")
        if word.startswith("-"):
            flag = _flag_named(name) if equals else None
            if flag is not None:
                return [f"{name}={found}" for found in self._values_of(flag, value)]
            return [f"{name} " for flag in FLAGS for name in flag.names]
        if self.path is None and "--config-dir" not in self.command:
            return ()
        sign = re.match(r"\+\+|\+|~|", name)[0]  # type: ignore[index]
        key = name[len(sign) :]
        if not equals:
            return [sign + offer for offer in self._keys(key, sign)]
        return [f"{name}={offer}" for offer in self._values(key, value, sign)]

    # ---- flags

    def _values_of(self, flag: Flag, word: str) -> Iterable[str]:
        """Return what the value of a flag may be."""
        long = flag.names[0]
        if flag.choices:
            return flag.choices
        if long in ("--search", "--pruner"):
            return self.search.options(f"sweeper/{long[2:]}")
        if long == "--tracker":
            return _in_a_list(word, self.search.options("sweeper/tracker"))
        if long == "--config-name":
            return self._files(word)
        if long == "--config-path":
            return _paths(word, os.path.dirname(self.program.file), folders=True)
        if long == "--config-dir":
            return _paths(word, folders=True)
        if long == "--resume":
            records = glob("multirun/*/sweep.jsonl") + glob("multirun/*/*/sweep.jsonl")
            made = [os.path.dirname(record) for record in records]
            return [path for path in made if path.startswith(word)] or _paths(word, folders=True)
        if long in ("--package", "--explain"):
            return [key.removesuffix("=") for key in self._config_keys(word)]
        return ()

    def _files(self, word: str) -> Iterator[str]:
        """Return the configs that a program can begin with, one level of folders at a time."""
        above, slash, _ = word.rpartition("/")
        for name in self.search.options(above):
            yield f"{above}{slash}{name}"
        for name in self.search.groups(above):
            if above or name not in ("hydra", "sweeper"):
                yield f"{above}{slash}{name}/"

    # ---- keys

    def _keys(self, key: str, sign: str) -> Iterator[str]:
        """Return the keys of an override, groups first; each with what may come after it."""
        choices = self.composed.choices
        if sign == "~":
            yield from (name for name in choices if key or not name.startswith(("hydra/", "sweeper/")))
        elif sign != "++":
            elsewhere = {name.partition("@")[0] for name in choices if "@" in name} - choices.keys()
            unfit = choices if sign == "+" else elsewhere
            yield from (name for name in self._groups(key) if name.removesuffix("=") not in unfit)
            yield from (f"{name}=" for name in choices if "@" in name and sign != "+")
        for name in self._config_keys(key):
            if sign == "~":
                yield name.removesuffix("=")
            elif sign != "+" or name.endswith("."):
                yield name

    def _groups(self, key: str) -> Iterator[str]:
        """Return the groups at the level of a key: `opt=` to choose, `opt/` for those in it."""
        above, slash, begun = key.rpartition("/")
        for name in self.search.groups(above):
            if not name.startswith(begun) or not re.fullmatch(r"[^\W\d][\w\-]*", name):
                continue
            if not key and name in ("hydra", "sweeper"):
                continue
            group = f"{above}{slash}{name}"
            if above or name not in ("hydra", "sweeper"):
                yield from [f"{group}="] if self.search.options(group) else []
            yield from [f"{group}/"] if self.search.groups(group) else []

    def _config_keys(self, key: str) -> Iterator[str]:
        """Return the keys of the config at the level of a key: `lr=` a value, `model.` a node."""
        above, dot, _ = key.rpartition(".")
        node = _at(self.tree, above)
        for name, value in node.items() if isinstance(node, dict) else ():
            if not key and name in ("hydra", "sweeper"):
                continue
            if re.fullmatch(r"[\w\-$]+", str(name)):
                yield f"{above}{dot}{name}{'.' if isinstance(value, dict) and value else '='}"

    # ---- values

    def _values(self, key: str, begun: str, sign: str) -> Iterable[str]:
        """Return what may stand after `key=`."""
        if begun.startswith(("./", "../", "/", "~/")):
            return _paths(begun)
        group = key.partition("@")[0]
        if sign == "~" and key in self.composed.choices:
            return [choice for choice in [self.composed.choices[key]] if isinstance(choice, str)]
        if self.search.has_group(group):
            return _in_a_list(begun, self.search.options(group))
        value = _at(self.tree, key)
        if isinstance(value, bool):
            return ("true", "false")
        return () if isinstance(value, dict) or value == MISSING else (show(value),)

    # ---- the config, as far as the command line says it

    @cached_property
    def search(self) -> SearchPath:
        """Where the program's configs are; what is not there is read as empty."""
        sources: list[Source] = []
        if "--config-dir" in self.command:
            sources.append(Folder(self.command.values["--config-dir"], "command-line"))
        main, base = None, os.path.dirname(os.path.abspath(self.program.file))
        if self.path is not None:
            path = self.path if "://" in self.path else os.path.normpath(os.path.join(base, self.path))
            main = source(path, "main")
        found = search_path(main, *sources, shipped(), _Stored())
        found.legacy = is_legacy(self.program.version_base)
        with suppress(SweeperError):
            found = with_searchpath(found, self.primary, self.typed)
        return found

    @cached_property
    def primary(self) -> str | None:
        """The config to begin with."""
        name = self.command.values.get("--config-name", self.program.config_name)
        return name.removesuffix(".yaml") if name else None

    @cached_property
    def typed(self) -> list[Override]:
        """The overrides before the cursor, as far as they can be read."""
        found = []
        for text in self.command.overrides:
            with suppress(SweeperError):
                found.append(parse(text))
        return found

    @cached_property
    def composed(self) -> Composed:
        """The config of the overrides before the cursor; those that do not compose are left out."""
        overrides = [_first(override) for override in self.typed]
        found = self._compose(overrides)
        if found is not None:
            return found
        found = self._compose([]) or Composed({}, {}, [])
        kept: list[Override] = []
        for override in overrides:
            more = self._compose([*kept, override])
            if more is not None:
                found, kept = more, [*kept, override]
        return found

    def _compose(self, overrides: Sequence[Override]) -> Composed | None:
        try:
            return compose_tree(self.search, self.primary, overrides, roots=ROOTS, skip_missing=True)
        except SweeperError:
            return None

    @cached_property
    def tree(self) -> dict[Any, Any]:
        """The composed config, sweeper's and Hydra's nodes in it; with all options that are swept over."""
        tree: dict[Any, Any] = {}
        swept = [o for o in self.typed if isinstance(o.value, Choice) and self.search.has_group(o.key)]
        fixed = [_first(override) for override in self.typed]
        for override in swept:
            for value in override.value.values:
                found = self._compose([*fixed, override.with_value(value)])
                _merge(tree, found.tree if found else {})
        _merge(tree, self.composed.tree)
        _merge(tree, {"sweeper": self.composed.settings, "hydra": whole_node(self.composed.hydra)})
        return tree


class _Stored:
    """The last source: what only the running program could have stored is read as empty."""

    provider, shown = "plugins", "stored://"

    def available(self) -> bool:
        """Whether the source exists at all."""
        return True

    def read(self, path: str) -> Config | None:
        """Return an empty config."""
        return Config(f"stored:{path}", {}, shipped=True)

    def has_group(self, group: str) -> bool:
        """Whether there is such a group here."""
        return False

    def list(self, group: str) -> tuple[list[str], list[str]]:
        """Return nothing, since nothing is known."""
        return [], []


def _read(arguments: Sequence[str]) -> Command:
    """Return what arguments say; if not all can be read, what the overrides among them say."""
    for words in (arguments, arguments[:-1]):
        with suppress(UsageError):
            return parse_command(words)
    command = Command()
    command.overrides = [word for word in arguments if not word.startswith("-")]
    return command


def _flag_named(name: str) -> Flag | None:
    return next((flag for flag in FLAGS if name in flag.names), None)


def _first(override: Override) -> Override:
    """Return an override with the first of its values, where it has several."""
    return override.with_value(override.value.values[0]) if isinstance(override.value, Choice) else override


def _merge(tree: dict[Any, Any], other: Any) -> None:
    with suppress(trees.Mismatch, trees.Unresolved):
        trees.merge(tree, dict(other))


def _at(tree: Any, key: str) -> Any:
    """Return what stands at a dotted key, as written; MISSING where there is nothing."""
    for part in filter(None, key.split(".")):
        if isinstance(tree, dict):
            tree = next((value for name, value in tree.items() if str(name) == part), MISSING)
        elif isinstance(tree, list) and part.isdigit() and int(part) < len(tree):
            tree = tree[int(part)]
        else:
            return MISSING
    return tree


def _in_a_list(begun: str, names: Iterable[str]) -> list[str]:
    """Return `a,b,NAME` for each name that does not stand there yet, where `a,b,` is begun."""
    before = re.match(r".*[,\[(]|", begun)[0]  # type: ignore[index]
    there = re.split(r"[,\[(]", before)
    return [before + name for name in names if name not in there]


def _paths(begun: str, base: str = "", *, folders: bool = False) -> Iterator[str]:
    """Return the files, or only the folders, whose paths begin so; folders end in a slash."""
    above, name = os.path.split(begun)
    shown = begun[: len(begun) - len(name)]
    with suppress(OSError):
        for entry in sorted(
            os.scandir(os.path.join(base, os.path.expanduser(above)) or "."), key=lambda e: e.name
        ):
            if entry.name.startswith(".") and not name.startswith("."):
                continue
            if entry.is_dir():
                yield f"{shown}{entry.name}/"
            elif not folders:
                yield f"{shown}{entry.name}"

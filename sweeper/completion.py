r"""Shell completion: what TAB offers on a program's command line, without importing the program.

The shell's function, one of `INSTALL`, calls `main` with the words up to the cursor. From there, and
down this file: `find_script` finds the program's file behind `python`, `uv run` and the like,
`read_program` reads its decorator as text, and `Completer` offers flags, groups, options, keys and
values. Only what begins with the word under the cursor is offered; where nothing does, nothing is
printed, and the shell completes as it did before.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
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


# ------------------------------------------------------------------------- which program it is


class Started(NamedTuple):
    """What a command line starts: a file, and the words after it."""

    file: str
    arguments: list[str]


RUNNERS = ("uv", "poetry", "pdm", "pipenv")
_WITH_VALUE = (
    "--with", "--with-editable", "--with-requirements", "--python", "-p", "--extra", "--group",
    "--only-group", "--env-file", "--directory", "--project", "--package", "--index", "-i", "-C",
)  # fmt: skip


def find_script(words: Sequence[str]) -> Started | None:
    """Return what a command line starts, or None where that is no Python program."""
    rest = list(words)
    while rest and re.match(r"\w+=", rest[0]):
        rest.pop(0)
    if rest and os.path.basename(rest[0]) in RUNNERS and "run" in rest:
        rest = rest[rest.index("run") + 1 :]
        while rest and rest[0].startswith("-") and rest[0] not in ("-m", "--module"):
            del rest[: 2 if rest[0] in _WITH_VALUE else 1]
        if rest and rest[0] in ("-m", "--module"):
            rest.insert(0, "python")
            rest[1] = "-m"
    if not rest:
        return None
    command = os.path.expanduser(rest.pop(0))
    if re.fullmatch(r"(python|pypy)[\d.]*(\.exe)?", os.path.basename(command)):
        return _after_python(rest)
    if "/" not in command and not command.endswith(".py"):
        command = shutil.which(command) or shutil.which(command, path=os.path.dirname(sys.executable)) or ""
    return Started(command, rest) if os.path.isfile(command) else None


def _after_python(rest: list[str]) -> Started | None:
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option in ("-W", "-X", "--check-hash-based-pycs"):
            del rest[:1]
        elif re.fullmatch(r"-[A-Za-z]*m", option) and rest:
            name = rest.pop(0)
            file = find_module(f"{name}.__main__", [os.getcwd()]) or find_module(name, [os.getcwd()])
            return Started(file, rest) if file else None
    file = os.path.expanduser(rest.pop(0)) if rest else ""
    return Started(file, rest) if os.path.isfile(file) else None


def find_module(name: str, folders: Sequence[str]) -> str | None:
    """Return the file of a module, looked for in `folders` first; imports nothing, no package either."""
    from importlib.machinery import PathFinder
    from importlib.util import find_spec

    first, *inside = name.split(".")
    spec = PathFinder.find_spec(first, folders)
    if spec is None:
        with suppress(ValueError, ImportError):
            spec = find_spec(first)  # of a module at the top, which imports nothing
    if spec is None:
        return None
    if not inside:
        return spec.origin
    for location in spec.submodule_search_locations or ():
        path = os.path.join(location, *inside)
        for file in (f"{path}.py", os.path.join(path, "__init__.py")):
            if os.path.isfile(file):
                return file
    return None


# ------------------------------------------------------------------------- what its decorator says


class ProgramText(NamedTuple):
    """What the text of a program says of its configs; nothing where it cannot be read from the text."""

    file: str
    config_path: str | None = None
    config_name: str | None = None
    version_base: str | None = ""


_OURS = ("sweeper", "hydra")
_DEEPEST = 4  # files from one to the next, until the one with the decorator


def read_program(file: str, function: str = "", depth: int = _DEEPEST) -> ProgramText | None:
    """Return what a file's decorator says, or the decorator of the function that the file calls.

    Reads text and runs nothing. None if the file has to do neither with us nor with Hydra.
    """
    try:
        with open(file, encoding="utf-8") as opened:
            text = opened.read()
        tree = ast.parse(text)
    except (OSError, ValueError, SyntaxError):
        return None
    found = _decorator(tree, file, function)
    if found is not None or not depth:
        return found
    for module, name in _called_imports(tree, file, function):
        other = find_module(module, [_package_of(file)[0], os.path.dirname(os.path.abspath(file))])
        if other and other != file:
            found = read_program(other, name, depth - 1)
            if found is not None:
                return found
    return (
        ProgramText(file) if re.search(r"^\s*(import|from) (sweeper|hydra)\b", text, re.MULTILINE) else None
    )


def _decorator(tree: ast.Module, file: str, function: str) -> ProgramText | None:
    modules: set[str] = set()  # names of sweeper or hydra in the file, and of their `main`
    mains: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name for alias in node.names if alias.name in _OURS}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in _OURS:
            mains |= {alias.asname or alias.name for alias in node.names if alias.name == "main"}
    calls: dict[str, ast.Call] = {}  # of `main`, by the function that is decorated
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and _names_main(call.func, modules, mains):
                    calls[node.name] = call
        elif isinstance(node, ast.Call) and _names_main(node.func, modules, mains):
            calls.setdefault("", node)  # main(…)(function)
    if not calls:
        return None
    return _program_of(calls.get(function) or next(iter(calls.values())), _texts(tree), file)


def _names_main(node: ast.expr, modules: set[str], mains: set[str]) -> bool:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.attr == "main" and node.value.id in modules
    return isinstance(node, ast.Name) and node.id in mains


def _texts(tree: ast.Module) -> dict[str, str]:
    """Return the texts that stand under names at the top of a file."""
    found = {}
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Constant):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name) and isinstance(node.value.value, str):
                    found[target.id] = node.value.value
    return found


def _program_of(call: ast.Call, texts: Mapping[str, str], file: str) -> ProgramText:
    given: dict[str, str | None] = {}
    fields = ProgramText._fields[1:]
    named = [(word.arg, word.value) for word in call.keywords]
    for name, value in (*zip(fields, call.args, strict=False), *named):
        if isinstance(value, ast.Constant) and isinstance(value.value, (str, type(None))) and name:
            given[name] = value.value
        elif isinstance(value, ast.Name) and value.id in texts and name:
            given[name] = texts[value.id]
        else:
            return ProgramText(file)
    return ProgramText(
        file, given.get("config_path"), given.get("config_name"), given.get("version_base", "")
    )


def _called_imports(tree: ast.Module, file: str, function: str) -> Iterator[tuple[str, str]]:
    """Return module and name of the imported functions that a file calls, or hands on as `function`."""
    called = {function}
    statements = list(tree.body)
    for statement in statements:
        if isinstance(statement, ast.If):
            statements += statement.body
        elif isinstance(statement, ast.Expr):
            called |= {
                node.func.id
                for node in ast.walk(statement)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args
            }
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        module = node.module or ""
        if node.level:
            package = _package_of(file)[1][: None if node.level == 1 else 1 - node.level]
            module = ".".join([*package, *filter(None, [module])])
        if module.partition(".")[0] not in sys.stdlib_module_names:
            yield from ((module, n.name) for n in node.names if (n.asname or n.name) in called)


def _package_of(file: str) -> tuple[str, list[str]]:
    """Return the folder above the packages that a file stands in, and their names."""
    folder = os.path.dirname(os.path.abspath(file))
    names: list[str] = []
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder, name = os.path.split(folder)
        names.insert(0, name)
    return folder, names


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


# ------------------------------------------------------------------------- what the shell evaluates

# -c and no file, so that no folder of the user's is looked at for modules, which '' would be.
START = "import sys; sys.path = [p for p in sys.path if p]; from sweeper.completion import main; main()"
PYTHONS = ("python", "python3", *(f"python3.{minor}" for minor in range(10, 16)))

INSTALL = {
    "bash": r"""
_sweeper_ask() {
    local python="${1/#\~/${HOME-}}"
    shift
    case "${python##*/}" in
        python*) "$python" -c '%(start)s' "$@" 2>/dev/null && return ;;
    esac
    %(python)s -c '%(start)s' "$@" 2>/dev/null
}
_sweeper_complete() {
    local word before="_sweeper_before_${1##*/}"
    before="${before//[^a-zA-Z0-9_]/_}"
    COMPREPLY=()
    while IFS= read -r word; do
        COMPREPLY+=("$word")
    done < <(_sweeper_ask "$1" bash "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS")
    if [ "${#COMPREPLY[@]}" -eq 0 ]; then
        compopt +o nospace 2>/dev/null
        [[ "${!before-}" =~ -F\ ([^ ]+) ]] && "${BASH_REMATCH[1]}" "$@"
    fi
}
_sweeper_install() {
    local word before
    for word in "$@"; do
        declare -F _completion_loader >/dev/null && _completion_loader "$word" >/dev/null 2>&1
        before="$(complete -p -- "$word" 2>/dev/null)"
        case "$before" in
            *_sweeper_complete*) ;;
            *) printf -v "_sweeper_before_${word//[^a-zA-Z0-9_]/_}" %%s "$before" ;;
        esac
        complete -o nospace -o bashdefault -o default -F _sweeper_complete -- "$word"
    done
}
_sweeper_install %(words)s
""",
    "zsh": r"""
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_sweeper_ask() {
    local python="${1/#\~/${HOME-}}"
    shift
    case "${python:t}" in
        python*) "$python" -c '%(start)s' "$@" 2>/dev/null && return ;;
    esac
    %(python)s -c '%(start)s' "$@" 2>/dev/null
}
_sweeper_complete() {
    local -a found whole open
    found=(${(f)"$(
        _sweeper_ask "${(Q)words[1]}" zsh "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}"
    )"})
    whole=(${${(M)found:#* }%% }) open=(${found:#* })
    if (( $#whole + $#open )); then
        compadd -S ' ' -a whole
        compadd -S '' -a open
    else
        eval "${_sweeper_before[${words[1]:t}]:-_default}"
    fi
}
typeset -gA _sweeper_before
() {
    local word
    for word; do
        [[ "$_comps[$word]" == _sweeper_complete ]] || _sweeper_before[$word]="$_comps[$word]"
        compdef _sweeper_complete "$word"
    done
} %(words)s
""",
    "fish": r"""
function __sweeper_ask
    set -l python (string replace -r '^~' "$HOME" -- $argv[1])
    if string match -qr '(^|/)python[^/]*$' -- $python
        $python -c '%(start)s' $argv[2..-1] 2>/dev/null; and return
    end
    %(python)s -c '%(start)s' $argv[2..-1] 2>/dev/null
end
function __sweeper_offers
    set -l words (commandline -opc)
    set -g __sweeper_found (__sweeper_ask $words[1] fish $words (commandline -ct) | string trim)
    test -n "$__sweeper_found"
end
for word in %(words)s
    contains -- $word $__sweeper_words; and continue
    set -g -a __sweeper_words $word
    complete -c $word -n __sweeper_offers -f -a '$__sweeper_found'
end
""",
}

UNINSTALL = {
    "bash": r"""
for _sweeper_word in %(words)s; do
    complete -r -- "$_sweeper_word" 2>/dev/null
    _sweeper_name="_sweeper_before_${_sweeper_word//[^a-zA-Z0-9_]/_}"
    eval "${!_sweeper_name-}"
    unset "$_sweeper_name"
done
unset _sweeper_word _sweeper_name
unset -f _sweeper_ask _sweeper_complete _sweeper_install
""",
    "zsh": r"""
() {
    local word
    for word; do
        compdef -d "$word"
        [[ -z "$_sweeper_before[$word]" ]] || compdef "$_sweeper_before[$word]" "$word"
    done
} %(words)s
unset _sweeper_before
unfunction _sweeper_ask _sweeper_complete
""",
    "fish": r"""
function __sweeper_offers
    return 1
end
""",
}


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

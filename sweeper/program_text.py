"""Which program a command line starts, and where its configs are: read from the text of its file.

Nothing is imported and nothing run. `find_script` finds the file behind `python`, `uv run` and the like,
and `read_program` reads its decorator.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple


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

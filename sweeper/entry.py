"""Finding the training function again, in another process.

The script is imported as multiprocessing does it, under the name `__mp_main__`, so that `__main__`
guards hold; a call of the decorated function without a guard ends the import there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from .errors import UsageError
from .records import FunctionRef


def find_function(ref: FunctionRef) -> Callable[..., Any]:
    """Return the training function that a reference names, importing its script or module.

    Raises:
        UsageError: if it is not there.
    """
    import importlib

    import_main(ref.main)
    module = sys.modules.get(ref.module) or importlib.import_module(ref.module)
    found: Any = module
    for part in ref.name.split("."):
        found = getattr(found, part, None)
        if found is None:
            raise UsageError(
                f"A run's process cannot find {ref.name!r} in {ref.main or ref.module}",
                hint="Define the function at the top level of the script, and above its first sweep if that "
                "does not stand under if __name__ == '__main__'.",
            )
    return undecorated(found)


def undecorated(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a training function without `@main`, and with every decorator below it."""
    while hasattr(function, "__sweeper_main__"):
        function = function.__wrapped__  # type: ignore[attr-defined]
    return function


def written(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function as it stands in its file: without decorators and given arguments."""
    import inspect

    function = inspect.unwrap(function)
    while isinstance(function, partial):
        function = inspect.unwrap(function.func)
    if not hasattr(function, "__code__") and not isinstance(function, type):
        call = type(function).__call__
        return call if hasattr(call, "__code__") else function
    return getattr(function, "__func__", function)


class EndOfImport(BaseException):
    """Raised by a call of the decorated function while a worker imports the script: enough is known."""


importing = False  # whether a worker is importing the script


def import_main(main: str) -> None:
    """Import the script or module that the launching process runs as `__main__`, once.

    As multiprocessing does it, under the name `__mp_main__`, so that `__main__` guards hold; a call
    of the decorated function without a guard ends the import there.
    """
    global importing  # noqa: PLW0603  the decorated function asks
    if not main or getattr(sys.modules.get("__mp_main__"), "__sweeper_main__", "") == main:
        return
    import types

    module = types.ModuleType("__mp_main__")
    module.__dict__["__sweeper_main__"] = main
    before = sys.modules["__main__"]
    importing = True
    try:
        if main.startswith("-m "):
            _run(main[3:], module, is_module=True)
        else:
            _run(main, module, is_module=False)
    except BaseException:
        sys.modules["__main__"] = before
        sys.modules.pop("__mp_main__", None)  # for it is marked as imported, and the next run tries again
        raise
    finally:
        importing = False


def _run(main: str, module: Any, *, is_module: bool) -> None:
    """Execute the script in a module of its own, keeping what it defined if it ends early."""
    import importlib.util

    if is_module:
        spec = importlib.util.find_spec(main)
        if spec is None or spec.loader is None:
            raise UsageError(f"A run's process cannot find the module {main!r}")
        code = spec.loader.get_code(main)  # type: ignore[attr-defined]
        file, package = spec.origin, spec.parent or ""
    else:
        with open(main, "rb") as source:
            code = compile(source.read(), main, "exec")
        spec, file, package = None, main, ""
        folder = os.path.dirname(os.path.abspath(main))
        if folder not in sys.path:
            sys.path.insert(0, folder)
    names = module.__dict__
    names.update(__name__="__mp_main__", __file__=file, __package__=package, __spec__=spec)
    sys.modules["__mp_main__"] = sys.modules["__main__"] = module
    with suppress(EndOfImport):
        exec(code, names)  # noqa: S102  it is the user's own script
    # What it has defined is of `__main__`, as in a single run: so that processes which a run starts
    # get it by value where they cannot import it.
    names["__name__"] = "__main__"
    for value in list(names.values()):
        if getattr(value, "__module__", None) == "__mp_main__":
            with suppress(AttributeError, TypeError):
                value.__module__ = "__main__"

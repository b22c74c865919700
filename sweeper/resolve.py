"""The resolvers that configs may use: `${sweeper:…}`, `${hydra:…}`, `${now:…}`, `${python_version:…}`.

What they resolve from are the *facts*: of the run that this process makes, in all of its threads; a
composition that goes on in one of them sees its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

import omegaconf
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from omegaconf.resolvers import oc

from . import nodes
from .errors import ConfigError, nearest
from .redact import leaves_in, tells

Facts = Mapping[str, Any]

_of_run: Facts = MappingProxyType({})  # a new thread begins without context variables
_facts: ContextVar[Facts | None] = ContextVar("sweeper_facts", default=None)


@contextmanager
def facts(given: Facts) -> Iterator[None]:
    """Resolve from these facts: `sweeper` and `hydra` nodes, and `now`, a local time struct."""
    token = _facts.set(given)
    try:
        yield
    finally:
        _facts.reset(token)


@contextmanager
def facts_of_run(given: Facts) -> Iterator[None]:
    """Resolve from these facts, in the threads that the run's function starts too."""
    global _of_run  # noqa: PLW0603  see above
    before, _of_run = _of_run, given
    try:
        with facts(given):
            yield
    finally:
        _of_run = before


def fact(root: str) -> Any:
    """Return one of the facts that are in force, or None."""
    found = _facts.get()
    return (_of_run if found is None else found).get(root)


def _look_up(root: str) -> Any:
    def look_up(key: str) -> Any:
        node: Any = fact(root)
        if node is None:
            raise ValueError(f"${{{root}:{key}}} is only known inside of a run")
        for part in key.split("."):
            if not isinstance(node, Mapping) or part not in node:
                known = node if isinstance(node, Mapping) else ()
                raise ValueError(f"${{{root}:{key}}} is not known. {nearest(part, known)}")
            node = node[part]
        return node

    return look_up


def _now(pattern: str) -> str:
    return time.strftime(pattern, fact("now") or time.localtime())


def _python_version(level: str = "minor") -> str:
    count = {"major": 1, "minor": 2, "micro": 3}[level]
    return ".".join(map(str, sys.version_info[:count]))


# omegaconf 2.4 gives it its final name, which before was that of an older, deprecated function.
_LATE = tuple(map(int, omegaconf.__version__.split(".")[:2])) >= (2, 4)
_register: Callable[..., None] = getattr(OmegaConf, "register_resolver" if _LATE else "register_new_resolver")


def register() -> None:
    """Make the resolvers known to OmegaConf, where nobody else has."""
    for name, resolver in (
        ("oc.env", oc.env),  # OmegaConf's own, which Kedro takes away
        ("sweeper", _look_up("sweeper")),
        ("hydra", _look_up("hydra")),
        ("now", _now),
        ("python_version", _python_version),
    ):
        if not OmegaConf.has_resolver(name):
            _register(name, resolver)


def resolve(value: Any, tree: Mapping[Any, Any], where: str) -> Any:
    """Return a value with its interpolations resolved against a whole config.

    Raises:
        ConfigError: naming `where`, if one cannot be.
    """
    if not has_interpolation(value):
        return value
    register()
    root = nodes.build({**tree, "__value": value})
    try:
        node = root._get_node("__value")  # noqa: SLF001  as `root.__value`, which Python would mangle
        if OmegaConf.is_config(node):
            return OmegaConf.to_container(node, resolve=True)
        return root["__value"]
    except OmegaConfBaseException as error:
        raise ConfigError(f"Cannot resolve {where}: {str(error).splitlines()[0]}", f"    {value}") from None


def has_interpolation(value: Any) -> bool:
    """Whether there is an interpolation anywhere in plain data."""
    if isinstance(value, str):
        return "${" in value
    if isinstance(value, dict):
        return any(map(has_interpolation, value.values()))
    return isinstance(value, list) and any(map(has_interpolation, value))


def resolved(tree: Any, config: Any, hidden: Callable[[str], bool]) -> Any:
    """Return plain data with the values that its interpolations have in a config made of it.

    What cannot be resolved stays as it is written. So does what stands under a key that `hidden` says to
    hide, and what would tell such a value: what `${oc.env:TOKEN}` resolves to is for the run alone.
    """
    return _resolved(tree, config, hidden, set(_secrets(tree, config, hidden)))


def _resolved(
    tree: Any, config: Any, hidden: Callable[[str], bool], secrets: set[Any], path: str = ""
) -> Any:
    if not has_interpolation(tree):
        return tree
    found: dict[Any, Any] = {}
    for key, value in _items(tree):
        where = f"{path}{key}"
        found[key] = value
        if hidden(where):
            continue
        if isinstance(value, str) and "${" in value:
            known = _value(config, key, value)
            found[key] = value if tells(known, secrets) else known
        elif has_interpolation(value):
            found[key] = _resolved(value, config[key], hidden, secrets, f"{where}.")
    return found if isinstance(tree, dict) else list(found.values())


def _secrets(tree: Any, config: Any, hidden: Callable[[str], bool], path: str = "") -> Iterator[Any]:
    """Yield the texts and numbers that stand under the keys to hide."""
    for key, value in _items(tree):
        where = f"{path}{key}"
        if not hidden(where):
            if isinstance(value, (dict, list)):
                yield from _secrets(value, config[key], hidden, f"{where}.")
        elif has_interpolation(value):
            yield from leaves_in(_value(config, key, value))
        else:
            yield from leaves_in(value)


def _items(tree: Any) -> Iterable[tuple[Any, Any]]:
    return tree.items() if isinstance(tree, dict) else enumerate(tree)


def _value(config: Any, key: Any, written: str) -> Any:
    try:
        value = config[key]
    except Exception:  # noqa: BLE001  whatever a resolver raises: the function may never look at it
        return written
    if OmegaConf.is_config(value):
        try:
            return OmegaConf.to_container(value, resolve=True)
        except OmegaConfBaseException:
            return written
    return value

"""Objects from configs: `_target_` names what to call, the other keys are its arguments.

Hydra's `instantiate`, its words and its results. A target that runs commands, deletes files or loads
code is refused unless `SWEEPER_INSTANTIATE_ALLOW` names it: a config is data, whoever wrote it.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from copy import deepcopy
from enum import Enum
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf, SCMode
from omegaconf.errors import OmegaConfBaseException

from .errors import InstantiationError, nearest

# ------------------------------------------------------------------------------------------ policy

# Refused, with all that is in them where a module or a class stands.
REFUSED = (
    "builtins.__import__", "builtins.breakpoint", "builtins.compile", "builtins.delattr",
    "builtins.eval", "builtins.exec", "builtins.exit", "builtins.quit", "builtins.setattr",
    "_sitebuiltins.Quitter", "asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell",
    "asyncio.subprocess", "code", "codeop", "commands", "ctypes", "importlib", "marshal.loads",
    "multiprocessing.Process", "multiprocessing.context", "nt", "operator.attrgetter",
    "operator.methodcaller", "os.abort", "os.chdir", "os.chmod", "os.chown", "os.chroot",
    "os.exec", "os.fchmod", "os.fchown", "os.fork", "os.kill", "os.killpg", "os.lchmod", "os.lchown",
    "os.link", "os.popen", "os.posix_spawn", "os.putenv", "os.remove", "os.rename", "os.replace",
    "os.rmdir", "os.set", "os.spawn", "os.startfile", "os.symlink", "os.system", "os.truncate",
    "os.unlink", "os.unsetenv", "os._exit", "pathlib.Path.rmdir", "pathlib.Path.unlink", "pdb",
    "pickle.load", "pickle.loads", "_pickle.load", "_pickle.loads", "platform.popen", "posix", "pty",
    "pydoc.locate", "runpy", "shutil.chown", "shutil.move", "shutil.rmtree", "signal", "subprocess",
    "_posixsubprocess", "sys.exit", "sys.setprofile", "sys.settrace", "timeit", "types.CodeType",
    "types.FunctionType", "webbrowser",
)  # fmt: skip
ALLOW = ("SWEEPER_INSTANTIATE_ALLOW", "HYDRA_INSTANTIATE_ALLOWLIST_OVERRIDE")  # names, by commas


def _refuse(name: str, key: str) -> None:
    allowed = {word.strip() for variable in ALLOW for word in os.environ.get(variable, "").split(",")}
    if name in allowed:
        return
    for refused in REFUSED:
        prefix = refused in ("os.exec", "os.posix_spawn", "os.set", "os.spawn", "os.fork")
        if name == refused or name.startswith(refused if prefix else f"{refused}."):
            raise InstantiationError(
                f"The target '{name}' is refused: a config may not run commands or change files",
                _at(key),
                f"If it is meant, set {ALLOW[0]}={name} in the environment.",
            )


def refuse_targets(config: Any, key: str = "") -> None:
    """Refuse a config of logging that names, anywhere, what a config may not call.

    Raises:
        InstantiationError: naming the target and its key.
    """
    if isinstance(config, Mapping):
        for name, value in config.items():
            inside = f"{key}.{name}" if key else str(name)
            if name in ("()", "class") and isinstance(value, str):
                _refuse(value, inside)
                _refuse(_identity(locate(value)), inside)
            elif isinstance(value, str) and value.startswith("ext://"):
                _refuse(value[6:], inside)
            refuse_targets(value, inside)
    elif isinstance(config, (list, tuple)):
        for index, value in enumerate(config):
            refuse_targets(value, f"{key}[{index}]")


def _identity(found: Any) -> str:
    """Return where an object was defined, whatever it is called in the config."""
    found = getattr(found, "__func__", found)
    module = getattr(found, "__module__", None)
    owner = getattr(found, "__self__", None)
    if module is None and owner is not None:
        module = owner.__name__ if isinstance(owner, type(os)) else type(owner).__module__
    module = {"posix": "os", "nt": "os"}.get(str(module), str(module))
    return f"{module}.{getattr(found, '__qualname__', type(found).__qualname__)}"


def _at(key: str) -> str:
    return f"at '{key}'" if key else ""


# ----------------------------------------------------------------------------------------- look-ups


def locate(path: str) -> Any:
    """Return what a dotted path names, importing as much of it as is a module.

    Hydra's own paths mean ours.

    Raises:
        InstantiationError: if there is no such thing.
    """
    from importlib import import_module

    if path.startswith("hydra."):
        path = f"sweeper.{path[6:]}"
    parts = path.split(".")
    if not path or not all(parts):
        raise InstantiationError(f"'{path}' is no dotted path")
    try:
        found: Any = import_module(parts[0])
    except ImportError as error:
        raise InstantiationError(f"Cannot find '{path}': {error}") from error
    done = parts[0]
    for part in parts[1:]:
        try:
            found = getattr(found, part)
        except AttributeError:
            try:
                found = import_module(f"{done}.{part}")
            except ModuleNotFoundError as error:
                if error.name != f"{done}.{part}":
                    raise InstantiationError(f"Cannot find '{path}': {error}") from error
                raise InstantiationError(
                    f"Cannot find '{path}': '{done}' has no '{part}'", hint=_near(part, found)
                ) from None
            except ImportError as error:
                raise InstantiationError(f"Cannot find '{path}': {error}") from error
        done = f"{done}.{part}"
    return found


def _near(part: str, found: Any) -> str:
    return nearest(part, dir(found))


def get_object(path: str) -> Any:
    """Return what a dotted path names."""
    return locate(path)


def get_class(path: str) -> type:
    """Return the class that a dotted path names.

    Raises:
        InstantiationError: if there is none.
    """
    found = locate(path)
    if not isinstance(found, type):
        raise InstantiationError(f"'{path}' is no class, but {type(found).__name__}")
    return found


def get_method(path: str) -> Callable[..., Any]:
    """Return the function, or whatever can be called, that a dotted path names.

    Raises:
        InstantiationError: if there is none.
    """
    found = locate(path)
    if not callable(found):
        raise InstantiationError(f"'{path}' cannot be called: it is {type(found).__name__}")
    return found  # type: ignore[no-any-return]


get_static_method = get_method

# -------------------------------------------------------------------------------------- instantiate


class ConvertMode(Enum):
    """What arguments become: configs (`none`), or plain data and objects."""

    NONE = "none"
    PARTIAL = "partial"
    OBJECT = "object"
    ALL = "all"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ConvertMode):
            return self.value == other.value
        return isinstance(other, str) and other.upper() == self.name

    def __hash__(self) -> int:
        return hash(self.name)


_SPECIAL = ("_target_", "_convert_", "_recursive_", "_partial_")


def instantiate(config: Any, *args: Any, **kwargs: Any) -> Any:
    """Return the object that a config describes.

    Args:
        config: a config or plain data with `_target_`, the dotted path of what to call. Without one,
            the same container is returned with what is in it instantiated. May also have `_args_`
            (positional arguments), `_recursive_` (true: nested targets too), `_partial_` (false: call
            at once) and `_convert_` (none, partial, object, all: how configs are passed on).
        *args: positional arguments, in the place of `_args_`.
        **kwargs: arguments that go before the config's; dicts merge.

    Raises:
        InstantiationError: with the full key, if the target cannot be found or called.
    """
    if config is None:
        return None
    config = _prepared(config)
    if not OmegaConf.is_config(config):
        if not isinstance(config, (dict, list)) and not _is_structured(config):
            raise InstantiationError(
                f"Cannot instantiate {type(config).__name__}: it is no config, dict, list or dataclass"
            )
        config = OmegaConf.structured(config, flags={"allow_objects": True})
    own = deepcopy(config)
    own._set_flag(["allow_objects", "struct", "readonly"], [True, False, False])
    own._set_parent(config._get_parent())
    options = _prepared(kwargs)
    try:
        if OmegaConf.is_list(own):
            modes = {name: options.pop(name) for name in _SPECIAL if name in options}
            if modes.get("_partial_"):
                raise InstantiationError("_partial_ has no meaning for a list")
        else:
            merged: Any = OmegaConf.merge(own, options) if options else own
            modes = {name: merged.pop(name) for name in _SPECIAL[1:] if name in merged}
            own = merged
        OmegaConf.resolve(own)
    except OmegaConfBaseException as error:
        raise InstantiationError(f"Cannot instantiate: {str(error).splitlines()[0]}") from error
    return _node(
        own, args, modes.get("_convert_", ConvertMode.NONE), modes.get("_recursive_", True),
        partial=modes.get("_partial_", False),
    )  # fmt: skip


call = instantiate


def _is_structured(config: Any) -> bool:
    kind = config if isinstance(config, type) else type(config)
    return hasattr(kind, "__dataclass_fields__") or hasattr(kind, "__attrs_attrs__")


def _prepared(value: Any) -> Any:
    """Return plain data with callables under `_target_` replaced by their names."""
    if isinstance(value, dict):
        found = {key: _prepared(item) for key, item in value.items()}
        target = found.get("_target_")
        if callable(target) and hasattr(target, "__qualname__"):
            found["_target_"] = f"{target.__module__}.{target.__qualname__}"
        return found
    return [_prepared(item) for item in value] if isinstance(value, list) else value


def _full_key(node: Any) -> str:
    parent = node._get_parent()
    if isinstance(parent, ListConfig):  # of which OmegaConf says 'layers1'
        return f"{_full_key(parent)}[{node._key()}]"
    return node._get_full_key(None)  # type: ignore[no-any-return]


def _node(node: Any, args: tuple[Any, ...], convert: Any, recursive: Any, *, partial: Any = False) -> Any:
    if not OmegaConf.is_config(node) or node._is_none():
        return None if OmegaConf.is_config(node) else node
    key = _full_key(node)
    if isinstance(node, ListConfig):
        return _list(node, convert, recursive)
    convert, recursive = node.get("_convert_", convert), node.get("_recursive_", recursive)
    partial = node.get("_partial_", partial)
    for name, flag in (("_recursive_", recursive), ("_partial_", partial)):
        if not isinstance(flag, bool):
            raise InstantiationError(f"{name} must be true or false, not {flag!r}", _at(key))
    if OmegaConf.is_missing(node, "_target_"):
        raise InstantiationError("The config has no value for '_target_'", _at(key))
    if "_target_" in node:
        return _target(node, args, convert, recursive, partial=partial, key=key)
    return _dict(node, convert, recursive)


def _list(node: ListConfig, convert: Any, recursive: Any) -> Any:
    items = [_node(item, (), convert, recursive) for item in node._iter_ex(resolve=True)]
    if convert != ConvertMode.NONE:
        return items
    found = OmegaConf.create(items, flags={"allow_objects": True})
    found._set_parent(node)
    return found


def _dict(node: DictConfig, convert: Any, recursive: Any) -> Any:
    typed = node._metadata.object_type not in (None, dict)
    items = {key: _node(value, (), convert, recursive) for key, value in node.items()}
    if convert == ConvertMode.ALL or (convert != ConvertMode.NONE and not typed):
        return items
    found = OmegaConf.create({}, flags={"allow_objects": True})
    for key, value in items.items():
        found[key] = value
    found._set_parent(node)
    found._metadata.object_type = node._metadata.object_type
    return OmegaConf.to_object(found) if convert == ConvertMode.OBJECT else found


def _target(
    node: DictConfig, args: tuple[Any, ...], convert: Any, recursive: Any, *, partial: bool, key: str
) -> Any:
    target = _resolved(node["_target_"], key)
    kwargs: dict[str, Any] = {}
    for name in node:
        if name in _SPECIAL or (partial and OmegaConf.is_missing(node, name)):
            continue
        try:
            value = node[name]
        except OmegaConfBaseException as error:
            raise InstantiationError(str(error).splitlines()[0], _at(f"{key}.{name!s}".strip("."))) from error
        value = _node(value, (), convert, recursive) if recursive else value
        kwargs[str(name)] = _converted(value, convert)
    positional = kwargs.pop("_args_", ())
    positional = tuple(args) or tuple(positional)
    for value in (*positional, *kwargs.values()):
        if OmegaConf.is_config(value):
            value._set_parent(None)
    if partial:
        return functools.partial(target, *positional, **kwargs)
    try:
        return target(*positional, **kwargs)
    except Exception as error:
        raise InstantiationError(
            f"The call of '{_identity(target)}' failed: {type(error).__name__}: {error}", _at(key)
        ) from error


def _resolved(target: Any, key: str) -> Callable[..., Any]:
    if isinstance(target, str):
        _refuse(target, key)
        try:
            target = locate(target)
        except InstantiationError as error:
            raise InstantiationError(error.what, _at(key), error.hint) from error.__cause__
    if not callable(target):
        raise InstantiationError(f"The target {target!r} cannot be called", _at(key))
    _refuse(_identity(target), key)
    return target  # type: ignore[no-any-return]


def _converted(value: Any, convert: Any) -> Any:
    if not OmegaConf.is_config(value) or convert == ConvertMode.NONE:
        return value
    modes: Mapping[str, SCMode] = {
        "ALL": SCMode.DICT, "PARTIAL": SCMode.DICT_CONFIG, "OBJECT": SCMode.INSTANTIATE,
    }  # fmt: skip
    name = convert.name if isinstance(convert, ConvertMode) else str(convert).upper()
    if name not in modes:
        raise InstantiationError(f"_convert_ must be none, partial, object or all, not {convert!r}")
    return OmegaConf.to_container(value, resolve=True, structured_config_mode=modes[name])

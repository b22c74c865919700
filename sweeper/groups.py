"""Finding config files and reading them: sources, groups, options and what a file says.

A *source* is a folder, a package or a table of configs. A *group* is a folder in it, an *option* a
file in a group. The first source that has a config wins. Each file is parsed once a process, and
once more when it changes; a `SearchPath` keeps what it has read, so that one sweep sees one text.
Merges nothing.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from . import trees, yamls
from .errors import ConfigError, MissingConfigError, nearest


class Default(NamedTuple):
    """An item of a defaults list, as written.

    A `group` with a `value` (an option, a list of options, or None), or else a config's `path`.
    """

    group: str = ""
    value: str | tuple[str, ...] | None = None
    path: str = ""
    package: str | None = None
    optional: bool = False
    override: bool = False
    outdated: bool = False  # `optional: true` beside the group, as Hydra 1.0 wrote it

    @property
    def is_self(self) -> bool:
        """Whether it stands for the content of the file that the list is in."""
        return self.path == "_self_" or self.value == "_self_"


class Config(NamedTuple):
    """One config file, read: its header, its defaults list, and the rest of it."""

    where: str
    content: Any
    package: str | None = None
    defaults: tuple[Default, ...] = ()
    declares_space: bool = False
    shipped: bool = False  # one of the options that come with sweeper


SELF = Default(path="_self_")


class Source(Protocol):
    """Where configs come from."""

    provider: str
    shown: str  # scheme://path

    def read(self, path: str) -> Config | None:
        """Return the config at `group/option`, or None if this source has none."""
        ...

    def has_group(self, group: str) -> bool:
        """Whether there is such a group here."""
        ...

    def list(self, group: str) -> tuple[list[str], list[str]]:
        """Return the options and the groups right under `group`."""
        ...

    def available(self) -> bool:
        """Whether the source exists at all."""
        ...


def config_from(text: str, where: str) -> Config:
    """Return the config that a file's text writes."""
    content = yamls.parse(text, where)
    if content is None:
        content = {}
    if isinstance(content, str):  # a lone word is a key without a value, as OmegaConf has it
        content = {content: None}
    if not isinstance(content, (dict, list)):
        raise ConfigError(f"A config must be a mapping, not {content!r}", where)
    if "${" in text:
        _check_closed(content, where, "")
    declares_space = "_space_" in text
    return config_of(content, where, header=_header(text, where), declares_space=declares_space)


_OPEN = re.compile(r"(?<!\\)(?:\\\\)*\$\{")  # not quoted by a backslash


def _check_closed(content: Any, where: str, path: str) -> None:
    """Refuse an interpolation that is never closed."""
    if isinstance(content, (dict, list)):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            _check_closed(value, where, f"{path}{key}.")
    elif trees.is_interpolation(content) and len(_OPEN.findall(content)) > content.count("}"):
        raise ConfigError(
            f"{content!r} has a '${{' that is not closed",
            yamls.place_of(where, path[:-1]),
            "Close it with }, or quote it with a backslash: \\${",
        )


def config_of(
    content: Any,
    where: str,
    *,
    header: str | None = None,
    declares_space: bool | None = None,
    shipped: bool = False,
) -> Config:
    """Return the config of a tree: its `defaults` list apart, the rest as content."""
    if declares_space is None:
        declares_space = _declares_space(content)
    defaults: tuple[Default, ...] = ()
    if isinstance(content, dict) and "defaults" in content:
        content = dict(content)
        defaults = _defaults(content.pop("defaults"), where)
    return Config(where, content, header, defaults, declares_space, shipped)


def _declares_space(content: Any) -> bool:
    return isinstance(content, dict) and ("_space_" in content or any(map(_declares_space, content.values())))


def _header(text: str, where: str) -> str | None:
    """Return the package that a file's header comments name."""
    if "@" not in text[:512]:
        return None
    package = None
    for line in text[:512].splitlines():
        stripped = line.strip()
        if not stripped:
            continue
        if not re.match(r"#\s*@", stripped):
            break
        words = stripped.lstrip("#").split()
        if len(words) != 2:
            raise ConfigError(
                f"The header {stripped!r} must be one keyword and one value",
                where,
                "Write, for example, # @package _global_",
            )
        if words[0] == "@package":
            package = words[1]
    return package


def _defaults(items: Any, where: str) -> tuple[Default, ...]:
    if items is None:
        return ()
    if not isinstance(items, list):
        kind = "a mapping" if isinstance(items, dict) else repr(items)
        raise ConfigError(
            f"The defaults list must be a list, not {kind}", where, "Write each item as - group: option"
        )
    found = []
    for index, item in enumerate(items):
        try:
            found.append(_default(item, where))
        except ConfigError as error:
            raise ConfigError(error.what, yamls.place_of(where, f"defaults.{index}"), error.hint) from None
    return tuple(found)


def _default(item: Any, where: str) -> Default:
    if isinstance(item, str):
        path, package = _split(item)
        if path == "_self_" and package is not None:
            raise ConfigError("_self_ takes no package in a defaults list", where)
        return Default(path=path, package=package)
    if not isinstance(item, dict):
        raise ConfigError(
            f"{item!r} is no item of a defaults list", where, "Write - group: option, or - config"
        )
    outdated = len(item) == 2 and "optional" in item
    if outdated:
        item = dict(item)
        optional = bool(item.pop("optional"))
    else:
        optional = False
    if len(item) != 1:
        hint = "Begin a new line with a dash for each group."
        raise ConfigError(f"One item of a defaults list has {len(item)} groups: {item}", where, hint)
    ((key, value),) = item.items()
    if not isinstance(key, str):
        raise ConfigError(f"{key!r} is no group in a defaults list", where)
    *keywords, name = key.split(" ")
    group, package = _split(name)
    override = False
    for word in keywords:
        if word == "optional":
            optional = True
        elif word == "override":
            override = True
        else:
            break
    if isinstance(value, list) and all(isinstance(option, str) for option in value):
        value = tuple(value)
    elif value is not None and not isinstance(value, str):
        raise ConfigError(
            f"The defaults list's item '{key}: {value}' must name an option by a text, a list of "
            f"texts or null, not {type(value).__name__}",
            where,
            f"Quote it: {key}: '{value}'" if isinstance(value, (int, float)) else "",
        )
    if not group:
        raise ConfigError(f"The defaults list's item {item} names no group", where)
    return Default(group, value, "", package, optional, override, outdated)


def _split(text: str) -> tuple[str, str | None]:
    """Return a path and its package: `db@src` is `db` at `src`; a rename after ':' has no meaning."""
    path, at, package = text.partition("@")
    if not at:
        return path, None
    package = package.partition(":")[0]
    return path, "" if package == "_here_" else package


# ---------------------------------------------------------------------------------------- sources

_parsed: dict[str, tuple[int, int, Config]] = {}


class Folder:
    """A folder of YAML files."""

    def __init__(self, path: str, provider: str, shown: str = "") -> None:
        self.path, self.provider = path, provider
        self.shown = shown or f"file://{path}"

    def __repr__(self) -> str:
        return f"{self.provider}: {self.shown}"

    def available(self) -> bool:
        return os.path.isdir(self.path)

    def read(self, path: str) -> Config | None:
        name = os.path.join(self.path, path if path.endswith((".yaml", ".yml")) else path + ".yaml")
        if ".." in path:  # a folder on the way that does not exist is no hindrance
            name = os.path.realpath(name)
        try:
            status = os.stat(name)
        except (OSError, ValueError):
            return None
        known = _parsed.get(name)
        if known and known[:2] == (status.st_mtime_ns, status.st_size):
            return known[2]
        if not stat.S_ISREG(status.st_mode):
            return None
        try:
            with open(name, "rb", buffering=0) as file:
                text = file.read().decode()
        except UnicodeDecodeError as error:
            raise ConfigError(f"Cannot read the file: it is no UTF-8 ({error.reason})", name) from None
        except OSError as error:
            raise ConfigError(f"Cannot read the file: {error.strerror}", name) from None
        config = config_from(text, name)
        _parsed[name] = (status.st_mtime_ns, status.st_size, config)
        return config

    def has_group(self, group: str) -> bool:
        return os.path.isdir(os.path.join(self.path, group))

    def list(self, group: str) -> tuple[list[str], list[str]]:
        options: list[str] = []
        groups: list[str] = []
        try:
            entries = sorted(os.scandir(os.path.join(self.path, group)), key=lambda entry: entry.name)
        except OSError:
            return options, groups
        for entry in entries:
            if entry.is_dir():
                if entry.name != "__pycache__":
                    groups.append(entry.name)
            elif entry.name.endswith(".yaml"):
                options.append(entry.name[: -len(".yaml")])
        return options, groups


class Missing:
    """A source that does not exist, kept for what errors say of it."""

    def __init__(self, shown: str, provider: str) -> None:
        self.provider, self.shown = provider, shown

    def __repr__(self) -> str:
        return f"{self.provider}: {self.shown} (not found)"

    def available(self) -> bool:
        return False

    def read(self, path: str) -> Config | None:
        return None

    def has_group(self, group: str) -> bool:
        return False

    def list(self, group: str) -> tuple[list[str], list[str]]:
        return [], []


class Table:
    """Configs that stand in the program: a mapping from `group/option` to plain data."""

    def __init__(self, configs: Mapping[str, Any], provider: str) -> None:
        self.provider, self.shown = provider, f"pkg://sweeper.{provider}"
        self.configs = {
            path: config_of(content, f"{provider}:{path}", shipped=True) for path, content in configs.items()
        }
        self.groups = {path[:at] for path in configs for at, char in enumerate(path) if char == "/"}

    def __repr__(self) -> str:
        return f"{self.provider}: (built in)"

    def available(self) -> bool:
        return True

    def read(self, path: str) -> Config | None:
        return self.configs.get(path)

    def has_group(self, group: str) -> bool:
        return group in self.groups

    def list(self, group: str) -> tuple[list[str], list[str]]:
        prefix = f"{group}/" if group else ""
        inside = [path[len(prefix) :] for path in self.configs if path.startswith(prefix)]
        options = sorted(path for path in inside if "/" not in path)
        return options, sorted({path.split("/")[0] for path in inside if "/" in path})


def source(path: str, provider: str, base: str = "") -> Source:
    """Return the source that a path of the search path names: a folder, file:// or pkg://."""
    scheme, found, rest = path.partition("://")
    if not found:
        scheme, rest = "file", path
    if scheme == "file":
        return Folder(os.path.join(base, rest) if base else rest, provider, f"file://{rest}")
    if scheme == "pkg":
        folder = _package_folder(rest)
        return Folder(folder, provider, path) if folder else Missing(path, provider)
    if scheme == "structured":
        return Missing(path, provider)
    raise ConfigError(f"The search path's {path!r} has the unknown scheme {scheme}://")


def _package_folder(path: str) -> str | None:
    """Return the folder of `a.b/c`, a package or a folder in one."""
    from importlib.util import find_spec

    package, *inside = path.strip("/").split("/")
    while package:
        try:
            spec = find_spec(package)
        except (ImportError, ValueError):
            spec = None
        if spec is not None and spec.submodule_search_locations:
            for location in spec.submodule_search_locations:
                folder = os.path.join(location, *inside)
                if os.path.isdir(folder):
                    return folder
            return None
        package, _, last = package.rpartition(".")
        inside.insert(0, last)
    return None


def _read_option_by_path(path: str) -> Config | None:
    """Return the config of an option that is a path: `experiment=./multirun/…/best`, or an absolute one."""
    option = re.search(r"/(\./.*|/.*)", path)
    if option is None:
        return None
    file = os.path.abspath(option[1])
    return Folder(os.path.dirname(file), "path").read(os.path.basename(file))


class SearchPath:
    """The sources in order of precedence, and what was read from them.

    With `legacy`, configs compose as Hydra composes them for version_base 1.1 and below.
    """

    def __init__(
        self,
        sources: list[Source],
        *,
        legacy: bool = False,
        configs: dict[str, Config | None] | None = None,
    ) -> None:
        self.sources, self.legacy = sources, legacy
        self.configs: dict[str, Config | None] = configs or {}
        self.lists: dict[tuple[Any, ...], Any] = {}  # the defaults lists made from them, by what was asked

    def read(self, path: str) -> Config | None:
        """Return the config of the first source that has it."""
        if path not in self.configs:
            found = None
            for source in self.sources:
                found = source.read(path)
                if found is not None:
                    break
            self.configs[path] = found or _read_option_by_path(path)
        return self.configs[path]

    def has_group(self, group: str) -> bool:
        """Whether any source has such a group."""
        return any(source.has_group(group) for source in self.sources)

    def schemas(self) -> Mapping[str, Any]:
        """Return the configs that the program has stored, by `group/name`."""
        found: Mapping[str, Any] = {}
        for source in self.sources:
            found = getattr(source, "schemas", found)
        return found

    def options(self, group: str) -> list[str]:
        """Return the names of a group's options, from all sources, in order."""
        return sorted({name for source in self.sources for name in source.list(group)[0]})

    def groups(self, group: str = "") -> list[str]:
        """Return the names of the groups right under a group."""
        return sorted({name for source in self.sources for name in source.list(group)[1]})

    def extended(self, paths: Iterable[str], provider: str) -> SearchPath:
        """Return a search path with more sources at its end."""
        more = [source(path, provider) for path in paths]
        at = sum(source.provider not in ("schema", "plugins") for source in self.sources)
        sources = [*self.sources[:at], *more, *self.sources[at:]]
        known: dict[str, Config | None] = {k: config for k, config in self.configs.items() if config}
        return SearchPath(sources, legacy=self.legacy, configs=known)

    def files(self) -> list[str]:
        """Return the files read so far."""
        return sorted(c.where for c in self.configs.values() if c and os.path.isabs(c.where))

    def digests(self) -> dict[str, str]:
        """Return a digest of each file read so far, by its path."""
        return {path: digest for path in self.files() if (digest := config_digest(path))}

    def describe(self) -> str:
        """Return the sources as lines for an error."""
        own = ("hydra", "sweeper", "plugins", *(() if self.schemas() else ("schema",)))
        shown = (s for s in self.sources if s.provider not in own)
        return "\n".join(f"    {source!r}" for source in shown) or "    (nothing)"

    def table(self) -> list[dict[str, str]]:
        """Return provider, schema and path of each source, as Hydra lists them."""
        found = []
        for source in self.sources:
            scheme, _, path = source.shown.partition("://")
            if source.provider not in ("sweeper", "plugins"):
                found.append({"path": path, "schema": scheme, "provider": source.provider})
        return found

    def missing(self, what: str, group: str | None, name: str, parent: str = "") -> MissingConfigError:
        """Return the error for a config that no source has."""
        hint = ""
        if group is not None:
            options = self.options(group)
            hint = nearest(name, options)
            if options:
                listed = f"{group} has the options" if group else "There are"
                hint = f"{hint}\n{listed}: {', '.join(options)}".strip()
            elif not self.has_group(group):
                hint = f"There is no folder '{group}' in the search path."
        own = (group or "").startswith(("sweeper/", "hydra/"))
        where = parent if not own else ""
        path = "" if own else f"\nSearch path:\n{self.describe()}"
        return MissingConfigError(what, where, f"{hint}{path}".strip())


def config_digest(path: str) -> str | None:
    """Return a digest of what a config file says, comments and settings of the program apart."""
    import hashlib

    try:
        with open(path, encoding="utf-8") as file:
            config = config_from(file.read(), path)
    except (OSError, ConfigError):
        return None
    content = config.content
    if isinstance(content, dict):
        content = {key: value for key, value in content.items() if key not in ("sweeper", "hydra")}
    said = repr((content, config.defaults, config.package))
    return hashlib.sha256(said.encode("utf-8", "backslashreplace")).hexdigest()


def content_at(config: Config | None, key: str) -> Any:
    """Return what a config's own content has at a dotted key, or None."""
    if config is None or not isinstance(config.content, dict):
        return None
    try:
        return trees.get(config.content, key)
    except (trees.Mismatch, trees.Unresolved):
        return None

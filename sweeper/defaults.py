"""The defaults list: from a primary config and group choices to the list of files to merge.

The rules are Hydra 1.3's, its surprises included, since configs depend on them:
- Lists are walked from the end, so that what stands later has its say first; the result keeps
  the order in which the lists are written.
- Of several `override`s of one group, the first that is met wins; the command line before all.
- A group's *override key* is its path, `path@package` where its package is not its path's.
- Choices with interpolations wait until their siblings are known.

Reads files through the search path it is given, and merges nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from . import yamls
from .errors import ConfigError, MissingConfigError, nearest
from .grammar import NOTHING, Override, show
from .groups import SELF, Config, Default, SearchPath
from .trees import MISSING, is_interpolation


class Entry(NamedTuple):
    """One file of the final list: what to merge, and where."""

    path: str
    package: str
    parent: str | None
    config: Config
    key: str | None = None  # the override key of a group's choice
    is_self: bool = False
    primary: bool = False


class DefaultsList(NamedTuple):
    """The files to merge in order, the choices made, and the overrides that remain."""

    entries: list[Entry]
    choices: dict[str, str | None]
    overrides: list[Override]
    roots: list[_Node]

    def tree(self) -> Iterator[tuple[int, str]]:
        """Yield each item of the lists with its depth: a config, or a group and its option."""
        yield 0, "<root>:"
        stack = [(1, root) for root in reversed(self.roots)]
        while stack:
            depth, node = stack.pop()
            below = [] if node.deleted else node.children or []
            yield depth, node.describe() + (":" if below else "")
            stack += [(depth + 1, child) for child in reversed(below)]


_DEEPEST = 100  # levels of lists in lists, beyond which they must be a circle


class _Node:
    """An item of a defaults list in its place in the tree."""

    __slots__ = (
        "appended", "base", "children", "deleted", "depth", "group", "header", "inside", "is_self", "legacy",
        "optional", "override", "package", "parent", "parent_package", "path", "primary", "value",
    )  # fmt: skip

    def __init__(self, default: Default, *, appended: bool = False, primary: bool = False) -> None:
        self.group, self.path, self.value = default.group, default.path, default.value
        self.package, self.optional = default.package, default.optional
        self.override, self.is_self = default.override, default.is_self
        self.appended, self.primary = appended, primary
        self.deleted = self.legacy = False
        self.depth = 0
        self.header: str | None = None
        self.parent: _Node | None = None
        self.base = self.parent_package = ""
        self.children: list[_Node] | None = None
        self.inside: tuple[str, str] | None = None  # the folder and the package of its children

    def place(self, parent: _Node) -> None:
        """Take the base folder and the package from the parent."""
        self.parent, self.depth, self.legacy = parent, parent.depth + 1, parent.legacy
        parent.inside = parent.inside or (parent.group_path(), parent.final_package())
        self.base, self.parent_package = parent.inside
        if self.package is not None and "_group_" in self.package:
            named = self.package.replace("_group_", self.group_path().replace("/", "."))
            self.package = f"_global_.{named}"

    def _relative(self) -> str:
        """Return the group as written, without the leading slash."""
        if self.group:
            return self.group.removeprefix("/")
        return self.path.removeprefix("/").rpartition("/")[0]

    def group_path(self) -> str:
        """Return the group, from the top of the search path."""
        relative = self._relative()
        if not self.base or (self.group or self.path).startswith("/"):
            return relative
        return f"{self.base}/{relative}" if relative else self.base

    def config_path(self) -> str:
        """Return the config, from the top of the search path."""
        if self.group:
            return f"{self.group_path()}/{self.value}"
        if self.path.startswith("/"):
            return self.path[1:]
        return f"{self.base}/{self.path}" if self.base else self.path

    def final_package(self, *, with_header: bool = True) -> str:
        """Return where the content goes, as a dotted key; empty for the top."""
        package = self.package
        if package is None and with_header:
            package = self.header
        if package is None:
            package = self._relative().replace("/", ".")
        if self.legacy and "_name_" in package and isinstance(self.value or self.path, str):
            package = package.replace("_name_", str(self.value or self.path.rpartition("/")[2]))
        above = self.parent_package
        joined = f"{above}.{package}" if above and package else above or package
        _, found, rest = joined.rpartition("_global_")
        return rest[1:] if found else joined

    def key(self) -> str:
        """Return the override key."""
        group, package = self.group_path(), self.final_package(with_header=False)
        return group if package == group.replace("/", ".") else f"{group}@{package or '_global_'}"

    def describe(self) -> str:
        """Return the override key and the option, or the config's path."""
        if self.is_self:
            return "_self_"
        return f"{self.key()}: {self.value or 'null'}" if self.group else self.config_path()

    def read_header(self, config: Config | None) -> None:
        if config is None or config.package is None:
            return
        header = config.package
        if self.legacy:
            if header == "_group_":
                return
            header = header.replace("_group_", self.group_path().replace("/", "."))
        whole = header == "_global_" or header.startswith("_global_.")
        self.header = header if whole else f"_global_.{header}" if header else "_global_"


class _Choice:
    """An option chosen by an override: by a `text` on the command line, or in the config `where`."""

    __slots__ = ("text", "used", "value", "where")

    def __init__(self, value: Any, *, text: str = "", where: str = "") -> None:
        self.value, self.text, self.where, self.used = value, text, where, False


class _Walk:
    """What is known while the tree of defaults is walked."""

    def __init__(self, search: SearchPath, *, skip_missing: bool) -> None:
        self.search, self.skip_missing = search, skip_missing
        self.chosen: dict[str, _Choice] = {}
        self.appended: list[Default] = []
        self.deleted: dict[str, list[Any]] = {}  # by key: the option or NOTHING, and whether used
        self.remaining: list[Override] = []
        self.known: dict[str, str | None] = {}
        self.keys_of_group: dict[str, set[str]] = {}

    # ---- what the overrides ask for

    def take(self, override: Override) -> None:
        value = override.value
        if not override.key and not isinstance(value, dict):
            raise ConfigError(f"'{override.text}' has no key", hint="Write KEY=VALUE, without spaces.")
        if override.sweeps:
            return
        if isinstance(value, dict) or not self.search.has_group(override.key):
            self.remaining.append(override)
        elif override.sign == "++":
            raise ConfigError(
                f"'{override.text}' forces a group's choice, which has no meaning",
                hint=f"To add the group write +{override.name}={show(value)}, to change it "
                f"{override.name}={show(value)}",
            )
        elif override.sign == "~":
            if value is not NOTHING and value is not None and not isinstance(value, str):
                raise ConfigError(f"'{override.text}' must name the option to delete by a text")
            self.deleted[override.name] = [NOTHING if value is None else value, False]
        elif not isinstance(value, (str, list)) or (
            isinstance(value, list) and not all(isinstance(item, str) for item in value)
        ):
            raise ConfigError(
                f"'{override.text}' chooses {show(value)}, but '{override.key}' is a group",
                hint=self._options_hint(override.key)
                + (
                    f"\nAn option named {show(value)} is quoted: '{value}'"
                    if value is not None
                    else f"\nTo choose none of them write ~{override.name}"
                ),
            )
        elif override.sign == "+":
            option = tuple(value) if isinstance(value, list) else value
            self.appended.append(Default(override.key, option, package=override.package))
        else:
            option = tuple(value) if isinstance(value, list) else value
            self.chosen[override.name] = _Choice(option, text=override.text)

    def _options_hint(self, group: str) -> str:
        options = self.search.options(group)
        return f"'{group}' has the options: {', '.join(options)}" if options else ""

    # ---- the walk

    def expand(self, node: _Node, *, deferred: bool = False) -> None:
        """Read a node's config and give the node its children, if its list has any."""
        config = None
        named = isinstance(node.value, str) or not node.group
        if named and not _is_missing(node):
            config = self.search.read(node.config_path())
            node.read_header(config)
        if node.primary and config is None:
            name = node.config_path()
            raise self.search.missing(
                f"There is no config '{name}' to begin with", name.rpartition("/")[0], name
            )
        if node.group and self._take_group(node):
            return
        if node.config_path().endswith(MISSING):
            self._refuse_missing(node)
            return
        if config is None:
            if not node.optional:
                raise self._not_found(node)
            node.deleted = True
            return

        if node.depth > _DEEPEST:
            raise ConfigError("The defaults lists include each other without end", config.where)
        items = [self._item(default, config) for default in config.defaults]
        appended = self.appended if node.primary else []
        self_added = self._add_self(config, items, appended)
        items += [_Node(default, appended=True) for default in appended]
        self._place(node, config, items, deferred=deferred)
        children = self._children(node, config, items, deferred=deferred)
        if any(is_deferred(child) for child in children):
            self._resolve(node, items, children, self_added=self_added)
        if children:
            node.children = children[::-1]

    def _item(self, default: Default, config: Config) -> _Node:
        if default.outdated and not self.search.legacy:
            raise ConfigError(
                f"The defaults list has 'optional: true' beside '{default.group}'",
                config.where,
                f"Write optional {default.group}: {default.value}",
            )
        return _Node(default)

    def _take_group(self, node: _Node) -> bool:
        """Enter the choice in what is known; True if there is nothing to read."""
        key = node.key()
        deletion = self.deleted.get(key)
        if deletion is not None and (deletion[0] is NOTHING or deletion[0] == node.value):
            deletion[1] = node.deleted = True
            return True
        value = node.value if isinstance(node.value, str) else None
        if self.known.setdefault(key, value) != value:
            raise ConfigError(
                f"The group '{key}' is chosen twice: {show(self.known[key])} and {show(value)}",
                self._place_of(node),
                f"To change the choice write {key}={show(self.known[key])} without + on the command line, or "
                f"'override {key}: {show(self.known[key])}' in the defaults list",
            )
        self.keys_of_group.setdefault(node.group_path(), set()).add(key)
        return value is None

    def _refuse_missing(self, node: _Node) -> None:
        if self.skip_missing:
            return
        if not node.group:
            raise ConfigError(f"The defaults list asks for '{node.config_path()}', which names no config")
        key = node.key()
        raise ConfigError(
            f"An option of the group '{key}' must be chosen",
            self._place_of(node),
            f"Write {key}=OPTION. {self._options_hint(node.group_path())}",
        )

    def _not_found(self, node: _Node) -> ConfigError:
        path, place = node.config_path(), self._place_of(node)
        group, _, name = path.rpartition("/")
        if node.group:
            group = node.group_path()
            return self.search.missing(
                f"'{group}' has no option '{node.value}'", group, str(node.value), place
            )
        if " " in path:
            keyword, _, rest = path.partition(" ")
            group = rest.rpartition("/")[0] or "GROUP"
            hint = f"A keyword stands before a group only: - {keyword} {group}: OPTION"
            return MissingConfigError(f"There is no config '{path}'", place, hint)
        return self.search.missing(f"There is no config '{path}'", group, name, place)

    def _place_of(self, node: _Node) -> str:
        """Return the file and the line on which an item stands, or the override that chose it."""
        choice = self.chosen.get(node.key()) if node.group else None
        if choice is not None and choice.text:
            return f"    {choice.text}"
        config = self.search.read(node.parent.config_path()) if node.parent else None
        if config is None or config.shipped or node.appended:
            return ""
        for index, default in enumerate(config.defaults):
            if (default.group, default.path) == (node.group, node.path):
                return yamls.place_of(config.where, f"defaults.{index}")
        return config.where

    @staticmethod
    def _add_self(config: Config, items: list[_Node], appended: list[Default]) -> bool:
        """Put the file's own content at the end of its list, where the list does not say."""
        if not items and not appended:
            return False
        places = sum(item.is_self for item in items)
        if places > 1:
            raise ConfigError("_self_ stands twice in the defaults list", config.where)
        if places or (items and all(item.override for item in items)):
            return False
        items.append(_Node(SELF))
        return True

    def _place(self, node: _Node, config: Config, items: list[_Node], *, deferred: bool) -> None:
        """Place the items under the node, and take note of their overrides: the first one wins."""
        last: _Node | None = None
        for item in items:
            if item.is_self:
                item.parent, item.base = node, node.base
                continue
            item.place(node)
            if self.search.legacy and item.group.startswith("hydra/") and not item.override:
                # Hydra 1.0 wrote no 'override' for these; the order is free for them too.
                item.override = True
                self.chosen.setdefault(item.key(), _Choice(item.value, where=node.config_path()))
                continue
            if last is not None and not (item.override or item.appended):
                raise ConfigError(
                    f"The defaults list has '{item.group or item.path}' after the override of '{last.group}'",
                    config.where,
                    "Move the overrides to the end of the list.",
                )
            if item.override:
                last = item
                key = item.key()
                if deferred:
                    raise ConfigError(
                        f"The override of '{key}' stands below a choice that is an interpolation",
                        config.where,
                        "Such a choice is read after all others; move the override further up.",
                    )
                self.chosen.setdefault(key, _Choice(item.value, where=node.config_path()))

    def _children(self, node: _Node, config: Config, items: list[_Node], *, deferred: bool) -> list[_Node]:
        children: list[_Node] = []
        for item in reversed(items):
            if item.is_self:
                children.append(item)
                continue
            if item.override:
                continue
            choice = self.chosen.get(item.key()) if item.group else None
            if choice is not None:
                item.value, choice.used = choice.value, True
            if isinstance(item.value, tuple):
                for option in reversed(item.value):
                    child = self._option(item, option, node, config)
                    self.expand(child, deferred=deferred)
                    children.append(child)
            else:
                if not is_deferred(item):
                    self.expand(item, deferred=deferred)
                children.append(item)
        return children

    @staticmethod
    def _option(item: _Node, option: str, node: _Node, config: Config) -> _Node:
        """One of several options of a group: a config of its own, at the group's package."""
        if "${" in option:
            raise ConfigError(
                f"'{option}' is an interpolation in a list of options, which is not supported", config.where
            )
        child = _Node(Default(path=f"{item.group}/{option}", package=item.package, optional=item.optional))
        child.place(node)
        return child

    def _resolve(self, node: _Node, items: list[_Node], children: list[_Node], *, self_added: bool) -> None:
        """Fill in the choices that name other choices, now that those are known."""
        listed: list[Any] = [
            {item.key(): item.value} if item.group else item.config_path()
            for item in items
            if not (self_added and item.is_self)
        ]
        known = dict(self.known)  # one choice that waits does not know what another comes to
        for child in children:
            if is_deferred(child):
                if child.group:
                    child.value = _interpolate(str(child.value), known, listed)
                else:
                    child.path = _interpolate(child.config_path(), known, listed)
                self.expand(child, deferred=True)

    # ---- the end

    def check_used(self) -> None:
        """Refuse overrides and deletions that met nothing."""
        for key, choice in self.chosen.items():
            if not choice.used:
                raise self._unused(key, choice)
        for key, (option, used) in self.deleted.items():
            if not used:
                text = key if option is NOTHING else f"{key}={option}"
                raise ConfigError(
                    f"Cannot delete '{text}': the defaults list does not have it",
                    hint=self._known_hint(key),
                )

    def _known_hint(self, key: str) -> str:
        keys = sorted(self.keys_of_group.get(key.partition("@")[0], ()))
        if keys:
            return f"Did you mean {' or '.join(repr(name) for name in keys)}?"
        return nearest(key, self.known)

    def _unused(self, key: str, choice: _Choice) -> ConfigError:
        hint = self._known_hint(key)
        value = show(list(choice.value) if isinstance(choice.value, tuple) else choice.value)
        if choice.text:
            hint = f"{hint}\nTo add the group write +{key}={value}".strip()
        where = f"in {choice.where}" if choice.where else ""
        return ConfigError(f"Cannot override '{key}': the defaults list does not have it", where, hint)


def _interpolate(text: str, known: Mapping[str, str | None], listed: list[Any]) -> str:
    """Return a text of a defaults list with the choices that it names filled in."""

    def choice(match: re.Match[str]) -> str:
        value = known.get(match[1])
        return value if isinstance(value, str) else match[0]

    filled = re.sub(r"\$\{([\w/@\-]+)\}", choice, text)
    if not is_interpolation(filled):
        return filled
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        if "${defaults." in text:
            raise ConfigError(
                f"'{text}' in the defaults list names another item by its place",
                hint="Write ${group}, the name of the group whose choice is meant.",
            )
        config = OmegaConf.create({**known, "defaults": listed})
        config._set_flag("struct", True)  # noqa: SLF001  no key must spring up
        node = OmegaConf.create({"value": text})
        node._set_parent(config)  # noqa: SLF001  the only way to resolve against a parent
        value = node["value"]
    except OmegaConfBaseException:
        value = None
    if isinstance(value, str):
        return value
    keys = ", ".join(sorted(known)) or "none"
    raise ConfigError(f"Cannot resolve '{text}' in the defaults list", hint=f"Known choices: {keys}")


def is_deferred(node: _Node) -> bool:
    """Whether what the node names is an interpolation."""
    if node.children is not None or node.is_self:
        return False
    return is_interpolation(node.value) if node.group else is_interpolation(node.path)


def _is_missing(node: _Node) -> bool:
    name = node.value if node.group else node.path.rpartition("/")[2]
    return name == MISSING


def _flatten(node: _Node, search: SearchPath, found: list[Entry]) -> None:
    if node.deleted:
        return
    if node.children is None:
        named = isinstance(node.value, str) or not node.group
        if named and not _is_missing(node):
            found.append(_entry(node, search, node.parent))
        return
    for child in node.children:
        if child.is_self:
            found.append(_entry(node, search, node.parent, is_self=True))
        else:
            _flatten(child, search, found)


def _entry(node: _Node, search: SearchPath, parent: _Node | None, *, is_self: bool = False) -> Entry:
    path = node.config_path()
    config = search.read(path)
    if config is None:  # cannot be: expand() has read it
        raise AssertionError(path)
    above = parent.config_path() if parent is not None else None
    key = node.key() if node.group and not is_self else None
    return Entry(path, node.final_package(), above, config, key, is_self, node.primary)


_MOST_LISTS = 256  # kept of one search path; a sweep over groups may ask for millions


def expand(
    search: SearchPath,
    primary: str | None,
    overrides: Iterable[Override],
    *,
    roots: Sequence[str] = (),
    skip_missing: bool = False,
) -> DefaultsList:
    """Return the files to merge for a primary config and overrides.

    `roots` are configs that stand before the primary one and give it groups to override.
    With `skip_missing`, a group that must be chosen is left out instead of refused.

    Raises:
        ConfigError: for whatever in the lists or the overrides has no meaning.
    """
    walk = _Walk(search, skip_missing=skip_missing)
    asked: list[str] = []  # by the overrides that choose; the others change nothing here
    for override in overrides:
        count = len(walk.remaining)
        walk.take(override)
        if len(walk.remaining) == count and not override.sweeps:
            asked.append(override.text)
    key = (primary, *roots, skip_missing, *asked)
    known: DefaultsList | None = search.lists.get(key)
    if known is not None:
        return known._replace(choices=dict(known.choices), overrides=walk.remaining)
    if primary is None:
        search.configs[""] = Config("(no config)", {})
    trees = [_Node(Default(path=path)) for path in roots]
    trees.append(_Node(Default(path=primary or ""), primary=True))
    for tree in trees:
        tree.legacy = search.legacy
    for tree in reversed(trees):  # the primary config has its say before the roots
        walk.expand(tree)
    entries: list[Entry] = []
    for tree in trees:
        _flatten(tree, search, entries)
    seen = set()
    for entry in entries:
        if entry.key is not None and not entry.is_self:
            if entry.key in seen:
                raise ConfigError(
                    f"The group '{entry.key}' stands twice in the final defaults list",
                    f"in {entry.parent}",
                    f"Give one of them a package: {entry.path.rpartition('/')[0]}@NAME",
                )
            seen.add(entry.key)
    walk.check_used()
    if len(search.lists) >= _MOST_LISTS:
        search.lists.clear()
    search.lists[key] = DefaultsList(entries, dict(walk.known), [], trees)
    return DefaultsList(entries, walk.known, walk.remaining, trees)

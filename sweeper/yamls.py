"""YAML files: text to plain data and back, with the scalars that OmegaConf knows.

`1e3` is a float, a date is text, a key that stands twice is refused, Python tags are never obeyed.
Reads and writes with the C library, and what that does not take with PyYAML's own: text that UTF-8 cannot
encode, such as the name of a file in another encoding. A file that is broken is named with its line and
column.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from functools import cache
from typing import Any

import yaml

from .errors import ConfigError

_Parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Emitter = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

_TAG = "tag:yaml.org,2002:"
_STR = _TAG + "str"
_FLOAT = re.compile(
    r"""[-+]?[0-9]+(?:_[0-9]+)*\.[0-9_]*(?:[eE][-+]?[0-9]+)?\Z
       |[-+]?[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+)\Z
       |\.[0-9]+(?:_[0-9]+)*(?:[eE][-+][0-9]+)?\Z
       |[-+]?[0-9]+(?:_[0-9]+)*(?::[0-5]?[0-9])+\.[0-9_]*\Z
       |[-+]?\.(?:inf|Inf|INF)\Z
       |\.(?:nan|NaN|NAN)\Z""",
    re.VERBOSE,
)
MOST_NODES = 1_000_000  # beyond which a file's aliases are taken for an attack


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    found: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for first, pairs in _Parser.yaml_implicit_resolvers.items():
        found[first] = [(tag, regex) for tag, regex in pairs if tag != _TAG + "timestamp"]
    for first in "-+0123456789.":
        found.setdefault(first, []).append((_TAG + "float", _FLOAT))
    return found


_RESOLVERS = _resolvers()
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@cache
def _loader(parser: Any) -> Any:
    """Return a safe loader of PyYAML's with OmegaConf's scalars."""
    return type("_Loader", (parser,), {"yaml_implicit_resolvers": _RESOLVERS})


def parse(text: str, where: str) -> Any:
    """Return the data that a YAML text writes: dicts, lists, texts, numbers, booleans, None.

    Raises:
        ConfigError: with `where`, the line and the column of what cannot be read.
    """
    try:
        return _parse(text, _Parser)
    except yaml.YAMLError as error:
        if "\\ud" in text.lower():
            with suppress(yaml.YAMLError):
                return _parse(text, yaml.SafeLoader)
        raise _unreadable(error, where) from None


def _parse(text: str, parser: Any) -> Any:
    loader = _loader(parser)(text)  # it lives for one file
    try:
        node = loader.get_single_node()
        return None if node is None else _Builder(loader).build(node)
    finally:
        loader.dispose()


def _unreadable(error: yaml.YAMLError, where: str) -> ConfigError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    if mark is None:
        return ConfigError(f"Cannot read the YAML: {problem}", where)
    place = f"{where}:{mark.line + 1}:{mark.column + 1}"
    hint = "YAML wants spaces for indentation." if "tab" in problem or "\\t" in problem else ""
    if "the tag " in problem:
        hint = "A config is data: tags such as !!python are not obeyed."
    return ConfigError(f"Cannot read the YAML: {problem}", place, hint)


class _Builder:
    """Plain data from YAML nodes: a third of the time that PyYAML's constructor takes."""

    def __init__(self, loader: Any) -> None:
        self.loader, self.count = loader, 0
        self.open: set[int] = set()

    def build(self, node: Any) -> Any:
        if node.__class__ is yaml.ScalarNode:
            return node.value if node.tag == _STR else self.scalar(node)
        self.count += 1 + len(node.value)
        if self.count > MOST_NODES:
            raise _fault("its aliases stand for more than a million values", node)
        if id(node) in self.open:
            raise _fault("an alias stands inside of what it names", node)
        self.open.add(id(node))
        found: Any
        if node.__class__ is yaml.MappingNode and node.tag == _TAG + "map":
            found = self.mapping(node)
        elif node.__class__ is yaml.SequenceNode and node.tag == _TAG + "seq":
            found = [self.build(item) for item in node.value]
        else:
            raise _no_such_tag(node)
        self.open.discard(id(node))
        return found

    def mapping(self, node: Any) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        merged: dict[Any, Any] = {}
        for key_node, value in node.value:
            if key_node.tag == _STR and key_node.__class__ is yaml.ScalarNode:
                key = key_node.value
                if key in found:
                    raise _fault(f"the key {key!r} stands twice", key_node)
            elif key_node.tag == _TAG + "merge":
                for each in reversed(value.value) if isinstance(value, yaml.SequenceNode) else [value]:
                    if not isinstance(each, yaml.MappingNode):
                        raise _fault("what is merged must be a mapping, or a list of them", each)
                    merged.update(self.build(each))
                continue
            else:
                key = self.build(key_node)
                if isinstance(key, (dict, list)):
                    raise _fault("a key must be a text or a number", key_node)
            found[key] = self.build(value)
        return {**merged, **found} if merged else found

    def scalar(self, node: Any) -> Any:
        tag, text = node.tag, node.value
        try:
            if tag == _TAG + "int":
                plain = text.isdigit() and (text[0] != "0" or text == "0")
                return int(text) if plain else self.loader.construct_yaml_int(node)
            if tag == _TAG + "float":
                return self.loader.construct_yaml_float(node)
            if tag == _TAG + "bool":
                return _WORDS[text.lower()]
        except (ValueError, LookupError):
            raise _fault(f"{text!r} is no {tag.removeprefix(_TAG)}", node) from None
        if tag == _TAG + "null":
            return None
        if tag == _TAG + "value":  # a lone =
            return text
        if tag == _TAG + "binary":
            return self.loader.construct_yaml_binary(node)
        raise _no_such_tag(node)


def _fault(problem: str, node: Any) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _no_such_tag(node: Any) -> yaml.YAMLError:
    return _fault(f"the tag {node.tag.replace(_TAG, '!!')!r} cannot stand here", node)


def _represent_text(dumper: Any, text: str) -> yaml.ScalarNode:
    style = (
        "|" if "\n" in text and not re.search(r"[ \t]\n|\A\s|[^\n\x20-\x7e\x85\xa0-\ud7ff]", text) else None
    )
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)  # type: ignore[no-any-return]


def _represent_other(dumper: Any, value: Any) -> yaml.ScalarNode:
    return dumper.represent_str(str(value))  # type: ignore[no-any-return]


# Dates are quoted too, so that other people's readers see the text that ours sees.
_QUOTED = {
    first: pairs + _Parser.yaml_implicit_resolvers.get(first, []) for first, pairs in _RESOLVERS.items()
}


@cache
def _dumper(emitter: Any) -> Any:
    """Return a safe dumper of PyYAML's; texts that would read as something else are quoted."""
    found: Any = type(
        "_Dumper", (emitter,), {"yaml_implicit_resolvers": _QUOTED, "ignore_aliases": lambda *_: True}
    )
    found.add_representer(str, _represent_text)
    found.add_multi_representer(object, _represent_other)
    return found


def dump(data: Any) -> str:
    """Return plain data as YAML text, in the order given."""
    try:
        return _dump(data, _Emitter)
    except UnicodeEncodeError:
        return _dump(data, yaml.SafeDumper)


def _dump(data: Any, emitter: Any) -> str:
    return yaml.dump(data, Dumper=_dumper(emitter), sort_keys=False, allow_unicode=True, width=100)


def encodable(text: str) -> str:
    """Return a text with what UTF-8 cannot encode escaped."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def write(path: str | os.PathLike[str], data: Any) -> None:
    """Write plain data to a file at once: readers see the old text or the new, never a half."""
    write_text(path, dump(data))


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text to a file at once, aside and renamed."""
    path = os.fspath(path)
    aside = f"{path}.{os.getpid()}.tmp"
    try:
        with open(aside, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        os.replace(aside, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(aside)
        raise


def read(path: str | os.PathLike[str]) -> Any:
    """Return the data of a YAML file."""
    path = os.fspath(path)
    with open(path, encoding="utf-8") as file:
        return parse(file.read(), path)


def place_of(path: str, key: str) -> str:
    """Return `path:line` of a dotted key, or of the last part of it that a file has."""
    try:
        with open(path, encoding="utf-8") as file:
            node = yaml.compose(file, Loader=_Parser)
    except (OSError, yaml.YAMLError):
        return path
    line = 0
    for part in key.split("."):
        if isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
            node = node.value[int(part)]
            line = node.start_mark.line + 1
            continue
        items = node.value if isinstance(node, yaml.MappingNode) else ()
        found = next((item for item in items if item[0].value == part), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return f"{path}:{line}" if line else path

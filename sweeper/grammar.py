r"""One override, read once: text to key and value, and value back to text.

The grammar is Hydra 1.3's (its lexer's tokens, longest match first), widened where that grammar
refuses: any character may stand in an unquoted value, interpolations nest, keys may be unicode.

    override := [+|++|~] key ["=" value]          key     := name | dotted.path | group/sub, ["@" package]
    value    := element ("," element)*            element := quoted | text | [list] | {dict} | name(args)

Reads no file and knows no config: whether a key names a group is decided where the groups are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, NoReturn

from .errors import OverrideError, nearest

# ---------------------------------------------------------------------------------------- values


class Choice(NamedTuple):
    """`a,b` or `choice(a,b)`: one of these values."""

    values: tuple[Any, ...] = ()
    simple: bool = False  # written with commas, which only a sweep may mean
    shuffle: bool = False
    tags: frozenset[str] = frozenset()


class Range(NamedTuple):
    """`range(start, stop, step)`: the numbers from `start` in steps, `stop` excluded."""

    start: float = 0
    stop: float = 0
    step: float = 1
    shuffle: bool = False
    tags: frozenset[str] = frozenset()

    def values(self) -> tuple[float, ...]:
        """Return the numbers; fractions are stepped in decimal, so that no step gets lost."""
        if all(isinstance(x, int) for x in (self.start, self.stop, self.step)):
            return tuple(range(int(self.start), int(self.stop), int(self.step)))
        from decimal import Decimal

        # The exact binary values, as Hydra: 0.1 is a little more than a tenth in both.
        at, stop, step = (Decimal(x) for x in (self.start, self.stop, self.step))
        found: list[float] = []
        while at < stop if step > 0 else at > stop:
            found.append(float(at))
            at += step
        return tuple(found)


class Interval(NamedTuple):
    """`interval(start, end)`: any number from `start` to `end`; integers if both ends are."""

    start: float = 0.0
    end: float = 0.0
    tags: frozenset[str] = frozenset()


class Glob(NamedTuple):
    """`glob(include, exclude)`: the options of a group whose names match."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()

    def pick(self, names: list[str]) -> list[str]:
        """Return those of `names` that match."""
        return [
            name
            for name in names
            if any(fnmatchcase(name, g) for g in self.include)
            and not any(fnmatchcase(name, g) for g in self.exclude)
        ]


Swept = Choice | Range | Interval | Glob  # several values in the place of one


class Extend(NamedTuple):
    """`extend_list(a, b)`: items to add at the end of the list that is there."""

    values: tuple[Any, ...] = ()


class _Nothing:
    """The value of `~key`: none was given."""

    def __repr__(self) -> str:
        return "NOTHING"

    def __reduce__(self) -> str:
        return "NOTHING"


NOTHING = _Nothing()


class Override(NamedTuple):
    """One override as typed, and what it says."""

    text: str
    sign: str  # "", "+", "++" or "~"
    key: str  # a dotted path, or a group with slashes
    package: str | None
    value: Any

    @property
    def name(self) -> str:
        """The key with its package, as a group choice is known: `db@src`."""
        return self.key if self.package is None else f"{self.key}@{self.package}"

    @property
    def sweeps(self) -> bool:
        """Whether it stands for several values."""
        return isinstance(self.value, Swept)

    def with_value(self, value: Any) -> Override:
        """Return the same override with one value in the place of several."""
        return self._replace(text=f"{self.sign}{self.name}={show(value)}", value=value)


# ---------------------------------------------------------------------------------------- reading

_INT = r"(?:0|[1-9](?:_?[0-9])*)"
_DIGITS = r"[0-9](?:_?[0-9])*"
_POINT = rf"(?:{_INT}?\.{_DIGITS}|{_INT}\.)"
_KEY_PART = rf"(?:[^\W\d][\w\-$]*|\$[\w\-$]*|{_INT})"
_KEY = re.compile(
    rf"(\+\+|\+|~)?((?:[^\W\d][\w\-]*(?:/[^\W\d][\w\-]*)+|{_KEY_PART}(?:\.{_KEY_PART})*|))"
    rf"(?:@({_KEY_PART}(?:\.{_KEY_PART})*|))?(?==|$)"
)
_FLOAT = re.compile(rf"[+-]?(?:(?:{_INT}|{_POINT})[eE][+-]?{_DIGITS}|{_POINT}|inf|nan)\Z", re.IGNORECASE)
_INTEGER = re.compile(rf"[+-]?{_INT}\Z")
_FUNCTION = re.compile(r"([A-Za-z_][\w\-]*)[ \t]*\([ \t]*", re.ASCII)
_ARGUMENT = re.compile(r"([A-Za-z_][\w\-]*)[ \t]*=[ \t]*", re.ASCII)
_BLANK = re.compile(r"[ \t]*")
_QUOTED = {quote: re.compile(rf"{quote}((?:\\\\)*|.*?[^\\](?:\\\\)*){quote}", re.DOTALL) for quote in "'\""}
_ESCAPED = "\\()[]{}:=, \t"
# A run of text that is none of: a backslash, white space, the beginning of `${`, punctuation.
_RUN = re.compile(r"(?:[^\\()\[\]{}:, \t$]|\$(?!\{))+")
_PLAIN = re.compile(r"[A-Za-z0-9_/\-+.$%*@?|]+\Z", re.ASCII)


def parse(text: str) -> Override:
    """Return the override that `text` writes.

    >>> parse("+opt.lr=0.1").value
    0.1

    Raises:
        OverrideError: with a caret under the place that cannot be read.
    """
    match = _KEY.match(text)
    if match is None:
        _refuse_key(text)
    sign, key, package = match[1] or "", match[2], match[3]
    end = match.end()
    if end == len(text):
        if not key:
            raise _error(text, 0, "has no key", "write KEY=VALUE")
        if sign != "~":
            raise _error(text, end, "has no value", f"write {text}=VALUE")
        return Override(text, sign, key, package, NOTHING)
    return Override(text, sign, key, package, _Reader(text, end + 1).value())


def parse_value(text: str, where: str = "") -> Any:
    """Return the value that `text` writes, as it would after the `=` of an override."""
    try:
        return _Reader(text, 0).value()
    except OverrideError as error:
        raise OverrideError(error.what, where or error.where, error.hint) from None


def _error(text: str, at: int, what: str, hint: str = "") -> OverrideError:
    return OverrideError(f"The override {text!r} {what}", f"    {text}\n    {' ' * at}^", hint)


def _refuse_key(text: str) -> NoReturn:
    key = text.partition("=")[0]
    sign = re.match(r"\+\+|\+|~|", key)
    good = re.compile(r"[\w\-$./@]*").match(key, sign.end() if sign else 0)
    at = good.end() if good else 0
    if not key:
        raise _error(text, 0, "has no key", "write KEY=VALUE")
    if "=" not in text and at == len(text):
        raise _error(text, at, "has no value", f"write {text}=VALUE")
    if key != key.rstrip() and at >= len(key.rstrip()):
        raise _error(text, at, "has a space before its '='", "write KEY=VALUE without spaces")
    raise _error(
        text,
        min(at, len(key)),
        "has a key that cannot be read",
        "A key is a name, a dotted path (model.lr) or a group (db/mysql, db@backup); "
        "names begin with a letter.",
    )


class _Reader:
    """Reads one value from left to right; `at` is the next character."""

    def __init__(self, text: str, at: int) -> None:
        self.text, self.at, self.size = text, at, len(text)

    def error(self, what: str, hint: str = "", at: int | None = None) -> OverrideError:
        return _error(self.text, self.at if at is None else at, what, hint)

    def skip(self) -> None:
        match = _BLANK.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def peek(self) -> str:
        return self.text[self.at] if self.at < self.size else ""

    def value(self) -> Any:
        self.skip()
        if self.at == self.size:
            return ""
        first = self.element(",")
        if self.peek() != ",":
            return self.end(_unquoted(first))
        found = [first]
        while self.peek() == ",":
            self.at += 1
            found.append(self.element(","))
        return self.end(Choice(values=tuple(map(_unquoted, found)), simple=True))

    def end(self, value: Any) -> Any:
        if self.at < self.size:
            char = self.peek()
            raise self.error(
                f"has a {char!r} that closes or opens nothing", f"To mean the character, write \\{char}"
            )
        return value

    def element(self, stops: str) -> Any:
        self.skip()
        char = self.peek()
        if char == "[":
            return self.list()
        if char == "{":
            return self.dict()
        if char in _QUOTED and char:
            match = _QUOTED[char].match(self.text, self.at)
            if match is None:
                raise self.error(f"has a {char} that is not closed", f"Close it, or write \\{char}")
            after = _BLANK.match(self.text, match.end())
            end = after.end() if after else match.end()
            if end < self.size and self.text[end] not in ",)]}" + stops:
                raise self.error(
                    "goes on after a quoted text", "Quote the whole value, or nothing of it", match.end()
                )
            self.at = end
            return _Quoted(_unescape_quotes(match[1], char))
        match = _FUNCTION.match(self.text, self.at)
        if match is not None:
            return self.call(match)
        return self.primitive(stops)

    def primitive(self, stops: str, *, key: bool = False) -> Any:
        text, begin = self.text, self.at
        pieces: list[str] = []
        literal = True  # nothing escaped, so that it may be a number or a word like null
        while self.at < self.size:
            char = text[self.at]
            if char == "\\":
                following = text[self.at + 1 : self.at + 2]
                if following and following in _ESCAPED + "'\"":
                    pieces.append(following)
                    self.at += 2
                    literal = False
                    continue
                pieces.append(char)
                self.at += 1
                continue
            if char in " \t":
                blank = _BLANK.match(text, self.at)
                end = blank.end() if blank else self.at
                if end == self.size or text[end] in ",)]}" or (key and text[end] == ":"):
                    self.at = end
                    break
                pieces.append(text[self.at : end])
                self.at = end
                continue
            if char == ":" and key:
                break
            if text.startswith("${", self.at) and not key:
                end = self.interpolation()
                pieces.append(text[self.at : end])
                self.at = end
                continue
            match = _RUN.match(text, self.at)
            if match is not None:
                pieces.append(match[0])
                self.at = match.end()
                continue
            if char == ":":  # the white space behind it is its own, as in Hydra's lexer
                begin_colon, self.at = self.at, self.at + 1
                self.skip()
                pieces.append(text[begin_colon : self.at])
                continue
            break  # one of ( ) [ ] { } ,
        if not pieces:
            self.missing(stops, begin)
        word = "".join(pieces)
        return _scalar(word) if literal else word

    def missing(self, stops: str, begin: int) -> NoReturn:
        char = self.peek()
        if not char:
            raise self.error("ends where a value should stand")
        if char == ",":
            raise self.error("has no value before this comma", "To mean a comma, write \\,")
        if char == "(":
            raise self.error("has a '(' that opens nothing", "To mean the character, write \\(")
        raise self.error(f"has no value before this {char!r}", at=begin)

    def interpolation(self) -> int:
        depth, at = 0, self.at
        while at < self.size:
            if self.text.startswith("${", at):
                depth += 1
                at += 2
                continue
            if self.text[at] == "}":
                depth -= 1
                if depth == 0:
                    return at + 1
            at += 1
        first = self.text.find("}", self.at + 3)
        if first > 0:  # Hydra's lexer ends it at the first brace; right after a backslash that has a meaning
            return first + 1
        raise self.error("has a '${' that is not closed", "Close it with }")

    def close(self, end: str, name: str) -> bool:
        """Step over a comma (True) or the closing bracket (False)."""
        self.skip()
        char = self.peek()
        if char and char in "," + end:
            self.at += 1
            return char == ","
        if not char:
            raise self.error(f"has a {name} that is not closed", f"Close it with {end}, or quote the text")
        raise self.error(f"has a {char!r} where a ',' or a {end!r} should stand")

    def list(self) -> list[Any]:
        self.at += 1
        self.skip()
        found: list[Any] = []
        if self.peek() == "]":
            self.at += 1
            self.skip()
            return found
        more = True
        while more:
            found.append(_unquoted(self.element("]")))
            more = self.close("]", "list")
        self.skip()
        return found

    def dict(self) -> dict[Any, Any]:
        self.at += 1
        self.skip()
        found: dict[Any, Any] = {}
        if self.peek() == "}":
            self.at += 1
            self.skip()
            return found
        more = True
        while more:
            self.skip()
            begin = self.at
            if self.peek() in _QUOTED and self.peek():
                key = _unquoted(self.element(":"))
            else:
                key = self.primitive(":", key=True)
            self.skip()
            if self.peek() != ":":
                raise self.error("has a dictionary whose key has no value", "Write {key: value}", begin)
            self.at += 1
            found[key] = _unquoted(self.element("}"))
            more = self.close("}", "dictionary")
        self.skip()
        return found

    def call(self, match: re.Match[str]) -> Any:
        begin, name = self.at, match[1]
        self.at = match.end()
        function = FUNCTIONS.get(name)
        if function is None:
            raise self.error(
                f"calls {name!r}, which is no function",
                nearest(name, FUNCTIONS)
                or f"There are {', '.join(sorted(FUNCTIONS))}. To mean the text, write {name}\\(",
            )
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        if self.peek() == ")":
            self.at += 1
        else:
            more = True
            while more:
                self.skip()
                named = _ARGUMENT.match(self.text, self.at)
                if named is not None:
                    self.at = named.end()
                    kwargs[named[1]] = self.element(")")
                elif kwargs:
                    raise self.error("has a positional argument after a named one")
                else:
                    args.append(self.element(")"))
                more = self.close(")", "call")
        self.skip()
        try:
            return function(*args, **kwargs)
        except _Misuse as error:
            raise self.error(f"misuses {name}(): {error}", at=begin) from None
        except TypeError:
            raise self.error(
                f"gives {name}() arguments that it does not take", _takes(name, function), at=begin
            ) from None


def _takes(name: str, function: Callable[..., Any]) -> str:
    """Return what a function takes, as people write it."""
    import inspect

    words = []
    for p in inspect.signature(function).parameters.values():
        star = "*" if p.kind == p.VAR_POSITIONAL else ""
        words.append(star + p.name + (f"={show(p.default)}" if p.default not in (p.empty, None) else ""))
    return f"It takes {name}({', '.join(words)})."


class _Quoted(str):
    """A text that stood in quotes: never a number, and marked until its place is known."""

    __slots__ = ()


def _unquoted(value: Any) -> Any:
    return str(value) if isinstance(value, _Quoted) else value


def _unescape_quotes(text: str, quote: str) -> str:
    # Only backslashes before a quote, the closing one included, escape; others stand for themselves.
    return re.sub(rf"(\\+)(?={quote}|\Z)", lambda m: m[1][: len(m[1]) // 2], text)


def _scalar(word: str) -> Any:
    """Return what an unquoted word means: null, a boolean, a number, or itself."""
    first = word[0]
    if first in "0123456789+-.iInN":
        if _INTEGER.match(word):
            return int(word)
        if _FLOAT.match(word):
            return float(word)
    lower = word.lower()
    if lower == "null":
        return None
    if lower == "true":
        return True
    if lower == "false":
        return False
    return word


# ---------------------------------------------------------------------------------------- functions


class _Misuse(Exception):
    """What is wrong with the arguments of a function of the grammar."""


def _kind(value: Any) -> str:
    if isinstance(value, Swept):
        return type(value).__name__.lower()
    if value is None:
        return "null"
    return {str: "text", _Quoted: "text", bool: "a boolean"}.get(type(value), type(value).__name__)


def _number(value: Any, name: str) -> float:
    if isinstance(value, (int, float)):  # a boolean is one too, as in Hydra
        return value
    raise _Misuse(f"{name} must be a number, not {_kind(value)} {value!r}")


def _one(args: tuple[Any, ...], value: Any) -> Any:
    if args and value is not None:
        raise _Misuse("give its value by position or by name, not both")
    if value is not None:
        return value
    if not args:
        raise _Misuse("it needs a value")
    return args[0] if len(args) == 1 else Choice(values=tuple(map(_unquoted, args)), simple=True)


def _cast(convert: Callable[[Any], Any], name: str) -> Callable[..., Any]:
    def cast(*args: Any, value: Any = None) -> Any:
        return apply(_one(args, value))

    def apply(value: Any) -> Any:
        if isinstance(value, list):
            return [apply(item) for item in value]
        if isinstance(value, dict):
            return {key: apply(item) for key, item in value.items()}
        if isinstance(value, Choice):
            return Choice(values=tuple(map(apply, value.values)), simple=value.simple)
        if isinstance(value, Range):
            if name not in ("int", "float"):
                raise _Misuse("a range can only be cast to int or float")
            return Range(start=convert(value.start), stop=convert(value.stop), step=convert(value.step))
        if isinstance(value, Interval):
            if name not in ("int", "float"):
                raise _Misuse("an interval can only be cast to int or float")
            try:
                return Interval(start=convert(value.start), end=convert(value.end), tags=value.tags)
            except (ValueError, OverflowError):
                raise _Misuse("an endless interval cannot be cast to int") from None
        if value is None and name == "bool":
            return False
        if value is None or isinstance(value, (Swept, Extend)):
            raise _Misuse(f"{_kind(value)} cannot be cast to {name}")
        try:
            return convert(_unquoted(value))
        except (ValueError, OverflowError):
            raise _Misuse(f"{value!r} cannot be cast to {name}") from None

    return cast


def _to_bool(value: Any) -> bool:
    if isinstance(value, str):
        if value.lower() in ("true", "false"):
            return value.lower() == "true"
        raise ValueError(value)
    return bool(value)


def _to_str(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _choice(*args: Any) -> Choice:
    if not args:
        raise _Misuse("it needs at least one value")
    if len(args) == 1 and isinstance(args[0], Choice):
        if not args[0].simple:
            raise _Misuse("choices cannot be nested")
        return args[0]._replace(simple=False)
    if any(isinstance(arg, Swept) for arg in args):
        raise _Misuse("its values cannot be sweeps themselves")
    if any(arg is None for arg in args):
        raise _Misuse("null is not a choice; write the values with commas: a,null")
    return Choice(values=tuple(map(_unquoted, args)))


def _range(start: Any, stop: Any = None, step: Any = 1) -> Range:
    if stop is None:
        start, stop = 0, start
    found = Range(start=_number(start, "start"), stop=_number(stop, "stop"), step=_number(step, "step"))
    if not all(abs(x) < float("inf") for x in (found.start, found.stop, found.step)):
        raise _Misuse("its bounds and step must be finite")
    if found.step == 0:
        raise _Misuse("its step cannot be zero")
    return found


def _interval(start: Any, end: Any, log: Any = False) -> Interval:  # noqa: FBT002  by position too
    if type(log) is not bool:
        raise _Misuse("log must be true or false")
    tags = frozenset({"log"}) if log else frozenset()
    return Interval(start=float(_number(start, "start")), end=float(_number(end, "end")), tags=tags)


def _tag(*args: Any, sweep: Any = None) -> Swept:
    given = args if sweep is None else (*args, sweep)
    if not given:
        raise _Misuse("it needs a choice, range or interval")
    *tags, last = given
    if not isinstance(last, Swept) or isinstance(last, Glob):
        raise _Misuse("its last argument must be a choice, range or interval")
    if not all(isinstance(tag, str) for tag in tags):
        raise _Misuse("tags must be text")
    return last._replace(tags=frozenset(map(str, tags)))


def _sweep_or_list(args: tuple[Any, ...], sweep: Any, list_: Any) -> Any:
    if list_ is not None or sweep is not None:
        return list_ if list_ is not None else sweep
    if not args:
        raise _Misuse("it needs something to put in order")
    return args[0] if len(args) == 1 else Choice(values=tuple(map(_unquoted, args)), simple=True)


def _shuffle(*args: Any, sweep: Any = None, list: Any = None) -> Any:  # noqa: A002  Hydra's name
    value = _sweep_or_list(args, sweep, list)
    if isinstance(value, (Choice, Range)):
        return value._replace(shuffle=True)
    if isinstance(value, Swept):
        raise _Misuse(f"{_kind(value)} cannot be shuffled")
    if not isinstance(value, type([])):
        return [_unquoted(value)]
    from random import shuffle  # rare, and its import is not free

    mixed: Any = [*value]
    shuffle(mixed)
    return mixed


def _sort(*args: Any, sweep: Any = None, list: Any = None, reverse: Any = False) -> Any:  # noqa: A002
    if type(reverse) is not bool:
        raise _Misuse("reverse must be true or false")
    value = _sweep_or_list(args, sweep, list)
    try:
        if isinstance(value, Choice):
            return value._replace(values=tuple(sorted(value.values, reverse=reverse)))
        if isinstance(value, type([])):
            return sorted(value, reverse=reverse)
    except TypeError:
        raise _Misuse("its values cannot be compared with each other") from None
    if isinstance(value, Range):
        # Turned round as Hydra 1.3 does it, `range(0,5,2)` into 3, 1, -1 included.
        if (value.start < value.stop) is reverse and value.start != value.stop:
            step = abs(value.step) if not reverse else -abs(value.step)
            return value._replace(start=value.stop + step, stop=value.start + step, step=-value.step)
        return value
    if isinstance(value, Swept):
        raise _Misuse(f"{_kind(value)} cannot be sorted")
    return _unquoted(value)


def _glob(include: Any, exclude: Any = None) -> Glob:
    def names(value: Any, name: str) -> tuple[str, ...]:
        found = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(item, str) for item in found):
            raise _Misuse(f"{name} must be text or a list of texts")
        return tuple(map(str, found))

    return Glob(include=names(include, "include"), exclude=names(exclude, "exclude"))


def _extend_list(*args: Any) -> Extend:
    return Extend(values=tuple(map(_unquoted, args)))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "int": _cast(int, "int"),
    "float": _cast(float, "float"),
    "str": _cast(_to_str, "str"),
    "bool": _cast(_to_bool, "bool"),
    "choice": _choice,
    "range": _range,
    "interval": _interval,
    "tag": _tag,
    "shuffle": _shuffle,
    "sort": _sort,
    "glob": _glob,
    "extend_list": _extend_list,
}

# ---------------------------------------------------------------------------------------- writing


def show(value: Any) -> str:
    """Return text that `parse_value` reads back as `value`.

    >>> show({"a": [1, "x, y", None]})
    "{a: [1, 'x, y', null]}"
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return _show_text(value)
    if isinstance(value, Swept):
        return _show_swept(value)
    if isinstance(value, Extend):
        return f"extend_list({', '.join(map(show, value.values))})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_show_key(k)}: {show(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(show, value)) + "]"
    return _show_text(str(value))


def _show_text(text: str) -> str:
    if _PLAIN.match(text) and isinstance(_scalar(text), str):
        return text
    if text.startswith("${") and text.endswith("}") and "}" not in text[:-1] and "{" not in text[2:]:
        return text
    return _quoted(text)


def _show_key(key: Any) -> str:
    return _quoted(key) if isinstance(key, str) and "${" in key else show(key)


def _quoted(text: str) -> str:
    escaped: str = re.sub(r"(\\*)('|\Z)", lambda m: m[1] * 2 + (m[2] and "\\'"), text)
    return f"'{escaped}'"


def _show_swept(sweep: Swept) -> str:
    text = "".join(_swept_text(sweep))
    if sweep.tags and not (isinstance(sweep, Interval) and sweep.tags == {"log"}):
        return f"tag({', '.join(map(_show_text, sorted(sweep.tags)))}, {text})"
    return text


def _swept_text(sweep: Swept) -> Iterator[str]:
    match sweep:
        case Choice(values=values, shuffle=shuffle):
            text = f"choice({', '.join(map(show, values))})"
            if None in values:
                text = ",".join(map(show, values))
            yield f"shuffle({text})" if shuffle else text
        case Range(start=start, stop=stop, step=step, shuffle=shuffle):
            text = f"range({show(start)}, {show(stop)}" + (f", {show(step)})" if step != 1 else ")")
            yield f"shuffle({text})" if shuffle else text
        case Interval(start=start, end=end, tags=tags):
            log = ", log=true" if tags == {"log"} else ""
            whole = isinstance(start, int) and isinstance(end, int)
            text = f"interval({show(start)}, {show(end)}{log})"
            yield f"int({text})" if whole else text
        case Glob(include=include, exclude=exclude):
            yield f"glob({show(list(include))}, exclude={show(list(exclude))})"

"""Every override that Hydra 1.3 reads, sweeper reads as the same; what Hydra refuses is read or refused.

SWEEPER_EXAMPLES=N tries N texts instead of a few hundred, other ones each time.
"""

from __future__ import annotations

import math
import random
import warnings

import pytest
from conftest import TRIES
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sweeper.errors import OverrideError
from sweeper.grammar import (
    NOTHING,
    Choice,
    Extend,
    Glob,
    Interval,
    Range,
    parse,
    parse_value,
    show,
)

hydra = pytest.importorskip("hydra", reason="hydra-core is not installed")
# Without hydra-core, this folder itself may be taken for the package `hydra`.
if not getattr(hydra, "__version__", "").startswith("1.3."):
    pytest.skip("hydra-core is not installed, or is not 1.3", allow_module_level=True)

from hydra.core.override_parser import types  # noqa: E402  only once it is known to be there
from hydra.core.override_parser.overrides_parser import OverridesParser  # noqa: E402

PARSER = OverridesParser.create()
SIGNS = {
    types.OverrideType.CHANGE: "",
    types.OverrideType.ADD: "+",
    types.OverrideType.FORCE_ADD: "++",
    types.OverrideType.DEL: "~",
}


# ------------------------------------------------------------------------------------- comparing


def plain(value):
    """Hydra's value in sweeper's nouns."""
    match value:
        case types.QuotedString():
            return value.text
        case list():
            return [plain(item) for item in value]
        case dict():
            return {plain(key): plain(item) for key, item in value.items()}
        case types.ChoiceSweep():
            values = tuple(plain(item) for item in value.list)
            return Choice(values, value.simple_form, value.shuffle, frozenset(value.tags))
        case types.RangeSweep():
            return Range(value.start, value.stop, value.step, value.shuffle, frozenset(value.tags))
        case types.IntervalSweep():
            return Interval(value.start, value.end, frozenset(value.tags))
        case types.Glob():
            return Glob(tuple(plain(value.include)), tuple(plain(value.exclude)))
    return value


def exact(value):
    """A text that is the same for values that are the same: 1 is not 1.0 nor True, and nan is nan."""
    if isinstance(value, frozenset):
        return f"tags{sorted(value)!r}"
    if isinstance(value, (Choice, Range, Interval, Glob, Extend)):
        fields = value._asdict()
        return f"{type(value).__name__}({', '.join(f'{k}={exact(v)}' for k, v in fields.items())})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{exact(k)}: {exact(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(exact, value)) + "]"
    return f"{type(value).__name__} {value!r}" if type(value) is not str else repr(value)


def hydras(text):
    """What Hydra reads: key, package, sign and value. Raises whatever Hydra raises."""
    random.seed(0)  # for shuffle([...]), which shuffles as it is read
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = PARSER.parse_override(text)
    value = NOTHING if found.value_type is None else plain(found._value)
    return found.key_or_group, found.package, SIGNS[found.type], exact(value)


def ours(text):
    """What sweeper reads, in the same form."""
    random.seed(0)
    found = parse(text)
    return found.key, found.package, found.sign, exact(found.value)


def never_runs(value):
    """Whether a value that Hydra reads can never be used: storing it fails, expanding it fails or has no end."""
    if isinstance(value, types.RangeSweep):
        numbers = (value.start, value.stop, value.step)
        return value.step == 0 or any(not math.isfinite(x) for x in numbers)
    if isinstance(value, types.ChoiceSweep):
        return not value.list or any(isinstance(item, types.Sweep) or never_runs(item) for item in value.list)
    if isinstance(value, (list, dict)):
        items = value if isinstance(value, list) else value.values()
        return any(isinstance(item, (types.Sweep, types.Glob)) or never_runs(item) for item in items)
    if isinstance(value, types.QuotedString):
        value = value.text
    try:
        OmegaConf.create({"value": value})
    except OmegaConfBaseException:  # a broken interpolation
        return isinstance(value, str)
    return False


def difference(text):
    """What is wrong with how sweeper reads a text, or nothing."""
    try:
        theirs = hydras(text)
    except Exception:  # noqa: BLE001  Hydra refuses with whatever it meets
        theirs = None
    try:
        found = ours(text)
    except OverrideError as error:
        found = f"refuses: {error.what}"
    except Exception as error:  # noqa: BLE001  that is what the test is for
        return f"sweeper breaks: {error!r}"
    if theirs is None or theirs == found or (theirs[2] == "~" and not theirs[0]):  # a key that is never there
        return ""
    if never_runs(PARSER.parse_override(text)._value):
        return ""
    return f"Hydra reads {theirs}, sweeper {found}"


# ------------------------------------------------------------------------------- texts of overrides

BLANK = st.sampled_from(["", "", "", "", " ", "  ", "\t", " \t"])
WORD = st.one_of(
    st.sampled_from(["a", "b", "lr", "db", "x_1", "a-b", "_", "A", "foo", "e5", "E", "_1", "i", "n"]),
    st.sampled_from(["null", "NULL", "true", "False", "TRUE", "inf", "nan", "NaN", "Inf", "none", "yes"]),
    st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_\-]{0,4}", fullmatch=True),
)
NUMBER = st.one_of(
    st.sampled_from(
        [
            "0",
            "1",
            "-1",
            "+1",
            "10",
            "007",
            "01",
            "-0",
            "1_000",
            "1__0",
            "1_",
            "1.",
            ".5",
            "-.5",
            "0.1",
            "1.5",
            "1e3",
            "1E-3",
            "1e",
            "1e+",
            "-1e5",
            "1_0.5_0",
            ".5e1",
            "0x10",
            "1.e5",
            "-inf",
            "+nan",
            "1e400",
            "00",
            "0.0",
            "-0.0",
            "1.2.3",
            "10-11",
            "12:30",
            "1e-1_0",
            "0_1",
            "1._5",
            "5e05",
            "9999999999999999999",
        ]
    ),
    st.integers(-20, 20).map(str),
    st.floats(-9, 9).map(repr),
)
ESCAPED = st.sampled_from(["\\" + c for c in "\\()[]{}:=, \t"] + ["\\\\\\,", "\\'", '\\"', "\\n", "\\"])
MARK = st.sampled_from(list("/-\\+.$%*@?|:"))
INSIDE = st.text(alphabet="ab1'\"\\\\,${}[]() =:#é\t", max_size=6)
SINGLE = st.one_of(INSIDE, st.sampled_from(["a b", "1", "null", "", "${x}", "\\\\", "a\\'b", "\\'"]))
QUOTED = st.builds(lambda quote, text: f"{quote}{text}{quote}", st.sampled_from("'\""), SINGLE)
INTERPOLATION = st.one_of(
    st.sampled_from(
        ["${a}", "${a.b}", "${oc.env:X}", "${oc.env:X,y}", "${.a}", "${a.${b}}", "${ a }", "${}"]
    ),
    st.text(alphabet="ab.:,{$' [(\\", min_size=1, max_size=5).map(lambda text: f"${{{text}}}"),
)
PIECE = st.one_of(WORD, NUMBER, MARK, ESCAPED, INTERPOLATION, WORD, NUMBER)
TEXT = st.one_of(
    WORD,
    NUMBER,
    st.lists(st.one_of(PIECE, BLANK), min_size=1, max_size=5).map("".join),
)
PRIMITIVE = st.one_of(TEXT, QUOTED, INTERPOLATION)
COMMA = st.builds(lambda a, b: f"{a},{b}", BLANK, BLANK)


def joined(items, least=0, most=3):
    """Items with commas between, and odd white space."""
    pairs = st.lists(st.tuples(COMMA, items), min_size=least, max_size=most)
    return pairs.map(lambda found: "".join(comma + item for comma, item in found)[0:]).map(_trim)


def _trim(text):
    return text.lstrip(" \t")[1:] if text.lstrip(" \t")[:1] == "," else text


def called(name, arguments):
    return st.builds(
        lambda n, a, b, c, d: f"{n}{a}({b}{c}{d})",
        name,
        st.sampled_from(["", "", "", " "]),
        BLANK,
        arguments,
        BLANK,
    )


def named(names, values):
    return st.builds(lambda n, a, b, v: f"{n}{a}={b}{v}", names, BLANK, BLANK, values)


SMALL = st.one_of(st.integers(-9, 9).map(str), st.sampled_from(["0.5", "1.5", "1e1", "-2.25", ".1", "inf"]))
NAMES = st.sampled_from(
    ["value", "start", "stop", "step", "end", "sweep", "list", "reverse", "include", "exclude", "x"]
)
PLAIN_LIST = joined(st.one_of(WORD, NUMBER, QUOTED)).map(lambda text: f"[{text}]")
CHOICE = called(st.just("choice"), joined(st.one_of(TEXT, QUOTED, PLAIN_LIST), 1))
RANGE = called(st.just("range"), st.one_of(joined(SMALL, 1, 3), joined(named(NAMES, SMALL), 1, 3)))
INTERVAL = called(st.just("interval"), joined(SMALL, 2, 2))
SIMPLE = joined(st.one_of(WORD, NUMBER, QUOTED), 1, 4)
REVERSE = st.sampled_from(["", "", ",reverse=true", ", reverse = false", ",reverse=1"])
SORTED = st.builds(
    lambda n, x, r: f"{n}({x}{r})",
    st.sampled_from(["sort", "shuffle"]),
    st.one_of(CHOICE, RANGE, SIMPLE, PLAIN_LIST, joined(SMALL, 2, 4)),
    REVERSE,
)
TAGGED = st.builds(
    lambda tags, x: f"tag({tags}{',' if tags else ''}{x})",
    joined(st.one_of(WORD, QUOTED, NUMBER), 0, 2),
    st.one_of(CHOICE, RANGE, INTERVAL, SORTED),
)
GLOBBED = called(
    st.just("glob"),
    st.one_of(
        st.sampled_from(
            ["*", "a*", "'*'", "[a,b*]", "['a?',c]", "1", "*,b", "*,exclude=b", "include=[a],exclude=[b]"]
        )
    ),
)
CAST = st.sampled_from(["int", "float", "str", "bool"])
SWEEP = st.one_of(CHOICE, RANGE, INTERVAL, SORTED, TAGGED, GLOBBED)
ANY_NAME = st.one_of(
    CAST,
    st.sampled_from(
        [
            "choice",
            "range",
            "interval",
            "tag",
            "sort",
            "shuffle",
            "glob",
            "extend_list",
            "json_str",
            "foo",
            "max",
        ]
    ),
    CAST,
)


def containers(inner):
    pair = st.builds(lambda k, a, b, v: f"{k}{a}:{b}{v}", st.one_of(WORD, NUMBER, TEXT), BLANK, BLANK, inner)
    braced = st.builds(
        lambda pair, blank, text, end: f"{pair[0]}{blank}{text}{end}{pair[1]}",
        st.just("{}"),
        BLANK,
        joined(pair),
        BLANK,
    )
    bracketed = st.builds(
        lambda pair, blank, text, end: f"{pair[0]}{blank}{text}{end}{pair[1]}",
        st.just("[]"),
        BLANK,
        joined(inner),
        BLANK,
    )
    call = called(ANY_NAME, joined(st.one_of(inner, inner, named(NAMES, inner))))
    cast = called(CAST, st.one_of(inner, SWEEP, SIMPLE))
    return st.one_of(braced, bracketed, call, cast)


ELEMENT = st.recursive(st.one_of(PRIMITIVE, PRIMITIVE, SWEEP), containers, max_leaves=5)
VALUE = st.builds(
    lambda a, text, b: a + text + b, BLANK, st.one_of(ELEMENT, ELEMENT, ELEMENT, joined(ELEMENT, 2, 3)), BLANK
)

NAME = st.one_of(
    WORD, st.sampled_from(["a", "b", "c", "a$b", "$", "$a", "0", "12", "a-", "é", "a b", "1a", "", "hydra"])
)
DOTTED = st.lists(NAME, min_size=1, max_size=3).map(".".join)
SLASHED = st.lists(NAME, min_size=1, max_size=3).map("/".join)
KEY = st.one_of(
    st.sampled_from(["a", "a.b", "db"]),
    DOTTED,
    SLASHED,
    st.builds(lambda key, package: f"{key}@{package}", SLASHED, st.one_of(DOTTED, SLASHED)),
)
SIGN = st.sampled_from(["", "", "", "+", "++", "~", "+++", "~+"])
OVERRIDE = st.one_of(
    st.builds(lambda sign, key, value: f"{sign}{key}={value}", SIGN, KEY, VALUE),
    st.builds(lambda value: f"a={value}", VALUE),
    st.builds(lambda sign, key: f"{sign}{key}", SIGN, KEY),
    st.builds(lambda sign, key, blank: f"{sign}{key}={blank}", SIGN, KEY, BLANK),
)
SPECIAL = "()[]{}:=, \t\\'\"$~+@/.-_%*?|#!;&<>ab01\néeE"


def mutated(text, changes):
    for kind, place, char in changes:
        at = place % (len(text) + 1)
        if kind == "insert":
            text = text[:at] + char + text[at:]
        elif kind == "delete":
            text = text[:at] + text[at + 1 :]
        elif kind == "replace":
            text = text[:at] + char + text[at + 1 :]
        else:
            text = text[:at] + text[max(0, at - 3) :]
    return text


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["insert", "delete", "replace", "repeat"]),
        st.integers(0, 60),
        st.sampled_from(SPECIAL),
    ),
    max_size=3,
)
MUTATED = st.builds(mutated, OVERRIDE, CHANGES)

TOKENS = r"""a b foo e5 null true inf nan 0 1 -1 1_0 010 1.5 .5 1. 1e3 ( ) ( ) [ ] [ ] { } { } : : = , , , \( \) \, \:
\= \\ \[ \{ \} \' \n ' \" 'x' "y" '1' 'a\'b' '\\' ${a} ${a.b} ${oc.env:X} ${ ${a.${b}} $ . - + / % * @ ? | ~ # é
choice( range( interval( int( str( float( bool( sort( shuffle( tag( glob( log, reverse=true start= value= exclude=
choice(a,b) range(1,9) interval(0,1)""".split()  # noqa: SIM905  a list of these could not be read
SOUP = st.lists(st.sampled_from([*TOKENS, " ", " ", "\t", "  "]), min_size=1, max_size=9).map(
    lambda tokens: "a=" + "".join(tokens)
)

# --------------------------------------------------------------------------------- values for show()

LEAF = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True),
    st.text(max_size=8),
    st.text(alphabet="ab01 .,:=\\'\"${}[]()\t\n#e_-+", max_size=8),
    st.sampled_from(
        ["null", "true", "1", "1e3", "", " ", "${a}", "a=b", "${a.${b}}", "choice(a)", "\\", "'"]
    ),
)
DATA = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(
                st.text(max_size=4),
                st.text(alphabet="ab1 :,\\'\"{}$", max_size=4),
                st.sampled_from(["null", "true", "1", "1.5"]),
                st.integers(),
                st.booleans(),
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)
NUMBERS = st.one_of(st.integers(-99, 99), st.floats(-1e6, 1e6))
TAGS = st.frozensets(st.one_of(st.sampled_from(["log", "a", "b"]), st.text(max_size=4)), max_size=2)
SWEEPS = st.one_of(
    st.builds(
        Choice,
        st.lists(DATA.filter(lambda value: value is not None), min_size=1, max_size=3).map(tuple),
        st.just(False),
        st.booleans(),
        TAGS,
    ),
    # A null can only stand between commas, which take no tags.
    st.builds(lambda value, mixed: Choice((None, value), False, mixed), DATA, st.booleans()),
    st.builds(Range, NUMBERS, NUMBERS, NUMBERS.filter(bool), st.booleans(), TAGS),
    st.builds(Interval, st.integers(-(2**53), 2**53), st.integers(-(2**53), 2**53), TAGS),
    st.builds(Interval, st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), TAGS),
    st.builds(
        Glob,
        st.lists(st.text(max_size=4), min_size=1, max_size=2).map(tuple),
        st.lists(st.text(max_size=4), max_size=2).map(tuple),
        st.just(frozenset()),
    ),
    st.builds(Extend, st.lists(DATA, max_size=3).map(tuple)),
)


# --------------------------------------------------------------------------------------- the tests


@settings(max_examples=TRIES or 800)
@given(SOUP)
def test_tokens_in_any_order_are_read_as_hydra_reads_them(text):
    assert not difference(text), text


@settings(max_examples=TRIES or 700)
@given(OVERRIDE)
def test_what_hydra_reads_is_read_as_the_same(text):
    assert not difference(text), text


@settings(max_examples=TRIES or 700)
@given(MUTATED)
def test_what_hydra_reads_is_read_as_the_same_with_typing_mistakes_in_it(text):
    assert not difference(text), text


@settings(max_examples=TRIES or 400)
@given(st.one_of(st.text(max_size=20), st.text(alphabet=SPECIAL, max_size=12)))
def test_any_text_is_read_or_refused(text):
    assert not difference(text), text
    try:
        parse_value(text)
    except OverrideError as error:
        assert error.what


@settings(max_examples=TRIES or 400)
@given(DATA)
def test_a_value_that_is_shown_reads_as_itself(value):
    assert exact(parse_value(show(value))) == exact(value), show(value)


@settings(max_examples=TRIES or 400)
@given(SWEEPS)
def test_a_sweep_that_is_shown_reads_as_itself(value):
    read = parse_value(show(value))
    if isinstance(read, Choice):
        read = read._replace(simple=False)  # a null can only stand between commas
    assert exact(read) == exact(value), show(value)


@settings(max_examples=TRIES or 300)
@given(DATA)
def test_what_is_shown_is_what_hydra_reads_where_it_reads_it(value):
    assert not difference(f"a={show(value)}"), show(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=", ""),
        ("a= 1 ", 1),
        ("a=b: ", "b: "),  # the white space around a colon is the colon's
        ("a=[b: ,c]", ["b: ", "c"]),
        ("a=1 2", "1 2"),
        ("a=1_000", 1000),
        ("a=0x10", "0x10"),
        ("a=010", "010"),
        ("a=.5", 0.5),
        ("a=1e3", 1000.0),
        ("a=NULL", None),
        ("a=None", "None"),
        ("a=yes", "yes"),
        ("a='1'", "1"),
        (r"a='a\'b'", "a'b"),
        (r"a='a\nb'", r"a\nb"),
        (r"a=a\,b", "a,b"),
        ("a=a:b", "a:b"),
        ("a=${oc.env:X,y}", "${oc.env:X,y}"),
        ("a={b: 1, b: 2}", {"b": 2}),
        ("a={1: x}", {1: "x"}),
        ("a=[]", []),
        ("a=[1,[2],{b: c d}]", [1, [2], {"b": "c d"}]),
        ("a=1,b", Choice((1, "b"), simple=True)),
        ("a=choice(1)", Choice((1,))),
        ("a=range(3)", Range(0, 3, 1)),
        ("a=sort(range(0,5,2),reverse=true)", Range(3, -2, -2)),
        ("a=interval(0,1)", Interval(0.0, 1.0)),
        ("a=int(interval(0,1))", Interval(0, 1)),
        ("a=tag(log,interval(1,2))", Interval(1.0, 2.0, frozenset({"log"}))),
        ("a=shuffle(choice(1,2))", Choice((1, 2), shuffle=True)),
        ("a=int(tag(x,choice('1','2')))", Choice((1, 2))),
        ("a=glob([a*,b],exclude=ab)", Glob(("a*", "b"), ("ab",))),
        ("a=str([1,true])", ["1", "true"]),
        ("a=bool([null,0])", [False, False]),
        ("a=range(true,3)", Range(True, 3)),
        (r"a=\\${x${b}", r"\${x${b}"),
    ],
)
def test_a_value_means_what_it_means_to_hydra(text, value):
    assert exact(parse(text).value) == exact(value)
    assert hydras(text) == ours(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=é#!", "é#!"),
        ("a=b=c", "b=c"),
        ("a=${x.${y}}", "${x.${y}}"),
        ("é=1", 1),
        ("a={'b c': 1}", {"b c": 1}),
        ("a=extend_list(1,2)", Extend((1, 2))),
        ("a=interval(1,2,log=true)", Interval(1.0, 2.0, frozenset({"log"}))),
    ],
)
def test_some_of_what_hydra_refuses_has_a_meaning(text, value):
    with pytest.raises(Exception):  # noqa: B017  Hydra's errors are of many kinds
        hydras(text)
    assert exact(parse(text).value) == exact(value)

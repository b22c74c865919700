"""Overrides: what is typed, and what it means."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ""), ("1", 1), ("-3", -3), ("1_000", 1000), ("010", "010"), ("0x10", "0x10"),
        ("1e3", 1000.0), (".5", 0.5), ("1.", 1.0), ("inf", math.inf), ("-Inf", -math.inf),
        ("null", None), ("NULL", None), ("None", "None"), ("true", True), ("FALSE", False), ("yes", "yes"),
        ("nano", "nano"), ("2026-11-20", "2026-11-20"), ("a b", "a b"), (" a ", "a"), ("a-b/c.d", "a-b/c.d"),
        ("'a, b'", "a, b"), ('"it\'s"', "it's"), (r"'it\'s'", "it's"), (r"a\,b", "a,b"), (r"\(x\)", "(x)"),
        ("'1'", "1"), ("''", ""), ("${a.b}", "${a.b}"), ("x_${a.${b}}_y", "x_${a.${b}}_y"),
        ("[]", []), ("[1, [a, b], {c: d}]", [1, ["a", "b"], {"c": "d"}]), ("{a: 1, 2: b}", {"a": 1, 2: "b"}),
        ("{a:1,a:2}", {"a": 2}), ("http://x.y:80/z?q=1", "http://x.y:80/z?q=1"), ("日本 #!&", "日本 #!&"),
        ("it's", "it's"), ("a=b", "a=b"),
    ],
)  # fmt: skip
def test_a_value_means_what_hydra_reads_in_it_and_any_character_is_welcome(text, value):
    assert parse(f"key={text}").value == value
    assert type(parse(f"key={text}").value) is type(value)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("lr=1", ("", "lr", None)), ("+a.b.0=1", ("+", "a.b.0", None)), ("++a=1", ("++", "a", None)),
        ("~a=1", ("~", "a", None)), ("db/sub@src.x=1", ("", "db/sub", "src.x")), ("$a-b=1", ("", "$a-b", None)),
        ("größe=1", ("", "größe", None)), ("db@_global_=x", ("", "db", "_global_")),
    ],
)  # fmt: skip
def test_a_key_is_a_dotted_path_or_a_group_with_a_package(text, parts):
    override = parse(text)
    assert (override.sign, override.key, override.package) == parts


def test_a_deletion_needs_no_value():
    assert parse("~db").value is NOTHING


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a,b", Choice(("a", "b"), simple=True)), ("choice(a)", Choice(("a",))),
        ("choice(a,[b,c])", Choice(("a", ["b", "c"]))), ("range(3)", Range(0, 3)),
        ("range(1,4,step=2)", Range(1, 4, 2)), ("interval(0, 1)", Interval(0.0, 1.0)),
        ("interval(1e-4,1,log=true)", Interval(1e-4, 1.0, frozenset({"log"}))),
        ("tag(log, interval(1,2))", Interval(1.0, 2.0, frozenset({"log"}))),
        ("int(interval(1,9))", Interval(1, 9)), ("float(range(1,3))", Range(1.0, 3.0, 1.0)),
        ("int(1.5,'2')", Choice((1, 2), simple=True)), ("str([1,true])", ["1", "true"]), ("bool('TRUE')", True),
        ("glob([a*,b],exclude=ab)", Glob(("a*", "b"), ("ab",))), ("sort(3,1,2)", Choice((1, 2, 3), simple=True)),
        ("sort([b,a],reverse=true)", ["b", "a"]), ("sort(range(0,5,2),reverse=true)", Range(3, -2, -2)),
        ("shuffle(range(3))", Range(0, 3, shuffle=True)), ("extend_list(1, b)", Extend((1, "b"))),
        ("choice (a , b )", Choice(("a", "b"))),
    ],
)  # fmt: skip
def test_functions_declare_sweeps_and_cast_values(text, value):
    found = parse_value(text)
    assert found == value
    assert type(found) is type(value)


def test_a_range_of_fractions_loses_no_step():
    assert parse_value("range(0.1, 0.5, 0.1)").values() == (0.1, 0.2, 0.30000000000000004, 0.4)


def test_a_cast_keeps_whole_ends_whole():
    interval = parse_value("int(interval(1, 9))")
    assert isinstance(interval.start, int)
    assert isinstance(interval.end, int)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lr", "has no value"), ("a b=1", "key that cannot be read"), ("a =1", "space before its '='"),
        ("a=[1,2", "list that is not closed"), ("a={b:1", "dictionary that is not closed"),
        ("a='b", "' that is not closed"), ("a=${b", "'${' that is not closed"), ("a=1,,2", "before this comma"),
        ("a=1,", "ends where a value should stand"), ("a=)", "before this ')'"), ("a=(1)", "'(' that opens nothing"),
        ("a='b'c", "goes on after a quoted text"), ("a={b}", "key has no value"), ("a=1]", "closes or opens nothing"),
        ("a=rang(1)", "Did you mean 'range'"), ("a=range(b)", "must be a number, not text 'b'"),
        ("a=range(1,2,0)", "step cannot be zero"), ("a=int(b)", "cannot be cast to int"),
        ("a=choice()", "at least one value"), ("a=choice(choice(1))", "cannot be nested"),
        ("a=interval(1)", "arguments that it does not take"), ("a=range(start=1,2)", "after a named one"),
        ("a=bool(interval(1,2))", "only be cast to int or float"), ("a=sort(1,b)", "cannot be compared"),
        ("", "has no key"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_shown_with_a_caret(text, said):
    with pytest.raises(OverrideError) as error:
        parse(text)
    assert said in str(error.value)
    assert "^" in str(error.value)


def test_the_caret_stands_under_the_place():
    with pytest.raises(OverrideError) as error:
        parse("a=[1,}]")
    text, caret = error.value.where.splitlines()
    assert text[caret.index("^")] == "}"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1) | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(values)
def test_a_value_shown_reads_back_as_itself(value):
    found = parse_value(show(value))
    assert found == value
    assert type(found) is type(value)


@given(st.text())
def test_any_text_parses_or_is_refused_by_our_own_error(text):
    try:
        override = parse(text)
    except OverrideError:
        return
    assert override.text == text


@given(
    st.lists(st.sampled_from([*"[]{}(),:='\"\\$ .-", "${", "range", "choice", "1", "a", "é"]), max_size=12)
)
def test_any_jumble_of_the_grammars_own_words_parses_or_is_refused(words):
    try:
        parse("key=" + "".join(words))
    except OverrideError:
        return

"""Wherever Hydra 1.3 composes a config, sweeper composes the same one.

Written cases for what is known to be tricky, and generated trees and overrides for the rest.
SWEEPER_EXAMPLES=N tries N trees instead of a few hundred, other ones each time.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import tempfile
import warnings

import pytest
from conftest import TRIES
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

import sweeper
from sweeper.errors import SweeperError

hydra = pytest.importorskip("hydra", reason="hydra-core is not installed")
# Without hydra-core, this folder itself may be taken for the package `hydra`.
if not getattr(hydra, "__version__", "").startswith("1.3."):
    pytest.skip("hydra-core is not installed, or is not 1.3", allow_module_level=True)

# What Hydra refuses and sweeper composes, by what Hydra says of it.
LENIENT = (
    r"OverrideParseException: ",  # the grammar is wider than Hydra's
    r"list indices must be integers or slices",  # an item of a list can be deleted, as in 1.4
    r"Could not delete from config\. '\S*' does not exist",  # so can a null, as in 1.4
    r"primary config '\S*' must be a DictConfig, got ListConfig",  # a list with a package in its header
    r"^AssertionError: ",  # a group whose option is _self_: an accident, and no answer
    r"force-add of config groups is not supported: '\+\+=",  # the top folder is no group here
    r"Config group override must be a string or a list\. Got (int|float|bool|NoneType)",  # nor is it here
    r"HydraConf|'hydra\.",  # the node hydra has no types here; what it says is checked by the program
)


# ------------------------------------------------------------------------------------- comparing


class Refused:
    """What came of a composition that was refused."""

    def __init__(self, error):
        self.error = error

    def __repr__(self):
        cause = self.error.__cause__
        also = f" from {type(cause).__name__}: {cause}" if cause is not None else ""
        return f"{type(self.error).__name__}: {self.error}{also}"


def exact(value):
    """A text that is the same for trees that are the same, in any order of keys; 1 is not 1.0."""
    if isinstance(value, dict):
        items = (f"{exact(key)}: {exact(item)}" for key, item in value.items())
        return "{" + ", ".join(sorted(items)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(exact, value)) + "]"
    return f"{type(value).__name__} {value!r}"


@pytest.fixture(scope="module")
def folder():
    """Folders for trees, in memory where there is such a place."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    path = tempfile.mkdtemp(prefix="sweeper-trees-", dir=base)
    yield path
    shutil.rmtree(path)


COUNTER = itertools.count()


def write(folder, files):
    """Write a tree of configs to a folder of its own."""
    path = os.path.join(folder, str(next(COUNTER)))
    os.makedirs(path)
    for name, text in files.items():
        file = os.path.join(path, name + ".yaml")
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "w", encoding="utf-8") as stream:
            stream.write(text)
    return path


def hydras(path, primary, overrides, version):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with hydra.initialize_config_dir(path, version_base=version):
                config = hydra.compose(primary, overrides)
            return OmegaConf.to_container(config, resolve=False)
        except Exception as error:  # noqa: BLE001  Hydra refuses with whatever it meets
            return Refused(error)


def ours(path, primary, overrides, version):
    try:
        with sweeper.initialize_config_dir(path, version_base=version):
            config = sweeper.compose(primary, overrides)
        return OmegaConf.to_container(config, resolve=False)
    except SweeperError as error:
        return Refused(error)


def both(folder, files, overrides=(), primary="config", version="1.3"):
    path = write(folder, files)
    try:
        return (
            hydras(path, primary, list(overrides), version),
            ours(path, primary, list(overrides), version),
        )
    finally:
        shutil.rmtree(path)


def unchanged(folder, files, overrides, primary, version):
    """Whether a composition leaves what was read from the files as it was, for the next one."""
    path = write(folder, files)
    try:
        before, _, after = (ours(path, primary, asked, version) for asked in ([], overrides, []))
    finally:
        shutil.rmtree(path)
    return repr(before) == repr(after)


def difference(theirs, found):
    """What is wrong with sweeper's result, or nothing."""
    if isinstance(theirs, Refused):
        if isinstance(found, Refused) or any(re.search(said, repr(theirs)) for said in LENIENT):
            return ""
        return f"Hydra refuses: {theirs}\nsweeper composes: {found}"
    if isinstance(found, Refused):
        return f"Hydra composes: {theirs}\nsweeper refuses: {found}"
    if exact(theirs) != exact(found):
        return f"Hydra composes: {theirs}\nsweeper: {found}"
    return ""


# ----------------------------------------------------------------------------------- written cases

DB = {
    "db/mysql": "{name: mysql}",
    "db/pg": "{name: pg}",
    "db/oracle": "{name: oracle}",
}
ERROR = "an error"


def apache(item):
    """A tree in which server/apache includes db in some way."""
    return {
        **DB,
        "config": "defaults: [server: apache]",
        "server/apache": f"defaults: [{item}]\nname: apache",
    }


CASES = {
    "a list of overrides only loses the primary's content to an append": (
        {**DB, "config": "defaults: [override hydra/job_logging: disabled]\nx: 1"},
        ["+db=mysql"],
        {"db": {"name": "mysql"}},
    ),
    "a list of overrides only keeps the primary's content": (
        {**DB, "config": "defaults: [override hydra/job_logging: disabled]\nx: 1"},
        [],
        {"x": 1},
    ),
    "an appended group wins over a primary without a list": (
        {**DB, "config": "db: {name: mine}"},
        ["+db=mysql"],
        {"db": {"name": "mysql"}},
    ),
    "an override comes too late for a group that stands behind it": (
        {**DB, "config": "defaults: [exp: a, db: mysql]", "exp/a": "defaults: [override /db: pg]"},
        [],
        ERROR,
    ),
    "an override changes a group that stands before it": (
        {
            **DB,
            "config": "defaults: [db: mysql, exp: a]",
            "exp/a": "# @package _global_\ndefaults: [override /db: pg]",
        },
        [],
        {"db": {"name": "pg"}},
    ),
    "an override in a config with a package has that package in its key": (
        {**DB, "config": "defaults: [db: mysql, exp: a]", "exp/a": "defaults: [override /db: pg]"},
        [],
        ERROR,
    ),
    "an experiment chosen on the command line overrides": (
        {
            **DB,
            "config": "defaults: [db: mysql]",
            "exp/a": "# @package _global_\ndefaults: [override /db: pg]",
        },
        ["+exp=a"],
        {"db": {"name": "pg"}},
    ),
    "the command line wins over an experiment": (
        {
            **DB,
            "config": "defaults: [db: mysql]",
            "exp/a": "# @package _global_\ndefaults: [override /db: pg]",
        },
        ["+exp=a", "db=oracle"],
        {"db": {"name": "oracle"}},
    ),
    "an appended group is expanded before an override elsewhere": (
        {
            **DB,
            "config": "defaults: [_self_, e1: a]",
            "e1/a": "# @package _global_\ndefaults: [override /db: pg]",
        },
        ["+db=mysql"],
        ERROR,
    ),
    "the later of two siblings overrides": (
        {
            **DB,
            "config": "defaults: [db: mysql, e1: a, e2: a]",
            "e1/a": "# @package _global_\ndefaults: [override /db: pg]",
            "e2/a": "# @package _global_\ndefaults: [override /db: oracle]",
        },
        [],
        {"db": {"name": "oracle"}},
    ),
    "the primary's override wins over a nested one": (
        {
            **DB,
            "config": "defaults: [db: mysql, e1: a, override db: oracle]",
            "e1/a": "# @package _global_\ndefaults: [override /db: pg]",
        },
        [],
        {"db": {"name": "oracle"}},
    ),
    "the first of two overrides in one list wins": (
        {**DB, "config": "defaults: [db: mysql, override db: pg, override db: oracle]"},
        [],
        {"db": {"name": "pg"}},
    ),
    "an absolute group is placed below its parent": (
        apache("/db: mysql"),
        [],
        {"server": {"name": "apache", "db": {"name": "mysql"}}},
    ),
    "a group at a global package": (
        apache("/db@_global_.x: mysql"),
        [],
        {"server": {"name": "apache"}, "x": {"name": "mysql"}},
    ),
    "a group here": (apache("/db@_here_: mysql"), [], {"server": {"name": "apache"}}),
    "a group at its own package": (
        apache("/db@_group_: mysql"),
        [],
        {"server": {"name": "apache"}, "db": {"name": "mysql"}},
    ),
    "a group at a package with its own in it": (
        apache("/db@foo._group_.x: mysql"),
        [],
        {"server": {"name": "apache"}, "foo": {"db": {"x": {"name": "mysql"}}}},
    ),
    "a header moves the children too": (
        {"config": "defaults: [s: b]", "s/b": "# @package foo\ndefaults: [g: a]\nx: 1", "s/g/a": "y: 2"},
        [],
        {"foo": {"x": 1, "g": {"y": 2}}},
    ),
    "a global header moves the children to the top": (
        {"config": "defaults: [s: b]", "s/b": "# @package _global_\ndefaults: [g: a]\nx: 1", "s/g/a": "y: 2"},
        [],
        {"x": 1, "g": {"y": 2}},
    ),
    "a nested group at a package has the package in its key": (
        {"config": "defaults: [s@z: a]", "s/a": "defaults: [db: m]", "s/db/m": "n: m", "s/db/n": "n: n"},
        ["s/db@z.db=n"],
        {"z": {"db": {"n": "n"}}},
    ),
    "a nested group at a package is not known by its plain name": (
        {"config": "defaults: [s@z: a]", "s/a": "defaults: [db: m]", "s/db/m": "n: m", "s/db/n": "n: n"},
        ["s/db=n"],
        ERROR,
    ),
    "a group that stands at two packages needs one of them": (
        {**DB, "config": "defaults: [db@src: mysql, db@dst: mysql]"},
        ["db=pg"],
        ERROR,
    ),
    "a group that stands at two packages, with one of them": (
        {**DB, "config": "defaults: [db@src: mysql, db@dst: mysql]"},
        ["db@src=pg"],
        {"src": {"name": "pg"}, "dst": {"name": "mysql"}},
    ),
    "a diamond is refused": (
        {
            **DB,
            "config": "defaults: [a: x, b: x]",
            "a/x": "# @package _global_\ndefaults: [/db: mysql]",
            "b/x": "# @package _global_\ndefaults: [/db: mysql]",
        },
        [],
        ERROR,
    ),
    "a config may stand twice": (
        {"config": "defaults: [a, b, a]", "a": "x: a", "b": "{x: b, y: b}"},
        [],
        {"x": "a", "y": "b"},
    ),
    "a group appended at its own package is the same group": (
        {**DB, "config": "defaults: [db: mysql]"},
        ["+db@db=pg"],
        ERROR,
    ),
    "a deletion deletes an append too": ({**DB, "config": "defaults: [db: mysql]"}, ["~db", "+db=pg"], {}),
    "an interpolation may stand before what it names": (
        {
            **DB,
            "config": "defaults: [c: 'on_${db}', db: mysql]",
            "c/on_mysql": "x: 1",
        },
        [],
        {"c": {"x": 1}, "db": {"name": "mysql"}},
    ),
    "an interpolation does not know what another one comes to": (
        {"config": "defaults: [a: x, b: '${a}', c: '${b}']", "a/x": "", "b/x": "", "c/x": ""},
        (),
        ERROR,
    ),
    "a nested interpolation knows no relative key": (
        {
            "config": "defaults: [s: a]",
            "s/a": "defaults: [db: m, c: 'on_${db}']",
            "s/db/m": "n: m",
            "s/c/on_m": "x: 1",
        },
        [],
        ERROR,
    ),
    "a nested interpolation knows the whole key": (
        {
            "config": "defaults: [s: a]",
            "s/a": "defaults: [db: m, c: 'on_${s/db}']",
            "s/db/m": "n: m",
            "s/c/on_m": "x: 1",
        },
        [],
        {"s": {"db": {"n": "m"}, "c": {"x": 1}}},
    ),
    "there is no override below an interpolation": (
        {
            **DB,
            "config": "defaults: [db: mysql, c: 'on_${db}']",
            "c/on_mysql": "# @package _global_\ndefaults: [override /db: pg]",
        },
        [],
        ERROR,
    ),
    "a dict on an interpolation whose target is not there yet replaces it": (
        {"config": "defaults: [a, b]\ne: {y: 1}", "a": "d: '${e}'", "b": "d: {z: 1}"},
        [],
        {"e": {"y": 1}, "d": {"z": 1}},
    ),
    "a dict on an interpolation is merged with its target": (
        {"config": "defaults: [_self_, a, b]\ne: {y: 1}", "a": "d: '${e}'", "b": "d: {z: 1}"},
        [],
        {"e": {"y": 1}, "d": {"y": 1, "z": 1}},
    ),
    "an interpolation replaces a dict": (
        {"config": "defaults: [_self_, a, b]\ne: {y: 1}", "a": "d: {x: 1}", "b": "d: '${e}'"},
        [],
        {"e": {"y": 1}, "d": "${e}"},
    ),
    "a list as an option replaces the node": (
        {"config": "defaults: [l: a]", "l/a": "[1, 2, 3]"},
        [],
        {"l": [1, 2, 3]},
    ),
    "the last of several lists stays": (
        {"config": "defaults: [l: [a, b]]", "l/a": "[1, 2, 3]", "l/b": "[4]"},
        [],
        {"l": [4]},
    ),
    "a group of Hydra's own needs the word override": (
        {"config": "defaults: [hydra/job_logging: disabled]"},
        [],
        ERROR,
    ),
    "an override of Hydra's group below a group needs a slash": (
        {
            "config": "defaults: [s: a]",
            "s/a": "# @package _global_\ndefaults: [override hydra/job_logging: disabled]",
        },
        [],
        ERROR,
    ),
    "an override of Hydra's group below a group, with a slash": (
        {
            "config": "defaults: [s: a]",
            "s/a": "# @package _global_\ndefaults: [override /hydra/job_logging: disabled]\nx: 1",
        },
        [],
        {"x": 1},
    ),
    "an empty file is an empty config": ({"config": ""}, [], {}),
    "an unknown keyword has no meaning": (
        {**DB, "config": "defaults: [foo db: mysql]"},
        [],
        {"db": {"name": "mysql"}},
    ),
    "an optional option may be missing": (
        {**DB, "config": "defaults: [optional db: none]\nx: 1"},
        [],
        {"x": 1},
    ),
    "an override of an optional group may be missing": (
        {**DB, "config": "defaults: [optional db: mysql, override db: none]\nx: 1"},
        [],
        {"x": 1},
    ),
    "an optional override may not be missing": (
        {**DB, "config": "defaults: [db: mysql, optional override db: none]\nx: 1"},
        [],
        ERROR,
    ),
    "a rename is dropped": ({**DB, "config": "defaults: ['db@a:b': mysql]"}, [], {"a": {"name": "mysql"}}),
    "an int is no option": ({**DB, "config": "defaults: [db: 1]"}, [], ERROR),
    "an option in a folder keeps the package of its group": (
        {"config": "defaults: [db: sub/x]", "db/sub/x": "defaults: [e: y]\nx: 1", "db/e/y": "y: 1"},
        [],
        {"db": {"x": 1, "e": {"y": 1}}},
    ),
    "an ordinary comment ends the header": (
        {"config": "defaults: [db: x]", "db/x": "# hello\n# @package _global_\nx: 1"},
        [],
        {"db": {"x": 1}},
    ),
    "a package beats the header": (
        {"config": "defaults: [db@p: x]", "db/x": "# @package q\nx: 1"},
        [],
        {"p": {"x": 1}},
    ),
    "a value of a dict merges into the node of a group": (
        {**DB, "config": "defaults: [db: mysql]"},
        ["+db={port: 1}"],
        {"db": {"name": "mysql", "port": 1}},
    ),
    "a new key with slashes is a literal one": ({"config": "x: 1"}, ["+a/b=1"], {"x": 1, "a/b": 1}),
    "a list added replaces a list": ({"config": "x: [1, 2]"}, ["+x=[3]"], {"x": [3]}),
    "a dict added merges": ({"config": "x: {a: 1}"}, ["+x={b: 2}"], {"x": {"a": 1, "b": 2}}),
    "a value is not added where one is": ({"config": "x: 1"}, ["+x=2"], ERROR),
    "a null is added to": ({"config": "x: null"}, ["+x=2"], {"x": 2}),
    "an item of a list is set": ({"config": "x: [1, 2]"}, ["x.0=7"], {"x": [7, 2]}),
    "several options stand at one package": (
        {**DB, "config": "defaults: [db: [mysql, pg]]", "db/pg": "{name: pg, x: 1}"},
        ["db=[pg,mysql]"],
        {"db": {"name": "mysql", "x": 1}},
    ),
    "??? overwrites nothing": ({"config": "defaults: [a, _self_]\nx: ???", "a": "x: 1"}, [], {"x": 1}),
    "??? on an interpolation puts a copy of its target there": (
        {"config": "defaults: [_self_, a, b]\ny: {k: 1}", "a": "x: '${y}'", "b": "x: ???"},
        [],
        {"y": {"k": 1}, "x": {"k": 1}},
    ),
    "a key that is a number is no text": ({"config": "x: {1: a}"}, ["+x.1=b"], {"x": {1: "a", "1": "b"}}),
    "a key that is a number is not deleted by a text": ({"config": "x: {1: a}"}, ["~x.1"], ERROR),
    "a name of a list that is an interpolation is no index": (
        {"config": "x: '${y}'\ny: [1]\na: []", "b": ""},
        ["+x={k: 1}", "a.p=1"],
        ERROR,
    ),
    "a key that is null is refused": ({"config": "null: 1"}, [], ERROR),
    "a set is refused": ({"config": "x: !!set {a, b}"}, [], ERROR),
    "null overwrites": ({"config": "defaults: [a, _self_]\nx: null", "a": "x: {y: 1}"}, [], {"x": None}),
    "YAML's odd words mean what they mean to Hydra": (
        {"config": "x: [yes, off, 010, 12:30:45, 2020-01-01, 1e3, 0x10, 1_000, .5, ~, '1']"},
        [],
        {"x": [True, False, 8, 45045, "2020-01-01", 1000.0, 16, 1000, 0.5, None, "1"]},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_tricky_case_composes_as_in_hydra(folder, case):
    files, overrides, expected = case
    theirs, found = both(folder, files, overrides)
    if expected == ERROR:
        assert isinstance(theirs, Refused), theirs
        assert isinstance(found, Refused), found
    else:
        assert not isinstance(theirs, Refused), theirs
        assert exact(theirs) == exact(expected)
        assert not isinstance(found, Refused), found
        assert exact(found) == exact(expected)


def test_a_primary_in_a_folder_is_placed_at_the_folder(folder):
    theirs, found = both(folder, {"s/b": "x: 1"}, primary="s/b")
    assert theirs == found == {"s": {"x": 1}}


@pytest.mark.parametrize("override", ["x.0.a=2", "++x.0.b=2", "~x.0.a", "x.0.a={c: 1}"])
def test_an_override_in_a_list_is_not_there_the_next_time(folder, override):
    assert unchanged(folder, {"config": "x: [{a: {c: 2}}]"}, [override], "config", "1.3")


def test_no_primary_is_an_empty_config(folder):
    theirs, found = both(folder, DB, ["+db=mysql"], primary=None)
    assert theirs == found == {"db": {"name": "mysql"}}


# ------------------------------------------------------------------------------------- any scalars


@settings(max_examples=TRIES or 400)
@given(
    st.one_of(
        st.text(alphabet="0123456789_+-.eExob:aAfFinINl~", min_size=1, max_size=7),
        st.from_regex(r"[-+]?[0-9_]{0,3}[.:]?[0-9_]{0,3}([eE][-+]?[0-9]{0,2})?", fullmatch=True).filter(bool),
        st.sampled_from(
            [
                "yes",
                "No",
                "on",
                "OFF",
                "y",
                "n",
                "true",
                "Null",
                "~",
                "NULL",
                ".inf",
                "-.INF",
                ".NaN",
                "0o17",
                "0b11",
                "2020-01-01",
                "=",
                "<<",
                "1:20:30",
            ]
        ),
    )
)
def test_a_scalar_of_yaml_is_read_as_omegaconf_reads_it(text):
    from omegaconf._utils import get_yaml_loader  # where Hydra's own loading ends
    from yaml import load

    from sweeper import yamls

    try:
        theirs = load(f"x: {text}", Loader=get_yaml_loader())
    except Exception:  # noqa: BLE001
        theirs = None
    try:
        found = yamls.parse(f"x: {text}", "here")
    except SweeperError:
        assert theirs is None
    else:
        assert theirs is None or exact(found) == exact(theirs)


# ----------------------------------------------------------------------------------- any trees

GROUPS = ["a", "b", "a/c", "s/b"]
NAMES = ["x", "y", "z"]
KEYS = ["k", "l", "m", "a", "b", "p", "1", "k-1"]
SCALARS = [
    *[
        "0",
        "1",
        "1",
        "-7",
        "2.5",
        "1e3",
        ".5",
        "010",
        "yes",
        "off",
        "null",
        "~",
        "???",
        "???",
        "word",
        "'a",
        "b'",
        "'1'",
        "''",
        '"q\\n"',
        "12:30:45",
        "2020-01-01",
    ],
    *["1_000", "0x1F", "on", "é", "1.0", "-.inf"],
]
INTERPOLATIONS = [
    "'${k}'",
    "'${a}'",
    "'${a.k}'",
    "'${b.l}'",
    "'${.k}'",
    "'${..l}'",
    "'u${k}v'",
    "'${oc.env:HOME}'",
    "'${a.${k}}'",
    "'${nope}'",
    "'${p.m}'",
    "'$k'",
]


def flow(items, brackets):
    return brackets[0] + ", ".join(items) + brackets[1]


LEAF = st.one_of(
    st.sampled_from(SCALARS),
    st.sampled_from(SCALARS),
    st.sampled_from(SCALARS),
    st.sampled_from(INTERPOLATIONS),
)
PAIRS = st.deferred(
    lambda: st.lists(
        st.tuples(st.sampled_from(KEYS), NODE), min_size=1, max_size=3, unique_by=lambda pair: pair[0]
    )
)
NODE = st.one_of(
    LEAF,
    LEAF,
    LEAF,
    PAIRS.map(lambda pairs: flow([f"{key}: {value}" for key, value in pairs], "{}")),
    st.lists(st.deferred(lambda: NODE), max_size=2).map(lambda items: flow(items, "[]")),
)
PACKAGE = st.sampled_from(
    [
        "p",
        "p.q",
        "a",
        "b",
        "_here_",
        "_global_",
        "_global_.p",
        "_group_",
        "p._group_.q",
        "_global_.a.b",
        "p:r",
        "k",
    ]
)
ODD_OPTION = st.sampled_from(
    [
        "null",
        "???",
        "[x, y]",
        "[x]",
        "[]",
        "'${a}'",
        "'${a/c}'",
        "'${b}'",
        "nope",
        "x.yaml",
        "c/x",
        "1",
        "'${a@p}'",
    ]
)


def one_in(draw, count):
    """True once in so many times; hypothesis' own small integers are far from even."""
    return draw(st.integers(0, 2**16)) % count == 1


@st.composite
def items(draw, group, known):
    """One item of a defaults list, as text: most times of a group that is there, in all of the forms."""
    if one_in(draw, 12):
        path = draw(
            st.sampled_from(["other", "/other", "/a/x", "a/x", "x", "../a/x", "o${a}", "/s/b/y", "a/${b}"])
        )
        return repr(path + (f"@{draw(PACKAGE)}" if one_in(draw, 2) else ""))
    if one_in(draw, 25):
        return draw(
            st.sampled_from(
                [
                    "override hydra/job_logging: disabled",
                    "override /hydra/job_logging: stdout",
                    "s: x",
                    "/a: _self_",
                ]
            )
        )
    below = (
        [name[len(group) + 1 :] for name in known if name.startswith(f"{group}/")] if group else list(known)
    )
    if below and not one_in(draw, 8):
        name = draw(st.sampled_from(below))
    else:
        name = "/" + draw(st.sampled_from(sorted(known)))
    word = draw(st.sampled_from(["foo ", "optional override ", "optional "])) if one_in(draw, 8) else ""
    if one_in(draw, 5):
        word = "override "
    package = f"@{draw(PACKAGE)}" if one_in(draw, 4) else ""
    option = draw(
        ODD_OPTION if one_in(draw, 4) else st.sampled_from(known[name.lstrip("/")]) if name in known else NAME
    )
    return f"{word}{name}{package}: {option}"


NAME = st.sampled_from(NAMES)


@st.composite
def file_texts(draw, group, known):
    lines = []
    if one_in(draw, 6):
        header = draw(st.sampled_from(["_global_", "_global_", "p", "_global_.a", "_group_", "p.q", "a"]))
        lines.append(f"# @package {header}")
    if one_in(draw, 30):
        return "\n".join([*lines, draw(st.sampled_from(["[1, 2]", "[{k: 1}]", "", "word", "{}", "null"]))])
    if not group or one_in(draw, 3):
        listed = draw(st.lists(items(group, known), max_size=3))
        if not one_in(draw, 10):
            listed.sort(key=lambda item: "override" in item)
        if one_in(draw, 2):
            listed.insert(draw(st.integers(0, len(listed))), "_self_")
        if listed:
            lines += ["defaults:", *(f"- {item}" for item in listed)]
    for key, value in draw(PAIRS) if not one_in(draw, 4) else ():
        lines.append(f"{key}: {value}")
    return "\n".join(lines) + "\n"


VALUES = st.sampled_from(
    [
        "1",
        "2.5",
        "word",
        "null",
        "???",
        "[1,2]",
        "{k: 1}",
        "{k: {m: 2}}",
        "${a}",
        "${k}",
        "",
        "'1'",
        "[]",
        "{}",
        "[{k: 1}]",
        "{1: x}",
        "true",
        "a b",
        "${a.k}",
    ]
)
VALUE_KEYS = st.one_of(
    st.sampled_from(KEYS[:-2]),
    st.builds(
        lambda a, b: f"{a}.{b}", st.sampled_from([*KEYS[:-2], "p.q", "s.b", "a.c"]), st.sampled_from(KEYS)
    ),
    st.sampled_from(["a.c.k", "s.b.k", "k.l.m", "l.0", "l.0.k", "l.-1", "new", "new.er", "a/n", "", "k-1"]),
)
SIGN = st.sampled_from(["", "", "+", "++", "++", "~"])


@st.composite
def overrides(draw, files, known):
    """One override: of a group or of a value, most times in a way that has a meaning."""
    if known and not one_in(draw, 3):
        if one_in(draw, 20):
            return draw(
                st.sampled_from(["hydra/job_logging=disabled", "hydra.run.dir=x", "+nope=x", "nope@p=x"])
            )
        group = draw(st.sampled_from(list(known)))
        package = ""
        if one_in(draw, 5):
            package = (
                f"@{draw(st.sampled_from(['p', 'a', 'p.q', '_global_', 's.b', 'a.c', 'p.c', 'p.b', '']))}"
            )
        listed = re.search(rf"^- /?{group}(@\S+)?: ", files["config"], re.MULTILINE)
        if listed and one_in(draw, 2):
            package = (listed[1] or "").split(":")[0]
        sign = draw(st.sampled_from(["", "", "~"])) if listed else "+"
        if one_in(draw, 10):
            sign = draw(st.sampled_from(["", "+", "~", "++"]))
        option = draw(st.sampled_from(known[group]))
        if one_in(draw, 6):
            option = draw(
                st.sampled_from(
                    ["[x,y]", "[x]", "[]", "null", "'1'", "1", "nope", "{k: 1}", "${a}", "${b}", "c/x", "{}"]
                )
            )
        if sign == "~" and one_in(draw, 2):
            return f"~{group}{package}"
        return f"{sign}{group}{package}={option}"
    return draw(value_overrides())


@st.composite
def value_overrides(draw):
    sign, key = draw(SIGN), draw(VALUE_KEYS)
    if sign == "~" and not one_in(draw, 3):
        return f"~{key}"
    return f"{sign}{key}={draw(VALUES)}"


@st.composite
def trees(draw):
    """Files, a primary config's name, overrides and a version."""
    groups = draw(st.lists(st.sampled_from(GROUPS), min_size=2, max_size=4, unique=True))
    known = {group: NAMES[: draw(st.integers(1, 3))] for group in groups}
    files = {"config": draw(file_texts("", known)), "other": draw(file_texts("", known))}
    for group, names in known.items():
        for name in names:
            files[f"{group}/{name}"] = draw(file_texts(group, known))
    primary = draw(st.sampled_from(["a/x", "other", None])) if one_in(draw, 12) else "config"
    asked = draw(st.lists(overrides(files, known), max_size=3))
    version = draw(st.sampled_from(["1.1", "1.2"])) if one_in(draw, 4) else "1.3"
    return files, primary, asked, version


@st.composite
def merges(draw):
    """The same for up to three files that are merged, and values that are changed."""
    contents = draw(st.lists(PAIRS, min_size=1, max_size=3))
    files = {
        f"f{n}": "\n".join(f"{key}: {value}" for key, value in pairs) for n, pairs in enumerate(contents)
    }
    files["config"] = "defaults: [" + ", ".join(files) + "]"
    return files, "config", draw(st.lists(value_overrides(), max_size=3)), "1.3"


@settings(max_examples=TRIES or 120)
@given(trees())
def test_what_hydra_composes_is_composed_as_the_same(folder, tree):
    files, primary, asked, version = tree
    theirs, found = both(folder, files, asked, primary, version)
    assert not difference(theirs, found)
    assert unchanged(folder, files, asked, primary, version)


@settings(max_examples=TRIES or 80)
@given(merges())
def test_files_merge_and_values_change_as_in_hydra(folder, tree):
    files, primary, asked, version = tree
    theirs, found = both(folder, files, asked, primary, version)
    assert not difference(theirs, found)
    assert unchanged(folder, files, asked, primary, version)

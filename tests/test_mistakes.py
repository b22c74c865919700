"""Each mistake is answered in a few lines: what is wrong, where it stands, what to do."""

import pytest

CONFIGS = {
    "config": "defaults: [db: mysql, _self_]\nx: 1\nl: [1, 2]\nm: {a: 1}\n",
    "db__mysql": "port: 1\n",
    "db__pg": "port: 2\n",
    "number": "x: 1\ndefaults:\n  - db: 1\n",
    "mapping": "defaults: {db: mysql}\n",
    "keyword": "defaults:\n  - db: mysql\n  - optional a\n",
    "header": "# @package a b\nx: 1\n",
    "twice": "x: 1\ny: 2\nx: 3\n",
    "tag": "x: 1\ny: !!python/object:os.system a\n",
    "broken": "x: [1, 2\ny: 3\n",
    "must": "defaults:\n  - db: ???\n",
    "place": "defaults:\n  - db: mysql\n  - other: ${defaults.0.db}\n",
    "nowhere": "defaults:\n  - _self_\n  - model: gbm\n",
    "late": "defaults:\n  - override db: pg\n  - db: mysql\n",
    "chosen": "defaults:\n  - db: mysql\n  - /db@db: pg\n",
    "outer": "defaults: [s: inner]\n",
    "s__inner": "# @package _global_\nhydra: {searchpath: [a]}\n",
}
MISTAKES = [
    # the command line                 what is wrong                        where             what to do
    ("x#=1", "a key that cannot be read", "x#=1\n       ^", "names begin with a letter"),
    ("x=[1,2", "a list that is not closed", "x=[1,2\n            ^", "Close it with ]"),
    ("x=foo(1)", "calls 'foo', which is no function", "^", "write foo\\("),
    ("x=range(1,2,3,4)", "arguments that it does not take", "^", "range(start, stop, step=1)"),
    ("x=1,2", "has several values", "x=1,2", "add -m; a list is x=[1, 2]"),
    ("x=${nothing}", "Interpolation key 'nothing' not found", "x=${nothing}", "\\${…}"),
    ("y=1", "the config has no key 'y'", "    y=1", "To add the key write +y=1"),
    ("+x=1", "adds a key that is there already", "+x=1", "To change it write x=1"),
    ("~ll", "Cannot delete 'll'", "'ll'", "Did you mean 'l'?"),
    ("x =1", "has no value", "x", "write x=VALUE"),
    ("m.b=1", "the config has no key 'm.b'", "    m.b=1", "'m' has a."),
    ("db=null", "chooses null, but 'db' is a group", "db=null", "To choose none of them write ~db"),
    ("db=pgg", "'db' has no option 'pgg'", "    db=pgg", "Did you mean 'pg'?"),
    ("+db=pg", "chosen twice: pg and mysql", "config.yaml:1", "db=pg without +"),
    ("++db=pg", "forces a group's choice", "++db=pg", "to change it db=pg"),
    ("foo@bar=1", "there is no group 'foo'", "foo@bar=1", "without '@'"),
    ("-m x=interval(0,1)", "A grid has no end", "x=interval(0.0, 1.0)", "--search tpe"),
    ("--trails 3", "There is no flag --trails", "--trails", "Did you mean '--trials'"),
    ("-cn cnfig", "There is no config 'cnfig' to begin with", "file://", "Did you mean 'config'?"),
    ("-cn number", "must name an option by a text", "number.yaml:3", "Quote it: db: '1'"),
    ("-cn mapping", "The defaults list must be a list", "mapping.yaml", "Write each item as - group: option"),
    ("-cn keyword", "There is no config 'optional a'", "keyword.yaml:3", "- optional GROUP: OPTION"),
    ("-cn header", "must be one keyword and one value", "header.yaml", "# @package _global_"),
    ("-cn twice", "the key 'x' stands twice", "twice.yaml:3:1", ""),
    ("-cn tag", "the tag '!!python/object:os.system'", "tag.yaml:2:4", "A config is data"),
    ("-cn broken", "did not find expected ',' or ']'", "broken.yaml:2:2", ""),
    ("-cn must", "An option of the group 'db' must be chosen", "must.yaml:2", "Write db=OPTION"),
    ("-cn place", "names another item by its place", "defaults.0.db", "Write ${group}"),
    ("-cn nowhere", "'model' has no option 'gbm'", "nowhere.yaml:3", "There is no folder 'model'"),
    ("-cn late", "has 'db' after the override of 'db'", "late.yaml", "Move the overrides to the end"),
    ("-cn chosen", "chosen twice", "chosen.yaml:", "override db"),
    ("-cn outer", "hydra.searchpath can only be set in the primary config", "s/inner.yaml", ""),
]


@pytest.mark.parametrize(("line", "what", "where", "hint"), MISTAKES, ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_answered_with_what_where_and_what_to_do(parabola, line, what, where, hint):
    ended = parabola.write(**CONFIGS).run(*line.split(), code=2)
    assert what in ended.err
    assert where in ended.err
    assert hint in ended.err
    assert "Traceback" not in ended.err
    assert len(ended.err.splitlines()) <= 8
    assert not list(parabola.folder.glob("outputs/*"))


SPACES = {
    "config": "defaults: [model: tree]\nx: 1\nlr: 0.1\n",
    "model__tree": "depth: 3\n_space_: {depth: 'range(1, 9)'}\n",
    "model__net": "width: 8\n_space_: {width: 'interval(9, 1)'}\n",
    "model__log": "width: 8\n_space_: {width: 'interval(0, 1, log=true)'}\n",
    "model__odd": "width: 8\n_space_: {wdth: 'interval(1, 9)'}\n",
    "model__bad": "width: 8\n_space_: [1, 2]\n",
    "model__word": "width: 8\n_space_: {width: 'intervall(1, 9)'}\n",
}
WRONG_SPACES = [
    ("x=interval(5,1)", "interval(5.0, 1.0) is empty", "Write interval(1.0, 5.0)."),
    ("x=range(5,5)", "range(5, 5) is empty", "Its end is excluded"),
    ("lr=interval(0,1,log=true)", "has no logarithm", "Begin it above zero."),
    ("lr=interval(0,inf)", "has no finite ends", "lr=interval(0,inf)"),
    ("model=tree,nett", "'model' has no option 'nett'", "Did you mean 'net'"),
    ("mdel=tree,net", "the config has no key 'mdel'", "Did you mean 'model'?"),
    ("model=tree,net", "interval(9.0, 1.0) is empty", "model/net"),
    ("model=tree,log", "has no logarithm", "model/log"),
    ("model=tree,odd", "'model.wdth', but the config has no such key", "in model/odd"),
    ("model=tree,bad", "must map keys to ranges", "_space_: {depth: 'range(2, 9)'}"),
    ("model=tree,word", "calls 'intervall', which is no function", "interval"),
    ("x=5 lr=0.5 model=tree model.depth=2", "There is nothing to search", "lr=interval(1e-4, 1, log=true)"),
    ("x=1,2 sweeper.search.constraint=x>5", "No point was found that the constraints allow", "constraint"),
    ("x=1,2 sweeper.search.constraint=wdth>5", "names 'wdth', but the config has no such key", "wdth>5"),
    ("x=1,2 sweeper.space={x:'interval(1'}", "interval(1", "sweeper.space"),
    ("x=1,2 sweeper.space={y:'range(1,3)'}", "no key 'y'", "y"),
    ("--trials 0 x=1,2", "sweeper.search.trials must be 1 or more, not 0", ""),
    ("~x=1,2", "deletes several values", "~KEY"),
]


@pytest.mark.parametrize(("line", "what", "hint"), WRONG_SPACES, ids=[row[0] for row in WRONG_SPACES])
def test_a_space_that_cannot_be_searched_says_why(parabola, line, what, hint):
    ended = parabola.write(**SPACES).run("--search", "random", *line.split(" "), code=2)
    assert what in ended.err
    assert hint in ended.err
    assert "Traceback" not in ended.err
    assert not list(parabola.folder.glob("multirun/*/*/0"))


def test_more_trials_than_points_end_with_the_points(parabola):
    ended = parabola.run("--search", "tpe", "--trials", "50", "x=range(0,6)")
    assert len(ended.results) == 6
    assert "(the space is exhausted)" in ended.out

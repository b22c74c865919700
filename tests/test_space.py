"""Spaces: which values there are, and which parameters exist where."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.constraint import Constraint
from sweeper.errors import SpaceError
from sweeper.grammar import parse
from sweeper.points import Points
from sweeper.search.grid import Grid
from sweeper.search.zip import Zip
from sweeper.space import Choices, Floats, Integers, Space, domain_of, parameter

HUGE = f"range(0,{2**63})"


def domain(text):
    return domain_of(parse(f"x={text}").value, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,2,1", Choices((1, 2))),
        ("true,1", Choices((True, 1))),
        ("range(1,4)", Integers(1, 3)),
        ("range(0,10,3)", Integers(0, 9, 3)),
        ("range(3,0,-1)", Choices((3, 2, 1), ordered=True)),
        ("range(0,1,0.5)", Choices((0.0, 0.5), ordered=True)),
        ("interval(0,1)", Floats(0.0, 1.0)),
        ("tag(log,interval(1,10))", Floats(1.0, 10.0, log=True)),
        ("int(interval(1,10,log=true))", Integers(1, 10, log=True)),
    ],
)
def test_what_ranges_mean_is_decided_once_for_every_search(text, expected):
    assert domain(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("range(4,4)", "is empty"), ("range(4,1)", "is empty"), ("interval(1,0)", "Write interval(0.0, 1.0)"),
        ("interval(0,1,log=true)", "no logarithm"), ("glob(z*)", "matches no option"),
        ("interval(0,inf)", "no finite ends"), (f"range(0,1{'0' * 330})", "no finite ends"),
        ("interval(-1.7e308,1.7e308)", "lie too far apart"),
    ],
)  # fmt: skip
def test_an_impossible_range_is_refused(text, said):
    with pytest.raises(SpaceError, match=said.replace("(", r"\(").replace(")", r"\)")):
        domain(text)


@given(st.sampled_from(["1,2,3", "range(2,9,3)", "interval(-1,2)", "interval(1e-3,1,log=true)",
                        "int(interval(1,1000,log=true))", "range(0,1,0.25)", HUGE]), st.integers())  # fmt: skip
def test_what_is_drawn_is_within(text, seed):
    found = domain(text)
    assert found.contains(found.sample(Random(seed)))


@pytest.mark.parametrize(
    "text", ["1,2,3", "range(2,9,3)", "interval(-1,2)", "int(interval(1,7))", "range(0,1,0.25)"]
)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), "a", None, True])
def test_what_is_no_number_of_a_range_is_not_within(text, value):
    assert not domain(text).contains(value)


@pytest.mark.parametrize("text", ["range(2,9,3)", "a,b,c", "int(interval(1,7))", "range(0,1,0.25)"])
def test_a_declaration_shown_means_the_same(text):
    assert list(map(domain(domain(text).describe()).at, range(domain(text).size))) == list(
        map(domain(text).at, range(domain(text).size))
    )


@pytest.mark.parametrize(
    ("text", "default", "first"),
    [("interval(0,1)", 0.3, 0.3), ("interval(0,1)", 7, 1.0), ("int(interval(2,9))", None, 6),
     ("range(0,10,4)", 5, 4), ("a,b", "b", "b"), ("a,b", "c", "a"), ("interval(1,100,log=true)", "x", 10.0),
     ("interval(1e-300,1e-200,log=true)", None, 1e-250), (HUGE, 2**63 - 1, 2**63 - 1), (HUGE, 2**62 + 1, 2**62 + 1),
     (HUGE, 1e300, 2**63 - 1), ("int(interval(1,1000000000000000000,log=true))", None, 10**9)],
)  # fmt: skip
def test_the_first_value_is_the_configs_own_or_the_nearest(text, default, first):
    found = parameter(parse(f"x={text}"), "x", default=default, has_default=default is not None)
    assert found.first() == first


@pytest.mark.parametrize("text", [HUGE, f"int(interval(1,{2**63},log=true))", f"range(-7,{10**20},3)"])
@pytest.mark.parametrize("unit", [0.0, 0.5, 0.9999999999999999, 1.0])
def test_integers_that_are_no_floats_stay_within(text, unit):
    found = domain(text)
    value = found.from_unit(unit)
    assert found.contains(value)
    assert found.nearest(value) == value


@pytest.fixture
def models(project):
    return project.write(
        config="""
            defaults: [model: tree, _self_]
            seed: 1
        """,
        model__tree="""
            depth: 3
            _space_:
              depth: range(2, 9)
        """,
        model__net="""
            defaults: [head: small]
            width: 64
            lr: 0.1
            _space_:
              width: [32, 64]
              lr: interval(1e-4, 1, log=true)
        """,
        model__net_plain="width: 1\n",
        model__head__small="size: 1\n_space_: {size: 'int(interval(1, 4))'}\n",
        model__head__none="{}\n",
    )


def names(space, **chosen):
    return {p.key for p in space.active(chosen)}


def points(project, *overrides):
    return Points(project.plan("sweeper/search=random", *overrides))


def test_an_options_space_is_taken_out_of_the_config(models):
    assert models.compose() == {"model": {"depth": 3}, "seed": 1}


def test_options_of_the_store_and_a_config_from_python_declare_spaces_as_files_do(project):
    project.write(
        train_py="""
        import sys
        import sweeper
        from sweeper.core.config_store import ConfigStore

        store = ConfigStore.instance()
        store.store(name="config", node={"defaults": [{"model": "tree"}]})
        store.store(group="model", name="tree", node={"depth": 3, "_space_": {"depth": "range(1, 3)"}})
        store.store(group="model", name="net", node={"lr": 0.1})

        @sweeper.main(config_name="config")
        def train(cfg):
            assert "_space_" not in cfg.model
            return cfg.model.get("depth", 9)

        def plain(cfg):
            return cfg.x if "_space_" not in cfg else None

        if __name__ == "__main__":
            if len(sys.argv) > 1:
                train()
            else:
                given = {"x": 1, "_space_": {"x": [1, 2]}}
                print(sorted(run.score for run in sweeper.sweep(plain, config=given, search="random", quiet=True).runs))
    """
    )
    ended = project.run("--search", "random", "model=tree,net")
    assert sorted((row["model"], row["model.depth"]) for row in ended.results) == [
        ("net", ""), ("tree", "1"), ("tree", "2"),
    ]  # fmt: skip
    assert project.run().out == "[1, 2]\n"


def test_a_parameter_exists_exactly_where_its_file_is_composed_in(models):
    space = points(models, "model=tree,net").space
    assert names(space) == {"model"}
    assert names(space, model="tree") == {"model", "model.depth"}
    assert names(space, model="net") == {"model", "model.width", "model.lr", "model.head.size"}


def test_parameters_are_conditional_to_any_depth(models):
    space = points(models, "model=net", "model/head=small,none").space
    assert names(space, **{"model/head": "none"}) == {"model/head", "model.width", "model.lr"}
    assert "model.head.size" in names(space, **{"model/head": "small"})


def test_a_space_may_declare_a_group_whose_options_declare_more(models):
    models.write(model__net="defaults: [head: none]\n_space_:\n  /model/head: small,none\n")
    space = points(models, "model=tree,net").space
    found = space.complete(lambda p: {"model": "net"}.get(p.key, p.domain.at(0)))
    assert {p.key: found[p.name] for p in space.active(found)} == {
        "model": "net", "model/head": "small", "model.head.size": 1,
    }  # fmt: skip


def test_the_command_line_fixes_and_replaces_what_is_declared(models):
    space = points(models, "model.depth=5").space
    assert names(space) == set()
    space = points(models, "model.depth=range(2,4)").space
    assert [p.domain for p in space.active({})] == [Integers(2, 3)]


def test_the_configs_space_comes_between(models):
    models.write(config="defaults: [model: tree]\nsweeper: {space: {model: {depth: 'range(5, 7)'}}}\n")
    assert [p.domain for p in points(models).space.active({})] == [Integers(5, 6)]
    assert [p.domain for p in points(models, "model.depth=1,2").space.active({})] == [Choices((1, 2))]


def test_an_override_of_a_declared_key_applies_only_where_its_option_is_chosen(models):
    found = points(models, "model=tree,net", "model.depth=7", "model.lr=0.5,0.6")
    assert names(found.space, model="tree") == {"model"}
    assert "model.lr" in names(found.space, model="net")
    assert found.compose({"model": "tree"}).tree["model"] == {"depth": 7}
    net = found.space.complete(lambda p: "net" if p.key == "model" else p.domain.at(0))
    assert found.compose(net).tree["model"]["lr"] == 0.5
    assert "depth" not in found.compose(net).tree["model"]


def test_everything_else_stays_strict(models):
    with pytest.raises(Exception, match="no key 'model.dpth'"):
        found = points(models, "model=tree,net", "model.dpth=7")
        found.compose(found.space.first())


def test_a_scalar_fixes_and_null_drops(models):
    models.write(model__tree="depth: 3\nleaf: 1\n_space_: {depth: 5, leaf: 'range(1, 9)'}\n")
    found = points(models)
    assert found.compose(found.space.first()).tree["model"] == {"depth": 5, "leaf": 1}
    assert names(points(models, "~model._space_.leaf").space) == {"model.depth"}


def test_one_key_in_two_options_is_two_parameters_and_one_param(models):
    models.write(model__tree="lr: 1.0\n_space_: {lr: 'interval(0, 2)'}\n")
    space = points(models, "model=tree,net").space
    tree, net = ({p.key: p for p in space.active({"model": m})}["model.lr"] for m in ("tree", "net"))
    assert tree.name != net.name
    assert space.params({"model": "tree", tree.name: 1.0}) == {"model": "tree", "model.lr": 1.0}


def test_an_option_that_does_not_exist_is_said_before_anything_runs(models):
    with pytest.raises(Exception, match="'model' has no option 'nett'"):
        points(models, "model=tree,nett")


def test_a_grid_does_not_look_at_declared_spaces(models):
    grid = Points(models.plan("model=tree,net"))
    assert list(grid.space.points()) == [{"model": "tree"}, {"model": "net"}]


def test_combinations_are_composed_only_when_they_are_needed(models):
    found = points(models, "model=tree,net")
    found.space.active({"model": "tree"})
    assert len(found._branches) == 1


def test_a_grid_of_any_size_is_never_made():
    space = Space(tuple(parameter(parse(f"{n}=range(0,1000)"), n) for n in "abc"))
    assert Grid().size(space) == 10**9
    points = Grid().points(space)
    assert [next(points) for _ in range(1001)][-1] == {"a": 0, "b": 1, "c": 0}


def test_zip_pairs_values_and_keeps_single_ones():
    space = Space(tuple(parameter(parse(text), text) for text in ("a=1,2", "b=range(5,7)", "c=choice(x)")))
    assert list(Zip().points(space)) == [{"a": 1, "b": 5, "c": "x"}, {"a": 2, "b": 6, "c": "x"}]


@pytest.mark.parametrize(
    ("text", "values", "holds"),
    [
        ("depth * width < 64", {"depth": 4, "width": 8}, True),
        ("depth * width < 64", {"depth": 8, "width": 8}, False),
        ("model.depth > 2 and not model.wide", {"model.depth": 3, "model.wide": False}, True),
        ("1 <= a <= b", {"a": 2, "b": 1}, False),
        ("model in ['tree', 'net'] or a == null", {"model": "tree", "a": 1}, True),
        ("opt/sched == 'cosine'", {"opt/sched": "step"}, False),
        ("a / b == 2", {"a": 4, "b": 2}, True),
        ("log10(lr) < -2 if fast else True", {"lr": 0.1, "fast": True}, False),
        ("depth < 3", {}, True),  # has nothing to say where there is no depth
    ],
)
def test_a_constraint_is_calculated_from_the_values_of_keys(text, values, holds):
    assert Constraint(text).holds(values.__getitem__) is holds


@pytest.mark.parametrize(
    "text",
    ["a <", "open('x')", "a.__class__()", "[x for x in a]", "lambda: 1", "a | b", "a is b", "f'{a}'", "a[0]",
     "(a := 1)", "min(a, key=b)", "9 ** 9 ** 9", "a + 'x'", "1 / 0"],
)  # fmt: skip
def test_what_is_no_constraint_is_refused_and_never_run(text):
    with pytest.raises(SpaceError):
        Constraint(text).holds({"a": 1, "b": 2}.__getitem__)

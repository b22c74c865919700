"""Which points a sweep runs: lists of them, those to try first, those that constraints allow."""

import re

import pytest

TRAIN = """
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        return (cfg.x - 3) ** 2 + cfg.get("y", 0)

    if __name__ == "__main__":
        train()
"""


@pytest.fixture
def plane(project):
    return project.write(config="x: 1\ny: 1\n", train_py=TRAIN)


def points(ended, *keys):
    return [tuple(float(row[key]) for key in keys) for row in ended.results]


def test_zip_runs_values_in_pairs(plane):
    ended = plane.run("--search", "zip", "x=1,2,3", "y=range(4,7)")
    assert points(ended, "x", "y") == [(1, 4), (2, 5), (3, 6)]
    assert ended.out.startswith("zip: 3 runs")


def test_a_list_of_points_is_run_as_it_stands(plane):
    ended = plane.run("--search", "points", "sweeper.search.points=[{x: 1, y: 5}, {x: 7, y: 2}]")
    assert points(ended, "x", "y") == [(1, 5), (7, 2)]


def test_points_may_add_keys_as_overrides_do(plane):
    ended = plane.run("--search", "points", "sweeper.search.points=[{'+z': 1, x: 2}, {x: 3, '+z': 4}]")
    assert points(ended, "z", "x") == [(1, 2), (4, 3)]
    ended = plane.run(
        "--search", "random", "--trials", "2", "+z=range(0,9)", "sweeper.search.first=[{'+z': 7}]"
    )
    assert ended.results[1]["z"] == "7"


def test_points_to_try_first_come_after_the_configs_own(plane):
    ended = plane.run(
        "--search", "random", "--trials", "4", "x=interval(0, 10)", "y=range(0, 5)",
        "sweeper.search.first=[{x: 2.5}, {x: 3, y: 4}]",
    )  # fmt: skip
    assert points(ended, "x", "y")[:3] == [(1, 1), (2.5, 1), (3, 4)]


def test_a_constraint_keeps_a_grid_and_a_search_to_what_it_allows(plane):
    plane.write(config="x: 1\ny: 1\nmost: 4\nsweeper: {search: {constraint: 'x + y <= most'}}\n")
    grid = plane.run("-m", "x=range(0,4)", "y=range(0,4)")
    assert points(grid, "x", "y") == [(x, y) for x in range(4) for y in range(4) if x + y <= 4]
    for search in ("random", "tpe", "gp"):
        found = plane.run("--search", search, "--trials", "12", "x=range(0,4)", "y=interval(0, 4)")
        assert len(found.results) == 12
        assert all(x + y <= 4 for x, y in points(found, "x", "y"))


def test_a_constraint_on_an_option_holds_where_it_is_chosen(project):
    project.write(
        config="defaults: [model: tree]\nx: 1\n",
        model__tree="depth: 3\n_space_: {depth: 'range(1, 9)'}\n",
        model__net="width: 8\n",
        train_py=TRAIN,
    )
    ended = project.run(
        "--search", "random", "--trials", "8", "model=tree,net", "x=range(0, 9)",
        "sweeper.search.constraint=[model.depth <= x, \"model == 'tree' or x > 6\"]", "sweeper.search.seed=1",
    )  # fmt: skip
    rows = ended.results
    assert {row["model"] for row in rows} == {"tree", "net"}
    assert all(int(row["model.depth"]) <= int(row["x"]) for row in rows if row["model"] == "tree")
    assert all(int(row["x"]) > 6 for row in rows if row["model"] == "net")


def test_a_resumed_list_goes_on_where_it_was(plane):
    ended = plane.run("-m", "x=range(0,5)", "y=1,2", "sweeper.search.constraint=x != 2", "--trials", "3")
    more = plane.run("--resume", str(ended.sweep), "sweeper.search.trials=100")
    assert points(more, "x", "y") == [(x, y) for x in (0, 1, 3, 4) for y in (1, 2)]


def test_several_experiments_have_their_own_spaces_in_one_sweep(project):
    project.write(
        config="x: 1\ny: 1\n",
        experiment__near="# @package _global_\nx: 2\n_space_: {x: 'interval(2, 4)'}\n",
        experiment__far="# @package _global_\ny: 5\n_space_: {y: 'interval(5, 9)'}\n",
        train_py=TRAIN,
    )
    rows = project.run(
        "--search", "tpe", "--trials", "16", "+experiment=near,far", "sweeper.search.seed=1"
    ).results
    assert {row["experiment"] for row in rows} == {"near", "far"}
    for row in rows:
        assert bool(row["x"]) == (row["experiment"] == "near")
        assert bool(row["y"]) == (row["experiment"] == "far")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--search", "zip", "x=1,2", "y=1,2,3"], "all parameters need as many: x has 2, y has 3"),
        (["--search", "zip", "x=interval(0,1)"], "x has no end of them"),
        (["--search", "points"], "There are no points to run"),
        (["--search", "points", "sweeper.search.points=[{x: 1}, {y: 1}]"], "Point 2 has y, but the first has x"),
        (["--search", "points", "sweeper.search.points=[{x: 1}]", "x=1,2"], "'x=1,2' has no place"),
        (["--search", "points", "sweeper.search.points=[{z: 1}]"], "no key 'z'"),
        (["--search", "random", "x=1,2", "sweeper.search.first=[{x: 5}]"], "x is never 5, but one of choice(1, 2)"),
        (["--search", "random", "x=1,2", "sweeper.search.first=[{z: 5}]"], "'z' is not searched there"),
        (["--search", "random", "x=1,2", "sweeper.search.first=[5]"], "A point maps keys to values"),
        (["--search", "random", "x=1,2", "sweeper.search.constraint=z > 1"], "names 'z', but the config has no"),
        (["--search", "random", "x=1,2", "sweeper.search.constraint=x >"], "cannot be read"),
        (["--search", "random", "x=interval(0,1)", "sweeper.search.constraint=x > 2"], "No point was found"),
        (["--search", "random", "x=1,2", "sweeper.search.constraint=x + name"], "cannot be calculated"),
    ],
)  # fmt: skip
def test_a_list_or_a_constraint_that_means_nothing_is_a_mistake(plane, arguments, said):
    plane.write(config="x: 1\ny: 1\nname: a\n")
    ended = plane.run(*arguments, code=2)
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_the_first_point_of_a_search_over_groups_has_the_configs_own_options(project):
    project.write(
        config="defaults: [model: net, sched: long]\nx: 1\n",
        model__net="width: 8\n",
        model__tree="depth: 3\n",
        sched__long="t: 9\n",
        sched__cold="t: 1\n",
        train_py=TRAIN,
    )
    (row,) = project.run("--search", "random", "--trials", "1", "model=tree,net", "sched=glob(*)").results
    assert (row["model"], row["sched"]) == ("net", "long")


def test_a_dry_run_lists_all_points_of_a_search_that_needs_no_scores(plane):
    for search in ("random", "sobol", "lhs"):
        words = ("--search", search, "--trials", "5", "x=interval(0,9)", "sweeper.search.seed=3")
        listed = [line.split("x=")[1] for line in plane.run(*words, "--dry-run").out.splitlines()]
        assert listed == [row["x"] for row in plane.run(*words).results]
    assert len(plane.run("--search", "tpe", "x=interval(0,9)", "--dry-run").out.splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "made"),
    [
        ("x=1,2 x=5", ["x=5"]),
        ("x=5 x=1,2", ["x=5 x=1", "x=5 x=2"]),
        ("x=1,2 x=3,4", ["x=3", "x=4"]),
        ("x=1,2 x=5 x=7", ["x=5 x=7"]),
        ("+z=1,2 z=5", ["+z=5"]),
        ("+z=1,2 z=5 z=7", ["+z=5 z=7"]),
        ("+z=1,2 z=3,4", ["+z=3", "+z=4"]),
        ("++z=1,2 z=5", ["++z=5"]),
        ("y=1,2 ~y", ["'~y'"]),
        ("+z=1,2 ~z", [""]),
        ("m=a,b m=b", ["m=b"]),
        ("+n=a,b n=b", ["+n=b"]),
        ("--search random x=interval(0,1) x=0.25 y=3,4", ["x=0.25 y=3", "x=0.25 y=4"]),
        ("sweeper.space={x: [6, 7]} x=1,2 x=5", ["x=5"]),
        ("--search random m=a,b m=b y=3,4", ["m=b y=3 m.k=1", "m=b y=3 m.k=2", "m=b y=4 m.k=1", "m=b y=4 m.k=2"]),
    ],
)  # fmt: skip
def test_the_last_override_of_a_key_counts(plane, words, made):
    plane.write(config="defaults: [m: a]\nx: 1\ny: 3\n", m__a="{}", m__b="k: 1\n_space_: {k: [1, 2]}\n")
    plane.write(n__a="{}", n__b="{}")
    ended = plane.run("-m", *re.findall(r"[^ {]+(?:{.*?})?", words), "--dry-run")
    listed = [line for line in ended.out.splitlines() if not line.startswith("#")]
    assert sorted(listed) == [f"python train.py {point}".strip() for point in made]
    assert "Traceback" not in ended.err


def test_a_key_that_is_swept_and_then_set_is_recorded_with_the_value_that_it_had(plane):
    ended = plane.run("-m", "x=1,2", "y=0", "x=5")
    assert ended.err == "note: 'x=1,2' is not swept: 'x=5' comes after it\n"
    assert [row["score"] for row in ended.results] == ["4"]
    assert "x" not in ended.results[0]
    assert ended.record(0)["params"] == {}
    ended = plane.run("--search", "random", "x=interval(0,1)", "x=0.25", code=2)
    assert "There is nothing to search" in ended.err


def test_a_dry_run_lists_each_run_of_a_point(plane):
    words = ("-m", "x=1,2,3", "sweeper.search.repeats=2", "--trials", "2")
    listed = plane.run(*words, "--dry-run").out.splitlines()
    assert [line.split("x=")[1] for line in listed] == ["1", "1", "2", "2"]
    assert [row["x"] for row in plane.run(*words).results] == ["1", "1", "2", "2"]


def test_a_dry_run_lists_what_a_warm_start_tries_first(plane):
    plane.run("-m", "x=4,5", "sweeper.sweep.dir=before")
    words = ("--search", "tpe", "x=interval(0,9)", "sweeper.search.warm_start=before", "--trials", "2")
    listed = plane.run(*words, "--dry-run").out.splitlines()[1:]
    assert [float(line.split("x=")[1]) for line in listed] == [
        float(row["x"]) for row in plane.run(*words).results
    ]


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ("sched: glob(*)", "For the choice of a group write /model/sched"),
        ("sched: 'choice(short, long)'", "which is the node of a group"),
        ("model/sched: glob(*)", "that of a group is absolute: /model/sched"),
    ],
)
def test_a_nested_group_in_a_space_is_written_with_a_slash_before_it(project, space, said):
    project.write(
        config="defaults: [model: sgd]\nx: 1\n",
        model__sgd=f"defaults: [sched: short]\nlr: 1\n_space_: {{{space}}}\n",
        model__sched__short="warm: 1\n",
        model__sched__long="warm: 9\n",
        train_py=TRAIN,
    )
    ended = project.run("--search", "random", "x=1,2", code=2)
    assert said in ended.err
    assert "model/sgd" in ended.err
    project.write(model__sgd="defaults: [sched: short]\nlr: 1\n_space_: {/model/sched: glob(*)}\n")
    rows = project.run("--search", "random", "--trials", "4", "x=1,2").results
    assert {row["model/sched"] for row in rows} == {"short", "long"}


def test_a_mistake_in_what_is_tried_first_leaves_nothing_behind(plane):
    plane.run("--search", "random", "x=interval(0,1)", "sweeper.search.first=[{x: 5}]", code=2)
    ended = plane.run("--search", "random", "x=interval(0,1)", "sweeper.search.constraint=x > 2", code=2)
    assert ended.out == ""
    assert not (plane.folder / "multirun").exists()

"""Many files become one config: the defaults list, packages, overrides."""

import threading

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import ConfigAttributeError

import sweeper
from sweeper.composition import compose_tree, main_source, parse_all, search_path
from sweeper.errors import ConfigError, MissingConfigError, OverrideError, SweeperError, UsageError


@pytest.fixture
def shop(project):
    return project.write(
        config="""
            defaults:
              - db: mysql
              - _self_
            lr: 0.1
        """,
        db__mysql="host: localhost\nport: 3306\n",
        db__postgres="host: elsewhere\nuser: me\n",
        schema__small="tables: [a]\n",
        schema__large="tables: [a, b]\n",
    )


def test_an_option_of_a_group_is_placed_at_the_groups_name(shop):
    assert shop.compose() == {"db": {"host": "localhost", "port": 3306}, "lr": 0.1}


def test_another_option_is_chosen_by_an_override(shop):
    assert shop.compose("db=postgres")["db"] == {"host": "elsewhere", "user": "me"}


def test_a_group_is_added_and_deleted(shop):
    assert shop.compose("+schema=large", "~db") == {"lr": 0.1, "schema": {"tables": ["a", "b"]}}


def test_several_options_merge_in_order(shop):
    assert shop.compose("db=[mysql,postgres]")["db"] == {"host": "elsewhere", "port": 3306, "user": "me"}


def test_a_package_says_where_a_group_goes(shop):
    shop.write(config="defaults: [db@source: mysql, db@target: postgres]\n")
    assert set(shop.compose("db@source=postgres")) == {"source", "target"}


def test_values_are_changed_added_forced_and_deleted(shop):
    assert shop.compose("lr=1", "+a.b=[1]", "++db.port=1", "~db.host", "+db={extra: x}") == {
        "db": {"port": 1, "extra": "x"}, "lr": 1, "a": {"b": [1]},
    }  # fmt: skip


def test_a_list_is_extended(shop):
    shop.write(config="l: [1]\n")
    assert shop.compose("l=extend_list(2, 3)") == {"l": [1, 2, 3]}


def test_self_says_who_has_the_last_word(shop):
    shop.write(config="defaults: [_self_, db: mysql]\ndb: {port: 1}\n")
    assert shop.compose()["db"]["port"] == 3306
    shop.write(config="defaults: [db: mysql, _self_]\ndb: {port: 1}\n")
    assert shop.compose()["db"]["port"] == 1


def test_a_header_places_a_file_elsewhere(shop):
    shop.write(experiment__fast="# @package _global_\ndefaults: [override /db: postgres]\nlr: 9\n")
    assert shop.compose("+experiment=fast") == {"db": {"host": "elsewhere", "user": "me"}, "lr": 9}


def test_nested_lists_are_relative_to_their_group(shop):
    shop.write(
        config="defaults: [server: apache]\n",
        server__apache="defaults: [/schema: small, cache: disk]\nname: apache\n",
        server__cache__disk="path: /tmp\n",
    )
    assert shop.compose() == {
        "server": {"schema": {"tables": ["a"]}, "cache": {"path": "/tmp"}, "name": "apache"},
    }  # fmt: skip


def test_a_choice_may_name_another(shop):
    shop.write(
        config="defaults: [db: mysql, optional tuning: '${db}_tuned', optional other: none]\n",
        tuning__mysql_tuned="cache: 1\n",
    )
    assert shop.compose()["tuning"] == {"cache": 1}
    assert "tuning" not in shop.compose("db=postgres")


def test_a_dict_merged_onto_an_interpolation_takes_its_target_over(shop):
    shop.write(config="defaults: [a: x, _self_]\ne: {y: 1}\na: {d: {z: 2}}\n", a__x="d: ${e}\n")
    shop.write(
        config="defaults: [_self_, a: x, b: y]\ne: {y: 1}\n", b__y="# @package _global_\na: {d: {z: 2}}\n"
    )
    assert shop.compose()["a"]["d"] == {"y": 1, "z": 2}


def test_the_search_path_grows_by_hydras_key(shop, tmp_path):
    (tmp_path / "more/extra").mkdir(parents=True)
    (tmp_path / "more/extra/a.yaml").write_text("found: true\n")
    assert shop.compose(f"hydra.searchpath=[file://{tmp_path / 'more'}]", "+extra=a")["extra"] == {
        "found": True
    }


@pytest.mark.parametrize(
    ("override", "kind", "said"),
    [
        ("db=mysq", MissingConfigError, "Did you mean 'mysql'?"),
        ("dbb=mysql", ConfigError, "Did you mean 'db'?"),
        ("db.prt=1", ConfigError, "Did you mean 'port'?"),
        ("+lr=1", ConfigError, "adds a key that is there already"),
        ("~lrr", ConfigError, "Did you mean 'lr'?"),
        ("~lr=2", ConfigError, "its value is 0.1, not 2"),
        ("schema=small", ConfigError, "To add the group write +schema=small"),
        ("db=1", ConfigError, "has the options: mysql, postgres"),
        ("++db=mysql", ConfigError, "forces a group's choice"),
        ("foo@bar=1", ConfigError, "there is no group 'foo'"),
        ("db=[1]", ConfigError, "'db' is a group"),
        ("lr=[range(3)]", ConfigError, "a sweep inside of a list"),
        ("db.port.x=1", ConfigError, "no key 'db.port.x'"),
    ],
)
def test_a_mistake_is_said_with_what_would_be_right(shop, override, kind, said):
    with pytest.raises(kind) as error:
        shop.compose(override)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"config": "defaults: {db: mysql}\n"}, "must be a list, not a mapping"),
        ({"config": "defaults: [{db: mysql, schema: small}]\n"}, "has 2 groups"),
        ({"config": "defaults: [db: 1]\n"}, "Quote it: db: '1'"),
        ({"config": "defaults: [db: '???']\n"}, "An option of the group 'db' must be chosen"),
        ({"config": "defaults: [override db: mysql, schema: small]\n"}, "after the override of 'db'"),
        ({"config": "defaults: [db: mysql, db: postgres]\n"}, "chosen twice: postgres and mysql"),
        ({"config": "defaults: [_self_, _self_]\n"}, "_self_ stands twice"),
        ({"config": "defaults: [config]\n"}, "include each other without end"),
        ({"config": "defaults: [nothing]\n"}, "There is no config 'nothing'"),
        ({"db/mysql": "# @package a b\n"}, "must be one keyword and one value"),
        ({"db/mysql": "hydra: {searchpath: [x]}\n# @package _global_\n"}, None),
        ({"db/mysql": "[1, 2]\n", "config": "defaults: [db@_global_: mysql]\n"}, "A list cannot be the whole config"),
        ({"db/mysql": "lr: [1]\n", "config": "defaults: [_self_, db@_global_: mysql]\nlr: {a: 1}\n"}, "list is merged onto"),
    ],
)  # fmt: skip
def test_a_broken_tree_is_refused_with_the_file(shop, files, said):
    shop.write(**{name.replace("/", "__"): text for name, text in files.items()})
    if said is None:
        assert "db" in shop.compose()
        return
    with pytest.raises(ConfigError) as error:
        shop.compose()
    assert said in str(error.value)


def test_a_file_that_changes_is_read_again_and_one_search_path_keeps_what_it_read(shop, tmp_path):
    path = tmp_path / "conf/config.yaml"
    with sweeper.initialize_config_dir(str(tmp_path / "conf")):
        assert sweeper.compose("config").lr == 0.1
        path.write_text("lr: 22\n")
        assert sweeper.compose("config").lr == 22
    plan = shop.plan()
    path.write_text("lr: 333\n")
    assert plan.compose(plan.overrides).tree["lr"] == 22


def test_compose_gives_a_closed_config(shop, tmp_path):
    with sweeper.initialize_config_dir(str(tmp_path / "conf")):
        config = sweeper.compose("config", ["db.port=1"])
    assert OmegaConf.is_config(config)
    assert config.db.port == 1
    with pytest.raises(ConfigAttributeError):
        config.db.prt = 2


def test_initialize_nests_and_is_each_threads_own(shop, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other/config.yaml").write_text("other: 1\n")
    seen = []

    def elsewhere():
        with sweeper.initialize_config_dir(str(tmp_path / "other")):
            seen.append(sweeper.compose("config"))

    with sweeper.initialize_config_dir(str(tmp_path / "conf")):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        with sweeper.initialize_config_dir(str(tmp_path / "other")):
            seen.append(sweeper.compose("config"))
        seen.append(sweeper.compose("config"))
    assert [list(config) for config in seen] == [["other"], ["other"], ["db", "lr"]]
    with pytest.raises(UsageError, match="where the configs are"):
        sweeper.compose("config")


def test_a_sweep_is_refused_where_one_value_is_wanted(shop, tmp_path):
    with (
        sweeper.initialize_config_dir(str(tmp_path / "conf")),
        pytest.raises(OverrideError, match="several values"),
    ):
        sweeper.compose("config", ["lr=1,2"])


def test_initialize_wants_the_kind_of_path_that_it_says():
    with pytest.raises(UsageError):
        sweeper.initialize("/absolute")
    with pytest.raises(UsageError):
        sweeper.initialize_config_dir("relative")
    with pytest.raises(SweeperError, match="no config folder"):
        sweeper.initialize("nowhere")


def test_composing_is_linear_in_the_number_of_groups(project):
    from sweeper import defaults

    def steps(count: int) -> int:
        names = [f"g{i}" for i in range(count)]
        project.write(config=f"defaults: [{', '.join(f'{n}: a' for n in names)}]\n")
        project.write(**{f"{name}__a": "x: 1\n" for name in names})
        calls = 0
        key = defaults._Node.key

        def counted(node):
            nonlocal calls
            calls += 1
            return key(node)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(defaults._Node, "key", counted)
            project.compose()
        return calls

    assert steps(80) - steps(40) <= 1.1 * (steps(40) - steps(0)) + 5


@pytest.mark.parametrize("value", ["${", "a ${b", "${a.${b}", "\\\\${a"])
def test_an_interpolation_that_is_not_closed_is_refused_with_its_line(project, value):
    project.write(config=f"x: 1\ny:\n  - {{z: '{value}'}}\n")
    with pytest.raises(ConfigError, match=r"config\.yaml:3\n"):
        project.compose()


@pytest.mark.parametrize("value", ["\\${", "${a}", "${a.${b}}", "a $ {b", "$\\{"])
def test_other_texts_with_dollars_are_left_alone(project, value):
    project.write(config=f"x: '{value}'\n")
    assert project.compose() == {"x": value}


def test_what_is_kept_of_a_defaults_list_changes_no_later_composition(project):
    project.write(
        config="defaults: [db: a, _self_]\nx: 1\n", db__a="host: a\nport: 1\n", db__b="host: b\ndefaults: [/log: full]\n",
        log__full="level: 1\n", more__one="deep: true\n",
    )  # fmt: skip
    search = search_path(main_source(str(project.folder / "conf")))
    lines = [
        [],
        ["x=2"],
        ["db=b", "x=3"],
        ["x=2", "db.port=5"],
        ["db=b"],
        ["+more=one", "x=2"],
        ["~db"],
        [],
        ["db=b"],
    ]
    for words in lines:
        again = compose_tree(search, "config", parse_all(words))
        assert again.tree == project.compose(*words)
        again.choices["db"] = "spoilt"
        again.tree["x"] = "spoilt"
    assert len(search.lists) == 4, "only choices make another list"

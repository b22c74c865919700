"""Schemas: dataclasses give a config its types, by annotation and through the ConfigStore."""

import pytest

TYPED = """
    from dataclasses import dataclass, field
    from enum import Enum

    import sweeper
    from omegaconf import MISSING

    class Kind(Enum):
        small = 1
        large = 2

    @dataclass
    class Model:
        depth: int = 3
        kind: Kind = Kind.small

    @dataclass
    class Config:
        lr: float = 0.1
        model: Model = field(default_factory=Model)

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg: Config) -> float:
        print(type(cfg.lr).__name__, cfg.model.depth, cfg.model.kind)
        return cfg.lr

    if __name__ == "__main__":
        train()
"""


@pytest.fixture
def typed(project):
    return project.write(config="lr: 1\n", train_py=TYPED)


def test_an_annotation_gives_types_and_defaults(typed):
    assert typed.run("model.kind=large").out == "float 3 Kind.large\n"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("lr=abc", "Value 'abc' of type 'str' could not be converted to Float (at 'lr')"),
        ("model.depth=1.5", "could not be converted to Integer (at 'model.depth')"),
        ("model.dpth=1", "Did you mean 'depth'?"),
        ("model.kind=middle", "Invalid value 'middle'"),
    ],
)
def test_an_override_that_does_not_fit_is_refused(typed, override, said):
    ended = typed.run(override, code=2)
    assert said in ended.err
    assert f"    {override}" in ended.err


@pytest.mark.parametrize(
    ("text", "said"), [("lrr: 1\n", "no key 'lrr'"), ("model: {depth: x}\n", "'model.depth'")]
)
def test_a_file_that_does_not_fit_is_named(typed, text, said):
    typed.write(config=text)
    ended = typed.run(code=2)
    assert said in ended.err
    assert "conf/config.yaml" in ended.err


@pytest.mark.parametrize(
    "how", ["sweeper/launcher=local", "sweeper/launcher=joblib", "sweeper.launcher.start=spawn"]
)
def test_types_travel_to_the_runs(typed, how):
    ended = typed.run("-m", "lr=1,2", "model.kind=large", how)
    assert (ended.sweep / "1/train.log").read_text() == "float 3 Kind.large\n"
    assert "kind: large" in (ended.sweep / "1/.sweeper/config.yaml").read_text()


def test_a_typed_option_declares_its_space_too(typed):
    typed.write(config="lr: 1\n_space_: {lr: 'interval(0, 2)', model.depth: 'range(1, 4)'}\n")
    ended = typed.run("--search", "random", "--trials", "4")
    assert {row["model.depth"] for row in ended.results} <= {"1", "2", "3"}


def test_the_config_store_holds_schemas_options_and_defaults(project):
    project.write(
        config="defaults: [base, db: mysql, _self_]\nport: 7\n",
        train_py="""
            from dataclasses import dataclass, field
            from typing import Any
            import sweeper
            from sweeper.core.config_store import ConfigStore
            from omegaconf import MISSING, OmegaConf

            @dataclass
            class MySQL:
                host: str = "localhost"
                port: int = 3306

            @dataclass
            class Base:
                db: Any = MISSING
                port: int = 1

            store = ConfigStore.instance()
            store.store(name="base", node=Base)
            store.store(group="db", name="mysql", node=MySQL)
            store.store(group="db", name="plain", node={"host": "x"})

            @sweeper.main(config_path="conf", config_name="config")
            def train(cfg):
                print(OmegaConf.to_container(cfg), OmegaConf.get_type(cfg.db).__name__)

            if __name__ == "__main__":
                train()
        """,
    )
    assert project.run().out == "{'db': {'host': 'localhost', 'port': 3306}, 'port': 7} MySQL\n"
    assert project.run("db=plain").out.startswith("{'db': {'host': 'x'}, 'port': 7}")
    assert "could not be converted to Integer" in project.run("db.port=x", code=2).err
    assert "db: mysql, plain" in project.run("--help").out


def test_a_schema_makes_no_hydra_tree_of_a_program(project):
    project.write(
        config="x: 1\n",
        train_py="""
            import os
            from dataclasses import dataclass
            import sweeper

            @dataclass
            class Config:
                x: int = 0

            @sweeper.main(config_path="conf", config_name="config")
            def train(cfg: Config):
                print(os.getcwd())

            train()
        """,
    )
    assert project.run().out.strip() == str(project.folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lr: 1\n\nmodel:\n  # how deep\n  depth: deep\n", "(at 'model.depth')\n  {conf}/config.yaml:5"),
        (
            "lr: 1\nmodel:\n  dpth: 1\n",
            "no key 'model.dpth'\n  {conf}/config.yaml:3\n  Did you mean 'depth'?",
        ),
        ("defaults: [model: big]\n", "(at 'model.depth')\n  {conf}/model/big.yaml:2"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_file_and_line(typed, text, said):
    typed.write(config=text, model__big="kind: large\ndepth: deep\n")
    assert said.format(conf=typed.folder / "conf") in typed.run(code=2).err


def test_an_attrs_class_is_a_schema_too(project):
    pytest.importorskip("attr")
    project.write(
        config="lr: 1\n",
        train_py="""
            import attr
            import sweeper
            from sweeper.core.config_store import ConfigStore

            @attr.s(auto_attribs=True)
            class Db:
                port: int = 3306

            @attr.s(auto_attribs=True)
            class Config:
                lr: float = 0.1
                db: Db = Db()

            ConfigStore.instance().store(group="db", name="big", node=Db(port=9))

            @sweeper.main(config_path="conf", config_name="config")
            def train(cfg: Config):
                print(cfg)

            train()
        """,
    )
    assert project.run("+db=big").out == "{'lr': 1.0, 'db': {'port': 9}}\n"
    assert "could not be converted to Integer (at 'db.port')" in project.run("db.port=x", code=2).err

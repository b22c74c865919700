"""Objects from configs: what `_target_` names is called with the rest."""

import functools
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

import pytest
from omegaconf import DictConfig, OmegaConf

from sweeper.errors import InstantiationError
from sweeper.utils import (
    call,
    get_class,
    get_method,
    get_object,
    get_original_cwd,
    instantiate,
    to_absolute_path,
)


class Point:
    def __init__(self, x=0, y=0, *rest):
        self.x, self.y, self.rest = x, y, rest

    def __eq__(self, other):
        return (self.x, self.y, self.rest) == (other.x, other.y, other.rest)

    __hash__ = None


@dataclass
class PointConfig:
    _target_: str = f"{__name__}.Point"
    x: int = 1
    y: int = 2


POINT = f"{__name__}.Point"


@pytest.mark.parametrize("make", [dict, OmegaConf.create])
@pytest.mark.parametrize(
    ("config", "args", "kwargs", "expected"),
    [
        ({"_target_": POINT, "x": 1}, (), {}, Point(1)),
        ({"_target_": POINT, "x": 1}, (), {"x": 5, "y": 6}, Point(5, 6)),
        ({"_target_": POINT, "_args_": [1, 2, 3]}, (), {}, Point(1, 2, 3)),
        ({"_target_": POINT, "_args_": [1, 2, 3]}, (7,), {}, Point(7)),
        ({"_target_": POINT, "x": {"_target_": POINT, "x": 2}}, (), {}, Point(Point(2))),
        ({"_target_": POINT, "x": [{"_target_": POINT}], "_convert_": "all"}, (), {}, Point([Point()])),
        ({"a": {"_target_": POINT, "x": "${b}"}, "b": 3}, (), {}, {"a": Point(3), "b": 3}),
        ({"_target_": "builtins.dict", "a": {"b": 1}}, (), {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}),
        ({"_target_": "builtins.dict", "a": [1]}, (), {"a": [2]}, {"a": [2]}),
    ],
)
def test_a_target_is_called_with_the_rest_of_the_config(make, config, args, kwargs, expected):
    assert instantiate(make(config), *args, **kwargs) == expected


def test_a_dataclass_may_name_its_target():
    assert instantiate(PointConfig) == Point(1, 2)
    assert instantiate(PointConfig(x=9)) == Point(9, 2)


def test_nothing_gives_nothing_and_a_list_gives_a_list():
    assert instantiate(None) is None
    assert instantiate([{"_target_": POINT, "x": 1}, 2]) == [Point(1), 2]


def test_a_partial_waits_for_its_call_and_may_lack_arguments():
    made = instantiate({"_target_": POINT, "_partial_": True, "x": 1, "y": "???"})
    assert isinstance(made, functools.partial)
    assert made(y=4) == Point(1, 4)


def test_nested_targets_stay_configs_when_told_to():
    made = instantiate({"_target_": POINT, "_recursive_": False, "x": {"_target_": POINT}})
    assert made.x == {"_target_": POINT}


@pytest.mark.parametrize(
    ("convert", "kind"), [("none", DictConfig), ("partial", dict), ("object", dict), ("all", dict)]
)
def test_arguments_are_converted_as_asked(convert, kind):
    assert type(instantiate({"_target_": POINT, "x": {"a": 1}, "_convert_": convert}).x) is kind


def test_the_given_config_is_not_changed():
    config = OmegaConf.create({"_target_": POINT, "x": {"_target_": POINT, "_partial_": False}})
    before = OmegaConf.to_yaml(config)
    instantiate(config, y=3)
    assert OmegaConf.to_yaml(config) == before


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {"a": {"_target_": "nowhere.Thing"}},
            "Cannot find 'nowhere.Thing': No module named 'nowhere'\nat 'a'",
        ),
        ({"_target_": "collections.Conter"}, "Did you mean 'Counter'?"),
        (
            {"a": {"b": {"_target_": "builtins.int", "_args_": ["x"]}}},
            "ValueError: invalid literal for int() with base 10: 'x'\nat 'a.b'",
        ),
        ({"a": [[1, {"_target_": "nowhere.Thing"}]]}, "'nowhere'\nat 'a[0][1]'"),
        ({"_target_": POINT, "x": "???"}, "Missing mandatory value: x"),
        ({"_target_": "math.pi"}, "The target 3.14"),
        ({"_target_": POINT, "_partial_": 1}, "_partial_ must be true or false"),
        ({"_target_": "???"}, "no value for '_target_'"),
        ({"_target_": POINT, "x": "${nope}"}, "nope"),
        ("text", "it is no config"),
    ],
)
def test_an_error_has_the_full_key(config, said):
    with pytest.raises(InstantiationError) as error:
        instantiate(config)
    assert said in str(error.value)


@pytest.mark.parametrize(
    "target",
    ["os.system", "posix.system", "os.execv", "subprocess.run", "subprocess.Popen", "builtins.eval", "builtins.exec",
     "shutil.rmtree", "os.remove", "importlib.import_module", "pickle.loads", "runpy.run_path", "os.posix_spawnp",
     "multiprocessing.Process", "sweeper.utils.os.system", "shutil.os.unlink"],
)  # fmt: skip
def test_a_target_that_can_run_commands_or_delete_files_is_refused(target, monkeypatch):
    with pytest.raises(InstantiationError, match="is refused"):
        instantiate({"_target_": target, "_args_": ["x"], "_partial_": True})
    monkeypatch.setenv("SWEEPER_INSTANTIATE_ALLOW", "os.getcwd")
    with pytest.raises(InstantiationError, match="is refused"):
        instantiate({"_target_": target, "_partial_": True})


def test_a_refused_target_is_allowed_by_its_name(monkeypatch):
    monkeypatch.setenv("SWEEPER_INSTANTIATE_ALLOW", "builtins.eval")
    assert instantiate({"_target_": "builtins.eval", "_args_": ["1 + 1"]}) == 2


def test_hydras_own_paths_mean_ours():
    assert instantiate({"_target_": "hydra.utils.get_class", "path": "collections.Counter"}) is Counter
    assert get_object("hydra.utils.instantiate") is instantiate is call


def test_look_ups_say_what_was_found_instead():
    assert get_class("fractions.Fraction") is Fraction
    assert get_method("fractions.Fraction.from_float") == Fraction.from_float
    with pytest.raises(InstantiationError, match="is no class"):
        get_class("math.pi")
    with pytest.raises(InstantiationError, match="cannot be called"):
        get_method("math.pi")


def test_paths_are_those_of_the_launching_folder(parabola):
    parabola.write(
        train_py="""
        import os, sweeper
        from sweeper.utils import get_original_cwd, to_absolute_path
        from sweeper.core.hydra_config import HydraConfig
        @sweeper.main(config_path="conf", config_name="config", version_base="1.1")
        def train(cfg):
            print(get_original_cwd() == os.path.dirname(os.path.abspath(__file__)), to_absolute_path("a") == get_original_cwd() + "/a")
            print(os.getcwd() == HydraConfig.get().runtime.output_dir, HydraConfig.initialized())
        if __name__ == "__main__":
            train()
    """
    )
    assert parabola.run().out == "True True\nTrue True\n"
    assert get_original_cwd() == to_absolute_path("")[:-1]

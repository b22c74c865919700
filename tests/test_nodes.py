"""DictConfigs made directly are those that OmegaConf makes."""

import pickle
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import ConfigAttributeError

from sweeper import nodes

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "a", "${a}", "???"])
)
trees = st.dictionaries(
    st.text(min_size=1, max_size=3),
    st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        ),
        max_leaves=10,
    ),
    max_size=4,
)


@given(trees)
def test_a_built_config_is_the_same_as_a_created_one(tree):
    assert nodes._trusted()
    built, created = nodes.build(tree), OmegaConf.create(tree)
    assert nodes._same(built, created)
    assert built == created
    assert pickle.loads(pickle.dumps(built)) == created
    assert deepcopy(built) == created


def test_a_built_config_resolves_is_closed_and_can_be_changed():
    config = nodes.build({"a": 1, "b": {"c": "${a}"}}, struct=True)
    assert config.b.c == 1
    config.a = 2
    assert config.b.c == 2
    with pytest.raises(ConfigAttributeError):
        config.b.d = 3


def test_values_that_are_no_plain_data_are_left_to_omegaconf(tmp_path):
    assert nodes.build({"a": tmp_path}).a == tmp_path


def test_keys_may_be_numbers_but_not_a_number_and_its_text():
    assert nodes.build({1: "a", 2: {3: "b"}}) == OmegaConf.create({1: "a", 2: {3: "b"}})
    assert nodes.build({1: "a", "b": 2}) == OmegaConf.create({1: "a", "b": 2})

"""Plain trees merge and change as OmegaConf's configs do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from sweeper import trees

leaves = st.none() | st.integers(0, 3) | st.sampled_from(["a", "???"])
configs = st.dictionaries(
    st.sampled_from("abcd"),
    st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    max_size=4,
)


@given(configs, configs)
def test_a_merge_is_omegaconfs(base, other):
    try:
        expected = OmegaConf.to_container(OmegaConf.merge(OmegaConf.create(base), OmegaConf.create(other)))
    except TypeError:
        expected = None
    merged = trees.copy(base)
    try:
        trees.merge(merged, other)
    except trees.Mismatch:
        merged = None
    assert merged == expected


@given(configs, configs)
def test_what_is_merged_in_is_never_changed(base, other):
    before = trees.copy(other)
    merged = trees.copy(base)
    try:
        trees.merge(merged, other)
        for key in list(merged):
            trees.put(merged, f"{key}.a.0", 1, add=True)
    except trees.Mismatch:
        pass
    assert other == before


def test_a_key_is_put_deep_into_dicts_and_lists():
    tree = {"a": [1, {"b": 2}]}
    trees.put(tree, "a.1.b", 3, add=False)
    trees.put(tree, "c.d", 4, add=True)
    assert tree == {"a": [1, {"b": 3}], "c": {"d": 4}}


def test_an_unknown_key_is_refused_with_those_that_there_are():
    with pytest.raises(trees.Absent) as error:
        trees.put({"model": {"depth": 1}}, "model.dpth", 2, add=False)
    assert error.value.known == ["depth"]

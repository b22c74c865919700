"""YAML files: the scalars that OmegaConf knows, and broken files named by line and column."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from sweeper import yamls
from sweeper.errors import ConfigError


def test_scalars_mean_what_omegaconf_reads(tmp_path):
    text = "\n".join(
        f"k{i}: {scalar}"
        for i, scalar in enumerate(
            ["1e3", "1.5", "1_000", "0x10", "010", "0b11", "12:30:45", "2026-11-20", "yes", "Off", "~", "", "null",
             ".inf", "-.INF", ".nan", "1e-3", "+1", "a b", "'1'", "1.e5", ".5e+3", "0", "00", "1__0"]
        )
    )  # fmt: skip
    (tmp_path / "a.yaml").write_text(text)
    assert repr(yamls.parse(text, "a")) == repr(OmegaConf.to_container(OmegaConf.load(tmp_path / "a.yaml")))


@pytest.mark.parametrize(
    "text",
    [
        "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a",
        "a: &a {x: 1}\nb: &b {<<: *a, x: 2}\nc: *b\nd: {<<: *b, y: 3}",
        "a: &a {x: 1}\nb: &b {x: 2, z: 3}\nc: {<<: [*b, *a], w: 4}\nd: {<<: *a, <<: *b}",
        "a: {=: 1, 2: 2, yes: 3}",
    ],
)
def test_merge_keys_and_aliases_are_followed(text):
    assert list(yamls.parse(text, "f").items()) == list(yaml.safe_load(text).items())


@pytest.mark.parametrize(
    ("text", "said", "place"),
    [
        ("a: 1\nb: [1,\n", "expected", "f.yaml:3:1"),
        ("a: 1\n\tb: 2\n", "wants spaces", "f.yaml:2:1"),
        ("a: 1\na: 2\n", "'a' stands twice", "f.yaml:2:1"),
        ("a: !!python/object/apply:os.system [ls]\n", "tags such as !!python are not obeyed", "f.yaml:1:4"),
        ("a: !!set {x}\n", "the tag '!!set' cannot stand here", "f.yaml:1:4"),
        ("a: !!str [x]\n", "the tag '!!str' cannot stand here", "f.yaml:1:4"),
        ("a: !!int x\n", "'x' is no int", "f.yaml:1:4"),
        ("a: 1\n<<: 3\n", "must be a mapping", "f.yaml:2:5"),
        ("a: &a [*a]\n", "inside of what it names", "f.yaml:1:4"),
        ("? [1]\n: 2\n", "a key must be", "f.yaml:1:3"),
    ],
)
def test_a_broken_file_is_named_with_line_and_column(text, said, place):
    with pytest.raises(ConfigError) as error:
        yamls.parse(text, "f.yaml")
    assert said in str(error.value)
    assert place in str(error.value)


def test_aliases_cannot_blow_up_the_memory():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, {}]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(ConfigError, match="a million"):
        yamls.parse("\n".join(lines), "bomb")


texts = st.text() | st.text(st.characters(exclude_categories=()))  # the second has what UTF-8 cannot encode
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)


@given(trees)
def test_what_is_written_reads_back_by_us_and_by_others(tree):
    text = yamls.dump(tree)
    assert yamls.parse(text.encode().decode(), "f") == tree
    assert yaml.safe_load(text) == tree


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.yaml"
    yamls.write(path, {"a": 1})
    with pytest.raises(TypeError):
        yamls.write_text(path, None)
    assert path.read_text() == "a: 1\n"
    assert [p.name for p in tmp_path.iterdir()] == ["a.yaml"]

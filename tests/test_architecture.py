"""The shape of the code: floors, names, style, types, and what the documents say."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sweeper

ROOT = Path(sweeper.__file__).parents[1]
PACKAGE = ROOT / "sweeper"

# From the ground up. A module imports from floors below its own, or from what stands before it on
# its own floor; never from above, wherever in its text the import stands.
FLOORS = [
    ["errors", "records", "standings"],
    ["trees", "grammar", "yamls", "nodes", "groups", "space", "constraint", "store", "instantiation"],
    ["redact", "resolve", "score", "current", "entry", "output", "callbacks", "job"],
    ["hydra", "defaults", "typed", "composition", "settings"],
    ["provenance", "plan", "points", "runs"],
    ["search", "prune", "launch", "track"],
    [
        "trials",
        "results",
        "view",
        "ledger",
        "tables",
        "notebook",
        "live",
        "findings",
        "journal",
        "warm",
        "archive",
        "export",
        "rerun",
        "imports",
        "wandb_space",
        "wandb_sweep",
        "single",
        "loop",
        "sweeps",
        "katib",
    ],
    ["cli", "show"],
    ["shells", "program_text", "completion", "app"],
    [
        "types",
        "core",
        "utils",
        "__init__",
        "comparison",
        "removal",
        "promotion",
        "page",
        "watch",
        "commands",
        "__main__",
    ],
]
PLACE = {name: (floor, at) for floor, names in enumerate(FLOORS) for at, name in enumerate(names)}


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    """Return the top-level modules of the package that a file imports, anywhere in it."""
    package = path.relative_to(PACKAGE).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            if node.level == 0:
                parts = (node.module or "").split(".")
                if parts[0] != "sweeper":
                    continue
                base, rest = (), parts[1:]
            else:
                base, rest = package[: len(package) - node.level + 1], (node.module or "").split(".")
            whole = [*base, *filter(None, rest)]
            found |= {whole[0]} if whole else set(names)
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("sweeper.")}
    return found - {package[0]} if package else found


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path):
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for name in imports_of(path) & PLACE.keys():
        assert PLACE[name] < PLACE[own], f"{path.name} imports {name}, which stands above it"


def test_every_module_has_its_floor():
    names = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in modules()}
    assert names == set(PLACE)


def test_the_readmes_map_is_this_one():
    rows = re.findall(r"^\| (\d) \| (.*?) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    shown = {int(floor): set(re.findall(r"`(\w+)/?`", names)) for floor, names in rows}
    assert shown == {
        floor: {name for name in names if not name.startswith("__")} for floor, names in enumerate(FLOORS)
    }


def test_the_public_names_are_sorted_and_importable():
    assert sweeper.__all__ == sorted(sweeper.__all__)
    assert all(hasattr(sweeper, name) for name in sweeper.__all__)


def test_every_setting_is_explained_and_every_explanation_has_its_setting():
    from sweeper.settings import HELP, keys

    assert set(keys()) == set(HELP)


@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "--output-format=concise", "."], ["ruff", "format", "--check", "."], ["mypy"]],
)
def test_style_and_types_are_clean(command):
    process = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr

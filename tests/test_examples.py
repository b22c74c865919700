"""What the examples say is what happens."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import copy_example, environment

ROOT = Path(__file__).parents[1]
# Those that need a library of somebody else's are tried by a file of their own in tests/integrations.
EXAMPLES = sorted((ROOT / "conf_examples").glob("0*"))


def commands(path: Path) -> list[str]:
    usage = ast.get_docstring(ast.parse(path.read_text())).partition("Usage:")[2]
    return [re.split(r"\s{2,}", line.strip())[0] for line in usage.strip().splitlines()]


def run(command: str, folder: Path) -> subprocess.CompletedProcess:
    words = shlex.split(command, comments=True)
    assert words[0] == "python"
    return subprocess.run(
        [sys.executable, *words[1:]],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_commands_of_an_example_run(example, tmp_path):
    folder = tmp_path / example.name
    copy_example(example.name, folder)
    found = commands(folder / "train.py")
    assert found
    for command in found:
        process = run(command, folder)
        assert process.returncode == 0, f"{command}\n{process.stdout}{process.stderr}"


def test_the_first_example_beats_its_defaults_with_both_searches(tmp_path):
    folder = tmp_path / "example"
    copy_example(EXAMPLES[0].name, folder)
    run("python train.py", folder)
    default = float(
        re.search(r"^score: (.*)$", (folder / "outputs/latest/.sweeper/run.yaml").read_text(), re.MULTILINE)[
            1
        ]
    )
    for search in ("tpe", "gp"):
        process = run(f"python train.py --search {search} --trials 16 --jobs 2 sweeper.search.seed=1", folder)
        assert float(re.search(r"score (\S+),", process.stdout.splitlines()[-1])[1]) > default


def test_the_first_shell_block_is_the_main_command_and_one_runs_the_tests():
    text = (ROOT / "README.md").read_text()
    first, *others = re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert "venv" in first
    assert "train.py --search" in first
    assert next(block for block in others if "pytest" in block).startswith("python3 -m venv")
    assert len(first.splitlines()) == 1


def test_the_ci_runs_exactly_the_readmes_test_command():
    script = (ROOT / ".ci/run").read_text()
    assert "README.md" in script
    assert "pytest" not in re.sub(r"#.*|/pytest/", "", script)
    assert script.endswith('bash -euo pipefail -c "$command"\n')

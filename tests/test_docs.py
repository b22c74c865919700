"""What the documents say is what happens: README.md and docs/pages.

Each document is tried in a folder of its own, from top to bottom:

    ```python, ```yaml, ```toml    a file, where the first line is a comment that names it: # conf/config.yaml
    ```python without a name       run; all those of a page are one script
    ```yaml without a name         read
    ```sh                          run line by line; `# exits with 1` after a command says so
    ```sql                         asked of sweeper.db
    ``` or ```text                 lines that the block above, under the same heading, prints, but for times, dates, ids and
                                   fractions; `…` stands for lines that are left out

`<!-- not run: why -->` above a block says what this needs. `<!-- in conf_examples/01_diabetes -->`
in a document begins its folder with a copy of that one, in the environment that it requires; a block that
names one of its files shows what stands there, whole or in parts with a line `# …` between.
"""

import inspect
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from conftest import copy_example, environment, python_for

import sweeper

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs/pages"
DOCUMENTS = [ROOT / "README.md", *sorted(PAGES.rglob("*.md"))]
BLOCK = re.compile(
    r"^(?P<heading>#+ [^\n]*)$|"
    r"(?:<!-- not run: (?P<why>.*?) -->\n\n?)?^(?P<fence>```+)(?P<kind>\w*)[^\n]*\n(?P<text>.*?)^(?P=fence)$",
    re.DOTALL | re.MULTILINE,
)
NAME = re.compile(r"^# ([\w./-]+\.(?:py|yaml|toml))\n")


class Block(NamedTuple):
    """A block of code in a document."""

    line: int
    section: int  # under which heading it is
    kind: str
    text: str
    why: str  # it is not run

    @property
    def name(self) -> str:
        """The file that it is, if any."""
        found = NAME.match(self.text)
        return found[1] if found and self.kind in ("python", "yaml", "toml") else ""


def blocks_of(path: Path) -> list[Block]:
    text = path.read_text()
    found, section = [], 0
    for each in BLOCK.finditer(text):
        if each["heading"]:
            section += 1
        else:
            line = text.count("\n", 0, each.start("fence")) + 1
            found.append(Block(line, section, each["kind"], each["text"], each["why"] or ""))
    return found


def example_of(document: Path) -> str:
    """Return the example in whose folder a document is tried, if any."""
    found = re.search(r"<!-- in conf_examples/(\S+) -->", document.read_text())
    return found[1] if found else ""


class Reader:
    """Somebody who does what a document says, in a folder of their own."""

    def __init__(self, document: Path, folder: Path) -> None:
        self.blocks, self.folder, self.printed = blocks_of(document), folder, ""
        python = sys.executable
        if example := example_of(document):
            python = python_for(example)
            copy_example(example, folder)
        self.given = set(folder.rglob("*"))
        commands = folder.parent / "bin"
        commands.mkdir()
        for name, words in (("python", ""), ("sweeper", "-m sweeper ")):
            (commands / name).write_text(f'#!/bin/sh\nexec {python} {words}"$@"\n')
            (commands / name).chmod(0o755)
        self.environment = {
            **environment(),
            "PATH": f"{commands}:{Path(python).parent}:{os.environ['PATH']}",
            "COLUMNS": "200",
            "CI": "1",
        }

    def read(self) -> None:
        nameless = [b for b in self.blocks if b.kind == "python" and not b.name and not b.why]
        section = 0
        for block in self.blocks:
            if block.section != section:
                section, self.printed = block.section, ""
            if block.why:
                self.printed = ""
            elif block.name:
                self.write(block.name, block.text)
            elif block.kind == "sh":
                self.printed = "".join(self.run(line, code) for line, code in lines(block.text))
            elif block.kind == "sql":
                self.printed = self.ask(block.text)
            elif block.kind == "python" and block is nameless[-1]:
                self.write("page.py", "\n".join(each.text for each in nameless))
                self.printed = self.run("python page.py", 0)
            elif block.kind == "yaml":
                yaml.safe_load(block.text)
            elif block.kind in ("", "text") and self.printed:
                self.compare(block)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        if path in self.given:
            for part in text.partition("\n")[2].split("# …\n"):
                assert part.strip() in path.read_text(), f"{name} of the example is another"
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, command: str, code: int) -> str:
        process = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        said = process.stdout + process.stderr
        assert process.returncode == code, f"{command}\nexits with {process.returncode}, not {code}\n{said}"
        return said

    def ask(self, question: str) -> str:
        with closing(sqlite3.connect(self.folder / "sweeper.db")) as db:
            rows = db.execute(question).fetchall()
        assert rows, question
        return "".join("|".join(map(str, row)) + "\n" for row in rows)

    def compare(self, block: Block) -> None:
        said, printed = alike(block.text, self.folder), alike(self.printed, self.folder)
        lacking = [line for line in said if line not in printed and line != "…"]
        assert not lacking, f"line {block.line}: not printed: {lacking}\nbut\n{self.printed}"


def lines(text: str) -> Iterator[tuple[str, int]]:
    """Yield the commands of a block, and the exit code of each."""
    for line in text.replace("\\\n", " ").splitlines():
        command, _, comment = line.partition(" # ")
        if command.strip() and not command.startswith("#"):
            found = re.search(r"exits with (\d+)", comment)
            yield command.strip(), int(found[1]) if found else 0


def alike(text: str, folder: Path) -> list[str]:
    """Return the lines of a text, made alike where two runs of a program differ."""
    for pattern, word in (
        (rf"(?:{re.escape(str(folder.resolve()))}|…)/", ""),
        (r"\d{4}-\d\d-\d\d[/ T-]\d\d[-:]\d\d[-:]\d\d(-\d+)?(\.\d+)?([+-]\d\d:\d\d)?", "WHEN"),
        (r"\b\d{8}-\d{6}-\w+|\b\d{6,8}-\d{4,6}\w*", "ID"),
        (r"(?:\d+h ?)?(?:\d+m ?)?\b\d+(?:\.\d+)?m?s\b|\b\d+m\b", "TIME"),
        (r"-?\d+\.\d+(?:e[+-]?\d+)?", "FRACTION"),
        (r"\b\d+%", "SHARE"),
        (r" \*", ""),
    ):
        text = re.sub(pattern, word, text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def identify(path: Path) -> str:
    return str(path.relative_to(ROOT if path.parent == ROOT else PAGES))


def marked(document: Path) -> object:
    example = example_of(document)
    return pytest.param(
        document, id=identify(document), marks=pytest.mark.example(example) if example else ()
    )


@pytest.mark.parametrize("document", [marked(document) for document in DOCUMENTS])
def test_a_document_does_what_it_says(document, tmp_path):
    needed = re.search(r"<!-- needs (\S+) -->", document.read_text())
    if needed and not find_spec(needed[1]):
        pytest.skip(f"{needed[1]} is not installed")
    folder = tmp_path / "here"
    folder.mkdir()
    Reader(document, folder).read()


def test_what_is_not_run_has_its_reason_and_is_little():
    blocks = [block for document in DOCUMENTS for block in blocks_of(document)]
    kinds = {block.kind for block in blocks}
    assert kinds <= {"", "text", "python", "yaml", "toml", "sh", "sql", "json"}
    left_out = [block for block in blocks if block.why]
    commands = [block for block in blocks if block.kind in ("sh", "python", "sql")]
    assert len(left_out) < len(commands) / 4, "\n".join(block.why for block in left_out)


# ---------------------------------------------------------------------------------- the reference


@pytest.fixture(scope="module")
def reference():
    spec = spec_from_file_location("reference", ROOT / "docs/reference.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_public_name_key_and_flag_is_in_the_reference(reference):
    text = "".join(page() for page in reference.PAGES.values())
    for name in sweeper.__all__:
        assert f"### sweeper.{name}\n" in text, name
    for key in reference.settings.keys():  # noqa: SIM118  a function
        assert f"`sweeper.{key}`" in text
    for flag in reference.cli.FLAGS:
        assert f"`{flag.names[0]}`" in text


def test_every_key_of_an_option_is_explained(reference):
    text = reference.settings_page()
    for group, options in reference.settings.OPTIONS.items():
        for option, keys in options.items():
            for key in keys:
                name = f"{group}.{option}.{key}" if group == "tracker" else f"{group}.{key}"
                assert re.search(rf"^\| `sweeper\.{name}` \| `[^`]*` \| \w", text, re.MULTILINE), name


def test_every_public_name_has_a_docstring(reference):
    modules = (reference.utils, reference.config_store, reference.types)
    names = [getattr(sweeper, name) for name in sweeper.__all__]
    names += [getattr(module, name) for module in modules for name in module.__all__]
    for found in names:
        if isinstance(found, type) or inspect.isfunction(found):
            assert found.__doc__, found


def test_every_environment_variable_is_in_the_reference(reference):
    text = "".join(path.read_text() for path in (ROOT / "sweeper").rglob("*.py"))
    found = set(re.findall(r'environ(?:\.get|\.setdefault|\.pop)?[(\[]\s*"(\w+)"', text))
    found |= set(re.findall(r'"(\w+)" (?:not )?in os\.environ', text))
    found |= set(re.findall(r'"((?:SWEEPER|HYDRA|MLFLOW|WANDB|COMET|SLURM)_[A-Z_]+)"', text))
    assert found - {*reference.ENVIRONMENT, *reference.INTERNAL} == set()
    for name in reference.ENVIRONMENT:
        assert name in text or name == "NO_COLOR", name  # rich looks at that


# ------------------------------------------------------------------------------- links and the site


def test_links_between_documents_lead_somewhere(reference):
    for document in [ROOT / "CHANGELOG.md", *DOCUMENTS]:
        for link, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^):]*))?\)", document.read_text()):
            target = (document.parent / link).resolve() if link else document
            made = {*reference.PAGES, "speed.md"}
            if target.is_relative_to(PAGES) and str(target.relative_to(PAGES)) in made:
                continue  # the site's own check sees to it
            assert target.exists(), f"{document.name} links to {link}"
            if anchor:
                assert anchor in anchors(target), f"{document.name} links to {link}#{anchor}"


def anchors(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def test_the_site_builds_without_a_warning_and_needs_no_network(tmp_path):
    if not (find_spec("material") and find_spec("matplotlib")):
        pytest.skip("mkdocs-material or matplotlib is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", "docs/mkdocs.yml", "-d", tmp_path]
    process = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    for page in tmp_path.rglob("*.html"):
        loaded = re.findall(
            r"<(?:script|img|link)\b[^>]*?(?:src|href)=\"?(https?://[^\s\">]+)", page.read_text()
        )
        assert not loaded, f"{page.name} loads {loaded}"

"""TAB: what is offered, without importing the script, and that each shell really takes it."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sweeper.completion import complete, split_line

SCRIPT = """
    open("imported", "w").close()
    raise SystemExit("the script was imported")
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg): ...

    train()
"""


@pytest.fixture
def tree(project, monkeypatch):
    """A program with groups, packages and keys, whose import would show."""
    monkeypatch.chdir(project.folder)
    return project.write(
        config="""
            defaults:
              - model: gbm
              - opt: adam
              - opt/sched: step
              - db@src: mysql
              - _self_
            lr: 0.1
            verbose: false
            name: two words
            unknown: ???
            net: {deep: {er: 1}, layers: [1, 2]}
            none: null
            text: "two\\nlines"
        """,
        model__gbm="lr: 0.3\ndepth: 3\n_space_: {depth: 'range(1, 9)'}\n",
        model__ridge="alpha: 1.0\n",
        model__lasso="lam: 2.0\n",
        opt__adam="beta: 0.9\n",
        opt__sched__step="every: 10\n",
        opt__sched__cosine="cycles: 3\n",
        db__mysql="host: here\n",
        db__postgres="port: 3\n",
        experiment__big="# @package _global_\nlr: 9\n",
        train_py=SCRIPT,
    )


def offers(line: str) -> list[str]:
    """Return what completes `python train.py LINE`; a line with its own program is taken whole."""
    known = ("python", "./", "uv ", "poetry ", "KEY=", "/")
    *words, last = split_line(line if line.startswith(known) else f"python train.py {line}")
    return complete([word.text for word in words], last.text)


OFFERS = {
    "mod": ["model=", "model."],
    "model=g": ["model=gbm"],
    "model=": ["model=gbm", "model=lasso", "model=ridge"],
    "model=ridge,": ["model=ridge,gbm", "model=ridge,lasso"],
    "model=[ridge,g": ["model=[ridge,gbm"],
    "model=choice(ridge,g": ["model=choice(ridge,gbm"],
    "opt": ["opt=", "opt/", "opt."],
    "opt/s": ["opt/sched="],
    "opt/sched=c": ["opt/sched=cosine"],
    "db": ["db@src="],
    "db@src=p": ["db@src=postgres"],
    "+": ["+db=", "+experiment=", "+opt/", "+model.", "+opt.", "+src.", "+net."],
    "+exp": ["+experiment="],
    "+experiment=": ["+experiment=big"],
    "++mod": ["++model."],
    "~mo": ["~model", "~model."],
    "~model=": ["~model=gbm"],
    "~lr": ["~lr"],
    "model.": ["model.lr=", "model.depth="],
    "net.d": ["net.deep."],
    "net.deep.": ["net.deep.er="],
    "lr=": ["lr=0.1"],
    "lr=7": [],
    "+lr=": ["+lr=0.1"],
    "net.layers=": ["net.layers=[1, 2]"],
    "name=": ["name='two words'"],
    "verbose=": ["verbose=true", "verbose=false"],
    "unknown=": [],
    "none=": ["none=null"],
    "net=": [],
    "net.layers.1=": ["net.layers.1=2"],
    "text=": [],
    "nothing": [],
    "nothing=": [],
    "model.lr.x": [],
    "sweeper": ["sweeper/", "sweeper."],
    "sweeper/se": ["sweeper/search="],
    "sweeper/launcher=l": ["sweeper/launcher=local"],
    "sweeper.launcher.jo": ["sweeper.launcher.jobs="],
    "sweeper.launcher.retries=": ["sweeper.launcher.retries=0"],
    "hydra/l": ["hydra/launcher="],
    "hydra.ru": ["hydra.run.", "hydra.runtime."],
    "hydra.run.": ["hydra.run.dir="],
    "--tri": ["--trials "],
    "-c": ["-c ", "-cn ", "-cp ", "-cd "],
    "--cfg ": ["job ", "sweeper ", "hydra ", "all "],
    "--cfg=j": ["--cfg=job"],
    "--info de": ["defaults ", "defaults-tree "],
    "--info lr": ["lr="],
    "--search t": ["tpe "],
    "--pruner as": ["asha "],
    "--tracker sq": ["sqlite "],
    "--tracker sqlite,no": ["sqlite,none ", "sqlite,notify "],
    "--trials ": [],
    "--explain net.d": ["net.deep."],
    "-sc install=z": ["install=zsh "],
    "-cn c": ["config "],
    "-cn model/": ["model/gbm ", "model/lasso ", "model/ridge "],
    "-cd co": ["conf/"],
    "-cp conf/m": ["conf/model/"],
    "data=./tr": ["data=./train.py"],
    "data=./conf/mo": ["data=./conf/model/"],
}  # fmt: skip


@pytest.mark.parametrize("line", OFFERS)
def test_what_is_begun_is_completed(tree, line):
    assert offers(line) == OFFERS[line]
    assert not (tree.folder / "imported").exists()


HONOURED = {
    "model=ridge model.": ["model.alpha="],
    "model=ridge,lasso model.": ["model.alpha=", "model.lam="],
    "-m model=ridge model.": ["model.alpha="],
    "+experiment=big lr=": ["lr=9"],
    "lr=5 lr=": ["lr=5"],
    "+new.key=1 new.": ["new.key="],
    "~opt op": ["opt=", "opt/", "opt."],
    "lr=[1 nope=3 model=ridge model.": ["model.alpha="],
    "--no-such-flag model=ridge model.": ["model.alpha="],
    "-cn other oth": ["other="],
    "-cd more gr": ["group="],
    "-cd more group=": ["group=one"],
    "-cp more gr": ["group="],
    "hydra.searchpath=[more] gr": ["group="],
    "--search tpe sweeper.search.st": ["sweeper.search.startup="],
}


@pytest.mark.parametrize("line", HONOURED)
def test_what_stands_before_it_is_honoured(tree, line):
    tree.write(other="other: 1\n")
    (tree.folder / "more/group").mkdir(parents=True)
    (tree.folder / "more/group/one.yaml").write_text("x: 1\n")
    assert offers(line) == HONOURED[line]


def test_a_folder_below_home_is_found(tree, monkeypatch):
    monkeypatch.setenv("HOME", str(tree.folder))
    assert offers("-cd ~/conf -cp ~/co") == ["~/conf/"]
    assert offers("-cp ~/conf model=g") == ["model=gbm"]


def test_a_searchpath_of_the_config_is_honoured(tree):
    (tree.folder / "more/group").mkdir(parents=True)
    (tree.folder / "more/group/one.yaml").write_text("x: 1\n")
    tree.write(config="hydra: {searchpath: [more]}\nx: 1\n")
    assert offers("group=") == ["group=one"]


def test_what_only_the_running_program_could_have_stored_hinders_nothing(tree):
    tree.write(config="defaults: [base_schema, model: gbm, stored/db: mysql, _self_]\nlr: 1\n")
    assert offers("model.d") == ["model.depth="]


def test_sweeps_to_resume_are_found(tree):
    for name in ("2026-01-01/10-00-00", "named"):
        (tree.folder / "multirun" / name).mkdir(parents=True)
        (tree.folder / "multirun" / name / "sweep.jsonl").touch()
    (tree.folder / "multirun/other").mkdir()
    assert offers("--resume m") == ["multirun/named ", "multirun/2026-01-01/10-00-00 "]


STARTS = (
    "python3 train.py", "python3.11 -u train.py", "python -X dev -O train.py", "./train.py",
    "python ./train.py", "KEY=1 python train.py", "/usr/bin/python3 train.py", "uv run train.py",
    "uv run --with numpy python train.py", "uv run -m train", "poetry run python -u train.py",
    "python -m train", "python -m pkg.train", "python -m pkg", "python run.py",
)  # fmt: skip


@pytest.mark.parametrize("start", STARTS)
def test_a_program_is_found_however_it_is_started(tree, start):
    (tree.folder / "pkg").mkdir()
    (tree.folder / "pkg/__init__.py").write_text("raise SystemExit('the package was imported')")
    (tree.folder / "pkg/train.py").write_text(
        (tree.folder / "train.py").read_text().replace('"conf"', '"../conf"')
    )
    (tree.folder / "pkg/__main__.py").write_text("from .train import train\ntrain()\n")
    (tree.folder / "run.py").write_text(
        "from pkg.train import train\nif __name__ == '__main__':\n    train()\n"
    )
    assert offers(f"{start} model=g") == ["model=gbm"]


def test_a_program_in_another_folder_has_its_configs_there(tree, monkeypatch):
    monkeypatch.chdir(tree.folder.parent)
    assert offers(f"python {tree.folder.name}/train.py model=g") == ["model=gbm"]


def test_an_installed_command_leads_to_its_module(tree, monkeypatch, tmp_path):
    tree.write(pkg__train_py=SCRIPT.replace('"conf"', '"../conf"'))
    command = tmp_path / "bin/mytrain"
    command.parent.mkdir()
    command.write_text(
        f"#!{sys.executable}\nimport sys\nfrom pkg.train import train\n"
        "if __name__ == '__main__':\n    sys.argv[0] = sys.argv[0]\n    sys.exit(train())\n"
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.syspath_prepend(str(tree.folder))
    assert complete(["mytrain"], "model=g") == ["model=gbm"]


DECORATORS = (
    "import sweeper as hydra\n@hydra.main(version_base=None, config_path='conf', config_name='config')",
    "import hydra\n@hydra.main(config_path='conf', config_name='config.yaml', version_base='1.3')",
    "from sweeper import main\n@main('conf', 'config')",
    "from hydra import main as program\nWHERE: str = 'conf'\nNAME = 'config'\n@program(WHERE, config_name=NAME)",
)


@pytest.mark.parametrize("decorator", DECORATORS)
def test_a_decorator_is_read_as_it_may_be_written(tree, decorator):
    (tree.folder / "train.py").write_text(f"{decorator}\ndef train(cfg): ...\n")
    assert offers("model=g") == ["model=gbm"]
    assert offers("model.d") == ["model.depth="]


def test_an_empty_config_path_is_the_scripts_folder(tree):
    (tree.folder / "train.py").write_text("import hydra\n@hydra.main(config_path='')\ndef f(cfg): ...\n")
    assert offers("conf/model=g") == ["conf/model=gbm"]


def test_a_decorated_call_is_read_too(tree):
    (tree.folder / "train.py").write_text(
        "import sweeper\ndef f(cfg): ...\nsweeper.main(config_path='conf', config_name='config')(f)()\n"
    )
    assert offers("model=g") == ["model=gbm"]


def test_where_the_decorator_cannot_be_read_there_are_flags_and_nothing_else(tree):
    (tree.folder / "train.py").write_text(
        "import sweeper\n@sweeper.main(config_path=find())\ndef f(cfg): ...\n"
    )
    assert offers("--tri") == ["--trials "]
    assert offers("mod") == offers("model=") == []
    assert offers("-cp conf mod") == ["model="]


@pytest.mark.parametrize("text", ["print(1)\n", "def broken(:\n", "\0"])
def test_other_programs_are_left_alone(tree, text):
    (tree.folder / "train.py").write_text(text)
    assert offers("--tri") == offers("") == []


@pytest.mark.parametrize(
    "line",
    [
        "python ",
        "python tr",
        "python -c pass x",
        "python nowhere.py ",
        "python -m no.where ",
        "uv ",
        "uv run ",
    ],
)
def test_the_program_itself_is_for_the_shell_to_complete(tree, line):
    assert offers(line) == []


def test_a_wrong_request_is_answered(parabola):
    assert "Did you mean 'install=fish'" in parabola.run("-sc", "install=fsh", code=2).err


def test_a_query_of_hydras_own_shell_function_is_answered(parabola, monkeypatch):
    monkeypatch.setenv("COMP_LINE", "python train.py na")
    assert parabola.run("-sc", "query=bash").out == "name=\n"


# ------------------------------------------------------------------------------------- the shells


def test_bash_replaces_from_its_word_breaks_on_and_quotes_what_it_must():
    breaks = " \t\n\"'@><=;|&(:"
    for line, offer, rest in (
        ("p db@src=m", "db@src=mysql", "mysql"),
        ("p model=a,b", "model=a,bc", "a,bc"),
        ("p name=", "name='a b'", r"\'a\ b\'"),
        ("p 'x=[1", "x=[1, 2]", "x=[1, 2]"),
        (r"p name=a\ b", "name=a bc", r"a\ bc"),
        ("p --cf", "--cfg ", "--cfg "),
    ):
        assert split_line(line, breaks)[-1].rest_of(offer) == rest


INSTALL = """
    import sweeper

    @sweeper.main()
    def program(cfg): ...

    program()
"""
SHELLS = {"bash": ["bash", "--norc", "-i"], "zsh": ["zsh", "-i"], "fish": ["fish", "-i"]}
TYPED = {
    "python train.py model=ridge,g": "model=ridge,gbm",
    "python train.py db@src=m": "db@src=mysql",
    "./train.py model=ridge model.a": "model=ridge model.alpha=",
    "python train.py --cfg j": "--cfg job",
    "python train.py 'model=g": "'model=gbm",
    "python tra": "train.py",  # the shell's own completion is still there
}


class Terminal:
    """A shell in a terminal, as a person has it."""

    def __init__(self, command: list[str], folder: Path) -> None:
        home = folder / "home"
        home.mkdir()
        (home / ".zshrc").write_text("autoload -Uz compinit && compinit -u\n")
        env = {"HOME": str(home), "TERM": "dumb", "PS1": "$ ", "PYTHONPATH": os.pathsep.join(sys.path)}
        env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.fd, theirs = pty.openpty()
        own = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
        self.process = subprocess.Popen(
            [sys.executable, "-c", own, *command], cwd=folder, env=env, start_new_session=True,
            stdin=theirs, stdout=theirs, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)

    def type(self, text: str, expected: str, seconds: float = 20) -> bool:
        """Type a text and wait until the shell has shown what is expected."""
        shown, end = b"", time.monotonic() + seconds
        os.write(self.fd, text.encode())
        while time.monotonic() < end and expected.encode() not in shown:
            if select.select([self.fd], [], [], 0.1)[0]:
                shown += os.read(self.fd, 65536).replace(b"\a", b"")
        return expected.encode() in shown

    def close(self) -> None:
        os.write(self.fd, b"\x03exit\n")
        os.close(self.fd)
        self.process.wait(10)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_really_completes(tree, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    tree.write(installed__train_py=INSTALL)
    (tree.folder / "install.sh").write_text(tree.run("installed/train.py", "-sc", f"install={shell}").out)
    (tree.folder / "uninstall.sh").write_text(tree.run("installed/train.py", "-sc", f"uninstall={shell}").out)
    (tree.folder / "train.py").chmod(0o755)
    terminal = Terminal(SHELLS[shell], tree.folder)
    try:
        assert terminal.type("source ./install.sh; echo rea''dy\n", "ready")
        for typed, expected in TYPED.items():
            assert terminal.type(f"{typed}\t", expected), f"{typed!r} did not become {expected!r}"
            assert terminal.type("\x15echo nex''t\n", "next")
        assert not (tree.folder / "imported").exists()
        assert terminal.type("source ./uninstall.sh; echo go''ne\n", "gone")
        assert not terminal.type("python train.py --cf\t", "--cfg", seconds=1)
    finally:
        terminal.close()


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_an_earlier_completion_of_a_command_still_works_and_comes_back(tree):
    install = tree.write(installed__train_py=INSTALL)
    (tree.folder / "install.sh").write_text(install.run("installed/train.py", "-sc", "install=bash").out)
    (tree.folder / "uninstall.sh").write_text(install.run("installed/train.py", "-sc", "uninstall=bash").out)
    script = """
        theirs() { COMPREPLY=(sync); }
        complete -o nospace -F theirs uv
        source ./install.sh; source ./install.sh
        COMP_LINE="uv s" COMP_POINT=4; _sweeper_complete uv s; echo "${COMPREPLY[@]}"
        COMP_LINE="python train.py model=g and more" COMP_POINT=23; _sweeper_complete python; echo "${COMPREPLY[@]}"
        source ./uninstall.sh; complete -p uv; complete -p python
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-c", script], cwd=tree.folder, capture_output=True, text=True,
        env={"PATH": path, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert ended.stdout.splitlines() == ["sync", "gbm", "complete -o nospace -F theirs uv"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_a_python_that_has_no_sweeper_leaves_it_to_the_one_that_installed(tree):
    tree.write(installed__train_py=INSTALL)
    (tree.folder / "install.sh").write_text(tree.run("installed/train.py", "-sc", "install=bash").out)
    other = tree.folder / "python3"
    other.write_text("#!/bin/sh\necho asked > asked\nexit 1\n")
    other.chmod(0o755)
    script = """
        set -u
        source ./install.sh
        COMP_LINE="./python3 train.py model=g" COMP_POINT=26; _sweeper_complete ./python3
        echo "${COMPREPLY[@]}"
    """
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(["bash", "-c", script], cwd=tree.folder, capture_output=True, text=True, env=env)
    assert (ended.stdout, ended.stderr) == ("gbm\n", "")
    assert (tree.folder / "asked").exists()


def test_tab_answers_soon_in_a_large_tree(tree):
    defaults = []
    for number in range(100):
        tree.write(**{f"group{number}__a": "key: 1\n", f"group{number}__b": "key: 2\n"})
        defaults.append(f"  - group{number}: a\n")
    tree.write(config=f"defaults:\n{''.join(defaults)}  - _self_\n")
    began = time.process_time()
    assert offers("group1=b group9") == [
        "group9=",
        *(f"group9{n}=" for n in range(10)),
        "group9.",
        *(f"group9{n}." for n in range(10)),
    ]
    assert time.process_time() - began < 0.5

"""Programs of the kinds in Hydra's own examples print the same with the import changed.

Each is written here, in the shape that its readers know from Hydra's documentation.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import pytest

pytest.importorskip("hydra.core.hydra_config")  # this folder has the name hydra too

import sweeper


class App(NamedTuple):
    """A program, its configs, and the command lines to try."""

    script: str
    files: dict[str, str]
    lines: tuple[str, ...]


PRINTS = """
    import hydra
    from omegaconf import OmegaConf

    @hydra.main(version_base=None, config_path="conf", config_name="config")
    def main(cfg):
        print(OmegaConf.to_yaml(cfg))

    if __name__ == "__main__":
        main()
"""
DATABASES = {
    "config": "defaults:\n  - db: mysql\n",
    "db/mysql": "driver: mysql\nuser: omry\npassword: secret\n",
    "db/postgresql": "driver: postgresql\nuser: postgres_user\ntimeout: 10\n",
}
EXPERIMENTS = {
    "config": "defaults:\n  - model: alexnet\n  - dataset: imagenet\n  - _self_\n  - optional dataset_model: ${dataset}_${model}\n",
    "model/alexnet": "type: alexnet\nlayers: 7\n",
    "model/resnet": "type: resnet\nlayers: 50\n",
    "dataset/imagenet": "name: imagenet\npath: /datasets/imagenet\n",
    "dataset/cifar10": "name: cifar10\npath: /datasets/cifar10\n",
    "dataset_model/cifar10_alexnet": "# @package _global_\nmodel:\n  layers: 5\n",
    "experiment/large": "# @package _global_\ndefaults:\n  - override /model: resnet\n  - override /dataset: cifar10\nmodel:\n  layers: 1000\n",
}
APPS = {
    "a config from the command line": App(
        """
        import hydra

        @hydra.main(version_base=None)
        def main(cfg):
            print(cfg, type(cfg).__name__)

        main()
        """,
        {},
        ("", "+db.driver=mysql +db.user=omry", "+list=[1,2] +'text=a b' +nothing=null"),
    ),
    "a config file": App(PRINTS, {"config": "db:\n  driver: mysql\n  user: ${oc.env:LANG,me}\n"}, ("", "db.user=root", "++db.driver=pg ~db.user")),
    "config groups": App(PRINTS, DATABASES, ("", "db=postgresql", "db=postgresql db.timeout=20 +db@copy=mysql", "~db", "--cfg job", "--cfg job -p db", "--cfg job --package db.driver", "--cfg job --resolve")),
    "specialised configs and experiments": App(PRINTS, EXPERIMENTS, ("", "dataset=cifar10", "+experiment=large", "+experiment=large model.layers=3", "--info defaults-tree")),
    "options merged and packages": App(
        PRINTS,
        {
            "config": "defaults:\n  - server/site: [fb, google]\n  - server/apache@backup\n  - server/apache\n",
            "server/apache": "# @package server\nname: apache\nport: 80\n",
            "server/site/fb": "fb:\n  domain: facebook.com\n",
            "server/site/google": "google:\n  domain: google.com\n",
        },
        ("", "server/site=[google]", "server/site=google", "--info defaults-tree"),
    ),
    "structured configs": App(
        """
        from dataclasses import dataclass, field
        from typing import Any, List
        import hydra
        from hydra.core.config_store import ConfigStore
        from omegaconf import MISSING, OmegaConf

        @dataclass
        class MySQL:
            driver: str = "mysql"
            host: str = "localhost"
            port: int = 3306

        @dataclass
        class PostGreSQL(MySQL):
            driver: str = "postgresql"
            port: int = 5432
            timeout: int = 10

        @dataclass
        class Config:
            defaults: List[Any] = field(default_factory=lambda: [{"db": "mysql"}, "_self_"])
            db: MySQL = MISSING
            debug: bool = False

        cs = ConfigStore.instance()
        cs.store(name="config", node=Config)
        cs.store(group="db", name="mysql", node=MySQL)
        cs.store(group="db", name="postgresql", node=PostGreSQL)

        @hydra.main(version_base=None, config_name="config")
        def main(cfg: Config):
            print(OmegaConf.to_yaml(cfg), cfg.db.port + 1, cfg.debug)

        main()
        """,
        {},
        ("", "db=postgresql db.timeout=3 debug=yes", "db.port=fail", "db.pork=1"),
    ),
    "a schema for a file": App(
        """
        from dataclasses import dataclass
        import hydra
        from hydra.core.config_store import ConfigStore

        @dataclass
        class Db:
            driver: str = "?"
            port: int = 1

        ConfigStore.instance().store(group="db", name="base_mysql", node=Db)

        @hydra.main(version_base=None, config_path="conf", config_name="config")
        def main(cfg):
            print(cfg)

        main()
        """,
        {"config": "defaults:\n  - db: mysql\n  - _self_\n", "db/mysql": "defaults:\n  - base_mysql\nport: 3306\n"},
        ("", "db.port=7", "db.port=x", "db.user=x"),
    ),
    "objects": App(
        """
        import functools
        import hydra
        from hydra.utils import call, get_class, get_method, instantiate

        class Connection:
            def __init__(self, host, port=1, *rest, inner=None):
                self.said = (host, port, rest, inner)

        def make(a, b=2):
            return a, b

        @hydra.main(version_base=None, config_path="conf", config_name="config")
        def main(cfg):
            made = instantiate(cfg.db, port=9)
            print(made.said[:3], made.said[3].said[0])
            print(instantiate(cfg.later)(b=3), call(cfg.now), call(cfg.now, b=7))
            print(instantiate(cfg.several), type(instantiate(cfg.several, _convert_="all")).__name__)
            print(get_class("collections.OrderedDict"), get_method("os.path.join")("a", "b"))

        if __name__ == "__main__":
            main()
        """,
        {
            "config": """
                db: {_target_: __main__.Connection, _args_: [here], inner: {_target_: __main__.Connection, host: there}}
                later: {_target_: __main__.make, _partial_: true, a: 1}
                now: {_target_: __main__.make, a: 5}
                several: [{_target_: builtins.str, object: 1}, {x: {_target_: builtins.len, _args_: [abc]}}]
            """
        },
        ("", "now.a=8 db.inner.host=elsewhere", "now._target_=__main__.nothing"),
    ),
    "logging": App(
        """
        import logging
        import hydra

        log = logging.getLogger(__name__)

        @hydra.main(version_base=None)
        def main(_cfg):
            log.info("an info")
            log.debug("a detail")

        main()
        """,
        {},
        ("", "hydra.verbose=true", "hydra.verbose=__main__", "hydra/job_logging=stdout", "hydra/job_logging=disabled", "hydra.job_logging.formatters.simple.format='%(levelname)s:%(message)s'"),
    ),
    "folders": App(
        """
        import os
        import hydra
        from hydra.core.hydra_config import HydraConfig
        from hydra.utils import get_original_cwd, to_absolute_path

        @hydra.main(version_base="1.3", config_path="conf", config_name="config")
        def main(cfg):
            node = HydraConfig.get()
            print(os.path.relpath(os.getcwd(), get_original_cwd()), to_absolute_path("a") == get_original_cwd() + "/a")
            print(os.path.relpath(node.runtime.output_dir, node.runtime.cwd), node.job.name, node.job.override_dirname)
            print(node.runtime.choices.db, node.overrides.task, node.mode, node.job.config_name, os.path.normpath(node.run.dir))

        main()
        """,
        {"config": "defaults: [db: a]\nx: 1\nhydra:\n  run: {dir: 'out/${x}/${hydra.job.override_dirname}'}\n", "db/a": "p: 1\n", "db/b": "p: 2\n"},
        ("", "x=3 db=b", "hydra.job.chdir=true", "hydra.job.chdir=true x=4 hydra.job.config.override_dirname.exclude_keys=[x] db.p=7", "hydra.job.name=other hydra.run.dir='${hydra.job.name}'"),
    ),
    "an exit code": App(
        """
        import sys
        import hydra

        @hydra.main(version_base=None)
        def main(_cfg):
            sys.exit(42)

        main()
        """,
        {},
        ("",),
    ),
    "callbacks": App(
        """
        import hydra

        class Mine:
            def __init__(self, word): self.word = word
            def on_job_start(self, config, **kwargs): print(self.word, "job start", config.x)
            def on_job_end(self, config, job_return, **kwargs): print("job end", job_return.return_value, job_return.status.name)
            def on_run_start(self, config, **kwargs): print("run start")
            def on_run_end(self, config, **kwargs): print("run end")

        @hydra.main(version_base=None, config_path="conf", config_name="config")
        def main(cfg):
            print("in", cfg.x)
            return cfg.x * 2

        if __name__ == "__main__":
            main()
        """,
        {"config": "x: 1\nhydra: {callbacks: {mine: {_target_: __main__.Mine, word: hello}}}\n"},
        ("", "x=4"),
    ),
    "a decorated decorator and compose": App(
        """
        import functools
        import hydra
        from hydra import compose, initialize

        def twice(function):
            @functools.wraps(function)
            def inner(cfg):
                return function(cfg), function(cfg)
            return inner

        @hydra.main(version_base=None, config_path="conf", config_name="config")
        @twice
        def main(cfg):
            print(cfg.db.driver)

        with initialize(version_base=None, config_path="conf"):
            print(compose("config", ["db=postgresql"]), compose("config", return_hydra_config=True).hydra.job_logging.root)
        main()
        """,
        DATABASES,
        ("", "db=postgresql"),
    ),
}  # fmt: skip


def run(app: App, folder: Path, line: str, name: str) -> tuple[int, str, str]:
    """Return exit code and output of one of the two."""
    for path, text in app.files.items():
        file = folder / "conf" / f"{path}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text))
    script = dedent(app.script)
    if name == "sweeper":
        script = script.replace("import hydra", "import sweeper as hydra").replace(
            "from hydra", "from sweeper"
        )
    (folder / "app.py").write_text(script)
    import shlex

    environment = {**os.environ, "PYTHONPATH": str(Path(sweeper.__file__).parents[1]), "LANG": "C.UTF-8"}
    process = subprocess.run(
        [sys.executable, "app.py", *shlex.split(line)],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return process.returncode, normal(process.stdout), process.stderr


def normal(text: str) -> str:
    """Return output without times, and without what Hydra says of itself."""
    text = re.sub(r"\[?\d{4}-\d\d-\d\d[ /]\d\d[:-]\d\d[:-]\d\d(,\d+\])?", "TIME", text)
    text = re.sub(r"(?m)^  (hydra|sweeper)/config:\n(    .*\n)+", "", text)  # each has its own
    kept = (line for line in text.splitlines() if "[HYDRA]" not in line and "[hydra" not in line)
    return "\n".join(kept).strip()


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, app in APPS.items() for line in app.lines])
def test_a_program_prints_what_it_prints_with_hydra(tmp_path, name, line):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    theirs = run(APPS[name], tmp_path / "a", line, "hydra")
    ours = run(APPS[name], tmp_path / "b", line, "sweeper")
    assert ours[1] == theirs[1], ours[2] + theirs[2]
    assert ours[0] == (2 if theirs[0] == 1 and "sweeper.errors" not in ours[2] else theirs[0]), ours[2]

"""However a program is started, it runs singly and as a sweep."""

import os
import stat
import sys

import pytest

GUARDED = """
    import sweeper
    {top}
    @sweeper.main(config_path="{conf}", config_name="config")
    def train(cfg):
        return cfg.x * {factor}
    {end}
"""
GUARD = 'if __name__ == "__main__":\n        train()'

FORMS = {
    "script": ("train.py", "", GUARD, 2),
    "without a guard": ("train.py", "", "train()", 2),
    "data at module level": ("train.py", "from sklearn.datasets import load_digits\n    x, y = load_digits(return_X_y=True)", GUARD, "len(x)"),
    "threads at module level": ("train.py", "import threading, time\n    threading.Thread(target=time.sleep, args=(.2,), daemon=True).start()", GUARD, 2),
    "module": ("-m pkg.train", "from . import helper", GUARD, "helper.two"),
    "console script": ("bin/mytrain", "from . import helper", "", "helper.two"),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_program_runs_singly_and_as_a_sweep(project, form):
    start, top, end, factor = FORMS[form]
    packaged = form in ("module", "console script")
    text = GUARDED.format(top=top, end=end, factor=factor, conf="../conf" if packaged else "conf")
    project.write(config="x: 1\n", **{"pkg__train_py" if packaged else "train_py": text})
    if packaged:
        project.write(pkg____init___py="", pkg__helper_py="two = 2\n")
        for name in ("__init__", "helper"):
            source = {"__init__": "", "helper": "two = 2\n"}[name]
            (project.folder / f"pkg/{name}.py").write_text(source)
    if form == "console script":
        script = project.folder / "bin/mytrain"
        script.parent.mkdir()
        script.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(project.folder)!r})\n"
            "from pkg.train import train\nif __name__ == '__main__':\n    sys.exit(train())\n"
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
    words = start.split(" ")

    def run(*arguments):
        process = project.start(*words, *arguments)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
        return out

    assert run("x=3") == ""
    out = run("-m", "x=1,2,3", "--jobs", "2")
    expected = [str(x * (1797 if factor == "len(x)" else 2)) for x in (1, 2, 3)]
    rows = (project.folder / "multirun/latest/results.csv").read_text().splitlines()[1:]
    assert [row.split(",")[2] for row in rows] == expected
    shown = {"console script": "mytrain", "module": "python -m pkg.train"}.get(form, "python train.py")
    assert f"repeat the best  {shown} x=1" in out
    assert not os.path.exists(project.folder / "outputs/2-2")


def test_a_main_script_may_import_its_function_from_a_module(parabola):
    parabola.write(
        start_py="""
        from omegaconf import OmegaConf
        OmegaConf.register_new_resolver("twice", lambda x: 2 * x) if not OmegaConf.has_resolver("twice") else None
        from train import train
        if __name__ == "__main__":
            train()
    """
    )
    parabola.write(config="x: ${twice:1}\nname: a\n")
    ended = parabola.run("start.py", "-m", "name=a,b")
    assert [row["score"] for row in ended.results] == ["1", "1"]

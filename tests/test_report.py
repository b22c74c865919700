"""`sweeper report`: one HTML file on sweeps, which needs nothing else."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from textwrap import dedent

import pytest
from conftest import Project, environment, type_sweeper, until

pytest.importorskip("plotly", reason="plotly draws the charts: pip install 'sweeper[report]'")

EVIL = "<script>alert(1)</script>"
TRAIN = """
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        sweeper.current_run().set_tag("<i>kind", "</script><!--")
        for step in range(3):
            sweeper.report({"loss": cfg.x + 1 / (step + 1)}, step=step)
        if cfg.x == 9:
            raise ValueError("</script><script>alert(2)</script>\\u2028")
        return (cfg.x - 3) ** 2

    if __name__ == "__main__":
        train()
"""


class Page(HTMLParser):
    """What a browser makes of a page, without its scripts."""

    def __init__(self, path):
        super().__init__()
        self.source = Path(path).read_text()
        self.tags, self.headings, self.texts, self.open = [], [], [], []
        self.data = None
        self.feed(self.source)
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        tag, attributes = self.open[-1] if self.open else ("", {})
        if attributes.get("id") == "data":
            self.data = json.loads(data)
        elif tag not in ("script", "style"):
            self.texts.append(data)
            if tag in ("h1", "h2", "h3"):
                self.headings.append(data)

    @property
    def sweep(self):
        return self.data["sweeps"][0]

    def traces(self, kind):
        return [t for f in self.sweep["figures"] for t in f["data"] if t["type"] == kind]


class Folder:
    """A folder with a program, in which `sweeper` is typed."""

    def __init__(self, folder, program=""):
        self.folder = folder
        if program:
            (folder / "conf").mkdir()
            (folder / "conf/config.yaml").write_text("x: 1\nk: a\npassword: hunter2\n")
            (folder / "train.py").write_text(dedent(program))

    def run(self, *words):
        command = [sys.executable, "train.py", *words]
        return subprocess.run(command, cwd=self.folder, env=environment(), capture_output=True, text=True)

    def sweeper(self, *words, code=0):
        return type_sweeper(self.folder, *words, code=code)

    def page(self, *words):
        return Page(self.sweeper("report", *words).out.strip())

    def rows(self, sql, *values):
        with closing(sqlite3.connect(self.folder / "sweeper.db")) as db:
            return db.execute(sql, values).fetchall()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A sweep of twelve runs, three of them failed, with all that a page must not take for HTML."""
    made = Folder(tmp_path_factory.mktemp("made"), TRAIN)
    note = f'sweeper.note="{EVIL} & <b>bold</b>"'
    made.run("-m", "x=1,2,4,9", f'k=a,b,"{EVIL}"', note, 'sweeper.name="<u>name</u>"', "password=s3cret")
    return made


@pytest.fixture(scope="module")
def page(made):
    return made.page()


# ------------------------------------------------------------------------------------ what it tells


def test_the_page_stands_in_the_sweeps_directory_and_answers_in_order(made, page):
    assert (made.folder / "multirun/latest/report.html").exists()
    assert page.headings[:6] == [
        "<u>name</u>",
        "What it was",
        "The best",
        "Score over time",
        "Parameters",
        "Importance",
    ]
    for fact in ("minimize score", "grid", "python train.py -m", "score 1", "3 failed", "omegaconf 2"):
        assert fact in page.text.replace("failed 3", "3 failed")


def test_the_best_run_has_the_command_that_repeats_it(made, page):
    assert "python train.py x=2 k=a 'password=***'" in page.text
    assert "what *** stands for" in page.text


def test_the_table_has_every_run_with_a_link_to_its_directory(made, page):
    runs = page.sweep["runs"]
    assert [run["number"] for run in runs] == list(range(12))
    assert (made.folder / "multirun/latest" / runs[3]["link"]).is_dir()
    assert sum(run["status"] == "FAILED" for run in runs) == 3
    assert "ValueError" in next(run["error"] for run in runs if run["status"] == "FAILED")
    assert runs[0]["params"] == {"x": 1, "k": "a"}


def test_failed_runs_have_a_lane_below_the_scores(page):
    (lane,) = [trace for trace in page.traces("scatter") if trace.get("yaxis") == "y2"]
    assert lane["name"] == "failed"
    assert [page.sweep["runs"][at]["params"]["x"] for at in lane["runs"]] == [9, 9, 9]


def test_the_best_so_far_never_gets_worse(page):
    (line,) = [trace for trace in page.traces("scatter") if trace.get("name") == "best so far"]
    assert line["y"] == sorted(line["y"], reverse=True)
    assert line["y"][-1] == 1


def test_learning_curves_go_by_step_and_workers_by_time(page):
    curves = [trace for trace in page.traces("scatter") if "run" in trace]
    assert len(curves) == 12
    assert all(trace["x"] == [0, 1, 2] for trace in curves)
    bars = [trace for trace in page.traces("bar") if "base" in trace]
    assert {trace["name"] for trace in bars} == {"completed", "failed"}
    assert sum(len(trace["x"]) for trace in bars) == 12


def test_the_importances_are_those_that_the_sweep_ends_with(parabola):
    ended = parabola.run("--search", "random", "--trials", "12", "x=interval(0,9)", "+y=interval(0,1)")
    (said,) = re.findall(r"importance  (.*)", ended.out)
    folder = Folder(parabola.folder)
    assert said.split(", ")[0] in folder.page().text


def test_runs_on_hosts_of_several_zones_stand_in_the_order_of_time(parabola):
    parabola.run("-m", "x=1,2")
    times = [("10:00:02.000+00:00", "10:00:04.000+00:00"), ("12:00:00.000+02:00", "12:00:01.000+02:00")]
    with closing(sqlite3.connect(parabola.folder / "sweeper.db")) as db, db:
        for number, pair in enumerate(times):
            began, ended = (f"2026-01-01T{time}" for time in pair)
            change = "update runs set started = ?, ended = ?, pid = null where number = ?"
            db.execute(change, (began, ended, number))
    page = Folder(parabola.folder).page()
    best = next(trace for trace in page.traces("scatter") if trace.get("name") == "best so far")
    assert best["y"] == [1, 1], "x=2 ended first"
    (bars,) = [trace for trace in page.traces("bar") if "base" in trace]
    assert bars["base"] == ["2026-01-01T12:00:02.000", "2026-01-01T12:00:00.000"]
    assert bars["y"] == [0, 0], "one worker made both"


def test_each_parameter_has_a_bar_of_its_own_however_long_the_keys(parabola):
    key = "an.exceedingly.long.way.down.to.the"
    words = ["x=interval(0,9)", f"+{key}.rate=interval(0,1)", f"+{key}.ratio=interval(0,1)"]
    parabola.run("--search", "random", "--trials", "12", *words)
    figures = Folder(parabola.folder).page().sweep["figures"]
    (chart,) = [f for f in figures if "%{hovertext}" in f["data"][0].get("hovertemplate", "")]
    (bars,), axis = chart["data"], chart["layout"]["yaxis"]
    assert bars["y"] == axis["tickvals"] == [0, 1, 2]
    assert {label[-5:] for label in axis["ticktext"]} == {"x", ".rate", "ratio"}


def test_secrets_in_the_config_are_masked(page):
    assert "password: '***'" in page.text
    assert "hunter2" not in page.source
    assert "s3cret" not in page.source


# --------------------------------------------------------------------------------- what people typed


def test_what_people_typed_is_text(page):
    assert f"{EVIL} & <b>bold</b>" in page.text
    scripts = [attributes for tag, attributes in page.tags if tag == "script"]
    assert len(scripts) == 3, "the data, the page's own, plotly's"
    assert not {tag for tag, _ in page.tags} & {"u", "b", "i", "img"}
    assert EVIL in json.dumps(page.sweep["runs"])
    assert "\u2028" in page.sweep["runs"][-1]["error"]


def test_plotly_gets_what_people_typed_escaped(page):
    labels = [
        label
        for figure in page.sweep["figures"]
        for label in figure["layout"].get("xaxis", {}).get("ticktext", [])
    ]
    assert any(label.startswith("&lt;script") for label in labels)
    assert "<" not in "".join(labels)


def test_the_page_needs_no_network(page):
    for tag, attributes in page.tags:
        for name in ("src", "href"):
            assert not re.match(r"(https?:)?//", attributes.get(name, "")), (tag, attributes)
    own = re.sub(r'id="plotly">[^<]*', "", page.source)
    assert not re.findall(r"https?://", own)
    assert "default-src 'none'" in own
    assert len(page.source) < 2_500_000


# ----------------------------------------------------------------------------------- kinds of sweeps


@pytest.mark.parametrize(
    ("returns", "words", "said"),
    [
        ("None", ["-m", "x=1,2"], "No run has a score."),
        ("cfg.x", ["-m", "x=1"], "score 1"),
        ("float(cfg.x)", ["-m", "x=1,2", "sweeper.search.repeats=2"], "the mean of 2 runs of this point"),
        ("1 / 0", ["-m", "x=1,2"], "No run has a score."),
        ("float(cfg.x)", ["-m", "x=-1e308,1e308,1e-300"], "score -1e+308"),
        ("float(len(str(cfg.x)))", ["-m", "x=null,true,1,0.5,text,[a,b]"], "score 1"),
        ("1", ["--search", "random", "--trials", "3", "x=interval(1e-300,1e300,log=true)"], "Logarithmic."),
    ],
)  # fmt: skip
def test_a_page_can_be_written_of_any_sweep(tmp_path, returns, words, said):
    folder = Folder(tmp_path, TRAIN.replace("(cfg.x - 3) ** 2", returns).replace("cfg.x + 1", "1"))
    folder.run(*words)
    assert said in folder.page().text


def test_a_parameter_that_only_some_runs_have_is_drawn_for_these(project):
    project.write(
        config="defaults: [{model: a}]\n",
        model__a="depth: 1\n_space_: {depth: 'range(1,9)'}\n",
        model__b="lr: 0.1\n_space_: {lr: 'interval(1e-5, 1, log=true)'}\n",
        train_py="""
            import sweeper

            @sweeper.main(config_path="conf", config_name="config")
            def train(cfg):
                return float(cfg.model.get("depth", 4)) + cfg.model.get("lr", 0)

            if __name__ == "__main__":
                train()
        """,
    )
    project.run("--search", "random", "--trials", "14", "model=a,b")
    folder = Folder(project.folder)
    page = folder.page()
    (axis,) = [
        f["layout"]["xaxis"]
        for f in page.sweep["figures"]
        if f["layout"].get("xaxis", {}).get("type") == "log"
    ]
    assert axis["type"] == "log", "since its space is"
    some = sum("model.lr" in run["params"] for run in page.sweep["runs"])
    assert f"In {some} of 14 runs. Logarithmic." in page.text
    assert "interval(1e-05, 1.0, log=true)" in page.text


def test_several_objectives_have_a_front_and_a_command_for_each_of_its_runs(tmp_path):
    folder = Folder(
        tmp_path, TRAIN.replace("return (cfg.x - 3) ** 2", 'return {"a": cfg.x, "b": 4 - cfg.x % 3}')
    )
    folder.run(
        "-m", "x=1,2,3,4", "sweeper.objective.metric=[a,b]", "sweeper.objective.direction=[minimize,maximize]"
    )
    page = folder.page()
    assert "2 runs are beaten by no other in every objective" in page.text, "x=1: (1, 3); x=3: (3, 4)"
    copied = [attributes["data-copy"] for _, attributes in page.tags if attributes.get("data-copy")]
    assert copied == ["python train.py x=1", "python train.py x=3"]
    assert "a over time" in page.headings
    assert page.sweep["objectives"] == ["a", "b"]


def test_several_sweeps_are_compared(tmp_path):
    folder = Folder(tmp_path, TRAIN)
    for xs in ("x=1,2", "x=2,4,3"):
        folder.run("-m", xs)
    names = [row[0] for row in folder.rows("select id from sweeps order by started")]
    page = folder.page(*names)
    assert page.headings[0] == "2 sweeps compared"
    assert len(page.data["sweeps"]) == 2
    (figure,) = page.data["charts"]
    assert [trace["y"][-1] for trace in figure["data"]] == [1, 0]
    assert (tmp_path / "report.html").exists(), "which is no one sweep's"


def test_two_thousand_runs_are_thinned_where_they_would_be_slow(tmp_path):
    folder = Folder(tmp_path, TRAIN)
    lines = [f"{x / 7},{x % 5},{(x / 7 - 100) ** 2}" for x in range(2000)]
    (tmp_path / "old.csv").write_text("\n".join(["lr,k,score", "param,param,score", *lines]))
    folder.sweeper("import", "old.csv")
    page = folder.page("last")
    assert len(page.sweep["runs"]) == 2000
    assert "Of 2000 runs 600 are shown" in page.text
    assert max(len(trace.get("x", ())) for trace in page.traces("scatter")) <= 3000
    assert len(page.source) < 4_000_000


def test_a_sweep_that_no_database_knows_is_read_from_its_directory(made, page, tmp_path):
    shutil.copytree(made.folder / "multirun/latest", tmp_path / "copy")
    where = ["--db", str(tmp_path / "none.db"), "--out", str(tmp_path / "out.html")]
    copied = made.page(str(tmp_path / "copy"), *where)
    for run, other in zip(copied.sweep["runs"], page.sweep["runs"], strict=True):
        assert (run["params"], run["values"]) == (other["params"], other["values"])


# ------------------------------------------------------------------------------------ while it runs

SLOW = """
    import os, time
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        while not os.path.exists(f"go{cfg.x}"):
            time.sleep(0.02)
        return cfg.x

    if __name__ == "__main__":
        train()
"""


@pytest.fixture
def slow(tmp_path):
    """A sweep whose runs end when they are told to."""
    folder = Folder(tmp_path, SLOW)
    started = []

    def start(*words):
        process = subprocess.Popen(
            [sys.executable, *words], cwd=tmp_path, env=environment(),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        return process

    folder.start = start
    yield folder
    for process in started:
        process.kill()
        process.communicate()


def ended_in(path):
    if not path.exists():
        return -1
    return sum(run["status"] == "COMPLETED" for run in Page(path).sweep["runs"])


def test_watch_writes_the_page_anew_until_the_sweep_ends(slow):
    sweep = slow.start("train.py", "-m", "x=1,2,3")
    until((slow.folder / "multirun/latest/0/.sweeper").exists)
    until(lambda: Project(slow.folder).asked("select 1 from runs"))
    watch = slow.start("-m", "sweeper", "report", "--watch")
    path = slow.folder / "multirun/latest/report.html"
    (slow.folder / "go1").touch()
    until(lambda: ended_in(path) == 1)
    live = Page(path)
    assert "data-live" in dict(live.tags)["body"]
    assert "running" in live.text
    for name in ("go2", "go3"):
        (slow.folder / name).touch()
    sweep.communicate(timeout=30)
    out, err = watch.communicate(timeout=30)
    assert (watch.returncode, out.strip()) == (0, os.path.realpath(path)), err
    last = Page(path)
    assert ended_in(path) == 3
    assert "data-live" not in dict(last.tags)["body"], "it reloads no more"


def test_watch_ends_when_the_sweep_was_killed(slow):
    sweep = slow.start("train.py", "-m", "x=1,2")
    until((slow.folder / "multirun/latest/0/.sweeper").exists)
    until(lambda: Project(slow.folder).asked("select 1 from runs"))
    sweep.kill()
    sweep.communicate()
    (slow.folder / "go1").touch()
    until(lambda: "data-live" not in dict(slow.page("--watch").tags)["body"])
    assert "stopped without an end; --resume goes on with it" in slow.page().text


# ---------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nosuch"], "There is no sweep 'nosuch'"),
        (["--db", "no.db"], "There is no sweep in multirun/latest"),
        (["--out", "no/such/folder/x.html"], "Cannot write"),
        (["--out", "conf"], "Cannot write"),
        (["multirun/latest", "--watch", "--db", "no.db"], "no.db knows nothing of multirun/latest"),
    ],
)
def test_mistakes_are_said_in_a_few_lines(made, words, said):
    if words[:1] == ["--db"]:
        made = Folder(Path("/"))
    ended = made.sweeper("report", *words, code=2)
    assert said in ended.err
    assert len(ended.err.splitlines()) <= 3


def test_without_plotly_what_to_install_is_said(made):
    code = "import sys; sys.modules['plotly'] = None; from sweeper.commands import main; sys.exit(main(['report']))"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=made.folder, env=environment(), capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert (
        ended.stderr
        == "error: The page's charts need plotly\n  Install it with: pip install 'sweeper[report]'\n"
    )


def test_only_a_report_imports_plotly(made):
    code = "import sys; from sweeper.commands import main; main(['ls']); assert not {'plotly', 'sweeper.page'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], cwd=made.folder, env=environment(), check=True)


# ---------------------------------------------------------------------------------- in a real browser


@pytest.fixture(scope="module")
def browser():
    """Chromium, where it and playwright are."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except sync_api.Error as error:
            pytest.skip(f"needs Chromium: {error}")
        yield browser
        browser.close()


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (360, "dark")])
def test_a_browser_shows_the_page(made, page, browser, width, theme):
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=theme)
    tab, said = context.new_page(), []
    tab.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("dialog", lambda dialog: said.append(f"alert {dialog.message}"))
    tab.on("request", lambda request: said.append(request.url) if request.url.startswith("http") else None)
    tab.goto((made.folder / "multirun/latest/report.html").resolve().as_uri())
    until(lambda: tab.evaluate("'drawn' in document.documentElement.dataset"), 60)
    assert said == []
    assert tab.evaluate("document.querySelectorAll('.chart .main-svg').length") > 0
    assert tab.evaluate("document.documentElement.scrollWidth") <= width, "no sideways scrolling"
    tab.fill("input[type=search]", "failed x=9")
    assert tab.inner_text(".count") == "3 of 12 runs"
    assert EVIL in tab.inner_text(".runs tbody")
    tab.click(".runs summary")
    assert "</script><script>alert(2)</script>" in tab.inner_text(".runs details[open] pre")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    found = axe.Axe().run(tab).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")] == []
    context.close()

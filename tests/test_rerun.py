"""A run made again from its own record."""

import pytest

SEEDED = """
    import random
    import sweeper

    @sweeper.main(config_path="conf", config_name="config")
    def train(cfg):
        print("password", len(cfg.password))
        return cfg.x * random.random() if cfg.random else cfg.half * 2

    if __name__ == "__main__":
        train()
"""


@pytest.fixture
def seeded(project):
    return project.write(config="x: 1\nhalf: ${x}\nrandom: true\npassword: hunter2\n", train_py=SEEDED)


def test_a_run_of_a_sweep_is_made_again_with_its_seed(seeded):
    swept = seeded.run("-m", "x=5,6", "--search", "random", "--trials", "2").sweep
    again = seeded.run("--rerun", str(swept / "1"))
    assert "as it was in" in again.out
    assert "password 7" in again.out, "the run's own config has its secrets"
    assert seeded.query(
        "select r.score = t.score from runs r, runs t where r.sweep_id is null and t.number = 1"
    ) == [(1,)]
    assert seeded.query("select value from tags where key = 'rerun_of'") == seeded.query(
        "select id from runs where number = 1"
    )


def test_a_single_run_is_made_again_with_its_config_whatever_the_files_say_now(seeded):
    first = seeded.run("x=4", "random=false").run
    seeded.write(config="x: 1\nhalf: 77\nrandom: false\npassword: abc\nnew: 1\n")
    again = seeded.run("--rerun", str(first))
    assert "the score is 8, as it was in" in again.out
    assert again.run != first
    assert (again.run / ".sweeper/config.yaml").read_text() == (first / ".sweeper/config.yaml").read_text()
    assert (again.run / ".sweeper/overrides.yaml").read_text() == "- x=4\n- random=false\n"


def test_another_score_is_said_and_ends_with_1(seeded):
    first = seeded.run("x=4").run
    ended = seeded.run("--rerun", str(first), code=1)
    assert "and was" in ended.out


def test_what_is_not_as_it_was_is_said(seeded):
    first = seeded.run("x=4", "random=false").run
    script = seeded.folder / "train.py"
    script.write_text(script.read_text().replace("half * 2", "half * 3"))
    ended = seeded.run("--rerun", str(first), code=1)
    assert f"warning: {script} has changed since" in ended.err
    assert "the score is 12, and was 8 in" in ended.out


def test_all_values_are_compared_where_there_are_several_objectives(project):
    project.write(
        config="x: 1\nsweeper: {objective: {direction: [minimize, maximize]}}\n",
        train_py="""
        import sweeper

        @sweeper.main(config_path="conf", config_name="config")
        def train(cfg):
            return [cfg.x, 2]

        if __name__ == "__main__":
            train()
        """,
    )
    first = project.run("x=4").run
    assert "the values are [4.0, 2.0], as they were in" in project.run("--rerun", str(first)).out
    script = project.folder / "train.py"
    script.write_text(script.read_text().replace("[cfg.x, 2]", "[cfg.x, 3]"))
    ended = project.run("--rerun", str(first), code=1)
    assert "the values are [4.0, 3.0], and were [4.0, 2.0] in" in ended.out


def test_a_directory_that_the_user_fixed_is_not_written_over(seeded):
    first = seeded.run("x=4", "random=false", "sweeper.run.dir=here")
    before = (first.folder / "here/.sweeper/run.yaml").read_text()
    seeded.run("--rerun", "here")
    assert (first.folder / "here/.sweeper/run.yaml").read_text() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rerun", "nowhere"], "There is no run in"),
        (["--rerun", "here", "x=5"], "goes with no override"),
        (["--rerun", "here", "-m"], "goes with no override"),
    ],
)
def test_what_cannot_be_made_again_is_refused(seeded, words, said):
    seeded.run("random=false", "sweeper.run.dir=here")
    assert said in seeded.run(*words, code=2).err


def test_the_run_of_another_program_is_refused(seeded):
    seeded.run("random=false", "sweeper.run.dir=here")
    seeded.write(other_py=SEEDED)
    assert "was made by another program" in seeded.run("other.py", "--rerun", "here", code=2).err

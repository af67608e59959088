"""Stop, pause, resume, retry and remove, in each state and twice at once: no stray process, never another's."""

from __future__ import annotations

import os
import subprocess

import pytest

from ddl.experiments.engine.files.removal import take_away
from tests.experiments.engine.lab import GO


def begin(lab, state):
    """Bring experiment 1 into a state."""
    lab.do("add", lab.spec(count=2, seconds=GO, nodes={"here": {"slots": 1}}))
    if state == "planned":
        return
    if state == "waiting":
        lab.do("submit", "2")
        lab.wait(lambda: lab.trained(2))
    lab.do("submit", "1")
    if state == "running":
        lab.wait(lambda: lab.trained(1))
    if state in ("stopped", "paused"):
        lab.wait(lambda: lab.trained(1))
        lab.do({"stopped": "stop", "paused": "pause"}[state], "1")
        lab.sync_until(lambda: lab.one().state == state)
    if state == "finished":
        lab.go()
        lab.wait(lambda: lab.one().state == state)


@pytest.mark.parametrize(
    ("state", "verb", "after"),
    [
        pytest.param("planned", "stop", "planned", marks=pytest.mark.proof),
        pytest.param("planned", "resume", "planned", marks=pytest.mark.proof),
        ("waiting", "stop", "stopped"),
        pytest.param("waiting", "pause", "paused", marks=pytest.mark.proof),
        pytest.param("running", "stop", "stopped", marks=pytest.mark.proof),
        ("running", "pause", "paused"),
        pytest.param("running", "resume", "running", marks=pytest.mark.proof),
        pytest.param("stopped", "resume", "running", marks=pytest.mark.proof),
        pytest.param("stopped", "stop", "stopped", marks=pytest.mark.proof),
        ("paused", "resume", "running"),
        pytest.param("paused", "stop", "stopped", marks=pytest.mark.proof),
        pytest.param("finished", "stop", "finished", marks=pytest.mark.proof),
        ("finished", "retry", "finished"),
        pytest.param("finished", "resume", "finished", marks=pytest.mark.proof),
    ],
)
def test_a_verb_in_a_state_leads_to_a_state(lab, state, verb, after):
    begin(lab, state)
    if state == "waiting":
        assert lab.one().state == "waiting"
    assert lab.do(verb, "1") == 0
    lab.sync_until(lambda: lab.one().state == after)
    if after not in ("running", "planned"):
        lab.wait(lambda: "-001-" not in str(lab.processes()))


@pytest.mark.parametrize(
    "state",
    [
        "running",
        *(
            pytest.param(each, marks=pytest.mark.proof)
            for each in ("planned", "waiting", "paused", "finished")
        ),
    ],
)
def test_remove_takes_an_experiment_out_in_any_state(lab, state):
    begin(lab, state)
    lab.do("remove", "1", "--yes")
    lab.sync_until(lambda: [item.number for item in lab.view().experiments] == [2])
    lab.wait(lambda: "001-lr1" not in str(lab.processes()))
    assert (lab.store / "removed" / "001-lr1" / "experiment.json").exists()
    assert len(lab.trained(1)) <= 1


def test_remove_of_a_running_one_needs_a_yes(lab, capsys):
    begin(lab, "running")
    assert lab.do("remove", "1") == 2
    assert "001-lr1 (running)" in capsys.readouterr().err
    assert lab.one().state == "running"


@pytest.mark.proof
def test_results_go_only_where_the_user_says_so(lab):
    begin(lab, "finished")
    lab.do("remove", "1", "--results")
    assert [item.number for item in lab.view().experiments] == [2]
    assert not (lab.store / "removed").exists()


def test_remove_does_not_follow_links_out_of_the_folder(lab, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    begin(lab, "planned")
    run_dir = lab.one().folder.run_dir
    run_dir.mkdir()
    (run_dir / "link").symlink_to(outside)
    lab.do("remove", "1", "--results")
    assert (outside / "precious").read_text() == "x"
    assert not run_dir.exists()


def test_a_folder_that_is_a_link_is_not_removed(lab, tmp_path):
    begin(lab, "planned")
    one = lab.one()
    moved = tmp_path / "elsewhere"
    one.folder.path.rename(moved)
    one.folder.path.symlink_to(moved)
    with pytest.raises(ValueError, match="which is a link"):
        take_away(lab.view().store, one.folder)
    assert (moved / "experiment.json").exists()


@pytest.mark.parametrize(
    "verb", ["remove", *(pytest.param(each, marks=pytest.mark.proof) for each in ("stop", "pause"))]
)
def test_the_same_verb_twice_at_once_is_as_good_as_once(lab, verb):
    begin(lab, "running")
    words = ["1", "--yes"] if verb == "remove" else ["1"]
    both = [lab.start(verb, *words), lab.start(verb, *words)]
    assert {one.wait(120) for one in both} <= {0, 2}  # 2: the other has removed it
    lab.sync_until(lambda: lab.states()[0] in ("stopped", "paused", "planned"))
    lab.wait(lambda: "-001-" not in str(lab.processes()))
    assert len(lab.trained(1)) == 1


@pytest.mark.proof
def test_resume_twice_at_once_makes_one_attempt(lab):
    begin(lab, "paused")
    both = [lab.start("resume", "1"), lab.start("resume", "1")]
    assert [one.wait(120) for one in both] == [0, 0]
    lab.sync_until(lambda: len(lab.trained(1)) == 2)
    lab.go()
    lab.sync_until(lambda: lab.one().state == "finished")
    assert [attempt.number for attempt in lab.one().attempts] == [1, 2]
    assert len(lab.trained(1)) == 2


def test_resume_of_what_is_still_stopping_waits_for_its_end(lab):
    begin(lab, "running")
    lab.do("pause", "1")
    lab.do("resume", "1")
    lab.sync_until(lambda: len(lab.trained(1)) == 2)
    first, second = lab.trained(1)
    assert first.end is not None
    assert first.end < second.start


def test_a_process_that_has_got_the_number_of_an_old_one_is_not_killed(lab):
    begin(lab, "running")
    stranger = subprocess.Popen(["sleep", "60"], env={**os.environ, "DDL_NODE_HOME": "another"})
    try:
        claim = lab.one().attempts[0].folder.claim(0) / "identity.json"
        text = claim.read_text()
        pid = str(lab.one().attempts[0].claims[0]["command"]["pid"])
        claim.write_text(text.replace(f'"pid": {pid}', f'"pid": {stranger.pid}'))
        lab.do("stop", "1")
        lab.sync_until(lambda: lab.one().state == "stopped")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.proof
def test_words_that_name_nothing_change_nothing(lab, capsys):
    begin(lab, "planned")
    assert lab.do("submit", "no-such") == 2
    assert "no-such" in capsys.readouterr().err
    assert lab.states() == ["planned", "planned"]


def test_an_unknown_node_is_refused_with_the_known_ones(lab, capsys):
    begin(lab, "planned")
    assert lab.do("submit", "1", "--node", "mars") == 2
    assert "Expected one of: here" in capsys.readouterr().err


def test_a_crash_of_wanted_files_is_told_in_one_line(lab, capsys):
    begin(lab, "planned")
    lab.one().folder.experiment.write_text("{")
    assert lab.do("sync") == 3
    assert "001-lr1 cannot be read" in capsys.readouterr().out

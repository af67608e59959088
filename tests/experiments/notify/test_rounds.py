"""Each event arrives, at most once more with the same id, whatever the server does and whenever we die."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ddl.experiments.notify import after_sync, rounds
from ddl.experiments.notify.outbox import Outbox
from tests.experiments.notify.sink import DROP, Sink
from tests.experiments.notify.stores import SINCE, made_experiment, made_view

pytestmark = pytest.mark.usefixtures("configured")

HOUR_S = 3600.0


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_failed_experiment_is_one_mail_with_its_log(store: Path, sink: Sink) -> None:
    view = made_view(store, made_experiment(store))
    lines = after_sync(store, view)
    assert lines == ("mailed ada@example.org: 001-lr0.1 failed",)
    assert after_sync(store, view) == ()
    assert sink.subjects == ["[ddl cells] 001-lr0.1 has failed: its command ended with status 1"]
    assert "KeyError: 'x'" in sink.mails[0].get_body().get_content()  # type: ignore[attr-defined]
    assert names(store / "mail" / "new") == []


def test_an_experiment_that_wants_no_mail_makes_no_outbox(store: Path, sink: Sink) -> None:
    assert after_sync(store, made_view(store, made_experiment(store, mail=None))) == ()
    assert not (store / "mail").exists()


def test_a_kind_that_is_not_listed_is_not_told(store: Path, sink: Sink) -> None:
    mail = {"to": "a@b.org", "on": ["finished"]}
    after_sync(store, made_view(store, made_experiment(store, mail=mail)))
    assert sink.mails == []


def test_451_then_a_dropped_connection_then_taken_each_event_arrives(
    store: Path, sink: Sink
) -> None:
    view = made_view(store, *(made_experiment(store, number) for number in (1, 2, 3)))
    sink.answers = ["451 try later", DROP]
    now = SINCE
    for _ in range(8):
        rounds.notify(store, view, now)
        now += HOUR_S
    assert len(set(sink.ids)) == 3
    assert len(sink.ids) == 4  # the one that was dropped after DATA
    assert names(store / "mail" / "new") == []


def test_after_451_it_waits_twice_as_long_each_time(store: Path, sink: Sink) -> None:
    view = made_view(store, made_experiment(store))
    sink.answers = ["451 try later"] * 3
    tried = []
    for second in range(0, 600, 30):
        before = len(sink.answers)
        rounds.notify(store, view, SINCE + second)
        if len(sink.answers) < before or sink.mails:
            tried.append(second)
        if sink.mails:
            break
    assert tried == [0, 60, 180, 420]


def test_what_a_server_refuses_for_good_is_shown_and_not_repeated(store: Path, sink: Sink) -> None:
    view = made_view(store, made_experiment(store))
    sink.answers = ["554 no such thing here"]
    assert rounds.notify(store, view, SINCE) == (
        "mail about 001-lr0.1 failed was refused: 554 no such thing here",
    )
    assert rounds.notify(store, view, SINCE + 9 * HOUR_S) == ()
    assert rounds.notify(store, view, SINCE + 9 * HOUR_S, by_hand=True) == ()
    assert rounds.problems(store) == [
        "mail about 001-lr0.1 failed was refused: 554 no such thing here"
    ]
    assert sink.mails == []


def test_a_recipient_who_is_refused_does_not_keep_it_from_the_others(
    store: Path, sink: Sink
) -> None:
    mail = {"to": ["a@b.org", "gone@b.org", "busy@b.org"], "curve": False}
    view = made_view(store, made_experiment(store, mail=mail))
    sink.refused = {"gone@b.org": "550 unknown", "busy@b.org": "450 busy"}
    rounds.notify(store, view, SINCE)
    sink.refused = {"gone@b.org": "550 unknown"}
    rounds.notify(store, view, SINCE + HOUR_S)
    rounds.notify(store, view, SINCE + 2 * HOUR_S)
    assert sink.recipients == [["a@b.org"], ["busy@b.org"]]


def test_a_server_that_is_down_is_asked_with_growing_waits(store: Path, configured: Any) -> None:
    configured(port=1)
    view = made_view(store, made_experiment(store))
    (line,) = rounds.notify(store, view, SINCE)
    assert line.startswith("mail waits: 127.0.0.1:1: ")
    assert rounds.notify(store, view, SINCE + 10) == ()  # it was told
    assert Outbox(store).server["tries"] == 1
    rounds.notify(store, view, SINCE + 30)
    assert Outbox(store).server["tries"] == 1
    rounds.notify(store, view, SINCE + 61)
    assert Outbox(store).server["tries"] == 2
    assert not rounds.problems(store)


def test_200_diverging_runs_are_one_digest(store: Path, sink: Sink) -> None:
    runs = [made_experiment(store, number, "diverged", tail=[]) for number in range(1, 201)]
    view = made_view(store, *runs)
    rounds.notify(store, view, SINCE)
    for minute in range(1, 5):
        rounds.notify(store, view, SINCE + 900 * minute)
    assert sink.subjects == ["[ddl cells] 200 events: 200 diverged"]
    text = sink.mails[0].get_body().get_content()  # type: ignore[attr-defined]
    assert text.count("has diverged") == 200
    assert len(names(store / "mail" / "sent")) == 201


def test_what_comes_after_a_digest_waits_for_the_next_period(store: Path, sink: Sink) -> None:
    runs = [made_experiment(store, number, "diverged") for number in range(1, 12)]
    rounds.notify(store, made_view(store, *runs), SINCE)
    runs.append(made_experiment(store, 12, "diverged"))
    view = made_view(store, *runs)
    rounds.notify(store, view, SINCE + 60)
    assert len(sink.mails) == 1
    rounds.notify(store, view, SINCE + HOUR_S + 1)
    assert (
        sink.subjects[1] == "[ddl cells] 012-lr0.12 has diverged: its command ended with status 1"
    )


def test_a_digest_that_was_dropped_goes_again_as_the_same(store: Path, sink: Sink) -> None:
    runs = [made_experiment(store, number, "diverged") for number in range(1, 21)]
    sink.answers = [DROP]
    rounds.notify(store, made_view(store, *runs), SINCE)
    runs.append(made_experiment(store, 21, "diverged"))
    rounds.notify(store, made_view(store, *runs), SINCE + 120)
    assert len(sink.ids) == 2
    assert len(set(sink.ids)) == 1
    assert len(names(store / "mail" / "new")) == 1  # the newest waits for the next period


def test_a_rule_that_says_mail_is_mailed_whatever_is_listed(store: Path, sink: Sink) -> None:
    event = {
        "id": "1f2e3d4c/001/a1/rule/silent-1",
        "kind": "rule",
        "time": SINCE,
        "text": "silent: no progress in 20 min",
        "details": {"rule": "silent", "action": "mail"},
    }
    mail = {"to": "a@b.org", "on": ["finished"], "curve": False}
    run = made_experiment(store, state="running", events=[event], mail=mail)
    after_sync(store, made_view(store, run))
    assert sink.subjects == [
        "[ddl cells] 001-lr0.1 met a watch rule: silent: no progress in 20 min"
    ]


_DIES = """
import os, signal, sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from ddl.experiments.notify.outbox import Outbox
from ddl.experiments.notify import rounds
from tests.experiments.notify.stores import SINCE, made_view, made_experiment
Outbox.move_to_sent = lambda self, name: os.kill(os.getpid(), signal.SIGKILL)
store = Path({store!r})
rounds.notify(store, made_view(store, made_experiment(store)), SINCE)
"""


def test_killed_between_sending_and_the_note_the_copy_has_the_same_id(
    store: Path, sink: Sink
) -> None:
    root = str(Path(__file__).resolve().parents[3])
    code = _DIES.format(root=root, store=str(store))
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60, env=os.environ)
    assert done.returncode == -signal.SIGKILL
    for path in store.glob("001*"):
        path.rename(path.with_name("old"))
    view = made_view(store, made_experiment(store))
    rounds.notify(store, view, SINCE + 61)
    assert len(sink.ids) == 2
    assert len(set(sink.ids)) == 1
    assert names(store / "mail" / "new") == []


def test_two_syncs_at_once_send_once(store: Path, sink: Sink) -> None:
    root = str(Path(__file__).resolve().parents[3])
    view = made_view(store, *(made_experiment(store, number) for number in range(1, 6)))
    code = (
        f"import sys; sys.path.insert(0, {root!r})\n"
        "from pathlib import Path\n"
        "from ddl.experiments.notify import delivery\n"
        "from tests.experiments.notify.stores import SINCE, made_view\n"
        "store = Path(sys.argv[1])\n"
        "sys.stdin.readline()\n"
        "delivery.deliver(delivery.Outbox(store), made_view(store), SINCE)\n"
    )
    list(rounds.fill(Outbox(store), view, SINCE))
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(store)], stdin=subprocess.PIPE, env=os.environ
        )
        for _ in range(2)
    ]
    try:
        for process in both:
            assert process.stdin is not None
            process.stdin.write(b"\n")
            process.stdin.flush()
        assert [process.wait(60) for process in both] == [0, 0]
    finally:
        for process in both:
            process.kill()
            process.wait()
            assert process.stdin is not None
            process.stdin.close()
    assert len(sink.ids) == len(set(sink.ids)) == 5


def test_a_command_gets_the_event_and_is_called_once(store: Path, sink: Sink) -> None:
    told = store.parent / "told.json"
    command = [
        sys.executable,
        "-c",
        f"import sys; open({str(told)!r}, 'a').write(sys.stdin.read())",
    ]
    run = made_experiment(store, mail=None, notify={"command": command})
    view = made_view(store, run)
    after_sync(store, view)
    after_sync(store, view)
    (line,) = told.read_text().splitlines()
    event = json.loads(line)
    assert event["id"] == "1f2e3d4c/001/a1/failed"
    assert event["parameters"] == {"learning_rate": 0.001}


def test_a_command_that_fails_is_tried_five_times(store: Path) -> None:
    run = made_experiment(store, mail=None, notify=[sys.executable, "-c", "exit('no way')"])
    view = made_view(store, run)
    lines = [
        line for hour in range(9) for line in rounds.notify(store, view, SINCE + hour * HOUR_S)
    ]
    assert len(lines) == 5
    assert lines[-1].endswith("status 1: no way (not tried again)")


def test_mail_and_command_of_the_same_event_are_two(store: Path, sink: Sink) -> None:
    run = made_experiment(store, notify={"command": ["true"]})
    assert len(after_sync(store, made_view(store, run))) == 2
    assert len(names(store / "mail" / "sent")) == 2


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"event": {"id": 3}}', "\0\xff"])
def test_a_damaged_file_in_the_outbox_does_not_stop_the_others(
    store: Path, sink: Sink, damage: str
) -> None:
    new = store / "mail" / "new"
    new.mkdir(parents=True)
    (new / f"{'0' * 32}.json").write_text(damage)
    after_sync(store, made_view(store, made_experiment(store)))
    assert len(sink.mails) == 1


def test_without_settings_it_says_how_and_keeps_the_mail(
    store: Path, sink: Sink, home: Path
) -> None:
    (home / "mail.yaml").unlink()
    view = made_view(store, made_experiment(store))
    (line,) = after_sync(store, view)
    assert line == (
        f"mail waits: Received: no {home}/mail.yaml. Expected: a file with host, from, user and password_file of "
        "your mail server."
    )
    assert rounds.problems(store) == [line.removeprefix("mail waits: ")]


def test_a_node_that_is_away_for_long_and_comes_back_is_told_once_each(
    store: Path, sink: Sink
) -> None:
    mail = {"to": "a@b.org", "on": ["unknown", "back"], "curve": False}
    run = made_experiment(store, state="unknown", node="gpu3", mail=mail)
    away = {"reachable": False, "since_unreachable": SINCE, "error": "no route to host"}
    for late in (60, 700, 900):
        view = made_view(store, run, nodes={"gpu3": {**away, "time": SINCE + late}})
        rounds.notify(store, view, SINCE + late)
    for late in (1000, 1100):
        there = {"reachable": True, "since_unreachable": None, "time": SINCE + late}
        rounds.notify(store, made_view(store, run, nodes={"gpu3": there}), SINCE + late)
    assert sink.subjects == [
        "[ddl cells] node gpu3 cannot be reached: no route to host",
        "[ddl cells] node gpu3 can be reached again",
    ]


def test_a_store_that_cannot_be_written_is_a_line(store: Path, sink: Sink) -> None:
    view = made_view(store, made_experiment(store))
    (store / "mail").write_text("in the way")
    (line,) = after_sync(store, view)
    assert line.startswith("no notifications: ")


def test_a_server_that_never_answers_does_not_hold_up_a_sync(
    store: Path, configured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ddl.experiments.notify.smtp.sending.TIMEOUT_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        configured(port=silent.getsockname()[1])
        start = time.monotonic()
        (line,) = rounds.notify(store, made_view(store, made_experiment(store)), SINCE)
    assert "timed out" in line
    assert time.monotonic() - start < 10

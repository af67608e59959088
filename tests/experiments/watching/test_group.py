"""The last values of the other experiments of a group."""

from __future__ import annotations

from ddl.experiments.watching.group import AGAIN_S, Group
from ddl.experiments.watching.history import History


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def write(path, *rows):
    history = History(path)
    history.merge([{"epoch": n, "time": 1.0, **row} for n, row in enumerate(rows, 1)], 1)
    history.write()


def test_the_last_value_of_each_other_experiment_that_has_one(tmp_path):
    paths = [tmp_path / name for name in "abcd"]
    write(paths[0], {"loss": 1.0}, {"loss": 2.0})
    write(paths[1], {"loss": 3.0, "acc": 0.5}, {"acc": 0.75})
    paths[2].write_text("{")
    group = Group(lambda: paths)
    assert group("loss") == [2.0, 3.0]
    assert group("acc") == [0.75]
    assert group("other") == []


def test_others_are_read_again_after_a_while_if_they_have_changed(tmp_path):
    path, clock = tmp_path / "a", Clock()
    write(path, {"loss": 1.0})
    group = Group(lambda: [path], clock)
    assert group("loss") == [1.0]
    write(path, {"loss": 1.0}, {"loss": 2.0})
    assert group("loss") == [1.0]
    clock.now = AGAIN_S
    assert group("loss") == [2.0]

"""What experiments are called beside each other."""

from __future__ import annotations

from ddl.experiments.comparing.labels import LONGEST, differing, labels_of
from ddl.experiments.spec.records import Experiment, Run


def record(number, **parameters):
    return Experiment(
        number=number,
        name=f"{number:03d}-x",
        label="x",
        id="0",
        spec_name="s",
        parameters=parameters,
        run=Run(argv=("true",)),
    )


def test_a_label_says_what_differs():
    records = [record(1, lr=0.001, seed=1), record(2, lr=3e-4, seed=1)]
    assert differing(records) == ["lr"]
    assert labels_of(records) == ["001  lr 0.001", "002  lr 0.0003"]


def test_a_setting_that_only_some_have_differs():
    assert labels_of([record(1, a=1), record(2)]) == ["001  a 1", "002  "]


def test_experiments_that_differ_in_nothing_have_their_names():
    assert labels_of([record(1, a=1), record(2, a=1)]) == ["001-x", "002-x"]


def test_true_and_one_are_not_the_same():
    assert differing([record(1, a=True), record(2, a=1)]) == ["a"]


def test_long_and_strange_texts_are_cut_and_escaped():
    (label, _) = labels_of([record(1, a="\x1b[31m" + "x" * 99), record(2, a="y")])
    assert len(label) == LONGEST
    assert "\x1b" not in label

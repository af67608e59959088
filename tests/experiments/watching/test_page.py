"""docs/watching.md: its `variables:` read the logs of five frameworks, and its rules mean something.

The logs are as the frameworks write them: Keras 3, Lightning 2, Transformers 4 and 5, scikit-learn 1, XGBoost 3.
"""

from __future__ import annotations

import re

import pytest
import yaml

from ddl.experiments.watching.condition.functions import KEYWORDS, STATISTICS
from ddl.experiments.watching.reading.patterns import compile_pattern
from ddl.experiments.watching.rule_text import ACTIONS, parse_rule
from ddl.experiments.watching.variables import MOST_NAMES, Reader
from tests.pages import read_page

PAGE = read_page("watching.md")

KERAS_CSV = """\
epoch,accuracy,loss,val_accuracy,val_loss
0,0.5,0.693,0.48,0.7
1,0.75,0.51,0.7,0.55
"""
KERAS_LINES = """\
Epoch 1/2
32/32 - 1s - 30ms/step - accuracy: 0.5000 - loss: 0.6930 - val_accuracy: 0.4800 - val_loss: 7.0000e-01
Epoch 2/2
32/32 - 0s - 5ms/step - accuracy: 0.7500 - loss: 0.5100 - val_accuracy: 0.7000 - val_loss: 0.5500
"""
LIGHTNING = """\
epoch,step,train_loss,val_acc,val_loss
0,49,0.69,,
0,49,,0.5,0.7
1,99,0.51,,
1,99,,0.75,0.55
"""
HUGGING_FACE_LINES = """\
{'loss': 0.6931, 'grad_norm': 1.2345, 'learning_rate': 4.5e-05, 'epoch': 0.5}
  0%|          | 1/4 [00:00<00:01,  2.10it/s]\r 50%|#####     | 2/4 [00:01<00:01,  2.00it/s]
{'loss': '0.51', 'grad_norm': '0.9', 'learning_rate': '4e-05', 'epoch': '1.0'}
{'eval_loss': 0.55, 'eval_accuracy': 0.75, 'eval_runtime': 1.5, 'epoch': 1.0}
{'train_runtime': 12.5, 'train_samples_per_second': 80.0, 'train_loss': 0.6, 'epoch': 1.0}
"""
HUGGING_FACE_STATE = """\
{"best_metric": null, "epoch": 1.0, "global_step": 4, "is_local_process_zero": true,
 "log_history": [
  {"epoch": 0.5, "grad_norm": 1.2345, "learning_rate": 4.5e-05, "loss": 0.6931, "step": 2},
  {"epoch": 1.0, "eval_accuracy": 0.75, "eval_loss": 0.55, "eval_runtime": 1.5, "step": 4}
 ],
 "max_steps": 4, "stateful_callbacks": {"TrainerControl": {"args": {"should_save": true}}}}
"""
PERCEPTRON = """\
Iteration 1, loss = 0.69314718
Iteration 2, loss = 0.51000000
Training loss did not improve more than tol=0.000100 for 10 consecutive epochs. Stopping.
"""
BOOSTING = """\
      Iter       Train Loss   Remaining Time \n\
         1           1.2613            0.50s
         2           1.1715            0.45s
"""
XGBOOST = """\
[0]\ttrain-logloss:0.53\teval-logloss:0.55
[1]\ttrain-logloss:0.43\teval-logloss:0.46
"""
PRINTED = """\
loading 3 files
epoch 1: train loss 0.693, accuracy 50.0%, 3 s
epoch 2: train loss nan, accuracy 75.0%, 3 s
"""

LOGS = {
    ("Keras", 0): (
        "log.csv",
        KERAS_CSV,
        [{"epoch": 0, "loss": 0.693}, {"epoch": 1, "val_loss": 0.55}],
    ),
    ("Keras", 1): (
        "stdout",
        KERAS_LINES,
        [{"epoch": 1, "val_loss": 0.7}, {"epoch": 2, "loss": 0.51}],
    ),
    ("PyTorch Lightning", 0): (
        "logs/version_0/metrics.csv",
        LIGHTNING,
        [
            {"epoch": 0, "step": 49, "train_loss": 0.69, "val_loss": 0.7},
            {"epoch": 1, "step": 99, "train_loss": 0.51, "val_acc": 0.75},
        ],
    ),
    ("Hugging Face Transformers", 0): (
        "stdout",
        HUGGING_FACE_LINES,
        [
            {"epoch": 0.5, "loss": 0.6931, "learning_rate": 4.5e-05},
            {"epoch": 1.0, "loss": 0.51, "eval_accuracy": 0.75, "train_loss": 0.6},
        ],
    ),
    ("Hugging Face Transformers", 1): (
        "checkpoint-4/trainer_state.json",
        HUGGING_FACE_STATE,
        [{"epoch": 0.5, "step": 2, "loss": 0.6931}, {"epoch": 1.0, "eval_loss": 0.55}],
    ),
    ("scikit-learn and XGBoost", 0): (
        "stdout",
        PERCEPTRON,
        [{"step": 1, "loss": 0.69314718}, {"step": 2, "loss": 0.51}],
    ),
    ("scikit-learn and XGBoost", 1): (
        "stdout",
        BOOSTING,
        [{"step": 1, "train_loss": 1.2613}, {"step": 2, "train_loss": 1.1715}],
    ),
    ("scikit-learn and XGBoost", 2): (
        "stdout",
        XGBOOST,
        [{"step": 0, "train-logloss": 0.53}, {"step": 1, "eval-logloss": 0.46}],
    ),
    ("Plain `print`", 0): (
        "stdout",
        PRINTED,
        [{"epoch": 1, "loss": 0.693, "accuracy": 50.0}, {"epoch": 2, "accuracy": 75.0}],
    ),
}
"""Heading of the page and number of its block -> file, what is in it, and some values of its rows."""


def blocks(heading):
    """Return what the yaml blocks below a heading mean."""
    section = PAGE.split(f"\n### {heading}\n", 1)[1].split("\n### ")[0].split("\n## ")[0]
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)]


@pytest.mark.parametrize("case", LOGS, ids=lambda case: f"{case[0]}-{case[1]}")
def test_the_log_of_a_framework_is_read_by_its_variables(case, tmp_path):
    heading, number = case
    name, text, expected = LOGS[case]
    out = tmp_path / ("out.log" if name == "stdout" else name)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(text.encode())
    reader = Reader([blocks(heading)[number]["variables"]], [tmp_path], out_log=out)
    rows = reader.poll(ended=True)
    assert len(rows) == len(expected)
    for row, some in zip(rows, expected, strict=True):
        assert some.items() <= row.items()
    assert reader.take_notes() == []


def test_each_block_of_a_framework_has_a_log_here():
    headings = {heading for heading, _ in LOGS}
    assert len(headings) == 5
    assert {(heading, n) for heading in headings for n, _ in enumerate(blocks(heading))} == set(
        LOGS
    )


def test_lines_without_variables_are_read(tmp_path):
    out = tmp_path / "out.log"
    for line in re.findall(r"`(epoch 3 loss 0\.31|epoch: 3, loss: 0\.31|loss=0\.31)`", PAGE):
        out.write_text(f"{line}\n")
        (row,) = Reader([], [tmp_path], out_log=out).poll(ended=True)
        assert row["loss"] == 0.31


def test_the_rules_of_the_page_mean_something():
    section = PAGE.split("\n## Rules\n", 1)[1]
    rules = yaml.safe_load(re.search(r"```yaml\n(.*?)```", section, re.DOTALL)[1])["watch"]
    assert len(rules) == 6
    for name, text in rules.items():
        parse_rule(name, text)


def test_the_refusal_of_the_page_is_the_one_that_is_printed():
    with pytest.raises(ValueError, match=r"Received: ") as caught:
        parse_rule("hopeless", "val_dice < -> stop")
    shown = re.search(r"Received: rule hopeless, .*? Expected: a variable, ", PAGE)[0]
    assert shown in str(caught.value)


@pytest.mark.parametrize("word", [*STATISTICS, *ACTIONS, *sorted(KEYWORDS), "abs"])
def test_each_word_of_rules_is_on_the_page(word):
    assert re.search(rf"\b{word}\b", PAGE.split("\n## Rules\n", 1)[1])


def test_the_patterns_of_the_page_read_their_lines():
    section = PAGE.split("\n### Patterns\n", 1)[1].split("\n### ")[0]
    rows = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    assert len(rows) == 5
    for pattern, told in rows:
        read = compile_pattern(pattern.strip(" `"))
        for line in re.findall(r"`([^`]*[0-9][^`]*)`", told):
            assert read(line), line


def test_the_limits_of_the_page_are_those_of_the_code():
    assert f"{MOST_NAMES} variables" in PAGE

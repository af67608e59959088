"""Several blocks in a spec, and what they inherit; all problems told together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ddl.experiments.spec.records import Experiment, Needs, Rule, Variable
from ddl.experiments.spec.spec_file import read_spec
from tests.experiments.spec.written import problems_of, written

SEVERAL = """\
command: x {flags}
needs: {time: 1h}
parameters: {a: 1, b: 2}
experiments:
  plain:
  wide:
    parameters: {b: 3}
    needs: {time: 2h, memory: 1G}
  deep:
    base: wide
    parameters: {c: {grid: [4, 5]}}
    retries: 2
"""


def test_blocks_inherit_keys_and_merge_parameters_by_name(tmp_path: Path):
    found = written(tmp_path, SEVERAL)
    assert [one.name for one in found] == [
        "001-plain-b2",
        "002-wide-b3",
        "003-deep-b3-c4",
        "004-deep-b3-c5",
    ]
    assert [dict(one.parameters) for one in found[1:3]] == [
        {"a": 1, "b": 3},
        {"a": 1, "b": 3, "c": 4},
    ]
    assert [one.needs.time_s for one in found] == [3600, 7200, 7200, 7200]
    assert [one.retries for one in found] == [0, 0, 2, 2]
    assert [one.block for one in found] == ["plain", "wide", "deep", "deep"]


def test_a_base_may_stand_below_and_bases_may_have_bases(tmp_path: Path):
    text = "experiments:\n  c: {base: b}\n  b: {base: a, command: y {flags}}\n  a: {command: x, parameters: {p: 1}}\n"
    text = text.replace("command: x,", "command: 'x {flags}',").replace(
        "y {flags}}", "'y {flags}'}"
    )
    text = text.replace("c: {base: b}", "c: {base: b, parameters: {p: 2}}")
    assert [one.run.argv[0] for one in written(tmp_path, text)] == ["y", "y", "x"]


def test_a_key_without_a_value_takes_away_what_is_inherited(tmp_path: Path):
    text = "command: x {flags}\nretries: 3\nparameters: {a: 1}\nexperiments: {n: {retries: , parameters: }}\n"
    found = written(tmp_path, text)[0]
    assert (found.retries, dict(found.parameters)) == (0, {})


def test_everything_that_is_wrong_is_told_at_once_in_order_with_its_line(tmp_path: Path):
    text = (
        "command: x {flags}\nranks: 0\nneeds: {time: 4, gpus: x}\nnmae: s\n"
        "watch:\n  a: loss <\n  b: 3\nparameters:\n  p: {grid: 1}\n  q: [[1]]\n"
    )
    assert [line.partition(": R")[0] for line in problems_of(tmp_path, text)] == [
        "s.yaml:2:8",
        "s.yaml:3:15",
        "s.yaml:3:24",
        "s.yaml:4:1",
        "s.yaml:6:6",
        "s.yaml:7:6",
        "s.yaml:9:13",
        "s.yaml:10:7",
    ]


def test_what_blocks_share_is_told_once(tmp_path: Path):
    text = SEVERAL.replace("1h", "soon").replace("    needs: {time: 2h, memory: 1G}\n", "")
    assert len(problems_of(tmp_path, text)) == 1


def test_every_setting_reaches_its_record(tmp_path: Path):
    (tmp_path / "data").mkdir()
    text = """\
name: all
author: ada
subject: cells
group: g
command: [python, x.py, "{p}"]
folder: data
code: live
env: {A: 1, B: true, C: ""}
ranks: 2
parameters: {p: 1}
needs: {time: 90 min, memory: 16G, gpus: 1, disk: 20G, cores: 4}
retries: 2
priority: 7
watch: {w: loss > 3 -> stop}
variables: [{from: stdout, pattern: "{name} {value}", columns: [loss]}, log.jsonl]
mail: you@example.org
notify: [./tell.sh]
files: x.h5
outputs: ["*.png"]
stop: {signal: sigint, grace: 5s}
profile: true
"""
    found = written(tmp_path, text)[0]
    assert found.needs == Needs(
        time_s=5400, memory_bytes=16 << 30, gpus=1, disk_bytes=20 << 30, cores=4
    )
    assert (found.author, found.subject, found.group, found.spec_name) == (
        "ada",
        "cells",
        "g",
        "all",
    )
    assert (found.retries, found.priority, found.profile, found.code.policy) == (2, 7, True, "live")
    assert found.watch == (Rule(name="w", text="loss > 3 -> stop"),)
    assert found.variables == (
        Variable(source="stdout", pattern="{name} {value}", columns=("loss",)),
        Variable(source="log.jsonl"),
    )
    assert (found.mail, found.notify) == ({"to": "you@example.org"}, {"command": ["./tell.sh"]})
    assert (found.files, found.outputs) == (("x.h5",), ("*.png",))
    assert (found.run.stop_signal, found.run.stop_grace_s, found.run.ranks) == ("INT", 5, 2)
    assert (found.run.env, found.run.folder) == (
        {"A": "1", "B": "true", "C": ""},
        str(tmp_path / "data"),
    )
    assert Experiment.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_defaults_of_a_foreign_command(tmp_path: Path):
    found = written(tmp_path, "command: ./run\n")[0]
    assert (found.name, found.group, found.node) == ("001-s", "s", "here")
    assert (found.run.stop_signal, found.run.stop_grace_s, found.run.folder) == (
        "TERM",
        60,
        str(tmp_path),
    )
    assert (found.code.policy, found.variables, found.mail) == ("frozen", (Variable(),), None)


def test_json_and_yaml_mean_the_same(tmp_path: Path):
    value = {"command": "x {flags}", "parameters": {"a": {"grid": [1e-3, 1]}, "b": "on"}}
    text = "command: x {flags}\nparameters: {a: {grid: [1e-3, 1]}, b: on}\n"
    assert written(tmp_path, json.dumps(value), "s.json") == written(tmp_path, text)


def test_a_search_by_chance_draws_all_its_trials(tmp_path: Path):
    text = (
        "command: x {flags}\nparameters: {a: {search: log 1e-5..1e-1}, b: 3}\n"
        "search: {n: 30, goal: min loss, rule: loss > 9 after 2 epochs -> stop}\nwatch: {own: loss > 3 -> mail}\n"
    )
    found = written(tmp_path, text)
    assert len(found) == 30
    assert found[4].search == {"trial": 5, "n": 30, "goal": "min loss", "by": "random"}
    assert [rule.name for rule in found[0].watch] == ["own", "search"]
    assert dict(found[0].parameters)["b"] == 3


def test_a_search_that_learns_begins_with_ten_trials(tmp_path: Path):
    text = "command: x {flags}\nparameters: {a: {search: 0..1}}\nsearch: {n: 30, goal: max x, by: optuna}\n"
    assert len(written(tmp_path, text)) == 10


def test_a_command_may_be_given_beside_a_spec(tmp_path: Path):
    (tmp_path / "s.csv").write_text("a,b\n1,2\n")
    assert read_spec(tmp_path / "s.csv", "x {flags}").blocks[0].command.words == ("x", "{flags}")


@pytest.mark.parametrize("which", ["a=2", "a=2.0", "a2-*", "*-b_x"])
def test_priorities_name_experiments_by_parameter_or_pattern(tmp_path: Path, which: str):
    text = "command: x {flags}\nparameters: {a: {grid: [1, 2]}, b: {grid: [x, y]}}\n"
    text += f"priority: {{'{which}': 9}}\n"
    chosen = {one.label for one in written(tmp_path, text) if one.priority == 9}
    assert chosen == ({"a1-b_x", "a2-b_x"} if "b_x" in which else {"a2-b_x", "a2-b_y"})


def test_a_priority_of_the_spec_may_name_experiments_of_one_block(tmp_path: Path):
    text = "command: x {flags}\npriority: {a=1: 9, 'two*': 3}\n"
    text += "experiments: {one: {parameters: {a: 1}}, two: {parameters: {b: 1}}}\n"
    assert [one.priority for one in written(tmp_path, text)] == [9, 3]

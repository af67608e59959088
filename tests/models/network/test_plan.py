"""A plan with a network file holds the file's text, so that it stays the same when the file moves or changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ddl.flags import Parser, add_flags
from ddl.models.from_file import model_lines, plan_options
from ddl.models.network.file import digest_of
from ddl.training.checkpoint.resume import check_resume
from ddl.training.plan.fields import SECTIONS
from ddl.training.plan.plan import NAMES, Plan, plan_from_dict
from ddl.training.plan.plan_flags import command_line, plan_from_flags, plan_to_flags
from tests.models.network.fixtures import write


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.json"
    path.write_text(write("unet functional-2.8"))
    return path


def plan_of(file: Path, **options: Any) -> Plan:
    return Plan(run_dir=Path("run"), model="network", model_option={"file": str(file), **options})


def test_the_plan_holds_the_text_and_its_json_the_digest(file: Path) -> None:
    plan, text = plan_of(file), file.read_text()
    assert plan.predicts == "mask"
    assert plan.model_option["layers"] == text
    assert json.loads(plan.to_json())["model_option"]["layers"] == digest_of(text)
    file.unlink()
    assert plan_from_dict(plan.to_dict()) == plan


def test_the_plan_of_a_digest_needs_the_same_file(file: Path) -> None:
    stored = json.loads(plan_of(file).to_json())
    assert plan_from_dict(stored) == plan_of(file)
    file.write_text(write("unet functional-2.9"))
    with pytest.raises(ValueError, match="which is another network than that of the run"):
        plan_from_dict(stored)


def test_flags_name_the_file_alone(file: Path) -> None:
    plan = plan_of(file, norm="batch")
    words = plan_to_flags(plan)
    assert words[words.index("--model-option") + 1 :][:2] == [f"file={file}", "norm=batch"]
    parser = Parser("train", "Train.", "[flags]")
    add_flags(parser, SECTIONS, {}, NAMES, ())
    assert plan_from_flags(vars(parser.parse_args(words)), {}) == plan
    assert "scripts/train_unet.py" in command_line(plan)


def test_flags_of_a_network_without_a_file_have_its_text() -> None:
    text = json.dumps([{"class_name": "ReLU", "config": {"batch_input_shape": [None, 8, 8, 1]}}])
    plan = Plan(run_dir=Path("run"), model="network", model_option={"layers": text})
    assert f"layers={text}" in plan_to_flags(plan)


def test_a_run_resumes_with_the_file_at_another_place_but_not_with_another(
    file: Path, tmp_path: Path
) -> None:
    facts = {"plan": plan_of(file).to_dict()}
    moved = tmp_path / "moved.json"
    moved.write_text(file.read_text())
    check_resume(plan_of(moved), facts, "checkpoint")
    moved.write_text(write("unet functional-2.9"))
    with pytest.raises(ValueError, match=r"model_option=\{'layers': 'sha256:") as caught:
        check_resume(plan_of(moved), facts, "checkpoint")
    assert len(str(caught.value)) < 600


def test_the_lines_at_the_start_tell_what_it_is(file: Path) -> None:
    (line,) = model_lines("network", {"file": str(file)})
    assert line == (
        f"{file}: 22 layers, 2,014 parameters, 1,958 of them trainable; input 16x16x3, output 16x16x2 (softmax)"
    )
    assert model_lines("unet", {}) == []
    assert plan_options("unet", {"width": 3}) == {"width": 3}

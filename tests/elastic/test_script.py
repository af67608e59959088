"""The training command: how it is read, asked, checked, and given a batch that holds for any number of ranks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddl.elastic.script import Facts, Refused, Script, ask, check, read_script, with_fixed_batch
from ddl.training.optimization.schedules import Course, learning_rate_at
from ddl.training.plan.plan import Plan
from tests.launch import REPOSITORY

UNET = REPOSITORY / "scripts/train_unet.py"


def facts(batch: int | None = None, **plan: Any) -> Facts:
    """Return the facts of a plan."""
    return Facts(Plan(run_dir=Path("run"), **plan).to_dict(), batch)


def script(*words: str) -> Script:
    return Script("python", ("train.py", *words))


def test_a_script_or_python_with_a_script_is_read() -> None:
    assert read_script([str(UNET), "--epochs", "3"]).words == (str(UNET), "--epochs", "3")
    assert read_script([str(UNET)]).python == sys.executable
    assert read_script(["python3", "-u", str(UNET)]).python == "python3"


def test_flags_are_found_and_taken_away_in_both_forms() -> None:
    both = script("--resume=40", "--epochs", "3", "--resume", "5", "-x")
    assert both.flag("--epochs") == "3"
    assert both.flag("--resume") == "40"
    assert both.flag("--run-dir") is None
    assert both.resuming().words == ("train.py", "--epochs", "3", "-x", "--resume", "auto")


@pytest.mark.parametrize(
    "plan",
    [{"parallel": "async"}, {"partition": "layers:2"}, {"shares": (2, 1)}, {"profile": 3}],
)
def test_what_needs_its_ranks_is_refused_by_name(plan: dict[str, Any]) -> None:
    values = {**Plan(run_dir=Path("run")).to_dict(), **plan}
    with pytest.raises(ValueError, match=rf"{next(iter(plan))}=.* in elastic training. Expected: "):
        check(Facts(values))


@pytest.mark.parametrize("mode", ["sync", "balanced", "local"])
def test_modes_with_ranks_pass(mode: str) -> None:
    check(Facts({**Plan(run_dir=Path("run")).to_dict(), "parallel": mode}))


def test_a_global_batch_stays_as_it_is() -> None:
    given = script("--global-batch-size", "24")
    assert with_fixed_batch(given, facts(global_batch_size=24), 3) == (given, "")


def test_full_batch_optimizers_need_no_batch() -> None:
    given = script()
    assert with_fixed_batch(given, facts(optimizer="hessian"), 3)[0] == given


@pytest.mark.parametrize("scaling", ["linear", "sqrt", "none"])
@pytest.mark.parametrize("warmup", [{}, {"warmup_epochs": 0.0}, {"warmup_from": 1e-5}])
@pytest.mark.parametrize("ranks", [1, 3])
def test_rates_are_those_of_the_ranks_of_the_first_start(
    scaling: str, warmup: dict[str, float], ranks: int
) -> None:
    plan = {"per_rank_batch_size": 4, "learning_rate_scaling": scaling, **warmup}
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in plan.items()]
    changed, told = with_fixed_batch(script(*flags), facts(**plan), ranks)
    assert f"--global-batch-size {4 * ranks}" in told
    values = plan | {
        "per_rank_batch_size": Plan.per_rank_batch_size,
        "global_batch_size": 4 * ranks,
    }
    for name, kind in (("learning_rate", float), ("warmup_from", float)):
        given = changed.flag(f"--{name.replace('_', '-')}")
        values |= {} if given is None else {name: kind(given)}
    values["learning_rate_scaling"] = changed.flag("--learning-rate-scaling")
    now, then = Plan(run_dir=Path("run"), **values), Plan(run_dir=Path("run"), **plan)
    steps = np.arange(50)
    np.testing.assert_array_equal(
        learning_rate_at(steps, course(now, 1)), learning_rate_at(steps, course(then, ranks))
    )


def course(plan: Plan, ranks: int) -> Course:
    """Return the course of the learning rate on these ranks."""
    return Course(
        plan.schedule,
        plan.learning_rate,
        steps_per_epoch=10,
        epochs=5,
        warmup_epochs=plan.warmup_epochs,
        warmup_from=plan.warmup_from,
        scaling=plan.learning_rate_scaling,
        ranks=ranks,
    )


def test_local_steps_keep_their_rate() -> None:
    plan = {**facts(per_rank_batch_size=4).plan, "parallel": "local"}
    changed, _ = with_fixed_batch(script(), Facts(plan), 3)
    assert changed.words == ("train.py", "--global-batch-size", "12")


def test_a_run_that_goes_on_keeps_the_batch_and_the_rate_of_its_checkpoint() -> None:
    changed, told = with_fixed_batch(script("--resume", "auto"), facts(batch=10), 3)
    assert changed.words[-2:] == ("--global-batch-size", "10")
    assert changed.flag("--learning-rate") is None
    assert "that of the checkpoint" in told


def test_a_run_that_goes_on_with_linear_scaling_is_refused() -> None:
    with pytest.raises(ValueError, match=r"learning_rate_scaling=linear and per_rank_batch_size"):
        with_fixed_batch(script(), facts(batch=10, learning_rate_scaling="linear"), 3)


def test_a_script_tells_its_plan_and_trains_nothing(tmp_path: Path) -> None:
    words = ("--run-dir", str(tmp_path / "run"), "--data", "synthetic", "--image-size", "16")
    found = ask(read_script([str(UNET), *words, "--per-rank-batch-size", "5"]), 3)
    assert found.plan["per_rank_batch_size"] == 5
    assert found.run_dir == tmp_path / "run"
    assert found.checkpoint_batch_size is None
    assert [*tmp_path.iterdir()] == []


def test_a_config_tells_its_plan_too(tmp_path: Path) -> None:
    config = REPOSITORY / "examples/json/burgers.json"
    words = [f"--config={config}", "--run-dir", str(tmp_path / "run")]
    found = ask(read_script([str(REPOSITORY / "scripts/run.py"), *words]), 2)
    assert found.run_dir == tmp_path / "run"
    assert found.plan["loss"] != Plan.loss


PROTOTXT = """batch_size: 10
stepsize: 0.01
input_shape { dim: 4 }
parameter_provider { type: "groupcomm" }
layer {
  type: "FullyConnected" num_input: 4 num_output: 2
  fully_connected_param { init_weight: 0.1 init_bias: 0.1 activation_function: "sigmoid" }
}
"""


def test_a_prototxt_file_whose_batch_is_one_rank_s_tells_its_plan_too(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(PROTOTXT)
    rows = [f"1,2,3,{number},{number % 2},{number // 50}" for number in range(60)]
    (tmp_path / "rows.txt").write_text("\n".join(rows))
    words = ["-conf", tmp_path / "net.prototxt", "-input", tmp_path / "rows.txt", "-maxIter", 9]
    script = read_script([str(REPOSITORY / "scripts/run_neuralnet.py"), *map(str, words)])
    script = script.plus("--run-dir", tmp_path / "run")
    changed, told = with_fixed_batch(script, ask(script, 3), 3)
    assert told.endswith("--global-batch-size 30")
    assert ask(changed.resuming(), 2).plan["global_batch_size"] == 30


def test_what_a_script_refuses_is_its_own_line_and_status(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["--run-dir", str(tmp_path / "run"), "--data", "nowhere"]
    with pytest.raises(Refused) as refused:
        ask(read_script([str(UNET), *words]), 2)
    assert refused.value.status == 2
    assert capfd.readouterr().err.startswith("train_unet: Received: ")


def test_a_program_that_tells_no_plan_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("print('hello')")
    with pytest.raises(ValueError, match=r"which does not tell its plan"):
        ask(read_script([str(tmp_path / "other.py")]), 2)

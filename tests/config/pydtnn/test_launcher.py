"""The launcher's own flags, the new run directory, and what it prints."""

from __future__ import annotations

import datetime
import shlex
from pathlib import Path

import pytest

from ddl.config.pydtnn.launcher import new_run_dir
from ddl.config.pydtnn.screen import lines_of_test, settings_lines
from ddl.config.pydtnn.translation import translate
from ddl.training.plan.plan_flags import plan_from_flags
from scripts import train_cnn
from tests.config.pydtnn.test_translation import COMMAND_2020
from tests.scripts.in_process import call


def test_translate_prints_the_command_alone(tmp_path: Path) -> None:
    words = COMMAND_2020.split()
    outcome = call("benchmarks_CNN", *words, "--translate", "--run-dir", "run", folder=tmp_path)
    assert outcome.status == 0
    python, script, *flags = shlex.split(outcome.printed)
    assert (python, script) == ("python", "scripts/train_cnn.py")
    assert outcome.printed.count("\n") == 1
    assert "149,210" in outcome.told
    assert list(tmp_path.iterdir()) == []
    arguments = vars(train_cnn.build_parser().parse_args(flags))
    del arguments["dry_run"]
    plan = plan_from_flags(arguments, train_cnn.DEFAULTS)
    assert (plan.model, plan.epochs, plan.per_rank_batch_size) == ("cnn", 10, 64)
    assert plan.optimizer_option == {"beta_1": 0.99, "beta_2": 0.999, "epsilon": 1e-8}


def test_flags_of_train_cnn_behind_two_dashes_win(tmp_path: Path) -> None:
    words = ["--num_epochs=3", "--translate", "--", "--epochs", "7", "--seed", "5"]
    printed = call("benchmarks_CNN", *words, folder=tmp_path).printed
    assert "--epochs 7" in printed
    assert "--seed 5" in printed


def test_each_start_has_a_new_run_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RUN_DIR", raising=False)
    now = datetime.datetime(2026, 11, 26, 23, 5, 7)
    first = new_run_dir(now)
    assert first == Path("runs/benchmarks_CNN/2026-11-26_23-05-07")
    first.mkdir(parents=True)
    second = new_run_dir(now)
    assert second == Path("runs/benchmarks_CNN/2026-11-26_23-05-07_2")
    second.mkdir()
    assert new_run_dir(now).name.endswith("_3")


def test_the_environment_may_name_the_run_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUN_DIR", "runs/mine")
    assert new_run_dir() == Path("runs/mine")


def test_all_settings_of_the_generation_are_shown_with_their_values() -> None:
    settings = translate(COMMAND_2020.split()).settings
    lines = settings_lines(settings)
    assert "  decay_rate         : 0.99" in lines
    assert "  loss_func          : categorical_accuracy,categorical_cross_entropy" in lines
    assert "  evaluate           : True" in lines
    assert not any("nesterov" in line for line in lines)


def test_results_on_test_data_are_shown_as_there() -> None:
    results = {"test_top_1": 0.98171, "test_loss": 0.06368051, "loss": 1.0}
    assert lines_of_test(results, "test_")[1] == "test_acc: 98.17%, test_cro: 0.0636805"
    assert lines_of_test({"loss": 1.0}, "test_") == []


def test_the_help_lists_all_flags_of_all_generations(tmp_path: Path) -> None:
    shown = call("benchmarks_CNN", "--help", folder=tmp_path).printed
    for flag in ("--blocking_mpi", "--lr_schedulers", "--oktopk-min-k", "--translate"):
        assert f" {flag}\n" in shown or f" {flag} " in shown

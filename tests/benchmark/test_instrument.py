"""The instrument: what it asks for, how it sums up, and that its page knows every flag."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ddl.benchmark import comparison, epochs, requests, runner, suite, wire_report
from ddl.benchmark.command import COMMANDS, command_parser
from ddl.benchmark.result import markdown, pair_ratios, rounded, shown, summary
from ddl.benchmark.runner import Setup
from ddl.benchmark.samples import write_samples
from ddl.benchmark.trial import Trial
from ddl.benchmark.ways import data_of, plan_of
from tests.launch import REPOSITORY
from tests.pages import read_page

MEASURING = [name for name, one in COMMANDS.items() if one.run.endswith(":measure")]
PNG = b"\x89PNG"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_subcommand_and_flag_stands_on_the_page(name: str) -> None:
    page = read_page("performance.md")
    assert f"`{name}`" in page
    for action in command_parser(name)._actions:
        for flag in action.option_strings:
            if flag not in ("-h", "--help"):
                assert f"`{flag}`" in page, f"{flag} of {name}"
                assert action.help


@pytest.mark.parametrize("name", MEASURING)
def test_every_comparison_has_two_ways_at_least_and_fits_its_ranks(name: str) -> None:
    kind = getattr(requests, COMMANDS[name].request.partition(":")[2])
    found = kind(storage="png") if name == "train" else kind()
    setups = found.comparison().setups
    assert len(setups) >= 2 or name == "startup"
    for setup in setups.values():
        steps = setup.trial.samples / (setup.ranks * setup.trial.per_rank_batch_size)
        assert steps == int(steps)
        assert setup.trial == Trial(**json.loads(setup.trial.to_json()))


@pytest.mark.parametrize("storage", ["memory", "hdf5", "png"])
def test_every_storage_trains_on_all_samples(storage: str, tmp_path: Path) -> None:
    trial = Trial(storage=storage, samples=20, image_size=32)
    data = "synthetic" if storage == "memory" else write_samples(trial, tmp_path)
    opened = data_of(trial, plan_of(trial, tmp_path, data))
    assert len(opened.training) == trial.samples


def test_ratios_are_those_of_neighbours() -> None:
    assert pair_ratios([2.0, 30.0], [1.0, 10.0]) == [2.0, 3.0]
    assert shown(summary([1.0, 3.0, 2.0])) == "2.00 (1.00 to 3.00)"
    assert [rounded(value) for value in (0.01234, 1.234, 12345.6, 0.0)] == [
        *("0.0123", "1.23", "12,346", "0"),
    ]
    assert markdown(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"


def test_rounds_go_in_turn_and_tell_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def pretend(setup: Setup) -> dict[str, Any]:
        order.append(setup.trial.way)
        return {"samples_per_s": 10.0 * len(order) * (2 if setup.trial.way == "ours" else 1)}

    monkeypatch.setattr(runner, "run_trial", pretend)
    found = comparison.measure(requests.LoopRequest().comparison(), 2, lambda text: None)
    assert order == ["fit", "ours", "fit", "ours"]
    assert found["ratios"]["our loop"]["all"] == [4.0, 80 / 30]
    assert "| our loop | 60.0 (40.0 to 80.0) | 3.33 (2.67 to 4.00) |" in (
        comparison.table_of(found)
    )
    comparison.draw_comparison(found, tmp_path / "loop.png")
    assert (tmp_path / "loop.png").read_bytes()[:4] == PNG


def test_a_line_through_messages_gives_latency_and_bandwidth(tmp_path: Path) -> None:
    seconds = {"4": 1e-3, "64000000": 0.1}
    found = wire_report.wire_result([{"seconds_of_bytes": seconds}], ranks=2)
    assert found["latency_s"] == 1e-3
    assert found["mb_per_s"] == pytest.approx(640)
    wire_report.draw_wire(found, tmp_path / "wire.png")
    assert "| 64,000,000 | 100 (100 to 100) | 640 |" in wire_report.wire_table(found)


def test_two_runs_are_compared_epoch_by_epoch(tmp_path: Path) -> None:
    for name, seconds in (("one", 8.0), ("two", 4.0)):
        (tmp_path / name).mkdir()
        lines = [{"epoch": n, "seconds": seconds, "val_loss": 1 / n} for n in (1, 2)]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (tmp_path / name / "history.jsonl").write_text(text)
    found = epochs.compare_epochs(epochs.EpochsRequest(tmp_path / "one", tmp_path / "two"))
    assert re.search(
        r"\| 2 \| 8.00 \| 4.00 \| 2.00 \| 0.500 \| 0.500 \|", epochs.epochs_table(found)
    )
    epochs.draw_epochs(found, tmp_path / "epochs.png")
    assert (tmp_path / "epochs.png").read_bytes()[:4] == PNG


def test_results_are_small() -> None:
    for path in (REPOSITORY / "benchmarks").rglob("*.json"):
        assert path.stat().st_size < 100_000, path


def test_the_page_shows_the_results_that_are_there() -> None:
    found = suite.definitions()
    assert suite.suite_table(found) in read_page("performance.md")
    assert suite.parts_table(found) in read_page("performance.md")


def test_results_were_measured_as_they_are_defined() -> None:
    for one in suite.definitions():
        result = json.loads((suite.RESULTS / f"{one.name}.json").read_text())
        expected = (
            f"python scripts/benchmark.py {one.command} --output benchmarks/results/{one.name}"
        )
        assert result["facts"]["command"] == expected


def test_a_bound_that_is_missed_is_said(tmp_path: Path) -> None:
    values = {"one": summary([10.0]) | {"all": [10.0]}, "two": summary([15.0]) | {"all": [15.0]}}
    result = {"unit": "s", "values": values, "ratios": {"two": summary([1.5])}}
    (tmp_path / "it.json").write_text(json.dumps(result))
    for wanted, wanted_value, told in (
        (1.4, 16, "1.4, 16 s"),
        (1.6, 14, "1.6: not met, 14 s: not met"),
    ):
        one = suite.Definition("it", "Something", "loop", wanted, wanted_value)
        assert f"| 1.50 (1.50 to 1.50) | {told} | `it` (1 round) |" in (
            suite.suite_table([one], tmp_path)
        )


def test_tables_go_between_the_marks_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{suite.BEGIN}\nold\n{suite.END}\nafter\n")
    suite.SuiteRequest(page=page)
    suite.put_into_page(page, "new\n")
    assert page.read_text() == f"before\n{suite.BEGIN}\n\nnew\n\n{suite.END}\nafter\n"
    page.write_text("no marks")
    for wrong in ({"page": page}, {"only": ("nothing",)}):
        with pytest.raises(ValueError, match="Expected"):
            suite.SuiteRequest(**wrong)  # type: ignore[arg-type]

"""The kept results: they were measured as defined, and the pages show what they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import render, suite
from benchmarks.independent_ranks import LimitRequest
from benchmarks.run import INSTRUMENTS, LAUNCHER
from ddl.benchmark.reports import summary
from tests.launch import REPOSITORY


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_every_instrument_stands_in_its_readme(name: str) -> None:
    assert f"| `{name}` |" in (REPOSITORY / "benchmarks/README.md").read_text("utf-8")
    for action in LAUNCHER.command_parser(name)._actions:
        assert action.help


@pytest.mark.parametrize("name", ["only", "output", "pages"])
def test_flags_of_suite_and_render_stand_in_the_readme(name: str) -> None:
    assert f"`--{name}" in (REPOSITORY / "benchmarks/README.md").read_text("utf-8")


def test_results_are_small() -> None:
    for path in (REPOSITORY / "benchmarks").rglob("*.json"):
        assert path.stat().st_size < 100_000, path


@pytest.mark.parametrize("name", render.PAGES)
def test_the_page_shows_the_results_that_are_there(name: str) -> None:
    page = (REPOSITORY / name).read_text("utf-8")
    assert f"{render.BEGIN}\n\n{render.PAGES[name]()}\n{render.END}" in page


def test_every_definition_has_a_result_that_was_measured_as_defined() -> None:
    for one in suite.definitions():
        result = json.loads((suite.RESULTS / f"{one.name}.json").read_text())
        python, script, command = result["facts"]["command"].split(maxsplit=2)
        assert python == "python"
        assert script in ("scripts/benchmark.py", "benchmarks/run.py")
        assert command == f"{one.command} --output benchmarks/results/{one.name}"


def test_every_result_becomes_a_table_and_a_picture(tmp_path: Path) -> None:
    kinds: dict[str, Path] = {}
    for path in suite.RESULTS.glob("*.json"):
        result = json.loads(path.read_text())
        if "benchmark" in result:
            assert render.RENDERERS.get(result["benchmark"], (render.table_of,))[0](result)
            kinds[result["benchmark"]] = path
    for kind, path in kinds.items():
        render.render(json.loads(path.read_text()), tmp_path / "it")
        assert (tmp_path / "it.md").read_text().startswith("| "), kind
        assert (tmp_path / "it.png").read_bytes()[:4] == b"\x89PNG", kind


def test_a_projection_is_told_from_its_json() -> None:
    result = json.loads((suite.RESULTS / "project_resnet50.json").read_text())
    row = "| 25 | 64 | 8,558 | 40.1 | 63% | normalization 27% | 64% | 48% | 65% | 63% | 86% |\n"
    assert row in render.projection_table(result)


def test_a_bound_that_is_missed_is_said(tmp_path: Path) -> None:
    values = {"one": summary([10.0]) | {"all": [10.0]}, "two": summary([15.0]) | {"all": [15.0]}}
    result = {"benchmark": "it", "unit": "s", "values": values, "ratios": {"two": summary([1.5])}}
    (tmp_path / "it.json").write_text(json.dumps(result))
    for wanted, wanted_value, most, told in (
        (1.4, 16, 1.6, "1.4, 1.6 at most, 16 s"),
        (1.6, 14, 1.4, "1.6: not met, 1.4 at most: not met, 14 s: not met"),
    ):
        one = suite.Definition("it", "Something", "loop", wanted, wanted_value, most)
        assert f"| 1.50 (1.50 to 1.50) | {told} | `it` (1 round) |" in (
            render.suite_table([one], tmp_path)
        )


def test_tables_go_between_the_marks_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{render.BEGIN}\nold\n{render.END}\nafter\n")
    render.put_into_page(page, "new\n")
    assert page.read_text() == f"before\n{render.BEGIN}\n\nnew\n\n{render.END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(ValueError, match="Expected"):
        render.put_into_page(page, "new\n")


def test_wrong_requests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Expected"):
        suite.SuiteRequest(only=("nothing",))
    with pytest.raises(ValueError, match="epoch_steps=2 for a limit"):
        LimitRequest(epoch_steps=2)
    with pytest.raises(ValueError, match="Expected"):
        render.RenderRequest(output=tmp_path / "nothing")

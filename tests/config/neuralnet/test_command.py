"""The commands of dolphin-dnn and Cay: every flag has a meaning, contradictions are refused, and a run ends whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ddl.config.neuralnet.command import combine, new_run_dir
from ddl.config.neuralnet.placing import check_place
from ddl.config.neuralnet.screen import block
from ddl.config.neuralnet.table import FLAGS, table_of_flags
from ddl.config.neuralnet.translation import translate
from ddl.config.neuralnet.words import read_words
from ddl.distributed.job.launcher import Placement
from ddl.models.network.prototxt import NeuralNet, read_neuralnet
from tests.pages import read_page

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "prototxt" / "mnist.prototxt"
COMMAND = ["-conf", str(EXAMPLE), "-input", "rows.txt"]
OF_THE_DOCUMENTS = (
    *("conf", "input", "local", "maxIter", "delim", "timeout", "split", "evalSize", "blas"),
    *("logPeriod", "max_num_epochs", "mini_batch_size", "dynamic", "num_worker_threads"),
    "staleness_bound",
)
UNDER_MPI = Placement("mpirun", 0, 2)


def network(provider: str = "local") -> NeuralNet:
    text = EXAMPLE.read_text().replace('type: "local"', f'type: "{provider}"')
    return read_neuralnet(text, "net")


def test_every_flag_of_both_programs_is_in_the_table_and_on_the_page() -> None:
    assert {*FLAGS} == {*OF_THE_DOCUMENTS}
    assert table_of_flags().strip() in read_page("prototxt.md")


def test_the_command_of_the_document() -> None:
    words = ["-local", "true", "-maxIter", "100", *COMMAND, "-timeout", "800000", "--seed", "3"]
    settings = read_words(words)
    assert settings.ours == ("--seed", "3")
    given, defaults = combine(translate(settings, network()), {"seed": 3})
    assert (given["epochs"], given["per_rank_batch_size"], given["learning_rate"]) == (
        100,
        10,
        1e-3,
    )
    assert given["time_limit_min"] == pytest.approx(800 / 60)
    assert given["data_option"] == ("format=delimited", "delimiter=,", "shape=28,28")
    assert (given["optimizer"], given["parallel"]) == ("sgd", "sync")
    assert defaults["learning_rate_scaling"] == "none"


@pytest.mark.parametrize(
    ("provider", "mode"),
    [
        ("local", "sync"),
        ("groupcomm", "sync"),
        ("parameterserver", "async"),
        ("paramserver", "async"),
    ],
)
def test_the_provider_decides_the_mode(provider: str, mode: str) -> None:
    found = translate(read_words([*COMMAND, "-split", "3"]), network(provider)).fixed
    assert found["parallel"][0] == mode
    assert ("workers" in found) == (mode == "async")


def test_cays_flags() -> None:
    words = [*COMMAND, "-max_num_epochs", "7", "-staleness_bound", "4", "-dynamic", "true"]
    found = translate(read_words(words), network("parameterserver"))
    assert found.fixed["epochs"][0] == 7
    assert found.fixed["max_staleness"][0] == 4
    assert any("-dynamic true" in note for note in found.notes)


BAD_WORDS = [
    (["-maxiter", "3"], "Did you mean -maxIter?"),
    (["-local", "maybe"], "true or false"),
    (["-maxIter", "0"], "at least 1"),
    (["-maxIter", "2.5"], "a whole number"),
    (["-timeout"], "-timeout without a value"),
    (["-split", "-conf"], "-split without a value"),
    (["-split", "2", "-split", "2"], "twice"),
]


@pytest.mark.parametrize(("words", "part"), BAD_WORDS)
def test_wrong_words_are_refused(words: list[str], part: str) -> None:
    with pytest.raises(ValueError, match="Received: ") as caught:
        read_words([*COMMAND, *words] if words != ["-split", "-conf"] else [*words, "x"])
    assert part in str(caught.value)


def test_conf_and_input_are_needed() -> None:
    with pytest.raises(ValueError, match="no -input"):
        read_words(["-conf", "x"])


BAD_TOGETHER: list[tuple[list[str], dict[str, Any], str]] = [
    (["-maxIter", "4"], {"epochs": 3}, "--epochs 3, but -maxIter 4 says 4"),
    ([], {"loss": "mse"}, "--loss mse"),
    ([], {"optimizer": "adam"}, "--optimizer adam"),
    ([], {"parallel": "async"}, "parameter_provider local"),
    ([], {"data": "other.txt"}, "-input says rows.txt"),
    ([], {"global_batch_size": 32}, "--global-batch-size 32"),
    ([], {"metric": ("top_5",)}, "top_1 among them"),
    (["-maxIter", "4", "-max_num_epochs", "5"], {}, "one of them"),
    (["-mini_batch_size", "20"], {}, "batch_size 10"),
    (["-staleness_bound", "2"], {}, "synchronous run"),
]


@pytest.mark.parametrize(("words", "flags", "part"), BAD_TOGETHER)
def test_contradictions_are_refused(words: list[str], flags: dict[str, Any], part: str) -> None:
    with pytest.raises(ValueError, match="Received: ") as caught:
        combine(translate(read_words([*COMMAND, *words]), network()), flags)
    assert part in str(caught.value)


BAD_PLACES = [
    ([], "groupcomm", Placement(), None, "without a launcher"),
    ([], "parameterserver", Placement(), None, "without a Ray cluster"),
    (["-local", "true", "-split", "2"], "local", Placement(), None, "is one process"),
    ([], "local", UNDER_MPI, None, "2 ranks"),
    (["-split", "3"], "groupcomm", UNDER_MPI, None, "-split 3 under mpirun with 2 ranks"),
    (["-local", "true"], "parameterserver", Placement(), "a:1", "-local true with --ray-address"),
]


@pytest.mark.parametrize(("words", "provider", "place", "address", "part"), BAD_PLACES)
def test_a_run_without_its_place_is_refused(
    words: list[str], provider: str, place: Placement, address: str | None, part: str
) -> None:
    mode = "async" if provider == "parameterserver" else "sync"
    with pytest.raises(ValueError, match="Received: ") as caught:
        check_place(read_words([*COMMAND, *words]), provider, mode, place, address)
    assert part in str(caught.value)


def test_a_run_has_its_place() -> None:
    local = read_words([*COMMAND, "-local", "true", "-split", "3"])
    assert check_place(local, "groupcomm", "sync", Placement(), None) == 3
    assert check_place(local, "parameterserver", "async", Placement(), None) == 0
    anywhere = read_words(COMMAND)
    assert check_place(anywhere, "groupcomm", "sync", UNDER_MPI, None) == 0
    assert check_place(anywhere, "parameterserver", "async", Placement(), "a:1") == 0


def test_a_block_has_both_errors_and_both_counts() -> None:
    lines = block(3, {"top_1": 0.75, "val_top_1": 0.5}, 1000, 100)
    assert lines == [
        "Iteration 3:",
        "  training error: 0.2500 (1000 inputs)",
        "  cross-validation error: 0.5000 (100 inputs)",
    ]
    assert "not computed" in block(1, {"top_1": 0.5}, 8, 2)[2]
    assert "no row is flagged" in block(1, {"top_1": 0.5}, 8, 0)[2]


def test_run_directories_are_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RUN_DIR", raising=False)
    first = new_run_dir()
    assert first.parts[:2] == ("runs", "neuralnet")

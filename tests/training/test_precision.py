"""--mixed-precision: a warning where 16 bits are slow, and "auto", which a run replaces and stores."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import pytest

import ddl.distributed as dist
from ddl import machine
from ddl.training import precision
from ddl.training.loop import train
from ddl.training.plan.plan import Plan
from ddl.training.precision import describe_lack, find_lack, lack_of_gpu, settle_precision
from tests.pages import read_page
from tests.ranks import call_ranks

SLOW = "Old CPU (1 of 1 ranks) has no bfloat16 instructions (AVX512-BF16 or AMX)"


@pytest.fixture
def hardware(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Yield what the hardware lacks, by precision; a test may change it."""
    lack = {"bfloat16": "", "float16": "Old CPU"}
    monkeypatch.setattr(precision, "find_lack", lack.__getitem__)
    yield lack
    keras.config.set_dtype_policy("float32")


def settle(given: str, stored: str | None = None) -> str:
    return settle_precision(Plan(run_dir="run", mixed_precision=given), stored).mixed_precision


@pytest.mark.parametrize(
    ("flags", "lacks"),
    [
        ("fpu avx2 fma", {"bfloat16", "float16"}),
        ("fpu avx2 avx512f avx512_vnni", {"bfloat16", "float16"}),
        ("fpu avx512f avx512_bf16", {"float16"}),
        ("fpu avx512f amx_tile amx_bf16 avx512_fp16", set()),
        ("fp asimd asimdhp bf16", set()),
    ],
)
def test_a_processor_has_the_precisions_of_its_instruction_sets(
    tmp_path: Path, flags: str, lacks: set[str]
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    name = "Features" if "asimd" in flags else "flags"
    cpuinfo.write_text(f"model name\t: Some CPU\n{name}\t\t: {flags}\n")
    found = {name: find_lack(name, cpuinfo) for name in ("bfloat16", "float16")}
    assert found == {name: "Some CPU" if name in lacks else "" for name in found}
    assert set(machine.instruction_sets(cpuinfo)) == set(flags.split()) - {"fpu", "fp"}
    assert machine.instruction_sets(tmp_path / "none") == []


def test_a_gpu_has_bfloat16_from_compute_capability_8() -> None:
    old, new = ({"device_name": "GPU", "compute_capability": (n, 0)} for n in (7, 9))
    assert [lack_of_gpu("bfloat16", gpu) for gpu in (old, new, {})] == ["GPU", "", ""]
    assert lack_of_gpu("float16", old) == ""


def test_the_devices_that_lack_a_precision_are_counted_and_named() -> None:
    assert describe_lack("bfloat16", ["", ""]) == ""
    text = describe_lack("bfloat16", ["", "Old", "Older", "Old"])
    assert text.startswith("Old, Older (3 of 4 ranks) has no bfloat16 instructions")


def test_bfloat16_where_it_is_slow_is_warned_of_in_one_line(
    hardware: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    assert settle("bfloat16") == "bfloat16"
    assert settle("none") == "none"
    assert caplog.messages == []
    hardware["bfloat16"] = "Old CPU"
    assert settle("bfloat16") == "bfloat16"
    assert settle("float16") == "float16"
    slow, also = caplog.messages
    assert SLOW in slow
    assert slow.endswith("Expected: such hardware, or --mixed-precision auto or none.")
    assert "Mixed precision float16 is slow here" in also
    assert "\n" not in slow


def test_auto_takes_bfloat16_where_the_hardware_has_it_and_says_so(
    hardware: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ddl")
    assert settle("auto") == "bfloat16"
    hardware["bfloat16"] = "Old CPU"
    assert settle("auto") == "none"
    assert caplog.messages == [
        "Mixed precision: auto takes bfloat16: the hardware of all ranks has it.",
        f"Mixed precision: auto takes none: {SLOW}.",
    ]


def test_auto_keeps_the_precision_of_a_checkpoint(
    hardware: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Another one would change what is learned, so a slow one stays, with a warning."""
    caplog.set_level(logging.INFO, "ddl")
    assert settle("auto", "none") == "none"
    assert settle("auto", "bfloat16") == "bfloat16"
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
    hardware["bfloat16"] = "Old CPU"
    assert settle("auto", "bfloat16") == "bfloat16"
    assert caplog.records[-1].levelno == logging.WARNING
    assert caplog.messages[-1].endswith("Expected: such hardware.")


def settle_on_unequal_hardware() -> tuple[str, str]:
    """Settle "auto" where rank 1 alone lacks bfloat16; return the precision and what this rank said."""
    lack = "Old CPU" if dist.rank() == 1 else ""
    with (
        mock.patch.object(precision, "find_lack", return_value=lack),
        mock.patch.object(precision.logger, "info") as told,
    ):
        became = settle("auto")
    return became, "".join(call.args[0] % call.args[1:] for call in told.call_args_list)


def test_auto_takes_what_the_hardware_of_all_ranks_has() -> None:
    (first, said), (second, nothing) = call_ranks(settle_on_unequal_hardware, ranks=2)
    assert (first, second, nothing) == ("none", "none", "")
    assert "Old CPU (1 of 2 ranks) has no bfloat16 instructions" in said


def small(folder: Path, given: str, **fields: Any) -> Plan:
    return Plan(
        run_dir=folder, mixed_precision=given, tensorboard=False, data_option={"count": 8},
        image_size=(16, 16), model_option={"width": 2, "depth": 1}, validation_part=0.5, **fields,
    )  # fmt: skip


def test_what_auto_became_is_stored_and_a_resume_keeps_it(
    tmp_path: Path, hardware: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    train(small(tmp_path, "auto", epochs=1))
    assert json.loads((tmp_path / "plan.json").read_text())["mixed_precision"] == "bfloat16"
    hardware["bfloat16"] = "Old CPU"
    train(small(tmp_path, "auto", epochs=2, resume="auto"))
    assert SLOW in caplog.text
    assert json.loads((tmp_path / "plan.json").read_text())["mixed_precision"] == "bfloat16"
    with pytest.raises(ValueError, match=r"mixed_precision='none' \(checkpoint: 'bfloat16'\)"):
        train(small(tmp_path, "none", epochs=3, resume="auto"))


@pytest.mark.parametrize("page", ["performance.md", "export.md", "sql.md", "../README.md"])
def test_a_page_with_measured_speeds_names_the_instruction_sets_of_its_machine(page: str) -> None:
    text = read_page(page)
    assert "/s" in text
    assert "AVX" in text

"""The table has all flags of all generations and no other, and every translated flag is read."""

from __future__ import annotations

from typing import Any

import pytest

from ddl.config.pydtnn.flag import GENERATIONS, IDLE, ONE, REFUSED, SEED, THREE, TRANSLATED, Flag
from ddl.config.pydtnn.table import FLAGS, flags_of, table_of_flags
from ddl.config.pydtnn.translation import translate
from tests.config.pydtnn.known_flags import FLAGS_1, FLAGS_3, FLAGS_2020, expanded
from tests.pages import read_page

KNOWN = {SEED: expanded(FLAGS_2020), ONE: expanded(FLAGS_1), THREE: expanded(FLAGS_3)}


def test_the_written_list_is_that_of_the_launchers() -> None:
    assert {one: len(set(flags)) for one, flags in KNOWN.items()} == {SEED: 23, ONE: 85, THREE: 138}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_table_has_all_flags_of_a_generation_and_no_other(generation: str) -> None:
    assert sorted(flags_of(generation)) == sorted(KNOWN[generation])


ALL_SCHEDULERS = (
    "early_stopping,reduce_lr_on_plateau,model_checkpoint,"
    "warm_up,reduce_lr_every_nepochs,stop_at_loss"
)
ASKING: dict[str, list[str]] = {
    SEED: ["--optimizer=RMSProp"],
    ONE: [f"--lr_schedulers={ALL_SCHEDULERS}", "--flip_images"],
    THREE: [
        f"--schedulers={ALL_SCHEDULERS}",
        *("--augment-rotate=1", "--input-crop", "--input-scale", "--use-class-weights"),
        *("--model-sync-quantize", "--optimizer-decay=0.1", "--optimizer-decoupled-decay"),
    ],
}
"""Commands that use the flags which belong to others."""

MORE = {
    SEED: [["--optimizer=Adam"], ["--optimizer=SGDMomentum"]],
    ONE: [["--optimizer=adam"], ["--optimizer=rmsprop"], ["--use_synthetic_data"]],
    THREE: [
        ["--optimizer=adam"],
        ["--optimizer=rmsprop"],
        ["--dataset=synthetic"],
        *([f"--{scheduler}-minimize"] for scheduler in ("early-stopping", "reduce-lr-on-plateau")),
        ["--schedulers=model_checkpoint", "--model-checkpoint-minimize"],
        ["--schedulers=stop_at_loss", "--stop-at-loss-metric=val_loss", "--stop-at-loss-minimize"],
    ],
}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_translated_flag_of_a_generation_is_read(generation: str) -> None:
    read: set[str] = set()
    for words in [ASKING[generation], *MORE[generation]]:
        read |= translate(words, generation, ranks=2).settings.asked
    translated = {
        name for name, flag in FLAGS.items() if flag.fate == TRANSLATED and generation in flag.of
    }
    assert translated - read == set()


def value_for(flag: Flag) -> str:
    """Return a text that is a value of the flag and asks for something."""
    return {"bool": "true", "int": "77", "float": "0.77", "numbers": "7,7", "names": "x"}.get(
        flag.kind, "strange"
    )


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_refused_flag_is_refused_with_a_remedy(generation: str) -> None:
    for flag in FLAGS.values():
        if flag.fate != REFUSED or generation not in flag.of:
            continue
        asks = "false" if flag.harmless == (True,) else value_for(flag)
        with pytest.raises(ValueError, match=r"^Received: --\S+=\S+ ?.*\. Expected: \w*.*\.$"):
            translate([f"{flag.spelled(generation)}={asks}"], generation)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_harmless_values_of_refused_flags_pass(generation: str) -> None:
    for flag in FLAGS.values():
        if flag.fate == REFUSED and generation in flag.of:
            harmless: list[Any] = [value for value in flag.harmless if value is not None]
            for value in harmless:
                translate([f"{flag.spelled(generation)}={value}"], generation)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_flags_without_effect_are_named_in_one_line(generation: str) -> None:
    idle = [flag for flag in FLAGS.values() if flag.fate == IDLE and generation in flag.of]
    words = [f"{flag.spelled(generation)}={value_for(flag)}" for flag in idle]
    notes = [note for note in translate(words, generation).notes if "Without effect" in note]
    assert len(notes) == 1
    for flag in idle:
        assert flag.spelled(generation) in notes[0]


def test_the_page_has_the_table_as_the_command_prints_it() -> None:
    assert table_of_flags().strip() in read_page("pydtnn.md")

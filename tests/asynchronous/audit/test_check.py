"""What a log alone shows: each fault with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.asynchronous.ages import AgeRules
from ddl.asynchronous.audit.check import Differs, Extent, check_log, read_lines
from ddl.asynchronous.audit.log import LOST, NAME, resume_log, start_line
from ddl.asynchronous.epoch_leases import EpochLeases
from ddl.data.order import Position, SampleOrder

ORDER = SampleOrder("global", 10, 1, 4, 0)  # 10 leases an epoch: steps of 4, 4 and 2
RULES = AgeRules(4)


def start(position: Position = Position(), checkpoint: str | None = None) -> dict[str, Any]:  # noqa: B008
    return start_line({"seed": 0}, "data", ORDER, position, RULES, checkpoint)


def update(number: int, written: int, read: int | None = None) -> dict[str, Any]:
    """Return the line of a lease, computed on the version before or another one."""
    lease = EpochLeases(ORDER, number // 10).lease(number)
    seen = written - 1 if read is None else read
    return {
        "lease": number, "epoch": lease.epoch, "step": lease.step, "part": lease.part, "read": seen,
        "written": written, "worker": "a", "weight": RULES.weight(lease.share, written - 1 - seen),
        "loss": 1.0, "norm": 1.0, "mark": 0.0,
    }  # fmt: skip


def write(folder: Path, lines: list[dict[str, Any]], end: str = "") -> Path:
    (folder / NAME).write_text("".join(json.dumps(line) + "\n" for line in lines) + end)
    return folder


def whole() -> list[dict[str, Any]]:
    return [start(), *(update(number, number + 1, max(0, number - 3)) for number in range(20))]


def test_a_whole_log_passes(tmp_path: Path) -> None:
    extent = check_log(write(tmp_path, whole()))
    assert (extent.updates, extent.end, extent.oldest, extent.cut) == (20, 20, 3, False)
    assert (extent.last_read(0), extent.last_read(16), extent.last_read(17)) == (4, 20, 0)


def test_a_line_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    extent = check_log(write(tmp_path, whole(), '{"lease": 20, "ep'))
    assert (extent.updates, extent.cut) == (20, True)


@pytest.mark.parametrize(
    ("place", "changes", "told"),
    [
        (6, update(3, 6), "line 7: lease 3 is applied twice, first by line 5"),
        (6, update(5, 7), "line 7: version 7 follows version 5: a version gap"),
        (6, update(5, 5), "line 7: version 5 follows version 5: a version gap"),
        (6, {"read": 6}, "line 7: computed on version 6, which is not before 6"),
        (15, update(14, 15, 4), "line 16: age 10 is above the run's max_staleness=8"),
        (6, update(12, 6), "line 7: lease 12 of a later epoch, while 5 leases of epoch 1 are not"),
        (15, update(2, 15), "line 16: lease 2 again, of epoch 1, which is complete"),
        (6, {"weight": 0.5}, "line 7: weight 0.5 of age 3, where 0.25 is right"),
        (6, {"part": 3}, "line 7: lease 5 as part 3 of step 1"),
        (6, start(Position(0, 1), "c.h5"), "line 7: a start at version 4 after version 5"),
        (6, start(Position(0, 2), "c.h5"), None),
    ],
)  # fmt: skip
def test_each_fault_is_told_with_its_line(
    place: int, changes: dict[str, Any], told: str | None, tmp_path: Path
) -> None:
    lines = whole()
    lines[place] = changes if len(changes) > 7 else lines[place] | changes
    if told is None:  # another mode has trained in between: versions 5 to 8
        lines[place + 1 :] = [update(8, 9), update(9, 10)]
        assert check_log(write(tmp_path, lines)).end == 10
        return
    with pytest.raises(Differs) as caught:
        check_log(write(tmp_path, lines))
    assert told in str(caught.value)
    assert caught.value.line == place + 1


def test_what_was_computed_before_another_mode_trained_is_told(tmp_path: Path) -> None:
    lines = [*whole()[:6], start(Position(0, 2), "c.h5"), update(8, 9, 4)]
    with pytest.raises(Differs, match="line 8: computed on version 4, before the start at 8"):
        check_log(write(tmp_path, lines))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "without a start"),
        ("not JSON\n", "line 1, which is damaged"),
        ("[]\n", "line 1, which is damaged"),
        (json.dumps(start() | {"format": 9}) + "\n", "format 9, but this version of ddl reads 1"),
        (json.dumps(update(0, 1)) + "\n", "line 1, an update before any start"),
        (json.dumps(start() | {"version": 3}) + "\n", "version 3 at step 0"),
        (json.dumps(start() | {"order": {}}) + "\n", "line 1, which is damaged"),
        (json.dumps(start()) + "\n" + json.dumps(update(0, 1) | {"lease": "x"}) + "\n", "line 2"),
        (json.dumps(start()) + "\n" + json.dumps(update(0, 1) | {"loss": True}) + "\n", "line 2"),
        (json.dumps(start()) + "\n" + '{"lease": 0}\n', "line 2, which is damaged (no 'worker')"),
        (json.dumps(start()) + "\n" + "[" * 100_000 + "\n", "line 2, which is damaged"),
    ],
)  # fmt: skip
def test_damage_is_told_with_its_line(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(text)
    with pytest.raises(ValueError, match="Expected: ") as caught:
        check_log(tmp_path)
    assert told in str(caught.value)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="which is not text"):
        check_log(tmp_path)


@pytest.mark.parametrize("version", [0, 7, 10, 20])
def test_a_resume_sets_aside_what_is_after_its_checkpoint(version: int, tmp_path: Path) -> None:
    write(tmp_path, whole(), '{"lease": 20, "ep')
    resume_log(tmp_path, version)
    assert check_log(tmp_path).end == version
    lost = (tmp_path / LOST).read_text().splitlines()
    assert len(lost) == 20 - version + 1  # and the line that was cut off
    assert resume_log(tmp_path, version) == 0


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_order_of_leases_passes_and_any_one_left_out_is_told(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    numbers = [n for epoch in (0, 10) for n in data.draw(st.permutations(range(epoch, epoch + 10)))]
    reads = [max(0, place - data.draw(st.integers(0, 8))) for place in range(20)]
    lines = [start(), *(update(n, at + 1, reads[at]) for at, n in enumerate(numbers))]
    folder = tmp_path_factory.mktemp("log")
    assert check_log(write(folder, lines)).updates == 20
    del lines[data.draw(st.integers(1, 19))]
    with pytest.raises(Differs):
        check_log(write(folder, lines))


def test_a_log_of_many_updates_is_read_in_little_memory(tmp_path: Path) -> None:
    import tracemalloc

    order = SampleOrder("global", 2000, 1, 4, 0)
    leases = EpochLeases(order, 0)
    lines = [start_line({}, "data", order, Position(), RULES, None)]
    for number in range(2000):
        lease = leases.lease(number)
        lines.append(
            update(0, 1)
            | {"lease": number, "step": lease.step, "part": lease.part, "read": number}
            | {"written": number + 1, "weight": lease.share}
        )
    write(tmp_path, lines)
    tracemalloc.start()
    extent = Extent()
    for _ in read_lines(tmp_path, extent):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert extent.updates == 2000
    assert peak < 400_000  # 8 bytes an update, and what reading a file takes

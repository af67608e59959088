"""The benchmark of GANs: plans with the same work per rank, and a table of what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddl.benchmark.gan.request import LOSSES, GanRequest, draw, table_of
from ddl.training.plan.plan import Plan

RESULT = {"rates": {"dcgan": {"1": [100.0, 110.0, 120.0], "2": [190.0, 220.0, 200.0]}}}


@pytest.mark.parametrize("loss", LOSSES)
def test_each_rank_has_as_many_pictures_on_any_number_of_ranks(loss: str) -> None:
    request = GanRequest(per_rank_batch_size=8, epoch_steps=5)
    plans = [Plan(run_dir=Path("x"), **request.plan(loss, ranks)) for ranks in (1, 3)]
    assert [plan.global_batch_size for plan in plans] == [8, 24]
    assert [plan.data_option["count"] for plan in plans] == [40, 120]
    assert {plan.gan_loss for plan in plans} == {loss}


def test_the_table_compares_medians_with_one_rank() -> None:
    last = table_of(RESULT).splitlines()[-1]
    assert last == "| dcgan | 2 | 200 (190 to 220) | 1.82 |"


def test_a_bar_is_drawn_for_each(tmp_path: Path) -> None:
    draw(RESULT, tmp_path / "gan.png")
    assert (tmp_path / "gan.png").stat().st_size > 1000

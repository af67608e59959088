"""The object `parallel`: every field of parallel training, refused where its mode does not use it."""

from __future__ import annotations

import dataclasses

from ddl.config.json_run.checking.own_fields import own_fields
from ddl.config.json_run.keys.parallel import PARALLEL, field_of
from ddl.training.plan.fields import ParallelPlan


def test_it_has_every_field() -> None:
    fields = {field.name for field in dataclasses.fields(ParallelPlan)}
    assert {field_of(key.name) for key in PARALLEL.keys} == fields
    assert not fields & {*own_fields()}


def test_keys_of_a_mode_have_no_meaning_in_others() -> None:
    shares, workers = PARALLEL.find("shares"), PARALLEL.find("workers")
    assert shares is not None
    assert workers is not None
    assert shares.has_meaning("balanced")
    assert not shares.has_meaning("local")
    assert workers.only == ("async",)

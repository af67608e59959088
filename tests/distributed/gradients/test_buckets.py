"""Which gradients travel together: by their sizes alone, the last ones first."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.distributed.gradients.buckets import BUCKET_BYTES, bucket_bytes, in_buckets


@given(st.lists(st.integers(0, 10_000)), st.integers(1, 10_000))
def test_every_variable_has_one_place_from_the_last_to_the_first(
    sizes: list[int], most: int
) -> None:
    found = in_buckets(sizes, most)
    assert list(itertools.chain(*found)) == list(range(len(sizes)))[::-1]
    held = [sum(sizes[place] for place in bucket) for bucket in found]
    assert all(size <= most or len(bucket) == 1 for size, bucket in zip(held, found, strict=True))
    for number, bucket in enumerate(found[1:]):  # nothing that fits is left for the next one
        assert held[number] + sizes[bucket[0]] > most


def test_one_bucket_holds_a_small_model() -> None:
    assert in_buckets([4, 400, 4_000], BUCKET_BYTES) == [[2, 1, 0]]


def test_the_size_is_that_of_horovods_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOROVOD_FUSION_THRESHOLD", "1000")
    assert bucket_bytes() == 1000
    monkeypatch.delenv("HOROVOD_FUSION_THRESHOLD")
    assert bucket_bytes() == BUCKET_BYTES

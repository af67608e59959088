"""The checksum in NumPy is that of the standard, for texts of any length, alone and together."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ddl.data.sources.records.crc32c import masked_crc32c, masked_crc32c_of_rows
from tests.data.sources.records.record_files import crc32c, masked


def as_numbers(texts: list[bytes]) -> list[int]:
    return [int.from_bytes(masked(text), "little") for text in texts]


def test_the_reference_has_the_values_of_the_standard() -> None:
    """RFC 3720, appendix B.4, and the usual check value."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


@given(st.lists(st.binary(max_size=70), min_size=1, max_size=5))
def test_checksums_of_any_texts(texts: list[bytes]) -> None:
    assert masked_crc32c(texts).tolist() == as_numbers(texts)


def test_long_texts_and_many_at_once() -> None:
    rng = np.random.default_rng(0)
    texts = [rng.bytes(length) for length in (9000, 4, 0, 33_333, 3)] * 30
    assert masked_crc32c(texts).tolist() == as_numbers(texts[:5]) * 30


def test_rows_of_an_array() -> None:
    rows = np.random.default_rng(0).integers(0, 256, (50, 8), np.uint8)
    assert masked_crc32c_of_rows(rows).tolist() == as_numbers([row.tobytes() for row in rows])

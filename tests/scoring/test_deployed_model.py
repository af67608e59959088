"""Decoding of pictures in a backend."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddl.data.pictures.picture_file import read_picture
from ddl.scoring.in_database.deployed_model import decode
from ddl.scoring.in_database.limits import Limits

BROKEN_EXIF = b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0\x01\0\0\0\x01\0\0\0"


def test_pillow_writes_no_warnings_to_the_server_log(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(file, "JPEG", exif=BROKEN_EXIF)
    (tmp_path / "one.jpg").write_bytes(file.getvalue())
    with pytest.warns(UserWarning, match="Corrupt EXIF data"):
        read_picture(tmp_path / "one.jpg", 100)
    with pytest.raises(ValueError, match=r"Received: a picture, which .* Expected: [A-Z, ]+\.$"):
        decode(b"no picture", Limits())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(file.getvalue(), Limits()).shape == (8, 9, 3)

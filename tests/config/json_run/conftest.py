"""A working directory with the files that configs name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.json_run.good_configs import make_files


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory."""
    make_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path

"""One server for all tests of scoring, with two models: `cells` predicts masks, `shade` labels."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from PIL import Image

from tests.scoring.cluster import Cluster, require_server
from tests.scoring.exported import bright_model, label_model
from tests.scoring.run import deploy

SCORER = "lab"


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {"cells": bright_model(folder), "shade": label_model(folder)}


@pytest.fixture(scope="session")
def pictures() -> Iterator[Path]:
    """A folder that SQL may read, and a file outside it. Not below tmp_path, which the server's user cannot enter."""
    with tempfile.TemporaryDirectory(prefix="ddl-open") as temporary:
        folder = Path(temporary, "pictures")
        folder.mkdir()
        (folder / "one.png").write_bytes(picture(1))
        (folder.parent / "secret.png").write_bytes(picture(2))
        for one in (folder, folder.parent):
            one.chmod(0o755)
        for one in (folder / "one.png", folder.parent / "secret.png"):
            one.chmod(0o644)
        yield folder


@pytest.fixture(scope="session")
def cluster(models: dict[str, Path]) -> Iterator[Cluster]:
    require_server()
    server = Cluster()
    before = dict(os.environ)
    os.environ.update(server.environment)
    try:
        for name in ("shade", "cells"):
            deploy(models[name], name)
        with server.connect() as connection:
            connection.execute(f"CREATE ROLE {SCORER} LOGIN IN ROLE ddl_scorer")
            connection.execute("CREATE ROLE nobody LOGIN")
            connection.execute(f"GRANT CREATE ON SCHEMA public TO {SCORER}")
        yield server
    finally:
        for name in server.environment:
            os.environ.pop(name, None)
        os.environ.update({k: v for k, v in before.items() if k in server.environment})
        server.stop()


@pytest.fixture
def open_folder(cluster: Cluster, models: dict[str, Path], pictures: Path) -> Path:
    """The folder of pictures, opened to SQL; the last deployment decides which folders are open."""
    deploy(models["cells"], "cells", picture_folder=(str(pictures),))
    return pictures


@pytest.fixture
def lab(cluster: Cluster) -> Iterator[psycopg.Connection[Any]]:
    """A connection of a user who may only score."""
    with cluster.connect(SCORER) as connection:
        yield connection


@pytest.fixture
def root(cluster: Cluster) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the superuser."""
    with cluster.connect() as connection:
        yield connection


def picture(seed: int, height: int = 32, width: int = 32) -> bytes:
    """Return a PNG of noise."""
    return encode(pixels(seed, height, width))


def pixels(seed: int, height: int = 32, width: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


def encode(array: np.ndarray, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, form)
    return file.getvalue()


def decode(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def fill(connection: psycopg.Connection[Any], table: str, contents: list[bytes | None]) -> None:
    """Make a table of pictures with ids from 0."""
    connection.execute(f"DROP TABLE IF EXISTS {table}, {table}_scores")
    connection.execute(f"CREATE TABLE {table} (id bigint PRIMARY KEY, image bytea)")
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} VALUES (%s, %s)", list(enumerate(contents)))
    connection.execute(f"ANALYZE {table}")

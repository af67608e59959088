"""Attacks by users with and without the role: each is refused with a clear error, and the backend survives."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.scoring.cluster import Cluster
from tests.scoring.conftest import picture
from tests.scoring.run import deploy

SEGMENT = "SELECT ddl.segment('cells', %s::bytea)"
FILE = "SELECT ddl.img_inference(%s)"


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """Return a PNG whose header claims this size."""
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    parts = [header, *chunks, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )


BOMB = png(60_000, 60_000, (b"IDAT", zlib.compress(bytes(10_000_000))))
TEXT_BOMB = png(8, 8, (b"zTXt", b"k\0\0" + zlib.compress(bytes(80_000_000))))
GIF_BOMB = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6) + (
    b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x4c\x01\x00;"
)  # fmt: skip
TIFF_BOMB = b"II*\0" + struct.pack(
    "<IH" + "HHII" * 7 + "I", 8, 7,
    256, 4, 1, 60_000, 257, 4, 1, 60_000, 258, 3, 1, 16, 259, 3, 1, 8, 262, 3, 1, 1, 273, 4, 1, 8, 279, 4, 1, 8, 0,
)  # fmt: skip


@pytest.fixture(scope="module")
def traps(cluster: Cluster, models: dict[str, Path], pictures: Path) -> Path:
    """Put files into the open folder that must not be readable through it."""
    deploy(models["cells"], "cells", picture_folder=(str(pictures),))
    (pictures / "link.png").symlink_to(pictures.parent / "secret.png")
    (pictures / "up").symlink_to(pictures.parent)
    (pictures / "zero.png").symlink_to("/dev/zero")
    os.mkfifo(pictures / "pipe.png")
    (pictures / "folder.png").mkdir()
    (pictures / "loop.png").symlink_to("loop.png")
    with (pictures / "large.png").open("wb") as file:
        file.truncate(100_000_001)
    (pictures / "large.png").chmod(0o644)
    return pictures


@pytest.fixture(scope="module")
def lab(cluster: Cluster) -> Iterator[psycopg.Connection[Any]]:
    """One backend for all attacks: it must survive them."""
    with cluster.connect("lab") as connection:
        yield connection


ATTACKS: dict[str, tuple[str, tuple[Any, ...], str]] = {
    "a path up": (FILE, ("../secret.png",), "which is not a plain path"),
    "a path up in the middle": (FILE, ("folder.png/../../secret.png",), "which is not a plain path"),
    "another path": (FILE, ("/etc/passwd",), "which does not exist|leads out"),
    "a link out": (FILE, ("link.png",), "which leads out of its folder"),
    "a linked folder": (FILE, ("up/secret.png",), "which leads out of its folder"),
    "a device": (FILE, ("zero.png",), "which leads out of its folder"),
    "a pipe": (FILE, ("pipe.png",), "which is not a regular file"),
    "a folder": (FILE, ("folder.png",), "which cannot be read|not a regular file"),
    "a link to itself": (FILE, ("loop.png",), "which cannot be read"),
    "a large file": (FILE, ("large.png",), "of more than 100000000 bytes"),
    "SQL in a file name": (FILE, ("x'; DROP TABLE ddl.models; --",), "which cannot be read|does not exist"),
    "Python in a file name": (FILE, ("one.png'); import os; os.abort() #",), "cannot be read|does not exist"),
    "SQL in a model": ("SELECT ddl.segment(%s, %s::bytea)", ("x'; DROP TABLE ddl.models; --", b"x"), "does not exist"),
    "SQL in a version": ("SELECT ddl.segment('cells', ''::bytea, '1; DROP ROLE lab')", (), "invalid input syntax"),
    "no picture": (SEGMENT, (b"MZ\x90\0 no picture",), "damaged or not a picture"),
    "an empty picture": (SEGMENT, (b"",), "a picture of 0 bytes"),
    "a picture cut short": (SEGMENT, (picture(1)[:-500],), "damaged or not a picture"),
    "many bytes": ("SELECT ddl.segment('cells', decode(repeat('00', 100000001), 'hex'))", (), "100000001 bytes"),
    "a bomb": (SEGMENT, (BOMB,), "of far more pixels|60000 x 60000 pixels"),
    "a bomb of text": (SEGMENT, (TEXT_BOMB,), "damaged or not a picture"),
    "a bomb of GIF": (SEGMENT, (GIF_BOMB,), "of far more pixels|65535 x 65535 pixels"),
    "a bomb of TIFF": (SEGMENT, (TIFF_BOMB,), "60000 x 60000 pixels"),
    "a script in PostScript": (SEGMENT, (b"%!PS-Adobe-3.0 EPSF-3.0\n",), "damaged or not a picture"),
    "no number": ("SELECT ddl.segment('cells', %s::bytea, threshold => 'nan')", (picture(1),), "threshold=nan"),
    "a model of one's own": ("SELECT ddl._load('x', 'x', 'x', '{}')", (), "permission denied for function _load"),
    "a file as it is": ("SELECT ddl._read_file('one.png')", (), "permission denied for function _read_file"),
    "the models": ("SELECT weights FROM ddl.models", (), "permission denied for table models"),
    "a changed model": ("UPDATE ddl.models SET name = 'mine'", (), "permission denied for table models"),
    "an added model": ("INSERT INTO ddl.models (name) VALUES ('x')", (), "permission denied for table models"),
    "a changed function": (
        "ALTER FUNCTION ddl._read_file SET search_path = public", (), "must be owner of function",
    ),
    "an added function": (
        "CREATE FUNCTION ddl.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'", (), "permission denied for schema ddl",
    ),
    "Python of one's own": (
        "CREATE FUNCTION public.mine() RETURNS text LANGUAGE plpython3u AS 'return 1'", (),
        "permission denied for language plpython3u",
    ),
    "the owner's rights": ("SET ROLE ddl_owner", (), "permission denied to set role"),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused(
    lab: psycopg.Connection[Any], root: psycopg.Connection[Any], traps: Path, name: str
) -> None:
    query, values, message = ATTACKS[name]
    before = root.execute("SELECT count(*) FROM ddl.models").fetchone()
    with pytest.raises(psycopg.Error, match=message):
        lab.execute(query, values)
    assert lab.execute("SELECT 1").fetchone() == (1,)  # the same backend
    assert root.execute("SELECT count(*) FROM ddl.models").fetchone() == before


@pytest.mark.parametrize("name", [n for n in ATTACKS if ATTACKS[n][0] == SEGMENT])
def test_score_returns_an_error_for_a_bad_picture(lab: psycopg.Connection[Any], name: str) -> None:
    _, values, message = ATTACKS[name]
    row = lab.execute(
        "SELECT mask, error ~ %s FROM ddl.score('cells', %s::bytea)", (message, *values)
    )
    assert row.fetchone() == (None, True)


def test_a_user_without_the_role_can_do_nothing(cluster: Cluster) -> None:
    with cluster.connect("nobody") as nobody:
        for query in ("SELECT ddl.segment('cells', ''::bytea)", "SELECT * FROM ddl.model_versions"):
            with pytest.raises(psycopg.Error, match="permission denied for schema ddl"):
                nobody.execute(query)


def test_no_function_is_open_to_everyone(root: psycopg.Connection[Any]) -> None:
    """Each belongs to the owner, has a fixed search_path, and only the public ones can be called."""
    rows = root.execute(
        "SELECT proname, pg_get_userbyid(proowner), proconfig, prosecdef, "
        "has_function_privilege('nobody', oid, 'EXECUTE'), has_function_privilege('lab', oid, 'EXECUTE'), proparallel "
        "FROM pg_proc WHERE pronamespace = 'ddl'::regnamespace AND prorettype <> 'trigger'::regtype"
    ).fetchall()
    assert len(rows) >= 17
    for name, owner, config, definer, everybody, role, parallel in rows:
        assert (owner, everybody, parallel) == ("ddl_owner", False, "s"), name
        assert config == ["search_path=pg_catalog, pg_temp"], name
        assert definer == role == (not name.startswith("_")), name


def test_functions_ignore_objects_of_the_caller(
    lab: psycopg.Connection[Any],
) -> None:
    expected = lab.execute(SEGMENT, (picture(7),)).fetchone()
    lab.execute(
        "CREATE TEMP TABLE models AS SELECT 'cells'::text AS name, 9 AS version, 'x'::text AS checksum"
    )
    lab.execute("SET search_path = pg_temp, public")
    assert lab.execute(SEGMENT, (picture(7),)).fetchone() == expected

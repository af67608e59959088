"""Settings of scripts/sql_deploy.py."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ddl.data.pictures.picture_file import PIXEL_LIMIT
from ddl.options import convert_fields
from ddl.ranges import Range, check_ranges
from ddl.scoring.in_database.limits import BYTE_LIMIT

_RANGES = {"pixel_limit": Range(1), "byte_limit": Range(1), "parallel_workers": Range(0, 1024)}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_IDENTIFIER = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,40}")


@dataclass(frozen=True)
class Deployment:
    """Deployment.

    Attributes:
        model: NAME.xml from scripts/export.py, with NAME.bin and NAME.preprocessing.json in the same folder.
        name: name of the model in the database; a changed model becomes the next version of this name.
        schema: schema for the functions and the models.
        role: role that may call the functions; created if it does not exist.
        server_python: folders on the server that contain ddl, openvino and numpy, usually its site-packages; the
            folders of this Python if not given.
        picture_folder: folders on the server whose files img_inference and score_file may read; none if not given.
        table: table of pictures to set up for parallel queries.
        picture_column: column of the pictures in this table.
        parallel_workers: parallel workers that a query of this table may use.
        pixel_limit: maximum number of pixels of a picture; larger ones are refused before they are decoded.
        byte_limit: maximum number of bytes of a picture; larger ones are refused before they are read.
        greenplum: write SQL for Greenplum.
        print_sql: print the SQL instead of running it; only the model itself is left out.
    """

    model: Path
    name: str = field(kw_only=True)
    schema: str = "ddl"
    role: str = "ddl_scorer"
    server_python: tuple[str, ...] = ()
    picture_folder: tuple[str, ...] = ()
    table: str = ""
    picture_column: str = "image"
    parallel_workers: int = 2
    pixel_limit: int = PIXEL_LIMIT
    byte_limit: int = BYTE_LIMIT
    greenplum: bool = False
    print_sql: bool = False

    def __post_init__(self) -> None:
        """Convert the fields to their types and check them."""
        convert_fields(self)
        check_ranges(vars(self), _RANGES, "deployment")
        check_name(self.name)
        check_identifier("schema", self.schema)
        check_identifier("role", self.role)
        if self.role == self.owner:
            raise ValueError(
                f"Received: role={self.role}, which owns the functions. Expected: another role."
            )
        for name in ("server_python", "picture_folder"):
            for folder in getattr(self, name):
                _check_folder(name, folder)

    @property
    def owner(self) -> str:
        """The role that owns the schema, the models and the functions. It cannot log in."""
        return f"{self.schema}_owner"


def check_name(name: str) -> None:
    """Refuse a model name that would be hard to type in SQL."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"Received: name={name!r}. Expected: letters, digits, '_', '-' and '.', at most 63."
        )


def check_identifier(what: str, name: str) -> None:
    """Refuse a schema or role that would need quotes in SQL."""
    if not _IDENTIFIER.fullmatch(name):
        raise ValueError(
            f"Received: {what}={name!r}. Expected: lower-case letters, digits and '_', at most 41, not pg_..."
        )


def _check_folder(what: str, folder: str) -> None:
    path = PurePosixPath(folder)
    if not path.is_absolute() or ".." in path.parts or not folder.isprintable() or folder == "/":
        raise ValueError(
            f"Received: {what}={folder!r}. Expected: an absolute path on the server, without '..'."
        )

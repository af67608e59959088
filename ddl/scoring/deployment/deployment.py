"""What is put into a database, as one frozen value: whatever the flags of scripts/sql_deploy.py can say."""

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
    """What is deployed.

    Attributes:
        model: NAME.xml of scripts/export.py, with NAME.bin and NAME.preprocessing.json beside it.
        name: of the model in the database; a changed model of this name becomes its next version.
        schema: that holds the functions and the models.
        role: which may call the functions; made when there is none.
        server_python: folders on the server that hold ddl, openvino and numpy, usually its site-packages; without,
            those of this Python.
        picture_folder: folders on the server of which img_inference may read files; without, none.
        table: of pictures, that is set up for parallel queries.
        picture_column: of the table.
        parallel_workers: that a query of the table may use.
        pixel_limit: pictures with more are refused before they are decoded.
        byte_limit: pictures with more are refused before they are looked at.
        greenplum: write SQL for Greenplum.
        print_sql: print the SQL in place of running it; only the model itself is missing in it.
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
        """Give every field its type, and refuse what cannot be deployed."""
        convert_fields(self)
        check_ranges(vars(self), _RANGES, "deployment")
        check_name(self.name)
        check_identifier("schema", self.schema)
        check_identifier("role", self.role)
        if self.role == self.owner:
            raise ValueError(
                f"Received: role={self.role}, which owns the functions. Expected: another."
            )
        for name in ("server_python", "picture_folder"):
            for folder in getattr(self, name):
                _check_folder(name, folder)

    @property
    def owner(self) -> str:
        """The role that owns everything, and as which the functions read the models. Nobody logs in as it."""
        return f"{self.schema}_owner"


def check_name(name: str) -> None:
    """Refuse a name of a model that would be hard to type in SQL."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"Received: name={name!r}. Expected: letters, digits, '_', '-' and '.', at most 63."
        )


def check_identifier(what: str, name: str) -> None:
    """Refuse a schema or role that would need quotes everywhere."""
    if not _IDENTIFIER.fullmatch(name):
        raise ValueError(
            f"Received: {what}={name!r}. Expected: small letters, digits and '_', at most 41, not pg_..."
        )


def _check_folder(what: str, folder: str) -> None:
    path = PurePosixPath(folder)
    if not path.is_absolute() or ".." in path.parts or not folder.isprintable() or folder == "/":
        raise ValueError(
            f"Received: {what}={folder!r}. Expected: an absolute path on the server, without '..'."
        )

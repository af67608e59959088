"""Settings of scripts/sql_score.py."""

from __future__ import annotations

from dataclasses import dataclass

from ddl.options import convert_fields
from ddl.ranges import Range, check_ranges
from ddl.scoring.deployment.deployment import check_identifier, check_name

_RANGES = {
    "version": Range(1),
    "workers": Range(1, 1024),
    "batch_size": Range(1, 10_000),
    "threshold": Range(0, 1, below=True),
    "timeout_s": Range(0, 86_400, above=True),
    "reconnect_s": Range(0, 86_400),
}


@dataclass(frozen=True, kw_only=True)
class Job:
    """Scoring.

    Attributes:
        table: table of pictures, such as scans or lab.scans.
        model: name of the model in the database.
        version: version of the model; the newest at the start of the job if not given.
        results: table of results, created if it does not exist; TABLE_scores if not given.
        id_column: unique column of the table.
        picture_column: column with the pictures (bytea) or their file names (text).
        workers: number of worker processes, each with its own connection.
        batch_size: pictures per transaction; when a worker is killed, its batch is scored again.
        threshold: probability above which a pixel is foreground; only for models with one class.
        timeout_s: maximum time for a batch in the server.
        reconnect_s: time that a worker waits for a lost server to come back.
        schema: schema that sql_deploy.py created.
        greenplum: the database is Greenplum; needs --workers 1, since its segments share the work.
    """

    table: str
    model: str
    version: int | None = None
    results: str = ""
    id_column: str = "id"
    picture_column: str = "image"
    workers: int = 2
    batch_size: int = 8
    threshold: float = 0.5
    timeout_s: float = 600.0
    reconnect_s: float = 60.0
    schema: str = "ddl"
    greenplum: bool = False

    def __post_init__(self) -> None:
        """Convert the fields to their types and check them."""
        convert_fields(self)
        check_ranges(vars(self), _RANGES, "scoring")
        check_name(self.model)
        check_identifier("schema", self.schema)
        if self.greenplum and self.workers != 1:
            raise ValueError(
                f"Received: workers={self.workers} for Greenplum, whose updates lock the whole table. Expected: "
                "--workers 1; its segments share the work."
            )

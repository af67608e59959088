"""What is scored, and how, as one frozen value: whatever the flags of scripts/sql_score.py can say."""

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
    """What is scored.

    Attributes:
        table: of pictures, such as scans or lab.scans.
        model: its name in the database.
        version: of the model; without, the newest when the job starts.
        results: table of results, made when there is none; without, TABLE_scores.
        id_column: of the table; its values are unique.
        picture_column: bytea of pictures, or text of file names.
        workers: processes, each with a connection of its own.
        batch_size: pictures in a transaction; as many are scored again when a worker is killed.
        threshold: above which a probability is foreground, of one class.
        timeout_s: that a batch may take in the server.
        reconnect_s: that a worker waits for a server that has gone away.
        schema: that sql_deploy.py made.
        greenplum: the database is Greenplum, whose segments share the work: one worker.
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
        """Give every field its type, and refuse what cannot be scored."""
        convert_fields(self)
        check_ranges(vars(self), _RANGES, "scoring")
        check_name(self.model)
        check_identifier("schema", self.schema)
        if self.greenplum and self.workers != 1:
            raise ValueError(
                f"Received: workers={self.workers} for Greenplum, whose updates lock the whole table. Expected: "
                "--workers 1; its segments share the work."
            )

"""Connection to the database. Passwords come only from the environment or from files, never from flags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ddl.options import convert_fields

if TYPE_CHECKING:
    import psycopg

CONNECT_TIMEOUT_S = 10
INSTALL = "./setup.sh --extras, or pip install -r requirements-sql.txt"
_SECRET = ("password", "sslpassword")


@dataclass(frozen=True)
class Database:
    """Database connection.

    Without these flags: PGHOST, PGDATABASE, PGUSER and so on, as for psql.

    Attributes:
        dsn: connection string, such as "host=db dbname=lab user=me" or postgresql://me@db/lab, without a password.
        service: name of a service in ~/.pg_service.conf.
    """

    dsn: str = ""
    service: str = ""

    def __post_init__(self) -> None:
        """Check the connection string. A password in it is refused: any user could read it in the process list."""
        convert_fields(self)
        driver = load_driver()
        try:
            parts = driver.conninfo.conninfo_to_dict(self.dsn)
        except driver.ProgrammingError as error:
            # The driver's own message may contain a password, so it is not shown.
            raise ValueError(
                "Received: a malformed dsn. Expected: for example 'host=db dbname=lab user=me'."
            ) from error
        for name in _SECRET:
            if parts.get(name):
                raise ValueError(
                    f"Received: a {name} in the dsn, where every process on this machine can read it. Expected: "
                    "PGPASSWORD, ~/.pgpass or a service file (--service)."
                )
        if self.service and parts.get("service"):
            raise ValueError(
                "Received: service and a dsn that contains a service. Expected: only one of them."
            )

    def connect(self, **settings: Any) -> psycopg.Connection[Any]:
        """Connect to the database. `settings` are session settings of the server.

        Raises:
            psycopg.OperationalError: no server answers, or it refuses the connection.
        """
        import psycopg

        connection = psycopg.connect(
            self.dsn,
            service=self.service or None,
            autocommit=True,
            application_name="ddl",
            connect_timeout=CONNECT_TIMEOUT_S,
        )
        try:
            # Not passed as `options`, which would replace those of the dsn, the service or PGOPTIONS.
            for name, value in settings.items():
                connection.execute("SELECT set_config(%s, %s, false)", (name, str(value)))
            connection.autocommit = False
        except BaseException:
            connection.close()
            raise
        return connection


def load_driver() -> Any:
    """Return psycopg.

    Raises:
        ValueError: it is not installed.
    """
    try:
        import psycopg
        import psycopg.conninfo
    except ImportError as error:
        raise ValueError(
            f"Received: a Python without psycopg ({error}). Expected: psycopg installed; run {INSTALL}."
        ) from error
    return psycopg


def message_of(error: Exception) -> str:
    """Return the message of a database error in one line."""
    diagnosis = getattr(error, "diag", None)
    message = getattr(diagnosis, "message_primary", None) or str(error)
    return " ".join(message.split())[:500]


def refusal(error: Exception, expected: str = "a database that can be read and written") -> str:
    """Turn a database error into a "Received / Expected" line; ddl's own errors from the server already are one."""
    # PL/Python puts the name of the exception class in front of the message.
    message = message_of(error).removeprefix("ValueError: ")
    if message.startswith("Received: "):
        return message
    return f"Received: {message.rstrip('.')}. Expected: {expected}."

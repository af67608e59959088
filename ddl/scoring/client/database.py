"""Which database, and who asks: without a password, which comes from the environment or from files alone."""

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
    """Where the database is.

    Without these flags: PGHOST, PGDATABASE, PGUSER and so on, as for psql.

    Attributes:
        dsn: such as "host=db dbname=lab user=me" or postgresql://me@db/lab, never with a password.
        service: a name in ~/.pg_service.conf.
    """

    dsn: str = ""
    service: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no connection, and a password that anybody could read in the list of processes."""
        convert_fields(self)
        driver = load_driver()
        try:
            parts = driver.conninfo.conninfo_to_dict(self.dsn)
        except driver.ProgrammingError as error:
            # What it says may repeat a password.
            raise ValueError(
                "Received: a dsn that is none. Expected: such as 'host=db dbname=lab user=me'."
            ) from error
        for name in _SECRET:
            if parts.get(name):
                raise ValueError(
                    f"Received: a {name} in the dsn, where every process on this machine can read it. Expected: "
                    "PGPASSWORD, ~/.pgpass or a service file (--service)."
                )
        if self.service and parts.get("service"):
            raise ValueError("Received: service and a dsn with one. Expected: one of them.")

    def connect(self, **settings: Any) -> psycopg.Connection[Any]:
        """Return a connection. `settings` are session settings of the server.

        Raises:
            psycopg.OperationalError: there is no server, or it refuses.
        """
        import psycopg

        given: dict[str, Any] = {"service": self.service} if self.service else {}
        connection = psycopg.connect(
            self.dsn,
            **given,
            autocommit=True,
            application_name="ddl",
            connect_timeout=CONNECT_TIMEOUT_S,
        )
        try:
            # Not as `options`, which would take the place of those of the dsn, the service or PGOPTIONS.
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
            f"Received: a Python without psycopg ({error}). Expected: it; {INSTALL}."
        ) from error
    return psycopg


def told(error: Exception) -> str:
    """Return what a server or its absence said, in one line."""
    diagnosis = getattr(error, "diag", None)
    message = getattr(diagnosis, "message_primary", None) or str(error)
    return " ".join(message.split())[:500]


def refusal(error: Exception, expected: str = "a database that can be read and written") -> str:
    """Return what a server said as a line of ours, which it may be already."""
    # PL/Python puts the name of the class before what ddl said in the server.
    message = told(error).removeprefix("ValueError: ")
    if message.startswith("Received: "):
        return message
    return f"Received: {message.rstrip('.')}. Expected: {expected}."

"""Workers of sql_score.py, one and two in turn, side by side on one server; each has one thread in the database.

    python benchmarks/sql_workers.py cells.xml \
        --output benchmarks/results/sql_workers

The server is that of the environment (PGHOST, PGUSER and so on); the user is a superuser. It makes and drops the schema
ddl_bench. Rates are over the time in which pictures were scored: connections, the model's load and the first pictures
are left out. Needs two idle cores.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
WARM_SHARE = 0.2


def make_table(count: int, size: int) -> None:
    """Fill a table with synthetic microscope pictures."""
    import numpy as np
    import psycopg
    from PIL import Image

    from ddl.data.pictures.synthetic_picture import microscope_picture

    with psycopg.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS ddl_bench.scans")
        connection.execute("CREATE TABLE ddl_bench.scans (id int PRIMARY KEY, image bytea)")
        for number in range(count):
            picture, _ = microscope_picture(number % 16, size, 0)
            file = io.BytesIO()
            Image.fromarray(np.rint(picture * 255).astype(np.uint8)).save(file, "PNG")
            row = (number, file.getvalue())
            connection.execute("INSERT INTO ddl_bench.scans VALUES (%s, %s)", row)


def rate(workers: int) -> float:
    """Score all, and return pictures/s after the first fifth."""
    import psycopg

    with psycopg.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS ddl_bench.scans_scores")
    flags = ["--table", "ddl_bench.scans", "--model", "bench", "--schema", "ddl_bench"]
    command = [sys.executable, str(SCRIPTS / "sql_score.py"), *flags, "--batch-size", "2"]
    subprocess.run([*command, "--workers", str(workers)], check=True, capture_output=True)
    with psycopg.connect() as connection:
        times = connection.execute(
            "SELECT extract(epoch FROM scored_at)::float8 FROM ddl_bench.scans_scores ORDER BY 1"
        ).fetchall()
    first = int(len(times) * WARM_SHARE)
    return (len(times) - 1 - first) / float(times[-1][0] - times[first][0])


def main() -> None:
    """Measure, and print the rates and their ratios."""
    import psycopg

    from ddl.benchmark.reports import markdown, pair_ratios, shown, summary, write_result

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--output", type=Path, help="name of the results, without an ending")
    given = parser.parse_args()
    flags = [str(given.model), "--name", "bench", "--schema", "ddl_bench"]
    subprocess.run([sys.executable, str(SCRIPTS / "sql_deploy.py"), *flags], check=True)
    try:
        make_table(given.pictures, given.size)
        rounds = [(rate(1), rate(2)) for _ in range(given.rounds)]
    finally:
        with psycopg.connect() as connection:
            connection.execute("DROP SCHEMA ddl_bench CASCADE")
    ones, twos = [one for one, _ in rounds], [two for _, two in rounds]
    ratios = pair_ratios(twos, ones)
    rows = [
        ["one", shown(summary(ones)), "1"],
        ["two", shown(summary(twos)), f"{shown(summary(ratios))}; bound 1.7"],
    ]
    table = markdown(["workers", "pictures/s", "times one"], rows)
    print(table)
    if given.output:
        result = {
            "pictures": given.pictures,
            "size": given.size,
            "one": ones,
            "two": twos,
            "ratios": ratios,
        }
        write_result(given.output, result, table)


if __name__ == "__main__":
    main()

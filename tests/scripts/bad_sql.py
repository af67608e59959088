"""What sql_deploy.py and sql_score.py refuse before they talk to a server."""

from __future__ import annotations

from pathlib import Path

from ddl.data.preprocessing import Preprocessing
from tests.scripts.spoiled import Row, nothing


def _volumes(here: Path) -> None:
    how = Preprocessing(target="mask", channels=1, classes=1, axes=3)
    for name, text in (("xml", "<net/>"), ("bin", ""), ("preprocessing.json", how.to_json())):
        (here / f"cells.{name}").write_text(text)


DEPLOY = {
    "": "The following arguments are required",
    "cells.xml": "The following arguments are required: --name",
    "cells.xml --name": "Argument --name: expected one argument",
    "cells.keras --name cells": "model=cells.keras. Expected: NAME.xml from scripts/export.py",
    "cells.xml --name cells": "cells.xml",
    "cells.xml --name ce;lls": "name='ce;lls'. Expected: letters, digits",
    "cells.xml --name cells --schema Lab": "schema='Lab'. Expected: lower-case letters",
    "cells.xml --name cells --schema pg_lab": "schema='pg_lab'. Expected: lower-case letters",
    "cells.xml --name cells --role 'a b'": "role='a b'. Expected: lower-case letters",
    "cells.xml --name cells --role ddl_owner": "role=ddl_owner, which owns the functions",
    "cells.xml --name cells --server-python lib": "server_python='lib'. Expected: an absolute path",
    "cells.xml --name cells --picture-folder /": "picture_folder='/'. Expected: an absolute path",
    "cells.xml --name cells --picture-folder /a/../b": "picture_folder='/a/../b'. Expected:",
    "cells.xml --name cells --pixel-limit 0": "pixel_limit=0 for deployment. Expected: at least 1",
    "cells.xml --name cells --dsn password=x": "a password in the dsn, where every process",
    "cells.xml --name cells --dsn 'a b c'": "a malformed dsn. Expected: for example",
    "cells.xml --name cells --dsn service=x --service y": "service and a dsn that contains a service",
}

SCORE = {
    "": "The following arguments are required: --table, --model",
    "--table scans --model 'x y'": "name='x y'. Expected: letters",
    "--table scans --model cells --workers 0": "workers=0 for scoring. Expected: at least 1",
    "--table scans --model cells --batch-size 0": "batch_size=0 for scoring",
    "--table scans --model cells --threshold 1": "threshold=1.0 for scoring. Expected: at least 0",
    "--table scans --model cells --timeout-s 0": "timeout_s=0.0 for scoring. Expected: above 0",
    "--table scans --model cells --version 0": "version=0 for scoring. Expected: at least 1",
    "--table scans --model cells --greenplum true": "workers=2 for Greenplum, whose updates lock",
    "--table scans --model cells --dsn postgresql://me:x@db/lab": "a password in the dsn",
}

SQL = [
    *(Row(f"sql_deploy {flags}", message) for flags, message in DEPLOY.items()),
    Row("sql_deploy cells.xml --name cells", "a model of 3 axes and 1 channels", _volumes),
    *(Row(f"sql_score {flags}", message, nothing) for flags, message in SCORE.items()),
]

"""From the flags of sql_deploy.py and sql_score.py to results and an exit status."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any

from ddl.flags import Parser, complain, given_flags
from ddl.scoring.client.database import Database
from ddl.scoring.client.job import Job
from ddl.scoring.deployment.deployment import Deployment

INTERRUPTED = 130
"""What shells say of Ctrl-C."""


def deploy_from_flags(parser: Parser, argv: list[str] | None) -> int:
    """Parse, check, deploy; return the exit status: 0, or 2 for bad input, with one line on stderr."""
    values = given_flags(vars(parser.parse_args(argv)))
    try:
        deployment = Deployment(**_of(Deployment, values))
        database = Database(**_of(Database, values))
        from ddl.scoring.deployment.deploy import as_text, deploy
        from ddl.scoring.deployment.exported_model import read_parts

        if deployment.print_sql:
            read_parts(deployment.model)
            sys.stdout.write(as_text(deployment))
        else:
            print(deploy(deployment, database))
    except ValueError as error:
        return complain(parser.name, error)
    except KeyboardInterrupt:
        sys.stderr.write(f"\n{parser.name}: interrupted; nothing was changed.\n")
        return INTERRUPTED
    return 0


def score_from_flags(parser: Parser, argv: list[str] | None) -> int:
    """Parse, check, score; return the exit status: 0, or 2 for bad input, with one line on stderr."""
    values = given_flags(vars(parser.parse_args(argv)))
    try:
        job = Job(**_of(Job, values))
        database = Database(**_of(Database, values))
        from ddl.scoring.client.worker_pool import score

        print(score(job, database))
    except ValueError as error:
        return complain(parser.name, error)
    except KeyboardInterrupt:
        sys.stderr.write(f"\n{parser.name}: interrupted; the same command goes on where it was.\n")
        return INTERRUPTED
    return 0


def _of(part: type, values: Mapping[str, Any]) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(part)]
    return {name: value for name, value in values.items() if name in names}

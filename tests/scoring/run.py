"""Call the SQL scripts from tests: in this process, or in a separate process that can be interrupted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ddl.scoring.client.database import Database
from ddl.scoring.deployment.deploy import deploy as run_deployment
from ddl.scoring.deployment.deployment import Deployment
from tests.launch import REPOSITORY


def deploy(model: Path, name: str, **fields: Any) -> str:
    """Deploy a model into the database of the environment."""
    return run_deployment(Deployment(model, name=name, **fields), Database())


def start_scoring(*flags: str, user: str = "lab") -> subprocess.Popen[str]:
    """Start sql_score.py."""
    return subprocess.Popen(
        [sys.executable, str(REPOSITORY / "scripts" / "sql_score.py"), *flags],
        env=os.environ | {"PGUSER": user, "PGDATABASE": "postgres"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def score(*flags: str, user: str = "lab") -> tuple[int, str, str]:
    """Run sql_score.py; return status, stdout and stderr."""
    process = start_scoring(*flags, user=user)
    try:
        stdout, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, stdout, stderr

"""The walk of docs/walk.md, command by command, at a small size."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch import REPOSITORY
from tests.pages import read_page
from tests.scoring.cluster import Cluster

SMALLER = {
    "./setup.sh --extras\n": "",
    "source .venv/bin/activate\n": "",
    "--count 1000 --size 128": "--count 24 --size 32",
    "RUN_DIR=runs/cells ./run_unet.sh": "python scripts/train_unet.py --run-dir runs/cells --model-option "
    "width=4 depth=2",
    "--epochs 3": "--epochs 1",
    "--precision int8": "--precision int8 --calibration-samples 8",
}


@pytest.mark.timeout(280)
def test_the_walk_ends_with_the_masks_of_the_prediction(tmp_path: Path, cluster: Cluster) -> None:
    page = read_page("walk.md")
    for long, short in SMALLER.items():
        assert long in page, f"{long} is no longer in walk.md"
        page = page.replace(long, short)
    (tmp_path / "scripts").symlink_to(REPOSITORY / "scripts")
    with cluster.connect() as root:
        root.execute("DROP TABLE IF EXISTS scans, scans_scores")
    told = ""
    for language, block in re.findall(r"```(\w+)\n(.*?)```", page, re.DOTALL):
        if language == "bash":
            told += run(["bash", "-euo", "pipefail", "-c", block], tmp_path)
        elif language == "python":
            told += run([sys.executable, "-c", block], tmp_path)
        else:
            told += ask(cluster, block)
    assert re.search(r"dice against the truth +\d", told), told
    assert "scored=24 refused=0" in told, told
    with cluster.connect() as root:
        query = "SELECT name, mask FROM scans_scores JOIN scans USING (id)"
        found = {Path(name).stem: bytes(mask) for name, mask in root.execute(query)}
        root.execute("DROP TABLE scans, scans_scores")
    assert len(found) == 24
    for name, mask in found.items():
        assert mask == (tmp_path / "results" / f"{name}.png").read_bytes()


def run(command: list[str], folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PATH": path, "PGDATABASE": "postgres", "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def ask(cluster: Cluster, queries: str) -> str:
    lines = []
    with cluster.connect() as root:
        for query in queries.split(";\n"):
            if query.strip():
                found = root.execute(query)
                names = [column.name for column in found.description or ()]
                lines += [
                    " ".join(f"{n}={v}" for n, v in zip(names, row, strict=True)) for row in found
                ]
    return "\n".join(lines)

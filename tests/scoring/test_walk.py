"""The commands of docs/walk.md in order: small with `--all`, at full size with `--long walk`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.launch import REPOSITORY
from tests.pages import read_page
from tests.scoring.cluster import Cluster

NO_SETUP = {"./setup.sh --extras\n": "", "source .venv/bin/activate\n": ""}
SMALLER = NO_SETUP | {
    "--count 1000 --size 128": "--count 24 --size 32",
    "RUN_DIR=runs/cells ./run_unet.sh": "python scripts/train_unet.py --run-dir runs/cells --model-option "
    "width=4 depth=2",
    "--epochs 3": "--epochs 1",
    "--precision int8": "--precision int8 --calibration-samples 8",
}
# The script need not set up anything: this Python's environment is complete.
FULL = NO_SETUP | {"./run_unet.sh": f"DDL_SETUP=done DDL_VENV={sys.prefix} ./run_unet.sh"}


@pytest.mark.proof
@pytest.mark.timeout(280)
def test_the_walk_ends_with_the_masks_of_predict(tmp_path: Path, cluster: Cluster) -> None:
    walk(tmp_path, cluster, SMALLER, 24)


@pytest.mark.long("walk")
@pytest.mark.timeout(3600)
def test_the_walk_at_its_full_size(
    tmp_path: Path, cluster: Cluster, record_property: Callable[[str, object], None]
) -> None:
    record_property("pictures", 1000)
    record_property("dice", walk(tmp_path, cluster, FULL, 1000))


def walk(folder: Path, cluster: Cluster, changes: dict[str, str], count: int) -> float:
    """Run the page's commands with some changes, check the masks, and return the export's Dice."""
    page = read_page("walk.md")
    for given, instead in changes.items():
        assert given in page, f"{given} is no longer in walk.md"
        page = page.replace(given, instead)
    for name in ("scripts", "ddl", "setup.sh", "run_unet.sh"):
        (folder / name).symlink_to(REPOSITORY / name)
    with cluster.connect() as root:
        root.execute("DROP TABLE IF EXISTS scans, scans_scores")
    output = ""
    for language, block in re.findall(r"```(\w+)\n(.*?)```", page, re.DOTALL):
        if language == "bash":
            output += run(["bash", "-euo", "pipefail", "-c", block], folder)
        elif language == "python":
            output += run([sys.executable, "-c", block], folder)
        else:
            output += ask(cluster, block)
    dice = re.search(r"dice against ground truth +([\d.]+)", output)
    assert dice is not None, output
    assert f"scored={count} refused=0" in output, output
    with cluster.connect() as root:
        query = "SELECT name, mask FROM scans_scores JOIN scans USING (id)"
        found = {Path(name).stem: bytes(mask) for name, mask in root.execute(query)}
        root.execute("DROP TABLE scans, scans_scores")
    assert len(found) == count
    for name, mask in found.items():
        assert mask == (folder / "results" / f"{name}.png").read_bytes()
    return float(dice[1])


def run(command: list[str], folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PATH": path, "PGDATABASE": "postgres", "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=1800, check=False
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

"""What people give asynchronous training and scripts/join.py by mistake, and a piece of the one line that tells so."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

from tests.scripts.spoiled import Row

TRAIN = "train_unet --data synthetic --parallel async "


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def cluster(mode: int = 0o600, token: str = "0" * 64, **told: object) -> Callable[[Path], None]:
    """Make a run directory `run` that says where its Ray is."""

    def given(here: Path) -> None:
        folder = here / "run" / "ray"
        folder.mkdir(parents=True)
        values = {"address": f"127.0.0.1:{_free_port()}", "namespace": "ddl-0", "host": "here"}
        values |= {"ray": "2.60.0", "own": "true", **told}
        (folder / "cluster.json").write_text(json.dumps(values))
        (folder / "token").write_text(token)
        (folder / "token").chmod(mode)

    return given


def damaged(here: Path) -> None:
    """Make a run directory whose cluster.json was cut off."""
    cluster()(here)
    (here / "run" / "ray" / "cluster.json").write_text('{"address": "127')


ASYNC = [
    Row(TRAIN + "--ray-address nowhere", "ray_address=nowhere. Expected: HOST:PORT"),
    Row(TRAIN + "--ray-address ray://10.0.0.1:10001", "Expected: HOST:PORT of the cluster's head"),
    Row(TRAIN + "--workers 2 --min-workers 3", "min_workers=3 with workers=2. Expected: at most 2"),
    Row(TRAIN + "--model-option norm=sync", "norm=sync with parallel=async"),
    Row(TRAIN + "--workers 4 --global-batch-size 3", "global_batch_size=3 with workers=4"),
    Row(TRAIN + "--shares 4,4", "shares=4,4 with parallel=async, which does not use it"),
    Row(
        "join nowhere", "nowhere, where no asynchronous training runs. Expected: the run directory"
    ),
    Row("join run --workers 0", "workers=0 for joining. Expected: at least 1", cluster()),
    Row("join run", "cluster.json, which cannot be read. Expected: as the run wrote it", damaged),
    Row("join run", "cluster.json without address", cluster(address=None)),
    Row("join run", "others may read: whoever has the token can run code", cluster(mode=0o644)),
    Row("join run", "token, which is empty. Expected: the cluster's token", cluster(token="")),
    Row("join run", "where nobody answers (Connection refused)", cluster()),
    Row("join run --ray-address here", "ray_address=here. Expected: HOST:PORT", cluster()),
]

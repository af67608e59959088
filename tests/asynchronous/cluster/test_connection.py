"""How Ray is started and reached: versions, tokens, addresses, and where workers are placed."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import pytest

from ddl.asynchronous.cluster import connection
from ddl.asynchronous.cluster.connection import (
    Cluster,
    check_installed,
    check_token_file,
    own_token,
    read_cluster,
    served,
    split_address,
    write_token,
)
from ddl.asynchronous.watch import Watch


@pytest.mark.parametrize("version", [None, "2.59.0"])
def test_another_ray_than_the_tested_one_is_refused(
    version: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def installed(_: str) -> str:
        if version is None:
            raise importlib.metadata.PackageNotFoundError("ray")
        return version

    monkeypatch.setattr(connection.importlib.metadata, "version", installed)
    with pytest.raises(ValueError, match=f"{version or 'no Ray'} installed. Expected: Ray 2.60.0"):
        check_installed()


@pytest.mark.parametrize("address", ["", "host", "host:", "host:0", "host:65536", "ray://a:1"])
def test_a_bad_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="Expected: HOST:PORT"):
        split_address(address)


def test_a_token_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "token"
    write_token(path, "secret")
    assert path.stat().st_mode & 0o777 == 0o600
    check_token_file(path)
    path.chmod(0o640)
    with pytest.raises(ValueError, match="others may read"):
        check_token_file(path)


def test_without_a_token_nobody_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(ValueError, match="no token for the Ray cluster"):
        own_token()


def test_a_run_tells_where_its_ray_is_without_its_token(tmp_path: Path) -> None:
    folder = tmp_path / "ray-files"
    folder.mkdir()
    write_token(folder / "token", "secret")
    Cluster("127.0.0.1:7", "ddl-1", is_own=True, folder=folder).describe(tmp_path)
    assert read_cluster(tmp_path)["address"] == "127.0.0.1:7"
    assert "secret" not in (tmp_path / "ray" / "cluster.json").read_text()
    assert (tmp_path / "ray" / "token").stat().st_mode & 0o777 == 0o600


def test_a_machine_serves_a_worker_for_each_gpu_or_for_four_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "usable_cores", lambda: 24)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert served() == 6
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    assert served() == 3
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    monkeypatch.setattr(connection, "usable_cores", lambda: 1)
    assert served() == 2


def _node(**resources: float) -> dict[str, Any]:
    return {"NodeManagerHostname": "a", "Resources": resources}


def test_cores_of_a_node_are_shared_by_its_workers() -> None:
    watch = Watch(4, 60.0)
    watch._each = 2
    shares = [
        [(p.cpus, p.gpus) for p in watch._places_of("n", node)]
        for node in (
            _node(CPU=8.0),
            _node(CPU=1.0),
            _node(CPU=8.0, GPU=1.0),
            _node(),
        )
    ]
    assert shares == [[(4, 0), (4, 0)], [(1, 0)], [(8, 1)], [(0, 0)]]

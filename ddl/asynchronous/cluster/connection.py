"""Ray for a run: started on this machine, or a cluster that runs already. Without its token nobody gets in.

Whoever has the token can run code on every machine of the cluster, and the token does not encrypt what travels: keep
the ports within a private network.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import importlib.metadata
import json
import logging
import os
import re
import secrets
import shutil
import signal
import socket
import stat
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from ddl.distributed.job.launcher import usable_cores
from ddl.files import parse_json, write_whole
from ddl.training.plan.modes.asynchronous import ADDRESS, check_alone
from ddl.training.plan.plan import Plan

VERSION = "2.60.0"
FOLDER = "ray"
"""Folder of a run directory that says how to join: cluster.json, and the token of a cluster that the run started."""
_NICENESS = "RAY_worker_niceness"
"""Ray's default of 15 gives way to every other program of a busy machine."""
_PREFIX = "ddl-ray-"
_REACH_S = 5.0
_STORE_BYTES = (
    100 << 20,
    2 << 30,
)  # least and most shared memory for weights and gradients on their way
_MOST_WORKERS = 16
_CORES_EACH = 4


@dataclass
class Cluster:
    """A connection to Ray.

    Attributes:
        address: HOST:PORT.
        namespace: of the run's actors.
        is_own: whether this process has started it.
        folder: of Ray's files and the token, of a cluster of its own.
    """

    address: str
    namespace: str
    is_own: bool
    folder: Path | None = None
    _left: list[Path] = field(default_factory=list)

    @property
    def token_file(self) -> Path | None:
        """The token of a cluster that this process has started."""
        return self.folder / "token" if self.folder is not None else None

    def describe(self, run_dir: Path) -> None:
        """Write into the run directory what `scripts/join.py` needs. Only the owner may read the token."""
        folder = run_dir / FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        told = {"address": self.address, "namespace": self.namespace, "host": socket.gethostname()}
        told |= {"ray": VERSION, "own": str(self.is_own).lower()}
        if self.token_file is not None:
            write_token(folder / "token", self.token_file.read_text())
            self._left.append(folder / "token")
        path = folder / "cluster.json"
        write_whole(path, lambda partial: partial.write_text(json.dumps(told, indent=2) + "\n"))
        self._left.append(path)

    def close(self) -> None:
        """Leave Ray; one that this process has started ends."""
        import ray

        with keeping_signals(), contextlib.suppress(Exception):
            ray.shutdown()
        for path in self._left:
            path.unlink(missing_ok=True)
        if self._left:
            with contextlib.suppress(OSError):
                self._left[-1].parent.rmdir()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.close)
        if _open and _open[-1] is self:
            _open.pop()


_open: list[Cluster] = []  # at most one


def prepare(plan: Plan) -> Plan:
    """Start Ray, or connect to it, and return the plan with its number of workers. `take_cluster` gives it on.

    Raises:
        ValueError: Ray is missing or of another version; nobody is at the address; no token, or a wrong one; or the
            run is started by a launcher.
    """
    check_alone(plan)
    workers = plan.workers or served()
    if not _open:
        address = plan.ray_address
        _open.append(connect(address) if address else start(workers))
        atexit.register(_open[-1].close)
    return dataclasses.replace(plan, workers=workers)


def close_all() -> None:
    """Leave the cluster that `prepare` has opened, if there is one."""
    for cluster in _open:
        cluster.close()


def take_cluster() -> Cluster:
    """Return the cluster that `prepare` has opened."""
    if not _open:
        raise RuntimeError("No cluster is open: `set_up` opens it.")
    return _open[-1]


def served() -> int:
    """Return how many workers this machine serves: one for each GPU, or one for four cores, and at least two."""
    gpus = gpu_count()
    cores = usable_cores()
    return gpus or max(2, min(_MOST_WORKERS, cores // _CORES_EACH))


def gpu_count() -> int:
    """Return the GPUs that this process may use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in ("", "-1")])
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))


def start(workers: int) -> Cluster:
    """Start Ray on this machine, with a token of its own. It ends with this process, however that ends."""
    check_installed()
    _clear_killed()
    # A short path: Ray's sockets lie below it.
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    write_token(folder / "token", secrets.token_hex(32))
    namespace = f"ddl-{secrets.token_hex(6)}"
    os.environ.pop("RAY_AUTH_TOKEN", None)
    os.environ.pop("RAY_ADDRESS", None)
    set_environment(folder / "token")
    cores = max(1, usable_cores())
    try:
        context = _init(
            *(None, namespace),
            num_cpus=max(cores, workers),
            num_gpus=gpu_count(),
            include_dashboard=False,
            object_store_memory=_store_bytes(),
            _temp_dir=str(folder / "r"),
        )
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, Exception):
            raise ValueError(
                f"Ray did not start on this machine: {_first_line(error)}. Expected: free memory and shared memory "
                "(/dev/shm), and a folder for temporary files with a short path (TMPDIR)."
            ) from error
        raise
    return Cluster(context.address_info["gcs_address"], namespace, is_own=True, folder=folder)


def connect(address: str, namespace: str | None = None, token: Path | None = None) -> Cluster:
    """Connect to a cluster that runs, of which this machine is a node.

    Args:
        address: HOST:PORT of its head.
        namespace: of the run to join; by default a new one.
        token: file of its token; by default the one that Ray's own variables and home folder name.
    """
    check_installed()
    host, port = split_address(address)
    found = token or own_token()
    if found is not None:
        check_token_file(found)
    if token is not None:
        os.environ.pop("RAY_AUTH_TOKEN", None)
    check_reachable(host, port)
    set_environment(found)
    namespace = namespace or f"ddl-{secrets.token_hex(6)}"
    try:
        _init(address, namespace)
    except Exception as error:
        raise ValueError(_why_not(error, address)) from error
    return Cluster(address, namespace, is_own=False)


def check_installed() -> None:
    """Refuse to go on without Ray, or with another version than the one that was tested."""
    try:
        version = importlib.metadata.version("ray")
    except importlib.metadata.PackageNotFoundError:
        version = "no Ray"
    if version != VERSION:
        raise ValueError(
            f"Received: parallel=async with {version} installed. Expected: Ray {VERSION}; `./setup.sh --extras` or "
            "`pip install --no-deps -r requirements-async.txt` installs it."
        )


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of an address."""
    found = ADDRESS.fullmatch(address)
    if not found or int(found[2]) > 65535:
        raise ValueError(
            f"Received: ray_address={address}. Expected: HOST:PORT of the cluster's head, such as 10.0.0.1:6379."
        )
    return found[1], int(found[2])


def own_token() -> Path | None:
    """Return the file of the token as Ray looks for it; None where a variable holds the token itself."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return None
    path = os.environ.get("RAY_AUTH_TOKEN_PATH")
    found = Path(path) if path else Path.home() / ".ray" / "auth_token"
    if not found.is_file():
        raise ValueError(
            f"Received: no token for the Ray cluster ({found} does not exist). Expected: the cluster's token in that "
            "file, or in one that RAY_AUTH_TOKEN_PATH names. `ray get-auth-token --generate` makes one; start each "
            "node with RAY_AUTH_MODE=token."
        )
    return found


def check_token_file(path: Path) -> None:
    """Refuse a token that is empty, or that others may read."""
    try:
        mode, text = path.stat().st_mode, path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"Received: {path}, which cannot be read. Expected: a file with the cluster's token."
        ) from error
    if not text:
        raise ValueError(f"Received: {path}, which is empty. Expected: the cluster's token.")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ValueError(
            f"Received: {path}, which others may read: whoever has the token can run code on all machines. Expected: "
            f"`chmod 600 {path}`."
        )


def check_reachable(host: str, port: int) -> None:
    """Refuse an address where nobody answers, which Ray would wait for."""
    try:
        socket.create_connection((host, port), _REACH_S).close()
    except OSError as error:
        raise ValueError(
            f"Received: ray_address={host}:{port}, where nobody answers ({error.strerror or error}). Expected: the "
            f"head of a running cluster; `RAY_AUTH_MODE=token ray start --head --port={port}` starts one."
        ) from error


def set_environment(token: Path | None) -> None:
    """Set what Ray reads when it is imported, and what it gives to the processes that it starts."""
    if token is not None:
        os.environ["RAY_AUTH_TOKEN_PATH"] = str(token)
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault(_NICENESS, "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")


def write_token(path: Path, text: str) -> None:
    """Write a token that only its owner may read."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def read_cluster(run_dir: Path) -> dict[str, str]:
    """Return what a run says about its cluster.

    Raises:
        ValueError: the run has none, or it is over.
    """
    path = run_dir / FOLDER / "cluster.json"
    try:
        told = parse_json(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ValueError(
            f"Received: {run_dir}, where no asynchronous training runs. Expected: the run directory of a run with "
            "--parallel async that has begun and is not over."
        ) from None
    except (OSError, ValueError) as error:
        raise ValueError(
            f"Received: {path}, which cannot be read. Expected: as the run wrote it."
        ) from error
    names = ("address", "namespace", "ray", "own", "host")
    if not isinstance(told, dict) or not all(isinstance(told.get(name), str) for name in names):
        raise ValueError(
            f"Received: {path} without {', '.join(names)}. Expected: as the run wrote it."
        )
    return told


@contextlib.contextmanager
def keeping_signals() -> Iterator[None]:
    """Keep this program's signal handlers: Ray replaces that of SIGTERM, and the run could not stop cleanly."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def _init(address: str | None, namespace: str, **options: Any) -> Any:
    with keeping_signals():
        import ray

        return ray.init(
            address=address,
            namespace=namespace,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **options,
        )


def _clear_killed() -> None:
    """Delete what processes that were killed have left: Ray's files, and a token that opens nothing any more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _store_bytes() -> int:
    least, most = _STORE_BYTES
    try:
        free = shutil.disk_usage("/dev/shm").free
    except OSError:
        return least
    return max(least, min(most, free // 4))


def _why_not(error: Exception, address: str) -> str:
    """Return a line on why Ray refused."""
    text = f"{type(error).__name__} {error}"
    if re.search(r"[Aa]uthenticat|[Tt]oken|401|403|UNAUTHENTICATED", text):
        return (
            f"Received: ray_address={address}, which refuses the token. Expected: the token that its nodes were "
            "started with, in the file that RAY_AUTH_TOKEN_PATH names."
        )
    if "ersion mismatch" in text:
        return (
            f"Received: ray_address={address}, whose Ray or Python has another version than here (Ray {VERSION}). "
            f"Expected: the same on all machines: {_first_line(error)}"
        )
    return (
        f"Received: ray_address={address}, to which Ray does not connect: {_first_line(error)}. Expected: a node of "
        f"the cluster on this machine, too: `RAY_AUTH_MODE=token ray start --address={address}`."
    )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200].rstrip(".")

"""The command behind scripts/join.py: workers from another terminal, or from another machine of the cluster."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.asynchronous.cluster.connection import (
    FOLDER,
    connect,
    read_cluster,
)
from ddl.asynchronous.job import SERVER
from ddl.asynchronous.watch import start_worker
from ddl.distributed.job.launcher import usable_cores
from ddl.flags import BAD_INPUT, Parser, add_flags, given_flags
from ddl.plain_text import escaped, tell
from ddl.ranges import Range, check_ranges
from ddl.standard_streams import end_output
from ddl.training.stop_request import StopRequest, ignore_signals, signal_name

SERVER_GONE = 1
INTERRUPTED = 130
_PATIENCE_S = 120.0
_LOOK_S = 0.2
_RANGES = {"workers": Range(1, 64)}


@dataclass(frozen=True)
class Joining:
    """What joins.

    Attributes:
        run: directory of a run with --parallel async that is training now.
        workers: workers to add, which share this machine's cores.
        ray_address: address of the run's Ray cluster, such as 10.0.0.1:6379, where this machine does not see the run
            directory.
    """

    run: Path
    workers: int = 1
    ray_address: str | None = None


def join_parser(doc: str) -> Parser:
    """Return a parser of a run directory and flags."""
    parser = Parser("join", doc, "RUN [flags]")
    add_flags(parser, (Joining,))
    return parser


def join_from_flags(parser: Parser, argv: list[str] | None = None) -> int:
    """Start workers, and wait until the run is over; return the exit status.

    0: the run is over. 1: its server is gone, or a worker died. 2: bad input. 130: stopped by a signal; the run goes
    on.
    """
    asked = Joining(**given_flags(vars(parser.parse_args(argv))))
    with StopRequest() as stop:
        try:
            check_ranges({"workers": asked.workers}, _RANGES, "joining")
            cluster = _connect(asked)
        except ValueError as error:
            return parser.complain(error, lambda: stop.signal)
        try:
            status = _work(parser.name, asked, stop)
        finally:
            ignore_signals()
            cluster.close()
    return end_output(parser.name) or status


def _connect(asked: Joining) -> Any:
    """Return the connection to the Ray of the run, in its namespace."""
    if asked.ray_address is None or (asked.run / FOLDER / "cluster.json").is_file():
        told = read_cluster(asked.run)
        token = asked.run / FOLDER / "token"
        address = asked.ray_address or told["address"]
        return connect(address, told["namespace"], token if token.is_file() else None)
    first = connect(asked.ray_address)
    namespace = _namespace(asked)
    first.close()
    return connect(asked.ray_address, namespace)


def _namespace(asked: Joining) -> str:
    """Return the namespace of the one run of a cluster."""
    import ray.util

    found = [
        actor["namespace"]
        for actor in ray.util.list_named_actors(all_namespaces=True)
        if actor["name"] == SERVER and actor["namespace"].startswith("ddl-")
    ]
    if len(found) != 1:
        raise ValueError(
            f"Received: ray_address={asked.ray_address}, where {len(found)} asynchronous trainings run, and "
            f"{asked.run}, which does not say which. Expected: one training; or the run directory of one, which this "
            "machine sees."
        )
    return str(found[0])


def _work(name: str, asked: Joining, stop: StopRequest) -> int:
    """Start the workers, and wait until they end or a signal arrives."""
    import ray

    here = ray.get_runtime_context().get_node_id()
    threads = max(1, usable_cores() // asked.workers)
    actors = [
        start_worker(
            f"joined-{socket.gethostname()}-{os.getpid()}-{number}",
            *(here, 0, 0, _PATIENCE_S),
            threads=threads,
        )
        for number in range(asked.workers)
    ]
    ends = [actor.run.remote() for actor in actors]
    for actor in actors:
        host, pid = ray.get(actor.where.remote())
        tell(escaped(f"{name}: worker {host}:{pid} loads TensorFlow, then joins {asked.run}."))
    status = 0
    while ends and not stop.signal:
        ready, ends = ray.wait(ends, timeout=_LOOK_S)
        for reference in ready:
            status = max(status, _told_end(name, reference))
        time.sleep(0)
    if stop.signal:
        tell(f"{name}: stopped by {signal_name(stop.signal)}. The run goes on without this worker.")
        return INTERRUPTED
    return status


def _told_end(name: str, reference: Any) -> int:
    """Tell why a worker has ended, and return the exit status."""
    import ray

    try:
        why = str(ray.get(reference))
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        if not isinstance(cause, ValueError | OSError):
            raise
        tell(escaped(f"{name}: {cause}"))
        return BAD_INPUT
    except ray.exceptions.RayError:
        tell(f"{name}: the worker died.")
        return SERVER_GONE
    tell(escaped(f"{name}: {why}"))
    return 0 if why == "The run is over." else SERVER_GONE

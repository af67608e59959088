"""Tensors from one rank to another, by MPI beside Horovod.

Sends do not wait: with blocking ones two ranks that send to each other hang. Receives look for the message again and
again, with short pauses, so that the watch over the ranks and Ctrl-C work meanwhile.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import ddl.distributed as dist

_SIDES = 8
_PIECE_BYTES = 1 << 30
"""MPI counts bytes in 32 bits."""
_SHORTEST_S, _LONGEST_S = 5e-5, 2e-3
"""Pauses while a message is not there yet."""


def point_to_point() -> Any:
    """Return MPI's communicator of all ranks. Call it after `ddl.distributed.init()`.

    Raises:
        ValueError: mpi4py is missing, or MPI is not there, or MPI does not allow what is needed.
    """
    try:
        import mpi4py

        mpi4py.rc.initialize = False  # Horovod has done it
        mpi4py.rc.finalize = False
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise ValueError(
            f"Received: a partition without mpi4py ({_first_line(error)}). Expected: mpi4py for the MPI of this job: "
            "pip install -r requirements-partition.txt"
        ) from None
    if dist.size() > 1 and not MPI.Is_initialized():
        raise ValueError(
            "Received: a partition in a job that was started by Gloo. Expected: mpirun, or horovodrun with MPI; ranks "
            "send each other tensors by MPI."
        )
    if dist.size() > 1 and MPI.Query_thread() < MPI.THREAD_MULTIPLE:
        raise ValueError(
            "Received: a partition with an MPI that only one thread may call. Expected: MPI_THREAD_MULTIPLE, which "
            "Horovod asks for unless HOROVOD_MPI_THREADS_DISABLE=1 is set; or an MPI that offers it."
        )
    return MPI.COMM_WORLD


class Messages:
    """Sends and receives tensors. Messages of one tag between two ranks arrive in the order of their sending."""

    def __init__(self, communicator: Any) -> None:
        """Use the result of `point_to_point`."""
        self._world = communicator
        self._sent: list[tuple[Any, Any]] = []  # requests, and what they send
        self.bytes_sent = 0

    def send(self, values: np.ndarray, rank: int, tag: int) -> None:
        """Send an array to a rank, without waiting."""
        self._sent = [(request, kept) for request, kept in self._sent if not request.Test()]
        values = np.ascontiguousarray(values)
        head = np.full(_SIDES + 1, -1, np.int64)
        head[: values.ndim + 1] = (values.ndim, *values.shape)
        for part in (head.view(np.uint8), *_pieces(values)):
            self._sent.append((self._world.Isend(part, rank, tag), (part, values)))
        self.bytes_sent += values.nbytes

    def receive(self, dtype: Any, rank: int, tag: int) -> np.ndarray:
        """Return the next array from a rank, when it is there."""
        head = np.empty(_SIDES + 1, np.int64)
        self._wait(self._world.Irecv(head.view(np.uint8), rank, tag))
        values = np.empty(tuple(head[1 : 1 + head[0]]), dtype)
        for part in _pieces(values):
            self._wait(self._world.Irecv(part, rank, tag))
        return values

    def finish(self) -> None:
        """Wait until all that was sent has left."""
        for request, _ in self._sent:
            self._wait(request)
        self._sent.clear()

    def _wait(self, request: Any) -> None:
        pause_s = _SHORTEST_S
        while not request.Test():
            time.sleep(pause_s)
            pause_s = min(_LONGEST_S, 1.5 * pause_s)


def _pieces(values: np.ndarray) -> list[np.ndarray]:
    flat = values.reshape(-1).view(np.uint8)
    return [flat[at : at + _PIECE_BYTES] for at in range(0, flat.size, _PIECE_BYTES)]


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]

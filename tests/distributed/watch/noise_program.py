"""Attacks the ports that a process has opened on the loopback: `noise_program.py PID SECONDS IDLE`.

It prints what it has done, as JSON.

It holds IDLE connections without a byte, and opens them again when they are closed. Twenty clients send 1 MB of noise
a second together, each through a new connection whenever the last one was closed.
"""

from __future__ import annotations

import contextlib
import json
import random
import resource
import socket
import sys
import threading
import time

import psutil

CLIENTS = 20
MB_PER_S = 1.0
_PIECE_BYTES = 5000


class Attack:
    """Idle and noisy connections to the ports of a process."""

    def __init__(self, pid: int, seconds: float, idle: int) -> None:
        self._process, self._until, self._most = (
            psutil.Process(pid),
            time.monotonic() + seconds,
            idle,
        )
        self._ports: list[tuple[str, int]] = []
        self.done = {"connected": 0, "refused": 0, "most_idle": 0, "noise_bytes": 0}

    def run(self) -> dict[str, int]:
        """Attack until the time is over or the process has ended."""
        threads = [threading.Thread(target=self._make_noise, args=(n,)) for n in range(CLIENTS)]
        threads.append(threading.Thread(target=self._hold_idle))
        self._look_for_ports()
        for thread in threads:
            thread.start()
        while self._is_on():
            self._look_for_ports()
            time.sleep(0.2)
        for thread in threads:
            thread.join()
        return self.done

    def _is_on(self) -> bool:
        return time.monotonic() < self._until and self._process.is_running()

    def _look_for_ports(self) -> None:
        with contextlib.suppress(psutil.Error):
            self._ports = [
                tuple(one.laddr)
                for one in self._process.net_connections("tcp4")
                if one.status == psutil.CONN_LISTEN and one.laddr.ip == "127.0.0.1"
            ]

    def _connect(self) -> socket.socket | None:
        if not self._ports:
            time.sleep(0.01)
            return None
        try:
            connection = socket.create_connection(random.choice(self._ports), timeout=1)
        except OSError:
            self.done["refused"] += 1
            time.sleep(0.01)
            return None
        self.done["connected"] += 1
        return connection

    def _hold_idle(self) -> None:
        held: list[socket.socket] = []
        while self._is_on():
            while len(held) < self._most and self._is_on():
                connection = self._connect()
                if connection is None:
                    break
                connection.setblocking(False)
                held.append(connection)
                self.done["most_idle"] = max(self.done["most_idle"], len(held))
            held = [connection for connection in held if not _is_closed(connection)]
            time.sleep(0.5)

    def _make_noise(self, number: int) -> None:
        noise = random.Random(number)
        pause_s = _PIECE_BYTES * CLIENTS / (MB_PER_S * 1e6)
        while self._is_on():
            connection = self._connect()
            if connection is None:
                continue
            with contextlib.suppress(OSError), connection:
                while self._is_on():
                    connection.sendall(
                        noise.choice((b"[", b'{"a":', b"\n", b"\xff\x00"))[:1] * 1000
                    )
                    connection.sendall(noise.randbytes(_PIECE_BYTES - 1000))
                    self.done["noise_bytes"] += _PIECE_BYTES
                    time.sleep(pause_s)
            time.sleep(pause_s)


def _is_closed(connection: socket.socket) -> bool:
    try:
        closed = connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        closed = True
    if closed:
        connection.close()
    return closed


if __name__ == "__main__":
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    attack = Attack(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps(attack.run()))

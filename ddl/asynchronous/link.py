"""The driver's link to the server's actor: it starts it, calls it, and says when it is lost."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from ddl.asynchronous.job import SERVER, Job, process_environment
from ddl.asynchronous.server import Server, Whole

_SILENT_S = 120.0
_START_S = 600.0  # a busy machine may load TensorFlow for minutes
_NAME_FREE_S = 15.0


class ServerLost(Exception):
    """The server's process is gone, or does not answer."""


class Link:
    """One server after the other: each goes on from what the driver keeps."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._actor: Any = None
        self.place = ("", 0)  # host and process number

    def start(
        self, whole: Whole, checkpoint: str | None, meanwhile: Callable[[], object] | None = None
    ) -> None:
        """Start a server, and wait until it is ready.

        Args:
            whole: from where it goes on.
            checkpoint: file that this is from.
            meanwhile: called while the server loads TensorFlow.

        Raises:
            ValueError: the data that opens there is not the run's.
            ServerLost: it died.
        """
        import ray

        self.end()
        self._actor = self._created()
        self.place = self.call("where")
        try:
            ready = self._actor.begin.remote(self._job, whole, checkpoint)
            if meanwhile is not None:
                meanwhile()
            self._result(ready, _START_S)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, ValueError):
                raise error.cause from None
            raise

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the server, and return its result.

        Raises:
            ServerLost: the server is gone, or silent for two minutes.
        """
        if self._actor is None:
            raise ServerLost("it has not begun")
        return self._result(getattr(self._actor, method).remote(*arguments), _SILENT_S)

    def _result(self, reference: Any, timeout_s: float) -> Any:
        import ray

        try:
            return ray.get(reference, timeout=timeout_s)
        except (ray.exceptions.RayActorError, ray.exceptions.ObjectLostError) as error:
            raise ServerLost("it died") from error
        except ray.exceptions.GetTimeoutError as error:
            raise ServerLost(f"it did not answer for {timeout_s:g} s") from error

    def end(self) -> None:
        """End the server's process, if there is one."""
        import ray

        if self._actor is not None:
            with contextlib.suppress(ray.exceptions.RayError):
                ray.kill(self._actor)
        self._actor = None

    def _created(self) -> Any:
        """Return the actor. Its name is free a moment after the one before it has died."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = ray.get_runtime_context().get_node_id()
        kind = ray.remote(Server).options(
            name=SERVER,
            num_cpus=0,
            num_gpus=0,
            runtime_env={"env_vars": process_environment()},
            scheduling_strategy=NodeAffinitySchedulingStrategy(here, soft=False),
        )
        until = time.monotonic() + _NAME_FREE_S
        while True:
            try:
                return kind.remote()
            except ValueError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

"""Which attempt starts next on a machine. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence


@dataclass(frozen=True)
class Waiting:
    """An attempt in the queue: what it needs, and what it was given if it runs."""

    name: str
    priority: int = 0
    queued: float = 0.0
    gpus: int | None = None
    cores: int = 0
    memory_bytes: int = 0
    given: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, job: Mapping[str, Any], needs: Mapping[str, Any]) -> Waiting:
        """Return it from its files."""
        return cls(
            name,
            priority=int(job.get("priority") or 0),
            queued=float(job.get("queued") or 0),
            gpus=needs.get("gpus"),
            cores=int(needs.get("cores") or 0),
            memory_bytes=int(needs.get("memory_bytes") or 0),
            given=tuple(needs.get("gpus_given") or ()),
        )


@dataclass(frozen=True)
class Free:
    """What a machine has: slots, cores and GPUs in all, memory that is left."""

    slots: int
    cores: int
    memory_bytes: int
    gpus: tuple[str, ...] = ()


def next_start(
    waiting: Sequence[Waiting], running: Sequence[Waiting], has: Free
) -> tuple[str, tuple[str, ...], bool] | None:
    """Return the name of the attempt to start, its GPUs, and whether it may see only these; None if none can start.

    The highest priority comes first, then who has waited longest. An attempt that waits for GPUs keeps later ones from
    taking GPUs, but not from running without. What the machine can never give does not hold up the queue: such an
    attempt starts, and its own preflight refuses it.
    """
    if len(running) >= has.slots:
        return None
    left_gpus = [gpu for gpu in has.gpus if not any(gpu in other.given for other in running)]
    left_cores = has.cores - sum(other.cores for other in running)
    waits_for_gpus = False
    for one in sorted(waiting, key=lambda one: (-one.priority, one.queued, one.name)):
        wants = one.gpus or 0
        if wants > len(has.gpus):
            return one.name, (), False
        if wants > len(left_gpus) or (wants and waits_for_gpus):
            waits_for_gpus = True
            continue
        if running and (one.cores > left_cores or one.memory_bytes > has.memory_bytes):
            return None  # it is its turn: smaller ones would keep it waiting for ever
        return one.name, tuple(left_gpus[:wants]), one.gpus is not None
    return None

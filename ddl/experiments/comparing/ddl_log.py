"""What the log of one of ddl's own trainings says beyond its history: samples, steps, and the seconds of each epoch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LOG_NAME = "log.txt"
_LARGEST_BYTES = 64 << 20
_SAMPLES = re.compile(
    r"  INFO  ([0-9]+) training and [0-9]+ validation samples, .*, ([0-9]+) steps an epoch;"
)
_EPOCH = re.compile(r"  INFO  epoch ([0-9]+)/[0-9]+  .*  ([0-9.]+) s(?:  \(.* left\))?$")


@dataclass(frozen=True)
class DdlLog:
    """What was found, None and {} where nothing was.

    Attributes:
        samples: training samples of an epoch.
        steps: steps of an epoch.
        seconds: epoch -> seconds of its steps and validation, without the checkpoint after the epoch before.
    """

    samples: int | None = None
    steps: int | None = None
    seconds: Mapping[int, float] = field(default_factory=dict)


def read_ddl_log(run_dir: Path) -> DdlLog:
    """Return what the log of a run directory says; the last start wins."""
    path = run_dir / LOG_NAME
    samples = steps = None
    seconds: dict[int, float] = {}
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            return DdlLog()
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return DdlLog()
    for line in lines:
        if found := _EPOCH.search(line):
            seconds[int(found[1])] = float(found[2])
        elif found := _SAMPLES.search(line):
            samples, steps = int(found[1]), int(found[2])
    return DdlLog(samples, steps, seconds)

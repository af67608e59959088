"""What can be asked of each subcommand whose samples are made in memory, and the ways that it compares."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ddl.benchmark.comparison import Comparison
from ddl.benchmark.request import Request
from ddl.benchmark.runner import Setup
from ddl.ranges import Range, check_ranges
from ddl.training.step_time import profiled_steps

_AS_THEY_COME = {
    "HOROVOD_IDLE_TIME": "0",
    "OMPI_MCA_mpi_yield_when_idle": "0",
    "HOROVOD_CYCLE_TIME": "1",
}
"""How MPI and Horovod wait unless `ddl.distributed.init` tells them otherwise."""


@dataclass(frozen=True, kw_only=True)
class ScalingRequest(Request):
    """Measurement.

    Attributes:
        kind: "weak": every rank has the same number of samples; "strong": all ranks share one rank's.
    """

    ranks: int = 2
    kind: str = "weak"

    def comparison(self) -> Comparison:
        """Return one rank, and each number of ranks up to `ranks` by doubling, and `ranks`."""
        counts = [1]
        while counts[-1] * 2 < self.ranks:
            counts.append(counts[-1] * 2)
        setups = {}
        for count in dict.fromkeys([*counts, self.ranks]):
            shared = 1 if self.kind == "strong" else count
            samples = self.epoch_steps * self.per_rank_batch_size * shared
            setups[f"{count} rank" + "s" * (count > 1)] = self.setup(count, samples=samples)
        return Comparison(f"{self.kind} scaling", setups)


@dataclass(frozen=True, kw_only=True)
class LimitRequest(Request):
    """Measurement."""

    epochs: int = 4
    ranks: int = 2

    def __post_init__(self) -> None:
        """Refuse epochs without a step between two others' ends."""
        super().__post_init__()
        check_ranges({"epoch_steps": self.epoch_steps}, {"epoch_steps": Range(3)}, "a limit")

    def comparison(self) -> Comparison:
        """Return one rank, and several that never talk, if each step took as long as the slowest rank's."""
        trial = self.trial(1, way="apart")
        setups = {
            "1 rank": Setup(trial, 1, self.threads),
            f"{self.ranks} ranks apart": Setup(trial, self.ranks, self.threads),
        }
        return Comparison("limit", setups, "met_samples_per_s")


@dataclass(frozen=True, kw_only=True)
class LoopRequest(Request):
    """Measurement."""

    def comparison(self) -> Comparison:
        """Return a bare `fit` on NumPy arrays, our loop on the same, and its steps without a loop, on one rank."""
        setups = {
            "model.fit": self.setup(1, way="fit"),
            "our loop": self.setup(1),
            "steps alone": self.setup(1, way="alone"),
        }
        return Comparison("loop", setups)


@dataclass(frozen=True, kw_only=True)
class StallRequest(Request):
    """Measurement."""

    def comparison(self) -> Comparison:
        """Return the longest wait after an epoch's last step: on arrays without and with us, and on our batches."""
        setups = {
            "fit on arrays": self.setup(1, way="fit", validates=False),
            "with our optimizer": self.setup(1, way="script", validates=False),
            "fit on ddl.data.pipeline": self.setup(1, way="pipeline"),
        }
        return Comparison("after the last step of an epoch", setups, "longest_end_s", "s")


@dataclass(frozen=True, kw_only=True)
class SpinRequest(Request):
    """Measurement."""

    ranks: int = 2

    def comparison(self) -> Comparison:
        """Return MPI and Horovod as they come, MPI that yields, and what `ddl.distributed.init` sets."""
        setups = {
            "as they come": replace(self.setup(), env=_AS_THEY_COME),
            "yielding": replace(self.setup(), env={"HOROVOD_IDLE_TIME": "0"}),
            "yielding and sleeping": self.setup(),
        }
        return Comparison("MPI's waiting", setups)


@dataclass(frozen=True, kw_only=True)
class PeersRequest(Request):
    """Measurement."""

    ranks: int = 2

    def comparison(self) -> Comparison:
        """Return Horovod as people use it, and our loop, on as many ranks."""
        peer = Setup(self.trial(self.ranks, way="peer"), self.ranks, threads=0, flags=())
        return Comparison("peers", {"Horovod by hand": peer, "ours": self.setup()})


@dataclass(frozen=True, kw_only=True)
class PrecisionRequest(Request):
    """Measurement."""

    mixed_precision: str = "bfloat16"

    def comparison(self) -> Comparison:
        """Return float32, and the precision that is asked for."""
        setups = {"float32": self.setup(mixed_precision="none"), self.mixed_precision: self.setup()}
        return Comparison("precision", setups, beside="score")


@dataclass(frozen=True, kw_only=True)
class CheckpointRequest(Request):
    """Measurement."""

    def comparison(self) -> Comparison:
        """Return a training without checkpoints, and one that takes one an epoch."""
        setups = {"without": self.setup(), "an epoch each": self.setup(checkpoints=True)}
        return Comparison("checkpoint", setups)


@dataclass(frozen=True, kw_only=True)
class StepsRequest(Request):
    """Measurement.

    Attributes:
        profile: steps that are measured part by part, and as many that are traced.
        spinning: also ranks whose MPI and Horovod wait as they come.
    """

    epoch_steps: int = 40
    epochs: int = 2
    ranks: int = 2
    profile: int = 20
    spinning: bool = False

    def __post_init__(self) -> None:
        """Refuse a training that is over before its profile."""
        super().__post_init__()
        needed, steps = profiled_steps(self.profile), self.epochs * self.epoch_steps
        if steps < needed:
            raise ValueError(
                f"Received: {self.epochs} epochs of {self.epoch_steps} steps. Expected: {needed} steps at least for "
                f"profile={self.profile}."
            )
        if self.spinning and self.ranks == 1:
            raise ValueError("Received: spinning=true with ranks=1. Expected: 2 ranks or more.")

    def comparison(self) -> Comparison:
        """Return one rank and several, the milliseconds of their steps."""
        setups = {"1 rank": self.setup(1)}
        if self.ranks > 1:
            name = f"{self.ranks} ranks"
            if self.spinning:
                setups[f"{name}, as they come"] = replace(self.setup(), env=_AS_THEY_COME)
            setups[name] = self.setup()
        return Comparison("steps", setups, "step_ms", "ms")


@dataclass(frozen=True, kw_only=True)
class StartupRequest(Request):
    """Measurement."""

    epoch_steps: int = 1
    epochs: int = 2

    def comparison(self) -> Comparison:
        """Return the seconds from the command to the end of the first epoch, of one step."""
        return Comparison("startup", {"first step": self.setup()}, "started_s", "s")

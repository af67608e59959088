"""What can be asked of each measuring subcommand, and the ways that it compares."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ddl.benchmark.comparison import Comparison
from ddl.benchmark.runner import Setup
from ddl.benchmark.trial import Trial
from ddl.models.zoo import check_model
from ddl.options import convert_fields
from ddl.ranges import Range, check_ranges
from ddl.training.step_time import profiled_steps

_LEAST_ONE = (
    *("image_size", "channels", "classes", "per_rank_batch_size", "ranks", "threads", "rounds"),
    *("epoch_steps",),
)
_RANGES = {
    **dict.fromkeys(_LEAST_ONE, Range(1, 10**7)),
    "epochs": Range(2, 10**6),
    "profile": Range(1, 10**4),
}
_AS_THEY_COME = {
    "HOROVOD_IDLE_TIME": "0",
    "OMPI_MCA_mpi_yield_when_idle": "0",
    "HOROVOD_CYCLE_TIME": "1",
}
"""How MPI and Horovod wait unless `ddl.distributed.init` tells them otherwise."""
_STORAGES = ("memory", "hdf5", "png")
_CHOICES = {
    "mixed_precision": ("none", "bfloat16", "float16"),
    "compression": ("none", "bf16", "fp16"),
    "storage": _STORAGES,
    "kind": ("weak", "strong"),
}


@dataclass(frozen=True, kw_only=True)
class Request:
    """Measurement.

    Attributes:
        model: of the zoo.
        model_option: of that model, such as width=8.
        image_size: height and width of the pictures.
        channels: of the pictures.
        classes: kinds of pictures; masks have foreground or not.
        per_rank_batch_size: samples a rank and step.
        epoch_steps: steps an epoch.
        epochs: of a run; the first one is the warm-up and does not count.
        ranks: of the job.
        threads: of each rank.
        mixed_precision: "none", "bfloat16" or "float16".
        compression: of gradients between ranks: "none", "bf16" or "fp16".
        rounds: in each of which everything that is compared runs once, in turn.
        output: name of the results, to which .json, .md and .png are added; nothing is written without.
    """

    model: str = "unet"
    model_option: Mapping[str, Any] = field(default_factory=dict)
    image_size: int = 128
    channels: int = 3
    classes: int = 10
    per_rank_batch_size: int = 8
    epoch_steps: int = 16
    epochs: int = 3
    ranks: int = 1
    threads: int = 1
    mixed_precision: str = "none"
    compression: str = "none"
    rounds: int = 3
    output: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be measured."""
        convert_fields(self)
        check_ranges(vars(self), _RANGES, "a benchmark")
        check_model(self.model, **self.model_option)
        for name, known in _CHOICES.items():
            value = getattr(self, name, known[0])
            if value not in known:
                raise ValueError(
                    f"Received: {name}={value!r}. Expected one of: {', '.join(known)}."
                )

    def trial(self, ranks: int, **changes: Any) -> Trial:
        """Return what each of so many ranks does."""
        names = {one.name for one in dataclasses.fields(Trial)} & set(vars(self))
        known = {name: getattr(self, name) for name in names}
        known["samples"] = self.epoch_steps * self.per_rank_batch_size * ranks
        return Trial(**known | changes)

    def setup(self, ranks: int | None = None, **changes: Any) -> Setup:
        """Return how our loop is started on so many ranks."""
        ranks = ranks or self.ranks
        return Setup(self.trial(ranks, **changes), ranks, self.threads)


@dataclass(frozen=True, kw_only=True)
class DataRequest(Request):
    """Measurement.

    Attributes:
        data: your own, as --data of a training script: as many samples as the epochs have, some twice if need be.
            Picture files are brought to image_size, others keep theirs. Without, samples are made.
        data_option: of your data's format, such as channels=grey of picture files.
        augment: what may happen to a sample, such as flip=true.
    """

    data: str | None = None
    data_option: Mapping[str, Any] = field(default_factory=dict)
    augment: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse data that cannot be trained on, and what is said of them and of samples that are made."""
        super().__post_init__()
        if self.data is None:
            if self.data_option:
                raise ValueError("Received: data_option without data. Expected: both, or neither.")
            return
        from ddl.benchmark.plans import is_sized

        made = {"channels", "classes", "storage"}
        if not is_sized(self.data):
            made.add("image_size")
        for one in dataclasses.fields(self):
            value = getattr(self, one.name)
            if one.name in made and value != one.default:
                raise ValueError(
                    f"Received: {one.name}={value} with data={self.data}. Expected: no {one.name}, which is of "
                    "samples that are made; your own have theirs."
                )
        self._fits_memory()

    def with_storages(self, storages: Iterable[str], **changes: Any) -> dict[str, Setup]:
        """Return how each of these storages is measured; your own data as stored and, if they fit, in memory."""
        if self.data is None:
            kinds = {kind: kind for kind in storages}
        else:
            kinds = {"in memory": "memory"} if self._fits_memory() else {}
            kinds |= {"as stored": "files"}
        return {name: self.setup(storage=kind, **changes) for name, kind in kinds.items()}

    def _fits_memory(self) -> bool:
        from ddl.benchmark.plans import check_data

        return check_data(self.trial(self.ranks, storage="files"), self.ranks)


@dataclass(frozen=True, kw_only=True)
class TrainRequest(DataRequest):
    """Measurement.

    Attributes:
        storage: where made samples come from: "memory", "hdf5" or "png"; memory is measured beside the others.
    """

    storage: str = "memory"

    def comparison(self) -> Comparison:
        """Return our loop on samples in memory, and on those in files."""
        return Comparison("train", self.with_storages(dict.fromkeys(("memory", self.storage))))


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
        """Return the longest wait after the last step of an epoch, with Keras's dataset and with ours."""
        setups = {
            "fit on arrays": self.setup(1, way="fit", validates=False),
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
class InputRequest(DataRequest):
    """Measurement."""

    def comparison(self) -> Comparison:
        """Return the pipeline alone, for each storage that these samples may have."""
        return Comparison("input", self.with_storages(_STORAGES, way="input"))


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


@dataclass(frozen=True, kw_only=True)
class MemoryRequest(DataRequest):
    """Measurement.

    Attributes:
        storage: where made samples come from: "memory", "hdf5" or "png".
    """

    epochs: int = 2
    storage: str = "memory"

    def comparison(self) -> Comparison:
        """Return the most memory of a run, and of one with five times as many epochs."""
        storage = self.storage if self.data is None else "files"
        counts = self.epochs, 5 * self.epochs
        setups = {f"{n} epochs": self.setup(epochs=n, storage=storage) for n in counts}
        return Comparison("memory", setups, "peak_mb", "MB")

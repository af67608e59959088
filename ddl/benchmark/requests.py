"""Settings of the comparing subcommands, and the setups that each of them compares. Imports no TensorFlow."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddl.benchmark.comparison import Comparison, draw_comparison, measure, table_of
from ddl.benchmark.reports import report
from ddl.benchmark.runner import Setup
from ddl.benchmark.trial import Trial, Workload
from ddl.models.from_file import check_input_shape
from ddl.models.zoo import target_of
from ddl.options import convert_fields
from ddl.ranges import Range, check_choices, check_ranges

_COUNT = Range(1, 10**7)
_RANGES = {
    **dict.fromkeys(("image_size", "channels", "classes", "per_rank_batch_size"), _COUNT),
    **dict.fromkeys(("epoch_steps", "ranks", "threads", "rounds"), _COUNT),
    "epochs": Range(2, 10**6),
    "profile": Range(1),
}
STORAGES = ("memory", "hdf5", "png")
_CHOICES = {
    "storage": STORAGES,
    "kind": ("weak", "strong"),
    "jit": ("auto", "true", "false"),
    # A figure belongs to a precision, so "auto" is none of them.
    "mixed_precision": ("none", "bfloat16", "float16"),
}


@dataclass(frozen=True, kw_only=True)
class Request(Workload):
    """Measurement.

    Attributes:
        epoch_steps: steps per epoch.
        ranks: number of ranks.
        threads: threads per rank.
        rounds: number of rounds; each runs every setup once, in turn.
        output: path of the results without an ending; writes .json, .md and .png.
    """

    epoch_steps: int = 16
    ranks: int = 1
    threads: int = 1
    rounds: int = 3
    output: Path | None = None

    def __post_init__(self) -> None:
        """Refuse settings that cannot be measured, and those that a plan refuses."""
        from ddl.benchmark.plans import plan_of  # loads data formats, which --help does not need

        convert_fields(self)
        check_ranges(vars(self), _RANGES, "a benchmark")
        check_choices(vars(self), _CHOICES)
        plan_of(self.trial(1, data=None), Path(), "synthetic")
        if getattr(self, "data", None) is None:
            shape = (self.image_size, self.image_size, self.channels)
            check_input_shape(self.model, self.model_option, shape)

    def comparison(self) -> Comparison:
        """Return the setups to compare."""
        raise NotImplementedError

    def run(self) -> None:
        """Measure the setups in turn, and report the comparison."""
        report(self.output, measure(self.comparison(), self.rounds), table_of, draw_comparison)

    def trial(self, ranks: int, **changes: Any) -> Trial:
        """Return what each of `ranks` ranks runs."""
        fields = {field.name for field in dataclasses.fields(Trial)}
        known = {name: value for name, value in vars(self).items() if name in fields}
        known["samples"] = self.epoch_steps * self.per_rank_batch_size * ranks
        return Trial(**known | changes)

    def setup(self, ranks: int | None = None, **changes: Any) -> Setup:
        """Return how to start a trial on `ranks` ranks (default: `self.ranks`)."""
        ranks = ranks or self.ranks
        return Setup(self.trial(ranks, **changes), ranks, self.threads)


@dataclass(frozen=True, kw_only=True)
class DataRequest(Request):
    """Measurement.

    Attributes:
        data: your own data, as --data of a training script; samples repeat where an epoch has more. Picture files are
            resized to image_size, other formats keep their size. Without it, samples are synthetic.
        data_option: option of your data's format, such as channels=grey for picture files.
        augment: random augmentation of each sample, such as flip=true.
    """

    data: str | None = None
    data_option: Mapping[str, Any] = field(default_factory=dict)
    augment: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse data that cannot be trained on, and settings of synthetic samples beside own data."""
        super().__post_init__()
        if self.data is None:
            if self.data_option:
                raise ValueError("Received: data_option without data. Expected: both, or neither.")
            return
        from ddl.benchmark.plans import is_sized

        synthetic = {"channels", "classes", "storage"}
        if not is_sized(self.data):
            synthetic.add("image_size")
        for entry in dataclasses.fields(self):
            value = getattr(self, entry.name)
            if entry.name in synthetic and value != entry.default:
                raise ValueError(
                    f"Received: {entry.name}={value} with data={self.data}. Expected: no {entry.name}, which sets up "
                    "synthetic samples; your own data bring theirs."
                )
        _ = self.fits_memory  # refuses data that cannot be trained on

    def with_storages(self, storages: Iterable[str], **changes: Any) -> dict[str, Setup]:
        """Return a setup for each storage; own data as stored and, if they fit, in memory."""
        storages = tuple(storages)
        in_files = next((kind for kind in storages if kind != "memory"), None)
        if in_files and self.data is None and target_of(self.model, self.model_option) == "boxes":
            raise ValueError(
                f"Received: storage={in_files} for model {self.model}, which finds boxes. Expected: storage=memory, or "
                "data of your own."
            )
        if self.data is None:
            kinds = {kind: kind for kind in storages}
        else:
            kinds = {"in memory": "memory"} if self.fits_memory else {}
            kinds |= {"as stored": "files"}
        return {name: self.setup(storage=kind, **changes) for name, kind in kinds.items()}

    @functools.cached_property
    def fits_memory(self) -> bool:
        """Whether the machine's memory holds your data for all ranks."""
        from ddl.benchmark.plans import check_data

        return check_data(self.trial(self.ranks, storage="files"), self.ranks)


@dataclass(frozen=True, kw_only=True)
class TrainRequest(DataRequest):
    """Measurement.

    Attributes:
        storage: storage of synthetic samples: "memory", "hdf5" or "png"; memory is always measured as well.
    """

    storage: str = "memory"

    def comparison(self) -> Comparison:
        """Compare training on samples in memory and in files."""
        return Comparison("train", self.with_storages(dict.fromkeys(("memory", self.storage))))


@dataclass(frozen=True, kw_only=True)
class InputRequest(DataRequest):
    """Measurement."""

    def comparison(self) -> Comparison:
        """Compare the input pipeline alone for each storage of the samples."""
        way = "ddl.benchmark.trials:read_input"
        return Comparison("input", self.with_storages(STORAGES, way=way))


@dataclass(frozen=True, kw_only=True)
class MemoryRequest(DataRequest):
    """Measurement.

    Attributes:
        storage: storage of synthetic samples: "memory", "hdf5" or "png".
    """

    epochs: int = 4
    storage: str = "memory"

    def comparison(self) -> Comparison:
        """Compare the memory at the end of a run and of one with five times as many epochs.

        Both draw after every epoch, which training does once a minute: so short runs show what long ones need. The
        first four drawings each leave some more memory.
        """
        storage = self.storage if self.data is None else "files"
        counts = self.epochs, 5 * self.epochs
        setups = {f"{n} epochs": self.setup(epochs=n, storage=storage, draws=True) for n in counts}
        return Comparison("memory", setups, "last_resident_mb", "MB", beside="peak_mb")


@dataclass(frozen=True, kw_only=True)
class ScalingRequest(Request):
    """Measurement.

    Attributes:
        kind: "weak": each rank has as many samples as one rank alone; "strong": all ranks share that number.
    """

    ranks: int = 2
    kind: str = "weak"

    def comparison(self) -> Comparison:
        """Compare one rank with 2, 4, 8, ... and `ranks` ranks."""
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
class CheckpointRequest(Request):
    """Measurement."""

    def comparison(self) -> Comparison:
        """Compare training without checkpoints and with one per epoch."""
        setups = {"without": self.setup(), "an epoch each": self.setup(checkpoints=True)}
        return Comparison("checkpoint", setups)


@dataclass(frozen=True, kw_only=True)
class StartupRequest(Request):
    """Measurement."""

    epoch_steps: int = 1
    epochs: int = 2

    def comparison(self) -> Comparison:
        """Measure the seconds from the command to the end of the first epoch, of one step."""
        return Comparison("startup", {"first step": self.setup()}, "started_s", "s")

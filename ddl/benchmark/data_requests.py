"""What can be asked of `train`, `input` and `memory`: samples may be in memory or in files, or a user's own."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ddl.benchmark.comparison import Comparison
from ddl.benchmark.request import STORAGES, Request
from ddl.benchmark.runner import Setup


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
        _ = self.fits_memory  # refuses what cannot be trained on

    def with_storages(self, storages: Iterable[str], **changes: Any) -> dict[str, Setup]:
        """Return how each of these storages is measured; your own data as stored and, if they fit, in memory."""
        if self.data is None:
            kinds = {kind: kind for kind in storages}
        else:
            kinds = {"in memory": "memory"} if self.fits_memory else {}
            kinds |= {"as stored": "files"}
        return {name: self.setup(storage=kind, **changes) for name, kind in kinds.items()}

    @functools.cached_property
    def fits_memory(self) -> bool:
        """Whether all ranks can keep your own samples in memory."""
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
class InputRequest(DataRequest):
    """Measurement."""

    def comparison(self) -> Comparison:
        """Return the pipeline alone, for each storage that these samples may have."""
        return Comparison("input", self.with_storages(STORAGES, way="input"))


@dataclass(frozen=True, kw_only=True)
class MemoryRequest(DataRequest):
    """Measurement.

    Attributes:
        storage: where made samples come from: "memory", "hdf5" or "png".
    """

    epochs: int = 4
    storage: str = "memory"

    def comparison(self) -> Comparison:
        """Return the memory at the end of a run, and of one with five times as many epochs; beside it the most.

        Each epoch ends with what a training does once a minute, so that short runs know what long ones need. The first
        four drawings leave some more memory each.
        """
        storage = self.storage if self.data is None else "files"
        counts = self.epochs, 5 * self.epochs
        setups = {f"{n} epochs": self.setup(epochs=n, storage=storage, draws=True) for n in counts}
        return Comparison("memory", setups, "last_resident_mb", "MB", beside="peak_mb")

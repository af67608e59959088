"""How MPI and Horovod wait: their defaults, MPI that yields the core, and the settings of `ddl.distributed.init`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ddl.benchmark.comparison import Comparison
from ddl.benchmark.requests import Request
from ddl.benchmark.steps import DEFAULT_WAITING


@dataclass(frozen=True, kw_only=True)
class SpinRequest(Request):
    """Measurement."""

    ranks: int = 2

    def comparison(self) -> Comparison:
        """Compare the defaults of MPI and Horovod, MPI that yields, and what `ddl.distributed.init` sets."""
        setups = {
            "as they come": replace(self.setup(), env=DEFAULT_WAITING),
            "yielding": replace(self.setup(), env={"HOROVOD_IDLE_TIME": "0"}),
            "yielding and sleeping": self.setup(),
        }
        return Comparison("MPI's waiting", setups)

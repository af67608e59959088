"""Mixed precision against float32: speed, and what is learned."""

from __future__ import annotations

from dataclasses import dataclass

from ddl.benchmark.comparison import Comparison
from ddl.benchmark.requests import Request


@dataclass(frozen=True, kw_only=True)
class PrecisionRequest(Request):
    """Measurement."""

    mixed_precision: str = "bfloat16"

    def comparison(self) -> Comparison:
        """Compare float32 with the requested precision."""
        setups = {"float32": self.setup(mixed_precision="none"), self.mixed_precision: self.setup()}
        return Comparison("precision", setups, beside="score")

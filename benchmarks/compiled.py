"""Steps that XLA compiles against steps as they are: speed, and what is learned."""

from __future__ import annotations

from dataclasses import dataclass

from ddl.benchmark.comparison import Comparison
from ddl.benchmark.requests import Request


@dataclass(frozen=True, kw_only=True)
class CompiledRequest(Request):
    """Measurement."""

    def comparison(self) -> Comparison:
        """Compare steps as they are, compiled ones, and the run's own choice."""
        ways = {"as they are": "false", "compiled": "true", "auto": "auto"}
        setups = {name: self.setup(jit=jit) for name, jit in ways.items()}
        return Comparison("compiled", setups, beside="score")

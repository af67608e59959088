"""One thing that a plan must not say: whether it does, what was received, and what is expected in its place."""

from __future__ import annotations

from typing import Any

Rule = tuple[Any, str, str]

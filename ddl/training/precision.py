"""Settles the precision of a run: what "auto" becomes, and a warning where 16 bits are slower than 32."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ddl.distributed as dist
from ddl import machine
from ddl.training.plan.field_limits import AUTO_PRECISION
from ddl.training.plan.plan import Plan

logger = logging.getLogger("ddl")

# As /proc/cpuinfo names them; the second part is for messages.
_INSTRUCTIONS = {
    "bfloat16": (("avx512_bf16", "amx_bf16", "bf16"), "AVX512-BF16 or AMX"),
    "float16": (("avx512_fp16", "amx_fp16", "asimdhp"), "AVX512-FP16 or AMX-FP16"),
}
_LEAST_CAPABILITY = {"bfloat16": (8, 0), "float16": (5, 3)}  # of NVIDIA's GPUs


def settle_precision(plan: Plan, stored: str | None) -> Plan:
    """Return the plan with "auto" replaced, and warn on rank 0 if a rank's hardware lacks the precision.

    All ranks must call it. "auto" keeps the precision that a checkpoint was trained in, because another one would
    change what is learned. A new run takes bfloat16 if the hardware of all ranks has it.

    Args:
        plan: the same on all ranks.
        stored: the precision of the checkpoint that the run resumes from; None for a new run.
    """
    is_auto = plan.mixed_precision == AUTO_PRECISION
    precision = (stored or "bfloat16") if is_auto else plan.mixed_precision
    slow = _without(precision) if precision != "none" else ""
    if is_auto and stored is None and slow:
        precision = "none"
    if dist.is_root():
        _report(precision, slow, stored, is_auto=is_auto)
    return dataclasses.replace(plan, mixed_precision=precision)


def _report(precision: str, slow: str, stored: str | None, *, is_auto: bool) -> None:
    """Log what "auto" became, and warn of a precision that is slow here."""
    if is_auto and stored is not None:
        logger.info("Mixed precision: auto keeps %s, which the checkpoint was trained in.", stored)
    elif is_auto:
        why = slow or "the hardware of all ranks has it"
        logger.info("Mixed precision: auto takes %s: %s.", precision, why)
    if slow and precision != "none":
        logger.warning(
            "Mixed precision %s is slow here, on CPUs often ten times slower than float32: %s. Expected: such "
            "hardware%s.",
            precision,
            slow,
            "" if stored is not None else ", or --mixed-precision auto or none",
        )


def _without(precision: str) -> str:
    """Return which devices of which ranks lack a precision, "" if all have it. All ranks must call it."""
    return describe_lack(precision, dist.allgather(find_lack(precision)))


def describe_lack(precision: str, devices: Sequence[str]) -> str:
    """Return a text on the devices that lack a precision, given each rank's; "" stands for a rank that has it."""
    lacking = [device for device in devices if device]
    if not lacking:
        return ""
    names = ", ".join(dict.fromkeys(lacking))
    return (
        f"{names} ({len(lacking)} of {len(devices)} ranks) has no {precision} instructions "
        f"({_INSTRUCTIONS[precision][1]})"
    )


def find_lack(precision: str, cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the name of the device that this rank computes on, or "" if it has instructions for this precision."""
    import tensorflow as tf

    gpus = tf.config.get_visible_devices("GPU")
    if gpus:
        return lack_of_gpu(precision, tf.config.experimental.get_device_details(gpus[0]))
    if set(_INSTRUCTIONS[precision][0]) & set(machine.instruction_sets(cpuinfo)):
        return ""
    return machine.processor(cpuinfo) or "this processor"


def lack_of_gpu(precision: str, details: Mapping[str, Any]) -> str:
    """Return a GPU's name, or "" if it has the precision, given the details that TensorFlow reports."""
    capability = details.get("compute_capability", (99, 0))  # GPUs of other makers tell none
    if capability >= _LEAST_CAPABILITY[precision]:
        return ""
    return str(details.get("device_name", "this GPU"))

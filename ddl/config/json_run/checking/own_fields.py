"""The section `ddl`: fields of a plan under their own names, such as seed, where no other key says them."""

from __future__ import annotations

import dataclasses
import difflib
from typing import Any

from ddl.config.json_run.keys.gan import GAN_FIELDS, PARTS
from ddl.config.json_run.keys.parallel import PARALLEL, field_of
from ddl.config.json_run.place import UNREAD, Node, Problem
from ddl.options import Option, convert_value
from ddl.plain_text import escaped
from ddl.training.plan.fields import PlanFields

SAID_ELSEWHERE = {
    "data": "data.input_path",
    "target_data": "data.target_path",
    "validation_data": "data.test_input_path",
    "validation_target_data": "data.test_target_path",
    "global_batch_size": "data.batch_size",
    "per_rank_batch_size": "data.batch_size",
    "cache": "data.preload",
    "transform": "data.transforms",
    "input_transform": "data.input_transforms",
    "target_transform": "data.target_transforms",
    "slicer": "data.slicers",
    "assembled_output": "data.hdf5_outfile",
    "assembled_precision": "data.hdf5_precision",
    "prediction_output": "data.test_output_path",
    "epochs": "num_epochs",
    "epoch_log": "outfile",
    "graph": "debug",
    "model": "layers",
    "init_weights": "checkpoints.load",
    "checkpoint_copies": "checkpoints.save",
    "copy_every_epochs": "checkpoints.interval",
    "loss": "loss.function",
    "optimizer": "optimizer.type",
    "learning_rate": "optimizer.learning_rate",
    "schedule": "optimizer.lr_scheduler",
    "warmup_epochs": "optimizer.lr_scheduler",
    "warmup_from": "optimizer.lr_scheduler",
    "warmup_shape": "optimizer.lr_scheduler",
    "resume": "--resume",
    "gan_loss": "loss.function",
    "clip": "loss.clip",
    "gradient_penalty": "loss.gradient_penalty",
    **{name: f"{name}.network" for name in PARTS},
    **{f"{name}_option": f"{name}.options" for name in PARTS},
    **{field: f"gan.{key}" for key, field in GAN_FIELDS.items()},
    **{field_of(key.name): f"parallel.{key.name}" for key in PARALLEL.keys},
}
"""Field of a plan -> the key that says it."""

_CONVERTED_BY_PLAN = ("jit", "class_weight")
"""Fields that a plan takes in several forms: true or "true"; an object or a text."""


def own_fields() -> dict[str, dataclasses.Field[Any]]:
    """Return the fields of a plan that the section `ddl` may have, by name."""
    fields = {field.name: field for field in dataclasses.fields(PlanFields)}
    return {name: field for name, field in fields.items() if name not in SAID_ELSEWHERE}


def check_own(node: Node, problems: list[Problem]) -> dict[str, Any]:
    """Return the fields in the section `ddl`, converted to their types; report what is wrong with them."""
    values: dict[str, Any] = {}
    known = own_fields()
    for name, member in node.value.items():
        try:
            values[name] = _converted(name, member, known)
        except ValueError as error:
            problems.append(Problem(member.place, f"ddl.{escaped(name)}", str(error)))
    return values


def _converted(name: str, member: Node, known: dict[str, dataclasses.Field[Any]]) -> Any:
    if name in SAID_ELSEWHERE:
        raise ValueError(f"no key of this section. Expected: {SAID_ELSEWHERE[name]}.")
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        meant = (
            f"Did you mean {near[0]}?" if near else "Expected: a field that docs/training.md lists."
        )
        raise ValueError(f"no such key. {meant}")
    if name in _CONVERTED_BY_PLAN:
        return plain(member)
    return convert_value(plain(member), Option(name, str(known[name].type), None, ""))


def plain(node: Node) -> Any:
    """Return a value without places."""
    if isinstance(node.value, dict):
        return {name: plain(value) for name, value in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return None if node.value is UNREAD else node.value

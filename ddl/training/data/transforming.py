"""Puts the transforms of a plan onto its samples. No TensorFlow here."""

from __future__ import annotations

from ddl.data.source import Source
from ddl.training.plan.plan import Plan
from ddl.training.plan.transforms import mask_numbers, plan_chain


def transformed(samples: Source, plan: Plan) -> Source:
    """Return samples with inputs and targets of the plan's model after the plan's transforms."""
    if not (plan.transform or plan.input_transform or plan.target_transform):
        return samples
    from ddl.data.transforms.transformed import Transformed

    return Transformed(samples, plan_chain(plan), plan.seed)


def with_mask_numbers(source: Source, plan: Plan, classes: int) -> Source:
    """Return a source whose masks are normalized as the plan says, if it does.

    Class numbers in floats, as files of targets alone often have them, are rounded.
    """
    pairs = mask_numbers(plan)
    if "mask" not in source.fields:
        return source
    is_alone = classes > 1 and plan.target_data is not None
    has_floats = is_alone and source.fields["mask"].dtype.kind == "f"
    if not (pairs or has_floats):
        return source
    from ddl.data.transforms.transformed import MaskNumbers

    return MaskNumbers(source, pairs)

"""The transforms of a plan as one object: those of inputs and targets together, then those of each alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ddl.data.batches.augmentation import Augmentation
from ddl.data.source import Field
from ddl.data.transforms import fixed, random
from ddl.data.transforms.parts import Drawn, Parts
from ddl.data.transforms.table import Stated, parse_transforms
from ddl.data.transforms.transform import Transform

BOTH, INPUTS, TARGETS = "transform", "input_transform", "target_transform"
_MAKERS: dict[str, Callable[[Any], Transform]] = {
    "resize": fixed.Resize,
    "center_crop": fixed.CenterCrop,
    "rotate": fixed.Rotate,
    "convert_color": fixed.ConvertColor,
    "normalize": lambda pair: fixed.Normalize(*pair),
    "jitter_crop": random.JitterCrop,
    "random_zoom": random.RandomZoom,
    "random_patches": lambda pair: random.RandomPatches(*pair),
}
_FLIPS = ("flip", "flip_axes", "flip_horizontal", "flip_vertical")


def make_transform(stated: Stated) -> Transform:
    """Return the transform that is stated; the options of the augmentation refuse values out of range."""
    if stated.name in _MAKERS:
        return _MAKERS[stated.name](stated.value)
    options: dict[str, Any] = {stated.name: stated.value}
    return random.Augmented(Augmentation(**options), stated.name in _FLIPS)


@dataclass(frozen=True)
class Step:
    """A transform, which parts it is for, and its place among those that draw."""

    transform: Transform
    parts: str
    place: int = 0


class Chain:
    """Transforms in the order in which they are applied."""

    def __init__(
        self,
        both: Iterable[str] = (),
        inputs: Iterable[str] = (),
        targets: Iterable[str] = (),
    ) -> None:
        """Use the transforms in texts such as "resize=128x128".

        Args:
            both: of inputs and of targets that have the inputs' sides, drawn alike.
            inputs: of inputs alone, after those.
            targets: of targets alone, after those.
        """
        self.steps: list[Step] = []
        place = 0
        for parts, texts in ((BOTH, both), (INPUTS, inputs), (TARGETS, targets)):
            for stated in parse_transforms(texts):
                transform = make_transform(stated)
                self.steps.append(Step(transform, parts, place if transform.draws else 0))
                place += transform.draws

    def __bool__(self) -> bool:
        return bool(self.steps)

    def check(self, target: str) -> None:
        """Refuse transforms that do not fit targets of this name: "mask", "label" or "values"."""
        for step in self.steps:
            name = _name(step.transform)
            if step.transform.needs_values and (target != "values" or step.parts != BOTH):
                raise ValueError(
                    f"Received: {name} in {step.parts} for targets={target}. Expected: in transform, with "
                    "targets=values."
                )
            if step.parts != TARGETS:
                continue
            if target == "label" or (target == "mask" and step.transform.draws):
                raise ValueError(
                    f"Received: {name} in {TARGETS} for targets={target}. Expected: in transform or input_transform."
                )
        if target != "label":
            for step in self.steps:
                if isinstance(step.transform, random.Augmented):
                    step.transform.augmentation.check_masks()

    def fields(self, image: Field, target: Field, name: str) -> tuple[Field, Field]:
        """Return the fields of samples after the transforms; refuse samples that they do not fit.

        Args:
            image: the input.
            target: the target.
            name: "mask", "label" or "values".
        """
        moves = self.moves_target(image, target)
        shapes = {INPUTS: image.shape, TARGETS: target.shape}
        for step in self.steps:
            parts = self._parts(step, name, moves)
            if step.parts == TARGETS and not parts and name == "values":
                raise ValueError(
                    f"Received: {_name(step.transform)} of targets of shape {target.shape}. Expected: targets with the "
                    "axes of the inputs; or normalize, which takes any."
                )
            for part in parts:
                if part == INPUTS or moves:
                    shapes[part] = _changed(step.transform, shapes[part])
        if moves and any(step.transform.draws for step in self.steps if step.parts == BOTH):
            _check_alike(image.shape, target.shape)
        return Field(shapes[INPUTS], image.dtype), Field(shapes[TARGETS], target.dtype)

    @staticmethod
    def moves_target(image: Field, target: Field) -> bool:
        """Return whether a target is a picture or volume, which is moved with its input."""
        return len(target.shape) > 1 and len(target.shape) == len(image.shape)

    def apply(
        self,
        image: np.ndarray,
        target: np.ndarray | None,
        drawn: Drawn,
        *,
        name: str,
        moves: bool,
        trains: bool,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return input and target of one sample after the transforms.

        Args:
            image: the input, float.
            target: the target; None for a label.
            drawn: what draws come from.
            name: "mask", "label" or "values".
            moves: whether the target is moved with its input.
            trains: whether those for training alone are applied.
        """
        arrays = {INPUTS: image}
        if target is not None:
            arrays[TARGETS] = target
        for step in self.steps:
            if not (trains or step.transform.always):
                continue
            parts = [part for part in self._parts(step, name, moves) if part in arrays]
            if not parts:
                continue
            smooth = tuple(part == INPUTS or name == "values" for part in parts)
            before = Parts(tuple(arrays[part] for part in parts), smooth)
            place = Drawn(drawn.seed, drawn.epoch, drawn.index, step.place)
            after = step.transform.change(before, place)
            arrays |= dict(zip(parts, after.arrays, strict=True))
        return arrays[INPUTS], arrays.get(TARGETS)

    @property
    def draws(self) -> bool:
        """Whether any transform draws."""
        return any(step.transform.draws for step in self.steps)

    def _parts(self, step: Step, name: str, moves: bool) -> tuple[str, ...]:
        """Return which parts of a sample a step changes."""
        wanted = (INPUTS, TARGETS) if step.parts == BOTH else (step.parts,)
        is_mask = name == "mask"
        changes = moves if not is_mask else step.transform.changes_masks
        if name == "values" and not moves:
            changes = step.transform.changes_vectors
        return tuple(part for part in wanted if part == INPUTS or changes)


def fixed_inputs(both: Sequence[str], inputs: Sequence[str]) -> tuple[str, ...]:
    """Return the transforms of inputs that hold for all samples, which a model's user must apply, too."""
    return tuple(
        text
        for text, stated in zip((*both, *inputs), parse_transforms((*both, *inputs)), strict=True)
        if not make_transform(stated).draws
    )


def apply_to_input(texts: Sequence[str], picture: np.ndarray) -> np.ndarray:
    """Return a picture after transforms that draw nothing."""
    chain = Chain(inputs=texts)
    changed, _ = chain.apply(picture, None, Drawn(0, 0, 0), name="label", moves=False, trains=False)
    return np.ascontiguousarray(changed)


def moves_pixels(text: str) -> bool:
    """Return whether a transform does more than to change each pixel by itself."""
    return not make_transform(*parse_transforms([text])).is_local


def channels_after(texts: Sequence[str], channels: int) -> int:
    """Return the channels of pictures that have had so many before the transforms."""
    for stated in parse_transforms(texts):
        channels = make_transform(stated).channels(channels)
    return channels


def first_resize(texts: Sequence[str]) -> tuple[int, int] | None:
    """Return the size of the first resize, if what comes before it may as well come after it; None without one.

    Files of different sizes are then resized when they are read.
    """
    for stated in parse_transforms(texts):
        if stated.is_resize:
            return stated.value  # type: ignore[return-value]
        if not make_transform(stated).commutes_with_resize:
            return None
    return None


def _changed(transform: Transform, shape: tuple[int, ...]) -> tuple[int, ...]:
    if transform.pictures_only and len(shape) != 3:
        raise ValueError(
            f"Received: {_name(transform)} of samples of shape {shape}. Expected: pictures (height, width, channels)."
        )
    return (*transform.sides(shape[:-1]), transform.channels(shape[-1]))


def _check_alike(image: tuple[int, ...], target: tuple[int, ...]) -> None:
    """Refuse targets of other sides than their inputs, which a random transform cannot move alike."""
    if image[:-1] != target[:-1]:
        raise ValueError(
            f"Received: random transforms of inputs of shape {image} with targets of shape {target}. Expected: the "
            "same sides; or resize both first, or no random transforms."
        )


def _name(transform: Transform) -> str:
    if isinstance(transform, random.Augmented):
        defaults = Augmentation()
        changed = (k for k, v in vars(transform.augmentation).items() if v != getattr(defaults, k))
        return next(changed, "an option of the augmentation")
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in type(transform).__name__)[1:]

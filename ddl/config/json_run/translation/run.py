"""From a checked config to the fields of a plan, and a line on each key without effect. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ddl.config.json_run.checking.settings import Settings, fields_of
from ddl.config.json_run.grammar import sections
from ddl.config.json_run.keys.loss import PDE_LOSSES
from ddl.config.json_run.keys.parallel import field_of
from ddl.config.json_run.translation.data import translate_data
from ddl.config.json_run.translation.detector import translate_detector
from ddl.config.json_run.translation.draft import Draft, NetworkForm
from ddl.config.json_run.translation.gan import translate_gan
from ddl.config.json_run.translation.rules import translate_loss, translate_optimizer
from ddl.models.network.file import compact

_OF_TRAINING = (
    *("num_epochs", "optimizer", "checkpoints.save", "checkpoints.interval"),
    *("data.batch_size", "data.training_tag", "debug"),
)
_NEEDS = {
    "checkpoints.interval": "checkpoints.save",
    "data.hdf5_precision": "data.hdf5_outfile",
}
_OF_TESTS = ("data.test_batch_size", "data.test_tag")


def translate(settings: Settings, form: NetworkForm | None = None) -> Draft:
    """Return what a config without problems stands for.

    Args:
        settings: the checked config.
        form: the network's input and output, which decide the order of sides and what targets are.
    """
    draft = Draft()
    _translate_run(settings, draft)
    translate_data(settings, draft, form)
    if settings.is_gan:
        translate_gan(settings, draft)
    elif settings.is_detector:
        translate_detector(settings, draft)
    else:
        translate_loss(settings, draft)
    draft.fields["learning_rate_scaling"], draft.fields["warmup_epochs"] = "none", 0.0
    if settings.trains:
        translate_optimizer(settings, draft)
    _translate_parallel(settings, draft)
    _translate_own(settings, draft)
    _name_idle(settings, draft)
    return draft


def _translate_run(settings: Settings, draft: Draft) -> None:
    fields = draft.fields
    if settings.has_layers:
        fields["model"] = "network"
        fields["model_option"] = network_options(settings)
    if settings.has("outfile"):
        fields["epoch_log"] = settings["outfile"].removesuffix(".txt")
    if settings.has("checkpoints.load"):
        fields["init_weights"] = settings["checkpoints.load"]
    fields["epochs"] = settings["num_epochs"] if settings.trains else 0
    if not settings.trains:
        return
    if settings["debug"]:
        fields["graph"] = True
    if settings.has("checkpoints.save"):
        fields["checkpoint_copies"] = settings["checkpoints.save"]
        fields["copy_every_epochs"] = settings["checkpoints.interval"]


def network_options(settings: Settings) -> dict[str, Any]:
    """Return the options of the model: the network's file, or its layers as JSON."""
    layers = settings["layers.layers"]
    options = {
        "file": settings["layers.file"],
        "layers": None if layers is None else compact(layers),
        "batch_norm_affine": settings["layers.batch_norm_affine"],
    }
    return {name: value for name, value in options.items() if value is not None}


def _translate_parallel(settings: Settings, draft: Draft) -> None:
    """Add how ranks work together."""
    for name, value in fields_of(settings, "parallel").items():
        draft.fields[field_of(name)] = value


def _translate_own(settings: Settings, draft: Draft) -> None:
    """Add the fields of the section `ddl`; options are added to those of other keys."""
    for path, value in settings.given.items():
        section, _, name = path.partition(".")
        if section != "ddl":
            continue
        before = draft.fields.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            for option in sorted({*value} & {*before}):
                text = f"{option}, which another key of the config sets. Expected: one of them."
                draft.problems.append(settings.problem(path, text))
            draft.give_option(name, **value)
        else:
            draft.fields[name] = value


def _name_idle(settings: Settings, draft: Draft) -> None:
    """Name the keys that are given and have no effect."""

    def note(path: str, reason: str) -> None:
        draft.notes.append(settings.problem(path, f"without effect: {reason}."))

    for section in sections():
        for key in section.keys:
            path = section.path_of(key.name)
            if key.idle and settings.has(path):
                note(path, key.idle)
    for path, needed in _NEEDS.items():
        if settings.has(path) and not settings.has(needed):
            note(path, f"there is no {needed}")
    if not settings.trains:
        for path in (path for path in _OF_TRAINING if settings.has(path)):
            note(path, "without data.input_path nothing is trained")
    elif not settings.tests:
        for path in (path for path in _OF_TESTS if settings.has(path)):
            note(path, "without data.test_input_path nothing is tested")
    elif settings.has("data.test_batch_size"):
        is_same = settings["data.test_batch_size"] == settings["data.batch_size"]
        if not is_same:
            note(
                "data.test_batch_size",
                "tests during training take data.batch_size, with the same results",
            )
    _name_idle_data(settings, note)


def _name_idle_data(settings: Settings, note: Any) -> None:
    if settings["data.preload"] and settings.input_type == "pde":
        note("data.preload", "samples of type pde are made, not read")
    if settings["data.target_is_mask"] and not settings.has_target_files:
        note("data.target_is_mask", "targets are no pictures")
    for name in ("grayscale", "input_grayscale"):
        if settings[f"data.{name}"] and settings.input_type != "images":
            note(f"data.{name}", f"inputs are {settings.input_type}")
    for name in ("training_tag", "test_tag"):
        if settings.has(f"data.{name}") and settings.target_type != "labels":
            note(f"data.{name}", f"targets are {settings.target_type}, not labels")
    if settings.only_outputs and settings.has("data.target_transforms"):
        note("data.target_transforms", "there is no data.test_target_path")
    if not settings.has_target_files:
        _name_idle_targets(settings, note)


def _name_idle_targets(settings: Settings, note: Any) -> None:
    """Name keys about targets where these are labels, or where there are none."""
    function = settings["loss.function"]
    reason = (
        f"{function} has no targets" if function in PDE_LOSSES else "labels come with the inputs"
    )
    for name in ("target_path", "test_target_path", "target_transforms", "target_grayscale"):
        if settings.has(f"data.{name}"):
            note(f"data.{name}", reason)

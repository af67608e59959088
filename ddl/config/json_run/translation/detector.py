"""From the sections `detector`, `data` and `loss` of a detector to fields of a plan."""

from __future__ import annotations

from ddl.config.json_run.checking.settings import Settings
from ddl.config.json_run.translation.draft import Draft
from ddl.training.plan.boxes import METRICS_OF_BOXES, loss_of_boxes


def translate_detector(settings: Settings, draft: Draft) -> None:
    """Add the network, its loss and its metric to a draft."""
    fields, network = draft.fields, settings["detector.network"]
    fields["model"] = network
    fields["model_option"] = dict(settings["detector.options"] or {})
    fields["targets"] = "auto"
    fields["loss"] = loss_of_boxes(network)
    fields["metric"] = METRICS_OF_BOXES if settings.tests else ()
    if settings.tests:
        fields["monitor"] = "val_ap50"
    if settings.has("detector.augment"):
        fields["augment"] = dict(settings["detector.augment"])
    if settings["detector.mosaic"]:
        fields["mix"] = {"mosaic": settings["detector.mosaic"]}
    if settings.has("data.image_size"):
        fields["image_size"] = tuple(settings["data.image_size"])
    if settings["data.grayscale"] or settings["data.input_grayscale"]:
        draft.give_option("data_option", channels="grey")

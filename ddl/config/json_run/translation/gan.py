"""From the sections `generator`, `discriminator`, `gan` and `loss` of a GAN to fields of a plan."""

from __future__ import annotations

from ddl.config.json_run.checking.gan import is_file
from ddl.config.json_run.checking.settings import Settings
from ddl.config.json_run.keys.gan import GAN_FIELDS, PARTS
from ddl.config.json_run.translation.draft import Draft


def translate_gan(settings: Settings, draft: Draft) -> None:
    """Add networks, loss and how both are trained to a draft."""
    fields = draft.fields
    for name in PARTS:
        network = settings[f"{name}.network"]
        fields[name] = "network" if is_file(network) else network
        options = {"file": network} if is_file(network) else dict(settings[f"{name}.options"] or {})
        fields[f"{name}_option"] = options
    for key, field in GAN_FIELDS.items():
        value = settings[f"gan.{key}"]
        if value is not None:
            fields[field] = value
    _translate_loss(settings, draft)


def _translate_loss(settings: Settings, draft: Draft) -> None:
    """The loss is DCGAN's for BCE; WGAN's with a clip, else that with a gradient penalty."""
    fields = draft.fields
    if settings["loss.function"] == "BCE":
        fields["gan_loss"] = "dcgan"
    elif settings.has("loss.clip"):
        fields["gan_loss"], fields["clip"] = "wgan", settings["loss.clip"]
    else:
        fields["gan_loss"] = "wgan_gp"
        if settings.has("loss.gradient_penalty"):
            fields["gradient_penalty"] = settings["loss.gradient_penalty"]

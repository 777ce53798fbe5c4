"""The configuration of an encoder's training; defaults are those of ReStyle over pSp (arXiv 2104.02699, Section 4)."""

from __future__ import annotations

from dataclasses import dataclass, field

from semanticgan.errors import InputError
from semanticgan.formats.fields import key
from semanticgan.networks.encoder import EncoderConfig, EncoderSizes
from semanticgan.rows import Rows
from semanticgan.training.sections import CommonConfig, register_method_config


@dataclass
class EncoderLossSection:
    """Weights of the losses. Each pass has all of them; the sum over the passes is minimised."""

    pixel: float = key(1.0, "mean squared error of the pictures.", ge=0)
    perceptual: float = key(0.8, "perceptual distance of the pictures.", ge=0)
    distance: str | None = key("lite0", "the perceptual distance, as of evaluate; null has none.", path="KIND:PATH")
    identity: float = key(0.0, "distance of the faces' identity (face-api); only for photographs.", ge=0)
    w_norm: float = key(0.0, "distance of the code to the mean, which keeps rows where w lies.", ge=0)
    segmentation: float = key(0.0, "one minus the overlap of the rendering's segmentation and the picture's.", ge=0)
    code: float = key(0.0, "mean squared error of codes in units of w's variance, for pictures of the generator.", ge=0)
    style_mixing: float = key(0.9, "probability per batch that the generator's codes are mixed from two.", ge=0, le=1)


@register_method_config
@dataclass
class EncoderTrainingConfig(CommonConfig):
    """All values that decide the training of an encoder."""

    method: str = "encoder"
    model: str = key("faces-64", "model whose codes the encoder finds: a name, a file or a run.", path="PATH")
    passes: int = key(5, "how often the encoder looks at a picture in a step.", ge=1, le=16)
    ranger: bool = key(False, "optimise with Ranger, as ReStyle does, in place of Adam.")
    decay_from: float = key(1.0, "share of the training after which the learning rate falls linearly to 0.", ge=0, le=1)
    encoder: EncoderSizes = field(default_factory=EncoderSizes)
    loss: EncoderLossSection = field(default_factory=EncoderLossSection)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, unused in (("start", None), ("precision", "float32"), ("compile", False)):
            if getattr(self, name) != unused:
                raise InputError(f"{name} has no part in the training of an encoder. Leave it out.")
        if self.metrics.names:
            raise InputError("metrics.names has no part in the training of an encoder. Leave it out.")

    def encoder_config(self, rows: Rows, style_dim: int) -> EncoderConfig:
        """The encoder of a model's codes."""
        return EncoderConfig(size=self.size, num_rows=len(rows), style_dim=style_dim, **vars(self.encoder))

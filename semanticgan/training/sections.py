"""The sections of a training's configuration and what their keys mean.

Defaults are the values of Section 4 of arXiv 2112.02236 or, for what the paper does not have, of the paper named beside
the key. ``docs/configuration.md`` is made from these docstrings (``python docs/make_configuration.py``).
"""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass, field

from semanticgan.data.decoding import MAX_MEGAPIXELS
from semanticgan.networks.config import DiscriminatorConfig, GeneratorConfig


def _section(config: type, without: tuple[str, ...]) -> type:
    """A network's config dataclass as a section, without the fields that the data or the top level decide."""
    hints = typing.get_type_hints(config)
    fields = []
    for item in dataclasses.fields(config):
        if item.name in without:
            continue
        if item.default_factory is not dataclasses.MISSING:
            default = dataclasses.field(default_factory=item.default_factory)
        else:
            default = dataclasses.field(default=item.default)
        fields.append((item.name, hints[item.name], default))
    section = dataclasses.make_dataclass(config.__name__.replace("Config", "Section"), fields)
    section.__doc__ = config.__doc__
    return section


GeneratorSection = _section(GeneratorConfig, without=("size", "num_regions", "transparent"))
DiscriminatorSection = _section(DiscriminatorConfig, without=("size", "num_regions"))


@dataclass
class DataSection:
    """The training data and how pictures are read.

    Attributes:
        kind: format of the data: folder, lmdb, celebamask-hq, portraits or pictures.
        path: folder or zip; null for portraits, which are drawn.
        scheme: region scheme of the labels; null takes it from the data's dataset.json.
        split: part of CelebAMask-HQ: train, val or all.
        length: use only the first N pictures; of portraits, how many are drawn; null uses all.
        label_order: order of a folder's label ids if it is not the scheme's: celebamask-19 or bisenet-19.
        style: drawing style of portraits: storybook or woodcut.
        soft_edges: blur the real segmentations by one pixel, so that their edges are as soft as those in the pictures.
        flip: mirror each picture with probability 0.5.
        missing: what to do with a CelebAMask-HQ picture without masks: error or skip.
        max_megapixels: largest picture, mask or label map that is read, in millions of pixels.
        workers: reader processes.
        on_error: what to do with a picture that cannot be read: stop, or skip it with a message and take another.
        cache_gigabytes: decode a data set of up to this size once and keep it in memory.
    """

    kind: str = "folder"
    path: str | None = None
    scheme: str | None = None
    split: str = "train"
    length: int | None = None
    label_order: str | None = None
    style: str | None = None
    soft_edges: bool = False
    flip: bool = True
    missing: str = "error"
    max_megapixels: float = MAX_MEGAPIXELS
    workers: int = 2
    on_error: str = "stop"
    cache_gigabytes: float = 2.0


@dataclass
class LossSection:
    """Weights and intervals of the losses.

    Attributes:
        r1_image: weight of R1 on pictures; null is 0.0002 size^2 / batch (arXiv 2006.06676).
        r1_segmentation: weight of R1 on segmentations; null is 100 times that on pictures.
        r1_every: steps between two R1 steps; 0 switches R1 off.
        adversarial: weight of the adversarial losses for the generator; 0 trains without a discriminator.
        relativistic: compare real and generated pictures in pairs (R3GAN, arXiv 2501.05441): the discriminator raises
            D(real) - D(fake), the generator lowers it, with R1 on real and R2 on generated pairs at the same weights.
        mask: weight of the mask regulariser, which ties the segmentation to the coarse masks.
        path_length: weight of path length regularisation.
        path_length_every: steps between two path length steps; 0 switches it off.
        path_length_batch_shrink: a path length step uses batch divided by this.
        path_length_decay: weight of a batch in the running mean of the path lengths.
        style_mixing: probability per batch that codes are mixed from two.
        parser: parser whose reading of the picture the segmentation follows: a file of train-parser, a name, or start
            (the model that the training begins with).
        agreement: weight of the agreement between segmentation and parser.
        coarse_agreement: weight of the agreement between coarse masks and parser.
        classifier: attribute classifier, a file of train-classifier or a name; generated attributes become as frequent
            as in the data.
        rates: weight of the divergence between the attribute rates of generated and real pictures.
        rates_half_life: half-life of the running attribute rates, in images.
        depth: weight of the penalty on pseudo-depths far behind the nearest one.
        depth_limit: distance behind the nearest pseudo-depth up to which there is no penalty.
        owned: regions that only their own local generator renders, each with a weight (loss.owned.eye=1). Rare regions
            need more weight. Needs loss.parser.
        ownership: weight of the loss that removes an owned region from the other local generators.
        locality: weight of the loss that keeps an owned region from changing the rest of the picture.
        ownership_every: steps between two ownership steps.
        ownership_after: images before the first ownership step.
        added: weights of losses of the generator that are registered from outside the package (docs/extending.md).
    """

    r1_image: float | None = 10.0
    r1_segmentation: float | None = 1000.0
    r1_every: int = 16
    adversarial: float = 1.0
    relativistic: bool = False
    mask: float = 100.0
    path_length: float = 0.5
    path_length_every: int = 4
    path_length_batch_shrink: int = 2
    path_length_decay: float = 0.01
    style_mixing: float = 0.3
    parser: str | None = None
    agreement: float = 1.0
    coarse_agreement: float = 0.0
    classifier: str | None = None
    rates: float = 1.0
    rates_half_life: float = 2000.0
    depth: float = 0.0
    depth_limit: float = 8.0
    owned: dict[str, float] = field(default_factory=dict)
    ownership: float = 2.0
    locality: float = 20.0
    ownership_every: int = 8
    ownership_after: int = 0
    added: dict[str, float] = field(default_factory=dict)


@dataclass
class FeaturesSection:
    """A second discriminator on the features of a frozen network (arXiv 2112.09130).

    Attributes:
        extractor: frozen network: random, attributes, attributes:PATH or discriminator:PATH; null switches it off.
        weight: weight of its losses.
        r1: weight of its R1 on pictures.
        rate: learning rate of its heads, relative to optimiser.learning_rate.
        channels: width of its heads.
    """

    extractor: str | None = None
    weight: float = 1.0
    r1: float = 0.0005
    rate: float = 5.0
    channels: int = 64


@dataclass
class AugmentationSection:
    """Augmentation of what the discriminator sees (arXiv 2006.06676).

    Attributes:
        adaptive: adapt the probability to the sign of the discriminator's scores of real pictures.
        probability: probability of each transform; with adaptive the probability at the start.
        target: mean sign of D(real) that the adaptation aims at.
        images_to_one: images in which the probability can rise from 0 to 1.
        every: steps between two adjustments.
        geometric: transform pictures and segmentations geometrically.
        colour: transform the colours of pictures.
    """

    adaptive: bool = False
    probability: float = 0.0
    target: float = 0.6
    images_to_one: float = 500_000.0
    every: int = 4
    geometric: bool = True
    colour: bool = True

    @property
    def wanted(self) -> bool:
        return self.adaptive or self.probability > 0


@dataclass
class FreezeSection:
    """Parts that are not trained.

    Attributes:
        generator: parts of the generator: mapping, local, fusion, renderer, renderer.blocks.
        discriminator_blocks: number of blocks of each branch, counted from the picture (arXiv 2002.10964).
    """

    generator: list[str] = field(default_factory=list)
    discriminator_blocks: int = 0


@dataclass
class OptimiserSection:
    """Adam of both networks; betas are scaled for lazy regularisation (arXiv 1912.04958, Appendix B).

    Attributes:
        learning_rate: of both networks.
        beta1: decay of the mean gradient.
        beta2: decay of the mean squared gradient.
        epsilon: added to the root of the mean squared gradient.
    """

    learning_rate: float = 0.002
    beta1: float = 0.0
    beta2: float = 0.99
    epsilon: float = 1e-8


@dataclass
class EmaSection:
    """Exponential moving average of the generator, the network that is exported.

    Attributes:
        half_life: in images.
        ramp_up: the half-life is at most this share of the images seen; 0 switches the ramp off.
    """

    half_life: float = 10_000.0
    ramp_up: float = 0.0


@dataclass
class ScheduleSection:
    """Length of the training and intervals of its outputs.

    Attributes:
        total_images: images to train on; the released recipe is 200,000 steps of 32.
        log_every: steps between two lines of stats.jsonl.
        sheet_every: steps between two sheets of samples.
        sheet_images: samples per sheet.
        save_every: steps between two saved states.
        keep: number of newest states to keep.
    """

    total_images: int = 6_400_000
    log_every: int = 50
    sheet_every: int = 1000
    sheet_images: int = 12
    save_every: int = 2000
    keep: int = 2


@dataclass
class MetricsSection:
    """Metrics measured during the training against its data, as ``tools/evaluate.py`` measures them.

    Attributes:
        names: metrics of evaluate, such as [fid, pr].
        every: steps between two measurements.
        num_generated: number of generated pictures.
        num_real: number of real pictures; null is num_generated, or all where there are fewer.
        num_edits: number of pictures whose regions are edited.
        batch: pictures per batch; it bounds the memory and does not change the result.
        extractor: feature extractor, as of evaluate.
        distance: perceptual distance, as of evaluate.
        parser: a file of train-parser, or a name.
    """

    names: list[str] = field(default_factory=list)
    every: int = 5000
    num_generated: int = 5000
    num_real: int | None = None
    num_edits: int = 100
    batch: int = 8
    extractor: str = "inception"
    distance: str | None = None
    parser: str | None = None

"""The configuration that all methods share: its sections, and :class:`CommonConfig`, which holds them.

A method's configuration is a dataclass that inherits from :class:`CommonConfig` and adds sections of its own. Defaults
are the values of Section 4 of arXiv 2112.02236. ``docs/configuration.md`` is made from the fields
(``python docs/make_configuration.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from semanticgan.data.decoding import MAX_MEGAPIXELS
from semanticgan.errors import InputError
from semanticgan.formats import typed_yaml
from semanticgan.formats.fields import check, find_paths, key
from semanticgan.model import PRECISIONS
from semanticgan.seeds import MAX_SEED

LARGEST_BATCH = 2**20
_LARGEST_COUNT = 10**8  # of pictures that are kept or measured


@dataclass
class DataSection:
    """The training data and how pictures are read."""

    kind: str = key("folder", "format of the data: folder, lmdb, celebamask-hq, portraits or pictures.")
    path: str | None = key(None, "folder or zip; null for portraits, which are drawn.", path="PATH")
    scheme: str | None = key(None, "region scheme of the labels; null takes it from the data's dataset.json.")
    split: str = key("train", "part of CelebAMask-HQ: train, val or all.")
    length: int | None = key(
        None, "use only the first N pictures; of portraits, how many are drawn; null uses all.", le=_LARGEST_COUNT
    )
    label_order: str | None = key(
        None, "order of a folder's label ids if it is not the scheme's: celebamask-19 or bisenet-19."
    )
    style: str | None = key(None, "drawing style of portraits: storybook or woodcut.")
    soft_edges: bool = key(
        False, "blur the real segmentations by one pixel, so that their edges are as soft as those in the pictures."
    )
    flip: bool = key(True, "mirror each picture with probability 0.5.")
    alignment: list[float] = key(
        [],
        "where faces lie in the pictures, as shares of the side: x and y of the eye at the left, the eye at the right, "
        "the tip of the nose, the left and the right corner of the mouth; empty is that of the start.",
    )
    missing: str = key("error", "what to do with a CelebAMask-HQ picture without masks: error or skip.")
    max_megapixels: float = key(
        MAX_MEGAPIXELS, "largest picture, mask or label map that is read, in millions of pixels."
    )
    workers: int = key(2, "reader processes.", ge=0, le=4096)
    on_error: str = key(
        "stop",
        "what to do with a picture that cannot be read: stop, or skip it with a message and take another.",
        choices=("stop", "skip"),
    )
    cache_gigabytes: float = key(2.0, "decode a data set of up to this size once and keep it in memory.", ge=0)


@dataclass
class OptimiserSection:
    """Adam of both networks; betas are scaled for lazy regularisation (arXiv 1912.04958, Appendix B)."""

    learning_rate: float = key(0.002, "of both networks.", ge=0)
    beta1: float = key(0.0, "decay of the mean gradient.", ge=0, lt=1)
    beta2: float = key(0.99, "decay of the mean squared gradient.", ge=0, lt=1)
    epsilon: float = key(1e-8, "added to the root of the mean squared gradient.", ge=0)


@dataclass
class EmaSection:
    """Exponential moving average of the generator, the network that is exported."""

    half_life: float = key(10_000.0, "in images.", gt=0, unit="images")
    ramp_up: float = key(0.0, "the half-life is at most this share of the images seen; 0 switches the ramp off.", ge=0)


@dataclass
class ScheduleSection:
    """Length of the training and intervals of its outputs."""

    total_images: int = key(6_400_000, "images to train on; the released recipe is 200,000 steps of 32.", ge=1)
    log_every: int = key(50, "steps between two lines of stats.jsonl.", ge=1)
    sheet_every: int = key(1000, "steps between two sheets of samples.", ge=1)
    sheet_images: int = key(12, "samples per sheet.", ge=1, le=4096)
    save_every: int = key(2000, "steps between two saved states.", ge=1)
    keep: int = key(2, "number of newest states to keep.", ge=1)


@dataclass
class MetricsSection:
    """Metrics measured during the training against its data, as ``semanticgan evaluate`` measures them."""

    names: list[str] = key([], "metrics of evaluate, such as [fid, pr].")
    every: int = key(5000, "steps between two measurements.", ge=1)
    num_generated: int = key(5000, "number of generated pictures.", ge=1, le=_LARGEST_COUNT)
    num_real: int | None = key(
        None,
        "number of real pictures; null is num_generated, or all where there are fewer.",
        ge=1,
        le=_LARGEST_COUNT,
    )
    num_edits: int = key(100, "number of pictures whose regions are edited.", ge=1, le=_LARGEST_COUNT)
    batch: int = key(
        8, "pictures per batch; it bounds the memory and does not change the result.", ge=1, le=LARGEST_BATCH
    )
    extractor: str = key("inception", "feature extractor, as of evaluate.", path="KIND:PATH")
    distance: str | None = key(None, "perceptual distance, as of evaluate.", path="KIND:PATH")
    parser: str | None = key(None, "a file of train-parser, or a name.", path="PATH")


@dataclass
class CommonConfig:
    """Values that decide a training, whatever its method.

    A method's own class gives ``method`` another default and adds sections; checks across its keys stand in its
    ``__post_init__``, after ``super().__post_init__()``.
    """

    stated: ClassVar[frozenset[str]] = frozenset()
    """The keys at the top that a recipe or an override states, as ``load_config`` found them."""

    method: str = key("semanticstylegan", "what is trained; it decides which sections a recipe has.")
    name: str = key("unnamed", "name of the recipe.")
    description: str = key("", "one line, stored with the weights.")
    run_dir: str | None = key(None, "folder of the run; the command continues the run that it holds.", path="PATH")
    size: int = key(256, "resolution of the pictures in pixels, a power of two.", side=True)
    batch: int = key(32, "images per step, over all processes.", ge=1, le=LARGEST_BATCH)
    seed: int = key(0, "random seed of the training, 0 to 2^63 - 1.", ge=0, le=MAX_SEED)
    device: str = key("auto", "auto, cpu, cuda or mps.")
    precision: str = key("float32", "float32 or bfloat16.", choices=tuple(PRECISIONS))
    deterministic: bool = key(True, "use operations that repeat their bits where there are any.")
    start: str | None = key(
        None,
        "run, state, model file or model name whose weights are taken at step 0; null begins with random weights.",
        path="PATH",
    )
    accumulate: int = key(
        1, "number of parts into which a process divides its share of a batch.", ge=1, le=LARGEST_BATCH
    )
    compile: bool = key(False, "compile the steps with torch.compile.")
    log_to: list[str] | None = key(
        None, "additional logs, a list of tensorboard and wandb; null is tensorboard where it is installed."
    )
    data: DataSection = field(default_factory=DataSection)
    optimiser: OptimiserSection = field(default_factory=OptimiserSection)
    ema: EmaSection = field(default_factory=EmaSection)
    schedule: ScheduleSection = field(default_factory=ScheduleSection)
    metrics: MetricsSection = field(default_factory=MetricsSection)
    licence: str = key("not stated", "terms of the weights, stored with them.")
    data_licence: str = key("not stated", "terms of the data, stored with the weights.")
    expected: dict[str, Any] = key({}, "scores measured of a training with the recipe, for the reader.")

    def __post_init__(self) -> None:
        find_paths(self)
        check(self)

    def to_yaml(self) -> str:
        """The whole configuration as YAML, read back by :func:`semanticgan.training.config.load_config`."""
        return typed_yaml.dump(self)


METHOD_CONFIGS: dict[str, type[CommonConfig]] = {}
"""The class of configuration of each known method."""


Config = TypeVar("Config", bound=type[CommonConfig])


def register_method_config(config: Config) -> Config:
    """Make the configuration of a method known by the default of its key ``method``; a decorator of its class.

    Raises:
        InputError: another class has that name.
    """
    if METHOD_CONFIGS.setdefault(config.method, config) is not config:
        raise InputError(f"there is a method {config.method!r} already. Choose another name.")
    return config

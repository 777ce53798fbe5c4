"""The configuration of a training: dataclasses, recipes in YAML, and ``key=value`` overrides.

Defaults are the paper's values (Section 4 of arXiv 2112.02236). A recipe in ``configs/`` states what differs.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semanticgan.errors import InputError, MissingFileError, unknown_name
from semanticgan.files import require_file, user_path
from semanticgan.model import PRECISIONS
from semanticgan.networks.discriminator import DiscriminatorConfig
from semanticgan.networks.generator import GeneratorConfig
from semanticgan.regions import RegionScheme

if TYPE_CHECKING:
    from importlib.abc import Traversable


def _section(config: type, without: tuple[str, ...]) -> type:
    """A config dataclass as a section of the YAML file: what the data decide is left out."""
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
    return dataclasses.make_dataclass(config.__name__.replace("Config", "Section"), fields)


# Size and regions stand once, at the top and in the data.
GeneratorSection = _section(GeneratorConfig, without=("size", "num_regions", "transparent"))
DiscriminatorSection = _section(DiscriminatorConfig, without=("size", "num_regions"))


@dataclass
class DataSection:
    """Where the pictures come from; the arguments of :func:`semanticgan.data.open_dataset`."""

    kind: str = "folder"
    path: str | None = None
    scheme: str | None = None
    split: str = "train"
    length: int | None = None  # use the first so many; for portraits, how many are drawn
    label_order: str | None = None
    style: str | None = None  # of portraits
    soft_edges: bool = False  # of the segmentations, as those in pictures are
    flip: bool = True  # mirror every picture with probability one half
    workers: int = 2  # processes that decode
    on_error: str = "stop"  # at a picture that cannot be used: "stop", or "skip" it, say so and take another
    cache_gigabytes: float = 2.0  # a dataset that fits is decoded once and held in memory


@dataclass
class LossSection:
    """Weights and intervals of the losses."""

    r1_image: float | None = 10.0  # null: 0.0002 size^2 / batch
    r1_segmentation: float | None = 1000.0  # null: 100 times that of the picture
    r1_every: int = 16  # steps; 0 switches it off
    adversarial: float = 1.0  # weight for the generator, of both discriminators; 0: none judges or learns
    mask: float = 100.0
    path_length: float = 0.5
    path_length_every: int = 4  # steps; 0 switches it off
    path_length_batch_shrink: int = 2
    path_length_decay: float = 0.01
    style_mixing: float = 0.3  # probability a batch
    parser: str | None = None  # file of train-parser, its name, or start: what it reads is to be the segmentation
    agreement: float = 1.0  # weight of that
    coarse_agreement: float = 0.0  # weight of the coarse masks' part in it
    classifier: str | None = None  # a file of train-classifier, or its name; its attributes are to be as frequent
    rates: float = 1.0  # weight of that
    rates_half_life: float = 2000.0  # of the running rates, in images
    depth: float = (
        0.0  # weight of pseudo-depths that lie further than depth_limit behind the nearest; the paper has none
    )
    depth_limit: float = 8.0
    # Regions that some pictures are drawn without, and how much each counts, 1 as a rule and more where it is seldom.
    owned: dict[str, float] = field(default_factory=dict)  # needs loss.parser
    ownership: float = 2.0  # weight of what is left of them there: no other region is to paint them
    locality: float = 20.0  # weight of what changes elsewhere: they are to paint nothing else
    ownership_every: int = 8  # steps
    ownership_after: int = 0  # images; before there are faces nothing can be owned


@dataclass
class FeaturesSection:
    """A second discriminator, of the features that a frozen network has of the pictures (arXiv 2112.09130)."""

    extractor: str | None = None  # random, attributes, attributes:PATH or discriminator:PATH; null: none
    weight: float = 1.0  # of its losses
    r1: float = 0.0005  # weight of its R1 on pictures
    rate: float = 5.0  # of learning, times optimiser.learning_rate: heads are small and have to keep up
    channels: int = 64


@dataclass
class AugmentationSection:
    """Augmentation of what the discriminator sees (arXiv 2006.06676); steered by its certainty if adaptive."""

    adaptive: bool = False
    probability: float = 0.0  # at the start if adaptive, else throughout
    target: float = 0.6  # of the mean sign of D(real)
    images_to_one: float = 500_000.0  # images in which the probability can go from 0 to 1
    every: int = 4  # steps between adjustments
    geometric: bool = True
    colour: bool = True

    @property
    def wanted(self) -> bool:
        return self.adaptive or self.probability > 0


@dataclass
class FreezeSection:
    """What stays as it was at the start."""

    generator: list[str] = field(default_factory=list)  # of mapping, local, fusion, renderer, renderer.blocks
    discriminator_blocks: int = 0  # the first of each branch, nearest the picture


@dataclass
class OptimiserSection:
    """Adam of both networks; betas are scaled for lazy regularisation (arXiv 1912.04958, Appendix B)."""

    learning_rate: float = 0.002
    beta1: float = 0.0
    beta2: float = 0.99
    epsilon: float = 1e-8


@dataclass
class EmaSection:
    """Moving average of the generator."""

    half_life: float = 10_000.0  # images
    ramp_up: float = 0.0  # half-life is at most this share of the images seen; 0 is no ramp


@dataclass
class ScheduleSection:
    """How long, and how often something is written; in steps unless named otherwise."""

    total_images: int = 6_400_000  # the released recipe: 200k steps of 32
    log_every: int = 50
    sheet_every: int = 1000
    sheet_images: int = 12
    save_every: int = 2000
    keep: int = 2  # newest states kept


@dataclass
class MetricsSection:
    """What is measured while training, as ``tools/evaluate.py`` measures it, against the training data."""

    names: list[str] = field(default_factory=list)  # of semanticgan.metrics.evaluate.METRICS
    every: int = 5000  # steps
    num_generated: int = 5000
    num_real: int | None = None  # null: num_generated, or all where there are fewer
    num_edits: int = 100  # pictures whose regions are edited
    batch: int = 8  # pictures at a time; bounds the memory, not the result
    extractor: str = "inception"
    distance: str | None = None
    parser: str | None = None  # a file of train-parser


@dataclass
class TrainingConfig:
    """All that decides a training. ``expected`` is what a run of the recipe scored, for the reader."""

    name: str = "unnamed"
    description: str = ""
    run_dir: str | None = None
    size: int = 256
    batch: int = 32
    seed: int = 0
    device: str = "auto"
    precision: str = "float32"
    deterministic: bool = True
    start: str | None = None  # a state of another run, or a model file, whose weights are taken over at step 0
    accumulate: int = 1  # parts that a process cuts its share of a batch into
    recompute: bool = False  # activations, to save memory for time
    compile: bool = False
    log_to: list[str] | None = None  # tensorboard, wandb; null: tensorboard where it is installed
    data: DataSection = field(default_factory=DataSection)
    generator: GeneratorSection = field(default_factory=GeneratorSection)  # type: ignore[valid-type]
    discriminator: DiscriminatorSection = field(default_factory=DiscriminatorSection)  # type: ignore[valid-type]
    loss: LossSection = field(default_factory=LossSection)
    features: FeaturesSection = field(default_factory=FeaturesSection)
    augmentation: AugmentationSection = field(default_factory=AugmentationSection)
    freeze: FreezeSection = field(default_factory=FreezeSection)
    optimiser: OptimiserSection = field(default_factory=OptimiserSection)
    ema: EmaSection = field(default_factory=EmaSection)
    schedule: ScheduleSection = field(default_factory=ScheduleSection)
    metrics: MetricsSection = field(default_factory=MetricsSection)
    licence: str = "not stated"  # of the weights that come out
    data_licence: str = "not stated"
    expected: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._find_paths()
        if self.precision not in PRECISIONS:
            raise unknown_name("precision", self.precision, PRECISIONS)
        for smallest, keys in _SMALLEST.items():
            for key in keys:
                section, _, name = key.rpartition(".")
                value = getattr(getattr(self, section) if section else self, name)
                if value is not None and not smallest <= value < math.inf:
                    raise InputError(f"{key} must be {smallest} or more, got {value}.")
        for name, allowed in (("data.on_error", ON_ERROR), ("freeze.generator", PARTS)):
            section, _, key = name.partition(".")
            given = getattr(getattr(self, section), key)
            for value in [given] if isinstance(given, str) else given:
                if value not in allowed:
                    raise unknown_name(name, value, allowed)
        for section, name in _CHANNELS:
            if any(width < 1 for width in getattr(getattr(self, section), name).values()):
                raise InputError(f"{section}.{name} must be 1 or more at every side.")
        for region, weight in self.loss.owned.items():
            if not 0 <= weight < math.inf:
                raise InputError(f"loss.owned.{region} must be 0 or more, got {weight}.")
        for key, share in (
            ("loss.style_mixing", self.loss.style_mixing),
            ("loss.path_length_decay", self.loss.path_length_decay),
            ("augmentation.probability", self.augmentation.probability),
            ("augmentation.target", self.augmentation.target),
            ("optimiser.beta1", self.optimiser.beta1),
            ("optimiser.beta2", self.optimiser.beta2),
        ):
            if not 0 <= share <= 1 or (share == 1 and key.startswith("optimiser")):
                raise InputError(f"{key} must lie between 0 and 1, got {share}.")
        for name, half_life in (
            ("ema.half_life", self.ema.half_life),
            ("loss.rates_half_life", self.loss.rates_half_life),
        ):
            if not 0 < half_life < math.inf:
                raise InputError(f"{name} must be more than 0 images and finite, got {half_life}.")
        if self.batch % self.loss.path_length_batch_shrink:
            raise InputError(f"batch {self.batch} must be a multiple of loss.path_length_batch_shrink.")

    def _find_paths(self) -> None:
        """Replace ``~`` by the home folder where a key takes a path, or a name and a path as in attributes:PATH."""
        for key in _PATHS:
            name, _, attribute = key.rpartition(".")
            section = getattr(self, name) if name else self
            value = getattr(section, attribute)
            if value is None:
                continue
            kind, colon, path = value.partition(":") if key in _PATHS_AFTER_A_KIND else ("", "", value)
            if colon or not kind:
                found = str(user_path(path, key))
                setattr(section, attribute, kind + colon + (found if path.startswith(("~", "./~")) else path))

    def require_teacher(self) -> None:
        """Raises: InputError: a training in which nothing would be learnt, or a discriminator would not."""
        if self.loss.adversarial:
            return
        if not (self.loss.parser or self.loss.classifier):
            raise InputError("loss.adversarial is 0 and nothing else teaches. Give loss.parser or loss.classifier.")
        if self.features.extractor is not None:
            raise InputError(
                f"loss.adversarial is 0, and with it features.extractor {self.features.extractor!r} has no part. "
                "Leave it out, or give loss.adversarial a weight."
            )

    def r1_weights(self) -> tuple[float, float]:
        """Weights of R1 on picture and segmentation; where none is given, from size and batch.

        The picture's follows arXiv 2006.06676, Appendix C; 100 is the paper's ratio of the two.
        """
        image, segmentation = self.loss.r1_image, self.loss.r1_segmentation
        image = 0.0002 * self.size**2 / self.batch if image is None else image
        return image, 100.0 * image if segmentation is None else segmentation

    def generator_config(self, regions: RegionScheme) -> GeneratorConfig:
        """The generator for a dataset's regions."""
        values = {item.name: getattr(self.generator, item.name) for item in dataclasses.fields(self.generator)}
        return GeneratorConfig(
            size=self.size, num_regions=len(regions), transparent=regions.transparent_indices, **values
        )

    def discriminator_config(self, regions: RegionScheme) -> DiscriminatorConfig:
        """The discriminator for a dataset's regions."""
        values = {item.name: getattr(self.discriminator, item.name) for item in dataclasses.fields(self.discriminator)}
        return DiscriminatorConfig(size=self.size, num_regions=len(regions), **values)

    def to_yaml(self) -> str:
        """The whole configuration as YAML, read back by :func:`load_config`."""
        from omegaconf import OmegaConf

        return OmegaConf.to_yaml(OmegaConf.structured(self))


_PATHS_AFTER_A_KIND = ("features.extractor", "metrics.extractor", "metrics.distance")
_PATHS = ("run_dir", "start", "data.path", "loss.parser", "loss.classifier", "metrics.parser", *_PATHS_AFTER_A_KIND)
ON_ERROR = ("stop", "skip")
PARTS = ("mapping", "local", "fusion", "renderer", "renderer.blocks")  # of a generator
_SCHEDULE = ("total_images", "log_every", "sheet_every", "sheet_images", "save_every", "keep")
_WIDTHS = ("style_dim", "num_mapping_layers", "local_channels", "feature_channels")
_LOSS = ("adversarial", "r1_image", "r1_segmentation", "r1_every", "mask", "path_length", "path_length_every")
_CHANNELS = (("generator", "channels"), ("discriminator", "channels"), ("discriminator", "segmentation_channels"))
# Smallest allowed value -> keys.
_SMALLEST = {
    0: (
        "seed",
        "data.workers",
        "data.cache_gigabytes",
        "optimiser.learning_rate",
        "optimiser.epsilon",
        "ema.ramp_up",
        "features.weight",
        "features.r1",
        "features.rate",
        "freeze.discriminator_blocks",
        "generator.label_channels",
        *(f"loss.{name}" for name in (*_LOSS, "agreement", "coarse_agreement", "rates", "depth", "depth_limit")),
        "loss.ownership",
        "loss.locality",
        "loss.ownership_after",
    ),
    1: (
        "batch",
        "accumulate",
        "augmentation.every",
        "augmentation.images_to_one",
        "features.channels",
        "loss.path_length_batch_shrink",
        "loss.ownership_every",
        *(f"metrics.{name}" for name in ("every", "num_generated", "num_real", "num_edits", "batch")),
        *(f"generator.{name}" for name in _WIDTHS),
        *(f"schedule.{name}" for name in _SCHEDULE),
    ),
}


def recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(item.name.removesuffix(".yaml") for item in _folder().iterdir() if item.name.endswith(".yaml"))


def _folder() -> Traversable:
    """Where the recipes are: in an installed package, or at the top of a checkout that is not installed."""
    try:
        return resources.files("semanticgan.configs")
    except ModuleNotFoundError:
        return Path(__file__).parents[2] / "configs"


def recipe_text(recipe: str | Path) -> str:
    """The YAML of a recipe by name (``tiny``) or by path (``my/recipe.yaml``).

    Raises:
        InputError: neither a file nor a known name, or a file that is no text.
    """
    if Path(recipe).suffix in (".yaml", ".yml"):
        path = user_path(recipe, "recipe")
        if not path.exists():
            near = difflib.get_close_matches(path.stem, recipes(), n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]!r}, which comes with the package? " if near else ""
            known = ", ".join(recipes())
            raise MissingFileError(f"recipe {str(path)!r} does not exist. {hint}Recipes known by name: {known}.")
        try:
            return require_file(path, "recipe").read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"recipe {str(recipe)!r} is no text. Give a YAML file.") from error
    if str(recipe) not in recipes():
        raise unknown_name("recipe", str(recipe), recipes())
    return (_folder() / f"{recipe}.yaml").read_text(encoding="utf-8")


def load_config(recipe: str | Path, overrides: Sequence[str] = ()) -> TrainingConfig:
    """Read a recipe and apply overrides such as ``batch=8`` or ``loss.r1_image=5``.

    Raises:
        InputError: unknown recipe, unknown key (the nearest known is named), or a value of the wrong type.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    for override in overrides:
        if "=" not in override:
            raise InputError(f"override {override!r} is no key=value pair, such as batch=8 or data.path=data/faces.")
    schema, text = OmegaConf.structured(TrainingConfig), recipe_text(recipe)
    try:
        parts = OmegaConf.create(text), OmegaConf.from_dotlist(list(overrides))
        for part in parts:
            _require_pairs(OmegaConf.to_container(part))
        given = OmegaConf.merge(*parts)
    except InputError:
        raise
    except Exception as error:  # YAML errors have no common base in OmegaConf
        raise InputError(f"recipe {str(recipe)!r} cannot be read: {' '.join(str(error).split())[:200]}") from error
    known = _known_keys(TrainingConfig)
    for key in _given_keys(OmegaConf.to_container(given)):
        if key not in known and not any(key.startswith(f"{free}.") for free in _FREE_KEYS):
            raise unknown_name("configuration key", key, known)
    try:
        config: TrainingConfig = OmegaConf.to_object(OmegaConf.merge(schema, given))  # type: ignore[assignment]
    except OmegaConfBaseException as error:
        key = f" key {error.full_key!r}" if error.full_key else ""
        raise InputError(f"configuration{key}: {str(error).splitlines()[0]}") from error
    return config


_FREE_KEYS = (
    "expected",
    "loss.owned",
    "generator.channels",
    "discriminator.channels",
    "discriminator.segmentation_channels",
)


def _known_keys(section: type, prefix: str = "") -> list[str]:
    known = []
    hints = typing.get_type_hints(section)
    for item in dataclasses.fields(section):
        known.append(prefix + item.name)
        if dataclasses.is_dataclass(hints[item.name]):
            known += _known_keys(hints[item.name], f"{prefix}{item.name}.")
    return known


def _require_pairs(given: Any) -> None:
    """Raises: InputError: a list or a value where names of one's own have values."""
    for key in _FREE_KEYS:
        value = given
        for name in key.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None and not isinstance(value, dict):
            raise InputError(f"configuration key {key!r} takes pairs such as {key}.NAME=VALUE, got {value!r}.")


def _given_keys(given: Any, prefix: str = "") -> list[str]:
    keys = []
    for name, value in given.items():
        keys.append(f"{prefix}{name}")
        if isinstance(value, dict):
            keys += _given_keys(value, f"{prefix}{name}.")
    return keys

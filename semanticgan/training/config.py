"""The configuration of a training: its sections in one, recipes in YAML, and ``key=value`` overrides.

A recipe in ``configs/`` states what differs from the defaults.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semanticgan.errors import InputError, MissingFileError, unknown_name
from semanticgan.files import require_file, user_path
from semanticgan.formats import typed_yaml
from semanticgan.model import PRECISIONS
from semanticgan.networks.config import DiscriminatorConfig, GeneratorConfig
from semanticgan.regions import RegionScheme
from semanticgan.seeds import MAX_SEED, require_seed
from semanticgan.training.sections import (
    AugmentationSection,
    DataSection,
    DiscriminatorSection,
    EmaSection,
    FeaturesSection,
    FreezeSection,
    GeneratorSection,
    LossSection,
    MetricsSection,
    OptimiserSection,
    ScheduleSection,
)

if TYPE_CHECKING:
    from importlib.abc import Traversable


@dataclass
class TrainingConfig:
    """All values that decide a training.

    Attributes:
        name: name of the recipe.
        description: one line, stored with the weights.
        method: what is trained; semanticstylegan is the one there is.
        run_dir: folder of the run; the command continues the run that it holds.
        size: resolution of the pictures in pixels, a power of two.
        batch: images per step, over all processes.
        seed: random seed of the training, 0 to 2^63 - 1.
        device: auto, cpu, cuda or mps.
        precision: float32 or bfloat16.
        deterministic: use operations that repeat their bits where there are any.
        start: run, state, model file or model name whose weights are taken at step 0; null begins with random weights.
        accumulate: number of parts into which a process divides its share of a batch.
        recompute: compute activations again in the backward pass; less memory, more time.
        compile: compile the steps with torch.compile.
        log_to: additional logs, a list of tensorboard and wandb; null is tensorboard where it is installed.
        licence: terms of the weights, stored with them.
        data_licence: terms of the data, stored with the weights.
        expected: scores of a run of the recipe, for the reader.
    """

    name: str = "unnamed"
    description: str = ""
    method: str = "semanticstylegan"
    run_dir: str | None = None
    size: int = 256
    batch: int = 32
    seed: int = 0
    device: str = "auto"
    precision: str = "float32"
    deterministic: bool = True
    start: str | None = None
    accumulate: int = 1
    recompute: bool = False
    compile: bool = False
    log_to: list[str] | None = None
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
    licence: str = "not stated"
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
            widths: dict[int, int] = getattr(getattr(self, section), name)
            if any(width < 1 for width in widths.values()):
                raise InputError(f"{section}.{name} must be 1 or more at every side.")
            for side in widths:
                if side < 4 or side & (side - 1):
                    raise InputError(f"{section}.{name} has the side {side}. Give powers of two from 4 on.")
        for key, weights in (("owned", self.loss.owned), ("added", self.loss.added)):
            for name, weight in weights.items():
                if not 0 <= weight < math.inf:
                    raise InputError(f"loss.{key}.{name} must be 0 or more, got {weight}.")
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
        _require_no_larger(self)
        if self.batch % self.loss.path_length_batch_shrink:
            shrink = self.loss.path_length_batch_shrink
            raise InputError(f"batch {self.batch} must be a multiple of loss.path_length_batch_shrink, {shrink}.")
        require_seed(self.seed)

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
            raise InputError(
                "loss.adversarial is 0 and no other loss trains the generator. Give loss.parser or loss.classifier."
            )
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
        return typed_yaml.dump(self)


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

# Largest allowed value -> keys; what is not here may be _LARGEST_NUMBER.
_LARGEST = {
    MAX_SEED: ("seed",),
    4096: ("size", "generator.coarse_size", "generator.min_feature_size", "data.workers", "schedule.sheet_images"),
    1000: ("generator.num_mapping_layers", "generator.num_local_layers"),
    2**16: (
        *("generator.style_dim", "generator.local_channels", "generator.feature_channels", "generator.label_channels"),
        *("features.channels", *(f"{section}.{name}" for section, name in _CHANNELS)),
    ),
    2**20: ("batch", "accumulate", "metrics.batch", "loss.path_length_batch_shrink"),
    10**8: ("data.length", "metrics.num_generated", "metrics.num_real", "metrics.num_edits"),
}
_LARGEST_NUMBER = 10**15


def _require_no_larger(config: TrainingConfig) -> None:
    """Raises: InputError: a number that is too large for its use."""
    largest = {key: value for value, keys in _LARGEST.items() for key in keys}
    for key, value in flat(config).items():
        allowed = largest.get(key, largest.get(key.rpartition(".")[0], _LARGEST_NUMBER))
        if isinstance(value, (int, float)) and not key.startswith("expected.") and not abs(value) <= allowed:
            raise InputError(f"{key} must be a number of at most {allowed}, got {str(value)[:60]}.")


def flat(config: TrainingConfig) -> dict[str, Any]:
    """Every value by its key, such as ``data.path`` or ``generator.channels.64``."""

    def values(given: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
        for name, value in given.items():
            if isinstance(value, dict):
                yield from values(value, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", value

    return dict(values(dataclasses.asdict(config), ""))


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
        InputError: neither a file nor a known name, or a file that is not text.
    """
    if Path(recipe).suffix in (".yaml", ".yml"):
        path = user_path(recipe, "recipe")
        if not path.exists():
            near = difflib.get_close_matches(path.stem, recipes(), n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]!r}, which comes with the package? " if near else ""
            known = ", ".join(recipes())
            raise MissingFileError(f"recipe {str(path)!r} does not exist. {hint}Recipes known by name: {known}.")
        try:
            return require_file(path, "recipe").read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"recipe {str(recipe)!r} is not text. Give a YAML file.") from error
    if str(recipe) not in recipes():
        raise unknown_name("recipe", str(recipe), recipes())
    return (_folder() / f"{recipe}.yaml").read_text(encoding="utf-8")


def load_config(recipe: str | Path, overrides: Sequence[str] = ()) -> TrainingConfig:
    """Read a recipe and apply overrides such as ``batch=8`` or ``loss.r1_image=5``.

    A value takes the type of its key: a text stays as it was typed, ``null`` and nothing are none where the key may
    have none. Of an override that is given twice the last counts.

    Raises:
        InputError: unknown recipe, unknown key (the nearest known is named), or a value of the wrong type.
    """
    text = recipe_text(recipe)
    try:
        given = typed_yaml.read(text, TrainingConfig)
    except InputError as error:
        raise InputError(f"recipe {str(recipe)!r} cannot be read: {str(error).rstrip('.')}.") from error
    for override in overrides:
        given = typed_yaml.merged(given, typed_yaml.read_override(override, TrainingConfig))
    config: TrainingConfig = typed_yaml.build(TrainingConfig, given)
    return config

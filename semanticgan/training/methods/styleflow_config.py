"""The configuration of a StyleFlow's training; defaults are those of the authors' code (arXiv 2008.02401)."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from semanticgan.directions.styleflow import MOST_BLOCKS
from semanticgan.errors import InputError
from semanticgan.formats.fields import key
from semanticgan.seeds import MAX_SEED
from semanticgan.training.sections import CommonConfig, DataSection, MetricsSection, register_method_config

_LARGEST_COUNT = 10**6


@dataclass
class FlowSizes:
    """The flow."""

    hidden: list[int] = key([512, 512, 512, 512, 512], "widths of the vector field's hidden layers.", ge=1)
    num_blocks: int = key(1, "number of conditional ODEs, each followed by a norm.", ge=1, le=MOST_BLOCKS)
    adjoint: bool = key(
        True,
        "gradients by the adjoint equation, as in the paper; false takes those of the solver's steps, for small "
        "flows in less than half the time.",
    )


@dataclass
class LabelledCodesSection:
    """The codes that the flow learns from, and the attributes of their pictures."""

    classifier: str = key("tutor-attributes-64", "classifier that reads the attributes: a name or a file.", path="PATH")
    attributes: list[str] = key(
        [], "the conditions: names of the classifier's attributes; a category's value is hair_colour.blond."
    )
    first_seed: int = key(1_000_000, "seed of the first code; the others follow.", ge=0, le=MAX_SEED)
    count: int = key(10_000, "number of codes.", ge=2, le=_LARGEST_COUNT)


@register_method_config
@dataclass
class StyleFlowTrainingConfig(CommonConfig):
    """All values that decide the training of a StyleFlow."""

    method: str = "styleflow"
    model: str = key("portraits-64", "model whose codes the flow transforms: a name, a file or a run.", path="PATH")
    decay_from: float = key(1.0, "share of the training after which the learning rate falls linearly to 0.", ge=0, le=1)
    flow: FlowSizes = field(default_factory=FlowSizes)
    codes: LabelledCodesSection = field(default_factory=LabelledCodesSection)

    def __post_init__(self) -> None:
        super().__post_init__()
        plain = {item.name: item.default for item in fields(CommonConfig)}
        for name in ("size", "start", "precision", "compile"):
            if getattr(self, name) != plain[name]:
                raise InputError(f"{name} has no part in the training of a flow. Leave it out.")
        for name, unused in (("data", DataSection()), ("metrics", MetricsSection())):
            if getattr(self, name) != unused:
                raise InputError(f"the section {name} has no part in the training of a flow. Leave it out.")
        if len(set(self.codes.attributes)) < len(self.codes.attributes):
            raise InputError(f"codes.attributes names one twice: {', '.join(self.codes.attributes)}. Name each once.")

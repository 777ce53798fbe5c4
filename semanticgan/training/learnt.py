"""The perception networks that a training learns from, by the names under which its model records them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from semanticgan.perception.judges import network_name
from semanticgan.training.readers import START

if TYPE_CHECKING:
    from semanticgan.training.config import TrainingConfig
    from semanticgan.training.start import Start


def learnt_from(config: TrainingConfig, start: Start | None) -> tuple[str, ...]:
    """Those of the recipe, and those that its start learnt from."""
    given = {
        "parser": None if config.loss.parser == START else config.loss.parser,
        "classifier": config.loss.classifier,
        "extractor": config.features.extractor,
    }
    own = {network_name(kind, name) for kind, name in given.items() if name is not None}
    inherited = () if start is None else start.model.metadata.perception
    return tuple(sorted(own.union(inherited)))

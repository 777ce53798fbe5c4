"""The networks that metrics need, by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import torch

from semanticgan.metrics.metric import METRICS
from semanticgan.perception.classifier import DEFAULT, load_classifier
from semanticgan.perception.extractors import open_extractor
from semanticgan.perception.identity import open_identity_judge
from semanticgan.perception.judges import require_strangers
from semanticgan.perception.parser import load_parser
from semanticgan.perception.perceptual import open_distance


def open_networks(
    names: Sequence[str],
    device: torch.device | str,
    *,
    extractor: str,
    extractor_weights: str | Path | None = None,
    distance: str | None = None,
    distance_weights: str | Path | None = None,
    parser: str | None = None,
    classifier: str | None = None,
    identity: str | None = None,
    learnt_from: Collection[str] = (),
) -> dict[str, Any]:
    """The networks of an :class:`semanticgan.metrics.evaluation.Evaluation`, by the names of its attributes.

    Args:
        names: of metrics that are known.
        extractor: opened where a metric needs one, and so is the classifier.
        extractor_weights, distance_weights: files of Inception and of LPIPS's trunk, if not in PyTorch's cache.
        distance: perceptual; None is LPIPS where a metric needs one, else none.
        parser: name or file; None is none.
        classifier: name or file; None is the bundled one.
        identity: what tells people apart, opened where a metric needs it; None is face-api.
        learnt_from: networks that the model learnt from, which are refused.

    Raises:
        InputError: an unknown name, weights that are missing or others, or a network that the model learnt from.
    """
    needs = {need for name in names for need in METRICS[name].needs}
    distance = distance or ("lpips-vgg" if "distance" in needs else None)
    judges = {
        "extractor": extractor if "extractor" in needs else None,
        "distance": distance,
        "parser": parser,
        "classifier": (classifier or DEFAULT) if "classifier" in needs else None,
        "identity": (identity or "face-api") if "identity" in needs else None,
    }
    require_strangers(learnt_from, **judges)
    openers: dict[str, Callable[[str], Any]] = {
        "extractor": lambda name: open_extractor(name, extractor_weights, device),
        "distance": lambda name: open_distance(name, distance_weights, device),
        "parser": lambda name: load_parser(name, device),
        "classifier": lambda name: load_classifier(name, device),
        "identity": lambda name: open_identity_judge(name, device),
    }
    return {kind: openers[kind](name) if name else None for kind, name in judges.items()}

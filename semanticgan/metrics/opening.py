"""The networks that metrics need, by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from semanticgan.metrics.metric import METRICS
from semanticgan.perception.classifier import DEFAULT, load_classifier
from semanticgan.perception.extractors import open_extractor
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
) -> dict[str, Any]:
    """The attributes extractor, distance, parser and classifier of :class:`semanticgan.metrics.evaluation.Evaluation`.

    Args:
        names: of metrics that are known.
        extractor: opened where a metric needs one, and so is the classifier.
        extractor_weights, distance_weights: files of Inception and of LPIPS's trunk, if not in PyTorch's cache.
        distance: perceptual; None is LPIPS where a metric needs one, else none.
        parser: name or file; None is none.
        classifier: name or file; None is the bundled one.

    Raises:
        InputError: an unknown name, or weights that are missing or others.
    """
    needs = {need for name in names for need in METRICS[name].needs}
    distance = distance or ("lpips-vgg" if "distance" in needs else None)
    return {
        "extractor": open_extractor(extractor, extractor_weights, device) if "extractor" in needs else None,
        "distance": open_distance(distance, distance_weights, device) if distance else None,
        "parser": load_parser(parser, device) if parser else None,
        "classifier": load_classifier(classifier or DEFAULT, device) if "classifier" in needs else None,
    }

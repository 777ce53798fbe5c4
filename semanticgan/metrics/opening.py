"""An evaluation with the networks that its metrics need, opened and checked before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from semanticgan.metrics.evaluate import OPTIONS, require_given, require_known, require_measurable
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import needs_of
from semanticgan.model import Model
from semanticgan.perception.classifier import DEFAULT, load_classifier
from semanticgan.perception.extractors import open_extractor
from semanticgan.perception.identity import open_identity_judge
from semanticgan.perception.judges import require_strangers
from semanticgan.perception.parser import load_parser
from semanticgan.perception.perceptual import open_distance

NETWORKS: Mapping[str, str | None] = MappingProxyType(
    {
        "extractor": "inception",
        "distance": "lpips-vgg",
        "parser": None,
        "classifier": DEFAULT,
        "identity": "face-api",
    }
)
"""Networks that measure, by the attributes of an evaluation -> the one that a metric gets that needs one."""
_OF_NO_USE = ("extractor", "classifier", "identity")  # where no metric needs them


def networks_of(names: Sequence[str], given: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Kind -> names of the networks that metrics are measured with.

    Args:
        names: of metrics.
        given: names by kind; where none is given, the default if a metric needs one.
    """
    needs, found = needs_of(names), {}
    for kind, default in NETWORKS.items():
        if kind in needs or (given.get(kind) and kind not in _OF_NO_USE):
            found[kind] = given.get(kind) or ([default] if default else [])
    return found


def open_networks(
    names: Mapping[str, Sequence[str]],
    device: torch.device | str,
    weights: Mapping[str, str | Path | None] | None = None,
) -> dict[str, dict[str, Any]]:
    """Kind -> name -> network, each opened once.

    Args:
        names: by kind, of networks or of their files.
        weights: kind -> file of the weights of Inception or of LPIPS's trunk, if not in PyTorch's cache.

    Raises:
        InputError: an unknown name, or weights that are missing or others.
    """
    files = weights or {}
    several = len(names.get("extractor", ())) > 1  # of which Inception alone reads the file; a single one may refuse it
    openers: dict[str, Callable[[str], Any]] = {
        "extractor": lambda name: open_extractor(
            name, None if several and name != "inception" else files.get("extractor"), device
        ),
        "distance": lambda name: open_distance(name, files.get("distance"), device),
        "parser": lambda name: load_parser(name, device),
        "classifier": lambda name: load_classifier(name, device),
        "identity": lambda name: open_identity_judge(name, device),
    }
    return {kind: {name: openers[kind](name) for name in chosen} for kind, chosen in names.items()}


def open_evaluation(
    model: Model,
    names: Sequence[str],
    num_generated: int,
    networks: Mapping[str, str | None],
    *,
    weights: Mapping[str, str | Path | None] | None = None,
    learnt_from: Collection[str] = (),
    options: Mapping[str, str] = OPTIONS,
    **about: Any,
) -> Evaluation:
    """What metrics measure a model with, opened and checked.

    Args:
        names: of metrics.
        num_generated: pictures of the model.
        networks: kind, as in :data:`NETWORKS` -> name or file, None for the default. Distance and parser are used where
            they are given, the others where a metric needs them.
        weights: as of :func:`open_networks`.
        learnt_from: networks that the model learnt from, which are refused.
        options: as of :func:`semanticgan.metrics.evaluate.require_measurable`.
        about: the other attributes of the evaluation.

    Raises:
        InputError: an unknown metric or network, weights that are missing or others, a network that the model learnt
            from, or what :func:`semanticgan.metrics.evaluate.require_measurable` refuses.
    """
    require_known(names)
    chosen = networks_of(names, {kind: [name] for kind, name in networks.items() if name})
    judges = {kind: each[0] for kind, each in chosen.items() if each}
    require_strangers(learnt_from, **judges)
    require_given(names, {**about, **judges}.get, options)
    opened = open_networks(chosen, model.device, weights)
    only: dict[str, Any] = {kind: next(iter(each.values()), None) for kind, each in opened.items()}
    evaluation = Evaluation(model, num_generated, **only, **about)
    require_measurable(evaluation, names, options)
    return evaluation

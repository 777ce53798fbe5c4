"""Flows of a model: edits of its codes by named attributes, and the ``.safetensors`` files of the flows.

Tensors are those of the network. The metadata, all text, beside those of :mod:`semanticgan.formats.weights`:

==================  ==================================================================================
format              "semanticgan-flow"
config              JSON: style_dim, num_conditions, hidden, num_blocks
attributes          JSON list: name, low and high of each condition
rows                JSON of the Rows of the model's codes
model               JSON: "name" and "digest" of the model whose codes it transforms
training            JSON of whatever the training says of itself; "perception" names the networks it learnt from
licence             terms of the weights
data_licence        terms of the training data
==================  ==================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semanticgan.checkpoint import build
from semanticgan.directions.styleflow import StyleFlow
from semanticgan.errors import InputError, WeightsError, unknown_name
from semanticgan.formats.strict_json import parse_json, parse_object
from semanticgan.formats.weights import read_weights, write_weights
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.rows import Rows
from semanticgan.wrong_arguments import finite_number

FORMAT = "semanticgan-flow"
_REQUIRED = ("config", "attributes", "rows", "model", "training", "licence", "data_licence", "description")


@dataclass(frozen=True)
class Condition:
    """What one condition means.

    Attributes:
        name: as the classifier calls it.
        low, high: values, in the classifier's unit, that the flow knows as -1 and 1.

    Raises:
        InputError: low is not below high.
    """

    name: str
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise InputError(f"attribute {self.name!r} reaches from {self.low} to {self.high}. Give a low below high.")


@dataclass(frozen=True)
class LoadedFlow:
    """A flow of one model's codes.

    Attributes:
        flow: the network.
        attributes: of its conditions, in their order.
        rows: of the model's codes.
        model: "name" and "digest" of the model.
        training: figures of its training.
        licence: terms of the weights.
        data_licence: terms of the training data.
        description: one line.
    """

    flow: StyleFlow
    attributes: tuple[Condition, ...]
    rows: Rows
    model: Mapping[str, str] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    licence: str = "not stated"
    data_licence: str = "not stated"
    description: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the attributes."""
        return tuple(attribute.name for attribute in self.attributes)

    def conditions(self, values: Tensor) -> Tensor:
        """Values [N, C] in the classifier's units -> what the flow takes, -1 at low and 1 at high."""
        low, high = (values.new_tensor([getattr(each, end) for each in self.attributes]) for end in ("low", "high"))
        return (2.0 * values - low - high) / (high - low)

    def changed(self, values: Tensor, changes: Mapping[str, float]) -> Tensor:
        """Values [N, C] with some attributes set to others.

        Raises:
            InputError: an unknown attribute, or a value that is not finite.
        """
        changed = values.clone()
        for name, value in changes.items():
            if name not in self.names:
                raise unknown_name("attribute", name, self.names)
            changed[:, self.names.index(name)] = finite_number(name, value)
        return changed

    def edit(
        self, code: LatentCode, from_values: Tensor, to_values: Tensor, rows: Sequence[int] | None = None
    ) -> LatentCode:
        """A code with other attributes.

        Args:
            code: of the flow's model.
            from_values: [N, C] or [1, C], what its pictures show, as ``classifier.values(pictures, flow.names)``.
            to_values: what they are to show, such as ``flow.changed(from_values, {"smile": 1.0})``.
            rows: numbers of the rows that may change, such as ``code.rows.indices("mouth")``; None is all.

        Raises:
            InputError: a code of other rows, or what :meth:`StyleFlow.edit` refuses.
        """
        if code.rows != self.rows:
            raise InputError(f"the flow is of codes with {self.rows}, got {code.rows}. Use a code of its model.")
        old, new = self.conditions(from_values), self.conditions(to_values)
        edited = self.flow.edit(code.tensor, old, new, rows)
        return LatentCode(edited.to(code.tensor), code.rows)

    def require_model(self, model: Model) -> None:
        """Raises: InputError: the flow belongs to another model."""
        wanted, digest = self.model.get("digest", ""), model.metadata.digest
        if wanted != digest or self.rows != model.rows:
            raise InputError(
                f"the flow belongs to the model {self.model.get('name', '')!r} with the digest {wanted}; this model "
                f"has {digest or 'none'}. Use that model, or train a flow of this one (recipes styleflow-*)."
            )


def save_flow(path: str | Path, loaded: LoadedFlow, precision: str = "float32", overwrite: bool = False) -> None:
    """Write a flow.

    Raises:
        InputError: attributes that do not fit, weights that are not finite, another suffix, an existing file.
    """
    flow = loaded.flow
    if len(loaded.attributes) != flow.num_conditions:
        raise InputError(f"the flow has {flow.num_conditions} conditions, got {len(loaded.attributes)} attributes.")
    config = {"style_dim": flow.style_dim, "num_conditions": flow.num_conditions}
    texts = {
        "description": loaded.description or f"a flow of codes by {', '.join(loaded.names)}",
        "config": json.dumps({**config, "hidden": list(flow.hidden), "num_blocks": flow.num_blocks}),
        "attributes": json.dumps([dict(vars(attribute)) for attribute in loaded.attributes]),
        "rows": json.dumps(loaded.rows.to_dict()),
        "model": json.dumps(dict(loaded.model)),
        "training": json.dumps(dict(loaded.training)),
        "licence": loaded.licence,
        "data_licence": loaded.data_licence,
    }
    write_weights(path, FORMAT, flow.state_dict(), texts, precision, overwrite)


def load_flow(path: str | Path, model: Model | None = None, device: torch.device | str = "cpu") -> LoadedFlow:
    """Read a flow and verify every tensor in its file.

    Args:
        model: that it must belong to; the flow then goes to the model's device.
        device: of the flow, without a model.

    Raises:
        MissingFileError: no such file.
        WeightsError: the file is damaged, unsafe, or of something else.
        InputError: the flow belongs to another model.
    """
    raw, tensors = read_weights(path, FORMAT, _REQUIRED)
    what = f"flow {str(path)!r}"
    try:
        config = parse_object(raw["config"])
        sizes = int(config["style_dim"]), int(config["num_conditions"])
        hidden, num_blocks = [int(width) for width in config["hidden"]], int(config["num_blocks"])
        attributes = tuple(
            Condition(str(each["name"]), float(each["low"]), float(each["high"]))
            for each in parse_json(raw["attributes"], numbers_only=False)
        )
        rows = Rows.from_dict(parse_object(raw["rows"]))
        origin = {name: str(text) for name, text in parse_object(raw["model"], numbers_only=False).items()}
        training = parse_object(raw["training"], numbers_only=False)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise WeightsError(f"metadata of {what} cannot be used: {error}") from error
    if len(attributes) != sizes[1]:
        raise WeightsError(f"{what} has {len(attributes)} attributes and a network of {sizes[1]} conditions.")
    flow = build(lambda: StyleFlow(*sizes, hidden, num_blocks), tensors, what).eval().requires_grad_(False)
    about = (training, raw["licence"], raw["data_licence"], raw["description"])
    loaded = LoadedFlow(flow, attributes, rows, origin, *about)
    if model is not None:
        loaded.require_model(model)
    flow.to(device if model is None else model.device)
    return loaded

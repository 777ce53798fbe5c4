"""Labels: what tells the attributes of rendered pictures, one score per attribute.

A labeller is any object with ``attributes`` and a call from a :class:`~semanticgan.rendering.Rendering` to scores
[N, A]. Here: a classifier of the package, face-api for photographs, and measures of the model's own masks. Labels that
are known by name instead, of a CSV or of CelebAMask-HQ, are in :mod:`semanticgan.directions.tables`.

N images, A attributes, K regions, S side of the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from semanticgan.errors import InputError, unknown_name
from semanticgan.model import Model
from semanticgan.perception.classifier import AttributeClassifier, load_classifier
from semanticgan.perception.face_api import AgeGenderReader, ExpressionReader, open_age_gender, open_expression
from semanticgan.perception.face_api_networks import EXPRESSIONS, GENDERS
from semanticgan.registry import bundled
from semanticgan.rendering import Rendering

FACE_API = "face-api"
MASKS = "masks"
INVALID = -1e30
"""The score of a picture that an attribute cannot be told of; a fit leaves it out."""


@dataclass(frozen=True)
class Attribute:
    """What a score says.

    Attributes:
        name: such as "smile", "glasses" or, of a category, "hair_colour.blond".
        graded: a number whose size counts, such as years; else a logit, above 0 where the attribute is there.
    """

    name: str
    graded: bool


class Labeller(Protocol):
    """What tells attributes.

    Attributes:
        name: of the network or the measure, for files and messages.
        attributes: in the order of the scores.
    """

    name: str
    attributes: tuple[Attribute, ...]

    def __call__(self, rendering: Rendering) -> Tensor:
        """float32 [N, A], higher is more."""
        ...


class ClassifierLabels:
    """The attributes of a classifier: its numbers, its binary ones, and the values of its categories.

    A value's score is its log odds against the other values of its category. A binary attribute that is also a number
    is left out: the number says more.
    """

    def __init__(self, classifier: AttributeClassifier, name: str) -> None:
        self.classifier, self.name = classifier, name
        config = classifier.config
        numbers = [number.name for number in config.numbers]
        self._binary = [index for index, binary in enumerate(config.binary) if binary not in numbers]
        values = [f"{category}.{value}" for category, all_values in config.categories.items() for value in all_values]
        logits = [config.binary[index] for index in self._binary] + values
        self.attributes = (
            *(Attribute(number, True) for number in numbers),
            *(Attribute(logit, False) for logit in logits),
        )

    @torch.no_grad()
    def __call__(self, rendering: Rendering) -> Tensor:
        """float32 [N, A]."""
        classifier = self.classifier
        pictures = rendering.to_uint8().to(classifier.device)
        logits = classifier.network.read(classifier.features(pictures))
        odds = [_log_odds(part) for part in logits.categories]
        return torch.cat([logits.numbers, logits.binary[:, self._binary], *odds], 1).cpu()


class FaceApiLabels:
    """Smile, age and gender presentation of photographs, by face-api. On drawings it fails.

    Its age is 15 to 20 years too high for some women with dark skin.
    """

    name = FACE_API
    attributes: tuple[Attribute, ...] = (
        Attribute("smile", False),
        Attribute("age", True),
        Attribute("presentation.masculine", False),
    )

    def __init__(self, expression: ExpressionReader, age_gender: AgeGenderReader) -> None:
        self.expression, self.age_gender = expression, age_gender

    @torch.no_grad()
    def __call__(self, rendering: Rendering) -> Tensor:
        """float32 [N, 3]."""
        images = rendering.image.clamp(-1, 1)
        seen = self.age_gender(images)
        smile = _log_odds(self.expression(images).logits)[:, EXPRESSIONS.index("happy")]
        masculine = _log_odds(seen.logits)[:, GENDERS.index("male")]
        return torch.stack([smile, seen.years, masculine], 1).float().cpu()


class MaskLabels:
    """Measures of the model's own masks, in shares of the side: what no classifier of the package tells.

    ``eye_open`` is the mean height of the eyes' mask over its columns, ``brow_height`` how far the middle of the brows
    lies above that of the eyes, ``hair_reach`` how far down the hair reaches. Where a region is not seen the score is
    :data:`INVALID`.
    """

    name = MASKS

    def __init__(self, model: Model) -> None:
        names = model.regions.names
        self._labels = {name: label for label, name in enumerate(names)}
        self._measured = [name for name, (_, needs) in _MEASURES.items() if all(need in names for need in needs)]
        if not self._measured:
            raise InputError(f"masks measure eyes, eyebrows and hair; this model has the regions {', '.join(names)}.")
        self.attributes = tuple(Attribute(name, True) for name in self._measured)

    @torch.no_grad()
    def __call__(self, rendering: Rendering) -> Tensor:
        """float32 [N, A]."""
        labels = rendering.labels().cpu()
        scores = []
        for measure, needs in (_MEASURES[name] for name in self._measured):
            scores.append(measure(*((labels == self._labels[need]).float() for need in needs)))
        return torch.stack(scores, 1).nan_to_num(INVALID)


def _mean_height(mask: Tensor) -> Tensor:
    heights = mask.sum(1)  # [N, S]
    return heights.sum(1) / (heights > 0).sum(1) / heights.shape[1]


def _reach(mask: Tensor) -> Tensor:
    rows = mask.amax(2)  # [N, S]
    side = rows.shape[1]
    reach = (rows * torch.arange(1, side + 1)).amax(1) / side
    return reach.where(reach > 0, torch.nan)


_MEASURES: dict[str, tuple[Callable[..., Tensor], tuple[str, ...]]] = {
    "eye_open": (_mean_height, ("eye",)),
    "brow_height": (lambda eye, brow: _middle(eye) - _middle(brow), ("eye", "eyebrow")),
    "hair_reach": (_reach, ("hair",)),
}


def open_labels(name_or_path: str | Path, model: Model) -> Labeller:
    """A labeller by name: "face-api", "masks", a bundled classifier or the file of one; several, comma-separated.

    Raises:
        InputError: an unknown name, or weights that are not there.
    """
    name = str(name_or_path)
    if "," in name:
        return JoinedLabels([open_labels(part.strip(), model) for part in name.split(",")])
    if name == FACE_API:
        return FaceApiLabels(open_expression(model.device), open_age_gender(model.device))
    if name == MASKS:
        return MaskLabels(model)
    known = bundled("classifiers")
    if name not in known and not name.endswith(".safetensors"):
        raise unknown_name("labels", name, (*known, FACE_API, MASKS))
    return ClassifierLabels(load_classifier(name_or_path, model.device), Path(name).stem)


class JoinedLabels:
    """The attributes of several labellers.

    Raises:
        InputError: an attribute that two of them tell.
    """

    def __init__(self, labellers: Sequence[Labeller]) -> None:
        self._labellers = tuple(labellers)
        self.name = ",".join(each.name for each in labellers)
        self.attributes = tuple(attribute for each in labellers for attribute in each.attributes)
        names = [attribute.name for attribute in self.attributes]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(
                f"two of the labels {self.name} tell {twice!r}. Give labels that tell different attributes."
            )

    def __call__(self, rendering: Rendering) -> Tensor:
        """float32 [N, A]."""
        return torch.cat([each(rendering) for each in self._labellers], 1)


class Labels:
    """Attributes told by a function of your own: ``Labels("light", ["bright"], lambda r: r.image.mean((1, 2, 3)))``.

    Args:
        name: of the labeller.
        attributes: names.
        tell: a Rendering -> [N] or [N, A].
        graded: whether the scores are numbers; else logits.
    """

    def __init__(
        self, name: str, attributes: Sequence[str], tell: Callable[[Rendering], Tensor], graded: bool = True
    ) -> None:
        self.name, self._tell = name, tell
        self.attributes = tuple(Attribute(each, graded) for each in attributes)

    @torch.no_grad()
    def __call__(self, rendering: Rendering) -> Tensor:
        """float32 [N, A].

        Raises:
            InputError: scores of another shape.
        """
        scores = self._tell(rendering).float().cpu()
        scores = scores[:, None] if scores.ndim == 1 else scores
        if scores.shape != (len(rendering.image), len(self.attributes)):
            raise InputError(
                f"the labels {self.name!r} gave {list(scores.shape)} for {len(rendering.image)} images and "
                f"{len(self.attributes)} attributes. Return [N] or [N, A]."
            )
        return scores


def _log_odds(logits: Tensor) -> Tensor:
    """log(p / (1 - p)) of each value of a softmax, [N, V]."""
    others = [
        logits[:, [v for v in range(logits.shape[1]) if v != value]].logsumexp(1) for value in range(logits.shape[1])
    ]
    return logits - torch.stack(others, 1)


def _middle(mask: Tensor) -> Tensor:
    """Mean row of a mask [N, S, S], in shares of the side; NaN where it is empty."""
    side = mask.shape[1]
    rows = mask.sum(2)
    return (rows * torch.arange(side)).sum(1) / rows.sum(1) / side

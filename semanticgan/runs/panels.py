"""Which charts a report of a run has: its curves grouped by what stands before the "/", known groups first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from semanticgan.runs.charts import Chart, Mark
from semanticgan.runs.curves import Curve
from semanticgan.runs.record import RunRecord

# Part of a name before "/" -> the group's title.
_GROUPS: Mapping[str, str] = {
    "loss": "Losses",
    "score": "Scores of D",
    "metric": "Metrics",
    "r1": "R1",
    "path_length": "Path length",
    "augmentation": "Augmentation",
    "learning_rate": "Learning rates",
    "speed": "Speed",
    "memory": "Memory",
}
_TOGETHER = (  # curves that are read against each other, and the title of their chart
    ("Adversarial losses", ("loss/discriminator", "loss/generator")),
    ("Losses by features", ("loss/discriminator_features", "loss/generator_features")),
    ("Scores", ("score/real", "score/fake")),
    ("Scores by features", ("score/real_features", "score/fake_features")),
    ("Learning rates", ("learning_rate/generator", "learning_rate/discriminator")),
)
_TITLES = {
    "loss/mask": "Mask regulariser",
    "loss/agreement": "Agreement with the parser",
    "loss/coarse_agreement": "Agreement of coarse masks with the parser",
    "loss/rates": "Divergence of attributes' rates",
    "loss/depth": "Depths beyond the limit",
    "loss/ownership": "Regions that others paint",
    "loss/locality": "What regions paint elsewhere",
    "r1/features": "R1 of the features' scores",
    "r1/image": "R1 on pictures",
    "r1/segmentation": "R1 on segmentations",
    "path_length/penalty": "Path length penalty",
    "path_length/mean": "Mean path length",
    "augmentation/probability": "Probability of augmentation",
    "augmentation/sign": "Sign of the scores of real pictures",
    "speed/images_per_second": "Speed",
    "memory/peak_gigabytes": "Peak memory",
}
_NOTES = {  # title of a chart -> what a reader should know
    "Adversarial losses": "Softplus losses. Dashed, 1.39: D is at chance. Near 0 D separates the sets easily.",
    "Mask regulariser": "How far segmentations stray from what the local generators say.",
    "Losses by features": "Of the discriminator of a frozen network's features. Dashed, 1.39: it is at chance.",
    "Agreement with the parser": "One minus the Dice coefficient of the labels and a parser's reading of the pictures.",
    "Depths beyond the limit": "How far regions lie behind the nearest, beyond the limit, on average.",
    "Scores by features": "Means over a batch and over the frozen network's maps.",
    "R1 of the features' scores": "Squared norm of the gradient at real pictures, before its weight.",
    "Scores": "Means over a batch, before the sigmoid. The further apart, the easier real is told from generated.",
    "R1 on pictures": "Squared norm of the score's gradient at real pictures, before its weight.",
    "R1 on segmentations": "Squared norm of the score's gradient at real segmentations, before its weight.",
    "Path length penalty": "Spread of how far a picture moves with its latent code, before its weight.",
    "Mean path length": "How far a picture moves with its latent code, a running mean.",
    "Probability of augmentation": "Of each transform, steered by the sign of the scores of real pictures; at most 1.",
    "Sign of the scores of real pictures": "Its mean; near 1, the discriminator knows the pictures by heart.",
    "Speed": "Depends on the machine and on what else it does.",
    "Learning rates": "Of Adam, lowered where lazy regularisation adds steps.",
}
_LABELS = {
    "loss/discriminator": "D",
    "loss/generator": "G",
    "score/fake": "generated",
    "loss/discriminator_features": "D",
    "loss/generator_features": "G",
    "score/real_features": "real",
    "score/fake_features": "generated",
}
_UNITS = {"speed/images_per_second": "images/s", "memory/peak_gigabytes": "GB"}
_MARKS = {
    "loss/discriminator": Mark(2 * math.log(2), "1.39, chance"),
    "loss/discriminator_features": Mark(2 * math.log(2), "1.39, chance"),
    "augmentation/probability": Mark(1.0, "limit"),
}


@dataclass(frozen=True)
class Panel:
    """Charts of one group.

    Attributes:
        title: of the group.
        charts: at least one.
        notes: a sentence on each chart that is known, by its title.
    """

    title: str
    charts: tuple[Chart, ...]
    notes: Mapping[str, str]


def panels(record: RunRecord) -> list[Panel]:
    """All curves of a run, each in one chart."""
    curves = {**record.curves, **record.clock.curves}
    groups: dict[str, list[Chart]] = {}
    for title, names in _in_charts(curves):
        groups.setdefault(names[0].partition("/")[0], []).append(
            _chart(title, [curves[name] for name in names], record)
        )
    known = [name for name in _GROUPS if name in groups]
    order = [*known, *(name for name in groups if name not in _GROUPS)]
    return [Panel(_GROUPS.get(name, _words(name)), tuple(groups[name]), _NOTES) for name in order]


def _in_charts(curves: Iterable[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Title and names of each chart, those that hold several curves first."""
    names = list(curves)
    shared = [(title, group) for title, group in _TOGETHER if all(name in names for name in group)]
    taken = {name for _, group in shared for name in group}
    return [*shared, *((_TITLES.get(name, _words(name)), (name,)) for name in names if name not in taken)]


def _chart(title: str, curves: list[Curve], record: RunRecord) -> Chart:
    names = [curve.name for curve in curves]
    return Chart(
        title,
        tuple(curves),
        tuple(_LABELS.get(name) or _words(name.rpartition("/")[2]) for name in names),
        max(record.images, *(int(curve.images[-1]) for curve in curves)),
        unit=_UNITS.get(names[0], ""),
        marks=tuple(_MARKS[name] for name in names if name in _MARKS),
    )


def _words(name: str) -> str:
    return name.replace("_", " ").replace("/", ", ")

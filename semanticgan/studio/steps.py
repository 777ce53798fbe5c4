"""What each of the four design steps varies.

1. Face: another code. 2. Style: the base rows and every structure row. 3. Colouring: the texture rows of hair, eyes,
skin and clothes. 4. Details: the structure rows of eyes, mouth, nose and eyebrows.

A step offers sixteen pictures; the n-th after s shuffles takes its rows from the sample of seed
``1,000,000 (step - 1) + 16 s + n``, so that an offer can be made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from semanticgan.edits import Edit, Operation
from semanticgan.edits.operations import Mix
from semanticgan.edits.sources import Source
from semanticgan.errors import InputError
from semanticgan.model import Model
from semanticgan.studio.scripts import require_free
from semanticgan.wrong_arguments import whole_number

NUM_OFFERED = 16
MOST_SHUFFLES = 60_000
TRUNCATION = 0.8
"""Of offered codes: nearer to the mean face than a sample, so that fewer of sixteen are odd."""

_SEEDS_APART = 1_000_000
_VARIATIONS = 5  # offers of the editor come after those of the steps


@dataclass(frozen=True)
class Step:
    """A step of the design.

    Attributes:
        title: one word.
        hint: what it changes, for the page.
        regions: whose rows it takes; None for all.
        what: "structure", "texture" or "both".
        include_base: whether it takes the base rows, too.
    """

    title: str
    hint: str
    regions: tuple[str, ...] | None = None
    what: str = "both"
    include_base: bool = False


STEPS = (
    Step("Face", "Choose a face to begin with."),
    Step("Style", "The same colours in other shapes: pose, outline, hair.", None, "structure", True),
    Step(
        "Colouring",
        "The same shapes in other colours: hair, eyes, skin, clothes.",
        ("hair", "eye", "face", "cloth"),
        "texture",
    ),
    Step("Details", "Other eyes, mouth, nose and eyebrows.", ("eye", "mouth", "nose", "eyebrow"), "structure"),
)


def offered_seeds(step: int, shuffle: int) -> list[int]:
    """The sixteen seeds of a step from 1 on (5 for variations) after some shuffles.

    Raises:
        InputError: no such number of shuffles.
    """
    shuffle = whole_number("shuffle", shuffle, 0, MOST_SHUFFLES)
    first = _SEEDS_APART * (step - 1) + NUM_OFFERED * shuffle
    return list(range(first, first + NUM_OFFERED))


def faces(shuffle: int) -> list[Edit]:
    """What the first step offers."""
    return [Edit(seed, truncation=TRUNCATION) for seed in offered_seeds(1, shuffle)]


def operations(model: Model, step: int, shuffle: int, locked: Sequence[str] = ()) -> list[Operation]:
    """What the second to fourth step offers.

    Args:
        locked: names of regions whose rows stay. With any, the base rows stay too: all regions share them.

    Raises:
        InputError: a model that has none of the step's regions, or all of them are locked.
    """
    varied = STEPS[step - 1]
    names = model.regions.names
    regions = names if varied.regions is None else tuple(name for name in varied.regions if name in names)
    if not regions:
        raise InputError(f"this model has none of the regions of the step {varied.title!r}. Go on with another step.")
    free = require_free(regions, locked)
    return _mixes(free, varied.what, varied.include_base and not locked, offered_seeds(step, shuffle))


def variations(
    model: Model, regions: Iterable[str], what: str, shuffle: int, locked: Sequence[str] = ()
) -> list[Operation]:
    """Sixteen variations of some regions, those that are locked excepted.

    Raises:
        InputError: an unknown region, or none that is not locked.
    """
    labels = model.regions.indices(list(regions))
    names = tuple(model.regions.names[label] for label in labels)
    return _mixes(require_free(names, locked), what, False, offered_seeds(_VARIATIONS, shuffle))


def _mixes(regions: tuple[str, ...], what: str, include_base: bool, seeds: list[int]) -> list[Operation]:
    return [Mix(regions, Source.of(seed, truncation=TRUNCATION), what, include_base) for seed in seeds]

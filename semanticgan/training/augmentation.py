"""Adaptive discriminator augmentation (Karras et al. 2020, arXiv 2006.06676), for pictures with regions.

The discriminator sees every picture, real or generated, through random transforms, each applied with probability p,
and p follows how sure the discriminator is of the real ones. The transforms are the "bgc" set of Appendix B there:
pixel blitting, general geometry, colour. Picture and segmentation take the same geometric transform; colour changes
the picture alone.

Where this departs from Appendix B: pictures are brought to twice the density by a 6-tap interpolation filter, which
passes the given pixels through, and not by a wavelet; they are sampled from there without a low-pass filter, so that
what is made smaller is not smoothed first. The segmentation is sampled bilinearly from its own pixels, and so stays
within the range it had. Both are mirrored at the centres of their outermost pixels.

Shape legend: N images, K regions, S side of the picture, G geometric transforms, C colour transforms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.networks.layers import widened

# What has a chance of its own, in the order of Appendix B, Figure 2.
GEOMETRIC = (
    "flip",
    "quarter_turn",
    "whole_translation",
    "scale",
    "turn_before",
    "stretch",
    "turn_after",
    "translation",
)
COLOUR = ("brightness", "contrast", "luma_flip", "hue", "saturation")
_TURNS = ("turn_before", "turn_after")
# What each transform needs beside its chance.
_UNIFORM = ("flip", "quarter_turn", "whole_x", "whole_y", "turn_before", "turn_after", "luma_flip", "hue")
_NORMAL = ("scale", "stretch", "x", "y", "brightness", "contrast", "saturation")
_NUM_CHANCES, _NUM_UNIFORM = len(GEOMETRIC) + len(COLOUR), len(_UNIFORM)
_NUM_DRAWS = _NUM_CHANCES + _NUM_UNIFORM + len(_NORMAL)

# Spreads of Appendix B; of scale, stretch, contrast and saturation they are of the binary logarithm.
_WHOLE_TRANSLATION, _TRANSLATION = 0.125, 0.125  # shares of the side: largest, standard deviation
_SCALE, _STRETCH = 0.2, 0.2
_BRIGHTNESS, _CONTRAST, _SATURATION = 0.2, 0.5, 1.0

# Half-way between two pixels: the polynomial of degree 5 through the six nearest (Lagrange).
_HALFWAY = (150 / 256, -25 / 256, 3 / 256)
_SMALLEST_SIDE = len(_HALFWAY) + 1


def augment(
    image: Tensor,
    segmentation: Tensor | None,
    probability: Tensor | float,
    draws: Sequence[torch.Generator],
    *,
    flip_table: Tensor | None = None,
    geometric: bool = True,
    colour: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """Pictures and segmentations as the discriminator is to see them.

    A picture on which no transform falls comes back bit for bit. Gradients flow to both inputs, once: the sampling
    has no second derivative. Nothing is read back from the device. On CUDA the gradients of the sampling are sums in
    no fixed order (:func:`torch.nn.functional.grid_sample`).

    Args:
        image: [N, 3, S, S] about [-1, 1], S of 4 or more. Less than float32 is worked on in float32.
        segmentation: [N, K, S, S], or None.
        probability: p in [0, 1]; a tensor without axes on the device, or a number.
        draws: N random streams on the CPU, one a picture. What happens to a picture follows from its own stream and
            ``probability`` alone; as many numbers are drawn whatever the other arguments are.
        flip_table: int64 [K] on the device of the segmentation, the region that each becomes in a mirrored picture
            (the first K of :meth:`semanticgan.regions.RegionScheme.flip_table`). None exchanges none.
        geometric: apply the geometric transforms.
        colour: apply the colour transforms.

    Returns:
        Both, in shape and dtype as they were given.

    Raises:
        InputError: not one stream a picture, or a picture that is not square or too small.
    """
    num_images, _, height, width = image.shape
    if len(draws) != num_images:
        raise InputError(f"{num_images} pictures came with {len(draws)} random streams. Give one stream a picture.")
    if height != width or height < _SMALLEST_SIDE:
        raise InputError(
            f"pictures of {height} x {width} pixels cannot be augmented. Give square ones, {_SMALLEST_SIDE} or more."
        )
    work = widened(image)
    chances, moves, recolourings = _drawn(draws, height, work)
    falls = chances < _thresholds(probability, work)
    if geometric:
        moves = _where_it_falls(falls[:, : len(GEOMETRIC)], moves)
        inverse = _product(moves.unbind(1))
        image = _moved(image, inverse, dense=True)
        if segmentation is not None:
            if flip_table is not None:
                mirrored = segmentation.index_select(1, flip_table)
                segmentation = _choose(moves[:, 0, 0, 0] < 0, mirrored, segmentation)
            segmentation = _moved(segmentation, inverse, dense=False)
    if colour:
        recolourings = _where_it_falls(falls[:, len(GEOMETRIC) :], recolourings)
        image = _recoloured(image, _product(recolourings.flip(1).unbind(1)))  # the last stands leftmost
    return image, segmentation


def _drawn(draws: Sequence[torch.Generator], side: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """All that is random, made on the CPU and carried over in one piece.

    Returns:
        Chances [N, G + C] uniform in [0, 1), inverse moves [N, G, 3, 3] of :func:`_inverse_moves`, and recolourings
        [N, C, 4, 4] of :func:`_recolourings`, as the dtype and on the device of ``like``.
    """
    uniform = torch.stack([torch.rand(_NUM_DRAWS, generator=stream) for stream in draws])
    chances, values = uniform[:, :_NUM_CHANCES], uniform[:, _NUM_CHANCES:].double()
    number = dict(zip(_UNIFORM, values[:, :_NUM_UNIFORM].unbind(1), strict=True))
    # torch.rand is a multiple of 2^-24: the middles of these steps have a finite normal quantile.
    normal = torch.special.ndtri(values[:, _NUM_UNIFORM:] + 2.0**-25)
    number |= {f"normal_{name}": column for name, column in zip(_NORMAL, normal.unbind(1), strict=True)}
    moves, recolourings = _inverse_moves(number, side), _recolourings(number)
    table = torch.cat([chances.double(), moves.flatten(1), recolourings.flatten(1)], dim=1)
    table = table.to(like.dtype).to(like.device, non_blocking=True)
    parts = table.split([_NUM_CHANCES, moves[0].numel(), recolourings[0].numel()], dim=1)
    return parts[0], parts[1].view(moves.shape), parts[2].view(recolourings.shape)


def _inverse_moves(number: dict[str, Tensor], side: int) -> Tensor:
    """The inverse of each geometric transform, float64 [N, G, 3, 3], in the order of ``GEOMETRIC``.

    A matrix takes (x, y, 1) of the result to the place it comes from. Coordinates are -1 and 1 at the centres of the
    outermost pixels, y downwards; turns are counter-clockwise.
    """
    one, zero = torch.ones_like(number["flip"]), torch.zeros_like(number["flip"])
    pixel = 2.0 / (side - 1)

    def translation(x: Tensor, y: Tensor) -> Tensor:
        return _matrices([[one, zero, -pixel * x], [zero, one, -pixel * y], [zero, zero, one]])

    def turn(cosine: Tensor, sine: Tensor) -> Tensor:
        return _matrices([[cosine, -sine, zero], [sine, cosine, zero], [zero, zero, one]])

    def scale(x: Tensor, y: Tensor) -> Tensor:
        return _matrices([[1 / x, zero, zero], [zero, 1 / y, zero], [zero, zero, one]])

    quarter = (4 * number["quarter_turn"]).floor() * (math.pi / 2)
    before, after = (math.pi * (2 * number[name] - 1) for name in _TURNS)
    furthest = _WHOLE_TRANSLATION * side
    size, stretch = 2 ** (_SCALE * number["normal_scale"]), 2 ** (_STRETCH * number["normal_stretch"])
    moves = {
        "flip": scale(torch.where(number["flip"] < 0.5, one, -one), one),
        "quarter_turn": turn(quarter.cos().round(), quarter.sin().round()),  # whole numbers, so that it is exact
        "whole_translation": translation(
            *(((2 * number[name] - 1) * furthest).round() for name in ("whole_x", "whole_y"))
        ),
        "scale": scale(size, size),
        "turn_before": turn(before.cos(), before.sin()),
        "stretch": scale(stretch, 1 / stretch),
        "turn_after": turn(after.cos(), after.sin()),
        "translation": translation(*(_TRANSLATION * side * number[name] for name in ("normal_x", "normal_y"))),
    }
    return torch.stack([moves[name] for name in GEOMETRIC], dim=1)


def _recolourings(number: dict[str, Tensor]) -> Tensor:
    """Each colour transform on (R, G, B, 1) in [-1, 1], float64 [N, C, 4, 4], in the order of ``COLOUR``.

    The luma axis is grey, (1, 1, 1) / sqrt(3).
    """
    one, zero = torch.ones_like(number["hue"]), torch.zeros_like(number["hue"])

    def linear(diagonal: Tensor, before: Tensor, after: Tensor, offset: Tensor = zero) -> Tensor:
        """Every channel takes a share of itself, of the channel before it and of the one after it (cyclic)."""
        return _matrices(
            [
                [diagonal, after, before, offset],
                [before, diagonal, after, offset],
                [after, before, diagonal, offset],
                [zero, zero, zero, one],
            ]
        )

    brightness, contrast = _BRIGHTNESS * number["normal_brightness"], 2 ** (_CONTRAST * number["normal_contrast"])
    flip = torch.where(number["luma_flip"] < 0.5, zero, one)
    angle = math.pi * (2 * number["hue"] - 1)
    grey, sine = (1 - angle.cos()) / 3, angle.sin() / math.sqrt(3)
    saturation = 2 ** (_SATURATION * number["normal_saturation"])
    recolourings = {
        "brightness": linear(one, zero, zero, brightness),
        "contrast": linear(contrast, zero, zero),
        "luma_flip": linear(1 - 2 / 3 * flip, -2 / 3 * flip, -2 / 3 * flip),  # mirrored at the plane across grey
        "hue": linear(angle.cos() + grey, grey + sine, grey - sine),  # turned about grey (Rodrigues)
        "saturation": linear((1 + 2 * saturation) / 3, (1 - saturation) / 3, (1 - saturation) / 3),
    }
    return torch.stack([recolourings[name] for name in COLOUR], dim=1)


def _matrices(rows: list[list[Tensor]]) -> Tensor:
    """Entries [N] -> matrices [N, rows, columns]."""
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def _thresholds(probability: Tensor | float, like: Tensor) -> Tensor:
    """The chance of each transform, [G + C], of the dtype and on the device of ``like``.

    Two turns of 1 - sqrt(1 - p) each make one or the other fall with p (Appendix B).
    """
    if isinstance(probability, Tensor):
        chance = probability.detach().to(like.device, like.dtype).reshape(())
    else:
        chance = torch.full((), float(probability), dtype=like.dtype, device=like.device)  # no copy from the host
    turns = 1 - (1 - chance).sqrt()
    return torch.stack([turns if name in _TURNS else chance for name in (*GEOMETRIC, *COLOUR)])


def _identity_like(matrices: Tensor) -> Tensor:
    return torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)


def _where_it_falls(falls: Tensor, matrices: Tensor) -> Tensor:
    """Matrices [N, T, R, R] where ``falls``, bool [N, T], says so; elsewhere the identity."""
    return torch.where(falls[:, :, None, None], matrices, _identity_like(matrices))


def _product(matrices: Sequence[Tensor]) -> Tensor:
    """The product of matrices [N, R, R], the first leftmost.

    Written out, since a matmul of the device may round to bfloat16 or TF32, and differently in another batch.
    """
    product = matrices[0]
    for right in matrices[1:]:
        terms = [product[:, :, k, None] * right[:, k, None, :] for k in range(right.shape[-1])]
        product = sum(terms[1:], start=terms[0])
    return product


def _choose(wanted: Tensor, picture: Tensor, otherwise: Tensor) -> Tensor:
    """Per picture, [N, C, S, S]: ``picture`` where ``wanted``, bool [N], else ``otherwise``."""
    return torch.where(wanted[:, None, None, None], picture, otherwise)


def _changes(matrices: Tensor) -> Tensor:
    """Which of the matrices [N, R, R] are not the identity, bool [N]."""
    return (matrices != _identity_like(matrices)).flatten(1).any(1)


def _moved(picture: Tensor, inverse: Tensor, dense: bool) -> Tensor:
    """Pictures [N, C, S, S] under the moves of inverse [N, 3, 3], in one sampling; the others as they are.

    Args:
        picture: any channels.
        inverse: from places of the result to places of ``picture``, in the coordinates of :func:`_inverse_moves`.
        dense: sample from twice the density, which keeps a picture sharp.
    """
    line = torch.linspace(-1, 1, picture.shape[-1], dtype=inverse.dtype, device=inverse.device)
    rows = inverse[:, :2, :, None, None]  # [N, 2, 3, 1, 1]
    places = rows[:, :, 0] * line + rows[:, :, 1] * line[:, None] + rows[:, :, 2]  # [N, 2, S, S]
    source = widened(picture)
    if dense:
        source = _twice_as_dense(_twice_as_dense(source).mT).mT
    grid = places.permute(0, 2, 3, 1).to(source.dtype)
    moved = F.grid_sample(source, grid, mode="bilinear", padding_mode="reflection", align_corners=True)
    return _choose(_changes(inverse), moved.to(picture.dtype), picture)


def _twice_as_dense(picture: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, C, H, 2 W - 1]: the pixels as they are, and between each two one that is interpolated."""
    reach, between = len(_HALFWAY) - 1, picture.shape[-1] - 1
    # Mirrored by hand: on CUDA the gradients of F.pad are sums in no fixed order.
    start, end = picture[..., 1 : 1 + reach], picture[..., -1 - reach : -1]
    wide = torch.cat([start.flip(-1), picture, end.flip(-1)], dim=-1)
    pairs = [
        tap * (wide[..., reach - k : reach - k + between] + wide[..., reach + 1 + k : reach + 1 + k + between])
        for k, tap in enumerate(_HALFWAY)
    ]
    halfway = sum(pairs[1:], start=pairs[0])
    woven = torch.stack([picture[..., :-1], halfway], dim=-1).flatten(-2)
    return torch.cat([woven, picture[..., -1:]], dim=-1)


def _recoloured(image: Tensor, matrix: Tensor) -> Tensor:
    """Pictures [N, 3, S, S] under the colour matrices [N, 4, 4]; those of the identity as they are."""
    work = widened(image)
    columns = matrix[:, :3, :, None, None]  # [N, 3, 4, 1, 1]
    terms = [columns[:, :, k] * work[:, k : k + 1] for k in range(3)]
    recoloured = sum(terms, start=columns[:, :, 3])
    return _choose(_changes(matrix), recoloured.to(image.dtype), image)


class AdaptiveProbability:
    """p, steered by the sign of the discriminator's scores of real pictures (Section 3.2 of arXiv 2006.06676).

    r = E[sign D(real)] over the pictures since the last update says how far the discriminator overfits: 0 not at all,
    1 fully. Where r is above its target, p grows by a fixed step, and where it is below, p falls. All of it stays on
    the device.

    Args:
        start: p of the beginning.
        target: of r; 0.6 in the paper.
        images_to_one: pictures in which p could go from 0 to 1; 500,000 in the paper.
        every: steps between two updates; 4 in the paper.
        batch: pictures a step, over all processes.
        device: where the scores are.
        limit: the highest p. The paper finds augmentations to leak into what is generated above 0.8.

    Attributes:
        value: p, a float32 without axes on the device; it is changed in place.
        last_sign: r of the last update, the same way; 0 before the first.

    Raises:
        InputError: a number out of range.
    """

    def __init__(
        self,
        start: float,
        target: float,
        images_to_one: float,
        every: int,
        batch: int,
        device: torch.device | str,
        limit: float = 1.0,
    ) -> None:
        if not 0 <= limit <= 1 or not 0 <= start <= limit:
            raise InputError(
                f"an augmentation probability from {start} up to {limit} was asked for. Give a start of 0 or more, and "
                "a limit from there to 1."
            )
        if not -1 <= target <= 1:
            raise InputError(f"a mean sign of the real scores of {target} was aimed at. Give -1 to 1.")
        if not 0 < images_to_one < math.inf or every < 1 or batch < 1:
            raise InputError(
                f"augmentation cannot grow to 1 in {images_to_one} pictures, by an update every {every} steps of "
                f"{batch} pictures. Give numbers above 0."
            )
        self.target, self.every, self.limit = target, every, limit
        self.change = batch * every / images_to_one
        self.value = torch.full((), start, dtype=torch.float32, device=device)
        self.last_sign = torch.zeros_like(self.value)
        self._signs = torch.zeros(2, dtype=torch.float32, device=device)  # their sum, and how many

    @torch.no_grad()
    def observe(self, real_score: Tensor) -> None:
        """Take note of the scores [N, 1] of this process's real pictures."""
        self._signs[0] += real_score.detach().float().sign().sum()
        self._signs[1] += real_score.numel()

    @torch.no_grad()
    def update(self, step: int, reduce: Callable[[Tensor], Tensor] | None = None) -> None:
        """Move p, where ``step`` is a multiple of ``every`` and something was observed since the last time.

        Args:
            step: number of steps done, this one included.
            reduce: sums a tensor over the processes; it is called at the same steps in all of them.
        """
        if step % self.every:
            return
        total, count = (self._signs if reduce is None else reduce(self._signs.clone())).unbind()
        mean_sign = total / count.clamp(min=1)
        direction = (mean_sign - self.target).sign() * (count > 0)
        self.last_sign.copy_(torch.where(count > 0, mean_sign, self.last_sign))
        self.value.add_(direction * self.change).clamp_(0, self.limit)
        self._signs.zero_()

    def state(self, reduce: Callable[[Tensor], Tensor] | None = None) -> dict[str, Tensor]:
        """All that a resumed run needs, as copies; ``reduce`` sums a tensor over the processes."""
        signs = self._signs.clone()
        signs = signs if reduce is None else reduce(signs)
        return {"value": self.value.clone(), "last_sign": self.last_sign.clone(), "signs": signs}

    def load_state(self, state: dict[str, Tensor], first: bool = True) -> None:
        """Go on from :meth:`state`; what was observed since the last update is taken up by the first process alone."""
        self.value.copy_(state["value"])
        self.last_sign.copy_(state["last_sign"])
        self._signs.copy_(state["signs"] if first else torch.zeros_like(self._signs))

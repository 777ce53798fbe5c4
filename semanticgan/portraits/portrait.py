"""One portrait from start to finish, in the order in which a painter lays it down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semanticgan.errors import InputError
from semanticgan.portraits.attributes import PortraitAttributes
from semanticgan.portraits.background import draw_background
from semanticgan.portraits.body import Body, draw_clothes, draw_ear, near_side, neck_paint
from semanticgan.portraits.canvas import Canvas
from semanticgan.portraits.face import draw_beard, face_paint, skin_ramp, warm_face
from semanticgan.portraits.features import SIDES, draw_age, draw_brow, draw_eye, draw_mouth, draw_nose
from semanticgan.portraits.geometry import Array, Head, Pose, hull
from semanticgan.portraits.hair_paint import front_hair_mask, hair_textures, paint_back_hair
from semanticgan.portraits.hair_shape import shape_hair
from semanticgan.portraits.palette import palette_of
from semanticgan.portraits.sampling import sample_attributes
from semanticgan.portraits.shading import Sitter
from semanticgan.portraits.styles import DrawingStyle, drawing_style
from semanticgan.portraits.wear import draw_earring, draw_glasses, draw_hat
from semanticgan.portraits.woodcut import print_woodcut
from semanticgan.seeds import sequence


@dataclass(frozen=True)
class Portrait:
    """A drawn portrait.

    Attributes:
        image: uint8 [size, size, 3], RGB.
        labels: uint8 [size, size], ids of :data:`semanticgan.regions.CELEBAMASK_13`.
        attributes: who is in it.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    attributes: PortraitAttributes


def _streams(seed: int, index: int) -> tuple[np.random.Generator, np.random.Generator]:
    """One generator for the record and one for where strands and leaves fall, both from (seed, index) alone."""
    if index < 0:
        raise InputError(f"portrait index {index}: give 0 or more.")
    record, details = sequence(seed, index).spawn(2)
    return np.random.Generator(np.random.PCG64(record)), np.random.Generator(np.random.PCG64(details))


def portrait_attributes(seed: int, index: int) -> PortraitAttributes:
    """The record of portrait ``index`` of a seed, without drawing it."""
    return sample_attributes(_streams(seed, index)[0])


def draw_portrait(seed: int, index: int, size: int, style: str | DrawingStyle = "storybook") -> Portrait:
    """Draws portrait ``index`` of a seed: the same arguments give the same bytes in any process and order.

    The record, and who is drawn, do not depend on ``size`` or ``style``.

    Args:
        seed: 0 or more; another seed is another endless series.
        index: 0 or more.
        size: side of the picture in pixels, 16 to 1024. Below 48 small things (an earring) may be lost.
        style: a drawing style or its name.

    Raises:
        InputError: a negative seed or index, a size out of range, an unknown style.
    """
    if not 16 <= size <= 1024:
        raise InputError(f"portrait size {size}: give a resolution of 16 to 1024 pixels.")
    record, details = _streams(seed, index)
    return render_portrait(sample_attributes(record), details, size, style)


def render_portrait(
    attributes: PortraitAttributes, details: np.random.Generator, size: int, style: str | DrawingStyle = "storybook"
) -> Portrait:
    """Draws the person of a record. ``details`` places strands, curls and the background's shapes."""
    head = Head(attributes)
    sitter = Sitter(attributes, head, Pose(attributes, head), palette_of(attributes), drawing_style(style))
    canvas = Canvas(size)
    canvas.colour[:] = draw_background(sitter, canvas.side, details)
    hair = shape_hair(sitter, details)
    hair_mask = canvas.blank()
    if hair is not None:
        front_texture, back_texture = hair_textures(canvas, sitter, hair)
        hair_mask = front_hair_mask(canvas, hair)
        paint_back_hair(canvas, hair, back_texture)

    body = Body(sitter)
    skull = hull(sitter.pose.project(head.cloud()))
    skin = skin_ramp(sitter)
    canvas.paint(
        canvas.cover(body.neck(attributes.clothes == "scoop")), neck_paint(canvas, sitter, body, skin, skull), "neck"
    )
    skin_texture = face_paint(canvas, sitter, skin, hair_mask)
    hair_over_clothes = hair is not None and attributes.hair_front and not attributes.hair_tucked
    if hair_over_clothes:
        draw_clothes(canvas, sitter, body)

    near = near_side(sitter)
    ears = attributes.ears_shown and attributes.hat_style != "headscarf"
    if ears and 5 < abs(attributes.yaw) < 22:
        draw_ear(canvas, sitter, -near, skin_texture)
    _draw_face(canvas, sitter, skull, skin_texture)
    if attributes.glasses:
        draw_glasses(canvas, sitter)
    if hair is not None:
        canvas.paint(hair_mask, front_texture, "hair")
    if not hair_over_clothes:
        draw_clothes(canvas, sitter, body)
    if ears:
        _draw_ears(canvas, sitter, near, skin_texture)
    if attributes.hat:
        draw_hat(canvas, sitter)
    if sitter.style.technique == "woodcut":
        print_woodcut(canvas, sitter)
    image, labels = canvas.finish()
    return Portrait(image, labels, attributes)


def _draw_face(canvas: Canvas, sitter: Sitter, skull: Array, paint: NDArray[np.uint8]) -> None:
    canvas.paint(canvas.cover(skull), paint, "face")
    warm_face(canvas, sitter)
    draw_age(canvas, sitter)
    draw_beard(canvas, sitter)
    draw_mouth(canvas, sitter)
    draw_nose(canvas, sitter)
    for side in SIDES:
        draw_eye(canvas, sitter, side)
        draw_brow(canvas, sitter, side)


def _draw_ears(canvas: Canvas, sitter: Sitter, near: int, paint: NDArray[np.uint8]) -> None:
    """The ears that lie before head and hair, and their rings."""
    facing = abs(sitter.attributes.yaw) <= 5
    for side in SIDES if facing else (near,):
        draw_ear(canvas, sitter, side, paint)
        if sitter.attributes.earring:
            draw_earring(canvas, sitter, side)

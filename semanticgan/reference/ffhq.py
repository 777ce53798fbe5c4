"""Where faces lie in pictures aligned as FFHQ and CelebA-HQ are.

With e the vector from eye to eye, m that from the middle of the eyes to the middle of the mouth:

    x = e - rot90(m), scaled to the length max(2 |e|, 1.8 |m|);   centre = middle of the eyes + 0.1 m

x is half the side. A face from the front has m at right angles to e and |m| = 1.05 |e|, so the side is 4 |e|.
Source: Karras et al., arXiv 1710.10196, appendix C, and FFHQ's own preparation.
"""

from __future__ import annotations

from semanticgan.checkpoint import FacePoints

_EYES = 0.25  # distance between the eyes as a share of the side
_MOUTH = 1.05 * _EYES  # from eyes to mouth
_EYES_AT = 0.5 - 0.1 * _MOUTH
_NOSE = 0.57  # share of the way from eyes to mouth; measured
_HALF_MOUTH = 0.105  # measured

FFHQ_POINTS = FacePoints(
    (
        (0.5 - _EYES / 2, _EYES_AT),
        (0.5 + _EYES / 2, _EYES_AT),
        (0.5, _EYES_AT + _NOSE * _MOUTH),
        (0.5 - _HALF_MOUTH, _EYES_AT + _MOUTH),
        (0.5 + _HALF_MOUTH, _EYES_AT + _MOUTH),
    ),
    "FFHQ's rule for a face from the front",
)
"""Target of an alignment for the released models."""

"""Seeds: which numbers are allowed, and the random streams that belong to them.

A seed is a whole number from 0 to 2^63 - 1, and every two of them give different streams. PyTorch's generator on the
CPU keeps only the lowest 32 bits of a seed, and numpy's SeedSequence reads a seed of 64 bits as two words, so that it
can be taken for a smaller seed and an index. Seeds from 2^32 on are therefore hashed; smaller ones are used as they
are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from numbers import Integral
from typing import TYPE_CHECKING, Any

from semanticgan.errors import InputError

if TYPE_CHECKING:  # the command line reads seeds before anything heavy is imported
    import numpy as np
    import torch

MAX_SEED = 2**63 - 1

_FIRST_HASHED = 2**32
# The state of PyTorch's generator on the CPU: four fields, then the 624 words of a Mersenne Twister as uint64.
_STATE_BYTES, _WORDS_AT, _NUM_WORDS = 5056, 24, 624


def require_seed(seed: Any, name: str = "seed") -> int:
    """The seed as an int.

    Args:
        name: what it is called where it was given.

    Raises:
        InputError: no whole number from 0 to 2^63 - 1.
    """
    if isinstance(seed, Integral) and not isinstance(seed, bool) and 0 <= int(seed) <= MAX_SEED:
        return int(seed)
    shown = repr(seed)[:60]
    raise InputError(f"{name} {shown} is not a seed. Seeds are whole numbers from 0 to 2^63-1.")


def require_seeds(given: Any) -> list[int]:
    """Seeds as a list.

    Raises:
        InputError: no seeds, or something else than seeds.
    """
    chosen = list(given) if isinstance(given, Iterable) and not isinstance(given, (str, bytes)) else None
    if not chosen:
        raise InputError(f"seeds are whole numbers from 0 to 2^63-1, at least one, got {repr(given)[:60]}.")
    return [require_seed(number) for number in chosen]


def sequence(seed: int, *parts: int) -> np.random.SeedSequence:
    """The source of numpy's streams of a seed.

    Args:
        seed: 0 to 2^63 - 1.
        parts: which of its streams: whole numbers from 0 on, such as a step and a position.

    Raises:
        InputError: no seed.
    """
    import numpy as np

    seed = require_seed(seed)
    if seed < _FIRST_HASHED:
        return np.random.SeedSequence([seed, *parts])
    # Eight words are more than the four that SeedSequence pads with zeros: no smaller seed has the same ones.
    words = np.frombuffer(hashlib.sha256(seed.to_bytes(8, "little")).digest(), dtype="<u4")
    return np.random.SeedSequence([*words.tolist(), *parts])


def stream(seed: int, *parts: int) -> torch.Generator:
    """A new generator of PyTorch on the CPU; without ``parts`` a seed below 2^32 is PyTorch's own seed.

    Arguments and errors are those of :func:`sequence`.
    """
    import numpy as np
    import torch

    seed = require_seed(seed)
    generator = torch.Generator()
    if seed < _FIRST_HASHED and not parts:
        return generator.manual_seed(seed)
    state = generator.manual_seed(0).get_state().numpy()
    assert len(state) == _STATE_BYTES, "this version of PyTorch keeps its generator's state in another layout"
    words = np.random.MT19937(sequence(seed, *parts)).state["state"]["key"]
    state[_WORDS_AT : _WORDS_AT + 8 * _NUM_WORDS].view(np.uint64)[:] = words
    generator.set_state(torch.from_numpy(state))
    return generator


def seed_global_stream(seed: int) -> None:
    """Begin PyTorch's global streams anew with this seed; networks draw their first weights from the CPU's."""
    import torch

    torch.manual_seed(require_seed(seed))  # those of CUDA keep all 64 bits
    torch.set_rng_state(stream(seed).get_state())


def random_state(seed: int) -> int | np.random.MT19937:
    """What ``numpy.random.RandomState`` takes in place of a seed; it refuses whole numbers from 2^32 on."""
    import numpy as np

    seed = require_seed(seed)
    return seed if seed < _FIRST_HASHED else np.random.MT19937(sequence(seed))


def following(seed: int, offset: int) -> int:
    """The seed ``offset`` further; after 2^63 - 1 comes 0."""
    return (require_seed(seed) + offset) % (MAX_SEED + 1)


def derived(seed: int, *parts: int) -> int:
    """A seed of 63 bits for one of a seed's streams; arguments and errors as of :func:`sequence`."""
    import numpy as np

    return int(sequence(seed, *parts).generate_state(1, np.uint64)[0] >> np.uint64(1))

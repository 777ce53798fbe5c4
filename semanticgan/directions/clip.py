"""CLIP (Radford et al. 2021, arXiv 2103.00020) by open_clip: how well a picture and a text agree.

Weights are read from the cache of Hugging Face on this machine, or from a file that is named; nothing is downloaded.
Only ``.safetensors`` are read: the ``.bin`` and ``.pt`` files of the same networks are pickles.

Shape legend: N pictures, S side of a picture, E width of CLIP's embedding.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from semanticgan import extras
from semanticgan.errors import InputError, MissingFileError, WeightsError, unknown_name
from semanticgan.files import require_file
from semanticgan.torchvision_import import import_torchvision
from semanticgan.wrong_arguments import require_type, shown

NETWORK, TAG = "ViT-B-32", "laion2b_s34b_b79k"
"""The network that is opened unless another is named, and which of its published weights."""

_MEAN, _DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_SAFE, _PICKLED = "open_clip_model.safetensors", "open_clip_pytorch_model.bin"  # names of one network in the hub


@dataclass(frozen=True, eq=False)
class Clip:
    """A CLIP with frozen parameters.

    Attributes:
        network: ``encode_image`` [N, 3, s, s] -> [N, E], ``encode_text`` of tokens -> [N, E].
        tokenise: texts -> tokens [N, T].
        side: s, the side of the pictures that it looks at.
        mean: of each channel of pictures in [0, 1], three numbers.
        deviation: of each channel.
    """

    network: nn.Module
    tokenise: Callable[[list[str]], Tensor]
    side: int
    mean: tuple[float, ...] = _MEAN
    deviation: tuple[float, ...] = _DEVIATION

    def of_pictures(self, pictures: Tensor) -> Tensor:
        """Unit embeddings of pictures, with gradients where the pictures have them.

        Args:
            pictures: [N, 3, S, S], about [-1, 1], cut to it.

        Returns:
            [N, E].
        """
        pictures = pictures.float().clamp(-1, 1) / 2 + 0.5
        if pictures.shape[-1] != self.side:
            size = (self.side, self.side)
            pictures = functional.interpolate(pictures, size=size, mode="bicubic", antialias=True, align_corners=False)
        mean, deviation = (pictures.new_tensor(values).view(3, 1, 1) for values in (self.mean, self.deviation))
        network: Any = self.network
        return functional.normalize(network.encode_image((pictures - mean) / deviation).float(), dim=-1)

    @torch.no_grad()
    def of_text(self, text: str) -> Tensor:
        """Unit embedding of a text, [1, E].

        Raises:
            InputError: no text, or one that fills all the tokens that CLIP reads, so that its end may be cut off.
        """
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"the text is some words, such as 'red hair', got {shown(text)}.")
        tokens = self.tokenise([text])
        network: Any = self.network
        if bool((tokens[0] != 0).all()):  # no padding
            raise InputError(f"the text is too long: CLIP reads fewer than {tokens.shape[1]} tokens. Give fewer words.")
        device = next(self.network.parameters()).device
        return functional.normalize(network.encode_text(tokens.to(device)).float(), dim=-1)

    def similarity(self, pictures: Tensor, text: str) -> Tensor:
        """Cosine of the embeddings of each picture and of a text, [N] in [-1, 1].

        Args:
            pictures: [N, 3, S, S], about [-1, 1].
        """
        return self.of_pictures(pictures) @ self.of_text(text)[0]


def open_clip_network(
    network: str = NETWORK,
    tag: str | None = None,
    weights: str | Path | None = None,
    device: torch.device | str = "cpu",
) -> Clip:
    """A published CLIP.

    Args:
        network: a name of open_clip whose vocabulary comes with open_clip, such as "ViT-B-32".
        tag: which of its published weights; it also says how pictures are normalised. None is :data:`TAG`, or with
            ``weights`` none: pictures are normalised as those of OpenAI's CLIP.
        weights: the ``.safetensors`` file; None looks for it in the cache of Hugging Face.
        device: where it goes.

    Raises:
        InputError: open_clip is not installed, or it knows no such network or tag.
        MissingFileError: the weights are not on this machine; the message says what to type.
        WeightsError: a file that is damaged or of another network.
    """
    extras.require("text")
    import_torchvision()
    import open_clip
    from safetensors import SafetensorError

    known = [name for name in open_clip.list_models() if _is_whole(open_clip.get_model_config(name))]
    if network not in known:
        raise unknown_name("network of CLIP", str(network), known)
    published: Mapping[str, Any] = {}
    if tag is not None or weights is None:
        tag = TAG if tag is None else str(tag)
        published = open_clip.get_pretrained_cfg(network, tag)
        if not published:
            tags = open_clip.list_pretrained_tags_by_model(network)
            raise unknown_name(f"tag of {network}", tag, tags)
    path = require_file(weights, "the file of CLIP's weights,") if weights is not None else _cached(network, published)
    if path.suffix != ".safetensors":
        raise WeightsError(
            f"{str(path)!r} is no .safetensors file, and others may run code. Give {_SAFE} of {network}."
        )
    quick = bool(published.get("quick_gelu", False))
    try:
        model = open_clip.create_model(network, pretrained=str(path), device=device, force_quick_gelu=quick)
    except (RuntimeError, OSError, ValueError, KeyError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:160]
        raise WeightsError(
            f"{str(path)!r} does not hold the weights of {network}, or is damaged ({reason})."
        ) from error
    side = model.visual.image_size
    return Clip(
        network=model.eval().requires_grad_(False),
        tokenise=open_clip.get_tokenizer(network),
        side=side if isinstance(side, int) else side[0],
        mean=tuple(published.get("mean") or _MEAN),
        deviation=tuple(published.get("std") or _DEVIATION),
    )


def _is_whole(config: Mapping[str, Any] | None) -> bool:
    """Whether open_clip itself has all of a network but its weights: neither towers nor vocabularies of others."""
    texts: Mapping[str, Any] = (config or {}).get("text_cfg", {})
    return config is not None and "multimodal_cfg" not in config and not any(key.startswith("hf_") for key in texts)


def _cached(network: str, published: Mapping[str, Any]) -> Path:
    """The file of published weights in the cache."""
    from huggingface_hub import constants, try_to_load_from_cache

    repository, name = os.path.split(published.get("hf_hub", ""))
    if not repository:
        raise InputError(f"these weights of {network} are not in Hugging Face's hub. Choose another tag.")
    name = _SAFE if name in ("", _PICKLED) else f"{os.path.splitext(name)[0]}.safetensors"
    found = try_to_load_from_cache(repository, name, cache_dir=constants.HF_HUB_CACHE)
    if not isinstance(found, str):
        raise MissingFileError(
            f"the weights of CLIP, {name} of {repository}, are not in {constants.HF_HUB_CACHE!r}. Run "
            f"`hf download {repository} {name}` where there is a network."
        )
    return Path(found)


def require_clip(given: Any) -> Clip:
    """Raises: InputError: something else than a Clip."""
    require_type("clip", given, Clip, "a Clip, such as open_clip_network()")
    return given

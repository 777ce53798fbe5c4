"""Files of weights that others publish: looked for on this machine, and believed only when their hash is right."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from semanticgan.errors import MissingFileError, WeightsError
from semanticgan.files import require_file, sha256_of


@dataclass(frozen=True)
class PublishedWeights:
    """A file that somebody publishes.

    Attributes:
        what: what it holds, for messages.
        address: where it is.
        sha256: hash of its content, 64 hexadecimal digits.
    """

    what: str
    address: str
    sha256: str

    @property
    def file_name(self) -> str:
        return self.address.rsplit("/", 1)[-1]

    @property
    def usual_place(self) -> Path:
        """PyTorch's own cache, $TORCH_HOME/hub/checkpoints."""
        return Path(torch.hub.get_dir()) / "checkpoints" / self.file_name

    def find(self, path: str | Path | None = None, instead: str = "") -> Path:
        """The file, its hash checked; nothing is downloaded.

        Args:
            path: where it is, if not in the usual place.
            instead: what to do without it, a sentence that ends the messages.

        Raises:
            MissingFileError: it is not there.
            WeightsError: it is another file, or damaged.
        """
        advice = f"Download {self.address} to {str(self.usual_place)!r}. {instead}".strip()
        if path is None:
            found = self.usual_place
            if not found.is_file():
                raise MissingFileError(f"the weights of {self.what}, {self.file_name}, are not there. {advice}")
        else:
            found = require_file(path, f"the file of weights of {self.what},")
        digest = sha256_of(found)
        if digest != self.sha256:
            raise WeightsError(
                f"{str(found)!r} does not hold the weights of {self.what}, or is damaged: its SHA-256 is {digest}, "
                f"that of {self.file_name} is {self.sha256}. {advice}"
            )
        return found


_TORCHVISION = "https://download.pytorch.org/models"
_FIDELITY = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0"

INCEPTION = PublishedWeights(
    "Inception",
    f"{_FIDELITY}/weights-inception-2015-12-05-6726825d.pth",
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
)
VGG = PublishedWeights(
    "VGG-16",
    f"{_TORCHVISION}/vgg16-397923af.pth",
    "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
)
ALEX = PublishedWeights(
    "AlexNet",
    f"{_TORCHVISION}/alexnet-owt-7be5be79.pth",
    "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
)

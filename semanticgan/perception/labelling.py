"""Pictures without masks as pairs, their label maps read by a parser."""

from __future__ import annotations

import hashlib
from pathlib import Path

from semanticgan.data.decoding import MAX_MEGAPIXELS, read_header
from semanticgan.data.encoding import Source
from semanticgan.data.pairs import Pair, content_key
from semanticgan.data.unlabelled import PictureDataset
from semanticgan.errors import InputError
from semanticgan.perception.parser import FaceParser


class ParsedPictures(PictureDataset):
    """The pictures of a folder or zip with the regions that a parser sees in them, in order of their names.

    Args:
        path: a folder or zip of aligned face pictures, as :class:`semanticgan.data.unlabelled.PictureDataset`.
        parser: reads the pictures at its own side.
        size: side of the pairs in pixels; None is the parser's.
        max_megapixels: the limit on the size of a picture.

    Raises:
        MissingFileError: there is nothing at ``path``.
        InputError: no pictures at ``path``, or a side out of range.
    """

    labelled = True

    def __init__(
        self,
        path: str | Path,
        parser: FaceParser,
        size: int | None = None,
        max_megapixels: float = MAX_MEGAPIXELS,
    ) -> None:
        size = parser.size if size is None else size
        if not 1 <= size <= 4096:
            raise InputError(f"size {size} is not a resolution. Give 1 to 4096 pixels.")
        super().__init__(path, size, parser.regions, max_megapixels)
        self._parser = parser
        self._digest: str | None = None

    def __getitem__(self, index: int) -> Pair:
        """Picture ``index`` as image uint8 [3, S, S] and labels uint8 [S, S]."""
        image, _ = super().__getitem__(index)
        return Pair(image, self._parser.labels(image[None])[0])

    def source(self, index: int) -> Source:
        """Name of a picture and its side as a file; its label map has the side of the pairs."""
        name = self._names[index]
        side = read_header(self._storage.read(name), self._storage.label(name)).size
        return Source(name, side, (self.size, self.size))

    def attributes(self, index: int) -> dict[str, str]:
        """Which file a pair comes from, JSON-able."""
        return {"source": self._names[index]}

    def key(self) -> str:
        """Digest of the pictures and of the parser's weights."""
        return content_key(["parsed", super().key(), self._digest_of_weights()])

    def fingerprint(self, index: int) -> str:
        """Digest of a picture's name and stamp and of the parser's weights."""
        return content_key(["parsed", super().fingerprint(index), self._digest_of_weights()])

    def _digest_of_weights(self) -> str:
        if self._digest is None:
            digest = hashlib.sha256()
            for name, tensor in sorted(self._parser.network.state_dict().items()):
                digest.update(name.encode() + tensor.cpu().numpy().tobytes())
            self._digest = digest.hexdigest()
        return self._digest

"""Marks: a picture's file says that a network made it, which one, and by what edit.

    Iptc4xmpExt:DigitalSourceType = http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia
                                    (of an edited photograph: .../compositeWithTrainedAlgorithmicMedia)
    semanticgan:Model, semanticgan:ModelDigest, semanticgan:EditScript

as XMP of PNG, JPEG, TIFF, WebP and AVIF. Sources: IPTC Photo Metadata Standard 2023.2, "Digital Source Type"; XMP
specification, part 3, on where a packet lies in each format.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from semanticgan.errors import DataWarning, InputError, unknown_name
from semanticgan.files import require_file
from semanticgan.formats.strict_json import parse_object
from semanticgan.formats.xmp import Packet, clean

if TYPE_CHECKING:
    from PIL import Image

_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
KINDS: Mapping[str, str] = MappingProxyType(
    {
        "generated": f"{_SOURCE_TYPES}trainedAlgorithmicMedia",
        "composite": f"{_SOURCE_TYPES}compositeWithTrainedAlgorithmicMedia",
    }
)
"""Kind of a mark -> its DigitalSourceType."""
LARGEST_SCRIPT = 32_768
"""Bytes of a script, as XML, that a mark carries; a longer one is left out."""

_URIS = {"Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/", "semanticgan": "urn:semanticgan:provenance:1#"}
_TYPE = (_URIS["Iptc4xmpExt"], "DigitalSourceType")
_FILES = ("image", "latent", "paint")  # keys of an edit whose values are paths
_LEFT_OUT = ("found", "direction")  # keys of an edit whose values are codes of faces, or long
_LONGEST_NAME = 500  # characters
_LARGEST_IN_JPEG = 65_000  # bytes of one segment that hold XMP
_KEY_IN_PNG = "XML:com.adobe.xmp"
_TAG_IN_TIFF = 700
_SEGMENT_IN_JPEG = b"http://ns.adobe.com/xap/1.0/\0"
_READ = ("PNG", "JPEG", "MPO", "TIFF", "WEBP", "AVIF", "BMP", "GIF", "PPM")  # decoders that run no other program
_PRIVATE = ("ownername", "imageuniqueid", "makernote")  # ends of names
# Of the pixels as they lay in the file before, or of parts of it that are not written again.
_OUTDATED = (
    ("http://ns.adobe.com/tiff/1.0/", "Orientation"),
    ("http://ns.adobe.com/xap/1.0/", "Thumbnails"),
    ("http://ns.adobe.com/xmp/note/", "HasExtendedXMP"),
)


@dataclass(frozen=True)
class Mark:
    """What a picture's file says of its making.

    Attributes:
        kind: "generated", or "composite" for a photograph with generated parts.
        model: the model's description.
        digest: of the model's weights.
        script: the edit as JSON; see :func:`shareable`.
    """

    kind: str = "generated"
    model: str = ""
    digest: str = ""
    script: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown_name("kind of mark", str(self.kind), KINDS)

    def xmp(self, existing: bytes | None = None, keep_private: bool = False) -> bytes:
        """The packet with this mark; ``existing`` as of :func:`merged`."""
        content = merged(self, existing, keep_private)
        assert content is not None
        return content


def merged(mark: Mark | None, existing: bytes | None, keep_private: bool = False) -> bytes | None:
    """A packet with a mark and what a photograph's own packet says.

    Left out is what no longer holds (orientation, thumbnails, other marks). A picture that was generated stays so.

    Args:
        mark: None adds none.
        existing: the photograph's own; one that cannot be used is left out with a :class:`DataWarning`.
        keep_private: keep positions (GPS), serial numbers, owners' names, makers' notes and numbers of pictures.

    Returns:
        None without a mark and a usable packet.
    """
    packet = None if existing is None else _packet(existing, "the photograph")
    if packet is None and mark is None:
        return None
    packet = packet or Packet()
    generated = packet.find(*_TYPE) == KINDS["generated"]
    packet.drop(
        lambda uri, name: (
            (uri, name) in _OUTDATED
            or (not keep_private and _is_private(name))
            or (mark is not None and ((uri, name) == _TYPE or uri == _URIS["semanticgan"]))
        )
    )
    if mark is not None:
        script = clean(mark.script)
        texts = {
            "Model": mark.model[:_LONGEST_NAME],
            "ModelDigest": mark.digest[:_LONGEST_NAME],
            "EditScript": script if len(escape(script).encode()) <= LARGEST_SCRIPT else "",
        }
        values = {("Iptc4xmpExt", "DigitalSourceType"): KINDS["generated" if generated else mark.kind]}
        packet.add(_URIS, values | {("semanticgan", name): text for name, text in texts.items() if text})
    return packet.to_bytes()


def shareable(script: str) -> str:
    """The JSON of an edit as a mark carries it: without the codes found in faces, the numbers of directions
    (which have names), and the folders of its files.

    Returns:
        "" for what is no JSON object.
    """
    try:
        content = parse_object(script)
    except ValueError:
        return ""
    return json.dumps(_shared(content), ensure_ascii=False)


def _shared(value: Any) -> Any:
    if isinstance(value, list):
        return [_shared(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _shared(item) for key, item in value.items() if key not in _LEFT_OUT}
    files = {key: re.split(r"[/\\]", kept[key])[-1] for key in _FILES if isinstance(kept.get(key), str)}
    return kept | files


def save_marked(picture: Image.Image, path: Path, mark: Mark | None = None, **options: Any) -> None:
    """Save a picture with its mark, in the format of the path's suffix; one that has no XMP is saved without.

    Args:
        picture: any that Pillow saves so.
        path: where to; nothing is asked before it is replaced.
        mark: None saves it without.
        **options: of Pillow.
    """
    save_with_xmp(picture, path, None if mark is None else mark.xmp(), **options)


def save_with_xmp(picture: Image.Image, path: Path, content: bytes | None, **options: Any) -> None:
    """As :func:`save_marked`, with a packet of :func:`merged`. Of one that is too long for a JPEG the mark is kept."""
    from PIL import Image, PngImagePlugin, TiffImagePlugin

    kind = Image.registered_extensions().get(path.suffix.lower())
    if content and kind == "JPEG" and len(content) > _LARGEST_IN_JPEG:
        _left_out("the photograph", f"it has {len(content):,} bytes, a JPEG takes {_LARGEST_IN_JPEG:,}")
        mark = _mark_in(content, "the photograph")
        content = None if mark is None else mark.xmp()
    if content and kind == "PNG":
        options.setdefault("pnginfo", PngImagePlugin.PngInfo()).add_itxt(_KEY_IN_PNG, content.decode())
    elif content and kind == "TIFF":
        options.setdefault("tiffinfo", TiffImagePlugin.ImageFileDirectory_v2())[_TAG_IN_TIFF] = content
    elif content and kind in ("JPEG", "WEBP", "AVIF"):
        options["xmp"] = content
    picture.save(path, **options)


def read_mark(path: str | Path) -> Mark | None:
    """The mark of a picture's file; None without one.

    Raises:
        MissingFileError: no such file.
        InputError: it is no picture.
    """
    with open_picture(path) as image:
        return mark_in(image, f"picture {str(path)!r}")


@contextmanager
def open_picture(path: str | Path) -> Iterator[Image.Image]:
    """A picture's file, opened; its pixels are not decoded.

    Raises:
        MissingFileError: no such file.
        InputError: it is no picture, or damaged.
    """
    from PIL import Image, UnidentifiedImageError

    path = require_file(path, "picture")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # nothing is decompressed
            Image.init()
            image = Image.open(path, formats=[kind for kind in _READ if kind in Image.OPEN])
    except Exception as error:  # Pillow's readers raise a dozen kinds on damaged files
        reason = "no PNG, JPEG, TIFF, WebP or AVIF" if isinstance(error, UnidentifiedImageError) else error
        raise InputError(f"picture {str(path)!r} cannot be read ({reason}). Give an intact picture.") from error
    with image:
        yield image


def mark_in(image: Image.Image, what: str) -> Mark | None:
    """The mark of a picture that Pillow opened; ``what`` begins the warning of a packet that cannot be used."""
    content = xmp_of(image)
    return None if content is None else _mark_in(content, what)


def _mark_in(content: bytes, what: str) -> Mark | None:
    packet = _packet(content, what)
    source_type = "" if packet is None else (packet.find(*_TYPE) or "").replace("https:", "http:", 1)
    kind = next((kind for kind, uri in KINDS.items() if uri == source_type), None)
    if packet is None or kind is None:
        return None
    texts = {name: packet.find(_URIS["semanticgan"], name) or "" for name in ("Model", "ModelDigest", "EditScript")}
    return Mark(kind, texts["Model"][:_LONGEST_NAME], texts["ModelDigest"][:_LONGEST_NAME], texts["EditScript"])


def xmp_of(image: Image.Image) -> bytes | None:
    """The packet of a picture that Pillow opened, as it is; None without one."""
    content = image.info.get("xmp") or image.info.get(_KEY_IN_PNG)
    if not content and _TAG_IN_TIFF in getattr(image, "tag_v2", ()):
        content = image.tag_v2[_TAG_IN_TIFF]  # type: ignore[attr-defined]
    for segment, data in getattr(image, "applist", ()):
        if not content and segment == "APP1" and data.startswith(_SEGMENT_IN_JPEG):
            content = data.removeprefix(_SEGMENT_IN_JPEG)
    if isinstance(content, tuple):  # of a TIFF whose tag has another type
        content = content[0] if len(content) == 1 else None
    if isinstance(content, str):
        content = content.encode("utf-8", "replace")
    return content if isinstance(content, bytes) and content else None


def _packet(content: bytes, what: str) -> Packet | None:
    """The packet; None, with a warning, where it cannot be used."""
    try:
        return Packet(content)
    except ValueError as error:
        _left_out(what, str(error))
        return None


def _left_out(what: str, reason: str) -> None:
    warnings.warn(f"the XMP of {what} is left out: {reason[:200]}.", DataWarning, stacklevel=3)


def _is_private(name: str) -> bool:
    """Whether a property, of any vendor, is a position or tells whose device it was."""
    lowered = name.lower()
    return lowered.startswith("gps") or "serialnumber" in lowered or lowered.endswith(_PRIVATE)

"""Marks in pictures: read back by other parsers, merged with a photograph's own XMP, and safe before hostile XMP."""

from __future__ import annotations

import io
import json
import warnings
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from PIL import Image, features
from PIL.PngImagePlugin import PngInfo

from semanticgan.editing.outputs import save_picture
from semanticgan.errors import DataWarning, InputError, MissingFileError
from semanticgan.formats.provenance import (
    LARGEST_SCRIPT,
    Mark,
    merged,
    read_mark,
    save_marked,
    save_with_xmp,
    shareable,
)
from semanticgan.rendering import Rendering

IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
DC = "{http://purl.org/dc/elements/1.1/}"
TERMS = "http://cv.iptc.org/newscodes/digitalsourcetype/"
MARK = Mark("composite", 'hair & <eyes> "64" é', "0123456789abcdef", '{"format": "semanticgan-edit", "é": "<&>"}')
FORMATS = [
    "png",
    "jpg",
    "tif",
    "webp",
    pytest.param("avif", marks=pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")),
]

OWN = (
    b"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<r:Description r:about="uuid:7" xmlns:e="http://ns.adobe.com/exif/1.0/" e:GPSLatitude="48,1N" e:FNumber="28/10"
 xmlns:aux="http://ns.adobe.com/exif/1.0/aux/" aux:SerialNumber="0815" aux:OwnerName="A. Owner" xmlns:dji="http://www.dji.com/drone-dji/1.0/"
 dji:GpsLongitude="+11.5" xmlns:t="http://ns.adobe.com/tiff/1.0/" t:Orientation="6"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:GPSname="urn:x#" GPSname:kept="yes"
 xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
<dc:creator><r:Seq><r:li>Ann &amp; B\xc3\xa9la</r:li></r:Seq></dc:creator>
<i:LocationCreated><r:Bag><r:li r:parseType="Resource">
<e:GPSAltitude>520</e:GPSAltitude><i:City>Ulm</i:City></r:li></r:Bag></i:LocationCreated>
<i:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture</i:DigitalSourceType>
</r:Description></r:RDF></x:xmpmeta><?xpacket end="w"?>"""
    + b" " * 100
    + b"\0"
)


def packet_of(path: Path) -> bytes:
    """The packet as it stands in the file, found without our reader."""
    content = path.read_bytes()
    start = content.index(b"<?xpacket begin")
    return content[start : content.index(b'<?xpacket end="w"?>') + 19]


def picture() -> Image.Image:
    return Image.effect_noise((16, 16), 60).convert("RGB")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_mark_survives_in_each_format(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    save_marked(picture(), path, MARK)
    assert read_mark(path) == MARK
    tree = ElementTree.fromstring(packet_of(path))
    assert tree.find(f".//{IPTC}DigitalSourceType").text == f"{TERMS}compositeWithTrainedAlgorithmicMedia"  # type: ignore[union-attr]
    texts = {element.tag.rpartition("}")[2]: element.text for element in tree.iter()}
    assert (texts["Model"], texts["ModelDigest"], texts["EditScript"]) == (MARK.model, MARK.digest, MARK.script)
    with Image.open(path) as read:
        stored = read.info.get("xmp") or read.tag_v2[700]  # type: ignore[attr-defined]
        read.load()
    assert ElementTree.fromstring(stored.rstrip(b"\0 ")).tag == "{adobe:ns:meta/}xmpmeta", "where Pillow looks for XMP"
    save_marked(picture(), path, None)
    assert read_mark(path) is None and b"xpacket" not in path.read_bytes()


def test_the_pixels_of_a_marked_png_are_the_same(tmp_path: Path) -> None:
    plain = picture()
    save_marked(plain, tmp_path / "a.png", MARK)
    with Image.open(tmp_path / "a.png") as read:
        assert read.tobytes() == plain.tobytes()


def test_a_photographs_own_xmp_is_kept_without_places_and_serial_numbers() -> None:
    content = MARK.xmp(OWN)
    tree = ElementTree.fromstring(content)
    assert [element.text for element in tree.iter(f"{RDF}li") if (element.text or "").strip()] == ["Ann & Béla"]
    assert tree.find(f".//{IPTC}City").text == "Ulm"  # type: ignore[union-attr]
    assert b"FNumber" in content and b'GPSname:kept="yes"' in content
    for gone in (
        b"GPSLatitude",
        b"GPSAltitude",
        b"GpsLongitude",
        b"SerialNumber",
        b"OwnerName",
        b"Orientation",
        b"digitalCapture",
    ):
        assert gone not in content
    assert {element.get(f"{RDF}about") for element in tree.iter(f"{RDF}Description")} == {"uuid:7"}
    kept = MARK.xmp(OWN, keep_private=True)
    assert all(name in kept for name in (b"GPSLatitude", b"GPSAltitude", b"GpsLongitude", b"SerialNumber"))


def test_without_a_mark_only_what_is_private_goes() -> None:
    content = merged(None, OWN)
    assert content is not None and b"digitalCapture" in content and b"GPS" not in content.replace(b"GPSname", b"")
    assert merged(None, None) is None


def test_a_second_mark_replaces_the_first_and_generated_stays_generated(tmp_path: Path) -> None:
    again = MARK.xmp(Mark("generated", "first", "aa", "{}").xmp(OWN))
    assert again.count(b"DigitalSourceType>") == 2 and b"first" not in again  # one element
    save_with_xmp(picture(), tmp_path / "a.png", again)
    found = read_mark(tmp_path / "a.png")
    assert found is not None and (found.kind, found.model) == ("generated", MARK.model)


def bomb() -> bytes:
    entities = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    return f'<!DOCTYPE x [<!ENTITY a0 "lol">{entities}]><x:xmpmeta xmlns:x="adobe:ns:meta/">&a9;</x:xmpmeta>'.encode()


HOSTILE = {
    "document type": bomb(),
    "bytes": OWN.replace(b"Ulm", b"u" * 10_000_000),
    "not well-formed": OWN[:400],
    "levels deep": b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + b"<a>" * 50_000 + b"</a>" * 50_000 + b"</x:xmpmeta>",
    "not well-formed: unbound prefix": OWN.replace(b'xmlns:aux="http://ns.adobe.com/exif/1.0/aux/"', b""),
    "no rdf:RDF": b"<svg/>",
    "unknown encoding": b'<?xml version="1.0" encoding="no-such"?><a/>',
}


@pytest.mark.parametrize("reason", HOSTILE)
def test_hostile_xmp_is_a_warning_and_the_mark_is_written(reason: str, tmp_path: Path) -> None:
    with pytest.warns(DataWarning, match=rf"the XMP of the photograph is left out: .*{reason}"):
        assert MARK.xmp(HOSTILE[reason]) == MARK.xmp()
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", HOSTILE[reason].decode())
    picture().save(tmp_path / "a.png", pnginfo=info)
    with pytest.warns(DataWarning, match=reason):
        assert read_mark(tmp_path / "a.png") is None


def test_xmp_too_long_for_a_jpeg_leaves_the_mark(tmp_path: Path) -> None:
    long = OWN.replace(b"Ulm", b"u" * 70_000)
    with pytest.warns(DataWarning, match=r"a JPEG takes 65,000"):
        save_with_xmp(picture(), tmp_path / "a.jpg", MARK.xmp(long))
    assert read_mark(tmp_path / "a.jpg") == MARK
    save_with_xmp(picture(), tmp_path / "a.png", MARK.xmp(long))
    assert b"u" * 70_000 in packet_of(tmp_path / "a.png")


def test_a_script_is_bounded_and_odd_characters_are_replaced(tmp_path: Path) -> None:
    largest = "s" * LARGEST_SCRIPT
    assert largest.encode() in Mark(script=largest).xmp()
    assert b"EditScript" not in Mark(script=f"{largest}s").xmp()
    assert b"EditScript" not in Mark(script="&" * (LARGEST_SCRIPT // 2)).xmp()
    save_marked(picture(), tmp_path / "a.jpg", Mark(model="a\0b\ud800c", script=largest))
    assert read_mark(tmp_path / "a.jpg") == Mark(model="a\ufffdb\ufffdc", script=largest)
    with pytest.raises(InputError, match=r"unknown kind of mark 'drawn'.*generated, composite"):
        Mark("drawn")


def test_a_shared_script_has_no_codes_of_faces_and_no_folders() -> None:
    found = [{"code": [[0.5]], "alignment": None, "method": "encoder"}]
    script = {
        "source": {"image": "/home/ann/private/me.jpg", "found": found},
        "operations": [{"source": {"latent": "C:\\a\\b.npy"}}],
    }
    shared = json.loads(shareable(json.dumps(script)))
    assert shared == {"source": {"image": "me.jpg"}, "operations": [{"source": {"latent": "b.npy"}}]}
    assert shareable("no JSON") == shareable("[1]") == ""


def test_what_is_no_picture_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    with pytest.raises(InputError, match=r"a\.png' cannot be read"):
        read_mark(tmp_path / "a.png")
    with pytest.raises(MissingFileError):
        read_mark(tmp_path / "b.png")


def test_a_text_chunk_that_inflates_is_no_traceback(tmp_path: Path) -> None:
    stored = io.BytesIO()
    picture().save(stored, "PNG")
    body = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"a" * 10_000_000)
    chunk = len(body).to_bytes(4, "big") + b"iTXt" + body + zlib.crc32(b"iTXt" + body).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(stored.getvalue()[:33] + chunk + stored.getvalue()[33:])
    try:
        assert read_mark(tmp_path / "a.png") is None
    except InputError as error:
        assert "cannot be read" in str(error)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_renderings_are_marked_unless_not_wanted(suffix: str, tmp_path: Path) -> None:
    rendering = Rendering(*[torch.zeros(1, 3, 8, 8)] * 4)
    rendering.save(tmp_path / f"a{suffix}")
    assert read_mark(tmp_path / f"a{suffix}") == Mark("generated")
    rendering.save(tmp_path / f"b{suffix}", mark=None)
    assert read_mark(tmp_path / f"b{suffix}") is None


def test_label_maps_and_pictures_of_no_one_are_not_marked(tmp_path: Path) -> None:
    save_picture(picture(), tmp_path / "a.png")
    assert read_mark(tmp_path / "a.png") is None


def test_a_marked_picture_is_read_as_any_other(tmp_path: Path) -> None:
    from semanticgan.data.decoding import decode

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for suffix in ("png", "jpg", "webp", "tif"):
            save_marked(picture(), tmp_path / f"a.{suffix}", MARK)
            assert decode(tmp_path / f"a.{suffix}").image.size == (16, 16)

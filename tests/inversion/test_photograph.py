"""Photographs as people have them: read, changed, written; against Pillow, OpenCV and LittleCMS."""

from __future__ import annotations

import io
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, JpegImagePlugin, features

from semanticgan import extras
from semanticgan.errors import DataWarning, ExistingFileError, InputError
from semanticgan.inversion.colour import colours_of
from semanticgan.inversion.photograph import Photograph, read_photograph

GPS = 0x8825


def picture(height: int = 24, width: int = 36, channels: int = 3, largest: int = 255) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    planes = [(x * 7 + y * 3 * k + 40 * k) % (largest + 1) for k in range(channels)]
    return np.stack(planes, -1).astype(np.uint8 if largest < 256 else np.uint16)


def camera_exif(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Maker", "Model X", orientation
    exif.get_ifd(0x8769).update({0x9003: "2020:01:02 03:04:05", 0x927C: b"notes of the maker 4711", 0xA431: "SER4711"})
    exif.get_ifd(0x8769).update({0xA430: "Owner4711", 0xA435: "LENS4711", 0x829A: 0.01})
    exif.get_ifd(GPS).update({1: "N", 2: (50.0, 7.0, 4711.0)})
    return exif


def xmp_packet() -> bytes:
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
        b'xmlns:aux="http://ns.adobe.com/exif/1.0/aux/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        b'exif:GPSLatitude="50,7.4711N" aux:SerialNumber="SER4711" tiff:Orientation="6" xmp:Rating="5">'
        b"<exif:GPSLongitude>8,4711E</exif:GPSLongitude></rdf:Description></rdf:RDF></x:xmpmeta>"
    )


def wide_profile(gamma: float = 2.2) -> bytes:
    """Adobe RGB's primaries under D50 and a power, as an ICC profile of version 2."""
    import struct

    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"wide\0" + b"\0" * 78,
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061),
        b"rXYZ": b"XYZ \0\0\0\0" + struct.pack(">3i", 39961, 20389, 1276),
        b"gXYZ": b"XYZ \0\0\0\0" + struct.pack(">3i", 13451, 41008, 3989),
        b"bXYZ": b"XYZ \0\0\0\0" + struct.pack(">3i", 9778, 4140, 48796),
    }
    curve = b"curv\0\0\0\0" + struct.pack(">IHH", 1, round(gamma * 256), 0)
    tags |= {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    start, table, body = 132 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        content += b"\0" * (-len(content) % 4)
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content
    head = struct.pack(">I4sI4s4s4s", 0, b"none", 0x02100000, b"mntr", b"RGB ", b"XYZ ") + b"\0" * 12 + b"acsp"
    head += b"\0" * (68 - len(head)) + struct.pack(">3i", 63190, 65536, 54061)
    profile = head + b"\0" * (128 - len(head)) + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(profile)) + profile[4:]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_every_orientation_is_applied_once(tmp_path: Path, orientation: int, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(picture()).save(path, exif=camera_exif(orientation))
    before = path.read_bytes()
    photograph = read_photograph(path)
    assert np.array_equal(photograph.pixels, np.asarray(ImageOps.exif_transpose(Image.open(path))))
    for keep in (False, True):
        photograph.save(tmp_path / "b.png", overwrite=True, keep_metadata=keep)
        with Image.open(tmp_path / "b.png") as written:
            assert written.getexif().get(0x0112) == 1
            assert np.array_equal(np.asarray(written), photograph.pixels)
    assert path.read_bytes() == before


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_private_metadata_is_left_out_unless_kept(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / "a.jpg"
    Image.fromarray(picture()).save(source, exif=camera_exif(6), xmp=xmp_packet())
    photograph = read_photograph(source)
    photograph.save(tmp_path / f"b.{suffix}")
    assert b"4711" not in (tmp_path / f"b.{suffix}").read_bytes()
    with Image.open(tmp_path / f"b.{suffix}") as written:
        exif = written.getexif()
        assert (exif[0x0110], exif.get_ifd(0x8769)[0x9003]) == ("Model X", "2020:01:02 03:04:05")
        assert not exif.get_ifd(GPS)
        packet = written.info.get("xmp") or written.info.get("XML:com.adobe.xmp")
        packet = packet.encode() if isinstance(packet, str) else packet
        assert b'Rating="5"' in packet and b"Orientation=" not in packet
    if suffix != "tif":
        photograph.save(tmp_path / f"c.{suffix}", keep_metadata=True)
        with Image.open(tmp_path / f"c.{suffix}") as written:
            assert written.getexif().get_ifd(GPS)[2][2] == 4711
            assert written.getexif().get_ifd(0x8769)[0xA431] == "SER4711"


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("largest", [255, 65535])
def test_bits_and_alpha_are_kept(tmp_path: Path, channels: int, suffix: str, largest: int) -> None:
    pixels = picture(channels=channels, largest=largest)
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
    cv2.imwrite(str(tmp_path / f"a.{suffix}"), pixels[:, :, order])
    photograph = read_photograph(tmp_path / f"a.{suffix}")
    assert photograph.pixels.dtype == pixels.dtype and np.array_equal(photograph.pixels, pixels)
    for other in ("png", "tif"):
        photograph.save(tmp_path / f"b.{other}")
        if largest == 255:  # OpenCV multiplies the colours of a TIFF of 8 bits by alpha
            read = np.asarray(Image.open(tmp_path / f"b.{other}")).reshape(pixels.shape)
        else:
            read = cv2.imread(str(tmp_path / f"b.{other}"), cv2.IMREAD_UNCHANGED).reshape(pixels.shape)[:, :, order]
        assert read.dtype == pixels.dtype and np.array_equal(read, pixels)
        (tmp_path / f"b.{other}").unlink()


def test_profile_and_exif_beside_sixteen_bits(tmp_path: Path) -> None:
    profile = wide_profile()
    from semanticgan.inversion.photograph_reading import Beside

    beside = Beside("PNG", profile, camera_exif(3).tobytes(), xmp_packet())
    photograph = Photograph(picture(largest=65535), beside, colours_of(profile))
    for name in ("a.png", "a.tif"):
        photograph.save(tmp_path / name)
        again = read_photograph(tmp_path / name)
        assert np.array_equal(again.pixels, photograph.pixels)
        with Image.open(tmp_path / name) as written:
            assert written.info["icc_profile"] == profile
            assert written.getexif()[0x0110] == "Model X"
        assert b'Rating="5"' in again.xmp()


def test_colours_of_a_profile_are_those_of_littlecms() -> None:
    profile = wide_profile()
    colours = colours_of(profile)
    assert colours is not None and colours.primaries is not None
    own = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    srgb, wide = ImageCms.createProfile("sRGB"), ImageCms.ImageCmsProfile(io.BytesIO(profile))
    theirs = np.asarray(ImageCms.profileToProfile(Image.fromarray(own), wide, srgb, renderingIntent=1), np.float32)
    ours = colours.to_srgb(own.astype(np.float32) / 255) * 255
    assert np.abs(ours - theirs).max() < 1.6
    small = np.clip(ours, 1, 254) / 255
    assert np.abs(colours.to_srgb(colours.of_srgb(small.astype(np.float32))) - small).max() < 2e-3
    assert colours_of(ImageCms.ImageCmsProfile(srgb).tobytes()) is None


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("largest", [255, 65535])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_only_what_may_change_changes(wide: bool, largest: int, channels: int) -> None:
    colours = colours_of(wide_profile()) if wide and channels > 1 else None
    photograph = Photograph(picture(channels=channels, largest=largest), colours=colours)
    box = (4, 2, 30, 20)
    rgb = photograph.rgb(box)
    everywhere = np.ones(rgb.shape[:2], bool)
    assert np.array_equal(photograph.with_rgb(rgb, everywhere, box).pixels, photograph.pixels)
    where = np.zeros_like(everywhere)
    where[3:9, 5:11] = True
    changed = photograph.with_rgb(np.full_like(rgb, 0.25), where, box)
    same = np.ones(photograph.shape, bool)
    same[5:11, 9:15] = False
    assert np.array_equal(changed.pixels[same], photograph.pixels[same])
    assert np.abs(changed.rgb()[~same] - 0.25).max() < 1.1 / 255
    if channels == 4:
        assert np.array_equal(changed.pixels[..., 3], photograph.pixels[..., 3])


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("largest", [255, 65535])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_colours_of_eight_bits(wide: bool, largest: int, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounded sRGB, in strips of any height, with the alpha."""
    monkeypatch.setattr("semanticgan.inversion.photograph._STRIP", 100)
    colours = colours_of(wide_profile()) if wide and channels > 1 else None
    photograph = Photograph(picture(channels=channels, largest=largest), colours=colours)
    found = photograph.to_uint8()
    assert found.dtype == np.uint8 and found.shape == (24, 36, max(channels, 3))
    assert np.abs(found[..., :3] - np.clip(photograph.rgb(), 0, 1) * 255.0).max() <= 0.501
    if channels == 4:
        assert np.abs(found[..., 3] - photograph.pixels[..., 3] * (255 / largest)).max() <= 0.501
    assert np.array_equal(photograph.to_uint8((4, 2, 30, 20)), found[2:20, 4:30])


@pytest.mark.parametrize(("mode", "channels"), [("P", 3), ("1", 1), ("LA", 4), ("L", 1), ("CMYK", 3), ("I;16", 1)])
def test_other_modes(tmp_path: Path, mode: str, channels: int) -> None:
    image = (
        Image.fromarray(picture(largest=65535, channels=1)[..., 0]) if mode == "I;16" else Image.fromarray(picture())
    )
    image = image if mode == "I;16" else image.convert("RGBA" if mode == "LA" else "RGB").convert(mode)
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    image.save(path)
    if mode == "CMYK":
        with pytest.warns(DataWarning, match="CMYK"):
            photograph = read_photograph(path)
        assert np.array_equal(photograph.pixels, np.asarray(Image.open(path).convert("RGB")))
    else:
        photograph = read_photograph(path)
        wanted = image if mode in ("L", "I;16") else image.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels])
        assert np.array_equal(photograph.pixels[..., 0], np.asarray(wanted).reshape(24, 36, -1)[..., 0])
    assert photograph.pixels.shape[2] == channels


@pytest.mark.parametrize(("quality", "subsampling"), [(70, 2), (91, 0), (85, 1)])
def test_a_jpeg_keeps_its_coding(tmp_path: Path, quality: int, subsampling: int) -> None:
    Image.fromarray(picture(64, 64)).save(tmp_path / "a.jpg", quality=quality, subsampling=subsampling)
    read_photograph(tmp_path / "a.jpg").save(tmp_path / "b.jpg")
    with Image.open(tmp_path / "a.jpg") as first, Image.open(tmp_path / "b.jpg") as second:
        assert isinstance(first, JpegImagePlugin.JpegImageFile) and isinstance(second, JpegImagePlugin.JpegImageFile)
        assert first.quantization == second.quantization
        assert JpegImagePlugin.get_sampling(second) == subsampling


def test_losses_are_said(tmp_path: Path) -> None:
    Photograph(picture()).save(tmp_path / "a.png")
    with pytest.raises(ExistingFileError):
        Photograph(picture()).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"\.png"):
        Photograph(picture()).save(tmp_path / "a.heic")
    with pytest.warns(DataWarning, match="16"):
        Photograph(picture(largest=65535)).save(tmp_path / "a.jpg")
    with pytest.warns(DataWarning, match="transparency"):
        Photograph(picture(channels=4)).save(tmp_path / "b.jpg")
    (tmp_path / "c.jpg").write_text("no picture")
    with pytest.raises(InputError, match=r"c\.jpg"):
        read_photograph(tmp_path / "c.jpg")


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_avif(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(picture(64, 48)).save(tmp_path / "a.avif", quality=100, subsampling="4:4:4", exif=camera_exif(6))
    read = read_photograph(tmp_path / "a.avif")
    assert read.shape == (48, 64)
    assert np.abs(read.pixels.astype(int) - np.rot90(picture(64, 48), 3)).mean() < 4
    monkeypatch.setattr(features, "check", lambda name: False)
    with pytest.raises(InputError, match="AVIF"):
        read_photograph(tmp_path / "a.avif")


def test_heic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    pillow_heif.from_pillow(Image.fromarray(picture(64, 48))).save(str(tmp_path / "a.heic"), quality=-1)
    read = read_photograph(tmp_path / "a.heic")
    assert read.shape == (64, 48)
    assert np.abs(read.pixels.astype(int) - picture(64, 48)).mean() < 12  # chroma of a quarter
    monkeypatch.setattr(extras, "problem", lambda feature: "reading HEIC needs pillow-heif")
    with pytest.raises(InputError, match="HEIC"):
        read_photograph(tmp_path / "a.heic")


def test_heic_without_its_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 40)
    monkeypatch.setattr(extras, "_why_not", lambda module: "is not installed")
    with pytest.raises(InputError, match=r"HEIC.*semanticgan\[heic\]"):
        read_photograph(tmp_path / "a.heic")


_BIG = """
import resource, sys, numpy as np, torch
from pathlib import Path
from semanticgan.inversion.alignment import Alignment
from semanticgan.inversion.photograph import read_photograph
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
p = read_photograph(sys.argv[1])
a = Alignment(np.array([[2500.0, 300.0, 2000.0], [-300.0, 2500.0, 1800.0]]) * p.shape[1] / 8000)
c = a.crop(p, 512)
box = a.box(p.shape)
part = p.rgb(box)
where = a.inside(p.shape, box)
part += a.undo(c * 0.01, p.shape, box)
p.with_rgb(part, where, box).save(sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def _peak(tmp_path: Path, height: int, width: int) -> int:
    """Kilobytes above the imports of a process that reads, crops, changes and writes a JPEG."""
    noise = np.random.default_rng(0).integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((width, height)).save(tmp_path / "a.jpg", quality=90)
    command = [sys.executable, "-c", _BIG, str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg")]
    done: Any = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.by_name
@pytest.mark.skipif(not hasattr(resource, "getrusage"), reason="no figures of memory")
def test_memory_of_a_picture_of_48_megapixels(tmp_path: Path) -> None:
    assert _peak(tmp_path, 6000, 8000) < 1_500_000

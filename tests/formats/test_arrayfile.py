"""``.npz`` files that somebody else wrote: numbers come back as they are, nothing else is opened or believed."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from semanticgan.errors import WeightsError
from semanticgan.formats.arrayfile import read_npz

ARRAYS = {
    "G/4x4/Dense/weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "G/lod": np.float32(1.5),
    "half": np.ones(3, np.float16),
    "turned": np.asfortranarray(np.arange(6.0).reshape(3, 2)),
    "none": np.zeros((0, 4), np.float32),
    "large": np.array([0.25], ">f8"),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_numbers_come_back(tmp_path: Path, save) -> None:
    save(tmp_path / "a.npz", **ARRAYS)
    found = read_npz(tmp_path / "a.npz")
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == torch.float32
        assert torch.equal(found[name], torch.from_numpy(np.array(array, np.float32, order="C")))


def npy(array: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, **options)
    return stream.getvalue()


def with_shape(text: str) -> bytes:
    """Two numbers under a header of another shape."""
    content = npy(np.zeros(2, np.float32))
    shape = b"'shape': (2,), "
    assert shape in content
    longer = b"'shape': " + text.encode() + b", "
    return content.replace(shape + b"}" + b" " * (len(longer) - len(shape)), longer + b"}")


BROKEN = {
    "pickle": npy(np.array([{}], dtype=object), allow_pickle=True),
    "text": npy(np.array(["a"])),
    "whole numbers": npy(np.arange(3)),
    "complex": npy(np.zeros(2, complex)),
    "long double": npy(np.zeros(2, np.longdouble)),
    "no array": b"something else",
    "empty": b"",
    "short": npy(np.zeros(9, np.float32))[:-4],
    "long": npy(np.zeros(9, np.float32)) + b"1234",
    "huge": with_shape("(1000000000000,)"),
    "overflowing": with_shape("(4611686018427387905, 4)"),
    "negative": with_shape("(-1, -2)"),
    "no header": npy(np.zeros(2, np.float32))[:9],
    "odd header": npy(np.zeros(2, np.float32)).replace(b"'shape': (2,)", b"'shape': ((((("),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_other_content(tmp_path: Path, kind: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("weight.npy", BROKEN[kind])
    with pytest.raises(WeightsError) as refused:
        read_npz(tmp_path / "a.npz")
    assert "\n" not in str(refused.value)


def test_other_zips(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(npy(np.zeros(2, np.float32)))
    with pytest.raises(WeightsError, match=r"no readable \.npz"):
        read_npz(path)
    np.savez_compressed(path, a=np.zeros(10**7, np.float32))
    with pytest.raises(WeightsError, match="50 times"):
        read_npz(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.npy", npy(np.zeros(2, np.float32)))
    with pytest.raises(WeightsError, match="numpy never writes"):
        read_npz(path)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", npy(np.zeros(2, np.float32)))
        archive.writestr("a.npy", npy(np.ones(2, np.float32)))
    with pytest.raises(WeightsError, match="same name"):
        read_npz(path)
    np.savez(path, a=np.arange(1000, dtype=np.float32))
    content = bytearray(path.read_bytes())
    content[2000] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="CRC"):
        read_npz(path)
    path.write_bytes(content[:3000])
    with pytest.raises(WeightsError, match=r"no readable \.npz"):
        read_npz(path)

"""Latent codes: rows by name, swap, mix, interpolate, truncate, and files."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from semanticgan.errors import InputError, MissingFileError
from semanticgan.latents import LatentCode, interpolate, mix, mix_by_schema, swap, truncate
from semanticgan.regions import CELEBAMASK_13, RegionScheme
from semanticgan.rows import Rows

SCHEME = RegionScheme(("background", "face", "eye", "hair"))
NUM_BASE, WIDTH = 2, 6
NUM_ROWS = NUM_BASE + 2 * len(SCHEME)
HAIR_STRUCTURE, HAIR_TEXTURE = NUM_BASE + 2 * 3, NUM_BASE + 2 * 3 + 1


def code(seed: int, num_images: int = 1) -> LatentCode:
    generator = torch.Generator().manual_seed(seed)
    return LatentCode(torch.randn(num_images, NUM_ROWS, WIDTH, generator=generator), SCHEME)


def changed_rows(before: LatentCode, after: LatentCode) -> list[int]:
    return (before.tensor != after.tensor).any(2).any(0).nonzero().flatten().tolist()


def test_parts_are_the_rows_of_the_paper() -> None:
    tensor = torch.arange(NUM_ROWS, dtype=torch.float32)[None, :, None].expand(3, -1, WIDTH)
    named = LatentCode(tensor, SCHEME)
    assert (named.num_images, len(named), named.num_base) == (3, 3, NUM_BASE)
    assert named.base[0, :, 0].tolist() == [0, 1]
    assert named.structure("background")[0, 0] == 2
    assert named.texture("background")[0, 0] == 3
    assert named.structure("eyes")[0, 0] == 6
    assert named.texture("hair")[0, 0] == 9


def test_from_w_repeats_w_in_every_row() -> None:
    w = torch.randn(2, WIDTH)
    plain = LatentCode.from_w(w, SCHEME, NUM_BASE)
    assert plain.num_base == NUM_BASE
    assert torch.equal(plain.tensor, w[:, None].expand(-1, NUM_ROWS, -1))


def test_images_are_taken_and_put_together() -> None:
    batch = code(0, 4)
    assert torch.equal(batch[2].tensor, batch.tensor[2:3])
    assert torch.equal(batch[1:3].tensor, batch.tensor[1:3])
    assert torch.equal(LatentCode.cat([batch[0], batch[1:]]).tensor, batch.tensor)


@pytest.mark.parametrize(
    ("what", "rows"),
    [
        ("structure", [HAIR_STRUCTURE]),
        ("texture", [HAIR_TEXTURE]),
        ("both", [HAIR_STRUCTURE, HAIR_TEXTURE]),
    ],
)
def test_swap_touches_only_the_regions_rows(what: str, rows: list[int]) -> None:
    a, b = code(1, 2), code(2, 2)
    before = a.tensor.clone()
    swapped = swap(a, b, ["hair"], what)
    assert changed_rows(a, swapped) == rows
    assert torch.equal(swapped.tensor[:, rows], b.tensor[:, rows])
    assert torch.equal(a.tensor, before)


def test_swap_exchanges_base_rows_only_when_asked() -> None:
    a, b = code(1), code(2)
    assert changed_rows(a, swap(a, b, "hair", include_base=True)) == [0, 1, HAIR_STRUCTURE, HAIR_TEXTURE]
    assert changed_rows(a, swap(a, b, "hair,eyes")) == [6, 7, HAIR_STRUCTURE, HAIR_TEXTURE]


def test_one_image_goes_with_many() -> None:
    one, many = code(1), code(2, 3)
    swapped = swap(one, many, "hair")
    assert len(swapped) == len(swap(many, one, "hair")) == 3
    for i in range(3):
        assert torch.equal(swapped.tensor[i], swap(one, many[i], "hair").tensor[0])


def test_mix_runs_from_the_source_to_the_swap() -> None:
    a, b = code(1), code(2)
    assert torch.equal(mix(a, b, "hair", 0.0).tensor, a.tensor)
    assert torch.equal(mix(a, b, "hair", 1.0).tensor, swap(a, b, "hair").tensor)
    half = mix(a, b, "hair", 0.5, what="texture")
    torch.testing.assert_close(half.texture("hair"), (a.texture("hair") + b.texture("hair")) / 2)
    assert changed_rows(a, half) == [HAIR_TEXTURE]


def layers(num_images: int, value: float) -> LatentCode:
    return LatentCode(torch.full((num_images, 6, WIDTH), value), Rows.of_layers(6))


def test_a_schema_takes_each_layer_from_source_or_destination() -> None:
    mixed = mix_by_schema(layers(1, 1.0), layers(3, 2.0), "SSDDSD")
    assert mixed.tensor.shape == (3, 6, WIDTH) and mixed.rows == Rows.of_layers(6)
    assert mixed.tensor[2, :, 0].tolist() == [1.0, 1.0, 2.0, 2.0, 1.0, 2.0]
    many = mix_by_schema(layers(3, 1.0), layers(1, 2.0), "DDDDDS")
    assert many.tensor[:, :, 0].tolist() == [[2.0] * 5 + [1.0]] * 3
    assert mix_by_schema(layers(1, 1.0), layers(1, 2.0), "SSSSSS") == layers(1, 1.0)


@pytest.mark.parametrize("schema", ["SSDD", "SSSDDDD", "", "SSXDDD", "ssdddd", "SSD DD", None, ["S"] * 6, 6])
def test_a_wrong_schema_says_what_one_is(schema: object) -> None:
    with pytest.raises(InputError, match=r"a schema has 6 letters here, .* such as 'SSSDDD'"):
        mix_by_schema(layers(1, 1.0), layers(1, 2.0), schema)  # type: ignore[arg-type]


def test_a_schema_is_of_layers() -> None:
    with pytest.raises(InputError, match="Use swap with regions"):
        mix_by_schema(code(0), code(1), "S" * NUM_ROWS)
    with pytest.raises(InputError):
        mix_by_schema(layers(1, 1.0), LatentCode(torch.zeros(1, 8, WIDTH), Rows.of_layers(8)), "SSSDDD")


def test_truncation_moves_towards_the_mean() -> None:
    mean = torch.randn(WIDTH)
    source = code(3, 2)
    assert torch.equal(truncate(source, mean, 1.0).tensor, source.tensor)
    assert torch.equal(truncate(source, mean, 0.0).tensor, mean.expand_as(source.tensor))
    torch.testing.assert_close(truncate(source, mean, 0.7).tensor, mean + 0.7 * (source.tensor - mean))


@pytest.mark.parametrize("method", ["linear", "cubic"])
@pytest.mark.parametrize("num_codes", [2, 3, 6])
def test_interpolation_passes_exactly_through_its_codes(method: str, num_codes: int) -> None:
    codes = [code(seed) for seed in range(num_codes)]
    through = interpolate(codes, [float(m) for m in range(num_codes)], method=method)
    for m, knot in enumerate(codes):
        assert torch.equal(through.tensor[m], knot.tensor[0])


def test_cubic_interpolation_is_the_natural_spline() -> None:
    """Against second derivatives, taken by differences: continuous at the codes, zero at both ends."""
    codes = [LatentCode(code(seed).tensor.double(), SCHEME) for seed in range(5)]
    step = 1e-3

    def path(position: float) -> torch.Tensor:
        return interpolate(codes, position, method="cubic").tensor

    def curvature(position: float) -> torch.Tensor:
        return (path(position - step) - 2 * path(position) + path(position + step)) / step**2

    for knot in (1, 2, 3):
        speed_before = (path(knot) - path(knot - step)) / step
        speed_after = (path(knot + step) - path(knot)) / step
        torch.testing.assert_close(speed_before, speed_after, atol=0.05, rtol=0)
        torch.testing.assert_close(curvature(knot - 2 * step), curvature(knot + 2 * step), atol=0.2, rtol=0)
    assert curvature(step).abs().max() < 0.05
    assert curvature(4 - step).abs().max() < 0.05
    assert curvature(2.0).abs().max() > 1  # the test sees curvature where there is some


def test_interpolation_between_two_codes_is_straight_and_moves_only_its_rows() -> None:
    a, b = code(1), code(2)
    moved = interpolate([a, b], [0.0, 0.25, 1.0], regions="hair", what="structure")
    torch.testing.assert_close(moved[1].tensor, mix(a, b, "hair", 0.25, "structure").tensor)
    assert changed_rows(a, moved[2]) == [HAIR_STRUCTURE]
    assert torch.equal(interpolate([a, b], 0.25, method="cubic").tensor, interpolate([a, b], 0.25).tensor)
    assert 0 in changed_rows(a, interpolate([a, b], 1.0, regions="hair", include_base=True))


def test_replace_puts_rows_by_name() -> None:
    source = code(1, 2)
    replaced = source.replace(base=torch.zeros(2, NUM_BASE, WIDTH), texture={"eyes": torch.ones(WIDTH)})
    assert changed_rows(source, replaced) == [0, 1, 7]
    assert bool((replaced.texture("eye") == 1).all())
    with pytest.raises(InputError, match=r"structure of hair has the shape \[2, 6\], got \[5\]"):
        source.replace(structure={"hair": torch.ones(5)})


@pytest.mark.parametrize("suffix", [".safetensors", ".npy"])
def test_files_give_back_what_was_saved(suffix: str, tmp_path: Path) -> None:
    source, path = code(4, 3), tmp_path / f"code{suffix}"
    source.save(path)
    read = LatentCode.load(path, SCHEME, NUM_BASE)
    assert torch.equal(read.tensor, source.tensor)
    assert read.regions == SCHEME
    with pytest.raises(InputError, match="exists already"):
        source.save(path)
    code(5).save(path, overwrite=True)
    assert len(LatentCode.load(path, SCHEME)) == 1


def test_a_safetensors_code_knows_its_regions(tmp_path: Path) -> None:
    code(4).save(tmp_path / "code.safetensors")
    assert LatentCode.load(tmp_path / "code.safetensors").regions == SCHEME
    with pytest.raises(InputError, match="same model"):
        LatentCode.load(tmp_path / "code.safetensors", CELEBAMASK_13)
    code(4).save(tmp_path / "code.npy")
    with pytest.raises(InputError, match="does not name its regions"):
        LatentCode.load(tmp_path / "code.npy")


def test_reference_code_of_one_image_without_the_first_axis(tmp_path: Path) -> None:
    array = np.random.default_rng(0).standard_normal((2 + 2 * 13, 8))
    np.save(tmp_path / "code.npy", array)
    read = LatentCode.load(tmp_path / "code.npy", CELEBAMASK_13, num_base=2)
    assert read.tensor.dtype == torch.float32
    torch.testing.assert_close(read.tensor, torch.from_numpy(array).float()[None])


def test_a_pickle_in_a_code_is_never_run(tmp_path: Path) -> None:
    trace = tmp_path / "ran"

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str, str]]:
            return (open, (str(trace), "w"))

    np.save(tmp_path / "object.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    (tmp_path / "plain.npy").write_bytes(pickle.dumps(Bomb()))
    for name in ("object.npy", "plain.npy"):
        with pytest.raises(InputError, match=r"not a readable \.npy"):
            LatentCode.load(tmp_path / name, SCHEME)
    assert not trace.exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".npy"])
def test_damaged_files_are_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"code{suffix}"
    code(1).save(path)
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"<!DOCTYPE html><html></html>", b"version https://git-lfs\n"):
        path.write_bytes(damaged)
        with pytest.raises(InputError):
            LatentCode.load(path, SCHEME)


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="does not exist"):
        LatentCode.load(tmp_path / "none.npy", SCHEME)
    (tmp_path / "code.pt").write_bytes(b"")
    with pytest.raises(InputError, match=r"Use \.safetensors or \.npy"):
        LatentCode.load(tmp_path / "code.pt", SCHEME)
    np.save(tmp_path / "whole.npy", np.ones((1, NUM_ROWS, WIDTH), dtype=np.int64))
    with pytest.raises(InputError, match="no floating numbers"):
        LatentCode.load(tmp_path / "whole.npy", SCHEME)
    np.save(tmp_path / "nan.npy", np.full((1, NUM_ROWS, WIDTH), np.nan, dtype=np.float32))
    with pytest.raises(InputError, match="not finite"):
        LatentCode.load(tmp_path / "nan.npy", SCHEME)
    code(1).save(tmp_path / "code.npy")
    with pytest.raises(InputError, match="10 rows; 3 base rows and 4 regions make 11"):
        LatentCode.load(tmp_path / "code.npy", SCHEME, num_base=3)


def test_mistakes_say_what_is_allowed() -> None:
    a, b = code(1), code(2)
    with pytest.raises(InputError, match="Did you mean 'hair'"):
        swap(a, b, ["hiar"])
    with pytest.raises(InputError, match="Known: structure, texture, both"):
        swap(a, b, ["hair"], what="colour")
    with pytest.raises(InputError, match="Give the same number, or one image"):
        swap(code(1, 2), code(2, 3), ["hair"])
    with pytest.raises(InputError, match="different regions"):
        swap(a, LatentCode(b.tensor, RegionScheme(("background", "face", "eye", "hat"))), ["hair"])
    with pytest.raises(InputError, match="different shapes"):
        swap(a, LatentCode(torch.zeros(1, NUM_ROWS, WIDTH + 1), SCHEME), ["hair"])
    with pytest.raises(InputError, match="positions run from 0 to 1"):
        interpolate([a, b], [0.5, 1.5])
    with pytest.raises(InputError, match="positions run from 0 to 1"):
        interpolate([a, b], float("nan"))
    with pytest.raises(InputError, match="two or more codes"):
        interpolate([a], 0.0)
    with pytest.raises(InputError, match="Known: linear, cubic"):
        interpolate([a, b], 0.5, method="quintic")
    with pytest.raises(InputError, match=r"LatentCode\.from_w"):
        LatentCode(torch.zeros(1, WIDTH), SCHEME)
    with pytest.raises(InputError, match="at least 1 image and 8 rows"):
        LatentCode(torch.zeros(1, 7, WIDTH), SCHEME)
    with pytest.raises(InputError, match="floating tensor"):
        LatentCode(torch.zeros(1, NUM_ROWS, WIDTH, dtype=torch.int64), SCHEME)
    with pytest.raises(InputError, match="the mean of this code"):
        truncate(a, torch.zeros(WIDTH + 1), 0.5)

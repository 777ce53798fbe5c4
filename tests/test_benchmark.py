"""The benchmark: its count of the work against torch's own, its clocks and gauges, and the verb."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from semanticgan.benchmark import growth
from semanticgan.benchmark.clock import PeakMemory, best_seconds, in_fresh_process, timed_modules
from semanticgan.benchmark.floor import Floor, best_layout
from semanticgan.benchmark.report import run_benchmark
from semanticgan.benchmark.runtimes import measure_runtimes, require_runtimes
from semanticgan.benchmark.tables import floor_table, growth_table, megabytes, runtime_table
from semanticgan.benchmark.training import TrainingSpeed, measure_papers_training, measure_training, papers_config
from semanticgan.benchmark.work import OUTPUTS, PARTS, RENDERER, ConvShape, count_work, gigaflop
from semanticgan.errors import InputError
from semanticgan.networks.config import GeneratorConfig
from semanticgan.networks.generator import Generator
from semanticgan.training.config import load_config
from tests.conftest import TINY_REGIONS

ROOT = Path(__file__).resolve().parents[1]
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("batch", [1, 2])
def test_the_work_is_what_torch_counts(tiny_generator: Generator, batch: int) -> None:
    z = torch.randn(batch, tiny_generator.config.style_dim)
    with FlopCounterMode(display=False) as counter, torch.enable_grad():  # with gradients nothing is computed otherwise
        tiny_generator(tiny_generator.map(z))
    config = tiny_generator.config
    background_depth = (
        2 * config.local_channels * config.coarse_size**2
    )  # computed with zeros, and no work of the model
    counted = counter.get_total_flops() - batch * background_depth
    assert gigaflop(count_work(config, batch)) * batch * 1e9 == pytest.approx(counted, rel=1e-9)


@pytest.mark.parametrize(
    ("size", "expected"),
    [(256, (0.0042, 0.018, 4.38, 3.54, 98.8)), (512, (0.0042, 0.020, 4.38, 3.54, 128.9))],
)
def test_the_work_of_the_papers_models(size: int, expected: tuple[float, ...]) -> None:
    work = count_work(GeneratorConfig(size=size))
    parts = [gigaflop(layer for layer in work if layer.part == part) for part in PARTS]
    assert parts == pytest.approx(expected, rel=0.02)


def test_convolutions_of_the_renderer_have_a_floor_of_the_same_work() -> None:
    for layer in count_work(GeneratorConfig(size=512)):
        assert (layer.floor is not None) == (layer.part == RENDERER)
        if layer.floor is not None and layer.name != OUTPUTS:
            blur = 2 * 16 * layer.floor.channels_out * (2 * layer.floor.side) ** 2
            assert layer.flop == layer.floor.flop + (blur if "upsample" in layer.name else 0)


def test_rendering_without_gradients_equals_rendering_with_them(tiny_generator: Generator) -> None:
    z = torch.randn(3, tiny_generator.config.style_dim)
    with torch.enable_grad():
        expected = tiny_generator(tiny_generator.map(z))
    with torch.no_grad():
        rendered = tiny_generator(tiny_generator.map(z))
    for name in ("image", "segmentation", "coarse_segmentation", "depth"):
        wanted = getattr(expected, name)
        error = (getattr(rendered, name) - wanted).abs().max() / wanted.abs().max()
        assert error < 3e-5, name


def test_the_floor_is_a_sum_over_layers_of_the_best_layout() -> None:
    small, large = ConvShape(4, 4, 8), ConvShape(8, 8, 8)
    floor = best_layout(
        {("float32", "NCHW"): {small: 2.0, large: 3.0}, ("float32", "channels-last"): {small: 1.0, large: 4.0}}
    )
    assert floor.rates == {small: 2.0, large: 4.0}
    work = count_work(GeneratorConfig(size=64, min_feature_size=32, channels={64: 512}))
    rates = {layer.floor: 10.0 for layer in work if layer.floor is not None}
    assert Floor(rates).seconds(work) == pytest.approx(gigaflop(work) / 10.0)
    table = floor_table({("float32", "NCHW"): {small: 2.0, large: 3.0}})
    assert "| 4 at 8 | 2 |" in table and "| 8 at 8 | 3 |" in table


def test_clocks_take_the_shortest_run() -> None:
    waits = iter([0.0, 0.03, 0.001, 0.02] + [0.02] * 100)
    assert 0.001 <= best_seconds(lambda: time.sleep(next(waits)), CPU, repeats=3) < 0.015
    module = torch.nn.Linear(2, 2)
    with timed_modules({"linear": module}, CPU) as seconds:
        module(torch.zeros(1, 2))
    assert 0 < seconds["linear"] < 1
    assert not module._forward_hooks and not module._forward_pre_hooks


def test_peak_memory_is_of_the_fresh_process_alone() -> None:
    held = torch.ones(64, 2**18)  # 64 MB that the fresh process does not have
    peak = in_fresh_process(_touch, 32)
    assert held.sum() > 0
    assert 30 * 2**20 < peak < 60 * 2**20
    assert megabytes(32_000_000) == "32 MB" and megabytes(None) == "not known"


def _touch(megabytes: int) -> int:
    gauge = PeakMemory(CPU)
    torch.ones(megabytes, 2**18).sum()
    peak = gauge.read()
    assert peak is not None
    return peak


def test_training_phases_are_timed_and_averaged() -> None:
    config = load_config("tiny", ["batch=2"])
    speed = measure_training(CPU, config, TINY_REGIONS, num_steps=2)
    assert set(speed.seconds) == {"discriminator", "generator", "R1", "path length"}
    both = speed.seconds["discriminator"] + speed.seconds["generator"]
    assert both < speed.seconds_a_step < both + speed.seconds["R1"] + speed.seconds["path length"]
    assert speed.images_a_second == pytest.approx(2 / speed.seconds_a_step)


def test_the_verb_prints_tables_and_json(tiny_model_file: Path, command: Callable[..., Any]) -> None:
    measured = command("benchmark", "--model", tiny_model_file, "--batch", "2", "--repeats", "1")
    result = measured.result
    assert [speed["precision"] for speed in result["inference"]] == ["float32", "bfloat16"]
    for speed in result["inference"]:
        assert [part["name"] for part in speed["parts"]] == list(PARTS)
        assert speed["whole"]["share"] == pytest.approx(speed["whole"]["rate"] / speed["whole"]["floor"])
        assert 0 < speed["peak_memory"] < 2**30
    assert {(row["precision"], row["layout"]) for row in result["floor"]} == {
        ("float32", "NCHW"),
        ("float32", "channels-last"),
        ("bfloat16", "channels-last"),
    }
    assert "| channels at side | float32 NCHW | float32 channels-last | bfloat16 channels-last |" in measured.err
    edits = [(edit["precision"], edit["region"]) for edit in result["partial"]]
    regions = ("nothing", "eye", "mouth", "nose", "hair")
    assert edits == [(precision, region) for precision in ("float32", "bfloat16") for region in regions]
    for edit in result["partial"]:
        assert (edit["work"] == 0) == (edit["region"] == "nothing") and edit["work"] <= 1
        assert edit["ratio"] > 0 and edit["error"] < (1e-4 if edit["precision"] == "float32" else 0.1)
    assert "| edit | time | operations | kept maps | largest difference |" in measured.err
    assert "% of the floor. Peak memory beyond the weights:" in measured.err


@pytest.fixture
def no_fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure in this process, which saves seconds and makes the peaks of memory meaningless."""
    monkeypatch.setattr(
        "semanticgan.benchmark.report.in_fresh_process", lambda function, *arguments, initializer: function(*arguments)
    )


@pytest.mark.usefixtures("no_fresh_process")
def test_a_report_with_training(tiny_generator: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semanticgan.benchmark.report.measure_papers_training", _tiny_training)
    report = run_benchmark(tiny_generator, 2, ["float32"], CPU, repeats=1, training=True)
    (speed,) = json.loads(json.dumps(report.to_dict()))["training"]
    assert speed["peak_memory"] >= 0 and min(speed["seconds"].values()) > 0
    assert "### Training, 32 pixels, batch 2\n\n| seconds | discriminator |" in report.to_markdown()


def _tiny_training(device: torch.device, size: int, batch: int, precision: str, num_steps: int) -> TrainingSpeed:
    assert (size, batch, precision, num_steps) == (32, 2, "float32", 1)
    return measure_training(device, load_config("tiny", ["batch=2"]), TINY_REGIONS, num_steps)


def test_the_papers_training_can_be_sent_to_a_fresh_process() -> None:
    sent = (measure_papers_training, CPU, 256, 2, "bfloat16", 1)
    assert pickle.loads(pickle.dumps(sent)) == sent
    config = papers_config(256, 2, "bfloat16")
    assert (config.size, config.batch, config.precision) == (256, 2, "bfloat16")


@pytest.mark.parametrize(
    ("runtimes", "precision", "message"),
    [
        (["cuda-graph"], "float32", "needs --device cuda, not cpu"),
        (["onnx"], "bfloat16", "on the CPU in float32"),
        (["compiel"], "float32", "compile"),
    ],
)
def test_a_runtime_that_cannot_be_measured_is_refused(runtimes: list[str], precision: str, message: str) -> None:
    if "onnx" in runtimes:
        pytest.importorskip("onnxruntime")
    with pytest.raises(InputError, match=message):
        require_runtimes(runtimes, [precision], CPU)


@pytest.mark.slow
def test_onnxruntime_renders_the_same_picture(tiny_generator: Generator) -> None:
    _compare_runtimes(tiny_generator, ["onnx"])


@pytest.mark.by_name  # the compiler takes half a minute
def test_a_compiled_generator_renders_the_same_picture(tiny_generator: Generator) -> None:
    _compare_runtimes(tiny_generator, ["compile"])


def _compare_runtimes(generator: Generator, runtimes: list[str]) -> None:
    if "onnx" in runtimes:
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
    torch.compiler.reset()
    speeds = measure_runtimes(generator.requires_grad_(False), 2, "float32", CPU, 1, runtimes)
    assert [speed.runtime for speed in speeds] == ["eager", *runtimes]
    for speed in speeds:
        assert speed.error < 1e-4 and speed.milliseconds > 0
        assert speed.ratio == pytest.approx(speeds[0].milliseconds / speed.milliseconds)
    assert f"| {runtimes[0]} | float32 |" in runtime_table(speeds)


def test_growth_fits_an_exponent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of made-up times, linear in regions and batch and quadratic in the side."""
    parts = (growth.LOCAL, growth.RENDERER, growth.WHOLE)

    def seconds(_device: torch.device, _repeats: int, num_regions: int, side: int, batch: int) -> dict[str, float]:
        return dict.fromkeys(parts, 1e-6 * num_regions * side**2 * batch)

    monkeypatch.setattr(growth, "_render_seconds", seconds)
    found = growth.measure_growth(CPU, 1, training=False)
    assert {(each.part, each.axis) for each in found} == {
        (part, axis) for part in parts for axis in (growth.REGIONS, growth.SIDES, growth.BATCHES)
    }
    for each in found:
        assert each.exponent == pytest.approx(2.0 if each.axis == growth.SIDES else 1.0)
    assert "| renderer | pixels of a side | 64, 128, 256 |" in growth_table(found)


def test_growth_times_the_parts_of_renders_and_trainings() -> None:
    rendered = growth._render_seconds(CPU, 1, num_regions=3, side=32, batch=1)
    trained = growth._training_seconds(CPU, num_regions=3, side=32, batch=2)
    assert min(rendered.values()) > 0 and rendered[growth.RENDERER] < 3 * rendered[growth.WHOLE]
    assert min(trained[phase] for phase in ("discriminator", "generator")) > 0


@pytest.mark.usefixtures("no_fresh_process")
def test_the_verb_writes_a_table_file(tiny_model_file: Path, tmp_path: Path, command: Callable[..., Any]) -> None:
    words = (
        "--model",
        tiny_model_file,
        "--batch",
        "1",
        "--repeats",
        "1",
        "--precision",
        "float32",
        "--out",
        "speed.md",
    )
    measured = command("benchmark", *words)
    assert measured.result["out"] == "speed.md" and measured.err == ""
    assert (tmp_path / "speed.md").read_text().startswith("### The floor")


def test_wrong_values(command: Callable[..., Any], tmp_path: Path, tiny_model_file: Path) -> None:
    assert "allowed are float32, bfloat16" in command("benchmark", "--precision", "float16").complaint
    assert "leave --model out" in command("benchmark", "--model", tiny_model_file, "--training").complaint
    assert "not allowed with" in command("benchmark", "--model", tiny_model_file, "--size", "256").complaint
    assert "multiple of loss.path_length" in command("benchmark", "--batch", "3", "--training").complaint
    assert "min_feature_size" in command("benchmark", "--size", "32").complaint
    (tmp_path / "speed.md").write_text("mine")
    assert "exists already" in command("benchmark", "--out", "speed.md").complaint
    assert (tmp_path / "speed.md").read_text() == "mine"

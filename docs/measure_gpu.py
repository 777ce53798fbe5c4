"""Measures this library on a GPU, section by section: does it compute the same, how fast, and where the time goes.

python docs/measure_gpu.py --out gpu.md
python docs/measure_gpu.py --device cpu --sizes 64 --batches 1 --repeats 1 --sections agreement,profile --out trial.md

Each section is written to --out as soon as it is measured, and a repeated command goes on after the last one, so that a
machine that goes away costs one section.

agreement    portraits-64: picture, its gradient and two training steps on the GPU beside the CPU, both in float32
render       tools/benchmark.py for each size and batch: floor, parts, edits, torch.compile and CUDA graphs
training     D, G, R1 and path length of the paper's configuration at 256 pixels
profile      the operations of one training step that take longest
suite        pytest, in a process of its own
"""

from __future__ import annotations

import argparse
import copy
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

import semanticgan as sg
from semanticgan.benchmark.report import run_benchmark
from semanticgan.benchmark.tables import table, training_table
from semanticgan.benchmark.training import measure_papers_training
from semanticgan.commands.memory import keep_freed_memory
from semanticgan.errors import InputError
from semanticgan.files import written_aside
from semanticgan.model import choose_device
from semanticgan.networks.config import GeneratorConfig
from semanticgan.networks.generator import Generator
from semanticgan.regions import CELEBAMASK_13
from semanticgan.training.config import load_config
from semanticgan.training.methods.semanticstylegan import SemanticStyleGAN
from semanticgan.training.trainer import Trainer

LARGEST_DIFFERENCE = 1e-3
"""Of the scale, between two devices in float32; a training step adds the rounding of Adam's first steps."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--sizes", default="256,512", help="of the renders")
    parser.add_argument("--batches", default="1,8", help="of the renders")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--sections", default="agreement,render,training,profile,suite")
    parser.add_argument("--out", type=Path, required=True, help="Markdown file, gone on with where it exists")
    args = parser.parse_args()
    try:
        device = choose_device(args.device)
        sections = planned(args, device)
    except InputError as error:
        parser.error(str(error))
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    done = args.out.read_text(encoding="utf-8") if args.out.is_file() else ""
    for title, measure in sections.items():
        if f"## {title}\n" in done:
            continue
        sys.stderr.write(f"{title}\n")
        done += f"## {title}\n\n{measure()}\n\n"
        with written_aside(args.out, overwrite=True) as aside:
            aside.write_text(done, encoding="utf-8")
    print(json.dumps({"out": str(args.out), "sections": re.findall(r"^## (.*)$", done, re.MULTILINE)}))


def planned(args: argparse.Namespace, device: torch.device) -> dict[str, Callable[[], str]]:
    """Title -> what measures it and returns Markdown, in the order of the sections."""
    sizes, batches = ([int(part) for part in text.split(",")] for text in (args.sizes, args.batches))
    of_section: dict[str, dict[str, Callable[[], str]]] = {
        "agreement": {"Agreement with the CPU": lambda: agreement(device)},
        "render": {
            f"Renders of {size} pixels, batch {batch}": lambda size=size, batch=batch: renders(  # type: ignore[misc]
                device, size, batch, args.repeats
            )
            for size in sizes
            for batch in batches
        },
        "training": {"Training at 256 pixels": lambda: training(device, min(args.repeats, 5))},
        "profile": {"Profile of a training step": lambda: profiled(device)},
        "suite": {"Suite": suite},
    }
    chosen = args.sections.split(",")
    if unknown := [name for name in chosen if name not in of_section]:
        raise InputError(f"unknown section {unknown[0]!r}. Sections are {', '.join(of_section)}.")
    return {title: measure for name in chosen for title, measure in of_section[name].items()}


def agreement(device: torch.device) -> str:
    """Largest differences over the scale, of which none may be above ``LARGEST_DIFFERENCE``."""
    seen = [of_device(torch.device("cpu")), of_device(device)]
    rows = []
    for name, expected in seen[0].items():
        found = seen[1][name]
        difference = float((found - expected).abs().max() / expected.abs().max())
        rows.append([name, f"{difference:.1e}", "yes" if difference <= LARGEST_DIFFERENCE else "NO"])
    return table(["what", "largest difference", f"at most {LARGEST_DIFFERENCE}"], rows)


def of_device(device: torch.device) -> dict[str, Tensor]:
    """Picture, segmentation, gradient and trained weights, float64 on the CPU."""
    model = sg.load("portraits-64", device=device)
    code = model.sample(seed=3)
    rendering = model.render(code)
    latents = code.tensor.to(device).clone().requires_grad_()
    model.generator(latents).image.square().mean().backward()
    assert latents.grad is not None
    method = SemanticStyleGAN(
        load_config("tiny", ["precision=float32", "augmentation.probability=0"]), CELEBAMASK_13, device
    )
    size, batch = method.config.size, method.config.batch
    draws = torch.Generator().manual_seed(0)
    image = torch.randn(batch, 3, size, size, generator=draws).clamp(-1, 1)
    labels = torch.randint(13, (batch, size, size), generator=draws)
    segmentation = torch.nn.functional.one_hot(labels, 13).movedim(-1, 1) * 2.0 - 1.0
    trainer = Trainer(method)
    before = copy.deepcopy(method.networks["generator"].state_dict())
    for _ in range(2):
        trainer.step(image.to(device), segmentation.to(device))
    after = method.networks["generator"].state_dict()
    moved = torch.cat([after[name].flatten() for name in before if before[name].is_floating_point()])
    found = {
        "picture": rendering.image,
        "segmentation": rendering.segmentation,
        "gradient of the code": latents.grad,
        "generator after two steps": moved,
    }
    return {name: tensor.detach().double().cpu() for name, tensor in found.items()}


def renders(device: torch.device, size: int, batch: int, repeats: int) -> str:
    """The tables of the benchmark."""
    generator = Generator(GeneratorConfig(size=size)).eval().requires_grad_(False).to(device)
    runtimes = ["compile", "cuda-graph"] if device.type == "cuda" else ["compile"]
    precisions = ["float32", "bfloat16"]
    report = run_benchmark(
        generator, batch, precisions, device, repeats, prepare_process=keep_freed_memory, runtimes=runtimes
    )
    return report.to_markdown().strip()


def training(device: torch.device, num_steps: int) -> str:
    """Seconds of the phases, batch 2, beside those of the authors' code on two CPU cores."""
    return training_table(
        [measure_papers_training(device, 256, 2, precision, num_steps) for precision in ("float32", "bfloat16")]
    )


def profiled(device: torch.device) -> str:
    """One step of the tiny configuration on a CPU, of the paper's at 256 pixels on a GPU."""
    activities = [ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * (device.type == "cuda")]
    with profile(activities=activities) as found:
        if device.type == "cuda":
            measure_papers_training(device, 256, 2, "bfloat16", 2)
        else:
            of_device(device)
    key = "self_cuda_time_total" if device.type == "cuda" else "self_cpu_time_total"
    return f"```\n{found.key_averages().table(sort_by=key, row_limit=25, max_name_column_width=60)}\n```"


def suite() -> str:
    """The last line of pytest."""
    root = Path(__file__).resolve().parents[1]
    ended = subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=root, capture_output=True, text=True)
    return f"`pytest -q` ended with {ended.returncode}: {ended.stdout.strip().splitlines()[-1]}"


if __name__ == "__main__":
    main()

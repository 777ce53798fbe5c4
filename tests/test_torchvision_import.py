"""torchvision is imported whether its compiled operators load or not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from semanticgan.errors import InputError
from semanticgan.torchvision_import import import_torchvision

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("before", ["", "try:\n    import torchvision\nexcept RuntimeError:\n    pass\n"])
def test_models_and_transforms_work_in_a_fresh_process(before: str) -> None:
    """Also after a plain import that failed halfway."""
    program = (
        f"{before}"
        "from semanticgan.torchvision_import import import_torchvision\n"
        "module = import_torchvision()\n"
        "assert import_torchvision() is module\n"
        "import torch, lpips, torch_fidelity\n"
        "from torchvision import models\n"
        "from torchvision.transforms import v2\n"
        "print(v2.functional.resize(torch.zeros(3, 4, 4), [2, 2]).shape)\n"
    )
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "torch.Size([3, 2, 2])\n"


def test_without_torchvision_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(InputError, match="pip install torchvision"):
        import_torchvision()

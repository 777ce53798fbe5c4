"""What is kept of parameters follows them."""

import torch

from semanticgan.networks.kernels.folded import Folded


def test_kept_until_something_changes() -> None:
    a, b = torch.ones(2, requires_grad=True), torch.full((2,), 3.0, requires_grad=True)
    folded, calls = Folded[torch.Tensor](), []

    def product(gain: float = 2.0) -> torch.Tensor:
        return folded.of((a, b), gain, lambda: calls.append(1) or gain * a * b)

    with torch.no_grad():
        assert product() is product() and len(calls) == 1
        assert product(5.0).tolist() == [15.0, 15.0] and len(calls) == 2
        b.add_(1.0)
        assert product(5.0).tolist() == [20.0, 20.0] and len(calls) == 3
        a.data = a.data.double()
        assert product(5.0).dtype == torch.float64
    assert product().requires_grad and product() is not product()

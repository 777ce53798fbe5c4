"""The networks of face-api: identity, landmarks, expression, age and gender.

All take float32 [N, 3, S, S], (x - (122.782, 117.001, 104.298)) / 255 of RGB in 0..255. They are written from the
formulas of their forward passes; the names of their parts are the package's. "same" padding is TensorFlow's: where a
stride of 2 halves an even side, one row of zeros below and one column at the right.

Shape legend: N pictures, S their side, C channels, H W sides of a map.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RECOGNITION_SIDE = 150
SIDE = 112
"""S of the others."""
DESCRIPTOR_WIDTH = 128
NUM_LANDMARKS = 68
EXPRESSIONS = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")
GENDERS = ("male", "female")


class FaceRecognition(nn.Module):
    """dlib's ResNet: [N, 3, 150, 150] -> descriptors [N, 128], not of length 1.

    With cl(x) = scale * (conv(x) + bias) + shift, channel by channel:

        stem      relu(cl 7x7, stride 2), max pool 3x3, stride 2                          150 -> 72 -> 35
        residual  relu(cl(relu(cl(x))) + x)                                               3x3
        down      relu(cl(relu(cl stride 2 (x))) + p), p the 2x2 means of x, then zeros    35 -> 17 -> 8 -> 4 -> 2
        end       mean over the pixels @ fc
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv32_down = ScaledConv(3, 32, 7, stride=2)
        before = 32
        for width, num_residual in ((32, 3), (64, 3), (128, 2), (256, 2)):
            if width != before:
                self.add_module(f"conv{width}_down", RecognitionBlock(before, width, stride=2))
            for block in range(1, num_residual + 1):
                self.add_module(f"conv{width}_{block}", RecognitionBlock(width, width))
            before = width
        self.conv256_down_out = RecognitionBlock(256, 256, stride=2)
        self.fc = nn.Linear(256, DESCRIPTOR_WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv32_down(x)), 3, stride=2)
        for block in self.children():  # as they were added
            if isinstance(block, RecognitionBlock):
                x = block(x)  # [N, C, H, W]
        return self.fc(x.mean((2, 3)))


class ScaledConv(nn.Module):
    """cl of :class:`FaceRecognition`; a stride of 2 has no padding."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2 if stride == 1 else 0)
        self.scale = Scale(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.scale(self.conv(x))


class Scale(nn.Module):
    """x * weight + bias, channel by channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight[:, None, None] + self.bias[:, None, None]


class RecognitionBlock(nn.Module):
    """A residual or a down block of :class:`FaceRecognition`, by its stride."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = ScaledConv(channels_in, channels_out, 3, stride)
        self.conv2 = ScaledConv(channels_out, channels_out, 3)
        self.halves = stride == 2

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(F.relu(self.conv1(x)))  # [N, C, H, W]
        if not self.halves:
            return F.relu(y + x)
        means = F.avg_pool2d(x, 2)
        more = y.shape[1] - means.shape[1]
        means = F.pad(means, (0, 0, 0, 0, 0, more))  # zeros are the new channels
        missing = means.shape[-1] - y.shape[-1]  # 1 where x has an even side
        return F.relu(means + F.pad(y, (0, missing, 0, missing)))


class Separable(nn.Module):
    """A depthwise 3x3 convolution, then one of 1x1 with a bias; "same" padding."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels_in, channels_in, 3, stride, groups=channels_in, bias=False)
        self.pointwise = nn.Conv2d(channels_in, channels_out, 1)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(padded_same(x, self.stride)))


class SameConv(nn.Conv2d):
    """A 3x3 convolution of stride 2 with "same" padding."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(padded_same(x, 2))


def padded_same(x: Tensor, stride: int) -> Tensor:
    """[N, C, H, W] with the zeros that a 3x3 kernel of stride 1, or of stride 2 on even sides, needs."""
    return F.pad(x, (1, 1, 1, 1) if stride == 1 else (0, 1, 0, 1))


class TrunkNetwork(nn.Module):
    """Landmarks and expression: [N, 3, 112, 112] -> [N, num_outputs].

    A block of 32, 64, 128 and 256 channels halves the sides, with sep a separable convolution:

        t = relu(conv0 of stride 2 (x)),  then t = t + sep_j(relu(t)) for j = 1, 2, 3,  out relu(t)

    The mean over the last 7x7 pixels leads to the outputs.
    """

    def __init__(self, num_outputs: int) -> None:
        super().__init__()
        before = 3
        for number, width in enumerate((32, 64, 128, 256)):
            self.add_module(f"dense{number}", DenseBlock(before, width, first=number == 0))
            before = width
        self.fc = nn.Linear(before, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.children():
            if isinstance(block, DenseBlock):
                x = block(x)  # [N, C, H, W]
        return self.fc(x.mean((2, 3)))


class DenseBlock(nn.Module):
    """A block of :class:`TrunkNetwork`; the first one's ``conv0`` is not separable."""

    def __init__(self, channels_in: int, channels: int, first: bool) -> None:
        super().__init__()
        self.conv0 = SameConv(channels_in, channels) if first else Separable(channels_in, channels, stride=2)
        self.conv1, self.conv2, self.conv3 = (Separable(channels, channels) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        t = F.relu(self.conv0(x))
        for separable in (self.conv1, self.conv2, self.conv3):
            t = t + separable(F.relu(t))
        return F.relu(t)


class AgeGender(nn.Module):
    """A small Xception: [N, 3, 112, 112] -> age in years [N], logits of :data:`GENDERS` [N, 2].

        entry   relu(conv 3x3 of stride 2), reduction to 64, reduction to 128               112 -> 56 -> 28 -> 14
        middle  x + sep2(relu(sep1(relu(sep0(relu(x)))))), twice
        exit    reduction to 256, relu(sep) to 512, mean over the 7x7 pixels                14 -> 7

    reduction(x) = max pool 3x3, stride 2 (sep1(relu(sep0(relu(x))))) + conv 1x1, stride 2 (x)
    """

    def __init__(self) -> None:
        super().__init__()
        self.entry_flow = nn.ModuleDict(
            {
                "conv_in": SameConv(3, 32),
                "reduction_block_0": ReductionBlock(32, 64),
                "reduction_block_1": ReductionBlock(64, 128),
            }
        )
        self.middle_flow = nn.ModuleDict({f"main_block_{number}": MainBlock(128) for number in range(2)})
        self.exit_flow = nn.ModuleDict(
            {"reduction_block": ReductionBlock(128, 256), "separable_conv": Separable(256, 512)}
        )
        self.fc = nn.ModuleDict({"age": nn.Linear(512, 1), "gender": nn.Linear(512, len(GENDERS))})

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.entry_flow["conv_in"](x))
        x = self.entry_flow["reduction_block_1"](self.entry_flow["reduction_block_0"](x))
        for block in self.middle_flow.values():
            x = block(x)
        x = F.relu(self.exit_flow["separable_conv"](self.exit_flow["reduction_block"](x)))  # [N, 512, 7, 7]
        features = x.mean((2, 3))
        return self.fc["age"](features)[:, 0], self.fc["gender"](features)


class ReductionBlock(nn.Module):
    """reduction of :class:`AgeGender`. What comes from ``conv_in`` is ReLUed already: another ReLU changes nothing."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.separable_conv0 = Separable(channels_in, channels_out)
        self.separable_conv1 = Separable(channels_out, channels_out)
        self.expansion_conv = nn.Conv2d(channels_in, channels_out, 1, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.separable_conv1(F.relu(self.separable_conv0(F.relu(x))))
        # ceil_mode: windows that reach over the edge, which "same" padding fills with -inf.
        pooled = F.max_pool2d(y, 3, stride=2, ceil_mode=True)
        return pooled + self.expansion_conv(x)


class MainBlock(nn.Module):
    """A block of the middle of :class:`AgeGender`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.separable_conv0, self.separable_conv1, self.separable_conv2 = (
            Separable(channels, channels) for _ in range(3)
        )

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for separable in (self.separable_conv0, self.separable_conv1, self.separable_conv2):
            y = separable(F.relu(y))
        return x + y

"""Networks to be timed: the usual shapes, random weights, written as ONNX.

Inference takes as long with random weights as with trained ones, so none are
downloaded.  They are drawn so that values stay near 1 from input to output:
denormals would slow every engine, and outputs near 0 could not be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import lamina
from lamina import Tensor, nn, ops
from lamina.ops._window import Padding

RELU = 2.0**0.5  # He et al. (2015): a rectifier halves the mean square, the weights before it double it
NORM = 1.19**-0.5  # E[weight^2] E[1 / running_var] of the batch norms drawn below is 1.19
BRANCH = 0.5  # a residual branch adds a quarter of the mean square, however deep the network

CLASSES = 1000


class _ReLU6(nn.Module):
    """min(max(x, 0), 6), until lamina.nn has it."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.clip(x, 0.0, 6.0)


class _Sum(nn.Module):
    """Modules side by side on one input, added up; no module stands for the input itself."""

    def __init__(self, branch: nn.Module, shortcut: nn.Module | None = None) -> None:
        self.branch = branch
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.branch(x) + (x if self.shortcut is None else self.shortcut(x))


class _Concat(nn.Module):
    """Two modules side by side on one input, channels one after the other."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        self.first = first
        self.second = second

    def forward(self, x: Tensor) -> Tensor:
        return ops.concat([self.first(x), self.second(x)], 1)


# -- layers with weights drawn -----------------------------------------------------


def _conv(
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int = 1,
    padding: Padding | None = None,
    groups: int = 1,
    bias: bool = False,
    gain: float = RELU,
) -> nn.Conv2d:
    """A convolution that, with the batch norm that follows where it has no bias, multiplies the
    mean square by gain^2; padded to keep the size if None.
    """
    pad = kernel // 2 if padding is None else padding
    conv = nn.Conv2d(inputs, outputs, kernel, stride, pad, groups=groups, bias=bias)
    fan_in = inputs // groups * kernel**2
    std = gain * (1.0 if bias else NORM) / fan_in**0.5
    conv.weight.assign(ops.normal(conv.weight.shape, std=std))
    if conv.bias is not None:
        conv.bias.assign(ops.normal((outputs,), std=0.1))
    return conv


def _norm(channels: int) -> nn.BatchNorm2d:
    """Statistics and scales that differ by channel, so that no engine can leave them out."""
    norm = nn.BatchNorm2d(channels)
    norm.weight.assign(ops.uniform((channels,), 0.5, 1.5))
    norm.bias.assign(ops.normal((channels,), std=0.1))
    norm.running_mean.assign(ops.normal((channels,), std=0.1))
    norm.running_var.assign(ops.uniform((channels,), 0.5, 1.5))
    return norm


def _linear(inputs: int, outputs: int) -> nn.Linear:
    linear = nn.Linear(inputs, outputs)
    linear.weight.assign(ops.normal(linear.weight.shape, std=inputs**-0.5))
    return linear


def _block(conv: nn.Conv2d, activation: nn.Module | None = None) -> list[nn.Module]:
    """Convolution, batch norm and, unless it is linear, an activation."""
    return [conv, _norm(conv.out_channels), *([] if activation is None else [activation])]


def _classifier(channels: int) -> list[nn.Module]:
    return [nn.GlobalAvgPool2d(), nn.Flatten(), _linear(channels, CLASSES)]


# -- networks ------------------------------------------------------------------------


def _resnet(stages: Sequence[int], bottleneck: bool, groups: int = 1) -> nn.Module:
    """He et al. (2016) with the stride on the 3x3, as torchvision has it; with groups, whose
    bottleneck is twice as wide, Xie et al. (2017).
    """
    layers = [*_block(_conv(3, 64, 7, 2), nn.ReLU()), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for stage, repeats in enumerate(stages):
        width = (64 << stage) * (1 if groups == 1 else 2)
        outputs = 256 << stage if bottleneck else width
        for at in range(repeats):
            stride = 2 if stage > 0 and at == 0 else 1
            if bottleneck:
                branch = [
                    *_block(_conv(channels, width, 1), nn.ReLU()),
                    *_block(_conv(width, width, 3, stride, groups=groups), nn.ReLU()),
                    *_block(_conv(width, outputs, 1, gain=BRANCH)),
                ]
            else:
                branch = [
                    *_block(_conv(channels, width, 3, stride), nn.ReLU()),
                    *_block(_conv(width, outputs, 3, gain=BRANCH)),
                ]
            fits = stride == 1 and channels == outputs
            shortcut = None if fits else nn.Sequential(*_block(_conv(channels, outputs, 1, stride, gain=1.0)))
            layers += [_Sum(nn.Sequential(*branch), shortcut), nn.ReLU()]
            channels = outputs
    return nn.Sequential(*layers, *_classifier(channels))


def resnet18() -> nn.Module:
    return _resnet((2, 2, 2, 2), bottleneck=False)


def resnet50() -> nn.Module:
    return _resnet((3, 4, 6, 3), bottleneck=True)


def resnext50() -> nn.Module:
    """ResNeXt-50 (32x4d)."""
    return _resnet((3, 4, 6, 3), bottleneck=True, groups=32)


# Expansion, channels, repeats, first stride: table 2 of Sandler et al. (2018), as torchvision has it.
_MOBILE = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenetv2() -> nn.Module:
    layers = _block(_conv(3, 32, 3, 2), _ReLU6())
    channels = 32
    for expansion, outputs, repeats, first in _MOBILE:
        for at in range(repeats):
            stride = first if at == 0 else 1
            adds = stride == 1 and channels == outputs
            hidden = channels * expansion
            block = [] if expansion == 1 else _block(_conv(channels, hidden, 1), _ReLU6())
            block += _block(_conv(hidden, hidden, 3, stride, groups=hidden), _ReLU6())
            block += _block(_conv(hidden, outputs, 1, gain=BRANCH if adds else 1.0))
            layers += [_Sum(nn.Sequential(*block))] if adds else block
            channels = outputs
    layers += _block(_conv(channels, 1280, 1), _ReLU6())
    return nn.Sequential(*layers, *_classifier(1280))


def _fire(inputs: int, squeezed: int, expanded: int) -> list[nn.Module]:
    sides = [nn.Sequential(_conv(squeezed, expanded, kernel, bias=True), nn.ReLU()) for kernel in (1, 3)]
    return [_conv(inputs, squeezed, 1, bias=True), nn.ReLU(), _Concat(*sides)]


def squeezenet() -> nn.Module:
    """Version 1.1 of Iandola et al. (2016)."""
    pool = {"kernel_size": 3, "stride": 2, "ceil_mode": True}
    return nn.Sequential(
        _conv(3, 64, 3, 2, padding=0, bias=True),
        nn.ReLU(),
        nn.MaxPool2d(**pool),
        *_fire(64, 16, 64),
        *_fire(128, 16, 64),
        nn.MaxPool2d(**pool),
        *_fire(128, 32, 128),
        *_fire(256, 32, 128),
        nn.MaxPool2d(**pool),
        *_fire(256, 48, 192),
        *_fire(384, 48, 192),
        *_fire(384, 64, 256),
        *_fire(512, 64, 256),
        _conv(512, CLASSES, 1, bias=True),
        nn.ReLU(),
        nn.GlobalAvgPool2d(),
        nn.Flatten(),
    )


def tiny_yolov2() -> nn.Module:
    """Redmon and Farhadi (2017), for VOC: 5 boxes of 20 classes, 4 sides and a score, in 13 x 13 cells."""
    layers: list[nn.Module] = []
    channels = 3
    for outputs in (16, 32, 64, 128, 256):
        layers += [*_block(_conv(channels, outputs, 3), nn.LeakyReLU(0.1)), nn.MaxPool2d(2)]
        channels = outputs
    layers += _block(_conv(256, 512, 3), nn.LeakyReLU(0.1))
    layers += [nn.MaxPool2d(2, 1, ((0, 1), (0, 1)))]  # keeps 13 x 13
    layers += _block(_conv(512, 1024, 3), nn.LeakyReLU(0.1))
    layers += _block(_conv(1024, 1024, 3), nn.LeakyReLU(0.1))
    return nn.Sequential(*layers, _conv(1024, 125, 1, bias=True, gain=1.0))


class _Attention(nn.Module):
    """Vaswani et al. (2017): heads side by side, without a mask."""

    def __init__(self, hidden: int, heads: int) -> None:
        self.heads = heads
        self.query = _linear(hidden, hidden)
        self.key = _linear(hidden, hidden)
        self.value = _linear(hidden, hidden)
        self.output = _linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, hidden = x.shape
        width = hidden // self.heads

        def split(y: Tensor, *axes: int) -> Tensor:
            return ops.permute(ops.reshape(y, (batch, length, self.heads, width)), axes)

        query, value = split(self.query(x), 0, 2, 1, 3), split(self.value(x), 0, 2, 1, 3)
        scores = ops.matmul(query, split(self.key(x), 0, 2, 3, 1)) * width**-0.5
        mixed = ops.permute(ops.matmul(ops.softmax(scores, -1), value), (0, 2, 1, 3))
        return self.output(ops.reshape(mixed, (batch, length, hidden)))


class _SpeltGELU(nn.Module):
    """As operator sets before 20 have it."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (ops.erf(x / 2.0**0.5) + 1.0) * 0.5


class _SpeltNorm(nn.LayerNorm):
    """As operator sets before 17 have it."""

    def forward(self, x: Tensor) -> Tensor:
        centred = x - ops.mean(x, -1, keepdim=True)
        deviation = ops.sqrt(ops.mean(centred**2, -1, keepdim=True) + self.eps)
        return centred / deviation * self.weight + self.bias


def encoder(
    gelu: Callable[[], nn.Module] = nn.GELU, norm: Callable[[int], nn.Module] = nn.LayerNorm
) -> nn.Module:
    """Six layers of BERT (Devlin et al., 2019) as small as MiniLM's, behind the embedding."""
    hidden, heads, layers = 384, 12, 6
    blocks: list[nn.Module] = []
    for _ in range(layers):
        wide = nn.Sequential(_linear(hidden, 4 * hidden), gelu(), _linear(4 * hidden, hidden))
        blocks += [_Sum(_Attention(hidden, heads)), norm(hidden), _Sum(wide), norm(hidden)]
    return nn.Sequential(*blocks)


def spelt_encoder() -> nn.Module:
    """The encoder as older exporters write it, GELU and layer norm node by node."""
    return encoder(_SpeltGELU, _SpeltNorm)


# Name: how it is built, and the shape of its float32 input without the batch.
NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "resnet18": (resnet18, (3, 224, 224)),
    "resnet50": (resnet50, (3, 224, 224)),
    "resnext50": (resnext50, (3, 224, 224)),
    "mobilenetv2": (mobilenetv2, (3, 224, 224)),
    "squeezenet": (squeezenet, (3, 224, 224)),
    "tiny_yolov2": (tiny_yolov2, (3, 416, 416)),
    "encoder": (encoder, (128, 384)),
    "spelt_encoder": (spelt_encoder, (128, 384)),
}


def export(name: str, batch: int, folder: Path) -> Path:
    """The network as a file in folder, for one batch: engines plan better for a size that they know.

    Input `x`, output `y`; the same weights for every batch.
    """
    builder, shape = NETS[name]
    path = folder / f"{name}-{batch}.onnx"
    lamina.manual_seed(0)
    lamina.onnx.save(builder().eval(), ops.zeros((batch, *shape)), path)
    return path

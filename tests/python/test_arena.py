"""A plan's memory for intermediates is hardly larger than what lives at once."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import lamina
from helpers import normal
from lamina import nn, ops

MOST = 1.2
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def benchmark(name):
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


nets = benchmark("nets")
# Smaller images than the benchmarks', whose weights are all that is large here.
SHAPES = {name: shape if len(shape) == 2 else (3, 96, 96) for name, (_, shape) in nets.NETS.items()}


def check(plan):
    assert plan.arena_bytes > 0
    assert plan.live_bytes <= plan.arena_bytes <= MOST * plan.live_bytes, str(plan).splitlines()[-1]


@pytest.mark.parametrize("name", SHAPES)
def test_loaded(name, tmp_path):
    """Images in blocks of channels, norms in the weights before them."""
    net, x = nets.NETS[name][0]().eval(), ops.zeros((2, *SHAPES[name]))
    lamina.onnx.save(net, x, tmp_path / "net.onnx")
    check(lamina.onnx.load(tmp_path / "net.onnx", device="cpu").explain())


@pytest.mark.parametrize("name", SHAPES)
def test_recorded(name):
    net = nets.NETS[name][0]().eval()
    lamina.eval(*net.parameters(), *net.buffers())
    check(lamina.explain(net(ops.zeros((2, *SHAPES[name])))))


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 64), nn.ReLU(), nn.Linear(64, 10))


def cnn():
    layers, channels = [], 3
    for width in (16, 32):
        layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        layers += [nn.MaxPool2d(2)]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def resnet18():
    return nets.NETS["resnet18"][0]()


@pytest.mark.parametrize("build", [mlp, cnn, resnet18])
def test_training(build):
    net = build()
    lamina.eval(*net.parameters(), *net.buffers())
    x, labels = lamina.tensor(normal(4, 3, 32, 32).astype("f")), lamina.tensor(np.arange(4))
    loss = nn.CrossEntropyLoss()(net(x), labels)
    check(lamina.explain(loss, *lamina.grad(loss, list(net.parameters()))))


def test_an_unrolled_loop():
    """Of more values than are placed by size: in the order of need."""
    x = lamina.tensor(normal(8, 64).astype("f"), requires_grad=True)
    w = lamina.tensor(normal(64, 64, seed=1).astype("f"), requires_grad=True)
    y = x
    for _ in range(1500):
        y = ops.tanh(ops.matmul(y, w))
    check(lamina.explain(y, *lamina.grad(y.sum(), [x, w])))

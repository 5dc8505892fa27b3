"""Optimizers against PyTorch's trajectories, and their bookkeeping."""

from pathlib import Path

import numpy as np
import pytest

import lamina
from helpers import raises
from lamina import nn, ops, optim

TORCH = np.load(Path(__file__).parent.parent / "oracles" / "torch.npz")
OPTIMIZERS = {
    "sgd": (optim.SGD, {"lr": 0.05}),
    "sgd_momentum": (optim.SGD, {"lr": 0.02, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.01}),
    "sgd_nesterov": (optim.SGD, {"lr": 0.02, "momentum": 0.8, "nesterov": True}),
    "adam": (optim.Adam, {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.02}),
    "adamw": (optim.AdamW, {"lr": 0.01, "weight_decay": 0.1}),
}


def loss_of(w, target):
    return ops.sum(ops.square(w - target)) * 0.5 + ops.sum(ops.sin(w * 3.0))


def walk(name, dtype, device, steps=100):
    make, keywords = OPTIMIZERS[name]
    w = nn.Parameter(lamina.tensor(TORCH["start"].astype(dtype), device=device))
    target = lamina.tensor(TORCH["target"].astype(dtype), device=device)
    optimizer = make([w], **keywords)
    path = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(w.tensor, target).backward()
        optimizer.step()
        path.append(np.array(w.tensor.numpy()))
    return np.stack(path)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_float64_trajectories(name):
    np.testing.assert_allclose(walk(name, "float64", "cpu"), TORCH[f"optim/{name}"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_float32_trajectories(device, name):
    path = walk(name, "float32", device, 40)
    np.testing.assert_allclose(path, TORCH[f"optim/{name}"][:40], rtol=1e-4, atol=1e-5)


def test_groups_have_their_own_hyper_parameters():
    a, b = nn.Parameter([1.0]), nn.Parameter([1.0])
    optimizer = optim.SGD([{"params": [a], "lr": 0.5}, {"params": b}], lr=0.25)
    (a.tensor + b.tensor).sum().backward()
    optimizer.step()
    assert (a.tensor.item(), b.tensor.item()) == (0.5, 0.75)


def test_a_parameter_without_a_gradient_stays():
    a, b = nn.Parameter([1.0]), nn.Parameter([1.0])
    optimizer = optim.Adam([a, b], lr=0.5, weight_decay=0.1)
    (a.tensor * 2.0).sum().backward()
    optimizer.step()
    assert b.tensor.item() == 1.0
    assert a.tensor.item() < 1.0


def test_state_is_saved_and_taken_over():
    def start():
        w = nn.Parameter(lamina.tensor(TORCH["start"]))
        return w, optim.Adam([w], lr=0.1)

    def step(w, optimizer):
        optimizer.zero_grad()
        loss_of(w.tensor, lamina.tensor(TORCH["target"])).backward()
        optimizer.step()

    w, optimizer = start()
    for _ in range(3):
        step(w, optimizer)
    other, second = start()
    other.assign(w.tensor.detach())
    second.load_state_dict(optimizer.state_dict())
    step(w, optimizer)
    step(other, second)
    np.testing.assert_array_equal(w.tensor.numpy(), other.tensor.numpy())


def test_bad_arguments():
    w = nn.Parameter([1.0])
    for message, call in (
        ("SGD: no parameters given", lambda: optim.SGD([])),
        ("SGD: lr=-1.0 is negative", lambda: optim.SGD([w], lr=-1.0)),
        (
            "SGD: nesterov wants a momentum above 0 and a dampening of 0",
            lambda: optim.SGD([w], nesterov=True),
        ),
        ("SGD: a parameter of shape (1,) is given twice", lambda: optim.SGD([w, w])),
        ("SGD: got a Tensor where a Parameter is wanted", lambda: optim.SGD([w.tensor])),
        (
            "Adam: unknown hyper-parameter 'rate'; it has: lr, betas, eps, weight_decay",
            lambda: optim.Adam([{"params": [w], "rate": 1.0}]),
        ),
        ("Adam: betas=(0.9, 1.0) must lie in [0, 1)", lambda: optim.Adam([w], betas=(0.9, 1.0))),
        (
            "SGD.load_state_dict: groups of [2] parameters, wanted [1]",
            lambda: optim.SGD([w]).load_state_dict(optim.SGD([nn.Parameter([1.0]), w]).state_dict()),
        ),
    ):
        raises(lamina.ArgumentError, message, call)

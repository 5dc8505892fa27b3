"""Weights are packed once, kept with their memory, and never used after it has changed."""

import numpy as np
import pytest

import lamina
from helpers import rng
from lamina import nn, ops, optim
from oracle import product

X = rng(0).standard_normal((2, 6, 9, 9)).astype(np.float32)


def dense():
    return nn.Sequential(nn.Flatten(), nn.Linear(486, 48), nn.Linear(48, 32))


def twice():
    layer = nn.Linear(486, 486)
    return nn.Sequential(nn.Flatten(), layer, layer)


def dense_oracle(x, state):
    y = x.reshape(len(x), -1)
    for layer in ("1", "2"):
        there = layer if f"{layer}.weight" in state else "1"
        y = y @ state[f"{there}.weight"].T + state[f"{there}.bias"]
    return y


def convolutional():
    return nn.Sequential(nn.Conv2d(6, 17, 3, padding=1), nn.Conv2d(17, 5, 1))


def convolutional_oracle(x, state):
    for layer, pad in (("0", 1), ("1", 0)):
        y = product.conv(x, state[f"{layer}.weight"], padding=pad)
        x = y + state[f"{layer}.bias"].reshape(-1, 1, 1)
    return x


NETS = {
    "dense": (dense, dense_oracle),
    "twice": (twice, dense_oracle),
    "convolutional": (convolutional, convolutional_oracle),
}


def packed(run) -> int:
    before = lamina.counters()["packings"]
    run()
    return lamina.counters()["packings"] - before


def check(net, oracle, x) -> None:
    state = {name: value.numpy().astype(np.float64) for name, value in net.state_dict().items()}
    want = oracle(X.astype(np.float64), state)
    np.testing.assert_allclose(net(x).numpy(), want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["dense", "convolutional"])
def test_a_modules_weights_are_packed_at_its_second_run(name):
    build, oracle = NETS[name]
    net, x = build().eval(), lamina.tensor(X)
    for parameter in net.parameters():
        parameter.numpy()  # drawn now, not by the first run
    counts = [packed(lambda: net(x).numpy()) for _ in range(4)]
    assert counts == [0, 2, 0, 0]
    check(net, oracle, x)


@pytest.mark.parametrize("name", NETS)
def test_what_a_step_changes_is_packed_anew(name):
    build, oracle = NETS[name]
    net, x = build(), lamina.tensor(X)
    optimizer = optim.SGD(net.parameters(), lr=0.05)
    for _ in range(3):
        for _ in range(3):
            check(net, oracle, x)
        ops.mean(net(x) * net(x)).backward()
        optimizer.step()
        optimizer.zero_grad()
    check(net, oracle, x)


def test_a_loaded_state_is_used_at_once():
    net, other, x = dense(), dense(), lamina.tensor(X)
    for _ in range(3):
        check(net, dense_oracle, x)
    net.load_state_dict(other.state_dict())
    for _ in range(3):
        check(net, dense_oracle, x)


def test_memory_of_others_is_read_at_each_run():
    weight = rng(1).standard_normal((486, 4)).astype(np.float32)
    shared, own, x = lamina.from_dlpack(weight), lamina.tensor(weight), lamina.tensor(X.reshape(2, -1))
    assert [packed(lambda: (x @ own).numpy()) for _ in range(3)] == [0, 1, 0]
    assert [packed(lambda: (x @ shared).numpy()) for _ in range(3)] == [0, 0, 0]


def test_parts_of_one_tensor_are_not_packed_pass_after_pass():
    data = lamina.tensor(rng(2).standard_normal((40, 486, 4)).astype(np.float32))
    x = lamina.tensor(X.reshape(2, -1))

    def through():
        for part in range(40):
            (x @ data[part]).numpy()

    assert [packed(through) for _ in range(3)] == [0, 0, 0]

"""A training step is one plan, replayed; evaluation order and donation."""

import numpy as np

import lamina
from helpers import rng
from lamina import nn, ops, optim

RISING = ("plans", "cpu_allocations", "packings", "pipelines", "bind_groups", "gpu_allocations", "programs")


def steps(device, count):
    """A small convolutional network's losses and the counters after each step."""
    lamina.manual_seed(0)
    r = rng(0)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * 4 * 4, 10),
    ).to(device)
    optimizer = optim.Adam(net.parameters(), lr=0.01)
    x = lamina.tensor(r.standard_normal((16, 1, 8, 8)).astype(np.float32), device=device)
    target = lamina.tensor(r.integers(0, 10, 16), device=device)
    losses, counters = [], []
    for step in range(count):
        optimizer.param_groups[0]["lr"] = 0.01 / (1 + step)
        loss = nn.CrossEntropyLoss()(net(x), target)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        counters.append(lamina.counters())
    return losses, counters


def test_nothing_is_made_anew_from_the_third_step_on(device):
    losses, counters = steps(device, 6)
    assert losses[-1] < losses[0]
    for later in counters[3:]:
        grown = {name: later[name] - counters[2][name] for name in later if name in RISING}
        assert not any(grown.values()), grown


def test_one_run_per_step(device):
    _, counters = steps(device, 6)
    assert counters[-1]["runs"] - counters[-2]["runs"] == 1


def test_the_loss_is_that_of_the_weights_before_the_step(device):
    w = nn.Parameter(lamina.tensor([2.0], device=device))
    optimizer = optim.SGD([w], lr=1.0)
    loss = ops.sum(ops.square(w.tensor))
    loss.backward()
    optimizer.step()
    assert loss.item() == 4.0
    assert w.tensor.item() == -2.0


def test_what_was_read_before_a_step_keeps_its_value(device):
    w = nn.Parameter(lamina.tensor([2.0, 3.0], device=device))
    optimizer = optim.SGD([w], lr=1.0)
    held, seen = w.tensor.detach(), w.tensor.numpy()
    doubled = w.tensor * 2.0
    ops.sum(w.tensor).backward()
    optimizer.step()
    assert held.tolist() == [2.0, 3.0]
    assert seen.tolist() == [2.0, 3.0]
    assert doubled.tolist() == [4.0, 6.0]
    assert w.tensor.tolist() == [1.0, 2.0]


def test_devices_agree_on_a_training_run():
    runs = [steps(device, 5)[0] for device in lamina.testing.devices()]
    for other in runs[1:]:
        np.testing.assert_allclose(runs[0], other, rtol=1e-3)

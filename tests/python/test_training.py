"""A training step is one plan, replayed; evaluation order and donation."""

import numpy as np
import pytest

import lamina
from helpers import rng
from lamina import nn, ops, optim

RISING = (
    "plans",
    "cpu_allocations",
    "cpu_bytes",
    "packings",
    "pipelines",
    "bind_groups",
    "gpu_allocations",
    "programs",
)


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * 4 * 4, 10),
    )


OPTIMIZERS = {
    "sgd": lambda params: optim.SGD(params, lr=0.05),
    "momentum": lambda params: optim.SGD(params, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": lambda params: optim.Adam(params, lr=0.01),
    "adamw": lambda params: optim.AdamW(params, lr=0.01),
}


class Task:
    """A small network and what it learns."""

    def __init__(self, device, net=cnn, optimizer="adam"):
        lamina.manual_seed(0)
        r = rng(0)
        self.net = net().to(device)
        self.optimizer = OPTIMIZERS[optimizer](self.net.parameters())
        self.x = lamina.tensor(r.standard_normal((16, 1, 8, 8)).astype(np.float32), device=device)
        self.target = lamina.tensor(r.integers(0, 10, 16), device=device)

    def backward(self):
        loss = nn.CrossEntropyLoss()(self.net(self.x), self.target)
        loss.backward()
        return loss

    def steps(self, count):
        """The losses, and the counters after each step."""
        losses, counters = [], []
        for step in range(count):
            self.optimizer.param_groups[0]["lr"] = 0.01 / (1 + step)
            loss = self.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            losses.append(loss.item())
            counters.append(lamina.counters())
        return losses, counters


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("net", [mlp, cnn])
def test_nothing_is_made_anew_from_the_third_step_on(device, net, optimizer):
    losses, counters = Task(device, net, optimizer).steps(8)
    assert losses[-1] < losses[0]
    for later in counters[3:]:
        grown = {name: later[name] - counters[2][name] for name in RISING}
        assert not any(grown.values()), grown


def test_one_run_per_step(device):
    _, counters = Task(device).steps(6)
    assert counters[-1]["runs"] - counters[-2]["runs"] == 1


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_is_one_program_for_each_parameter(optimizer, monkeypatch):
    # On a GPU there may be more: a shader binds eight buffers at most.
    task = Task("cpu", mlp, optimizer)
    task.steps(2)
    plans = []
    monkeypatch.setattr(
        "lamina.optim.optimizer._lamina.eval", lambda *cells: plans.append(lamina.explain(*cells))
    )
    task.backward()
    task.optimizer.step()
    steps = plans[0].steps
    weights = [parameter.shape for parameter in task.net.parameters()]
    programs = [tuple(step.shape) for step in steps if step.op.startswith("fused[")][-len(weights) :]
    assert sorted(programs) == sorted(weights)
    assert not any(step.op == "copy" for step in steps)
    # Gradients lie as their weights do.
    products = {tuple(step.shape) for step in steps if step.op == "matmul"}
    assert products >= {shape for shape in weights if len(shape) == 2}


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
    runs = [Task(device).steps(5)[0] for device in lamina.testing.devices()]
    for other in runs[1:]:
        np.testing.assert_allclose(runs[0], other, rtol=1e-3)

"""Layers: state, modes, and a network against PyTorch's."""

from pathlib import Path

import numpy as np
import pytest

import lamina
from helpers import raises
from lamina import nn, ops
from lamina.testing import assert_close

TORCH = np.load(Path(__file__).parent.parent / "oracles" / "torch.npz")


def build(dtype=None, device=None):
    place = {"dtype": dtype, "device": device}
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, **place),
        nn.BatchNorm2d(4, **place),
        nn.LeakyReLU(0.1),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, stride=2, groups=2, bias=False, **place),
        nn.Tanh(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 5, **place),
    )


def stored(stem):
    return {name[len(stem) :]: TORCH[name] for name in TORCH.files if name.startswith(stem)}


def check_network(net, dtype, device):
    net.load_state_dict(stored("net/before/"))
    x = lamina.tensor(TORCH["net/x"].astype(dtype), device=device, requires_grad=True)
    y = net(x)
    loss = nn.CrossEntropyLoss()(y, lamina.tensor(TORCH["net/target"], device=device))
    loss.backward()
    assert_close(y, TORCH["net/y"])
    assert_close(loss, TORCH["net/loss"])
    assert_close(x.grad, TORCH["net/grad_x"])
    gradients = stored("net/grad/")
    assert [name for name, _ in net.named_parameters()] == list(gradients)
    for name, parameter in net.named_parameters():
        assert_close(parameter.grad, gradients[name])
    after = stored("net/after/")
    state = net.state_dict()
    assert set(state) == set(after)
    for name, value in state.items():
        assert_close(value, after[name])
    net.eval()
    assert_close(net(x), TORCH["net/y_eval"])


def test_network_is_pytorchs_in_float64():
    check_network(build(lamina.float64), "float64", "cpu")


def test_network_is_pytorchs_on_each_device(device):
    check_network(build().to(device), "float32", device)


def test_names_order_and_modes():
    net = build()
    assert list(net.state_dict()) == [
        "0.weight",
        "0.bias",
        "1.weight",
        "1.bias",
        "1.running_mean",
        "1.running_var",
        "1.num_batches_tracked",
        "4.weight",
        "8.weight",
        "8.bias",
    ]
    assert [name for name, _ in net.named_children()] == [str(n) for n in range(9)]
    assert net.train() is net
    net.eval()
    assert not any(module.training for module in net.modules())


def test_state_dict_is_a_snapshot():
    layer = nn.Linear(2, 1)
    before = layer.state_dict()
    kept = np.array(before["weight"].numpy())
    optimizer = lamina.optim.SGD(layer.parameters(), lr=1.0)
    layer(ops.ones((1, 2))).sum().backward()
    optimizer.step()
    np.testing.assert_array_equal(before["weight"].numpy(), kept)
    assert not np.array_equal(layer.weight.tensor.numpy(), kept)


def test_shared_parameters_come_once():
    class Twice(nn.Module):
        def __init__(self):
            self.first = nn.Linear(3, 3)
            self.second = nn.Linear(3, 3)
            self.second.weight = self.first.weight

        def forward(self, x):
            return self.second(self.first(x))

    net = Twice()
    assert [name for name, _ in net.named_parameters()] == ["first.weight", "first.bias", "second.bias"]
    assert "second.weight" in net.state_dict()


def test_initial_values_lie_within_pytorchs_bounds():
    conv = nn.Conv2d(4, 64, 3, groups=2)
    bound = 1 / np.sqrt(2 * 9)
    for values in (conv.weight.tensor.numpy(), conv.bias.tensor.numpy()):
        assert np.abs(values).max() <= bound
        assert np.abs(values).max() > 0.8 * bound
    lamina.manual_seed(5)
    one = nn.Linear(3, 3).weight.tensor.numpy()
    lamina.manual_seed(5)
    np.testing.assert_array_equal(one, nn.Linear(3, 3).weight.tensor.numpy())


def test_frozen_parameters_get_no_gradient():
    layer = nn.Linear(2, 2)
    layer.weight.requires_grad = False
    layer(ops.ones((1, 2))).sum().backward()
    assert layer.weight.grad is None
    assert layer.bias.grad is not None


def test_gradients_add_up_until_forgotten():
    w = nn.Parameter([1.0])
    (w.tensor * 2.0).sum().backward()
    (w.tensor * 3.0).sum().backward()
    assert w.grad.tolist() == [5.0]
    w.grad = None
    assert w.grad is None


def test_batch_norm_momentum_none_averages():
    layer = nn.BatchNorm2d(1, momentum=None)
    for value in (1.0, 4.0):
        layer(ops.full((2, 1, 1, 1), value))
    assert layer.running_mean.tensor.item() == pytest.approx(2.5)
    assert layer.num_batches_tracked.tensor.item() == 2


def test_embedding_takes_rows(device):
    layer = nn.Embedding(5, 3).to(device)
    assert list(layer.state_dict()) == ["weight"]
    index = lamina.tensor(np.array([[1, 4], [1, 0]]), device=device)
    y = layer(index)
    np.testing.assert_array_equal(y.numpy(), layer.weight.tensor.numpy()[[[1, 4], [1, 0]]])
    y.sum().backward()
    np.testing.assert_array_equal(layer.weight.grad.numpy()[:, 0], [1.0, 2.0, 0.0, 0.0, 1.0])
    assert repr(layer) == "Embedding(5, 3)"


def test_identity_is_what_it_is_given():
    x = lamina.tensor([1.0])
    assert nn.Identity()(x) is x
    assert list(nn.Identity().state_dict()) == []


def test_bad_input():
    layer = nn.Linear(3, 2)
    state = layer.state_dict()
    cases = [
        (
            lamina.ArgumentError,
            "load_state_dict: missing ['bias'], unexpected ['extra']; strict=False loads the rest",
            lambda: layer.load_state_dict({"weight": state["weight"], "extra": state["bias"]}),
        ),
        (
            lamina.ShapeError,
            "load_state_dict: 'bias' has shape (3,), the module's is (2,)",
            lambda: layer.load_state_dict({"weight": state["weight"], "bias": np.zeros(3)}),
        ),
        (
            lamina.ArgumentError,
            "Linear.weight is a parameter or buffer and stays one: replace its value with "
            ".weight.assign(tensor)",
            lambda: setattr(layer, "weight", ops.zeros((2, 3))),
        ),
        (
            lamina.ArgumentError,
            "Conv2d: groups=2 must divide in_channels=3 and out_channels=4",
            lambda: nn.Conv2d(3, 4, 1, groups=2),
        ),
        (lamina.ArgumentError, "Dropout: p=1.0 is not in [0, 1)", lambda: nn.Dropout(1.0)),
        (
            lamina.ShapeError,
            "BatchNorm2d: training needs at least two values per channel, got 1 from shape (1, 2, 1, 1); "
            "use eval() to normalise with the running statistics",
            lambda: nn.BatchNorm2d(2)(ops.zeros((1, 2, 1, 1))),
        ),
        (
            lamina.ArgumentError,
            "Module defines no forward(self, ...): write one",
            lambda: nn.Module()(1),
        ),
    ]
    for error, message, call in cases:
        raises(error, message, call)


def test_printing():
    text = repr(nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.ReLU(), nn.Sequential(nn.Linear(2, 3))))
    assert text == (
        "Sequential(\n"
        "  (0): Conv2d(1, 2, kernel_size=3, stride=1, bias=False)\n"
        "  (1): ReLU()\n"
        "  (2): Sequential(\n"
        "    (0): Linear(2, 3, bias=True)\n"
        "  )\n"
        ")"
    )

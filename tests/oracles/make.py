"""Writes torch.npz: what PyTorch computes, for the tests to compare with.

Run by hand where PyTorch is installed; the tests read the file and need no
PyTorch.  The file carries the version and the seed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

SEED = 0
STEPS = 100
OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {"lr": 0.05}),
    "sgd_momentum": (torch.optim.SGD, {"lr": 0.02, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.01}),
    "sgd_nesterov": (torch.optim.SGD, {"lr": 0.02, "momentum": 0.8, "nesterov": True}),
    "adam": (torch.optim.Adam, {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.02}),
    "adamw": (torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.1}),
}


def trajectories(found: dict[str, np.ndarray]) -> None:
    """A float64 weight under 0.5 |w - target|^2 + sum sin(3 w), after each of 100 steps."""
    start, target = np.random.default_rng(SEED).standard_normal((2, 3, 4))
    found["start"], found["target"] = start, target
    for name, (make, keywords) in OPTIMIZERS.items():
        w = torch.tensor(start, requires_grad=True)
        optimizer = make([w], **keywords)
        path = []
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss = 0.5 * ((w - torch.tensor(target)) ** 2).sum() + torch.sin(3 * w).sum()
            loss.backward()
            optimizer.step()
            path.append(w.detach().numpy().copy())
        found[f"optim/{name}"] = np.stack(path)


def network(found: dict[str, np.ndarray]) -> None:
    """A small network's weights, outputs, gradients and running statistics, in float64."""
    torch.manual_seed(SEED)
    nn = torch.nn
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.LeakyReLU(0.1),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, stride=2, groups=2, bias=False),
        nn.Tanh(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 5),
    ).double()
    for name, value in net.state_dict().items():
        found[f"net/before/{name}"] = value.numpy().copy()
    x = torch.randn(3, 2, 10, 12, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([0, 4, 2])
    y = net(x)
    loss = nn.CrossEntropyLoss()(y, target)
    loss.backward()
    found |= {
        "net/x": x.detach().numpy(),
        "net/target": target.numpy(),
        "net/y": y.detach().numpy(),
        "net/loss": loss.detach().numpy(),
        "net/grad_x": x.grad.numpy(),
    }
    for name, value in net.named_parameters():
        found[f"net/grad/{name}"] = value.grad.numpy()
    for name, value in net.state_dict().items():
        found[f"net/after/{name}"] = value.numpy().copy()
    net.eval()
    found["net/y_eval"] = net(x).detach().numpy()


def main() -> None:
    """All of it into one file."""
    found: dict[str, np.ndarray] = {"torch": np.array(torch.__version__), "seed": np.array(SEED)}
    trajectories(found)
    network(found)
    np.savez_compressed(Path(__file__).with_name("torch.npz"), **found)


if __name__ == "__main__":
    main()

"""The network of the demo and its training."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

import lamina
from lamina import nn, optim

Array = npt.NDArray[Any]

DIGIT = 8  # pixels a side
WINDOW = 12  # what the network sees at once
MARGIN = (WINDOW - DIGIT) // 2
STRIDE = 2  # pixels between neighbouring outputs, from the pooling
PAPER = 10  # the class of windows without a digit in the middle


def build() -> nn.Sequential:
    """A 12 x 12 window to 11 scores; on a page, one window every two pixels."""
    return nn.Sequential(
        nn.Conv2d(1, 24, 3, bias=False),  # 10 x 10
        nn.BatchNorm2d(24),
        nn.ReLU(),
        nn.Conv2d(24, 32, 3, bias=False),  # 8 x 8
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),  # 4 x 4
        nn.Conv2d(32, 64, 3, bias=False),  # 2 x 2
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.Conv2d(64, 96, 2),  # 1 x 1
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Conv2d(96, 11, 1),
    )


def train(
    net: nn.Sequential,
    batches: Callable[[], tuple[Array, Array]],
    epochs: int,
    device: str,
    advance: Callable[[float], None],
    batch_size: int = 128,
    peak: float = 4e-3,
) -> None:
    """Adam with a cosine learning rate.

    Args:
        net: The network, on `device`.
        batches: Gives an epoch's windows and labels, new ones each time.
        epochs: How many.
        device: Where to compute.
        advance: Called after each epoch with its mean loss in nats.
        batch_size: Windows per step.
        peak: The first learning rate.
    """
    rng = np.random.default_rng(0)
    optimizer = optim.Adam(net.parameters(), lr=peak)
    criterion = nn.CrossEntropyLoss()
    net.train()
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = peak * 0.5 * (1.0 + math.cos(math.pi * epoch / epochs))
        images, labels = batches()
        order = rng.permutation(len(images))
        losses = []
        # Whole batches only: one shape, so one plan.
        for start in range(0, len(order) - batch_size + 1, batch_size):
            chosen = order[start : start + batch_size]
            x = lamina.tensor(images[chosen], device=device)
            target = lamina.tensor(labels[chosen], device=device)
            loss = criterion(net(x).flatten(1), target)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.detach())  # the value alone: the step's graph is let go
        advance(float(np.mean([loss.item() for loss in losses])))


def accuracy(net: nn.Sequential, images: Array, labels: Array, device: str) -> float:
    """The share of windows whose best class is right."""
    net.eval()
    with lamina.no_grad():
        best = net(lamina.tensor(images, device=device)).flatten(1).argmax(1)
    return float(np.mean(best.numpy() == labels))

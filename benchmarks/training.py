"""The demo's training step (12x12 windows, batch 128, Adam) against PyTorch eager."""

from __future__ import annotations

import os

import harness

BATCH = 128


def _batch():
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.standard_normal((BATCH, 1, 12, 12), dtype=np.float32)
    return x, rng.integers(0, 11, BATCH)


def lamina_engine() -> harness.Timed:
    import lamina
    from lamina.demo import network

    x, y = (lamina.tensor(v) for v in _batch())
    net = network.build()
    net.train()
    loss_of = lamina.nn.CrossEntropyLoss()
    optimizer = lamina.optim.Adam(net.parameters(), lr=1e-3)

    def step() -> float:
        loss = loss_of(net(x).flatten(1), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.item())

    return step


def torch_engine() -> harness.Timed:
    import torch
    from torch import nn

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    x, y = (torch.from_numpy(v) for v in _batch())
    # The layers of lamina.demo.network.build.
    net = nn.Sequential(
        nn.Conv2d(1, 24, 3, bias=False),
        nn.BatchNorm2d(24),
        nn.ReLU(),
        nn.Conv2d(24, 32, 3, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.Conv2d(64, 96, 2),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Conv2d(96, 11, 1),
    )
    net.train()
    loss_of = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

    def step() -> float:
        loss = loss_of(net(x).flatten(1), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.item())

    return step


ENGINES = {"lamina": lamina_engine, "torch": torch_engine}


def main() -> None:
    options = harness.arguments(__doc__ or "")
    for threads in options.threads:
        medians = harness.compare(__file__, list(ENGINES), {}, threads=threads, rounds=options.rounds)
        harness.table(f"the demo's training step, {threads} thread(s)", [(f"batch {BATCH}", medians)])


if __name__ == "__main__":
    main()

"""Training steps on the CPU against PyTorch, eager and compiled, first losses compared."""

from __future__ import annotations

import argparse
import multiprocessing
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import harness

Case = Mapping[str, Any]

STEPS = 3  # whose losses are compared
TOLERANCE = 1e-3  # of the loss

# -- networks, from either library's `nn`: the names are the same --------------------------


def mlp(nn: Any, dropout: float) -> Any:
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def _block(
    nn: Any, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int | None = None
) -> Any:
    pad = kernel // 2 if padding is None else padding
    return [nn.Conv2d(inputs, outputs, kernel, stride, pad, bias=False), nn.BatchNorm2d(outputs)]


def cnn(nn: Any, dropout: float) -> Any:
    layers, channels = [], 3
    for outputs in (32, 32, 0, 64, 64, 0, 128, 128):
        if outputs == 0:
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [*_block(nn, channels, outputs, 3), nn.ReLU()]
        channels = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def resnet18(nn: Any, dropout: float) -> Any:
    """He et al. (2016), as torchvision has it."""

    class Residual(nn.Module):  # type: ignore[misc]
        def __init__(self, branch: Any, shortcut: Any) -> None:
            super().__init__()
            self.branch = branch
            self.shortcut = shortcut
            self.relu = nn.ReLU()

        def forward(self, x: Any) -> Any:
            return self.relu(self.branch(x) + self.shortcut(x))

    layers = [*_block(nn, 3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for width in (64, 128, 256, 512):
        for stride in (1 if width == 64 else 2, 1):
            branch = [*_block(nn, channels, width, 3, stride), nn.ReLU(), *_block(nn, width, width, 3)]
            fits = stride == 1 and channels == width
            shortcut = nn.Identity() if fits else nn.Sequential(*_block(nn, channels, width, 1, stride))
            layers.append(Residual(nn.Sequential(*branch), shortcut))
            channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def demo(nn: Any, dropout: float) -> Any:
    """The layers of lamina.demo.network.build."""
    return nn.Sequential(
        *_block(nn, 1, 24, 3, padding=0),
        nn.ReLU(),
        *_block(nn, 24, 32, 3, padding=0),
        nn.ReLU(),
        nn.MaxPool2d(2),
        *_block(nn, 32, 64, 3, padding=0),
        nn.ReLU(),
        nn.Conv2d(64, 96, 2),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Conv2d(96, 11, 1),
        nn.Flatten(),
    )


@dataclass(frozen=True)
class Net:
    build: Callable[[Any, float], Any]
    shape: tuple[int, ...]  # of its float32 input, with the batch
    classes: int
    optimizer: str
    settings: Mapping[str, float]


NETS: dict[str, Net] = {
    "mlp": Net(mlp, (64, 784), 10, "Adam", {"lr": 1e-3}),
    "cnn": Net(cnn, (64, 3, 32, 32), 10, "Adam", {"lr": 1e-3}),
    "resnet18": Net(resnet18, (16, 3, 64, 64), 10, "SGD", {"lr": 1e-3, "momentum": 0.9}),
    "demo": Net(demo, (128, 1, 12, 12), 11, "Adam", {"lr": 1e-3}),
}


def _batch(net: Net) -> Sequence[Any]:
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.standard_normal(net.shape, dtype=np.float32), rng.integers(0, net.classes, net.shape[0])


def _weights(parameters: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The same for every engine: He et al. (2015) for weights, no biases; norms stay as they are made."""
    import numpy as np

    drawn = {}
    for name, parameter in parameters:
        shape = tuple(parameter.shape)
        if len(shape) > 1:
            std = (2.0 / np.prod(shape[1:])) ** 0.5
            rng = np.random.default_rng(zlib.crc32(name.encode()))
            drawn[name] = (std * rng.standard_normal(shape)).astype(np.float32)
        elif name.endswith("bias"):
            drawn[name] = np.zeros(shape, np.float32)
    return drawn


# -- engines -----------------------------------------------------------------------------


def lamina_engine(net: str, dropout: float) -> harness.Timed:
    import lamina

    one = NETS[net]
    x, y = (lamina.tensor(v) for v in _batch(one))
    model = one.build(lamina.nn, dropout)
    model.load_state_dict(_weights(model.named_parameters()), strict=False)
    model.train()
    loss_of = lamina.nn.CrossEntropyLoss()
    optimizer = getattr(lamina.optim, one.optimizer)(model.parameters(), **one.settings)

    def step() -> float:
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.item())

    return step


def _torch_engine(net: str, dropout: float, compiled: bool) -> harness.Timed:
    import torch

    if harness.threads():
        torch.set_num_threads(harness.threads())
    one = NETS[net]
    x, y = (torch.from_numpy(v) for v in _batch(one))
    model = one.build(torch.nn, dropout)
    drawn = _weights(model.named_parameters())
    model.load_state_dict({name: torch.from_numpy(v) for name, v in drawn.items()}, strict=False)
    model.train()
    criterion = torch.nn.CrossEntropyLoss()
    settings = {**one.settings, **({"fused": True} if compiled else {})}
    optimizer = getattr(torch.optim, one.optimizer)(model.parameters(), **settings)

    def loss_of(x: Any, y: Any) -> Any:
        return criterion(model(x), y)

    forward = torch.compile(loss_of) if compiled else loss_of

    def step() -> float:
        loss = forward(x, y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.item())

    return step


def torch_engine(net: str, dropout: float) -> harness.Timed:
    """As it comes."""
    return _torch_engine(net, dropout, compiled=False)


def torch_compile_engine(net: str, dropout: float) -> harness.Timed:
    """Forward, loss and backward compiled in the default mode; the optimizer in its fused form."""
    return _torch_engine(net, dropout, compiled=True)


ENGINES: dict[str, Callable[..., harness.Timed]] = {
    "lamina": lamina_engine,
    "torch": torch_engine,
    "torch.compile": torch_compile_engine,
}


# -- the comparison ------------------------------------------------------------------------


def _losses(engine: str, net: str) -> list[float] | str:
    """The first losses, or why there are none.  Without dropout: its draws differ."""
    try:
        step = ENGINES[engine](net=net, dropout=0.0)
        return [float(step()) for _ in range(STEPS)]  # type: ignore[arg-type]
    except ImportError:
        return "not installed"
    except Exception as error:
        # What a compiler reports is wrapped once or twice; the innermost says what is wanted.
        while error.__cause__ is not None:
            error = error.__cause__
        return str(error).strip().split("\n", 1)[0]


def check(net: str) -> tuple[str, dict[str, str]]:
    """What the losses say, and the engines that cannot run, with the reason."""
    found: dict[str, list[float] | str] = {}
    for engine in ENGINES:
        # A process for each, and none of them kept while others are timed.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            future: Future[list[float] | str] = pool.submit(_losses, engine, net)
            found[engine] = future.result()
    missing = {engine: losses for engine, losses in found.items() if isinstance(losses, str)}
    ran = {engine: losses for engine, losses in found.items() if not isinstance(losses, str)}
    ours = ran.pop("lamina", [])
    parts = []
    for engine, theirs in ran.items() if ours else ():
        most = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs, strict=True))
        parts.append(f"{engine} {most:.1e}" + ("" if most <= TOLERANCE else f" ABOVE {TOLERANCE:.0e}"))
    losses = " ".join(f"{loss:.4f}" for loss in ours) or "none"
    return f"first losses {losses}; relative difference from {', '.join(parts) or 'nobody'}", missing


def arguments() -> argparse.Namespace:
    parser = harness.parser(__doc__ or "")
    parser.add_argument("--nets", nargs="+", choices=list(NETS), default=list(NETS), metavar="NET")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    missing: dict[str, dict[str, str]] = {}
    for net in options.nets:
        said, missing[net] = check(net)
        print(f"{net}: {said}", flush=True)
    for threads in options.threads:
        rows = []
        for net in options.nets:
            engines = [engine for engine in ENGINES if engine not in missing[net]]
            case: Case = {"net": net, "dropout": 0.3}
            medians = harness.compare(__file__, engines, case, threads=threads, rounds=options.rounds)
            rows.append((f"{net}, batch {NETS[net].shape[0]}, {NETS[net].optimizer}", medians))
        harness.table(f"training steps, {threads} thread(s)", rows)
        for net in options.nets:
            for engine, reason in missing[net].items():
                print(f"  {net}: {engine} not measured: {reason}", flush=True)


if __name__ == "__main__":
    main()

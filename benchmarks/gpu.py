"""Matmul, convolution and the demo's net on a GPU; against PyTorch where it is installed.

Needs only the wheel and NumPy.  On a software adapter (LAMINA_ALLOW_SOFTWARE_GPU=1,
device "gpu") the figures are reported, not judged.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

import lamina

Timed = Callable[[], object]


def timed(run: Timed, seconds: float) -> float:
    """Median seconds of a call."""
    run()
    runs = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(runs) < 3:
        start = time.perf_counter()
        run()
        runs.append(time.perf_counter() - start)
    return statistics.median(runs)


def matmul(device: str, n: int, repeat: int) -> Timed:
    """`repeat` products in one evaluation, so that the read-back is small."""
    rng = np.random.default_rng(0)
    a, b = (lamina.tensor(rng.standard_normal((n, n), dtype=np.float32), device=device) for _ in range(2))

    def run() -> float:
        y = a
        for _ in range(repeat):
            y = (y @ b) * (1.0 / n)
        return y[0, 0].item()

    return run


def conv2d(device: str, size: int, channels: int, repeat: int) -> Timed:
    rng = np.random.default_rng(0)
    x = lamina.tensor(rng.standard_normal((8, channels, size, size), dtype=np.float32), device=device)
    w = lamina.tensor(rng.standard_normal((channels, channels, 3, 3), dtype=np.float32), device=device)

    def run() -> float:
        y = x
        for _ in range(repeat):
            y = lamina.ops.conv2d(y, w, padding=1) * (1.0 / channels)
        return y[0, 0, 0, 0].item()

    return run


def demo_net(device: str, batch: int) -> Timed:
    from lamina.demo import network

    net = network.build()
    net.to(device)
    net.eval()
    x = lamina.tensor(
        np.random.default_rng(0).standard_normal((batch, 1, 12, 12), dtype=np.float32), device=device
    )

    def run() -> float:
        with lamina.no_grad():
            return net(x).sum().item()

    return run


def torch_peers(device: str) -> dict[str, Timed]:
    """The same work in PyTorch, if it is there."""
    try:
        import torch
    except ImportError:
        return {}
    place = "cuda" if torch.cuda.is_available() and device != "cpu" else "cpu"
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    peers: dict[str, Timed] = {}
    for n in (1024, 2048, 4096):
        a, b = (torch.randn(n, n, device=place) for _ in range(2))

        def product(a=a, b=b, n=n) -> float:
            y = a
            for _ in range(8):
                y = (y @ b) * (1.0 / n)
            return y[0, 0].item()

        peers[f"matmul {n}"] = product
    x = torch.randn(8, 64, 56, 56, device=place)
    w = torch.randn(64, 64, 3, 3, device=place)

    def convolution() -> float:
        y = x
        for _ in range(8):
            y = torch.nn.functional.conv2d(y, w, padding=1) * (1.0 / 64)
        return y[0, 0, 0, 0].item()

    peers["conv2d 8x64x56x56 3x3"] = convolution
    return peers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="gpu")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--small", action="store_true", help="sizes for a software adapter")
    options = parser.parse_args()
    for found in lamina.devices():
        print(found)
    sizes = (256, 512) if options.small else (1024, 2048, 4096)
    repeat = 2 if options.small else 8
    size = 14 if options.small else 56
    cases: dict[str, tuple[Timed, float]] = {
        f"matmul {n}": (matmul(options.device, n, repeat), 2.0 * n**3 * repeat) for n in sizes
    }
    flops = 2.0 * 8 * 64 * 64 * 9 * size * size * repeat
    cases[f"conv2d 8x64x{size}x{size} 3x3"] = (conv2d(options.device, size, 64, repeat), flops)
    cases["demo net, batch 256"] = (demo_net(options.device, 256), 0.0)
    peers = torch_peers(options.device)
    for name, (run, work) in cases.items():
        ours = timed(run, options.seconds)
        line = f"{name:<26} lamina {ours * 1e3:9.3f} ms"
        if work:
            line += f" {work / ours / 1e9:9.1f} GF/s"
        if name in peers:
            theirs = timed(peers[name], options.seconds)
            line += f"   torch {theirs * 1e3:9.3f} ms = {theirs / ours:5.2f}x"
        print(line, flush=True)


if __name__ == "__main__":
    main()

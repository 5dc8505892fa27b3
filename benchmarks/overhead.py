"""What recording and looking a plan up cost, a node."""

from __future__ import annotations

import statistics
import time

import lamina

NODES = 200
ROUNDS = 200


def chain(x: lamina.Tensor) -> lamina.Tensor:
    for _ in range(NODES // 2):
        x = (x + 1.0) * 0.5
    return x


def main() -> None:
    x = lamina.tensor([0.5])
    lamina.eval(chain(x))
    record, whole = [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        y = chain(x)
        middle = time.perf_counter()
        lamina.eval(y)
        end = time.perf_counter()
        record.append((middle - start) / NODES)
        whole.append((end - start) / NODES)
    print(f"recording: {statistics.median(record) * 1e6:.2f} us a node")
    print(
        "recording, plan look-up and run on one element: "
        f"{statistics.median(whole) * 1e6:.2f} us a node (goal 3)"
    )


if __name__ == "__main__":
    main()

"""Runs a second of a model by callers at once, and what an idle process uses of a core.

What a region of the thread pool costs, without Python:
`cargo run --release -p lamina-kernels --example threads`.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path

import nets
import numpy as np

import lamina

SECONDS = 3.0


def runs(models: list[lamina.Model], callers: int, feed: dict[str, np.ndarray]) -> list[int]:
    """How many runs each caller had; callers take the models in turn."""
    counts, end = [0] * callers, time.perf_counter() + SECONDS

    def call(at: int) -> None:
        while time.perf_counter() < end:
            models[at % len(models)].run(feed)
            counts[at] += 1

    threads = [threading.Thread(target=call, args=(at,)) for at in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", default="squeezenet", choices=nets.NETS)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    lamina.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        path = nets.export(options.net, 1, Path(folder))
        models = [lamina.onnx.load(path, device="cpu") for _ in range(2)]
    feed = {"x": np.random.default_rng(0).standard_normal((1, *nets.NETS[options.net][1]), np.float32)}
    runs(models, 1, feed)
    print(f"{options.net}, {options.threads} threads")
    print("callers  models  runs a second  CPU ms a run  least and most a caller")
    for count in (1, 2):
        for callers in (1, 2, 4, 16):
            if callers >= count:
                before = time.process_time()
                counts = runs(models[:count], callers, feed)
                used = (time.process_time() - before) / sum(counts) * 1e3
                rate = sum(counts) / SECONDS
                print(f"{callers:7} {count:7} {rate:14.1f} {used:13.2f}  {min(counts)}, {max(counts)}")
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(1.0)
    print(f"idle from 50 ms after the last run: {(time.process_time() - before) * 100:.2f} % of a core")


if __name__ == "__main__":
    main()

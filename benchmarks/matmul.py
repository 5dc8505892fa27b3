"""f32 matmul, 256 to 2048, against NumPy; and the fraction of the FMA peak.

The peak is what independent fused multiply-adds on registers reach on this
machine, measured by `cargo run --release -p lamina-kernels --example speed`.
"""

from __future__ import annotations

import harness

SIZES = (256, 512, 1024, 2048)


def _operands(n: int):
    import numpy as np

    rng = np.random.default_rng(0)
    return (rng.standard_normal((n, n), dtype=np.float32) for _ in range(2))


def numpy_engine(n: int) -> harness.Timed:
    a, b = _operands(n)
    return lambda: a @ b


def lamina_engine(n: int) -> harness.Timed:
    import lamina

    a, b = (lamina.tensor(x) for x in _operands(n))
    return lambda: lamina.eval(a @ b)


ENGINES = {"lamina": lamina_engine, "numpy": numpy_engine}


def main() -> None:
    options = harness.arguments(__doc__ or "")
    for threads in options.threads:
        rows = []
        for n in SIZES:
            medians = harness.compare(
                __file__, list(ENGINES), {"n": n}, threads=threads, rounds=options.rounds
            )
            gflops = 2 * n**3 / medians.get("lamina", float("inf")) / 1e9
            rows.append((f"{n}x{n}: {gflops:6.1f} GF/s", medians))
        harness.table(f"f32 matmul, {threads} thread(s)", rows)


if __name__ == "__main__":
    main()

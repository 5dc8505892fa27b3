"""Random programs of ops, drawn from a seed: what they compute here and in NumPy."""

from dataclasses import dataclass, field

import numpy as np

from helpers import rng
from lamina import ops
from oracle import elementwise, pool, product, reduce

STEPS = 14
SHAPES = [
    (),
    (1,),
    (5,),
    (33,),
    (2, 3),
    (17, 4),
    (1, 31),
    (2, 3, 4),
    (2, 4, 6, 5),
    (1, 16, 7, 9),
    (2, 3, 1, 8),
]
LARGEST = 6_000


class UnfitError(Exception):
    """These operands are none for this op."""


@dataclass
class Program:
    """Steps over numbered values; the first are leaves."""

    leaves: list[np.ndarray]
    steps: list[tuple[str, list[int], dict]] = field(default_factory=list)

    def run(self, kinds, wrap):
        """Every value, computed by `kinds[name]` from leaves made by `wrap`."""
        values = [wrap(leaf) for leaf in self.leaves]
        for name, inputs, params in self.steps:
            values.append(kinds[name](*(values[i] for i in inputs), **params))
        return values

    def without_what_nobody_reads(self, wanted):
        """The steps that value `wanted` needs."""
        first, needed = len(self.leaves), {wanted}
        for at in range(wanted, first - 1, -1):
            if at in needed:
                needed.update(self.steps[at - first][1])
        return [at for at in sorted(needed) if at >= first]

    def text(self, wanted):
        lines = [f"# v{i}: {leaf.shape}" for i, leaf in enumerate(self.leaves)]
        for at in self.without_what_nobody_reads(wanted):
            name, inputs, params = self.steps[at - len(self.leaves)]
            told = [f"v{i}" for i in inputs] + [f"{k}={v!r}" for k, v in params.items()]
            lines.append(f"v{at} = {name}({', '.join(told)})")
        return "\n".join(lines)


UNARY = {
    "tanh": np.tanh,
    "sin": np.sin,
    "relu": lambda x: np.maximum(x, 0.0),
    "neg": np.negative,
    "abs": np.abs,
    "sigmoid": elementwise.sigmoid,
    "square": np.square,
}
BINARY = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "maximum": np.maximum, "minimum": np.minimum}
REDUCE = {"sum": reduce.total, "mean": reduce.mean, "max": reduce.largest}


def cut(x, starts, ends, steps):
    return x[tuple(slice(*bounds) for bounds in zip(starts, ends, steps, strict=True))]


ORACLE = {
    **UNARY,
    **BINARY,
    **REDUCE,
    "reshape": lambda x, shape: x.reshape(shape),
    "permute": lambda x, dims: np.transpose(x, dims),
    "expand": lambda x, shape: np.broadcast_to(x, shape),
    "cut": cut,
    "concat": lambda *xs, dim: np.concatenate(xs, dim),
    "pad": lambda x, pads: np.pad(x, pads),
    "where": lambda a, b, c: np.where(a > b, a, c),
    "softmax": reduce.softmax,
    "matmul": lambda a, b: product.matmul(a, b) / np.sqrt(a.shape[-1]),
    "conv2d": lambda x, w, **how: product.conv(x, w, **how) / np.sqrt(w[0].size),
    "avg_pool2d": lambda x, kernel, stride: pool.avg_pool(x, pool.windows(x.shape, kernel, stride)),
}
OURS = {
    **{name: getattr(ops, name) for name in [*UNARY, *BINARY, *REDUCE]},
    "reshape": ops.reshape,
    "permute": ops.permute,
    "expand": ops.expand,
    "cut": lambda x, starts, ends, steps: x[tuple(map(slice, starts, ends, steps))],
    "concat": lambda *xs, dim: ops.concat(xs, dim),
    "pad": ops.pad,
    "where": lambda a, b, c: ops.where(a > b, a, c),
    "softmax": ops.softmax,
    "matmul": lambda a, b: (a @ b) / float(np.sqrt(a.shape[-1])),
    "conv2d": lambda x, w, **how: ops.conv2d(x, w, **how) / float(np.sqrt(np.prod(w.shape[1:]))),
    "avg_pool2d": lambda x, kernel, stride: ops.avg_pool2d(x, kernel, stride),
}


def sizes(r, shape):
    """Another shape of as many elements."""
    rest, out = int(np.prod(shape)), []
    while rest > 1 and len(out) < 3:
        divisors = [d for d in range(1, rest + 1) if rest % d == 0]
        out.append(int(r.choice(divisors)))
        rest //= out[-1]
    return [*out, rest]


def choose(r, values):
    """A step whose operands are among `values`: name, their numbers, parameters; may be unfit."""
    at = int(r.integers(len(values)))
    x, name = values[at], str(r.choice(list(ORACLE)))
    rank = x.ndim
    axis = int(r.integers(max(rank, 1)))
    other = int(r.integers(len(values)))
    if name in UNARY:
        return name, [at], {}
    if name in BINARY:
        return name, [at, other], {}
    if name == "where":
        return name, [at, other, int(r.integers(len(values)))], {}
    if rank == 0 or x.size == 0:
        raise UnfitError
    if name in REDUCE:
        dim = sorted({axis, int(r.integers(rank))}) if name != "max" else axis
        return name, [at], {"dim": dim, "keepdim": bool(r.integers(2))}
    if name == "softmax":
        return name, [at], {"dim": axis}
    if name == "reshape":
        return name, [at], {"shape": sizes(r, x.shape)}
    if name == "permute":
        return name, [at], {"dims": [int(d) for d in r.permutation(rank)]}
    if name == "expand":
        return (
            name,
            [at],
            {"shape": [int(r.integers(1, 4)), *(n if n > 1 else int(r.integers(1, 4)) for n in x.shape)]},
        )
    if name == "pad":
        return name, [at], {"pads": [tuple(map(int, r.integers(0, 3, 2))) for _ in range(rank)]}
    if name == "concat":
        return name, [at, other], {"dim": axis}
    if name == "cut":
        starts = [int(r.integers(n)) for n in x.shape]
        ends = [int(r.integers(s, n)) + 1 for s, n in zip(starts, x.shape, strict=True)]
        return name, [at], {"starts": starts, "ends": ends, "steps": [int(s) for s in r.integers(1, 3, rank)]}
    if name == "matmul":
        y = values[other]
        if y.ndim == 0 or x.shape[-1] != y.shape[max(y.ndim - 2, 0)]:
            raise UnfitError
        return name, [at, other], {}
    if rank != 4:
        raise UnfitError
    if min(x.shape[2:]) < 3:
        raise UnfitError
    if name == "conv2d":
        w = values[other]
        if w.ndim != 4 or w.shape[1] != x.shape[1] or max(w.shape[2:]) > 3:
            raise UnfitError
        return name, [at, other], {"stride": int(r.integers(1, 3)), "padding": int(r.integers(3))}
    return name, [at], {"kernel": int(r.integers(1, 3)), "stride": int(r.integers(1, 3))}


def draw(seed):
    """A program of a few leaves and up to `STEPS` steps, whose values stay small."""
    r = rng(seed)
    leaves = [r.standard_normal(SHAPES[r.integers(len(SHAPES))]) for _ in range(4)]
    leaves += [r.standard_normal((4, leaves[0].shape[1] if leaves[0].ndim == 4 else 16, 3, 3))]
    program = Program([leaf.astype(np.float32).astype(np.float64) for leaf in leaves])
    values = list(program.leaves)
    while len(program.steps) < STEPS:
        try:
            step = choose(r, values)
            made = ORACLE[step[0]](*(values[i] for i in step[1]), **step[2])
        except (UnfitError, ValueError, IndexError, ZeroDivisionError):
            continue
        made = np.asarray(made, np.float64)
        if made.size > LARGEST or made.ndim > 6 or np.abs(made).max(initial=0.0) > 100.0:
            continue
        program.steps.append(step)
        values.append(made)
    return program, values

"""Random graphs of ops, on every device against NumPy in float64: values, gradients, updates in place.

What a program ends in is planned as one graph, so that whatever the planner fuses, moves or leaves out must
not show.  A failure prints the shortest part of the program that still fails.  `LAMINA_FUZZ_SECONDS` runs
more graphs, for that long on each device; `LAMINA_FUZZ_SEED` begins elsewhere.
"""

import os
import time

import numpy as np
import pytest
from random_graphs import ORACLE, OURS, draw

import lamina
from helpers import rng
from lamina import nn, ops, optim
from lamina.testing import assert_close

GRAPHS = 40
SECONDS = float(os.environ.get("LAMINA_FUZZ_SECONDS", "0"))
SEED = int(os.environ.get("LAMINA_FUZZ_SEED", "0"))


def fails(program, values, wanted, device):
    """Why the values `wanted` come out wrong when they are planned together; None if right."""
    try:
        with lamina.no_grad():
            leaves = iter([lamina.tensor(x.astype(np.float32), device=device) for x in program.leaves])
            got = program.run(OURS, lambda _: next(leaves))
            lamina.eval(*(got[at] for at in wanted))
        for at in wanted:
            assert_close(got[at], values[at], "model")
    except (AssertionError, lamina.LaminaError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def check(seed, device):
    program, values = draw(seed)
    ends = range(len(values) - 3, len(values))
    if not fails(program, values, ends, device):
        return
    # The first value that fails by itself, or all together.
    for at in range(len(program.leaves), len(values)):
        why = fails(program, values, [at], device)
        if why:
            pytest.fail(f"seed {seed} on {device}:\n{program.text(at)}\n{why}")
    told = "\n\n".join(program.text(at) for at in ends)
    pytest.fail(f"seed {seed} on {device}, planned together:\n{told}\n{fails(program, values, ends, device)}")


@pytest.mark.parametrize("part", range(4))
def test_random_graphs(device, part):
    for seed in range(part, GRAPHS, 4):
        check(SEED + seed, device)


@pytest.mark.skipif(not SECONDS, reason="LAMINA_FUZZ_SECONDS says how long")
def test_many_random_graphs(device):
    until, seed = time.monotonic() + SECONDS, SEED + GRAPHS
    while time.monotonic() < until:
        check(seed, device)
        seed += 1


# ---- gradients


def weights_of(program, values):
    """Of the last three values, for a sum that they all take part in."""
    return [rng(at).standard_normal(value.shape) for at, value in enumerate(values[-3:])]


def total(program, weights, leaves):
    """NumPy's: the sum of the last three values, weighted."""
    values = program.run(ORACLE, lambda leaf: leaves[id(leaf)])
    return sum(float(np.sum(w * v)) for w, v in zip(weights, values[-3:], strict=True))


def ours(program, weights, leaves):
    """The same sum, recorded."""
    rest = iter(leaves)
    values = program.run(OURS, lambda _: next(rest))[-3:]
    like = leaves[0]
    parts = [
        ops.sum(lamina.tensor(w, dtype=like.dtype, device=like.device) * v)
        for w, v in zip(weights, values, strict=True)
    ]
    return parts[0] + parts[1] + parts[2]


def gradients(program, weights, arrays, dtype, device):
    """Of the sum, by every leaf; zeros where it does not depend on one."""
    leaves = [lamina.tensor(x.astype(dtype), device=device, requires_grad=True) for x in arrays]
    out = ours(program, weights, leaves)
    if not out.requires_grad:
        return [np.zeros(x.shape) for x in arrays]
    found = [g if g is None else g.numpy() for g in lamina.grad(out, leaves)]
    return [np.zeros(x.shape) if g is None else g for g, x in zip(found, arrays, strict=True)]


def slope(program, weights, direction, step=1e-6):
    """Central difference along a direction of all leaves; None where the sum has a kink or jumps."""

    def at(t):
        leaves = zip(program.leaves, direction, strict=True)
        return total(program, weights, {id(x): x + t * d for x, d in leaves})

    low, here, high = at(-step), at(0.0), at(step)
    size = max(1.0, abs(here), abs(high - low) / (2 * step))
    # A smooth function's second difference is step**2 times its curvature.
    if abs(high - 2 * here + low) > 1e-4 * step * size + 1e-12 * size:
        return None
    return (high - low) / (2 * step)


def directions(program, seed):
    """All leaves at random, and single elements."""
    r = rng(seed)
    for _ in range(3):
        yield [r.standard_normal(x.shape) for x in program.leaves]
    for _ in range(12):
        one = [np.zeros(x.shape) for x in program.leaves]
        chosen = one[r.integers(len(one))].reshape(-1)
        chosen[r.integers(chosen.size)] = 1.0
        yield one


def is_steady(program, weights, arrays, exact):
    """Whether float32's rounding leaves the gradient what it is: no kink or tie lies near."""
    for seed in range(2):
        near = [x * (1 + 1e-6 * rng(seed).standard_normal(x.shape)) for x in arrays]
        for have, want in zip(gradients(program, weights, near, np.float64, "cpu"), exact, strict=True):
            try:
                assert_close(have, want, "model", "float32")
            except AssertionError:
                return False
    return True


def check_slopes(seed):
    """Float64 gradients against central differences of NumPy; how many slopes were compared."""
    program, values = draw(seed)
    weights = weights_of(program, values)
    exact = gradients(program, weights, program.leaves, np.float64, "cpu")
    compared = 0
    for direction in directions(program, seed):
        wanted = slope(program, weights, direction)
        if wanted is None:
            continue
        compared += 1
        products = [g * d for g, d in zip(exact, direction, strict=True)]
        got = sum(float(np.sum(p)) for p in products)
        size = max(1.0, sum(float(np.abs(p).sum()) for p in products))
        size = max(size, abs(total(program, weights, {id(x): x for x in program.leaves})))
        if not abs(got - wanted) <= 1e-6 * size:
            ends = "\n\n".join(program.text(at) for at in range(len(values) - 3, len(values)))
            pytest.fail(f"seed {seed}: slope {got!r}, numerically {wanted!r}\n{ends}")
    return compared


def check_gradients(seed, device):
    """Float32 gradients against float64's; False where a kink lies too near to say."""
    program, values = draw(seed)
    weights = weights_of(program, values)
    exact = gradients(program, weights, program.leaves, np.float64, "cpu")
    if not is_steady(program, weights, program.leaves, exact):
        return False
    got = gradients(program, weights, program.leaves, np.float32, device)
    for at, (have, want) in enumerate(zip(got, exact, strict=True)):
        try:
            assert_close(have, want, "model", "float32")
        except AssertionError as error:
            ends = "\n\n".join(program.text(at) for at in range(len(values) - 3, len(values)))
            pytest.fail(f"seed {seed} on {device}, gradient of v{at}:\n{ends}\n{error}")
    return True


def check_updates(seed, device):
    """Two steps of an optimizer in place against the same without; views held keep what they saw."""
    program, values = draw(seed)
    weights = weights_of(program, values)
    arrays, speed = list(program.leaves), [np.zeros(x.shape) for x in program.leaves]
    params = [nn.Parameter(lamina.tensor(x.astype(np.float32), device=device)) for x in arrays]
    opt, rate = optim.SGD(params, lr=1.0, momentum=0.5), 0.0
    for _ in range(2):
        exact = gradients(program, weights, arrays, np.float64, "cpu")
        if not is_steady(program, weights, arrays, exact):
            return False
        rate = rate or 1e-3 / max(1.0, max(float(np.abs(g).max(initial=0.0)) for g in exact))
        opt.param_groups[0]["lr"] = rate
        # A view, and something not yet computed: both read what is about to be written over.
        held = [(p.tensor.reshape(-1), p.tensor * 2.0) for p in params]
        opt.zero_grad()
        out = ours(program, weights, [p.tensor for p in params])
        if out.requires_grad:
            out.backward()
        for p in params:
            if p.grad is None:
                p.grad = ops.zeros(p.shape, device=device)
        opt.step()
        for (view, twice), x in zip(held, arrays, strict=True):
            assert_close(view, x.reshape(-1), "model", "float32")
            assert_close(twice, x * 2.0, "model", "float32")
        speed = [0.5 * v + g for v, g in zip(speed, exact, strict=True)]
        arrays = [x - rate * v for x, v in zip(arrays, speed, strict=True)]
        for p, x, before in zip(params, arrays, program.leaves, strict=True):
            # Steps are small beside what they change: they are compared by themselves.
            moved = (p.tensor.numpy().astype(np.float64) - before) * 1e3
            assert_close(moved, (x - before) * 1e3, "model", "float16")
            assert_close(p.tensor, x, "model", "float32")
    return True


@pytest.mark.parametrize("part", range(4))
def test_slopes_of_random_graphs(part):
    compared = [check_slopes(SEED + seed) for seed in range(part, GRAPHS, 4)]
    # Some directions meet kinks; most must not.
    assert sum(compared) >= 8 * len(compared)


@pytest.mark.parametrize("part", range(4))
def test_gradients_of_random_graphs(device, part):
    done = [check_gradients(SEED + seed, device) for seed in range(part, GRAPHS, 4)]
    assert sum(done) >= len(done) // 2


@pytest.mark.parametrize("part", range(2))
def test_updates_of_random_graphs(device, part):
    done = [check_updates(SEED + seed, device) for seed in range(part, GRAPHS, 4)]
    assert sum(done) >= len(done) // 2


@pytest.mark.skipif(not SECONDS, reason="LAMINA_FUZZ_SECONDS says how long")
def test_many_gradients(device):
    until, seed = time.monotonic() + SECONDS, SEED + GRAPHS
    while time.monotonic() < until:
        if device == "cpu":
            check_slopes(seed)
        check_gradients(seed, device)
        check_updates(seed, device)
        seed += 1

"""Batch normalisation, training and evaluation."""

import numpy as np
import pytest

import lamina
from helpers import compare, normal
from lamina import ops
from oracle import norm as oracle

SHAPES = [(4, 3, 5, 7), (2, 33, 1, 9), (31, 5), (2, 7, 32, 33)]


def _inputs(shape):
    return [normal(*shape) * 2 + 1, normal(shape[1], seed=1) + 1, normal(shape[1], seed=2)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("output", [0, 1, 2])
def test_training(device, shape, output):
    compare(
        lambda *t: ops.batch_norm(*t, training=True, eps=1e-3)[output],
        _inputs(shape),
        device,
        lambda *a: oracle.batch_norm_training(*a, 1e-3)[output],
        (lambda gy, *a: oracle.batch_norm_training_vjp(gy, *a, 1e-3)) if output == 0 else None,
    )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_evaluation(device, shape):
    inputs = [*_inputs(shape), normal(shape[1], seed=3), np.abs(normal(shape[1], seed=4)) + 0.5]
    compare(
        lambda *t: ops.batch_norm(*t, eps=1e-3),
        inputs,
        device,
        lambda *a: oracle.batch_norm(*a, 1e-3),
        lambda gy, *a: oracle.batch_norm_vjp(gy, *a, 1e-3),
    )


def test_a_large_mean_leaves_the_variance_right(device):
    x = normal(8, 2, 9, 9) + 1000.0
    compare(
        lambda t, w, b: ops.batch_norm(t, w, b, training=True)[2],
        [x, np.ones(2), np.zeros(2)],
        device,
        lambda a, w, b: oracle.batch_norm_training(a, w, b, 1e-5)[2],
    )


def test_gradients_in_float64():
    lamina.testing.check_gradients(
        lambda *t: ops.batch_norm(*t, training=True)[0],
        [normal(3, 2, 2, 2), normal(2, seed=1), normal(2, seed=2)],
    )

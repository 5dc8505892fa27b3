"""Every op that says it differentiates, against central differences in float64; twice, where that exists."""

import numpy as np
import pytest

import lamina
from helpers import normal, rng
from lamina._lamina import record
from lamina.testing import check_gradients

DIFFERENTIABLE = {str(row["op"]) for row in lamina.op_table() if row["gradient"]}
# Recorded under a gradient's name only to stop it.
STOPS = {"detach"}

X = normal(3, 4)
# Far from 0 and from each other: no kink within a step.
APART = rng(1).permutation(np.linspace(-2.0, 2.0, 12)).reshape(3, 4)
POSITIVE = np.abs(X) + 0.5
SIGNS = np.where(normal(3, 4, seed=6) > 0, 1, -1)
SHARES = 1 / (1 + np.exp(-normal(3, 4, seed=2)))
IMAGE = rng(2).permutation(np.linspace(-2.0, 2.0, 2 * 2 * 5 * 6)).reshape(2, 2, 5, 6)
ROW = rng(3).permutation(np.linspace(-2.0, 2.0, 2 * 2 * 7)).reshape(2, 2, 7)
VOLUME = rng(4).permutation(np.linspace(-2.0, 2.0, 2 * 4 * 5 * 4)).reshape(1, 2, 4, 5, 4)
GRID = rng(5).uniform(-0.9, 0.9, (2, 3, 2, 2))
# Integers have no gradient, and neither have boxes.
BOXES = np.array([[0, 0, 0, 4, 3], [1, 1, 2, 5, 4], [1, 2, 1, 9, 8]])
KERNEL = normal(4, 1, 3, 2, seed=3)
CONV = {"stride": [2, 1], "padding": [1, 0, 1, 1], "groups": 2}
POOL = {"kernel_size": [3, 2], "stride": [2, 2], "padding": [1, 0, 1, 1]}


def _case(*inputs, **params):
    return list(inputs), params


CASES = {
    **{name: _case(APART) for name in ("abs", "relu", "leaky_relu", "clip", "square", "neg", "copy")},
    **{name: _case(X) for name in ("cos", "sin", "erf", "exp", "sigmoid", "tanh", "reciprocal", "flatten")},
    **{name: _case(X) for name in ("gelu", "silu", "hardswish", "mish", "logsigmoid")},
    **{name: _case(X) for name in ("expm1", "tan", "atan", "sinh", "cosh", "asinh")},
    **{name: _case(np.tanh(X) * 0.9) for name in ("asin", "acos", "atanh")},
    **{name: _case(APART) for name in ("elu", "celu", "selu", "softsign", "hardsigmoid", "hardtanh")},
    **{name: _case(APART) for name in ("hardshrink", "softshrink", "threshold")},
    "acosh": _case(POSITIVE + 1),
    "log1p": _case(POSITIVE - 1),
    "prelu": _case(APART, normal(4, seed=1)),
    **{name: _case(APART) for name in ("relu6", "tanhshrink", "softmin", "glu", "softplus")},
    **{name: _case(POSITIVE) for name in ("log", "sqrt", "rsqrt")},
    **{name: _case(APART, normal(3, 4, seed=1)) for name in ("l1_loss", "smooth_l1_loss", "huber_loss")},
    **{name: _case(X, SIGNS) for name in ("hinge_embedding_loss", "soft_margin_loss")},
    "binary_cross_entropy": _case(SHARES, SHARES[::-1], POSITIVE),
    "binary_cross_entropy_with_logits": _case(X, SHARES, POSITIVE, POSITIVE[0]),
    "kl_div": _case(X, SHARES, reduction="batchmean"),
    "poisson_nll_loss": _case(POSITIVE, POSITIVE * 3, log_input=False, full=True),
    "gaussian_nll_loss": _case(X, normal(3, 4, seed=1), POSITIVE[:, 0], full=True),
    "margin_ranking_loss": _case(X, normal(3, 4, seed=1), SIGNS, margin=0.3),
    "cosine_embedding_loss": _case(X, normal(3, 4, seed=1), SIGNS[:, 0], margin=-0.9),
    "triplet_margin_loss": _case(X, normal(3, 4, seed=1), normal(3, 4, seed=8), margin=3.0, swap=True),
    "nll_loss": _case(X, np.array([3, 0, 1]), POSITIVE[0]),
    "cosine_similarity": _case(X, normal(3, 4, seed=1)),
    "pairwise_distance": _case(X, normal(3, 4, seed=1), p=3.0),
    "bilinear": _case(X, normal(3, 2), normal(5, 4, 2), normal(5)),
    "group_norm": _case(normal(2, 4, 3), normal(4), normal(4, seed=1), num_groups=2),
    "instance_norm": _case(normal(2, 4, 3), normal(4), normal(4, seed=1)),
    "rms_norm": _case(normal(3, 4), normal(4), normalized_shape=[4], eps=1e-3),
    "local_response_norm": _case(normal(2, 4, 3), size=3, alpha=0.7),
    "alpha_dropout": _case(X, p=0.5),
    "feature_dropout": _case(X, p=0.5),
    "embedding_bag": _case(np.array([[2, 0], [2, 1]]), APART, mode="max", padding_idx=0),
    "gather_nd": _case(X, np.array([[2, 0], [-1, 2]])),
    "scatter_nd": _case(X, np.array([[2], [0]]), normal(2, 4)),
    "reverse_sequence": _case(X, np.array([2, 0, 3, 1])),
    "depth_to_space": _case(normal(1, 8, 2, 3), block_size=2),
    "space_to_depth": _case(normal(1, 2, 4, 6), block_size=2, mode="CRD"),
    "channel_shuffle": _case(X, groups=2),
    "unflatten": _case(X, dim=1, sizes=[2, -1]),
    **{name: _case(X, normal(4, seed=1)) for name in ("add", "sub", "mul")},
    **{name: _case(APART, APART[:1] + 0.07) for name in ("maximum", "minimum")},
    **{name: _case(X, dim=[0]) for name in ("sum", "mean", "prod")},
    **{name: _case(APART, dim=[1], keepdim=True) for name in ("max", "min")},
    **{name: _case(X, dim=[1]) for name in ("var", "std", "logsumexp", "norm")},
    **{name: _case(X, dim=0) for name in ("softmax", "log_softmax")},
    **{name: _case(X, repeats=[2, 3]) for name in ("tile", "repeat")},
    **{name: _case(X) for name in ("tril", "triu", "permute")},
    **{name: _case(APART, dim=0) for name in ("sort", "cumsum")},
    **{name: _case(IMAGE) for name in ("global_avg_pool2d", "global_max_pool2d")},
    "adaptive_avg_pool1d": _case(ROW, output_size=[3]),
    "adaptive_avg_pool2d": _case(IMAGE, output_size=[3, 4]),
    "adaptive_avg_pool3d": _case(VOLUME, output_size=[3, 2, 2]),
    "adaptive_max_pool1d": _case(ROW, output_size=[3]),
    "adaptive_max_pool2d": _case(IMAGE, output_size=[3, 4]),
    "adaptive_max_pool3d": _case(VOLUME, output_size=[3, 2, 2]),
    "avg_pool1d": _case(ROW, kernel_size=3, stride=2, divisor_override=2.0, ceil_mode=True),
    "avg_pool2d": _case(IMAGE, **POOL, count_include_pad=False),
    "avg_pool3d": _case(VOLUME, kernel_size=2, padding=1, count_include_pad=False),
    "avg_pool2d_backward": _case(normal(2, 2, 3, 3), size=[5, 6], **POOL),
    "affine_grid": _case(normal(2, 2, 3), size=[2, 1, 3, 4]),
    "batch_norm": _case(normal(4, 3, 2), normal(3), normal(3, seed=1), training=True),
    "cast": _case(X, dtype=lamina.float64),
    "concat": _case(X, normal(3, 2), dim=1),
    "conv1d": _case(ROW, normal(4, 1, 3), normal(4), stride=2, padding=[0, 1], groups=2),
    "conv2d": _case(IMAGE, KERNEL, normal(4), **CONV),
    "conv2d_backward_input": _case(normal(2, 4, 3, 6), KERNEL, size=[5, 6], **CONV),
    "conv2d_backward_weight": _case(IMAGE, normal(2, 4, 3, 6), size=[3, 2], **CONV),
    "conv3d": _case(VOLUME, normal(2, 2, 2, 2, 3), normal(2), stride=[2, 1, 2], padding=1),
    "conv_transpose1d": _case(ROW, normal(2, 3, 3), stride=2, output_padding=1, padding=1),
    "conv_transpose3d": _case(normal(1, 2, 2, 3, 2), normal(2, 1, 2, 2, 2), stride=[2, 1, 1], groups=2),
    "conv_transpose2d": _case(normal(2, 4, 3, 3), normal(4, 2, 3, 2), stride=[2, 1], groups=2),
    "cross_entropy": _case(X, np.array([3, 0, 1])),
    "dequantize_linear": _case(np.arange(-6, 6, dtype=np.int8).reshape(3, 4), POSITIVE[0]),
    "det": _case(normal(2, 3, 3)),
    "dft": _case(normal(2, 6, 2), dim=1, length=5, output=3, scale=0.5),
    "div": _case(X, POSITIVE),
    "dropout": _case(X, p=0.5),
    "einsum": _case(X, normal(4, 5), equation="ij,jk->ik"),
    "embedding": _case(np.array([[2, 0], [2, 1]]), X),
    **{name: _case(normal(2, 6, 2)) for name in ("fft", "ifft", "irfft")},
    "rfft": _case(X, n=7),
    "stft": _case(normal(2, 9), normal(4, seed=1), n_fft=4, hop_length=2),
    "istft": _case(normal(3, 5, 2), POSITIVE[0], n_fft=4, hop_length=2),
    "expand": _case(normal(3, 1), shape=[2, 3, 4]),
    "flip": _case(X, dims=[0]),
    "fmod": _case(APART * 3, POSITIVE),
    "fold": _case(normal(1, 8, 4), output_size=[4, 4], kernel_size=[2, 2], stride=2),
    "frame": _case(X, dim=1, size=2),
    "gather": _case(X, np.array([[2, 0], [-1, 2]]), dim=0),
    "grid_sample": _case(IMAGE, GRID, mode="bicubic", padding_mode="reflection"),
    "index_add": _case(X, np.array([2, 2]), normal(2, 4), dim=0),
    "index_put": _case(X, np.array([2, 0]), normal(2, 4), dim=0),
    "layer_norm": _case(normal(3, 4), normal(4), normal(4, seed=1), normalized_shape=[4]),
    "linear": _case(X, normal(5, 4), normal(5)),
    "matmul": _case(normal(2, 3, 4), normal(4, 5)),
    "lp_pool1d": _case(ROW, kernel_size=3, stride=2, norm_type=3.0, ceil_mode=True),
    "lp_pool2d": _case(IMAGE, **POOL, norm_type=2.0),
    "lp_pool3d": _case(VOLUME, kernel_size=2, norm_type=1.5),
    "max_pool1d": _case(ROW, kernel_size=3, stride=2, padding=1),
    "max_pool3d": _case(VOLUME, kernel_size=2, stride=[1, 2, 1], padding=1),
    "max_unpool1d": _case(normal(1, 1, 2), np.array([[[1, 2]]]), kernel_size=2),
    "max_unpool2d": _case(normal(1, 1, 1, 2), np.array([[[[1, 4]]]]), kernel_size=2),
    "max_unpool3d": _case(normal(1, 1, 1, 1, 2), np.array([[[[[1, 9]]]]]), kernel_size=2),
    "max_pool2d": _case(IMAGE, **POOL, ceil_mode=True),
    "mse_loss": _case(X, normal(3, 4, seed=1)),
    "overlap_add": _case(X, dim=0, step=2, length=9),
    "pad": _case(X, pads=[1, 0, 2, 1], mode="reflect"),
    "pow": _case(POSITIVE, X),
    "pow_const": _case(POSITIVE, exponent=2.5),
    "remainder": _case(APART * 3, POSITIVE),
    "reshape": _case(X, shape=[2, -1]),
    "resize": _case(IMAGE, size=[7, 4], mode="linear"),
    "roi_align": _case(IMAGE, BOXES, output_size=[2, 3], sampling_ratio=2),
    "roi_pool": _case(IMAGE, BOXES, output_size=[2, 3]),
    "scatter": _case(X, np.array([[2, 0], [1, 2]]), normal(2, 2), dim=0),
    "scatter_reduce": _case(APART, np.array([[2, 0], [2, 2]]), normal(2, 2), dim=0, reduce="amax"),
    "scatter_add": _case(X, np.array([[2, 0], [2, 2]]), normal(2, 2), dim=0),
    "scatter_slice": _case(normal(2, 4), shape=[5, 4], starts=[3], ends=[0], steps=[-2]),
    "select": _case(X, dim=1, index=-2),
    "slice": _case(X, starts=[3, 0], ends=[-9, 2], axes=[1, 0], steps=[-2, 1]),
    "split": _case(X, sizes=[1, 2], dim=0),
    "squeeze": _case(normal(3, 1, 2), dim=[1]),
    "stack": _case(X, normal(3, 4, seed=1)),
    "take": _case(X, np.array([[2, 0], [-1, 2]]), dim=0),
    "topk": _case(APART, k=2),
    "unfold": _case(ROW, kernel_size=3, stride=2, padding=1),
    "unsqueeze": _case(X, dim=[1]),
    "where": _case(X > 0, X, normal(4)),
}
# Gradients of these ops: checked as the second derivative of the op.
BACKWARD = {
    "max_pool2d_backward": "max_pool2d",
    "batch_norm_backward": "batch_norm",
    "layer_norm_backward": "layer_norm",
    "group_norm_backward": "group_norm",
}


def first(name, params):
    """The op's first output; the same random numbers at each call."""

    def call(*tensors):
        lamina.manual_seed(0)
        out = record(name, list(tensors), params)
        return out[0] if isinstance(out, tuple) else out

    return call


def test_every_one_has_a_case():
    assert set(CASES) | set(BACKWARD) | STOPS == DIFFERENTIABLE


@pytest.mark.parametrize("name", sorted(CASES))
def test_gradient(name):
    inputs, params = CASES[name]
    check_gradients(first(name, params), inputs)


@pytest.mark.parametrize("name", sorted(CASES))
def test_gradient_of_the_gradient(name):
    inputs, params = CASES[name]
    op = first(name, params)

    def total(*tensors):
        y = op(*tensors)
        # A square, so that the gradient depends on all there is.
        wanted = [t for t in tensors if t.requires_grad]
        grads = lamina.grad((y * y).sum(), wanted, create_graph=True)
        weights = (lamina.tensor(normal(*g.shape, seed=5)) for g in grads)
        parts = [(g * w).sum() for g, w in zip(grads, weights, strict=True)]
        return sum(parts[1:], parts[0])

    check_gradients(total, inputs, tolerance=1e-5)


def test_a_detached_value_has_no_gradient():
    x = lamina.tensor(X, requires_grad=True)
    (gradient,) = lamina.grad((x.detach() * x).sum(), [x])
    np.testing.assert_array_equal(gradient.numpy(), X)

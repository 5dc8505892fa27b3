"""Losses, and how alike vectors are; their gradients are in test_gradients.py."""

import numpy as np
import pytest

import lamina
from helpers import compare, leaf, normal, raises, rng
from lamina import nn, ops
from oracle import loss as oracle

X, TARGET = normal(5, 7), normal(5, 7, seed=1)
SHARES = 1 / (1 + np.exp(-X))
CERTAIN = np.where(np.arange(7) % 3 == 0, np.round(SHARES), SHARES)
POSITIVE = np.abs(TARGET) + 0.1
SIGNS = np.where(TARGET > 0, 1.0, -1.0)
CLASSES = rng(3).integers(0, 7, 5)
REDUCTIONS = ["none", "sum", "mean"]

# name: (op's inputs, keywords, each element's loss).
ELEMENTS = {
    "mse_loss": ([X, TARGET], {}, lambda x, t: (x - t) ** 2),
    "l1_loss": ([X, TARGET], {}, lambda x, t: np.abs(x - t)),
    "smooth_l1_loss": ([X, TARGET], {"beta": 0.7}, lambda x, t: oracle.smooth_l1(x, t, 0.7)),
    "smooth_l1_loss at 0": ([X, TARGET], {"beta": 0.0}, lambda x, t: oracle.smooth_l1(x, t, 0)),
    "huber_loss": ([X, TARGET], {"delta": 0.7}, lambda x, t: oracle.huber(x, t, 0.7)),
    "binary_cross_entropy": ([CERTAIN, SHARES[::-1]], {}, oracle.bce),
    "binary_cross_entropy weighted": ([SHARES, CERTAIN, POSITIVE[:1]], {}, oracle.bce),
    "binary_cross_entropy_with_logits": ([X * 50, CERTAIN], {}, oracle.bce_with_logits),
    "binary_cross_entropy_with_logits weighted": (
        [X, SHARES, POSITIVE[:, :1], POSITIVE[0]],
        {},
        oracle.bce_with_logits,
    ),
    "kl_div": ([X, CERTAIN], {}, oracle.kl_div),
    "kl_div of logarithms": ([X, TARGET], {"log_target": True}, lambda x, t: np.exp(t) * (t - x)),
    "hinge_embedding_loss": (
        [X, SIGNS],
        {"margin": 0.8},
        lambda x, t: np.where(t == 1, x, np.maximum(0.8 - x, 0)),
    ),
    "soft_margin_loss": ([X * 50, SIGNS], {}, lambda x, t: np.logaddexp(0, -t * x)),
    "poisson_nll_loss": ([X, POSITIVE * 3], {}, lambda x, t: oracle.poisson_nll(x, t, True, False, 1e-8)),
    "poisson_nll_loss of means": (
        [POSITIVE, POSITIVE * 3],
        {"log_input": False, "full": True, "eps": 0.1},
        lambda x, t: oracle.poisson_nll(x, t, False, True, 0.1),
    ),
    "gaussian_nll_loss": (
        [X, TARGET, POSITIVE - 0.3],
        {"eps": 0.1},
        lambda x, t, v: oracle.gaussian_nll(x, t, v, False, 0.1),
    ),
    "gaussian_nll_loss by rows": (
        [X, TARGET, POSITIVE[:, 0]],
        {"full": True},
        lambda x, t, v: oracle.gaussian_nll(x, t, v[:, None], True, 1e-6),
    ),
    "margin_ranking_loss": (
        [X, TARGET, SIGNS],
        {"margin": 0.3},
        lambda a, b, t: np.maximum(0.3 - t * (a - b), 0),
    ),
    "cosine_embedding_loss": (
        [X, TARGET, SIGNS[:, 0]],
        {"margin": -0.4},
        lambda a, b, t: np.where(
            t == 1, 1 - oracle.cosine(a, b, -1, 0), np.maximum(oracle.cosine(a, b, -1, 0) + 0.4, 0)
        ),
    ),
    "triplet_margin_loss": (
        [X, TARGET, normal(5, 7, seed=2)],
        {"margin": 0.5},
        lambda a, p, n: oracle.triplet(a, p, n, 0.5, 2, 1e-6, False),
    ),
    "triplet_margin_loss swapped": (
        [X, TARGET, normal(5, 7, seed=2)],
        {"margin": 5.0, "p": 1.0, "eps": 1e-3, "swap": True},
        lambda a, p, n: oracle.triplet(a, p, n, 5, 1, 1e-3, True),
    ),
}


@pytest.mark.parametrize("name", ELEMENTS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_losses_of_elements(device, name, reduction):
    inputs, more, each = ELEMENTS[name]
    op = getattr(ops, name.split(" ")[0])

    def call(*tensors):
        if name.startswith("binary"):
            return op(*tensors[:2], reduction, *tensors[2:])
        return op(*tensors, reduction=reduction, **more)

    compare(call, inputs, device, lambda *a: oracle.reduced(each(*a), reduction))


def test_the_divergence_of_a_batch(device):
    compare(
        lambda x, t: ops.kl_div(x, t, "batchmean"),
        [X, SHARES],
        device,
        lambda x, t: oracle.kl_div(x, t).sum() / 5,
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(5, 7), (2, 7, 3), (2, 7, 2, 3)], ids=str)
def test_class_indices(device, shape, reduction):
    x = normal(*shape) * 3
    target = rng(4).integers(0, 7, (shape[0], *shape[2:]))
    target.flat[:2] = 6
    weight = np.abs(normal(7, seed=2)) + 0.2
    index = lamina.tensor(target, device=device)
    for more in ({}, {"ignore_index": 6}):
        compare(
            lambda t, w, more=more: ops.nll_loss(t, index, reduction, w, **more),
            [x, weight],
            device,
            lambda t, w, more=more: oracle.nll(t, target, reduction, w, **more),
        )
        for smoothing in (0.0, 0.3):
            form = {"smoothing": smoothing, **more}
            compare(
                lambda t, w, s=smoothing, more=more: ops.cross_entropy(
                    t, index, reduction, w, label_smoothing=s, **more
                ),
                [x, weight],
                device,
                lambda t, w, form=form: oracle.nll(oracle.log_softmax(t, 1), target, reduction, w, **form),
            )
            compare(
                lambda t, s=smoothing, more=more: ops.cross_entropy(
                    t, index, reduction, label_smoothing=s, **more
                ),
                [x],
                device,
                lambda t, form=form: oracle.nll(oracle.log_softmax(t, 1), target, reduction, **form),
            )


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_class_probabilities(device, reduction):
    shares = np.exp(oracle.log_softmax(TARGET, 1))
    for smoothing in (0.0, 0.3):
        compare(
            lambda x, t, w, s=smoothing: ops.cross_entropy(x, t, reduction, w, label_smoothing=s),
            [X * 3, shares, POSITIVE[0]],
            device,
            lambda x, t, w, s=smoothing: oracle.soft_cross_entropy(x, t, reduction, w, s),
        )


def test_a_sample_without_a_batch(device):
    index = lamina.tensor(3, device=device)
    compare(
        lambda x: ops.cross_entropy(x, index),
        [X[0]],
        device,
        lambda x: -oracle.log_softmax(x, 0)[3],
    )


@pytest.mark.parametrize("p", [1.0, 2.0, 3.5, np.inf])
def test_distances(device, p):
    compare(
        lambda a, b: ops.pairwise_distance(a, b, p, 1e-3),
        [X, TARGET[:1]],
        device,
        lambda a, b: oracle.distance(a, b, p, 1e-3),
    )


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_cosines(device, dim):
    x = X.copy()
    x[2] = 0.0
    compare(
        lambda a, b: ops.cosine_similarity(a, b, dim, 1e-3),
        [x, TARGET[:1]],
        device,
        lambda a, b: oracle.cosine(a, b, dim, 1e-3),
    )


def test_bilinear(device):
    compare(
        ops.bilinear,
        [normal(2, 5, 3), normal(2, 5, 4, seed=1), normal(6, 3, 4, seed=2), normal(6, seed=3)],
        device,
        lambda a, b, w, bias: np.einsum("...i,oij,...j->...o", a, w, b) + bias,
    )


def test_certain_probabilities_have_finite_gradients(device):
    x = leaf(np.array([0.0, 1.0, 0.0, 1.0]), device)
    target = lamina.tensor([0.0, 1.0, 1.0, 0.0], device=device)
    (gradient,) = lamina.grad(ops.binary_cross_entropy(x, target, "sum"), [x])
    assert np.isfinite(gradient.numpy()).all()


LAYERS = [
    (nn.CrossEntropyLoss(ignore_index=3, reduction="sum", label_smoothing=0.1), [X, CLASSES]),
    (nn.NLLLoss(reduction="sum"), [X, CLASSES]),
    (nn.MSELoss("sum"), [X, TARGET]),
    (nn.L1Loss("sum"), [X, TARGET]),
    (nn.SmoothL1Loss("sum", 0.5), [X, TARGET]),
    (nn.HuberLoss("sum", 0.5), [X, TARGET]),
    (nn.BCELoss(reduction="sum"), [SHARES, CERTAIN]),
    (nn.BCEWithLogitsLoss(reduction="sum"), [X, SHARES]),
    (nn.KLDivLoss("batchmean"), [X, SHARES]),
    (nn.HingeEmbeddingLoss(0.5, "sum"), [X, SIGNS]),
    (nn.SoftMarginLoss("sum"), [X, SIGNS]),
    (nn.PoissonNLLLoss(full=True), [X, POSITIVE]),
    (nn.GaussianNLLLoss(full=True), [X, TARGET, POSITIVE]),
    (nn.MarginRankingLoss(0.5), [X, TARGET, SIGNS]),
    (nn.CosineEmbeddingLoss(0.5), [X, TARGET, SIGNS[:, 0]]),
    (nn.TripletMarginLoss(0.5, swap=True), [X, TARGET, SHARES]),
    (nn.CosineSimilarity(0), [X, TARGET]),
    (nn.PairwiseDistance(1.0, keepdim=True), [X, TARGET]),
]


@pytest.mark.parametrize(("layer", "inputs"), LAYERS, ids=lambda v: type(v).__name__)
def test_a_layer_is_its_op(layer, inputs):
    tensors = [leaf(x, "cpu").detach() for x in inputs]
    arguments = {name: value for name, value in vars(layer).items() if name != "training"}
    wanted = type(layer)._op(*tensors, **arguments)
    np.testing.assert_array_equal(layer(*tensors).numpy(), wanted.numpy())
    assert list(layer.state_dict()) == []


def test_weights_are_kept_with_the_module(device):
    weight = lamina.tensor(POSITIVE[0].astype(np.float32))
    layer = nn.CrossEntropyLoss(weight, reduction="sum").to(device)
    assert list(layer.state_dict()) == ["weight"]
    x, index = leaf(X, device), lamina.tensor(CLASSES, device=device)
    wanted = ops.cross_entropy(x, index, "sum", weight.to(device))
    assert layer(x, index).item() == wanted.item()
    assert repr(layer) == "CrossEntropyLoss(ignore_index=-100, reduction='sum', label_smoothing=0.0)"
    both = nn.BCEWithLogitsLoss(pos_weight=weight)
    assert list(both.state_dict()) == ["pos_weight"]


def test_mistakes():
    x, target = lamina.tensor(X.astype(np.float32)), lamina.tensor(TARGET.astype(np.float32))
    cases = [
        (
            lamina.ShapeError,
            "l1_loss: x has shape [5, 7], target [1, 7]; they must be equal",
            lambda: ops.l1_loss(x, target[:1]),
        ),
        (
            lamina.ArgumentError,
            "l1_loss: reduction='all' is not 'mean', 'sum' or 'none'",
            lambda: nn.L1Loss("all")(x, target),
        ),
        (
            lamina.ArgumentError,
            "kl_div: reduction='all' is not 'mean', 'batchmean', 'sum' or 'none'",
            lambda: ops.kl_div(x, target, "all"),
        ),
        (
            lamina.ArgumentError,
            "huber_loss: delta=0, wanted more than 0",
            lambda: ops.huber_loss(x, target, delta=0.0),
        ),
        (
            lamina.ArgumentError,
            "smooth_l1_loss: beta=-1, wanted 0 or more",
            lambda: ops.smooth_l1_loss(x, target, beta=-1.0),
        ),
        (
            lamina.ShapeError,
            "binary_cross_entropy: weight has shape [3], which does not broadcast to x, [5, 7]",
            lambda: ops.binary_cross_entropy(x, target, weight=ops.ones((3,))),
        ),
        (
            lamina.ShapeError,
            "cross_entropy: weight has shape [3], wanted [7], one for each class",
            lambda: ops.cross_entropy(x, lamina.tensor(CLASSES), weight=ops.ones((3,))),
        ),
        (
            lamina.DTypeError,
            "nll_loss: target is float32, wanted integers: class indices",
            lambda: ops.nll_loss(x, target),
        ),
        (
            lamina.ArgumentError,
            "pairwise_distance: p=0, wanted more than 0",
            lambda: ops.pairwise_distance(x, target, 0.0),
        ),
        (
            lamina.ShapeError,
            "cosine_embedding_loss: vectors of shape [5, 7] and [5, 7] with targets [5, 7]; "
            "wanted (*, size) twice and (*)",
            lambda: ops.cosine_embedding_loss(x, target, target),
        ),
        (
            lamina.ShapeError,
            "bilinear: a has shape [5, 7], b [5, 7], weight [2, 7, 6], bias None; wanted (*, first), "
            "(*, second), (out, first, second) and (out)",
            lambda: ops.bilinear(x, target, ops.ones((2, 7, 6))),
        ),
    ]
    for error, message, call in cases:
        raises(error, message, call)

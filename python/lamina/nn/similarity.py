"""How alike vectors are, as layers."""

from __future__ import annotations

from lamina import ops
from lamina.nn.formed import Formed


class CosineSimilarity(Formed):
    """The cosine of the angle between vectors; see `lamina.ops.cosine_similarity`.

    Args:
        dim: The axis along which they run.
        eps: The least length that is divided by.

    Example:
        >>> a, b = lamina.tensor([[1.0, 0.0]]), lamina.tensor([[0.0, 2.0]])
        >>> nn.CosineSimilarity()(a, b).tolist()
        [0.0]
    """

    _op = staticmethod(ops.cosine_similarity)

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        self.dim = dim
        self.eps = eps


class PairwiseDistance(Formed):
    """The p-norm of a - b + eps along the last axis; see `lamina.ops.pairwise_distance`.

    Args:
        p: Of the norm, above 0.
        eps: Added to each difference.
        keepdim: Keep the last axis with length 1.

    Example:
        >>> a, b = lamina.tensor([[0.0, 0.0]]), lamina.tensor([[3.0, 4.0]])
        >>> nn.PairwiseDistance(eps=0.0)(a, b).tolist()
        [5.0]
    """

    _op = staticmethod(ops.pairwise_distance)

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        self.p = p
        self.eps = eps
        self.keepdim = keepdim

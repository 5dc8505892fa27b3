"""Embedding of indices."""

from __future__ import annotations

from lamina._lamina import DType, Tensor
from lamina.nn.module import Module, Parameter
from lamina.ops import embedding, normal


class Embedding(Module):
    """A row of weight for each index.

    Args:
        num_embeddings: How many rows.
        embedding_dim: Their length.
        dtype: float32 if None.
        device: The default device if None.

    Attributes:
        weight: (num_embeddings, embedding_dim), first drawn from the normal distribution.

    Raises:
        IndexError: An index is out of range (when evaluated).

    Example:
        >>> nn.Embedding(10, 3)(lamina.tensor([[1, 2], [4, 5]])).shape
        (2, 2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        dtype: DType | None = None,
        device: str | None = None,
    ) -> None:
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.weight = Parameter(normal((num_embeddings, embedding_dim), dtype=dtype, device=device))

    def forward(self, index: Tensor) -> Tensor:
        """(*) of integers to (*, embedding_dim)."""
        return embedding(index, self.weight)

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.num_embeddings}, {self.embedding_dim}"

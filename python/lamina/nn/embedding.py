"""Embedding of indices, one by one or in bags."""

from __future__ import annotations

from typing import Literal

from lamina import ops
from lamina._lamina import ArgumentError, DType, Tensor
from lamina.nn.module import Module, Parameter


class _Table(Module):
    """Rows drawn from the normal distribution, that of `padding_idx` zeros."""

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None,
        dtype: DType | None,
        device: str | None,
    ) -> None:
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ArgumentError(
                    f"{type(self).__name__}: padding_idx={padding_idx} is none of {num_embeddings} rows"
                )
            padding_idx %= num_embeddings
        self.padding_idx = padding_idx
        weight = ops.normal((num_embeddings, embedding_dim), dtype=dtype, device=device)
        if padding_idx is not None:
            rows = ops.reshape(ops.arange(num_embeddings, device=device), (-1, 1))
            weight = ops.where(rows == padding_idx, 0.0, weight)
        self.weight = Parameter(weight)

    def extra_repr(self) -> str:
        """Sizes."""
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        return text if self.padding_idx is None else f"{text}, padding_idx={self.padding_idx}"


class Embedding(_Table):
    """A row of weight for each index; see `lamina.ops.embedding`.

    Args:
        num_embeddings: How many rows.
        embedding_dim: Their length.
        padding_idx: A row that is first 0 and gets no gradient.
        dtype: float32 if None.
        device: The default device if None.

    Attributes:
        weight: (num_embeddings, embedding_dim), first drawn from the normal distribution.

    Raises:
        IndexError: An index is out of range (when evaluated).
        ArgumentError: padding_idx is no row.

    Example:
        >>> nn.Embedding(10, 3)(lamina.tensor([[1, 2], [4, 5]])).shape
        (2, 2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        dtype: DType | None = None,
        device: str | None = None,
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx, dtype, device)

    def forward(self, index: Tensor) -> Tensor:
        """(*) of integers to (*, embedding_dim)."""
        return ops.embedding(index, self.weight, self.padding_idx)


class EmbeddingBag(_Table):
    """The sum, mean or largest of the rows of a bag of indices; see `lamina.ops.embedding_bag`.

    Args:
        num_embeddings: How many rows.
        embedding_dim: Their length.
        mode: `mean`, `sum` or `max`.
        padding_idx: An index that is in no bag; its row is first 0.
        dtype: float32 if None.
        device: The default device if None.

    Attributes:
        weight: (num_embeddings, embedding_dim), first drawn from the normal distribution.

    Raises:
        IndexError: An index is out of range (when evaluated).
        ArgumentError: padding_idx is no row.

    Example:
        >>> nn.EmbeddingBag(10, 3)(lamina.tensor([[1, 2], [4, 5]])).shape
        (2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        mode: Literal["sum", "mean", "max"] = "mean",
        padding_idx: int | None = None,
        dtype: DType | None = None,
        device: str | None = None,
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx, dtype, device)
        self.mode: Literal["sum", "mean", "max"] = mode

    def forward(self, index: Tensor, per_sample_weights: Tensor | None = None) -> Tensor:
        """(bags, size) of integers to (bags, embedding_dim)."""
        return ops.embedding_bag(index, self.weight, self.mode, per_sample_weights, self.padding_idx)

    def extra_repr(self) -> str:
        """Sizes, and what becomes of a bag."""
        return f"{super().extra_repr()}, mode={self.mode!r}"

"""What is there at all, and how often."""

from __future__ import annotations

from collections.abc import Sequence

from lamina._lamina import Tensor
from lamina.ops._record import TensorLike, many, one


def unique(
    x: TensorLike,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
    return_index: bool = False,
) -> Tensor | tuple[Tensor, ...]:
    """Distinct elements, or distinct slices along an axis.

    How many there are depends on the data, so x is evaluated at the call. NaN
    equals NaN and comes last; 0 equals -0, and the one that comes first is
    given. No gradient flows through it.

    Args:
        x: (*) of numbers or bools.
        sorted: In rising order (slices element by element); else in the order of their first places.
        return_inverse: Also gives, for each element (or slice) of x, its place in the result.
        return_counts: Also gives how often each is there.
        dim: The axis whose slices are compared; single elements if None.
        return_index: Also gives where each is first, on the axis or in x in row-major order.

    Returns:
        (distinct,), or x with `dim` of that length; and int64, where asked for and in this order,
        index (distinct,), inverse (x's shape, or the length of `dim`), counts (distinct,).

    Raises:
        UnsupportedError: x has a dtype that is only stored.

    Example:
        >>> ops.unique(lamina.tensor([2, 1, 2]), return_counts=True)[1].tolist()
        [1, 2]
    """
    values, index, inverse, counts = many("unique", [x], {"sorted": sorted, "dim": dim})
    found: Sequence[Tensor] = [values]
    if return_index:
        found = [*found, index]
    if return_inverse:
        found = [*found, one("reshape", inverse, shape=list(x.shape)) if dim is None else inverse]
    if return_counts:
        found = [*found, counts]
    return tuple(found) if len(found) > 1 else values


def tfidf(
    x: TensorLike,
    pool: Sequence[int],
    ngram_counts: Sequence[int],
    ngram_indexes: Sequence[int],
    *,
    weights: Sequence[float] = (),
    mode: str = "TF",
    min_gram_length: int = 1,
    max_gram_length: int = 1,
    max_skip_count: int = 0,
) -> Tensor:
    """How often each n-gram of a pool stands in rows of integers (ONNX's TfIdfVectorizer).

    Runs on the CPU, from a GPU visibly so.

    Args:
        x: (length,) or (rows, length) of integers.
        pool: All 1-grams one after the other, then all 2-grams, and so on.
        ngram_counts: Where in the pool the 1-grams, 2-grams, ... begin.
        ngram_indexes: The column of each n-gram.
        weights: One for each n-gram, in the pool's order; ones if empty.
        mode: "TF": counts. "IDF": the weight of what is there. "TFIDF": counts times weights.
        min_gram_length: Shorter n-grams are left out.
        max_gram_length: Longer ones are.
        max_skip_count: Up to so many integers are passed over between two of an n-gram.

    Returns:
        float32 (columns,) or (rows, columns), as many columns as `ngram_indexes` reaches.

    Raises:
        ArgumentError: The pool does not fall into whole n-grams, or their numbers do not match.
        ShapeError: x has more than two axes.

    Example:
        >>> ops.tfidf(lamina.tensor([2, 3, 2]), [2, 3, 2, 3], [0, 2], [0, 1, 2], max_gram_length=2).tolist()
        [2.0, 1.0, 1.0]
    """
    return one(
        "tfidf",
        x,
        pool=list(pool),
        ngram_counts=list(ngram_counts),
        ngram_indexes=list(ngram_indexes),
        weights=list(weights),
        mode=mode,
        min_gram_length=min_gram_length,
        max_gram_length=max_gram_length,
        max_skip_count=max_skip_count,
    )

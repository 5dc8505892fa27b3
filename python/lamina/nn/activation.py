"""Activations as layers; each is the op of `lamina.ops` that its documentation names."""

from __future__ import annotations

from typing import Literal

from lamina import ops
from lamina._lamina import DType, ShapeError, Tensor
from lamina.nn.formed import Formed
from lamina.nn.module import Module, Parameter


class ReLU(Formed):
    """max(x, 0); see `lamina.ops.relu`.

    Example:
        >>> nn.ReLU()(lamina.tensor([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """

    _op = staticmethod(ops.relu)


class ReLU6(Formed):
    """min(max(x, 0), 6); see `lamina.ops.relu6`.

    Example:
        >>> nn.ReLU6()(lamina.tensor([-1.0, 2.0, 8.0])).tolist()
        [0.0, 2.0, 6.0]
    """

    _op = staticmethod(ops.relu6)


class LeakyReLU(Formed):
    """x where x > 0, else negative_slope * x; see `lamina.ops.leaky_relu`.

    Args:
        negative_slope: Slope below 0.

    Example:
        >>> nn.LeakyReLU(0.5)(lamina.tensor([-1.0, 2.0])).tolist()
        [-0.5, 2.0]
    """

    _op = staticmethod(ops.leaky_relu)

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope


class PReLU(Module):
    """x where x >= 0, else weight * x, the weight being learned; see `lamina.ops.prelu`.

    Args:
        num_parameters: 1, or one for each channel (axis 1).
        init: First value of the weight.
        dtype: float32 if None.
        device: The default device if None.

    Attributes:
        weight: (num_parameters,).

    Raises:
        ShapeError: x has another number of channels.

    Example:
        >>> nn.PReLU()(lamina.tensor([-2.0, 3.0])).tolist()
        [-0.5, 3.0]
    """

    def __init__(
        self,
        num_parameters: int = 1,
        init: float = 0.25,
        dtype: DType | None = None,
        device: str | None = None,
    ) -> None:
        self.num_parameters = num_parameters
        self.weight = Parameter(ops.full((num_parameters,), init, dtype, device))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, *), or any shape where there is one parameter; the same out."""
        if self.num_parameters == 1:
            return ops.prelu(x, self.weight)
        if x.ndim < 2 or x.shape[1] != self.num_parameters:
            raise ShapeError(
                f"PReLU: x has shape {x.shape}, wanted (batch, {self.num_parameters}, ...): "
                "a channel for each parameter"
            )
        return ops.prelu(x, ops.reshape(self.weight, (-1, *[1] * (x.ndim - 2))))

    def extra_repr(self) -> str:
        """How many."""
        return f"num_parameters={self.num_parameters}"


class ELU(Formed):
    """x where x > 0, else alpha * (e^x - 1); see `lamina.ops.elu`.

    Args:
        alpha: What it tends to, negated, as x falls.

    Example:
        >>> nn.ELU()(lamina.tensor([0.0, 2.0])).tolist()
        [0.0, 2.0]
    """

    _op = staticmethod(ops.elu)

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha


class CELU(Formed):
    """x where x > 0, else alpha * (e^(x / alpha) - 1); see `lamina.ops.celu`.

    Args:
        alpha: What it tends to, negated, as x falls; not 0.

    Example:
        >>> nn.CELU(0.5)(lamina.tensor([0.0, 2.0])).tolist()
        [0.0, 2.0]
    """

    _op = staticmethod(ops.celu)

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha


class SELU(Formed):
    """The ELU that keeps mean 0 and variance 1; see `lamina.ops.selu`.

    Example:
        >>> nn.SELU()(lamina.tensor([0.0])).tolist()
        [0.0]
    """

    _op = staticmethod(ops.selu)


class GELU(Formed):
    """x / 2 * (1 + erf(x / sqrt(2))), or its approximation by tanh; see `lamina.ops.gelu`.

    Args:
        approximate: `none` or `tanh`.

    Example:
        >>> nn.GELU()(lamina.tensor([0.0, 10.0])).tolist()
        [0.0, 10.0]
    """

    _op = staticmethod(ops.gelu)

    def __init__(self, approximate: Literal["none", "tanh"] = "none") -> None:
        self.approximate = approximate


class SiLU(Formed):
    """X * sigmoid(x); see `lamina.ops.silu`.

    Example:
        >>> nn.SiLU()(lamina.tensor([0.0])).tolist()
        [0.0]
    """

    _op = staticmethod(ops.silu)


class Mish(Formed):
    """X * tanh(ln(1 + e^x)); see `lamina.ops.mish`.

    Example:
        >>> nn.Mish()(lamina.tensor([0.0])).tolist()
        [0.0]
    """

    _op = staticmethod(ops.mish)


class Hardswish(Formed):
    """X * clip(x / 6 + 1 / 2, 0, 1); see `lamina.ops.hardswish`.

    Example:
        >>> nn.Hardswish()(lamina.tensor([0.0, 4.0])).tolist()
        [0.0, 4.0]
    """

    _op = staticmethod(ops.hardswish)


class Sigmoid(Formed):
    """1 / (1 + e^-x); see `lamina.ops.sigmoid`.

    Example:
        >>> nn.Sigmoid()(lamina.tensor([0.0])).tolist()
        [0.5]
    """

    _op = staticmethod(ops.sigmoid)


class LogSigmoid(Formed):
    """ln sigmoid(x); see `lamina.ops.logsigmoid`.

    Example:
        >>> nn.LogSigmoid()(lamina.tensor([-200.0])).tolist()
        [-200.0]
    """

    _op = staticmethod(ops.logsigmoid)


class Hardsigmoid(Formed):
    """clip(x / 6 + 1 / 2, 0, 1); see `lamina.ops.hardsigmoid`.

    Example:
        >>> nn.Hardsigmoid()(lamina.tensor([-4.0, 0.0, 4.0])).tolist()
        [0.0, 0.5, 1.0]
    """

    _op = staticmethod(ops.hardsigmoid)


class Tanh(Formed):
    """The hyperbolic tangent; see `lamina.ops.tanh`.

    Example:
        >>> nn.Tanh()(lamina.tensor([0.0])).tolist()
        [0.0]
    """

    _op = staticmethod(ops.tanh)


class Tanhshrink(Formed):
    """X - tanh(x); see `lamina.ops.tanhshrink`.

    Example:
        >>> nn.Tanhshrink()(lamina.tensor([0.0, 100.0])).tolist()
        [0.0, 99.0]
    """

    _op = staticmethod(ops.tanhshrink)


class Hardtanh(Formed):
    """x cut at min_val and max_val; see `lamina.ops.hardtanh`.

    Args:
        min_val: Lower bound.
        max_val: Upper bound.

    Example:
        >>> nn.Hardtanh()(lamina.tensor([-4.0, 0.5])).tolist()
        [-1.0, 0.5]
    """

    _op = staticmethod(ops.hardtanh)

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        self.min_val = min_val
        self.max_val = max_val


class Softplus(Formed):
    """ln(1 + e^(beta x)) / beta; see `lamina.ops.softplus`.

    Args:
        beta: How sharp the bend is; not 0.

    Example:
        >>> nn.Softplus()(lamina.tensor([100.0])).tolist()
        [100.0]
    """

    _op = staticmethod(ops.softplus)

    def __init__(self, beta: float = 1.0) -> None:
        self.beta = beta


class Softsign(Formed):
    """X / (1 + |x|); see `lamina.ops.softsign`.

    Example:
        >>> nn.Softsign()(lamina.tensor([-1.0, 3.0])).tolist()
        [-0.5, 0.75]
    """

    _op = staticmethod(ops.softsign)


class Hardshrink(Formed):
    """x where |x| > lambd, else 0; see `lamina.ops.hardshrink`.

    Args:
        lambd: What is taken for nothing.

    Example:
        >>> nn.Hardshrink()(lamina.tensor([-0.5, 2.0])).tolist()
        [0.0, 2.0]
    """

    _op = staticmethod(ops.hardshrink)

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = lambd


class Softshrink(Formed):
    """x moved towards 0 by lambd, at most to 0; see `lamina.ops.softshrink`.

    Args:
        lambd: How far, 0 or more.

    Example:
        >>> nn.Softshrink()(lamina.tensor([-0.25, 2.0])).tolist()
        [0.0, 1.5]
    """

    _op = staticmethod(ops.softshrink)

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = lambd


class Threshold(Formed):
    """x where x > threshold, else value; see `lamina.ops.threshold`.

    Args:
        threshold: What x is held against.
        value: What stands in its place.

    Example:
        >>> nn.Threshold(1.0, -1.0)(lamina.tensor([0.5, 2.0])).tolist()
        [-1.0, 2.0]
    """

    _op = staticmethod(ops.threshold)

    def __init__(self, threshold: float, value: float) -> None:
        self.threshold = threshold
        self.value = value


class GLU(Formed):
    """The first half of an axis times sigmoid of the second; see `lamina.ops.glu`.

    Args:
        dim: The axis, of even length.

    Example:
        >>> nn.GLU()(lamina.tensor([2.0, 4.0, 0.0, 100.0])).tolist()
        [1.0, 4.0]
    """

    _op = staticmethod(ops.glu)

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim


class Softmax(Formed):
    """e^x / sum e^x along an axis; see `lamina.ops.softmax`.

    Args:
        dim: The axis.

    Example:
        >>> nn.Softmax()(lamina.tensor([1.0, 1.0])).tolist()
        [0.5, 0.5]
    """

    _op = staticmethod(ops.softmax)

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim


class Softmin(Formed):
    """e^-x / sum e^-x along an axis; see `lamina.ops.softmin`.

    Args:
        dim: The axis.

    Example:
        >>> nn.Softmin()(lamina.tensor([1.0, 1.0])).tolist()
        [0.5, 0.5]
    """

    _op = staticmethod(ops.softmin)

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim


class LogSoftmax(Formed):
    """ln softmax(x) along an axis; see `lamina.ops.log_softmax`.

    Args:
        dim: The axis.

    Example:
        >>> nn.LogSoftmax()(lamina.tensor([0.0, -200.0])).tolist()
        [0.0, -200.0]
    """

    _op = staticmethod(ops.log_softmax)

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

"""Adam and AdamW."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from lamina._lamina import ArgumentError, Tensor
from lamina.nn.module import Parameter
from lamina.ops._record import many
from lamina.optim.optimizer import Group, Optimizer


class Adam(Optimizer):
    """p -= lr * m' / (sqrt(v') + eps) (Kingma and Ba 2015).

    m and v are running means of g and g^2 with weights 1 - beta; m' = m / (1 - beta1^t)
    and v' = v / (1 - beta2^t).  Epsilon stands where PyTorch has it, after the
    square root.  Weight decay adds weight_decay * p to g.

    Args:
        params: Parameters or groups.
        lr: Learning rate.
        betas: beta1 and beta2.
        eps: Added to the denominator.
        weight_decay: Coupled L2 penalty.

    Raises:
        ArgumentError: A hyper-parameter is out of range.

    Example:
        >>> w = nn.Parameter([1.0])
        >>> opt = optim.Adam([w], lr=0.5)
        >>> (w.tensor * 3.0).sum().backward()
        >>> opt.step()
        >>> round(w.tensor.item(), 4)
        0.5
    """

    decoupled = False

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[Mapping[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        name = type(self).__name__
        if lr < 0.0 or eps < 0.0 or weight_decay < 0.0:
            raise ArgumentError(
                f"{name}: lr={lr}, eps={eps} and weight_decay={weight_decay} must not be negative"
            )
        if not all(0.0 <= beta < 1.0 for beta in betas):
            raise ArgumentError(f"{name}: betas={betas} must lie in [0, 1)")
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def update(self, param: Parameter, gradient: Tensor, group: Group, state: dict[str, Any]) -> None:
        """One parameter's step."""
        step, (beta1, beta2) = state["step"], group["betas"]
        mean = self.slot(state, "exp_avg", param)
        spread = self.slot(state, "exp_avg_sq", param)
        # m' / (sqrt(v') + eps) with the corrections taken out, since they are numbers:
        # sqrt(v') = sqrt(v) / root, so that root goes to the rate and to eps.
        root = math.sqrt(1.0 - beta2**step)
        rate = group["lr"] * root / (1.0 - beta1**step)
        numbers = [beta1, 1.0 - beta1, beta2, 1.0 - beta2, rate, group["eps"] * root]
        decay = "none"
        if group["weight_decay"] != 0.0:
            decay = "decoupled" if self.decoupled else "coupled"
            numbers.append(
                1.0 - group["lr"] * group["weight_decay"] if self.decoupled else group["weight_decay"]
            )
        new = many("adam_step", (param, gradient, mean, spread, *numbers), {"weight_decay": decay})
        for cell, value in zip((param, mean, spread), new, strict=True):
            cell.update(value)


class AdamW(Adam):
    """Adam with decoupled weight decay: p *= 1 - lr * weight_decay first (Loshchilov and Hutter 2019).

    Args:
        params: Parameters or groups.
        lr: Learning rate.
        betas: beta1 and beta2.
        eps: Added to the denominator.
        weight_decay: Share of p taken off, times lr.

    Example:
        >>> w = nn.Parameter([1.0])
        >>> opt = optim.AdamW([w], lr=0.5, weight_decay=0.0)
        >>> (w.tensor * 3.0).sum().backward()
        >>> opt.step()
        >>> round(w.tensor.item(), 4)
        0.5
    """

    decoupled = True

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[Mapping[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)

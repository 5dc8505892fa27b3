"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lamina._lamina import ArgumentError, Tensor
from lamina.nn.module import Parameter
from lamina.ops._record import many, one
from lamina.optim.optimizer import Group, Optimizer


class SGD(Optimizer):
    """p -= lr * v, with v = momentum * v + (1 - dampening) * g in PyTorch's form.

    With Nesterov, p -= lr * (g + momentum * v) (Sutskever et al. 2013).  Weight
    decay adds weight_decay * p to g.

    Args:
        params: Parameters or groups.
        lr: Learning rate.
        momentum: 0 for none.
        dampening: Taken off the gradient's weight, from the second step on.
        weight_decay: Coupled L2 penalty.
        nesterov: Look ahead; wants momentum and no dampening.

    Raises:
        ArgumentError: A hyper-parameter is out of range.

    Example:
        >>> w = nn.Parameter([1.0])
        >>> opt = optim.SGD([w], lr=0.5)
        >>> (w.tensor * 3.0).sum().backward()
        >>> opt.step()
        >>> w.tensor.tolist()
        [-0.5]
    """

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[Mapping[str, Any]],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        for name, value in (("lr", lr), ("momentum", momentum), ("weight_decay", weight_decay)):
            if value < 0.0:
                raise ArgumentError(f"SGD: {name}={value} is negative")
        if nesterov and (momentum <= 0.0 or dampening != 0.0):
            raise ArgumentError("SGD: nesterov wants a momentum above 0 and a dampening of 0")
        super().__init__(
            params,
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
        )

    def update(self, param: Parameter, gradient: Tensor, group: Group, state: dict[str, Any]) -> None:
        """One parameter's step."""
        decay = [group["weight_decay"]] if group["weight_decay"] != 0.0 else []
        form = {"weight_decay": bool(decay)}
        if group["momentum"] == 0.0:
            param.update(one("sgd_step", param, gradient, group["lr"], *decay, **form))
            return
        velocity = self.slot(state, "momentum_buffer", param)
        # PyTorch's first step takes the gradient whole.
        weight = 1.0 if state["step"] == 1 else 1.0 - group["dampening"]
        new, moved = many(
            "sgd_step",
            (param, gradient, group["lr"], velocity, group["momentum"], weight, *decay),
            {"momentum": True, "nesterov": group["nesterov"], **form},
        )
        param.update(new)
        velocity.update(moved)

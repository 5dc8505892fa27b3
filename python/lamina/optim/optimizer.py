"""What all optimizers share: groups, state, and the one evaluation of a step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lamina import _lamina
from lamina._lamina import ArgumentError, Cell, Tensor
from lamina._modes import no_grad
from lamina.nn.module import Parameter
from lamina.ops import zeros

Group = dict[str, Any]


class Optimizer:
    """The base of optimizers: write `update`, which records one parameter's step.

    Hyper-parameters are numbers in `param_groups`; they reach the plan as inputs,
    so changing the learning rate compiles nothing anew.

    Args:
        params: Parameters, or groups: dicts with "params" and hyper-parameters of their own.
        **defaults: Hyper-parameters of groups that do not say otherwise.

    Raises:
        ArgumentError: No parameters, one twice, or an unknown hyper-parameter.
    """

    def __init__(self, params: Iterable[Parameter] | Iterable[Mapping[str, Any]], **defaults: Any) -> None:
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self.state: dict[Parameter, dict[str, Any]] = {}
        given: list[Any] = list(params)
        if not given:
            raise ArgumentError(f"{type(self).__name__}: no parameters given")
        for group in given if isinstance(given[0], Mapping) else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Parameters with hyper-parameters of their own."""
        name = type(self).__name__
        params = group["params"]
        params = [params] if isinstance(params, Parameter) else list(params)
        for key in group:
            if key != "params" and key not in self.defaults:
                raise ArgumentError(
                    f"{name}: unknown hyper-parameter '{key}'; it has: {', '.join(self.defaults)}"
                )
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for param in params:
            if not isinstance(param, Parameter):
                raise ArgumentError(f"{name}: got a {type(param).__name__} where a Parameter is wanted")
            if id(param) in known:
                raise ArgumentError(f"{name}: a parameter of shape {param.shape} is given twice")
            known.add(id(param))
        self.param_groups.append({**self.defaults, **group, "params": params})

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for group in self.param_groups:
            for param in group["params"]:
                param.grad = None

    def step(self) -> None:
        """Update every parameter that has a gradient, as one plan.

        A step that fails, or is stopped by Ctrl-C, leaves parameters and state as they were.
        """
        touched: list[Cell] = []
        counted: list[dict[str, Any]] = []
        with no_grad():
            for group in self.param_groups:
                for param in group["params"]:
                    if param.grad is None:
                        continue
                    state = self.state.setdefault(param, {"step": 0})
                    state["step"] += 1
                    counted.append(state)
                    self.update(param, param.grad, group, state)
                    touched.append(param)
                    touched += [value for value in state.values() if isinstance(value, Cell)]
        try:
            _lamina.eval(*touched)
        except BaseException:
            # The cells hold what they held before; so does the count.
            for state in counted:
                state["step"] -= 1
            raise

    def update(self, param: Parameter, gradient: Tensor, group: Group, state: dict[str, Any]) -> None:
        """Record one parameter's step with `Cell.update`; every subclass has its own.

        Args:
            param: The parameter.
            gradient: Its gradient.
            group: Its hyper-parameters.
            state: Its own state; `step` counts from 1.
        """
        raise ArgumentError(f"{type(self).__name__} defines no update(self, ...): write one")

    @staticmethod
    def slot(state: dict[str, Any], name: str, like: Parameter) -> Cell:
        """A cell of state, zeros of the parameter's shape when first asked for."""
        if name not in state:
            state[name] = Cell(zeros(like.shape, like.dtype, like.device), False)
        cell = state[name]
        assert isinstance(cell, Cell)
        return cell

    # -- saving and loading ----------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """A snapshot: state by the parameter's number, and hyper-parameters by group."""
        numbers = {id(p): n for n, p in enumerate(self._params())}
        state = {
            numbers[id(param)]: {
                key: value.tensor.detach() if isinstance(value, Cell) else value for key, value in own.items()
            }
            for param, own in self.state.items()
        }
        groups = [
            {
                **{k: v for k, v in group.items() if k != "params"},
                "params": [numbers[id(p)] for p in group["params"]],
            }
            for group in self.param_groups
        ]
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Take over a snapshot of an optimizer of the same parameters.

        Raises:
            ArgumentError: The groups have other numbers of parameters.
        """
        groups: Sequence[Mapping[str, Any]] = saved["param_groups"]
        got = [len(group["params"]) for group in groups]
        wanted = [len(group["params"]) for group in self.param_groups]
        if got != wanted:
            raise ArgumentError(
                f"{type(self).__name__}.load_state_dict: groups of {got} parameters, wanted {wanted}"
            )
        for group, new in zip(self.param_groups, groups, strict=True):
            group.update({key: value for key, value in new.items() if key != "params"})
        params = self._params()
        self.state = {}
        for number, own in saved["state"].items():
            param = params[int(number)]
            self.state[param] = {
                key: Cell(value.to(param.device), False) if isinstance(value, Tensor) else value
                for key, value in own.items()
            }

    def _params(self) -> list[Parameter]:
        return [param for group in self.param_groups for param in group["params"]]

"""Module: state by name, and the two kinds of state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from lamina import _lamina
from lamina._lamina import ArgumentError, Cell, ShapeError, Tensor

M = TypeVar("M", bound="Module")
C = TypeVar("C", bound=Cell)


def _as_tensor(value: npt.ArrayLike | Tensor) -> Tensor:
    return value if isinstance(value, Tensor) else _lamina.tensor(value)


class Parameter(Cell):
    """A mutable cell of fixed shape and dtype that training changes.

    Args:
        value: Its first value.
        requires_grad: False freezes it.
    """

    def __new__(cls, value: npt.ArrayLike | Tensor, requires_grad: bool = True) -> Parameter:
        """A cell of this class."""
        cell = super().__new__(cls, _as_tensor(value), requires_grad)
        assert isinstance(cell, Parameter)
        return cell

    def __repr__(self) -> str:
        return f"Parameter({self.tensor!r})"


class Buffer(Cell):
    """A mutable cell that is saved with a module but not trained: running statistics.

    Args:
        value: Its first value.
    """

    def __new__(cls, value: npt.ArrayLike | Tensor) -> Buffer:
        """A cell of this class."""
        cell = super().__new__(cls, _as_tensor(value), False)
        assert isinstance(cell, Buffer)
        return cell

    def __repr__(self) -> str:
        return f"Buffer({self.tensor!r})"


class Module:
    """The base of layers: write `forward`, set parameters and submodules as attributes.

    Example:
        >>> class Scale(nn.Module):
        ...     def __init__(self):
        ...         self.weight = nn.Parameter([2.0])
        ...     def forward(self, x):
        ...         return self.weight.tensor * x
        >>> Scale()(lamina.tensor([3.0])).tolist()
        [6.0]
    """

    training: bool = True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; every subclass has its own."""
        raise ArgumentError(f"{type(self).__name__} defines no forward(self, ...): write one")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Same as `forward`."""
        return self.forward(*args, **kwargs)

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(self.__dict__.get(name), Cell) and not isinstance(value, Cell | None):
            raise ArgumentError(
                f"{type(self).__name__}.{name} is a parameter or buffer and stays one: "
                f"replace its value with .{name}.assign(tensor)"
            )
        super().__setattr__(name, value)

    # -- state by name ---------------------------------------------------------

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Modules directly below, in the order they were set."""
        for name, value in self.__dict__.items():
            if isinstance(value, Module):
                yield name, value

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and all below, names joined by dots."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator[Module]:
        """This module and all below."""
        return (module for _, module in self.named_modules())

    def _named_cells(self, kind: type[C]) -> Iterator[tuple[str, C]]:
        for prefix, module in self.named_modules():
            for name, value in module.__dict__.items():
                if isinstance(value, kind):
                    yield (f"{prefix}.{name}" if prefix else name), value

    def _distinct(self, kind: type[C]) -> Iterator[tuple[str, C]]:
        seen: set[int] = set()
        for name, cell in self._named_cells(kind):
            if id(cell) not in seen:
                seen.add(id(cell))
                yield name, cell

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Parameters with their names; one that is shared comes once."""
        return self._distinct(Parameter)

    def parameters(self) -> Iterator[Parameter]:
        """Parameters, each once."""
        return (cell for _, cell in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """Buffers with their names."""
        return self._distinct(Buffer)

    def buffers(self) -> Iterator[Buffer]:
        """Buffers, each once."""
        return (cell for _, cell in self.named_buffers())

    # -- saving and loading ----------------------------------------------------

    def state_dict(self) -> dict[str, Tensor]:
        """A snapshot of all parameters and buffers by name; later training does not change it."""
        return {name: cell.tensor.detach() for name, cell in self._named_cells(Cell)}

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike | Tensor], strict: bool = True) -> None:
        """Replace parameters and buffers by name; all or none.

        Args:
            state: What `state_dict` gave, or arrays under the same names.
            strict: Raise where names are missing or left over.

        Raises:
            ArgumentError: Names are missing or left over.
            ShapeError: A shape differs.
        """
        cells = dict(self._named_cells(Cell))
        missing = [name for name in cells if name not in state]
        unexpected = [name for name in state if name not in cells]
        if strict and (missing or unexpected):
            raise ArgumentError(
                f"load_state_dict: missing {missing or 'nothing'}, unexpected {unexpected or 'nothing'}; "
                "strict=False loads the rest"
            )
        values: list[tuple[Cell, Tensor]] = []
        for name, cell in cells.items():
            if name not in state:
                continue
            value = state[name]
            array = value if isinstance(value, Tensor) else np.asarray(value)
            if tuple(array.shape) != cell.shape:
                raise ShapeError(
                    f"load_state_dict: '{name}' has shape {tuple(array.shape)}, the module's is {cell.shape}"
                )
            tensor = array if isinstance(array, Tensor) else _lamina.tensor(array)
            values.append((cell, tensor.to(cell.dtype).to(cell.device)))
        for cell, tensor in values:
            cell.assign(tensor)

    # -- modes and places ------------------------------------------------------

    def train(self: M, mode: bool = True) -> M:
        """Training mode (dropout drops, batch norm uses the batch) or, with False, evaluation."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: M) -> M:
        """Evaluation mode."""
        return self.train(False)

    def to(self: M, device: str) -> M:
        """Move all parameters and buffers to a device."""
        for _, cell in self._distinct(Cell):
            cell.assign(cell.tensor.detach().to(device))
        return self

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters():
            parameter.grad = None

    # -- printing --------------------------------------------------------------

    def extra_repr(self) -> str:
        """What stands between the brackets when printed."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.named_children()]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        body = "\n  ".join(lines)
        return f"{type(self).__name__}({self.extra_repr()}\n  {body}\n)"

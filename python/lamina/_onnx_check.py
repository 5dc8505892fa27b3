"""What `lamina.onnx.check` finds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum

from lamina._lamina import ValueInfo


class Verdict(Enum):
    """What becomes of a node."""

    RUNS = "runs"
    FALLS_BACK = "falls back"
    """It has no kernel on the device: it runs on the CPU."""
    CONSTANT = "constant"
    """Computed when the model is loaded."""
    AT_RUN = "at run"
    """Supported; what it makes is known only at a run."""
    MISSING = "missing"
    """The operator, or this use of it, is not supported."""
    WRONG = "wrong"
    """The file contradicts itself."""


@dataclass(frozen=True)
class Node:
    """One node of a model, those of functions, branches and bodies included."""

    name: str
    """As in the file; its first output where it has none."""
    operator: str
    """With its domain unless that is ONNX's own: `Conv`, `com.microsoft.FusedConv`."""
    opset: int
    """The operator set that says what it means."""
    verdict: Verdict
    why: str
    """Empty where there is nothing to explain."""


@dataclass(frozen=True)
class OperatorCount:
    """All nodes of one operator to which the same happens."""

    operator: str
    opset: int
    verdict: Verdict
    why: str
    nodes: int
    first: str
    """The name of the first of them."""


@dataclass(frozen=True)
class Report:
    """What a model would do on a device; true if it would run."""

    device: str
    opsets: dict[str, int]
    """The version of each operator set that the file imports; "" is ONNX's own."""
    inputs: tuple[ValueInfo, ...]
    outputs: tuple[ValueInfo, ...]
    missing: tuple[tuple[str, str], ...]
    """What is missing beside operators, and why: element types, operator sets."""
    nodes: tuple[Node, ...]
    data_dependent: bool
    """Shapes inside depend on data: it is planned part by part as it runs."""

    def __bool__(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing and not self.problems

    @property
    def problems(self) -> list[Node]:
        """The nodes because of which the model does not load."""
        return [n for n in self.nodes if n.verdict in (Verdict.MISSING, Verdict.WRONG)]

    @property
    def fallbacks(self) -> list[Node]:
        """The nodes that run on the CPU for want of a kernel on the device."""
        return [n for n in self.nodes if n.verdict is Verdict.FALLS_BACK]

    def runs_on(self, node: Node) -> str:
        """The device a node runs on, empty if none."""
        if node.verdict in (Verdict.RUNS, Verdict.AT_RUN):
            return self.device
        return "cpu" if node.verdict is Verdict.FALLS_BACK else ""

    def counts(self) -> list[OperatorCount]:
        """How many nodes of each operator there are, those that are missing first."""
        same: dict[tuple[str, int, Verdict, str], Node] = {}
        for node in self.nodes:
            same.setdefault(_kind(node), node)
        often = Counter(map(_kind, self.nodes))
        order = (
            Verdict.MISSING,
            Verdict.WRONG,
            Verdict.FALLS_BACK,
            Verdict.AT_RUN,
            Verdict.RUNS,
            Verdict.CONSTANT,
        )
        found = [OperatorCount(*kind, often[kind], first.name) for kind, first in same.items()]
        return sorted(found, key=lambda c: (order.index(c.verdict), -c.nodes, c.operator))


def _kind(node: Node) -> tuple[str, int, Verdict, str]:
    # What is decided by one node of many is no reason to tell the others apart.
    why = "" if node.verdict is Verdict.AT_RUN else node.why
    return node.operator, node.opset, node.verdict, why

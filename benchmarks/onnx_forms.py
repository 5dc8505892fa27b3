"""Rewrites what `lamina.onnx.save` spells out into the operators that other exporters write.

A batch norm comes out of it as arithmetic, which ONNX Runtime does not fold into
the convolution before it: on files as they are, it would be measured at a handicap.
"""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import helper, numpy_helper


class _Graph:
    """A graph with its links."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.made = {output: node for node in graph.node for output in node.output}
        self.users: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self.users.setdefault(name, []).append(node)

    def only_user(self, node: onnx.NodeProto, op: str) -> onnx.NodeProto | None:
        users = self.users.get(node.output[0], [])
        return users[0] if len(users) == 1 and users[0].op_type == op else None

    def source(self, name: str) -> str:
        """The constant of which this is a reshape."""
        node = self.made.get(name)
        return node.input[0] if node is not None and node.op_type == "Reshape" else ""

    def scalar(self, name: str) -> float:
        return float(numpy_helper.to_array(self.constants[name]).reshape(()))


def _batch_norm(graph: _Graph, sub: onnx.NodeProto) -> onnx.NodeProto | None:
    """(x - mean) * (weight / sqrt(var + eps)) + bias, from its first node to one node."""
    mean = graph.source(sub.input[1]) if sub.op_type == "Sub" else ""
    if mean not in graph.constants:
        return None
    mul = graph.only_user(sub, "Mul")
    add = graph.only_user(mul, "Add") if mul is not None else None
    if mul is None or add is None:
        return None
    div = graph.made.get(graph.source(mul.input[1]))
    sqrt = graph.made.get(div.input[1]) if div is not None and div.op_type == "Div" else None
    var = graph.made.get(sqrt.input[0]) if sqrt is not None and sqrt.op_type == "Sqrt" else None
    if div is None or var is None or var.op_type != "Add":
        return None
    inputs = [sub.input[0], div.input[0], graph.source(add.input[1]), mean, var.input[0]]
    return helper.make_node(
        "BatchNormalization", inputs, add.output, name=add.name, epsilon=graph.scalar(var.input[1])
    )


def _global_mean(graph: _Graph, mean: onnx.NodeProto) -> onnx.NodeProto | None:
    if mean.op_type != "ReduceMean":
        return None
    attributes = {a.name: helper.get_attribute_value(a) for a in mean.attribute}
    if list(attributes.get("axes", [])) != [2, 3] or not attributes.get("keepdims", 1):
        return None
    return helper.make_node("GlobalAveragePool", mean.input, mean.output, name=mean.name)


def _conv_bias(graph: _Graph, conv: onnx.NodeProto) -> onnx.NodeProto | None:
    add = graph.only_user(conv, "Add") if conv.op_type == "Conv" and len(conv.input) == 2 else None
    bias = graph.source(add.input[1]) if add is not None else ""
    if add is None or bias not in graph.constants:
        return None
    node = onnx.NodeProto()
    node.CopyFrom(conv)
    node.input.append(bias)
    node.output[:] = add.output
    return node


def _prune(graph: onnx.GraphProto) -> None:
    """Drops nodes and constants that reach no output."""
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    constants = [tensor for tensor in graph.initializer if tensor.name in needed]
    for field, values in ((graph.node, kept[::-1]), (graph.initializer, constants)):
        del field[:]
        field.extend(values)


def rewrite(path: Path) -> None:
    """The file, in place."""
    model = onnx.load(path)
    links = _Graph(model.graph)
    replaced = {}
    for node in model.graph.node:
        for form in (_batch_norm, _global_mean, _conv_bias):
            new = form(links, node)
            if new is not None:
                replaced[new.output[0]] = new
    nodes = [replaced.get(node.output[0], node) for node in model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    _prune(model.graph)
    onnx.checker.check_model(model)
    onnx.save(model, path)

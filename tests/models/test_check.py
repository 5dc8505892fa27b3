"""What is told of a model before it runs: `lamina.onnx.check` and `lamina onnx check`."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
from conformance import FELL_BACK, PASSED, UNSUPPORTED, cases, judge, out_of_scope
from onnx import TensorProto, helper, numpy_helper

import lamina
from helpers import raises
from lamina.onnx import Verdict


def info(name, dims, dtype=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, dtype, dims)


def made(nodes, inputs, outputs, constants=(), between=(), opsets=None):
    graph = helper.make_graph(
        nodes,
        "g",
        inputs,
        outputs,
        [numpy_helper.from_array(a, n) for n, a in dict(constants).items()],
        value_info=list(between),
    )
    opsets = opsets or [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def with_holes(between=()):
    """Two nodes of nobody's, and some behind them."""
    return made(
        [
            helper.make_node("Relu", ["x"], ["a"], name="first"),
            helper.make_node("Magic", ["a"], ["b"], domain="mine"),
            helper.make_node("Magic", ["b"], ["c"], domain="mine"),
            helper.make_node("Exp", ["c"], ["y"]),
        ],
        [info("x", ["N", 3])],
        [info("y", ["N", 3])],
        between=between,
        opsets=[helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)],
    )


def verdicts(report):
    return [(n.operator, n.verdict) for n in report.nodes]


def test_what_is_missing_is_counted():
    report = lamina.onnx.check(with_holes(), device="cpu")
    assert not report
    assert verdicts(report) == [
        ("Relu", Verdict.RUNS),
        ("mine.Magic", Verdict.MISSING),
        ("mine.Magic", Verdict.MISSING),
        ("Exp", Verdict.AT_RUN),
    ]
    first = report.counts()[0]
    assert (first.operator, first.opset, first.nodes, first.first) == ("mine.Magic", 1, 2, "b")
    assert first.why == (
        "operators of domain 'mine' are not known here and the model brings no function of that name"
    )
    assert report.nodes[0].name == "first"
    assert report.opsets == {"": 17, "mine": 1}


def test_a_node_behind_what_is_missing_is_looked_at_where_the_file_tells(device):
    report = lamina.onnx.check(with_holes([info("c", ["N", 3])]), device=device)
    assert report.nodes[-1].verdict is Verdict.RUNS
    assert report.runs_on(report.nodes[-1]) == device


def test_dtypes_and_operator_sets_that_are_missing():
    data = made(
        [helper.make_node("Identity", ["s"], ["y"]), helper.make_node("Relu", ["x"], ["z"])],
        [info("s", [1], TensorProto.STRING), info("x", [2])],
        [info("y", [1], TensorProto.STRING), info("z", [2])],
        opsets=[helper.make_opsetid("", 99)],
    )
    report = lamina.onnx.check(data, device="cpu")
    assert not report
    assert dict(report.missing) == {
        "input 's'": "element type string",
        "output 'y'": "element type string",
        "operator set ai.onnx": "version 99 is newer than 28, the newest known here",
    }
    assert verdicts(report) == [("Identity", Verdict.AT_RUN), ("Relu", Verdict.RUNS)]


def test_what_contradicts_itself():
    data = made(
        [helper.make_node("Add", ["x", "z"], ["y"])], [info("x", [2]), info("z", [3])], [info("y", [2])]
    )
    report = lamina.onnx.check(data, device="cpu")
    assert [n.verdict for n in report.problems] == [Verdict.WRONG]
    assert not report


def test_constants_branches_and_what_depends_on_data():
    def branch(op):
        return helper.make_graph([helper.make_node(op, ["x"], [op])], op, [], [info(op, None)])

    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("NonZero", ["x"], ["n"]),
        helper.make_node("If", ["c"], ["z"], then_branch=branch("Exp"), else_branch=branch("Zeta")),
    ]
    data = made(
        nodes,
        [info("x", [4]), info("c", [], TensorProto.BOOL)],
        [info("s", [1], TensorProto.INT64), info("n", None, TensorProto.INT64), info("z", None)],
    )
    report = lamina.onnx.check(data, device="cpu")
    assert verdicts(report) == [
        ("Shape", Verdict.CONSTANT),
        ("NonZero", Verdict.AT_RUN),
        ("If", Verdict.AT_RUN),
        ("Zeta", Verdict.MISSING),
        ("Exp", Verdict.AT_RUN),
    ]
    assert report.data_dependent


def test_shapes_are_those_of_load():
    report = lamina.onnx.check(with_holes(), device="cpu", shapes={"N": 7})
    assert report.inputs[0].shape == (7, 3)


def test_weights_are_not_read(tmp_path):
    weights = {"w": np.zeros((100, 100), np.float32)}
    data = made(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], [info("x", [2, 100])], [info("y", [2, 100])], weights
    )
    path = tmp_path / "m.onnx"
    onnx.save_model(
        onnx.load_from_string(data), path, save_as_external_data=True, location="w.bin", size_threshold=0
    )
    (tmp_path / "w.bin").unlink()
    assert lamina.onnx.check(path, device="cpu")
    with pytest.raises(lamina.ModelError, match=r"external data: 'w.bin' cannot be read"):
        lamina.onnx.load(path, device="cpu")


def test_it_says_what_loading_and_running_find(device):
    """Of every tenth node case."""
    told = {PASSED: 0, FELL_BACK: 0, UNSUPPORTED: 0}
    for case in list(cases().values())[::10]:
        if out_of_scope(case):
            continue
        report = lamina.onnx.check(case.model.SerializeToString(), device=device)
        verdict = judge(case, device)
        told[verdict.status] += 1
        assert bool(report) is (verdict.status != UNSUPPORTED), case.name
        if verdict.status == FELL_BACK:
            # What only the values of an input decide is not known before a run.
            later = [n for n in report.nodes if n.verdict is Verdict.AT_RUN]
            assert report.fallbacks or later, case.name
        elif verdict.status == PASSED:
            assert not report.fallbacks, case.name
    assert told[PASSED] > 100


def cli(*words):
    done = subprocess.run(
        [sys.executable, "-m", "lamina.cli", "onnx", "check", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_command_line(tmp_path, data):
    code, said, _ = cli(data / "mnist" / "mnist.onnx", "--device", "cpu")
    assert code == 0
    assert "It runs: " in said
    path = tmp_path / "holes.onnx"
    path.write_bytes(with_holes())
    code, said, _ = cli(path, "--device", "cpu", "--shapes", "N=5")
    assert code == 1
    assert "x: float32[5, 3]" in said
    assert "It does not load: 2 of 4 nodes, 0 other things." in said
    code, said, _ = cli(path, "--device", "cpu", "--json", "--nodes", "--shapes", "x=?,3")
    found = json.loads(said)
    assert code == 1
    assert [n["verdict"] for n in found["nodes"]] == ["runs", "missing", "missing", "at run"]
    assert [n["device"] for n in found["nodes"]] == ["cpu", "", "", "cpu"]
    code, _, said = cli(path, "--device", "cpu", "--shapes", "N=many")
    assert code == 1
    assert "--shapes N=many: wanted NAME=SIZE or INPUT=SIZE,SIZE,... with ? for any" in said
    path.write_bytes(b"no model")
    assert cli(path, "--device", "cpu")[0] == 1


def loaded(shapes):
    data = made(
        [helper.make_node("Concat", ["x", "z"], ["y"], axis=1)],
        [info("x", ["N", "A", 3]), info("z", ["N", None, 3])],
        [info("y", ["N", None, 3])],
    )
    return lamina.onnx.load(data, device="cpu", shapes=shapes)


def test_sizes_by_dimension_and_by_input():
    model = loaded({"N": 2, "z": (None, 4, 3)})
    assert [i.shape for i in model.inputs] == [(2, "A", 3), (2, 4, 3)]
    assert model.outputs[0].shape == (2, "?", 3)
    model = loaded({"x": [5, 1, None]})
    assert [i.shape for i in model.inputs] == [(5, 1, 3), (5, "?", 3)]
    model = loaded({"x": (2, 1, 3), "z": (2, 4, 3)})
    x, z = np.zeros((2, 1, 3), np.float32), np.ones((2, 4, 3), np.float32)
    np.testing.assert_array_equal(model.run({"x": x, "z": z})["y"], np.concatenate([x, z], 1))
    assert len(model.explain().steps) > 0
    raises(
        lamina.ShapeError,
        "run: input 'x' has shape [1, 1, 3], wanted [2, 1, 3]",
        lambda: model.run({"x": x[:1], "z": z}),
    )


def test_sizes_that_do_not_fit():
    has = "; symbolic dimensions (name: size): 'A', 'N'; inputs (name: shape): 'x', 'z'"
    refused = [
        ({"M": 2}, lamina.ArgumentError, "shapes: the model has no symbolic dimension 'M'" + has),
        ({"x": 2}, lamina.ArgumentError, "shapes: the model has no symbolic dimension 'x'" + has),
        ({"N": (2,)}, lamina.ArgumentError, "shapes: the model has no input 'N'" + has),
        (
            {"x": (2, 3)},
            lamina.ShapeError,
            "shapes: input 'x' is given [2, 3], the model has [N, A, 3]",
        ),
        (
            {"x": (2, None, 4)},
            lamina.ShapeError,
            "shapes: input 'x' is given [2, None, 4], the model has [N, A, 3]",
        ),
        (
            {"N": 3, "x": (2, 1, 3)},
            lamina.ShapeError,
            "shapes: dimension 'N' is 3 by N=3, but 2 by 2 on axis 0 of 'x'",
        ),
        ({"N": -1}, lamina.ArgumentError, "onnx.load: shapes: 'N' has a size of -1, wanted 0 or more"),
        ({"x": (1.5,)}, lamina.ArgumentError, "onnx.load: shapes: 'x' has a size of 1.5, wanted 0 or more"),
    ]
    for shapes, error, message in refused:
        raises(error, message, lambda shapes=shapes: loaded(shapes))


def test_what_the_file_says_of_itself():
    model = onnx.load_from_string(with_holes())
    del model.graph.node[1:]
    model.graph.output[0].name = "a"
    model.producer_name, model.producer_version, model.doc_string = "pen", "2.1", "About."
    model.domain, model.model_version = "org.example", 3
    helper.set_model_props(model, {"author": "somebody"})
    loaded = lamina.onnx.load(model.SerializeToString(), device="cpu")
    assert loaded.metadata == {"author": "somebody"}
    assert loaded.producer == ("pen", "2.1")
    assert (loaded.domain, loaded.version, loaded.doc) == ("org.example", 3, "About.")
    assert (loaded.opsets, loaded.ir_version) == ({"": 17, "mine": 1}, 8)

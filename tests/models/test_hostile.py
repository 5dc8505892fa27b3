"""Models, programs and files that somebody made to hurt: a typed error or an answer, soon, in bounded memory.

Whatever could take much runs in a process of its own under a limit of address space, so that memory
which is not asked for within the budget fails loudly.
"""

import itertools
import json
import os
import resource
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

HUGE = 2**40


def value(name, shape=None, dtype=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, dtype, shape)


def model(nodes, inputs=(), outputs=("y",), initializers=(), functions=(), opset=21):
    graph = helper.make_graph(
        list(nodes),
        "g",
        [value(*i) if isinstance(i, tuple) else i for i in inputs],
        [value(o) for o in outputs],
        list(initializers),
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=10, functions=list(functions))


def ints(name, *numbers):
    return numpy_helper.from_array(np.asarray(numbers, np.int64), name)


def number(name, x, dtype=np.int64):
    return numpy_helper.from_array(np.asarray(x, dtype), name)


def in_a_process(code, path, seconds=10, gigabytes=2):
    """What `code` prints in a process that has so much memory and time; it must end well."""
    head = f"""
    import resource
    import lamina
    path = {str(path)!r}
    """
    # Threads' stacks and the drivers' reservations are address space too, not memory.
    limit = (gigabytes + 2) << 30
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(code)],
        env={**os.environ, "LAMINA_MEMORY_LIMIT": f"{gigabytes}G", "LAMINA_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        capture_output=True,
        text=True,
        timeout=6 * seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout)
    assert answer["seconds"] < seconds
    assert answer["kilobytes"] < gigabytes << 20
    return answer["said"]


RUN = """
import json, time
import numpy as np
before = time.process_time()
try:
    loaded = lamina.onnx.load(path, device="cpu")
    sizes = [[n if isinstance(n, int) else 2 for n in i.shape] for i in loaded.inputs]
    inputs = {i.name: np.ones(s, np.float32) for i, s in zip(loaded.inputs, sizes)}
    said = "ran: " + ", ".join(str(y.shape) for y in loaded.run(inputs).values())
except lamina.LaminaError as error:
    said = f"{type(error).__name__}: {str(error)[:300]}"
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"said": said, "seconds": time.process_time() - before, "kilobytes": used}))
"""


def load_and_run(made, tmp_path, seconds=10):
    path = tmp_path / "model.onnx"
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    return in_a_process(RUN, path, seconds)


def one(op, *names, initializers=(), shape=(2, 3), domain="", **attributes):
    node = helper.make_node(op, list(names), ["y"], domain=domain, **attributes)
    return model([node], [("x", list(shape))], initializers=initializers)


def expanded(op, *names, initializers=(), shape=(HUGE,), **attributes):
    """`op` on a view that costs nothing and has `shape`."""
    nodes = [
        helper.make_node("Expand", ["x", "wide"], ["v"]),
        helper.make_node(op, ["v", *names], ["y"], **attributes),
    ]
    return model(nodes, [("x", [1])], initializers=[ints("wide", *shape), *initializers])


SIZES = {
    "reshape": one("Reshape", "x", "s", initializers=[ints("s", HUGE, -1)]),
    "reshape to a product of 2^64": one("Reshape", "x", "s", initializers=[ints("s", 2**32, 2**32)]),
    "expand": one("Expand", "x", "s", initializers=[ints("s", HUGE, 2, 3)]),
    "expand beyond 2^64": one("Expand", "x", "s", initializers=[ints("s", HUGE, HUGE, 2, 3)]),
    "pad": one("Pad", "x", "p", initializers=[ints("p", HUGE, 0, 0, 0)]),
    "pad beyond 2^63": one("Pad", "x", "p", initializers=[ints("p", 2**63 - 1, 0, 2**63 - 1, 0)]),
    "pad by wrapping": one("Pad", "x", "p", initializers=[ints("p", HUGE, 0, 0, 0)], mode="wrap"),
    "pad by far reflections": one("Pad", "x", "p", initializers=[ints("p", 0, HUGE, 0, 0)], mode="reflect"),
    "pad away more than there is": one("Pad", "x", "p", initializers=[ints("p", -2, 0, -2, 0)]),
    "pad away 2^63": one("Pad", "x", "p", initializers=[ints("p", -(2**63), 0, -(2**63), 0)]),
    "tile": one("Tile", "x", "r", initializers=[ints("r", HUGE, 1)]),
    "tile beyond 2^64": one("Tile", "x", "r", initializers=[ints("r", 2**62, 2**62)]),
    "range": model(
        [helper.make_node("Range", ["a", "b", "c"], ["y"])],
        initializers=[number("a", 0), number("b", HUGE), number("c", 1)],
    ),
    "range of 2^31": model(
        [helper.make_node("Range", ["a", "b", "c"], ["y"])],
        initializers=[number("a", 0), number("b", 2**31 - 1), number("c", 1)],
    ),
    "range without an end": model(
        [helper.make_node("Range", ["a", "b", "c"], ["y"])],
        initializers=[number("a", 0), number("b", 1), number("c", 0)],
    ),
    "constant of shape": model(
        [helper.make_node("ConstantOfShape", ["s"], ["y"])], initializers=[ints("s", HUGE)]
    ),
    "constant of a negative shape": model(
        [helper.make_node("ConstantOfShape", ["s"], ["y"])], initializers=[ints("s", -1)]
    ),
    "one-hot": one(
        "OneHot", "i", "d", "v", initializers=[ints("i", 0), number("d", 2**32 - 1), ints("v", 0, 1)]
    ),
    "random": model([helper.make_node("RandomNormal", [], ["y"], shape=[HUGE])]),
    "a window": model([helper.make_node("HannWindow", ["n"], ["y"])], initializers=[number("n", HUGE)]),
    "resize": one(
        "Resize", "x", "", "", "s", initializers=[ints("s", 1, 1, HUGE, HUGE)], shape=(1, 1, 2, 2)
    ),
    "resize by a scale that shrinks to nothing": one(
        "Resize",
        "x",
        "",
        "s",
        initializers=[number("s", [1, 1, 1e-30, 1e-30], np.float32)],
        shape=(1, 1, 2, 2),
        mode="linear",
        antialias=1,
    ),
    "resize an axis to 2^40": one(
        "Resize", "x", "", "", "s", initializers=[ints("s", HUGE, 3)], mode="nearest"
    ),
    "a grid": one(
        "AffineGrid", "x", "s", initializers=[ints("s", 1, 1, 2**20, 2**20)], shape=(1, 2, 3)
    ),
    "crop to a negative size": one("CenterCropPad", "x", "s", initializers=[ints("s", -(2**63), 1)]),
    "eye like": expanded("EyeLike", shape=(2**20, 2**20)),
    "a triangle": expanded("Trilu", shape=(2**20, 2**20)),
    "split into 2^40": expanded("Split", num_outputs=HUGE),
    "hardmax": expanded("Hardmax", shape=(2, HUGE)),
    "copied": expanded("Relu"),
    "nonzero": expanded("NonZero"),
    "compress": expanded("Compress", "c", initializers=[number("c", [True], np.bool_)]),
    "sorted": expanded("TopK", "k", initializers=[ints("k", 1)]),
    "a product": expanded("MatMul", "w", initializers=[number("w", [[1]] * 9, np.float32)], shape=(HUGE, 9)),
    "gathered": expanded("Gather", "i", initializers=[ints("i", *range(64))], shape=(2**20, 2**20)),
    "softmax": expanded("Softmax", shape=(2**20, 2**20)),
    "a sum along": expanded("CumSum", "a", initializers=[number("a", 0)]),
    "convolution in a border of 2^40": one(
        "Conv", "x", "w", initializers=[number("w", np.ones((1, 1, 1, 1)), np.float32)],
        shape=(1, 1, 4, 4), pads=[HUGE] * 4, strides=[2**31, 2**31],
    ),
    "convolution in a border of 2^20": one(
        "Conv", "x", "w", initializers=[number("w", np.ones((1, 1, 3, 3)), np.float32)],
        shape=(1, 1, 4, 4), pads=[2**20] * 4, strides=[2**19, 2**19],
    ),
    "convolution with strides of 2^31": one(
        "Conv", "x", "w", initializers=[number("w", np.ones((1, 1, 3, 3)), np.float32)],
        shape=(1, 1, 4, 4), strides=[2**31, 2**31],
    ),
    "convolution with strides of 2^63": one(
        "Conv", "x", "w", initializers=[number("w", np.ones((1, 1, 1, 1)), np.float32)],
        shape=(1, 1, 4, 4), strides=[2**63 - 1] * 2, dilations=[2**63 - 1] * 2,
    ),
    "convolution of nothing": one(
        "Conv", "x", "w", initializers=[number("w", np.ones((1, 1, 0, 3)), np.float32)], shape=(1, 1, 4, 4)
    ),
    "transposed convolution": one(
        "ConvTranspose", "x", "w", initializers=[number("w", np.ones((1, 1, 3, 3)), np.float32)],
        shape=(1, 1, 4, 4), strides=[2**31, 2**31], output_padding=[2**30, 2**30],
    ),
    "transposed convolution to a shape": one(
        "ConvTranspose", "x", "w", initializers=[number("w", np.ones((1, 1, 3, 3)), np.float32)],
        shape=(1, 1, 4, 4), output_shape=[2**62, 2**62],
    ),
    "pooling": one("MaxPool", "x", shape=(1, 1, 4, 4), kernel_shape=[2**31, 2**31]),
    "pooling in a border": one(
        "AveragePool", "x", shape=(1, 1, 4, 4), kernel_shape=[2, 2], pads=[2**31] * 4, strides=[2**31] * 2
    ),
    "pooling rows in a border": one(
        "MaxPool", "x", shape=(1, 1, 4, 4), kernel_shape=[1, 2**31], pads=[0, 2**30, 0, 2**30]
    ),
    "pooling apart": one(
        "AveragePool", "x", shape=(1, 1, 4, 4), kernel_shape=[2**20, 2**20], dilations=[2, 2]
    ),
    "local response": one("LRN", "x", shape=(1, 4, 2, 2), size=2**62),
    "depth to space": one("DepthToSpace", "x", shape=(1, 4, 2, 2), blocksize=2**62),
    "a slice that is cut twice": one(
        "Slice", "x", "s", "e", "a", initializers=[ints("s", 1, 1), ints("e", 2, 2), ints("a", 0, 0)]
    ),
    "a slice in steps of -2^63": one(
        "Slice", "x", "s", "e", "a", "t",
        initializers=[ints("s", 2**63 - 1), ints("e", -(2**63)), ints("a", 0), ints("t", -(2**63))],
    ),
    "a flattening": expanded("Flatten", shape=(2**30, 2**29), axis=1),
    "an einsum": one(
        "Einsum", "x", shape=(2, 3), equation="ab->" + "ab" * 4000
    ),
}  # fmt: skip

# What has an answer after all.
ANSWERS = {
    "convolution with strides of 2^31": "ran: (1, 1, 1, 1)",
    "a slice in steps of -2^63": "ran: (1, 3)",
    # One number, seen so often.
    "constant of shape": f"ran: ({HUGE},)",
}


@pytest.mark.parametrize("what", SIZES)
def test_sizes_that_nothing_holds(what, tmp_path):
    said = load_and_run(SIZES[what], tmp_path, seconds=5)
    if what in ANSWERS:
        assert said == ANSWERS[what]
    else:
        assert "Error: " in said
        assert not said.startswith(("InternalError", "LaminaError"))


@pytest.mark.parametrize("shape", [(HUGE, 0), (0, HUGE), (HUGE, 0, HUGE)], ids=str)
def test_long_axes_of_nothing(shape, tmp_path):
    """A tensor without elements may have long axes; nothing goes through them one by one."""
    empty = numpy_helper.from_array(np.zeros(0, np.int64), "e")
    empty.dims[:] = shape
    nodes = [
        helper.make_node("Relu", ["f"], ["a"]),
        helper.make_node("Transpose", ["e"], ["b"]),
        helper.make_node("Add", ["e", "e"], ["c"]),
        helper.make_node("Concat", ["e", "e"], ["d"], axis=0),
        helper.make_node("Gather", ["e", "none"], ["g"], axis=0),
        helper.make_node("Slice", ["e", "from", "to"], ["h"]),
        helper.make_node("Softmax", ["f"], ["i"], axis=0),
        helper.make_node("Cast", ["e"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Shape", ["e"], ["y"]),
    ]
    said = load_and_run(
        model(
            nodes,
            outputs=["a", "b", "c", "d", "g", "h", "i", "y"],
            initializers=[empty, ints("none"), ints("from", 0), ints("to", 2)],
        ),
        tmp_path,
    )
    assert said.startswith("ran: ") or "Error: " in said


def test_a_name_of_ten_megabytes(tmp_path):
    name = "n" * 10_000_000
    relu = helper.make_node("Relu", ["x"], [name], name=name)
    tail = helper.make_node("Neg", [name], ["y"])
    assert load_and_run(model([relu, tail], [("x", [2])]), tmp_path) == "ran: (2,)"
    bad = helper.make_node("Neg", [name + "?"], ["y"], name=name)
    assert load_and_run(model([bad], [("x", [2])]), tmp_path).startswith("ModelError")
    unknown = helper.make_node(name, ["x"], ["y"])
    assert load_and_run(model([unknown], [("x", [2])]), tmp_path).startswith("UnsupportedError")


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def field(number, data):
    """A field of a protocol buffer that holds bytes."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def by_hand(nodes, tmp_path):
    """A model of nodes that are bytes already."""
    rest = model([], [("x", [2])])
    graph = rest.graph.SerializeToString() + nodes
    rest.ClearField("graph")
    return load_and_run(rest.SerializeToString() + field(7, graph), tmp_path)


def node(op, before, after):
    return field(1, field(1, before.encode()) + field(2, after.encode()) + field(4, op.encode()))


@pytest.mark.parametrize("count", [250_000, 1_000_000])
def test_nodes_by_the_million(count, tmp_path):
    names = ["x", *map(str, range(count - 1)), "y"]
    nodes = (node("Neg", before, after) for before, after in itertools.pairwise(names))
    said = by_hand(b"".join(nodes), tmp_path)
    assert said == "ran: (2,)" if count < 1 << 18 else said.startswith("ModelError")


def test_unknown_operators_by_the_hundred_thousand(tmp_path):
    """Each of another name: the list of what is missing stays short."""
    nodes = b"".join(node(f"Op{i}", "x", str(i)) for i in range(200_000))
    said = by_hand(nodes + node("Neg", "x", "y"), tmp_path)
    assert said.startswith("UnsupportedError")


SWELLING = {
    "nodes": (b"\x0a\x00", [7]),
    "attributes": (b"\x2a\x00", [7, 1]),
    "strings": (b"\x0a\x00", [7, 1]),
    "dims": (b"\x08\x01", [7, 5]),
    "types": (b"\x0a\x00", [7, 11, 2, 1, 2]),
    "functions": (b"\x3a\x00", [25]),
}


@pytest.mark.parametrize("what", SWELLING)
def test_small_files_that_swell(what, tmp_path):
    """Two bytes of a file stand for hundreds in memory: refused before it is taken."""
    item, around = SWELLING[what]
    data = item * 20_000_000
    for number in reversed(around):
        data = field(number, data)
    said = load_and_run(b"\x08\x08" + data, tmp_path)
    assert said.startswith(("ModelError", "OutOfMemoryError"))


def test_a_cycle(tmp_path):
    nodes = [
        helper.make_node("Add", ["x", "b"], ["a"]),
        helper.make_node("Neg", ["a"], ["b"]),
        helper.make_node("Neg", ["b"], ["y"]),
    ]
    assert "cycle" in load_and_run(model(nodes, [("x", [2])]), tmp_path)


def branches(depth):
    """`depth` Ifs, each in a branch of the one before."""
    output = field(12, field(1, b"y"))
    leaf = node("Neg", "x", "y") + output
    inner = leaf
    for _ in range(depth):
        both = b"".join(
            field(5, field(1, name) + field(6, graph) + varint(20 << 3) + varint(5))
            for name, graph in ((b"then_branch", inner), (b"else_branch", leaf))
        )
        outer = field(1, field(1, b"c") + field(2, b"y") + field(4, b"If") + both)
        inner = outer + output
    return outer


@pytest.mark.parametrize("depth", [5, 25, 50, 10_000])
def test_nested_branches(depth, tmp_path):
    flag = field(5, number("c", True, np.bool_).SerializeToString())
    said = by_hand(branches(depth) + flag, tmp_path)
    if depth < 30:
        assert said == "ran: (2,)"
    else:
        assert said.startswith("ModelError")


def function(name, nodes):
    return helper.make_function(
        "own", name, ["x"], ["y"], nodes, [helper.make_opsetid("", 21), helper.make_opsetid("own", 1)]
    )


def call(name, x="x", y="y"):
    return helper.make_node(name, [x], [y], domain="own")


def functions_that_double(depth):
    made = [function("f0", [helper.make_node("Neg", ["x"], ["y"])])]
    for level in range(1, depth):
        nodes = [call(f"f{level - 1}", "x", "m"), call(f"f{level - 1}", "m", "y")]
        made.append(function(f"f{level}", nodes))
    return made


def from_a_branch():
    """A function that calls itself from a branch inside."""
    leaf = helper.make_graph([call("f", "x", "z")], "again", [], [value("z")])
    other = helper.make_graph([helper.make_node("Neg", ["x"], ["z"])], "leaf", [], [value("z")])
    inside = [
        helper.make_node("Constant", [], ["c"], value=number("c", True, np.bool_)),
        helper.make_node("If", ["c"], ["y"], then_branch=leaf, else_branch=other),
    ]
    return [function("f", inside)]


def with_long_names():
    """A constant and a name of megabytes, in a function that is called a hundred thousand times."""
    name = "n" * 1_000_000
    inside = [helper.make_node("Neg", ["x"], [name]), helper.make_node("Neg", [name], ["y"])]
    return [function("f", inside)]


FUNCTIONS = {
    "itself": ([call("f")], [function("f", [call("f")])]),
    "each other": ([call("f")], [function("f", [call("g")]), function("g", [call("f")])]),
    "itself from a branch": ([call("f")], from_a_branch()),
    "two of two of two": ([call("f60")], functions_that_double(61)),
    "a long name often": (
        [call("f", "x" if i == 0 else f"v{i}", "y" if i == 9999 else f"v{i + 1}") for i in range(10_000)],
        with_long_names(),
    ),
}


@pytest.mark.parametrize("what", FUNCTIONS)
def test_functions_that_call(what, tmp_path):
    nodes, functions = FUNCTIONS[what]
    said = load_and_run(model(nodes, [("x", [2])], functions=functions), tmp_path)
    assert said.startswith(("ModelError", "OutOfMemoryError"))

"""Every op that the core records by name is a function of `lamina.ops`, or it is said here why not."""

import lamina
from lamina import ops

ELSEWHERE = {
    "copy": "what .contiguous and transfers record",
    "detach": "a method of tensors",
    "dft": "what fft, ifft, rfft and irfft record",
    "pow_const": "what pow records",
    "repeat": "tile",
    "index_put": "index_copy",
    "random_normal": "what normal records",
    "random_uniform": "what uniform records",
    "scatter_slice": "what assignments to x[...] record",
}
# Gradients and optimizer steps, which are recorded by what has them.
STEPS = ("_backward", "_backward_input", "_backward_weight", "_step")


def test_every_op_has_a_function():
    names = {str(row["op"]) for row in lamina.op_table()}
    own = {name for name in names if not name.endswith(STEPS)}
    assert own - set(ops.__all__) == set(ELSEWHERE)

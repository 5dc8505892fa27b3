"""What every op means, in float64 NumPy.

Nothing of lamina is imported here.  Loops run over what defines an op (kernel
taps, windows, places in an index), so that each line can be held against the
op's formula.  A function `x_vjp(gy, ...)` gives the gradients of `x`'s float
inputs, in order, for the output gradient gy.
"""

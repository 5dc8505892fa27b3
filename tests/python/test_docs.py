"""Every example in a docstring runs; every public thing has one where it can."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import lamina
from lamina import _lamina, decoders, nn, ops, optim

MODULES = [
    module.name
    for module in pkgutil.walk_packages(lamina.__path__, "lamina.")
    if module.name not in {"lamina._lamina", "lamina.cli.__main__"}
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    names = {"lamina": lamina, "np": np, "nn": nn, "ops": ops, "optim": optim, "decoders": decoders}
    result = doctest.testmod(importlib.import_module(name), extraglobs=names)
    assert result.failed == 0


def test_examples_of_the_extension():
    """Those that stand in Rust; doctest sees no further than Python by itself."""
    names = {"lamina": lamina, "np": np, "nn": nn, "ops": ops}
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner()
    for name in _lamina.__all__:
        for test in finder.find(getattr(_lamina, name), name, module=False, globs=dict(names)):
            runner.run(test)
    tried, failed = runner.tries, runner.failures
    assert tried > 0
    assert failed == 0


@pytest.mark.parametrize("room", [ops, nn, optim], ids=lambda room: room.__name__)
def test_everything_public_has_an_example(room):
    bases = {"Optimizer", "Parameter", "Buffer"}
    without = [
        name
        for name in room.__all__
        if name not in bases and ">>>" not in (getattr(room, name).__doc__ or "")
    ]
    assert without == []

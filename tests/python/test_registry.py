"""Names, plugins, clashes and failures."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

import lamina
from helpers import raises
from lamina.registry import PluginWarning, Registry, RegistryError, hookimpl


class Point(EntryPoint):
    """An entry point that gives an object or raises."""

    def load(self):
        found = PLUGINS[self.value]
        if isinstance(found, Exception):
            raise found
        return found


class Good:
    @staticmethod
    @hookimpl
    def lamina_decoders(register):
        register("twice", Twice)
        register("late", "lamina.decoders.nms:NMS")


class Twice:
    inputs = ("x",)

    def __init__(self, *, factor=2.0):
        self.factor = factor

    def __call__(self, x):
        return x * self.factor


class Clash:
    @staticmethod
    @hookimpl
    def lamina_decoders(register):
        register("nms", Twice)


class Broken:
    @staticmethod
    @hookimpl
    def lamina_decoders(register):
        raise RuntimeError("half way")


class Wrong:
    @staticmethod
    @hookimpl
    def lamina_decoders(register):
        register("gone", "lamina.decoders.nms:Gone")


PLUGINS = {
    "good": Good,
    "clash": Clash,
    "broken": Broken,
    "wrong": Wrong,
    "absent": ImportError("no module named 'elsewhere'"),
}


def registry(*names):
    return Registry([Point(name=f"{name}-dist", value=name, group="lamina") for name in names])


def test_built_ins_are_registered_through_the_same_hooks():
    found = registry()
    assert found.names("decoder") == ["nms"]
    assert found.names("optimizer") == ["adam", "adamw", "sgd"]
    assert {"cross_entropy", "mse", "huber", "triplet_margin"} <= set(found.names("loss"))
    assert "Conv2d" in found.names("layer")
    for kind in lamina.registry.KINDS:
        for name in found.names(kind):
            assert isinstance(found.get(kind, name), type)
            assert found.origin(kind, name) == "lamina"


def test_every_layer_is_registered():
    from lamina import nn

    layers = {
        name
        for name in nn.__all__
        if name not in {"Module", "Parameter", "Buffer"} and not name.endswith("Loss")
    }
    assert layers == set(registry().names("layer"))


def test_every_loss_is_registered():
    from lamina import nn

    found = registry()
    losses = {name for name in nn.__all__ if name.endswith("Loss")}
    assert losses == {found.get("loss", name).__name__ for name in found.names("loss")}


def test_a_plugin_adds_names():
    found = registry("good")
    assert found.names("decoder") == ["late", "nms", "twice"]
    assert found.get("decoder", "twice")(factor=3.0)(2.0) == 6.0
    assert found.get("decoder", "late") is found.get("decoder", "nms")
    assert found.origin("decoder", "twice") == "good-dist"


def test_a_duplicate_names_both_distributions():
    raises(
        RegistryError,
        "registry: decoder 'nms' is registered by 'lamina' and by 'clash-dist'; uninstall one of them",
        lambda: registry("clash").get("decoder", "nms"),
    )


def test_failing_plugins_are_reported_and_left_out():
    found = registry("absent", "good")
    with pytest.warns(
        PluginWarning, match="lamina's plugin 'absent-dist' is left out: ImportError: no module"
    ):
        assert found.names("decoder") == ["late", "nms", "twice"]
    assert found.failures == {"absent-dist": "ImportError: no module named 'elsewhere'"}
    found = registry("broken")
    with pytest.warns(
        PluginWarning, match="lamina's plugin 'broken-dist' is left out: RuntimeError: half way"
    ):
        assert found.names("decoder") == ["nms"]


def test_unknown_names():
    raises(
        RegistryError,
        "registry: unknown decoder 'yolo'; there are: nms",
        lambda: registry().get("decoder", "yolo"),
    )
    raises(
        RegistryError,
        "registry: unknown kind 'sampler'; there are: layer, loss, optimizer, decoder",
        lambda: registry().names("sampler"),
    )
    raises(
        RegistryError,
        "registry: decoder 'gone' of distribution 'wrong-dist': "
        "module 'lamina.decoders.nms' has no attribute 'Gone'",
        lambda: registry("wrong").get("decoder", "gone"),
    )


def test_looking_up_costs_no_imports():
    code = (
        "import sys, lamina; from lamina import registry\n"
        "registry.Registry([]).names('optimizer')\n"
        "assert 'lamina.optim' not in sys.modules, 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

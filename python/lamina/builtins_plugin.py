"""What lamina itself registers, through the hooks that plugins use."""

from __future__ import annotations

from lamina.hookspecs import Register, hookimpl

_LAYERS = {
    "activation": (
        "GELU",
        "Hardswish",
        "LeakyReLU",
        "ReLU",
        "ReLU6",
        "SiLU",
        "Sigmoid",
        "Softmax",
        "Tanh",
    ),
    "batch_norm2d": ("BatchNorm2d",),
    "conv": (
        "Conv1d",
        "Conv2d",
        "Conv3d",
        "ConvTranspose1d",
        "ConvTranspose2d",
        "ConvTranspose3d",
    ),
    "dropout": ("Dropout",),
    "embedding": ("Embedding",),
    "flatten": ("Flatten",),
    "fold": ("Fold", "Unfold"),
    "identity": ("Identity",),
    "layer_norm": ("LayerNorm",),
    "linear": ("Linear",),
    "pool": (
        "AdaptiveAvgPool1d",
        "AdaptiveAvgPool2d",
        "AdaptiveAvgPool3d",
        "AdaptiveMaxPool1d",
        "AdaptiveMaxPool2d",
        "AdaptiveMaxPool3d",
        "AvgPool1d",
        "AvgPool2d",
        "AvgPool3d",
        "GlobalAvgPool2d",
        "GlobalMaxPool2d",
        "LPPool1d",
        "LPPool2d",
        "LPPool3d",
        "MaxPool1d",
        "MaxPool2d",
        "MaxPool3d",
        "MaxUnpool1d",
        "MaxUnpool2d",
        "MaxUnpool3d",
    ),
    "sequential": ("Sequential",),
}


@hookimpl
def lamina_layers(register: Register) -> None:
    """Every layer of `lamina.nn`."""
    for room, names in _LAYERS.items():
        for name in names:
            register(name, f"lamina.nn.{room}:{name}")


@hookimpl
def lamina_losses(register: Register) -> None:
    """Every loss of `lamina.nn`."""
    register("cross_entropy", "lamina.nn.loss:CrossEntropyLoss")
    register("mse", "lamina.nn.loss:MSELoss")


@hookimpl
def lamina_optimizers(register: Register) -> None:
    """Every optimizer of `lamina.optim`."""
    register("sgd", "lamina.optim.sgd:SGD")
    register("adam", "lamina.optim.adam:Adam")
    register("adamw", "lamina.optim.adam:AdamW")


@hookimpl
def lamina_decoders(register: Register) -> None:
    """Every decoder of `lamina.decoders`."""
    register("nms", "lamina.decoders.nms:NMS")

"""What lamina itself registers, through the hooks that plugins use."""

from __future__ import annotations

from lamina.hookspecs import Register, hookimpl

_LAYERS = {
    "activation": (
        "CELU",
        "ELU",
        "GELU",
        "GLU",
        "Hardshrink",
        "Hardsigmoid",
        "Hardswish",
        "Hardtanh",
        "LeakyReLU",
        "LogSigmoid",
        "LogSoftmax",
        "Mish",
        "PReLU",
        "ReLU",
        "ReLU6",
        "SELU",
        "SiLU",
        "Sigmoid",
        "Softmax",
        "Softmin",
        "Softplus",
        "Softshrink",
        "Softsign",
        "Tanh",
        "Tanhshrink",
        "Threshold",
    ),
    "batch_norm": ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"),
    "channels": ("ChannelShuffle", "PixelShuffle", "PixelUnshuffle", "Upsample"),
    "conv": ("Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"),
    "dropout": ("AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d"),
    "embedding": ("Embedding", "EmbeddingBag"),
    "flatten": ("Flatten", "Unflatten"),
    "fold": ("Fold", "Unfold"),
    "group_norm": ("GroupNorm", "LocalResponseNorm"),
    "identity": ("Identity",),
    "instance_norm": ("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"),
    "layer_norm": ("LayerNorm", "RMSNorm"),
    "linear": ("Bilinear", "Linear"),
    "pad": (
        "ConstantPad1d",
        "ConstantPad2d",
        "ConstantPad3d",
        "ReflectionPad1d",
        "ReflectionPad2d",
        "ReflectionPad3d",
        "ReplicationPad1d",
        "ReplicationPad2d",
        "ReplicationPad3d",
        "ZeroPad1d",
        "ZeroPad2d",
        "ZeroPad3d",
    ),
    "adaptive_pool": (
        "AdaptiveAvgPool1d",
        "AdaptiveAvgPool2d",
        "AdaptiveAvgPool3d",
        "AdaptiveMaxPool1d",
        "AdaptiveMaxPool2d",
        "AdaptiveMaxPool3d",
    ),
    "avg_pool": (
        "AvgPool1d",
        "AvgPool2d",
        "AvgPool3d",
        "GlobalAvgPool2d",
        "GlobalMaxPool2d",
        "LPPool1d",
        "LPPool2d",
        "LPPool3d",
    ),
    "max_pool": ("MaxPool1d", "MaxPool2d", "MaxPool3d", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"),
    "sequential": ("Sequential",),
    "similarity": ("CosineSimilarity", "PairwiseDistance"),
}
_LOSSES = {
    "binary_cross_entropy": "BCELoss",
    "binary_cross_entropy_with_logits": "BCEWithLogitsLoss",
    "cosine_embedding": "CosineEmbeddingLoss",
    "cross_entropy": "CrossEntropyLoss",
    "gaussian_nll": "GaussianNLLLoss",
    "hinge_embedding": "HingeEmbeddingLoss",
    "huber": "HuberLoss",
    "kl_div": "KLDivLoss",
    "l1": "L1Loss",
    "margin_ranking": "MarginRankingLoss",
    "mse": "MSELoss",
    "nll": "NLLLoss",
    "poisson_nll": "PoissonNLLLoss",
    "smooth_l1": "SmoothL1Loss",
    "soft_margin": "SoftMarginLoss",
    "triplet_margin": "TripletMarginLoss",
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
    for name, layer in _LOSSES.items():
        register(name, f"lamina.nn.loss:{layer}")


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

"""Layers and losses.

A layer is a `Module`: attributes that are `Parameter`, `Buffer` or `Module` are
its state, under the names that PyTorch uses, so that weights saved elsewhere
load here.
"""

from lamina.nn.activation import (
    GELU,
    Hardswish,
    LeakyReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from lamina.nn.batch_norm2d import BatchNorm2d
from lamina.nn.conv2d import Conv2d
from lamina.nn.conv_transpose2d import ConvTranspose2d
from lamina.nn.dropout import Dropout
from lamina.nn.embedding import Embedding
from lamina.nn.flatten import Flatten
from lamina.nn.identity import Identity
from lamina.nn.layer_norm import LayerNorm
from lamina.nn.linear import Linear
from lamina.nn.loss import CrossEntropyLoss, MSELoss
from lamina.nn.module import Buffer, Module, Parameter
from lamina.nn.pool2d import AdaptiveAvgPool2d, AvgPool2d, GlobalAvgPool2d, GlobalMaxPool2d, MaxPool2d
from lamina.nn.sequential import Sequential

__all__ = [
    "GELU",
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BatchNorm2d",
    "Buffer",
    "Conv2d",
    "ConvTranspose2d",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAvgPool2d",
    "GlobalMaxPool2d",
    "Hardswish",
    "Identity",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "Parameter",
    "ReLU",
    "ReLU6",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
]

"""Layers and losses.

A layer is a `Module`: attributes that are `Parameter`, `Buffer` or `Module` are
its state, under the names that PyTorch uses, so that weights saved elsewhere
load here.
"""

from lamina.nn.activation import LeakyReLU, ReLU, Sigmoid, Softmax, Tanh
from lamina.nn.batch_norm2d import BatchNorm2d
from lamina.nn.conv2d import Conv2d
from lamina.nn.dropout import Dropout
from lamina.nn.flatten import Flatten
from lamina.nn.linear import Linear
from lamina.nn.loss import CrossEntropyLoss, MSELoss
from lamina.nn.module import Buffer, Module, Parameter
from lamina.nn.pool2d import AdaptiveAvgPool2d, AvgPool2d, GlobalAvgPool2d, GlobalMaxPool2d, MaxPool2d
from lamina.nn.sequential import Sequential

__all__ = [
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BatchNorm2d",
    "Buffer",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2d",
    "GlobalMaxPool2d",
    "LeakyReLU",
    "Linear",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
]

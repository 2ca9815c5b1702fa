"""Preprocessing put into the graph: raw pixels in, no arithmetic left for the runtime."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from faceport.errors import InputError
from faceport.spec import ModelSpec, PreprocessSpec, TensorSpec


class FusedPreprocess(nn.Module):
    """A network behind its own preprocessing.

    Takes (batch, height, width, 3) uint8 RGB pixels and does `(pixel - mean) / std`, the channel
    order and the layout as `spec` says.
    """

    order: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, spec: PreprocessSpec) -> None:
        super().__init__()
        self.network = network
        self.channels_first = spec.layout == "nchw"
        self.reorder = spec.color_order == "bgr"
        self.register_buffer("order", torch.tensor([2, 1, 0]))
        self.register_buffer("mean", torch.tensor(spec.mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(spec.std, dtype=torch.float32))

    def forward(self, input: Tensor) -> tuple[Tensor, ...]:
        """Give what the network gives for these pixels."""
        # The cast comes first: TensorRT takes uint8 at the input and nowhere else.
        pixels = input.to(torch.float32)
        if self.reorder:
            pixels = pixels.index_select(3, self.order)
        values = (pixels - self.mean) / self.std
        outputs: tuple[Tensor, ...] = self.network(
            values.permute(0, 3, 1, 2) if self.channels_first else values
        )
        return outputs


def fuse_preprocess(module: nn.Module, spec: ModelSpec) -> tuple[nn.Module, ModelSpec]:
    """Return a module that takes raw pixels, and the spec that says so.

    The fingerprint stays the same: the embeddings do too, so both may fill one gallery.

    Args:
        module: takes the tensor that `spec.preprocess` describes.
        spec: of the module.

    Returns:
        The module takes `input`, (batch, height, width, 3) uint8 RGB.

    Raises:
        InputError: the spec says that preprocessing is fused already, or is not float32.
    """
    old = spec.preprocess
    if spec.fused is not None or old.dtype != "float32":
        raise InputError(
            "the preprocessing cannot be fused",
            received="a graph that takes raw pixels already",
            expected="a model that takes float32 values",
        )
    entry = TensorSpec("input", "uint8", ("batch", old.height, old.width, 3))
    fused = replace(spec, fused=old, preprocess=old.raw_pixels(), inputs=(entry,))
    return FusedPreprocess(module, old).eval(), fused

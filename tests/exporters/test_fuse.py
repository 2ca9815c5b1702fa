from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from faceport.errors import InputError
from faceport.exporters.base import Exportable
from faceport.exporters.fuse import fuse_preprocess
from faceport.exporters.probe import drawn_pictures
from faceport.runtime.preprocess import to_tensor
from faceport.spec import TensorSpec


class Echo(torch.nn.Module):
    """Gives its input back, so that the test sees what preprocessing makes of the pixels."""

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (values,)


@pytest.mark.parametrize("color_order", ["rgb", "bgr"])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_the_graph_does_what_the_runtime_did(
    tiny_model: Exportable, color_order: str, layout: str
) -> None:
    preprocess = replace(tiny_model.spec.preprocess, color_order=color_order, layout=layout)
    spec = replace(tiny_model.spec, preprocess=preprocess)
    module, fused = fuse_preprocess(Echo(), spec)
    pixels = drawn_pictures(32, 24)
    raw = to_tensor(pixels, "rgb", fused.preprocess)
    np.testing.assert_array_equal(raw, pixels)
    (values,) = module(torch.from_numpy(raw))
    np.testing.assert_allclose(values.numpy(), to_tensor(pixels, "rgb", preprocess), rtol=1e-6)
    reference = pixels[..., ::-1] if color_order == "bgr" else pixels
    reference = (reference - np.array(preprocess.mean)) / np.array(preprocess.std)
    reference = reference.transpose(0, 3, 1, 2) if layout == "nchw" else reference
    np.testing.assert_allclose(values.numpy(), reference, rtol=1e-5, atol=1e-6)


def test_the_spec_says_what_is_left_to_do(tiny_model: Exportable) -> None:
    _, fused = fuse_preprocess(tiny_model.module, tiny_model.spec)
    assert fused.inputs == (TensorSpec("input", "uint8", ("batch", 32, 24, 3)),)
    assert fused.fused == tiny_model.spec.preprocess
    assert fused.preprocess == tiny_model.spec.preprocess.raw_pixels()
    assert fused.effective_preprocess == tiny_model.spec.preprocess
    assert fused.outputs == tiny_model.spec.outputs


def test_the_fingerprint_stays_the_same(tiny_model: Exportable) -> None:
    _, fused = fuse_preprocess(tiny_model.module, tiny_model.spec)
    assert fused.fingerprint == tiny_model.spec.fingerprint


def test_embeddings_from_raw_pixels_are_those_from_tensors(tiny_model: Exportable) -> None:
    module, _ = fuse_preprocess(tiny_model.module, tiny_model.spec)
    pixels = drawn_pictures(32, 24)
    got = module(torch.from_numpy(pixels))
    want = tiny_model.module(torch.from_numpy(to_tensor(pixels, "rgb", tiny_model.spec.preprocess)))
    assert not module.training
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)


def test_fusing_twice_is_an_error(tiny_model: Exportable) -> None:
    module, fused = fuse_preprocess(tiny_model.module, tiny_model.spec)
    with pytest.raises(InputError, match="raw pixels already"):
        fuse_preprocess(module, fused)

"""DINOv3 (facebookresearch/dinov3): vision transformers and ConvNeXts, and their fine-tuned kin.

Published as official `.pth` files and in the naming of Hugging Face's transformers; a linear layer
behind the class token, where fine-tuning left one, is part of the network. The pictures are cut out
by the face's box, widened by a fifth of its size on each side, and shrunk with antialiasing, as the
original's evaluation does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from faceport.converters import dinov3_convnext as convnext
from faceport.converters import dinov3_hugging_face as hugging_face
from faceport.converters import dinov3_vit as vit
from faceport.converters.conversion import Layout, Plan, PlanRequest
from faceport.converters.differences import shapes_of
from faceport.converters.dinov3_vit import renamed
from faceport.converters.meta import on_meta
from faceport.converters.mobilefacenet import IMAGENET_MEAN, IMAGENET_STD
from faceport.converters.projection import HEADS, Ending, ending_of
from faceport.errors import InputError
from faceport.models.dinov3_config import (
    CONVNEXT_SIZES,
    CONVNEXT_STRIDE,
    VIT_SIZES,
    pooled_width,
)
from faceport.spec import PreprocessSpec

if TYPE_CHECKING:
    import torch

FAMILY = "dinov3"
SIZE = 256
BOX_PADDING = 0.2
ORIGIN = "facebookresearch/dinov3"
LICENSE = "DINOv3 License (Meta's own terms; a fine-tuned file may have further ones)"

NOT_FOR_INFERENCE = (
    *("mask_token", "local_cls_norm."),
    *("embeddings.mask_token", "embeddings.register_tokens"),
)
"""Keys that only pre-training uses, and an empty tensor where there are no such tokens."""

HEADS_ASSUMED = (
    "the file does not say how many attention heads the network has, and its width is none of the "
    f"published ones: heads {vit.HEAD_WIDTH} wide were assumed"
)


def _plan_vit(request: PlanRequest) -> Plan:
    plan, ending = _vit(request, vit.OFFICIAL)
    own = shapes_of(plan.network)
    return replace(
        plan,
        expected=vit.official_keys(request.shapes, own, ending.projection),
        adapt=partial(vit.from_official, projection=ending.projection),
    )


def _plan_vit_hugging_face(request: PlanRequest) -> Plan:
    plan, ending = _vit(request, hugging_face.NAMING)
    own = shapes_of(plan.network)
    known = own["cls_token"][2] in {size.width for size in VIT_SIZES.values()}
    return replace(
        plan,
        expected=hugging_face.vit_keys(request.shapes, own, ending.projection),
        adapt=partial(hugging_face.vit_state, own=own, projection=ending.projection),
        warnings=plan.warnings if known else (*plan.warnings, HEADS_ASSUMED),
    )


def _vit(request: PlanRequest, naming: vit.Naming) -> tuple[Plan, Ending]:
    from faceport.models.dinov3_vit import VisionTransformer

    size = _picture_size(request, vit.patch_of(request.shapes, naming))
    config = vit.vit_config(request, naming, size)
    ending = ending_of(request, config.width, config.pool)
    config = replace(config, projection=ending.projection)
    network = on_meta(partial(VisionTransformer, config))
    arch = request.arch or vit.arch_of(config)
    return _plan(request, arch, network, config.width, size, ending), ending


def _plan_convnext(request: PlanRequest) -> Plan:
    plan, ending = _convnext(request, str)
    return replace(
        plan,
        expected=convnext.official_keys(shapes_of(plan.network), ending.projection),
        adapt=partial(convnext.from_official, projection=ending.projection),
    )


def _plan_convnext_hugging_face(request: PlanRequest) -> Plan:
    plan, ending = _convnext(request, hugging_face.convnext_key)
    own = shapes_of(plan.network)
    return replace(
        plan,
        expected={
            renamed(hugging_face.convnext_key(key), ending.projection): shape
            for key, shape in own.items()
        },
        adapt=partial(hugging_face.convnext_state, own=own, projection=ending.projection),
    )


def _convnext(request: PlanRequest, key: Callable[[str], str]) -> tuple[Plan, Ending]:
    from faceport.models.dinov3_convnext import ConvNeXt

    size = _picture_size(request, CONVNEXT_STRIDE)
    config = convnext.convnext_config(request, key)
    ending = ending_of(request, config.channels[-1], config.pool)
    config = replace(config, projection=ending.projection)
    network = on_meta(partial(ConvNeXt, config))
    arch = request.arch or convnext.arch_of(config)
    return _plan(request, arch, network, config.channels[-1], size, ending), ending


def _plan(
    request: PlanRequest,
    arch: str,
    network: torch.nn.Module,
    width: int,
    size: tuple[int, int],
    ending: Ending,
) -> Plan:
    pool = request.pool or "cls"
    last = ending.projection
    return Plan(
        family=FAMILY,
        arch=arch,
        task="embedder",
        network=network,
        preprocess=PreprocessSpec(
            height=size[0],
            width=size[1],
            color_order="rgb",
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            geometry="crop",
            resample="bilinear_antialias",
            box_padding=BOX_PADDING,
        ),
        origin=ORIGIN,
        license=LICENSE,
        features=pooled_width(width, pool) if last is None else last.outputs,
        unused=(*NOT_FOR_INFERENCE, *ending.unused),
        warnings=ending.warnings,
        pool=pool,
    )


def _picture_size(request: PlanRequest, step: int) -> tuple[int, int]:
    """Return height and width, which must be multiples of `step` pixels."""
    return (
        _side("height", request.input_height, step),
        _side("width", request.input_width, step),
    )


def _side(name: str, asked: int | None, step: int) -> int:
    below = max((asked or SIZE) // step, 1) * step
    if asked is not None and asked != below:
        raise InputError(
            f"the network does not take pictures of this {name}",
            received=f"--input-{name} {asked}",
            expected=f"a multiple of {step} pixels",
            fix=f"take {below} or {below + step}" if asked > step else f"take {step} or more",
        )
    return below


_layout = partial(Layout, FAMILY, heads=HEADS, choices=("pool", "input_height", "input_width"))
VIT_ARCHS = (*VIT_SIZES, vit.OTHER)
CONVNEXT_ARCHS = (*CONVNEXT_SIZES, convnext.OTHER)

LAYOUTS: tuple[Layout, ...] = (
    _layout(VIT_ARCHS, "blocks.0.attn.qkv.", _plan_vit),
    _layout(VIT_ARCHS, "layer.0.attention.q_proj.", _plan_vit_hugging_face),
    _layout(CONVNEXT_ARCHS, "downsample_layers.", _plan_convnext),
    _layout(CONVNEXT_ARCHS, "stages.0.downsample_layers.", _plan_convnext_hugging_face),
)

"""MobileFaceNet: three published layouts of a recogniser, and py-feat's landmark regressor.

The colour order, mean and deviation of a layout are those of the code that trains and runs it.
"""

from __future__ import annotations

from functools import partial

from faceport.converters.conversion import Layout, Plan, PlanRequest
from faceport.converters.meta import on_meta
from faceport.converters.shapes import kernel_of, size_of
from faceport.spec import PreprocessSpec, Triple

FAMILY = "mobilefacenet"
STRIDE = 16
"""Pixels to one cell of the last feature map, which the global convolution's kernel covers."""

SQUARE = (7, 7)
NARROW = (7, 6)
HALF: Triple = (127.5, 127.5, 127.5)
UNIT_SCALE: Triple = (255.0, 255.0, 255.0)
SHIFTED_SCALE: Triple = (128.0, 128.0, 128.0)
IMAGENET_MEAN: Triple = (123.675, 116.28, 103.53)
IMAGENET_STD: Triple = (58.395, 57.12, 57.375)

NOT_FOR_IDENTITY = (
    "the features are those of a landmark regressor: they were not trained to tell identities"
)


def _plan_flat(request: PlanRequest) -> Plan:
    from faceport.models.mobilefacenet_flat import mobilefacenet_flat

    dim = size_of(request.shapes, "linear.weight", 0, rank=2, usual=512)
    kernel = kernel_of(request.shapes, "conv_6_dw.conv.weight", (SQUARE, NARROW), usual=SQUARE)
    return Plan(
        family=FAMILY,
        arch="mobilefacenet_flat",
        task="embedder",
        network=on_meta(partial(mobilefacenet_flat, dim, kernel)),
        preprocess=_aligned(kernel, HALF, HALF),
        origin="TreB1eN/InsightFace_Pytorch",
        license="MIT (the layout's repository; your file's may differ)",
        features=dim,
    )


def _plan_blocks(request: PlanRequest) -> Plan:
    from faceport.models.mobilefacenet_blocks import mobilefacenet_blocks

    dim = size_of(request.shapes, "linear1.conv.weight", 0, rank=4, usual=128)
    kernel = kernel_of(request.shapes, "linear7.conv.weight", (SQUARE, NARROW), usual=NARROW)
    return Plan(
        family=FAMILY,
        arch="mobilefacenet_blocks",
        task="embedder",
        network=on_meta(partial(mobilefacenet_blocks, dim, kernel)),
        preprocess=_aligned(kernel, HALF, SHIFTED_SCALE),
        origin="Xiaoccer/MobileFaceNet_Pytorch",
        license="",
        features=dim,
    )


def _plan_features(request: PlanRequest) -> Plan:
    from faceport.models.mobilefacenet_features import mobilefacenet_features

    dim = size_of(request.shapes, "conv3.weight", 0, rank=4, usual=128)
    kernel = kernel_of(request.shapes, "gdconv.depthwise.weight", (SQUARE, NARROW), usual=SQUARE)
    bias = "conv3.bias" in request.shapes
    return Plan(
        family=FAMILY,
        arch="mobilefacenet_features",
        task="embedder",
        network=on_meta(partial(mobilefacenet_features, dim, kernel, bias=bias)),
        preprocess=_aligned(kernel, IMAGENET_MEAN, IMAGENET_STD),
        origin="foamliu/MobileFaceNet",
        license="",
        features=dim,
    )


def _plan_landmarks(request: PlanRequest) -> Plan:
    from faceport.models import mobilefacenet_flat as models

    embedder = request.head == "features"
    build = models.mobilefacenet_landmark_features if embedder else models.mobilefacenet_landmarks
    return Plan(
        family=FAMILY,
        arch="mobilefacenet_landmarks68",
        task="embedder" if embedder else "landmarks",
        network=on_meta(build),
        preprocess=PreprocessSpec(
            height=112,
            width=112,
            color_order="rgb",
            mean=(0.0, 0.0, 0.0),
            std=UNIT_SCALE,
            geometry="crop",
            box_padding=0.1,
        ),
        origin="cosanlab/py-feat",
        license="",
        features=models.FEATURES if embedder else 136,
        unused=("output_layer.linear.", "output_layer.bn.") if embedder else (),
        warnings=(NOT_FOR_IDENTITY,) if embedder else (),
    )


def _aligned(kernel: tuple[int, int], mean: Triple, std: Triple) -> PreprocessSpec:
    return PreprocessSpec(
        height=STRIDE * kernel[0],
        width=STRIDE * kernel[1],
        color_order="rgb",
        mean=mean,
        std=std,
        geometry="align",
        alignment_template="arcface_112",
    )


LAYOUTS: tuple[Layout, ...] = (
    Layout(FAMILY, ("mobilefacenet_flat",), "conv_23.", _plan_flat),
    Layout(FAMILY, ("mobilefacenet_blocks",), "blocks.0.conv.", _plan_blocks),
    Layout(FAMILY, ("mobilefacenet_features",), "features.0.conv.", _plan_features),
    Layout(
        FAMILY,
        ("mobilefacenet_landmarks68",),
        "output_layer.conv_6_dw.",
        _plan_landmarks,
        heads=("landmarks", "features"),
    ),
)

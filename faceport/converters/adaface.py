"""AdaFace's IR and IR-SE networks (mk-minchul/AdaFace): BGR, embedding and norm.

The norm of the features is what AdaFace uses as image quality (Kim et al., "AdaFace", 2022).
Everything is read from the shapes: depth, squeeze-and-excitation, size, occlusion branch.
"""

from __future__ import annotations

import re
from functools import partial

from faceport.converters.conversion import Layout, Plan, PlanRequest, Shapes
from faceport.converters.meta import on_meta
from faceport.converters.shapes import size_of
from faceport.models.iresnet_config import UNITS, IResNetConfig, OcclusionBranch
from faceport.spec import PreprocessSpec, TensorSpec

FAMILY = "adaface"
STRIDE = 16
CELLS = (7, 14)
"""Sides of the last feature map of the published sizes, 112 x 112 and 224 x 224."""

MATCHING_HEAD = "qaconv."
"""Keys of a pairwise matcher that some checkpoints carry; it takes two faces at once."""


def _plan(request: PlanRequest) -> Plan:
    from faceport.models.iresnet import IResNet

    config = _config(request.shapes, request.arch)
    side = STRIDE * config.cells
    occlusion = TensorSpec("occlusion_map", "float32", ("batch", 1, config.cells, config.cells))
    return Plan(
        family=FAMILY,
        arch=_arch_name(config.depth, config.squeeze_excite),
        task="embedder",
        network=on_meta(partial(IResNet, config)),
        preprocess=PreprocessSpec(
            height=side,
            width=side,
            color_order="bgr",
            mean=(127.5, 127.5, 127.5),
            std=(127.5, 127.5, 127.5),
            geometry="align",
            alignment_template="arcface_112",
        ),
        origin="mk-minchul/AdaFace",
        license="MIT (the layout's repository; your file's may differ)",
        features=config.embedding_dim,
        further=() if config.occlusion is None else (occlusion,),
        unused=(MATCHING_HEAD,),
    )


def _config(shapes: Shapes, arch: str | None) -> IResNetConfig:
    if arch is None:
        depth, squeeze = _depth(shapes), any(".se_block." in key for key in shapes)
    else:
        depth, squeeze = int(arch.rsplit("_", 1)[1]), arch.startswith("ir_se_")
    return IResNetConfig(
        depth=depth,
        squeeze_excite=squeeze,
        embedding_dim=size_of(shapes, "output_layer.3.weight", 0, rank=2, usual=512),
        cells=_cells(shapes, IResNetConfig(depth).channels[-1]),
        affine="output_layer.4.weight" in shapes,
        occlusion=_occlusion(shapes),
    )


def _depth(shapes: Shapes) -> int:
    """Return the depth whose stages have most nearly as many units as the checkpoint's."""
    bottleneck = "body.0.res_layer.7.weight" in shapes
    last_convolution = re.compile(rf"body\.\d+\.res_layer\.{7 if bottleneck else 4}\.weight")
    widths = [s[0] for key, s in shapes.items() if s and last_convolution.fullmatch(key)]

    def distance(depth: int) -> int:
        stages = zip(IResNetConfig(depth).channels, UNITS[depth], strict=True)
        return sum(abs(widths.count(width) - units) for width, units in stages)

    return min((d for d in UNITS if IResNetConfig(d).bottleneck == bottleneck), key=distance)


def _cells(shapes: Shapes, channels: int) -> int:
    inputs = size_of(shapes, "output_layer.3.weight", 1, rank=2, usual=0)
    return next((cells for cells in CELLS if channels * cells**2 == inputs), CELLS[0])


def _occlusion(shapes: Shapes) -> OcclusionBranch | None:
    sequential, named = "occlusion_head.conv.0.weight", "occlusion_head.conv1.weight"
    if sequential in shapes:
        return OcclusionBranch(size_of(shapes, sequential, 0, rank=4, usual=128), "sequential")
    if named in shapes:
        return OcclusionBranch(size_of(shapes, named, 0, rank=4, usual=128), "named")
    return None


def _arch_name(depth: int, squeeze_excite: bool) -> str:
    return f"ir_se_{depth}" if squeeze_excite else f"ir_{depth}"


ARCHS = tuple(_arch_name(depth, squeeze) for squeeze in (False, True) for depth in UNITS)

LAYOUTS: tuple[Layout, ...] = (Layout(FAMILY, ARCHS, "body.0.res_layer.", _plan),)

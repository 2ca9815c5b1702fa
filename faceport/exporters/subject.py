"""What an export starts from: the network, pictures, and what it computes from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceport.bundle import Detail
from faceport.errors import ExportError
from faceport.exporters.base import Exportable, ExportOptions
from faceport.exporters.calibration import FaceCrops
from faceport.exporters.precision.judge import Pictures
from faceport.exporters.quiet import first_line
from faceport.runtime import parity
from faceport.runtime.preprocess import to_tensor
from faceport.runtime.sessions.base import Array
from faceport.spec import ColorOrder, ModelSpec

if TYPE_CHECKING:
    from torch import nn

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Subject:
    """What is exported, and what its outputs must be.

    Attributes:
        module: with the preprocessing in it, if that was asked for.
        spec: of this module.
        proof: the pictures that travel in the bundle.
        faces: real faces that do not; None where none were given.
        calibration: (N, …) input tensors of other faces, or None.
        face_details: where the faces came from, for the manifest.
    """

    module: nn.Module
    spec: ModelSpec
    proof: Pictures
    faces: Pictures | None = None
    calibration: Array | None = None
    face_details: Mapping[str, Detail] = field(default_factory=dict)

    @property
    def judged_on(self) -> Pictures:
        """What a tolerance is demanded on: real faces where there are any, else the proof."""
        return self.faces or self.proof


def subject_of(
    model: Exportable, pixels: Pixels, crops: FaceCrops | None, options: ExportOptions
) -> Subject:
    """Run the network on the pictures, and put the preprocessing into it if that was asked for.

    Args:
        model: the network and its spec.
        pixels: (N, height, width, 3) RGB: the proof's pictures.
        crops: real faces, if there are any.
        options: `fuse_preprocess` counts.

    Raises:
        ExportError: the network is not what its spec says.
        ParityError: its outputs are not finite.
    """
    order = model.spec.preprocess.color_order
    reference = _reference(model, pixels, "rgb")
    of_faces = None if crops is None else _reference(model, crops.held_out, order)
    module, spec = model.module, model.spec
    if options.fuse_preprocess:
        from faceport.exporters.fuse import fuse_preprocess

        module, spec = fuse_preprocess(module, spec)
    proof = Pictures(to_tensor(pixels, "rgb", spec.preprocess), reference)
    if crops is None or of_faces is None:
        return Subject(module, spec, proof)
    faces = Pictures(to_tensor(crops.held_out, order, spec.preprocess), of_faces)
    calibration = to_tensor(crops.calibration, order, spec.preprocess)
    return Subject(module, spec, proof, faces, calibration, crops.details)


def _reference(model: Exportable, pixels: Pixels, order: ColorOrder) -> dict[str, Array]:
    inputs = to_tensor(pixels, order, model.spec.preprocess)
    reference = reference_outputs(model, inputs)
    parity.check_reference(model.spec, inputs, reference)
    return reference


def reference_outputs(model: Exportable, inputs: Array) -> dict[str, Array]:
    """Return what the network computes: one array an output, by name.

    Raises:
        ExportError: it fails on its own input, gives another number of outputs than its spec says,
            or is in training mode.
    """
    import torch

    if model.module.training:
        raise ExportError("the module is in training mode", expected="module.eval()")
    try:
        with torch.inference_mode():
            values = model.module(torch.from_numpy(inputs))
    # torch raises RuntimeError for nearly everything, and others besides.
    except Exception as error:
        raise ExportError(
            f"{model.spec.arch} does not run on its own input: {first_line(error)}"
        ) from error
    names = model.spec.output_names
    if len(values) != len(names):
        raise ExportError(
            f"the module of {model.spec.arch} is not what its spec says",
            received=f"{len(values)} outputs",
            expected=", ".join(names),
        )
    return {name: value.numpy() for name, value in zip(names, values, strict=True)}

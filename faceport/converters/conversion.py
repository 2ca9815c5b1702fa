"""What a conversion takes and gives, and what a family of checkpoints has to provide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from faceport.spec import (
    ColorOrder,
    DetectorSpec,
    ModelSpec,
    Pool,
    PreprocessSpec,
    Task,
    TensorSpec,
    Triple,
)

if TYPE_CHECKING:
    import torch

Shapes = Mapping[str, tuple[int, ...]]
"""The keys of a checkpoint's network, without wrappers and prefixes, to their tensors' shapes."""

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and the whole size, or None where it isn't known."""


@dataclass(frozen=True)
class ConvertOptions:
    """What overrules detection and the layout's defaults; None keeps them.

    Attributes:
        family, arch: take the checkpoint for this; keys that do not fit are an error.
        head: which end of the network, where a layout has several (`landmarks`, `features`).
        normalize: end a recogniser in the L2 norm.
        trust_checkpoint: read a pickle that runs code of its own. Only for files you trust.
        sha256: what the file must hash to, 64 hex digits.
        color_order: `rgb` or `bgr`; default means and deviations are put in its order.
        mean, std: per channel in the colour order, in 0-255 pixel units.
        input_height, input_width: of the network's input in pixels, for families that take any.
        pool: which tokens of a transformer make the embedding.
    """

    family: str | None = None
    arch: str | None = None
    head: str | None = None
    normalize: bool = True
    trust_checkpoint: bool = False
    sha256: str | None = None
    color_order: ColorOrder | None = None
    mean: Triple | None = None
    std: Triple | None = None
    input_height: int | None = None
    input_width: int | None = None
    pool: Pool | None = None


@dataclass(frozen=True)
class Conversion:
    """A checkpoint as a torch module (eval, float32, CPU) and its spec.

    The module maps (N, 3, height, width) float32 to a tuple in the order of `spec.output_names`.
    """

    module: torch.nn.Module
    spec: ModelSpec


@dataclass(frozen=True)
class PlanRequest:
    """A checkpoint's shapes, the architecture asked for (None: find it) and the network's end.

    What the caller chose of `Layout.choices` is here too; None is the layout's default.
    """

    shapes: Shapes
    arch: str | None
    head: str
    pool: Pool | None = None
    input_height: int | None = None
    input_width: int | None = None


@dataclass(frozen=True)
class Plan:
    """What a layout makes of a checkpoint's shapes.

    Attributes:
        family, arch: names of the family and the architecture.
        task: `embedder`, `landmarks` or `detector`.
        network: on the meta device; its state dict is what the checkpoint has to fill. It gives
            the raw features, or a tuple that starts with them; a detector gives `further`.
        preprocess: the layout's default.
        origin, license: the repository that published the layout, and what is known of its weights.
        features: length of the features; of a detector, numbers an anchor.
        further: outputs of the network after the features.
        unused: prefixes of keys that the network has no part for, on purpose.
        warnings: what a user of the model must know.
        pool: which tokens make the embedding, where there is a choice.
        expected: the keys that the checkpoint has to have, where they are not the network's.
        adapt: makes the network's state, float32, from the tensors of those keys.
        detector: how a detector's outputs are read.
    """

    family: str
    arch: str
    task: Task
    network: torch.nn.Module
    preprocess: PreprocessSpec
    origin: str
    license: str
    features: int
    further: tuple[TensorSpec, ...] = ()
    unused: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    pool: Pool | None = None
    expected: Shapes | None = None
    adapt: Callable[[Mapping[str, torch.Tensor]], dict[str, torch.Tensor]] | None = None
    detector: DetectorSpec | None = None


@dataclass(frozen=True)
class Layout:
    """One published key layout.

    Attributes:
        family: name of the family, as `--family` takes it.
        archs: names of its architectures, as `--arch` takes them.
        marker: the beginning of a key that a checkpoint of this layout has.
        plan: must not fail on missing or odd keys: it assumes the usual size, and the comparison
            with the checkpoint names them. It raises InputError for a choice that does not fit.
        heads: names of the network's ends, the default first.
        choices: the fields of `PlanRequest` that a caller may set, besides `arch` and `head`.
    """

    family: str
    archs: tuple[str, ...]
    marker: str
    plan: Callable[[PlanRequest], Plan]
    heads: tuple[str, ...] = ("embedding",)
    choices: tuple[str, ...] = ()

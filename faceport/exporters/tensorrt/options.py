"""How an engine is built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faceport.errors import InputError

HardwareCompatible = Literal["none", "same-compute-capability", "ampere-plus"]


@dataclass(frozen=True)
class BuildOptions:
    """How an engine is built.

    The least batch is 1: there are pictures with one face.

    Attributes:
        opt_batch: rows that the engine is tuned for.
        max_batch: most rows of a run; memory is allocated for them. None takes what the runtime
            feeds: 32 faces, 8 pictures, 1 picture if its size may vary.
        workspace_mib: most scratch memory of a layer; None leaves it to TensorRT (all there is).
        timing_cache: file that keeps how fast kernels were, so that the next build is short; made
            if missing, refused by TensorRT if of another device.
        version_compatible: let later versions of TensorRT run the engine; somewhat slower.
        hardware_compatible: let other GPUs run the engine; slower.
        refit: let the engine's weights be replaced.
        strip_weights: leave the weights out; they are read from the ONNX file at loading.
        tf32: let fp32 layers multiply with 10 bits of mantissa.
    """

    opt_batch: int = 1
    max_batch: int | None = None
    workspace_mib: int | None = None
    timing_cache: Path | None = None
    version_compatible: bool = False
    hardware_compatible: HardwareCompatible = "none"
    refit: bool = False
    strip_weights: bool = False
    tf32: bool = False

    def __post_init__(self) -> None:
        most = self.opt_batch if self.max_batch is None else self.max_batch
        if not 1 <= self.opt_batch <= most:
            raise InputError(
                "the batch sizes of an engine are not in order",
                received=f"opt {self.opt_batch}, max {most}",
                expected="1 ≤ opt ≤ max",
            )
        if self.workspace_mib is not None and self.workspace_mib < 1:
            raise InputError("the workspace", received=self.workspace_mib, expected="1 MiB or more")

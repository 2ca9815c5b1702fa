"""From formats and precisions to what is made: formats × precisions is not a full grid."""

from __future__ import annotations

from dataclasses import dataclass

from faceport.errors import InputError
from faceport.exporters.base import ExportOptions, Target
from faceport.exporters.registry import ENGINE_EXPORTERS, EXPORTERS, PRECISION_STEPS
from faceport.runtime import parity

ONNX = "onnx"
FP32 = "fp32"


@dataclass(frozen=True)
class Plan:
    """What an export makes.

    Attributes:
        modules: formats made from the torch module, in fp32; `onnx` among them if it is kept.
        precisions: of the ONNX files that are made, for the bundle or for engines.
        keeps_onnx: whether those files stay in the bundle.
        engines: formats that are built from each of them.
        target: whose habits the ONNX graphs are written for.
        notes: what was asked for and is not made.
    """

    modules: tuple[str, ...]
    precisions: tuple[str, ...]
    keeps_onnx: bool
    engines: tuple[str, ...]
    target: Target
    notes: tuple[str, ...]


def plan_of(options: ExportOptions) -> Plan:
    """Decide what an export makes.

    Raises:
        InputError: an unknown format or precision, one named twice, or nothing would be made.
    """
    _check_names(options)
    engines = tuple(name for name in options.formats if name in ENGINE_EXPORTERS)
    modules = tuple(name for name in options.formats if name in EXPORTERS)
    if FP32 not in options.precisions:
        modules = ()
    keeps_onnx = ONNX in options.formats
    if not modules and not engines and not keeps_onnx:
        raise InputError(
            "nothing would be made",
            received=f"{', '.join(options.formats)} in {', '.join(options.precisions)}",
            expected="fp32 among the precisions, or the format onnx",
            fix="TorchScript and pt2 are made in fp32 only",
        )
    return Plan(
        modules=modules,
        precisions=options.precisions if keeps_onnx or engines else (),
        keeps_onnx=keeps_onnx,
        engines=engines,
        target=options.target or ("tensorrt" if engines else "onnxruntime"),
        notes=tuple(_notes(options, engines)),
    )


def _notes(options: ExportOptions, engines: tuple[str, ...]) -> list[str]:
    notes = []
    single = [name for name in options.formats if name in EXPORTERS and name != ONNX]
    others = [name for name in options.precisions if name != FP32]
    if single and others:
        notes.append(f"{', '.join(single)}: not made in {', '.join(others)}, only in fp32")
    if single and FP32 not in options.precisions:
        notes.append(f"{', '.join(single)}: not made, because fp32 was not asked for")
    if engines and ONNX not in options.formats:
        notes.append(
            f"{', '.join(engines)}: the ONNX files they were built from are not in the bundle; "
            "add onnx to --formats to build them again on another device"
        )
    return notes


def _check_names(options: ExportOptions) -> None:
    for kind, names in (("formats", options.formats), ("precisions", options.precisions)):
        if not names or len(set(names)) != len(names):
            raise InputError(
                f"the {kind} are not a list of different names", received=", ".join(names) or "none"
            )
    formats = (*EXPORTERS, *ENGINE_EXPORTERS)
    for name in options.formats:
        if name not in formats:
            raise InputError("no such format", received=name, expected=", ".join(formats))
    for name in options.precisions:
        if name not in PRECISION_STEPS:
            known = ", ".join(PRECISION_STEPS)
            raise InputError("no such precision", received=name, expected=known)
        parity.tolerance_for(name)

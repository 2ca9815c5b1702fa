"""Every session that faceport knows, and what a text of labels picks of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from faceport.benchmarks.latency.cases import SessionChoice
from faceport.errors import InputError
from faceport.runtime.sessions import BACKENDS
from faceport.runtime.sessions.ort_providers import PROVIDERS

ALL = "all"
OPENVINO_COMPUTES = {"cpu": ("f32", "bf16", "f16"), "gpu": ("f32", "f16"), "npu": ("f16",)}
"""OpenVINO's device to the types that it may compute in; a CPU has the smaller ones or has not."""

OTHER_PROVIDERS = {
    "torchscript": ("cpu", "cuda"),
    "pt2": ("cpu", "cuda"),
    "tensorrt": ("cuda",),
    "tensorrt-rtx": ("cuda",),
}


def known_sessions() -> tuple[SessionChoice, ...]:
    """Return every backend with every provider, whether it is here or not."""
    return tuple(choice for backend in BACKENDS for choice in _of_backend(backend))


def pick_sessions(text: str) -> tuple[SessionChoice, ...]:
    """Read `all`, or labels separated by commas.

    A label may be the beginning of one: `onnxruntime`, `openvino/cpu`. A label that is whole means
    itself alone: `onnxruntime/cpu` is without its spinning variant.

    Raises:
        InputError: a label fits no session.
    """
    known = known_sessions()
    picked: dict[SessionChoice, None] = {}
    for label in (part.strip() for part in text.split(",")):
        found = known if label == ALL else _fitting(label, known)
        if not found:
            raise InputError(
                "no such session",
                received=repr(label),
                expected=f"{ALL}, or of: {', '.join(choice.label for choice in known)}",
            )
        picked |= dict.fromkeys(found)
    return tuple(picked)


def _of_backend(backend: str) -> Iterator[SessionChoice]:
    if backend == "openvino":
        for device, computes in OPENVINO_COMPUTES.items():
            yield from (SessionChoice(backend, device, compute) for compute in computes)
    elif backend == "onnxruntime":
        yield SessionChoice(backend, "cpu")
        yield SessionChoice(backend, "cpu", spinning=True)
        yield from (SessionChoice(backend, name) for name in PROVIDERS if name != "cpu")
    else:
        yield from (SessionChoice(backend, name) for name in OTHER_PROVIDERS[backend])


def _fitting(label: str, known: Sequence[SessionChoice]) -> list[SessionChoice]:
    whole = [choice for choice in known if choice.label == label]
    return whole or [choice for choice in known if _begins(choice.label, label)]


def _begins(label: str, start: str) -> bool:
    rest = label.removeprefix(start)
    return bool(start) and rest != label and rest[0] in "/@+"

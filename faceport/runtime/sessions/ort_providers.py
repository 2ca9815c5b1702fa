"""onnxruntime's execution providers: their names, which of them may run, which of them does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from faceport.errors import ProviderUnavailableError
from faceport.runtime.sessions.base import SessionOptions, check_option_names

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
"""faceport's short name to onnxruntime's."""

SESSION = "session"
"""Group of `provider_options` that holds onnxruntime's session settings, as `ep.context_enable`."""

FIXES = {
    "cuda": "install onnxruntime-gpu instead of onnxruntime (never both) and a CUDA 12 or 13 "
    "driver, or list a fallback: --providers cuda,cpu",
    "tensorrt": "install an onnxruntime-gpu that has TensorRT (its aarch64 wheel has not) and "
    "TensorRT itself, use the tensorrt backend, or list a fallback: --providers tensorrt,cuda,cpu",
    "openvino": "install onnxruntime-openvino instead of onnxruntime (never both), or use "
    "OpenVINO itself: --backend openvino --providers cpu",
    "coreml": "CoreML is on macOS only; list a fallback: --providers coreml,cpu",
}
"""What to do where a provider is missing."""


def listed_providers(
    options: SessionOptions, there: Sequence[str]
) -> list[tuple[str, dict[str, str]]]:
    """Return the providers to ask onnxruntime for, each with its settings.

    Args:
        options: of the session.
        there: what `onnxruntime.get_available_providers()` says.

    Raises:
        ProviderUnavailableError: an unknown name, an empty list, or none of them is there.
        InputError: settings of a provider that is not listed.
    """
    asked = options.providers
    unknown = [name for name in asked if name not in PROVIDERS]
    if unknown or not asked:
        raise ProviderUnavailableError(
            "onnxruntime has no such provider here",
            received=", ".join(unknown) or "an empty list",
            expected=", ".join(PROVIDERS),
        )
    check_option_names(options, (SESSION,))
    wanted = [name for name in asked if PROVIDERS[name] in there]
    if not wanted:
        raise ProviderUnavailableError(
            "this onnxruntime does not have the provider",
            received=", ".join(asked),
            expected=", ".join(name for name, long in PROVIDERS.items() if long in there),
            fix=fix_of(asked),
        )
    return [(PROVIDERS[name], dict(options.provider_options.get(name, {}))) for name in wanted]


def running_provider(asked: Sequence[str], reported: Sequence[str]) -> str:
    """Return the short name of the provider that a session really runs on.

    Args:
        asked: short names in order of preference.
        reported: what `session.get_providers()` says; the first one is in use.

    Raises:
        ProviderUnavailableError: it fell back to one that was not asked for.
    """
    short = {long: name for name, long in PROVIDERS.items()}
    first = short.get(reported[0], reported[0]) if reported else "nothing"
    if first not in asked:
        raise ProviderUnavailableError(
            "onnxruntime fell back to another provider",
            received=first,
            expected=" or ".join(asked),
            fix=fix_of(asked),
        )
    return first


def installed_builds(names: Iterable[str] | None = None) -> list[str]:
    """Return the onnxruntime distributions that are installed, by name, sorted.

    They share one import name and one folder: of two, the files of the one installed last win.

    Args:
        names: of distributions; None asks the environment.
    """
    if names is None:
        # Only a message needs it, and it takes as long to import as a small model to load.
        from importlib.metadata import distributions

        names = (str(item.metadata["Name"]) for item in distributions())
    plain = {name.lower().replace("_", "-") for name in names}
    return sorted(
        name
        for name in plain
        if name == "onnxruntime"
        or (name.startswith("onnxruntime-") and not name.startswith(NOT_BUILDS))
    )


NOT_BUILDS = ("onnxruntime-extensions", "onnxruntime-tools", "onnxruntime-genai")
"""Distributions that add to onnxruntime and are none themselves."""


def fix_of(asked: Sequence[str]) -> str:
    """Return what to do where none of these providers runs."""
    builds = installed_builds()
    if len(builds) > 1:
        return (
            f"{' and '.join(builds)} are installed over each other: uninstall them all, then "
            f"install one"
        )
    return "; ".join(FIXES[name] for name in asked if name in FIXES)

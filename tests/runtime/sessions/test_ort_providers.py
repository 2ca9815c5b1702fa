from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceport.errors import InputError, ProviderUnavailableError, SessionError
from faceport.runtime.sessions import SessionOptions, open_session, ort_providers
from faceport.runtime.sessions.ort_providers import installed_builds, listed_providers

EVERYTHING = list(ort_providers.PROVIDERS.values())


def test_each_provider_gets_its_own_options_in_the_callers_order() -> None:
    options = SessionOptions(
        ("tensorrt", "cuda", "cpu"),
        provider_options={"cuda": {"device_id": "1"}, "session": {"ep.context_enable": "1"}},
    )
    assert listed_providers(options, EVERYTHING) == [
        ("TensorrtExecutionProvider", {}),
        ("CUDAExecutionProvider", {"device_id": "1"}),
        ("CPUExecutionProvider", {}),
    ]


def test_what_this_build_lacks_is_left_out_if_something_else_was_listed() -> None:
    there = ["CPUExecutionProvider"]
    assert listed_providers(SessionOptions(("coreml", "cpu")), there) == [(there[0], {})]
    for name in ("cuda", "tensorrt", "openvino", "coreml"):
        with pytest.raises(ProviderUnavailableError, match=name):
            listed_providers(SessionOptions((name,)), there)


def test_options_of_a_provider_that_is_not_listed_are_refused() -> None:
    options = SessionOptions(("cpu",), provider_options={"cuda": {"device_id": "1"}})
    with pytest.raises(InputError, match="not listed"):
        listed_providers(options, EVERYTHING)


def test_two_builds_over_each_other_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["onnxruntime", "onnxruntime_gpu", "onnxruntime-extensions", "onnx", "numpy"]
    assert installed_builds(names) == ["onnxruntime", "onnxruntime-gpu"]
    assert installed_builds() == ["onnxruntime"]
    monkeypatch.setattr(ort_providers, "installed_builds", lambda: installed_builds(names))
    with pytest.raises(ProviderUnavailableError, match="onnxruntime and onnxruntime-gpu are inst"):
        listed_providers(SessionOptions(("cuda",)), ["CPUExecutionProvider"])


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The settings that sessions are opened with."""
    import onnxruntime

    entries: list[tuple[str, str]] = []

    class Recording(onnxruntime.SessionOptions):  # type: ignore[misc]
        def add_session_config_entry(self, key: str, value: str) -> None:
            entries.append((key, value))
            super().add_session_config_entry(key, value)

    monkeypatch.setattr(onnxruntime, "SessionOptions", Recording)
    return entries


def test_the_settings_of_a_session(weights: Path, recorded: list[tuple[str, str]]) -> None:
    path = weights / "yunet_n_dynamic.onnx"
    open_session(path, "onnxruntime").close()
    shared = ("session.use_env_allocators", "1")
    assert recorded == [("session.intra_op.allow_spinning", "0"), shared]
    recorded.clear()
    extra = {"session": {"session.inter_op.allow_spinning": "0"}}
    open_session(path, "onnxruntime", SessionOptions(spinning=True, provider_options=extra)).close()
    assert recorded == [shared, ("session.inter_op.allow_spinning", "0")]


def test_without_cpu_in_the_list_nothing_may_run_there(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A GPU build without a GPU: CUDA is said to be there, and every node would go to the CPU.
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: EVERYTHING)
    with (
        pytest.warns(UserWarning, match="not in available"),
        pytest.raises(ProviderUnavailableError, match="fallen back to the CPU"),
    ):
        open_session(weights / "yunet_n_dynamic.onnx", "onnxruntime", SessionOptions(("cuda",)))


def test_a_setting_that_onnxruntime_refuses_is_named(weights: Path) -> None:
    options = SessionOptions(provider_options={"session": {"": "1"}})
    with pytest.raises(SessionError, match="option is wrong"):
        open_session(weights / "yunet_n_dynamic.onnx", "onnxruntime", options)


def test_a_binding_gives_what_a_plain_run_gives_at_every_size(weights: Path) -> None:
    # On the CPU's memory: the binding is the same code for any device.
    import onnxruntime

    from faceport.runtime.sessions.ort_binding import MAX_BINDINGS, DeviceBinding

    session = onnxruntime.InferenceSession(
        str(weights / "yunet_n_dynamic.onnx"), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    binding = DeviceBinding(session, names, "cpu")
    random = np.random.default_rng(0)
    sizes = [64, 96, 64, *range(96, 96 + 32 * MAX_BINDINGS, 32), 64]
    for size in sizes:
        # A transposed view: the memory order of a caller's array must not matter.
        feed = random.random((1, size, 64, 3), np.float32).transpose(0, 3, 1, 2) * 255
        for received, expected in zip(
            binding.run({"input": feed}), session.run(None, {"input": feed}), strict=True
        ):
            np.testing.assert_array_equal(received, expected)
    assert len(binding._bound) == MAX_BINDINGS

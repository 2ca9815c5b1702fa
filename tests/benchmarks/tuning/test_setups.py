from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from faceport.benchmarks.latency.cases import SessionChoice
from faceport.benchmarks.tuning.setups import (
    Setup,
    batches_for,
    default_setup,
    find_candidates,
    setup_of,
)
from faceport.bundle import Bundle, write_manifest
from faceport.errors import BundleError, InputError

ORT = SessionChoice("onnxruntime", "cpu")
SPINNING = SessionChoice("onnxruntime", "cpu", spinning=True)
ELSEWHERE = SessionChoice("onnxruntime", "coreml")


@pytest.fixture
def bundle(detectors: dict[str, Path], tmp_path: Path) -> Bundle:
    return Bundle.open(shutil.copytree(detectors["yunet"], tmp_path / "det.bundle"))


def test_every_session_and_thread_count_is_a_candidate(bundle: Bundle) -> None:
    found = find_candidates(bundle, [ORT, SPINNING, ELSEWHERE], (1, 2))
    labels = {setup.label.removeprefix("model.onnx in ") for setup in found.setups}
    # One thread has none beside it that could spin.
    assert labels == {
        "onnxruntime/cpu, 1 thread",
        "onnxruntime/cpu, 2 threads",
        "onnxruntime/cpu+spinning, 2 threads",
    }
    assert [item.session for item in found.absent] == ["onnxruntime/coreml"]


def test_the_default_is_what_runs_without_a_device_file(bundle: Bundle) -> None:
    setup = default_setup(bundle)
    assert setup is not None
    assert setup.label == "model.onnx in onnxruntime/cpu"
    assert setup_of(setup.case(3)) == setup
    assert setup.case(3).batch == 3


def test_a_bundle_without_fp32_has_no_default(bundle: Bundle) -> None:
    (artefact,) = bundle.manifest.artefacts
    changed = replace(bundle.manifest, artefacts=(replace(artefact, precision="int8"),))
    write_manifest(bundle.path, changed)
    assert default_setup(Bundle.open(bundle.path)) is None


def test_a_bundle_that_can_not_run_here_is_an_error(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match=r"nothing of .* can run here"):
        find_candidates(bundle, [ELSEWHERE], (1,))


def test_no_threads_are_refused(bundle: Bundle) -> None:
    with pytest.raises(InputError, match="threads"):
        find_candidates(bundle, [ORT], (0,))


def test_batches_keep_to_the_models_limit(bundle: Bundle, setup: Setup) -> None:
    assert batches_for(replace(bundle.spec, max_batch=None), (8, 4)) == (1, 4, 8)
    assert batches_for(replace(bundle.spec, max_batch=4), (8, 4)) == (1, 4)
    assert setup.case(1).key != setup.case(2).key

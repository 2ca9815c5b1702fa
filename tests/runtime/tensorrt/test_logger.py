from __future__ import annotations

from types import SimpleNamespace

from fake_tensorrt import ILogger

from faceport.runtime.tensorrt.logger import KEPT, last_error, make_logger


def test_errors_are_kept_and_the_first_names_the_cause() -> None:
    logger = make_logger(SimpleNamespace(ILogger=ILogger))
    assert last_error(logger) == "TensorRT gave no reason"
    logger.log(ILogger.VERBOSE, "chatter")
    logger.log(ILogger.ERROR, "the cause")
    logger.log(ILogger.INTERNAL_ERROR, "catchCudaError")
    assert logger.errors == ["the cause", "catchCudaError"]
    assert last_error(logger) == "the cause"


def test_only_so_many_are_kept() -> None:
    logger = make_logger(SimpleNamespace(ILogger=ILogger))
    for number in range(KEPT + 7):
        logger.log(ILogger.ERROR, str(number))
    assert len(logger.errors) == KEPT
    assert logger.errors[-1] == str(KEPT + 6)

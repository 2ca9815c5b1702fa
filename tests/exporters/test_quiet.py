from __future__ import annotations

import logging
import sys
import threading
import warnings

import pytest

from faceport.exporters.quiet import first_line, quiet


def chatter() -> None:
    sys.stdout.write("on stdout\n")
    sys.stderr.write("on stderr\n")
    logging.getLogger("torch.onnx").error("in the log")
    warnings.warn("deprecated", DeprecationWarning, stacklevel=1)


def test_nothing_is_written_inside(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with quiet():
        chatter()
    assert capsys.readouterr() == ("", "")
    assert caplog.records == []


def test_a_progress_display_in_another_thread_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    def spin() -> None:
        if not sys.stderr.closed:
            sys.stderr.write("50 %")

    with quiet():
        thread = threading.Thread(target=spin)
        thread.start()
        thread.join()
    assert capsys.readouterr() == ("", "50 %")


def test_everything_is_as_it_was_afterwards(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(KeyboardInterrupt), quiet():
        raise KeyboardInterrupt
    with pytest.warns(DeprecationWarning, match="deprecated"):
        chatter()
    assert capsys.readouterr() == ("on stdout\n", "on stderr\n")
    assert [record.message for record in caplog.records] == ["in the log"]


def test_log_levels_that_the_caller_disabled_stay_disabled() -> None:
    logging.disable(logging.INFO)
    try:
        with quiet():
            pass
        assert logging.root.manager.disable == logging.INFO
    finally:
        logging.disable(logging.NOTSET)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("one\ntwo"), "ValueError: one"),
        (RuntimeError(""), "RuntimeError: "),
        (KeyError("x" * 900), "KeyError: '" + "x" * 299),
    ],
)
def test_a_long_message_is_cut_to_its_first_line(error: Exception, line: str) -> None:
    assert first_line(error) == line

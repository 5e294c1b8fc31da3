"""SIGTERM while something is written: what cleans up is not cut short."""

import signal

import pytest

from resnetkit.cli.stopping import leave_nothing_when_terminated


def clean_up_after_one(done: list[str]) -> None:
    try:
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.raise_signal(signal.SIGTERM)
        done.append("cleaned up")


def test_a_second_signal_does_not_end_what_cleans_up_after_the_first() -> None:
    before = signal.getsignal(signal.SIGTERM)
    done: list[str] = []
    with pytest.raises(SystemExit) as left, leave_nothing_when_terminated():
        clean_up_after_one(done)
    assert (left.value.code, done) == (143, ["cleaned up"])
    assert signal.getsignal(signal.SIGTERM) is before


def test_without_a_signal_all_is_as_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with leave_nothing_when_terminated():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before

"""Ctrl-C, termination and a closed terminal end a command at once, or not at all."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


@dataclass
class _State:
    received: int | None = None
    """The first signal that ended what was going on."""
    ignoring: bool = False


_state = _State()


def handle() -> None:
    """From here on a signal raises KeyboardInterrupt, so that what was begun is undone."""
    for number in _SIGNALS:
        # One that whoever started us ignores, as nohup does, stays ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def ignore() -> None:
    """From here on a signal changes nothing; raises KeyboardInterrupt if one came before.

    Python drops the exception of a handler that ran in a destructor: that signal ends here.
    """
    _state.ignoring = True
    if _state.received is not None:
        raise KeyboardInterrupt


@contextmanager
def ignored() -> Iterator[None]:
    """Within it a signal changes nothing."""
    before, _state.ignoring = _state.ignoring, True
    try:
        yield
    finally:
        _state.ignoring = before


def exit_code() -> int:
    """128 plus the signal's number, as a shell counts: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + (_state.received or signal.SIGINT)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    if _state.ignoring:
        return
    # One is enough: a second must not stop the clearing up after the first.
    _state.ignoring = True
    _state.received = number
    # A prompt's event loop would report what the interruption did to its tasks.
    import logging

    logging.disable()
    raise KeyboardInterrupt

"""Ctrl-C, termination and a closed terminal end a command where it can be undone, or not at all."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from sys import UnraisableHookArgs

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class _State:
    received: int | None = None
    """The first signal; it is the last, too, since a second must not stop the clearing up."""
    raising: bool = False
    ignoring: bool = False


_state = _State()


def end_at_once() -> None:
    """Until something is begun Ctrl-C ends the process at once, in silence, as SIGTERM does.

    Python would raise KeyboardInterrupt, and drop it where it meets an import's callback.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def handled() -> Iterator[None]:
    """Within it a signal is noted, and raises KeyboardInterrupt where that is `allowed`.

    An exception raised at any point of a program is too often lost, or leaves half of something.
    The first that leaves the block after a signal, or Ctrl-C typed in a prompt, ends the process
    with 128 plus the signal's number, as a shell counts: 130 for Ctrl-C, 143 for SIGTERM.
    """
    for number in _SIGNALS:
        # A signal that the parent process ignores, as nohup does, stays ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _note)
    try:
        yield
    except BaseException as error:
        # The signal may have ended a child process, too, whose failure is then what is raised.
        if _state.received is None and not isinstance(error, KeyboardInterrupt):
            raise
        raise SystemExit(128 + (_state.received or signal.SIGINT)) from None


@contextmanager
def allowed() -> Iterator[None]:
    """Within it a signal raises KeyboardInterrupt at once; so does, on entry, one that came before.

    For what waits: a prompt, another process, a deployed stack. A prompt waits in an event loop,
    whose tasks are cancelled instead: it raises CancelledError. The main thread has the signals: in
    another one this changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before, _state.raising = _state.raising, True
    hook, sys.unraisablehook = sys.unraisablehook, _repeat
    try:
        if _state.received is not None and not _state.ignoring:
            _raise()
        yield
    finally:
        _state.raising, sys.unraisablehook = before, hook


def ignore() -> None:
    """From here on a signal changes nothing; raises KeyboardInterrupt if one came before."""
    _state.ignoring = True
    if _state.received is not None:
        raise KeyboardInterrupt


def _note(number: int, _frame: FrameType | None) -> None:
    if _state.ignoring or _state.received is not None:
        return
    _state.received = number
    if not _state.raising:
        return
    if loop := _running_loop():
        loop.call_soon_threadsafe(_cancel, loop)
    else:
        _raise()


def _running_loop() -> "AbstractEventLoop | None":
    """Return the event loop of the prompt that waits, if one does."""
    if "asyncio" not in sys.modules:
        return None
    import asyncio

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _cancel(loop: "AbstractEventLoop") -> None:
    """Cancel what a prompt waits for, which ends it.

    An exception in the middle of the loop breaks it: it may then wait for its tasks forever.
    """
    import asyncio

    for task in asyncio.all_tasks(loop):
        task.cancel()


def _raise() -> None:
    _state.ignoring = True
    raise KeyboardInterrupt


def _repeat(dropped: "UnraisableHookArgs") -> None:
    """Raise KeyboardInterrupt again after Python has dropped it.

    So it does where a signal meets a finalizer, or a callback such as that of an import.
    """
    if not isinstance(dropped.exc_value, KeyboardInterrupt) or _state.received is None:
        sys.__unraisablehook__(dropped)
        return
    # Raised here it would be dropped, too.
    again = threading.Timer(0.05, _send, [_state.received])
    again.daemon = True
    again.start()


def _send(number: int) -> None:
    """Let the main thread receive a signal as if it were the first, even while it waits."""
    _state.received, _state.ignoring = None, False
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)

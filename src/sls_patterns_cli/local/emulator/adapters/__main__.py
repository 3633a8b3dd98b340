"""Runs the emulator with the adapters applied: the process that `emulator.server` starts.

Arguments: the listening socket's descriptor and the tether's. Everything else is in the
environment, which the emulator itself reads.
"""

import asyncio
import gc
import os
import shutil
import signal
import sys
from typing import Any

from sls_patterns_cli.local.emulator import adapters, control, proving, tether


def main(listen_fd: int, tether_fd: int) -> None:
    tether.on_lost(tether_fd, _leave_nothing)
    gc.disable()  # nearly all that is imported stays, and each look for garbage walks through it
    adapters.apply_all()
    if proves := os.environ.get(proving.VARIABLE):
        proving.apply()
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    if proves:
        from sls_patterns_cli.local.emulator.proving.control import do
    else:
        from sls_patterns_cli.local.emulator.answering import do
    gc.freeze()
    gc.enable()

    application: Any = control.controlled(app, do)
    config = Config()
    config.bind = [f"fd://{listen_fd}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"

    asyncio.run(serve(application, config))


def _leave_nothing() -> None:
    """Our parent was killed: remove its temporary folder and end the functions and ourselves."""
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os.killpg(os.getpgrp(), signal.SIGKILL)


main(int(sys.argv[1]), int(sys.argv[2]))

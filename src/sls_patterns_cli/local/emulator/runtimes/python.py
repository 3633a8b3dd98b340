"""The Python execution environment of one function: imports the handler, serves invocations.

Runs on the function's own interpreter, with nothing but the standard library. Speaks the
emulator's protocol: JSON lines on standard input and output; logs go to standard error, where a
line `LOG_END` closes the log of each invocation. With the descriptor of a socket as argument it
serves nothing itself, but imports packages and forks such environments.

Follows the runtime's documented behaviour for handlers, errors and logging:
https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html
https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html
https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

from __future__ import annotations  # for Python 3.9, which knows no `int | None`

import importlib
import json
import logging
import os
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import ast
    import socket
    from collections.abc import Callable, Iterator, Sequence

    Modules = Sequence[tuple[ast.Module, list[tuple[str, tuple[str, ...]]]]]

LOG_END = "\x1e"
"""ASCII record separator: no log line of a handler is this and nothing else."""

MESSAGE_BYTES = 1 << 17
"""Of what starts a function: its variables are 4 KB at most."""

RESERVED_RECORD_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


class Context:
    """https://docs.aws.amazon.com/lambda/latest/dg/python-context.html"""

    identity = None
    client_context = None

    def __init__(self, invocation: dict[str, Any]) -> None:
        self.aws_request_id = invocation["request_id"]
        self.invoked_function_arn = invocation["invoked_function_arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline = time.monotonic() + invocation["timeout_ms"] / 1000

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.monotonic()) * 1000))


class JsonFormatter(logging.Formatter):
    """https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html#python-logging-advanced"""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "timestamp": utc(record.created),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": requests.current,
        }
        if record.exc_info and (error := record.exc_info[1]):
            entry.update(
                errorType=type(error).__name__,
                errorMessage=str(error),
                stackTrace=traceback.format_tb(error.__traceback__),
            )
        extra = {k: v for k, v in record.__dict__.items() if k not in RESERVED_RECORD_FIELDS}
        return json.dumps({**entry, **extra}, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("[%(levelname)s]\t%(asctime)s\t%(aws_request_id)s\t%(message)s")

    def formatTime(  # noqa: N802 (the name is the base class's)
        self,
        record: logging.LogRecord,
        datefmt: str | None = None,  # noqa: ARG002
    ) -> str:
        return utc(record.created)

    def format(self, record: logging.LogRecord) -> str:
        record.aws_request_id = requests.current
        return super().format(record)


class Requests:
    """The request that is being served, for the log."""

    current: str | None = None


requests = Requests()


def utc(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"


def as_json() -> bool:
    return os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"


def configure_logging() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json() else TextFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    if level := os.environ.get("AWS_LAMBDA_LOG_LEVEL"):
        root.setLevel({"TRACE": "DEBUG", "FATAL": "CRITICAL"}.get(level, level))


def described(error: Exception) -> dict[str, Any]:
    """An exception as Lambda returns it to the caller."""
    trace = error.__traceback__
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": requests.current,
        "stackTrace": traceback.format_tb(trace and (trace.tb_next or trace)),
    }


def log_error(error: dict[str, Any]) -> None:
    if as_json():
        entry = {"timestamp": utc(time.time()), "level": "ERROR", **error}
        entry["message"] = entry.pop("errorMessage")
        sys.stderr.write(f"{json.dumps(entry)}\n")
    else:
        trace = "".join(error["stackTrace"])
        sys.stderr.write(
            f"[ERROR] {error['errorType']}: {error['errorMessage']}\n"
            f"Traceback (most recent call last):\n{trace}\n"
        )


def invoke(handler: Callable[..., Any], message: dict[str, Any]) -> str:
    invocation = message["ctx"]
    requests.current = invocation["request_id"]
    if trace_id := invocation.get("trace_id"):
        os.environ["_X_AMZN_TRACE_ID"] = trace_id
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    try:
        result = handler(message["event"], Context(invocation))
        try:
            return json.dumps({"status": "ok", "result": result})
        except (TypeError, ValueError) as error:
            unserialisable = {**described(error), "errorType": "Runtime.MarshalError"}
            log_error(unserialisable)
            return json.dumps({"status": "ok", "result": None, "function_error": unserialisable})
    except Exception as error:  # noqa: BLE001 (whatever a handler raises is its result)
        failure = described(error)
        log_error(failure)
        return json.dumps({"status": "ok", "result": None, "function_error": failure})


def serve(init: dict[str, Any]) -> None:
    """Be the environment, until standard input ends."""
    # What the handler prints, also from C, is log; the protocol keeps the real standard output.
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr

    def reply(line: str) -> None:
        sys.stderr.write(f"{LOG_END}\n")
        sys.stderr.flush()
        replies.write(f"{line}\n")

    os.environ.update(init["env"])
    sys.path[:0] = init["path"]
    configure_logging()
    try:
        handler = getattr(importlib.import_module(module_name(init)), init["handler"])
    except BaseException as error:  # noqa: BLE001 (sys.exit at import too)
        traceback.print_exc()
        reply(json.dumps({"status": "error", "error": f"{type(error).__name__}: {error}"}))
        return
    reply(json.dumps({"status": "ready"}))
    for line in sys.stdin:
        reply(invoke(handler, json.loads(line)))


def module_name(init: dict[str, Any]) -> str:
    name: str = init["module"]
    return name.replace("/", ".")


class Variables(type(os.environ)):  # type: ignore[misc]
    """The process's variables, which know what has been read of them, and what that was."""

    read: ClassVar[dict[str, str | None]] = {}

    def __getitem__(self, name: str) -> str:
        self.read[name] = None
        value: str = super().__getitem__(name)
        self.read[name] = value
        return value

    def __iter__(self) -> Iterator[str]:
        self.read[EVERYTHING] = ""
        return iter(super().__iter__())


EVERYTHING = "="
"""Stands for all variables: no variable can have this name."""


def share_packages(requests: socket.socket) -> None:
    """Import what functions import of packages, and fork for each what forks its environments.

    A function can share what is imported here if all variables that were read meanwhile are the
    same in its environment. What comes is how it starts, and a descriptor; the answer is whether it
    is served. `environment` is left out where this process has it already, `alone` says that
    nothing may be imported before it is.
    """
    import gc
    import signal
    import socket

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those that end need not be waited for
    # The interpreter has read LC_ALL, and may have added LC_CTYPE (PEP 538).
    added = {name: os.environ[name] for name in ("LC_CTYPE",) if name in os.environ}
    Variables.read.update({"LC_ALL": None, **os.environ})
    os.environ.__class__ = Variables
    while True:
        asked, descriptors, _, _ = socket.recv_fds(requests, MESSAGE_BYTES, 1)
        if not asked:
            return
        init = json.loads(asked)
        environment = {**added, **init.get("environment", os.environ)}
        modules = [] if init.get("alone") else import_packages(init)
        serves = (
            # A fork would lose threads.
            len(list(Path("/proc/self/task").iterdir())) == 1
            and ("environment" not in init or agrees(environment))
        )
        gc.freeze()  # a fork would copy the memory of what it looks at for garbage
        if serves and os.fork() == 0:
            requests.close()
            os.environ.__class__ = Variables.__base__
            os.environ.clear()
            os.environ.update(environment)
            make_clients(modules)
            with socket.socket(fileno=descriptors[0]) as own:
                fork_environments(own)
            return
        os.close(descriptors[0])
        requests.sendall(b"y" if serves else b"n")


def agrees(environment: dict[str, str]) -> bool:
    """Whether all that packages have read of variables is the same in an environment."""
    return all(environment.get(name) == value for name, value in Variables.read.items())


def fork_environments(requests: socket.socket) -> None:
    """Fork an environment for each byte that comes, until no more can come.

    With the byte come descriptors: three that become the standard ones, and one that stays open
    for as long as the environment lives. The answer is the number of its process.
    """
    import gc
    import signal
    import socket
    import tempfile

    gc.freeze()
    while True:
        asked, descriptors, _, _ = socket.recv_fds(requests, 1, 4)
        if not asked:
            return
        child = os.fork()
        if child == 0:
            requests.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for standard, descriptor in enumerate(descriptors[:3]):
                os.dup2(descriptor, standard)
                os.close(descriptor)
            tempfile.tempdir = None  # each has its own
            serve(json.loads(sys.stdin.readline()))
            return
        for descriptor in descriptors:
            os.close(descriptor)
        requests.sendall(child.to_bytes(8, "big"))


def import_packages(init: dict[str, Any]) -> Modules:
    """Import the packages that the handler imports first of all, and nothing of the function.

    Returns the function's modules. What fails, each environment will say.
    """
    modules: Modules = []
    folders = init["path"][1:]
    sys.path[:0] = folders
    with suppress(BaseException):
        modules = list(own_modules(Path(init["path"][0]), module_name(init)))
        for name, attributes in dict.fromkeys(each for _, packages in modules for each in packages):
            module = importlib.import_module(name)
            for attribute in attributes:
                if not hasattr(module, attribute):
                    importlib.import_module(f"{name}.{attribute}")
    del sys.path[: len(folders)]
    return modules


def make_clients(modules: Modules) -> None:
    """For its first client of a service boto3 reads 80 ms long what AWS says of that: here, too."""
    for service in dict.fromkeys(each for own, _ in modules for each in services(own)):
        with suppress(Exception):  # the environment will say so
            sys.modules["boto3"].client(service)


def own_modules(
    code: Path, handler: str
) -> Iterator[tuple[ast.Module, list[tuple[str, tuple[str, ...]]]]]:
    """Yield a function's modules, each with what it imports of packages: modules, names in them."""
    import ast

    pending, own = [handler], set[str]()
    while pending:
        name = pending.pop()
        place = code.joinpath(*name.split("."))
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if name in own or not file.is_file():
            continue
        own.add(name)
        parsed, packages = ast.parse(file.read_bytes()), []
        for statement in parsed.body:
            found: list[tuple[str, tuple[str, ...]]] = []
            if isinstance(statement, ast.Import):
                found = [(each.name, ()) for each in statement.names]
            elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
                found = [(statement.module, tuple(each.name for each in statement.names))]
            for module, names in found:
                first = module.partition(".")[0]
                if (code / first).exists() or (code / f"{first}.py").exists():
                    pending += [module, *(f"{module}.{each}" for each in names)]
                else:
                    packages.append((module, names))
        yield parsed, packages


def services(module: ast.Module) -> Iterator[str]:
    """Yield the services of which a module has clients, as in `boto3.client("sqs")`."""
    import ast

    for part in ast.walk(module):
        if (
            isinstance(part, ast.Call)
            and isinstance(part.func, ast.Attribute)
            and part.func.attr == "client"
            and part.args
            and isinstance(part.args[0], ast.Constant)
        ):
            yield str(part.args[0].value)


if sys.argv[1:]:
    import socket

    with socket.socket(fileno=int(sys.argv[1])) as requests_for_forks:
        share_packages(requests_for_forks)
else:
    serve(json.loads(sys.stdin.readline()))

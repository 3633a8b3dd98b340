"""The Python execution environment of one function: imports the handler, serves invocations.

Runs on the function's own interpreter, with nothing but the standard library. Speaks the
emulator's protocol: JSON lines on standard input and output; logs go to standard error, where a
line `LOG_END` closes the log of each invocation. With the descriptor of a socket as argument it
serves nothing itself, but forks such environments.

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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ast
    import socket
    from collections.abc import Callable, Iterator

LOG_END = "\x1e"
"""ASCII record separator: no log line of a handler is this and nothing else."""

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


def fork_environments(requests: socket.socket) -> None:
    """Fork an environment for each byte that comes, until no more can come.

    With the byte come descriptors: three that become the standard ones, and one that stays open
    for as long as the environment lives. The answer is the number of its process.
    """
    import gc
    import signal
    import socket
    import tempfile

    gc.freeze()  # environments would copy the memory of what they look at for garbage
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those that end need not be waited for
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


def import_packages(init: dict[str, Any]) -> None:
    """Import the packages that the handler imports first of all, and nothing of the function.

    For its first client of a service boto3 reads 80 ms long what AWS says of that: here, too.
    """
    code = Path(init["path"][0])
    os.environ.update(init["env"])
    sys.path[:0] = init["path"][1:]
    modules = list(own_modules(code, module_name(init)))
    for name, attributes in dict.fromkeys(each for _, packages in modules for each in packages):
        module = importlib.import_module(name)
        for attribute in attributes:
            if not hasattr(module, attribute):
                importlib.import_module(f"{name}.{attribute}")
    for service in dict.fromkeys(each for own, _ in modules for each in services(own)):
        with suppress(Exception):  # the environment will say so
            sys.modules["boto3"].client(service)
    del sys.path[: len(init["path"][1:])]


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


def start_forking(descriptor: str, *, importing: bool) -> None:
    import socket

    with socket.socket(fileno=int(descriptor)) as requests:
        if importing:
            with suppress(BaseException):  # each environment will say so
                import_packages(json.loads(sys.stdin.readline()))
            if len(list(Path("/proc/self/task").iterdir())) > 1:  # a fork would lose threads
                own = [sys.executable, "-I", "-S", __file__, descriptor, "without-packages"]
                os.execv(sys.executable, own)  # noqa: S606 (this very program)
        fork_environments(requests)


if sys.argv[1:]:
    start_forking(sys.argv[1], importing=not sys.argv[2:])
else:
    serve(json.loads(sys.stdin.readline()))

"""A function runs on its runtime's interpreter, with a clean environment.

AWS: `Runtime` names the interpreter; the process sees the function's own variables and those
that Lambda defines; an idle environment costs the next invocation nothing.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html

Code finds packages beside itself, then in its layers, then in what the runtime has.
https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html

Emulator: runs every version on its own interpreter, where the handler can import the emulator's
packages and see its environment; unpacks the code again for each process; waits 50 ms after each
silent invocation, in case it logged something.
"""

import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.responses import new_uuid
from ministack.services import lambda_svc

from sls_patterns_cli.local.emulator import runtimes
from sls_patterns_cli.local.emulator.adapters import rely_on, replace
from sls_patterns_cli.local.emulator.adapters.lambda_ import environment_forks, environment_starts

INTERPRETERS = "SLS_PATTERNS_INTERPRETERS"
"""Variable of the emulator's process: a JSON object, Lambda runtime to executable."""

INIT_SECONDS = 60.0
"""How long an environment may take to start: ten seconds on AWS, which shares no processor."""

SERVED = ("python", "nodejs")
"""What the runtimes begin with whose functions run in processes of ours."""

RUNTIME_PACKAGES = "SLS_PATTERNS_RUNTIME_PACKAGES"
"""The same, Lambda runtime to the folder of the packages that it has, where it has any."""

OF_AWS_ENDPOINTS = {"AWS_USE_DUALSTACK_ENDPOINT"}
"""Variables that SDKs refuse beside AWS_ENDPOINT_URL."""

LOG_END = "\x1e"
LOG_WAIT_SECONDS = 10.0
"""The end of the log is in the pipe before the answer is; only our reader may be late."""

_unpack_lock = threading.Lock()


def apply() -> None:
    rely_on(lambda_runtime.Worker.__init__, "51b2fac3d6e9")
    rely_on(lambda_runtime.Worker._spawn, "7261057c952d")
    rely_on(lambda_runtime.Worker._drain_stderr_bounded, "6e91475bafda")
    replace(lambda_runtime, "_worker_class_for", "b5a23849280a", _served)


def _served(choose: Callable[..., Any]) -> Callable[..., Any]:
    def worker_class_for(config: dict[str, Any]) -> Any:
        if str(config.get("Runtime", "")).startswith(SERVED):
            return FunctionProcess
        return choose(config)

    return worker_class_for


class FunctionProcess(lambda_runtime.Worker):  # type: ignore[misc]
    """One execution environment of a function."""

    _proc: "subprocess.Popen[str] | environment_forks.Fork | None"

    def _spawn(self) -> None:
        try:
            self._start()
        finally:
            environment_starts.started(self)

    def _start(self) -> None:
        self._discard_tmpdir()
        self._tmpdir = tempfile.mkdtemp(prefix="environment-")
        config = self.config
        layers = [_unpacked(layer) for layer in _layers(config)]
        code, path = _importable(_unpacked(self.code_zip), layers, config["Runtime"])
        module, _, handler = config["Handler"].rpartition(".")
        init: dict[str, Any] = {
            "path": path,
            "module": module,
            "handler": handler,
            "env": _variables(config),
            "compiled": str(Path(tempfile.gettempdir()) / "compiled"),
        }
        environment = _environment(config, code, self._tmpdir)
        command = _command(config["Runtime"])
        if config["Runtime"].startswith("python") and environment_forks.SUPPORTED:
            program = environment_forks.Program(
                tuple(command), code, dict(init), environment, _of_all_functions(config)
            )
            key = lambda_runtime._worker_key(self.func_name, config, "")
            self._proc = environment_forks.fork(key, program, INIT_SECONDS)
            init["env"] = environment  # its own, where the process that forks has another's
        else:
            self._proc = subprocess.Popen(
                command,
                cwd=code,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                bufsize=1,
            )
        self._stderr_queue: queue.Queue[str] = queue.Queue()
        self._stderr_thread = threading.Thread(
            target=_collect_log, args=(self._proc.stderr, self._stderr_queue), daemon=True
        )
        self._stderr_thread.start()
        answer = _begin(self._proc, init)
        log = self._drain_stderr_bounded()
        if answer.get("status") != "ready":
            raise RuntimeError(f"{answer.get('error') or 'The runtime did not start'}\n{log}")
        self._start_time = time.time()

    def _drain_stderr_bounded(self, *_waits: float) -> str:
        """The log of the invocation that has just ended: the runtime says where it ends."""
        lines: list[str] = []
        with suppress(queue.Empty):
            while (line := self._stderr_queue.get(timeout=LOG_WAIT_SECONDS)) != LOG_END:
                lines.append(line)
        return "\n".join(lines)


def _collect_log(pipe: Any, lines: "queue.Queue[str]") -> None:
    with suppress(OSError, ValueError):  # closed under our hands when the process is ended
        for line in pipe:
            lines.put(line.rstrip("\n"))
    lines.put(LOG_END)  # a process that has ended logs no more


def _begin(process: Any, init: dict[str, Any]) -> dict[str, Any]:
    """Tell a new process what to serve; its answer is empty when it ended instead."""
    limit = threading.Timer(INIT_SECONDS, process.kill)
    limit.daemon = True
    limit.start()
    try:
        process.stdin.write(json.dumps(init) + "\n")
        process.stdin.flush()
        answer: dict[str, Any] = json.loads(process.stdout.readline() or "{}")
    except BrokenPipeError:
        return {}
    finally:
        limit.cancel()
    return answer


def _command(runtime: str) -> list[str]:
    """What runs an environment: answers on standard output, all else on standard error."""
    interpreter = _interpreter(runtime)
    if runtime.startswith("python"):
        # Isolated (-I) and without site packages (-S): the standard library and the package.
        return [interpreter, "-I", "-S", str(runtimes.FOLDER / "python.py")]
    # Node.js cannot turn its standard output elsewhere by itself, and so answers on descriptor 3.
    turned = 'exec "$@" 3>&1 1>&2'
    return ["/bin/sh", "-c", turned, "sh", interpreter, str(runtimes.FOLDER / "node.mjs")]


def _interpreter(runtime: str) -> str:
    interpreters = json.loads(os.environ[INTERPRETERS])
    try:
        return str(interpreters[runtime])
    except KeyError:
        raise RuntimeError(
            f"The local stack was not started for {runtime}, only for {', '.join(interpreters)}."
        ) from None


def _unpacked(package: bytes) -> Path:
    """The package's folder; every environment of every function shares it, as it is read-only."""
    folder = Path(tempfile.gettempdir()) / "task" / sha256(package).hexdigest()
    with _unpack_lock:
        if not folder.exists():
            unfinished = Path(tempfile.mkdtemp(prefix="unpacking-"))
            archive = unfinished / "package.zip"
            archive.write_bytes(package)
            with zipfile.ZipFile(archive) as zipped:
                zipped.extractall(unfinished / "code")
            archive.unlink()
            folder.parent.mkdir(exist_ok=True)
            (unfinished / "code").rename(folder)
            unfinished.rmdir()
    return folder


def _layers(config: dict[str, Any]) -> Iterator[bytes]:
    for layer in config.get("Layers") or ():
        if content := lambda_svc._resolve_layer_zip(layer):
            yield content


def _importable(code: Path, layers: list[Path], runtime: str) -> tuple[Path, list[str]]:
    """The folder to run code in, and where its modules are, that folder first.

    Node.js looks for what is imported beside the code only, so all packages are linked there.
    """
    runtime_packages = json.loads(os.environ.get(RUNTIME_PACKAGES, "{}")).get(runtime)
    last = [Path(runtime_packages)] if runtime_packages else []
    if runtime.startswith("python"):
        inside = ("python", f"python/lib/{runtime}/site-packages")
        of_layers = (layer / each for layer in layers for each in inside)
        named = [_listed(each, runtimes.REQUIREMENTS_FOLDER) for each in (code, *layers)]
        of_all = [*named[0], *of_layers, *(each for names in named[1:] for each in names), *last]
        return code, [str(code), *map(str, of_all)]
    of_layers = (layer / "nodejs/node_modules" for layer in layers)
    named = [_listed(each, runtimes.MODULES_FOLDER) for each in (code, *layers)]
    folders = [*named[0], *of_layers, *(each for names in named[1:] for each in names), *last]
    if not folders:
        return code, [str(code)]
    linked = _linked(code, [each for each in folders if each.is_dir()])
    return linked, [str(linked)]


def _listed(unpacked: Path, name: str) -> list[Path]:
    file = unpacked / name
    return [Path(line) for line in file.read_text().splitlines()] if file.is_file() else []


def _linked(code: Path, folders: list[Path]) -> Path:
    """A copy of a package in which each of the folders' packages is linked into node_modules."""
    copy = code.with_name(sha256("\n".join(map(str, (code, *folders))).encode()).hexdigest())
    with _unpack_lock:
        if not copy.exists():
            unfinished = Path(tempfile.mkdtemp(prefix="linking-")) / "code"
            shutil.copytree(code, unfinished, symlinks=True)
            for folder in folders:
                for package in _packages(folder):
                    link = unfinished / "node_modules" / package
                    if not (link.exists() or link.is_symlink()):
                        link.parent.mkdir(parents=True, exist_ok=True)
                        link.symlink_to(folder / package)
            unfinished.rename(copy)
            unfinished.parent.rmdir()
    return copy


def _packages(folder: Path) -> Iterator[str]:
    """Names of a folder's packages, such as `zod` and `@aws-sdk/client-s3`."""
    for each in folder.iterdir():
        if each.name.startswith("@"):
            yield from (f"{each.name}/{inner.name}" for inner in each.iterdir())
        elif not each.name.startswith("."):
            yield each.name


def _variables(config: dict[str, Any]) -> dict[str, str]:
    variables: dict[str, Any] = config.get("Environment", {}).get("Variables", {})
    return {
        # CloudFormation makes texts of numbers and booleans where texts are asked for.
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in variables.items()
        if name not in lambda_runtime._RESERVED_RUNTIME_ENV_VARS | OF_AWS_ENDPOINTS
    }


def _of_all_functions(config: dict[str, Any]) -> dict[str, str]:
    """The variables that all functions of a runtime have alike."""
    _, region = lambda_runtime._account_region_from_function_config(config)
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
        # Of a host name such as sync-states that an SDK makes of it, there is none here.
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    }


def _environment(config: dict[str, Any], code: Path, temporary: str) -> dict[str, str]:
    name = config["FunctionName"]
    logging = config.get("LoggingConfig") or {}
    environment = {
        **_of_all_functions(config),
        "TMPDIR": temporary,
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": config.get("Version", "$LATEST"),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
        "AWS_LAMBDA_LOG_GROUP_NAME": logging.get("LogGroup") or f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": new_uuid(),
        "LAMBDA_TASK_ROOT": str(code),
        **lambda_runtime.execution_credentials(config),
        **_variables(config),
    }
    if logging.get("LogFormat") == "JSON":
        environment["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
        environment["AWS_LAMBDA_LOG_LEVEL"] = logging.get("ApplicationLogLevel") or "INFO"
    return environment

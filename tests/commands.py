"""Runs `sls-patterns` in children that have already what its commands import.

For each line of standard input, `{folder, environment, arguments}`, a child is forked; a line of
standard output has its exit code and what it printed. Importing Copier is a third of an update.
Arguments: the modules to import; Copier is imported as the command does.
"""

import importlib
import json
import os
import sys
import tempfile
import traceback

from sls_patterns_cli import __main__
from sls_patterns_cli.rendering import copier_without_prompts

for name in sys.argv[1:]:
    if name == "copier":
        copier_without_prompts.import_copier()
    importlib.import_module(name)


def run(folder: str, environment: dict[str, str], arguments: list[str]) -> None:
    """Do as `sls-patterns` does; the child ends here."""
    code = 1
    try:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["sls-patterns", *arguments]
        __main__.main()
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:  # noqa: BLE001 (told as the interpreter does)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    answers, told = os.fdopen(os.dup(1), "w"), os.dup(2)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for line in sys.stdin:
        request = json.loads(line)
        with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as complaints:
            child = os.fork()
            if child == 0:
                for opened, at in ((nothing, 0), (printed.fileno(), 1), (complaints.fileno(), 2)):
                    os.dup2(opened, at)
                os.close(told)
                run(request["folder"], request["environment"], request["arguments"])
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            printed.seek(0)
            complaints.seek(0)
            answer = {"code": code, "stdout": printed.read(), "stderr": complaints.read()}
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()

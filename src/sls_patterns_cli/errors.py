"""What a user did wrong, or what went wrong for a user: one clear line and an exit code."""


class UserError(Exception):
    """An error to show as one line, without a traceback.

    `message` says what is wrong and what is allowed; `exit_code` is the process's exit code; `log`
    is what a program printed that failed, for a terminal.
    """

    def __init__(self, message: str, exit_code: int = 2, log: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
        self.log = log

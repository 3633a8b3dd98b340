"""Asks in a terminal that can move its cursor. Imports prompt_toolkit: import this module lazily.

From the top: the question and what is typed, what is wrong with it, the options that mention it,
what the chosen one means in a pane of fixed height, and the keys.
"""

import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

from prompt_toolkit.application import Application, get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import (
    BufferControl,
    Dimension,
    FormattedTextControl,
    HSplit,
    Layout,
    Window,
)
from prompt_toolkit.layout.processors import BeforeInput
from prompt_toolkit.output import create_output
from prompt_toolkit.output.vt100 import Vt100_Output

from sls_patterns_cli.asking.question import Back, Option, Question
from sls_patterns_cli.terminal.output import IN_ASCII

FEWEST_OPTIONS, MOST_OPTIONS = 5, 16
"""How many lines of a list are shown: so few if a pane needs the others, and no more."""

ESCAPE_SECONDS = 0.05
"""For how long the Escape key may be the start of another key's code."""

_BOLD, _DIM, _CHOSEN, _WRONG = "bold", "ansibrightblack", "bold ansicyan", "ansired"

_Line = tuple[str, str]
"""A style and a text."""


def ask(question: Question, *, back: bool) -> Any:
    """The answer of somebody at the terminal, where nothing of the question is left.

    Raises Back, EOFError for Ctrl-D, KeyboardInterrupt for Ctrl-C.
    """
    # The interrupts of this tool note signals.
    return _Form(question, back=back).application().run(handle_sigint=False)


class _Form:
    def __init__(self, question: Question, *, back: bool) -> None:
        self._question = question
        self._back = back
        text = "" if question.options else str(question.default or "")
        self._buffer = Buffer(
            document=Document(text), multiline=False, on_text_changed=lambda _: self._search()
        )
        self._wrong = ""
        self._found = list(question.options)
        self._chosen = list(question.default or []) if question.several else []
        values = [each.value for each in self._found]
        self._at = values.index(question.default) if question.default in values else 0
        self._top = 0
        self._details_of = cache(self._details)

    def application(self) -> "Application[Any]":
        """The application that ends with the answer."""
        typed = BufferControl(self._buffer, [BeforeInput(self._before)])
        output = create_output()
        if isinstance(output, Vt100_Output):
            # Nobody needs to know where the cursor is, and some terminals answer late or never.
            output.enable_cpr = False
        application: Application[Any] = Application(
            Layout(
                HSplit(
                    [
                        self._lines(self._heading),
                        Window(typed, height=1),
                        self._lines(self._objection),
                        self._lines(self._list),
                        self._lines(self._pane),
                        self._lines(self._keys),
                    ]
                )
            ),
            key_bindings=self._bindings(),
            output=output,
            erase_when_done=True,
        )
        application.ttimeoutlen = application.timeoutlen = ESCAPE_SECONDS
        return application

    def _lines(self, of: Callable[[], Iterator[list[_Line]]]) -> Window:
        """Lines that are there if there is something to say."""

        def fragments() -> StyleAndTextTuples:
            found: StyleAndTextTuples = []
            for number, line in enumerate(of()):
                found += [("", "\n")] * (number > 0)
                found += [(style, self._suited(text)) for style, text in line]
            return found

        def height() -> Dimension:
            """As high as the lines are; less where the terminal is too low for all windows."""
            number = len(list(of()))
            return Dimension(min=0, preferred=number, max=number)

        return Window(FormattedTextControl(fragments), height=height)

    # What is shown

    def _heading(self) -> Iterator[list[_Line]]:
        if not self._is_inline:
            for line in self._question_lines:
                yield [(_BOLD, line)]

    def _before(self) -> StyleAndTextTuples:
        return [(_BOLD, f"? {self._question.text} ")] if self._is_inline else [("", "  ")]

    @property
    def _question_lines(self) -> list[str]:
        return textwrap.wrap(f"? {self._question.text}", _columns(), subsequent_indent="  ")

    @property
    def _is_inline(self) -> bool:
        """Whether what is typed stands beside the question."""
        return len(self._question.text) < _columns() // 2

    def _objection(self) -> Iterator[list[_Line]]:
        for line in _wrapped(self._wrong):
            yield [(_WRONG, line)]

    def _list(self) -> Iterator[list[_Line]]:
        height, spread = self._list_height, self._is_spread
        if not self._question.options:
            return
        lines: list[list[_Line]] = []
        first = last = 0
        width = max((len(each.name) for each in self._question.options), default=0)
        for number, option in enumerate(self._found):
            if number == self._at:
                first = len(lines)
            lines.append(self._option(option, width, is_current=number == self._at))
            if spread:
                lines += [[(_DIM, f"    {line}")] for line in self._details_of(option, _columns())]
            if number == self._at:
                last = len(lines) - 1
        if not self._found:
            lines += [[(_WRONG, line)] for line in _wrapped(self._no_match())]
        self._top = max(min(self._top, first, len(lines) - height), last - height + 1, 0)
        shown = lines[self._top : self._top + height]
        yield from shown
        yield from [[] for _ in range(height - len(shown))]

    def _option(self, option: Option, width: int, *, is_current: bool) -> list[_Line]:
        mark = "> " if is_current else "  "
        if self._question.several:
            mark += "[x] " if option.value in self._chosen else "[ ] "
        style = _CHOSEN if is_current else ""
        beside = f"  {option.beside}" if option.beside else ""
        name = f"{option.name:<{width}}" if beside else option.name
        return [(style, f"{mark}{name}"), (style or _DIM, beside)]

    def _no_match(self) -> str:
        typed = self._buffer.text
        if not self._question.free:
            return f"No match for {typed!r}."
        return self._question.objection(typed) or f"{typed} is not in the list; Enter takes it."

    def _pane(self) -> Iterator[list[_Line]]:
        height = self._pane_height
        if not height:
            return
        details = self._details_of(self._found[self._at], _columns()) if self._found else []
        lines = ["─" * (_columns() - 1), *(f"  {line}" for line in details)]
        if len(lines) > height:
            lines = [*lines[: height - 1], "  ..."]
        for number in range(height):
            style = _DIM if number == 0 else ""
            yield [(style, lines[number] if number < len(lines) else "")]

    def _keys(self) -> Iterator[list[_Line]]:
        keys = []
        if options := self._question.options:
            keys = [f"{len(self._found)} of {len(options)} match", "type to filter", "↑↓ move"]
            keys += ["Space mark"] * self._question.several
        keys += ["Enter accept", *["Esc back"] * self._back, "Ctrl-C end"]
        yield [(_DIM, " · ".join(keys))]

    def _details(self, option: Option, columns: int) -> list[str]:
        """What an option means, and its picture."""
        width = columns - 5
        wrapped = (line for text in option.paragraphs for line in _lines_of(text, width))
        return [*wrapped, *option.drawing]

    # How high it is

    @property
    def _available(self) -> int:
        """How many lines are left for the list and the pane."""
        used = 2 + sum(1 for _ in self._heading()) + sum(1 for _ in self._objection())
        return max(get_app().output.get_size().rows - used, 2)

    @property
    def _longest(self) -> int:
        options = self._question.options
        return max((len(self._details_of(each, _columns())) for each in options), default=0)

    @property
    def _spread(self) -> int:
        """How many lines all options take, each with what it means below it."""
        return sum(1 + len(self._details_of(each, _columns())) for each in self._question.options)

    @property
    def _is_spread(self) -> bool:
        """Whether each option has what it means below it, and not in a pane."""
        drawn = any(each.drawing for each in self._question.options)
        return not drawn and self._spread <= self._available

    @property
    def _pane_height(self) -> int:
        if self._is_spread or not self._longest:
            return 0
        fewest = min(len(self._question.options), FEWEST_OPTIONS)
        return max(min(self._longest + 1, self._available - fewest), 0)

    @property
    def _list_height(self) -> int:
        if self._is_spread:
            return self._spread
        most = min(len(self._question.options), MOST_OPTIONS)
        return max(min(most, self._available - self._pane_height), 1)

    # What somebody does

    def _search(self) -> None:
        self._wrong = ""
        self._found = self._question.matching(self._buffer.text)
        self._at = 0

    def _accept(self, event: KeyPressEvent) -> None:
        typed = self._buffer.text
        if self._question.several:
            options = self._question.options
            answer: Any = [each.value for each in options if each.value in self._chosen]
        elif self._found:
            answer = self._found[self._at].value
        elif self._question.options and not self._question.free:
            return
        else:
            answer = typed
        self._wrong = self._question.objection(answer)
        if not self._wrong:
            event.app.exit(result=answer)

    def _mark(self, _event: KeyPressEvent) -> None:
        if self._found:
            value = self._found[self._at].value
            if value in self._chosen:
                self._chosen.remove(value)
            else:
                self._chosen.append(value)

    def _go_back(self, event: KeyPressEvent) -> None:
        if self._question.options and self._buffer.text:
            self._buffer.reset()
            self._search()
        elif self._back:
            event.app.exit(exception=Back())

    def _move(self, by: int) -> None:
        self._at = max(min(self._at + by, len(self._found) - 1), 0)

    def _end_of_input(self, event: KeyPressEvent) -> None:
        if not self._buffer.text:
            event.app.exit(exception=EOFError())

    def _paste(self, event: KeyPressEvent) -> None:
        self._buffer.insert_text(" ".join(event.data.split()))

    def _bindings(self) -> KeyBindings:
        keys = KeyBindings()
        has_options = Condition(lambda: bool(self._question.options))
        keys.add("enter")(self._accept)
        keys.add("escape")(self._go_back)
        keys.add("s-tab")(self._go_back)
        keys.add("tab")(lambda _: None)
        keys.add("c-c")(lambda event: event.app.exit(exception=KeyboardInterrupt()))
        keys.add("c-d")(self._end_of_input)
        keys.add(Keys.BracketedPaste)(self._paste)
        keys.add(" ", filter=Condition(lambda: self._question.several))(self._mark)
        for names, by in (
            (("up", "c-p"), -1),
            (("down", "c-n"), 1),
            (("pageup",), -FEWEST_OPTIONS),
            (("pagedown",), FEWEST_OPTIONS),
        ):
            for name in names:
                keys.add(name, filter=has_options)(lambda _, by=by: self._move(by))
        return keys

    def _suited(self, text: str) -> str:
        """The text with what the terminal's code page has."""
        unicode = (sys.stdout.encoding or "").lower().startswith("utf")
        return text if unicode else text.translate(IN_ASCII)


def _columns() -> int:
    return get_app().output.get_size().columns


def _wrapped(text: str) -> Iterable[str]:
    return [f"  {line}" for line in _lines_of(text, _columns() - 3)]


def _lines_of(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 1), break_on_hyphens=False)

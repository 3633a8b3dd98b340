"""A released file is not reworded without a reason."""

import pytest
from releases import variants_of
from rewording import REASONS, complaints, last_release, reasons, reworded
from variants import all_variants, covering

from sls_patterns_cli.updating.wording import is_same

LAST = last_release()


@pytest.mark.skipif(LAST is None, reason="no version was released")
def test_every_file_that_is_only_reworded_has_a_reason() -> None:
    assert LAST
    released = variants_of(LAST)
    found = reworded(covering(each for each in all_variants() if each in released), LAST)

    if wrong := complaints(found, reasons()):
        pytest.fail("\n".join([f"{REASONS.name}, compared with {LAST}:", *wrong]), pytrace=False)


@pytest.mark.parametrize(
    ("reasons", "complaint"),
    [
        ({}, "a/Makefile is reworded: take the words of the release back, or give a reason"),
        ({"b/Makefile": "x"}, "b/Makefile is not reworded any more: remove its reason"),
        ({"*/Makefile": ""}, "*/Makefile has no reason"),
    ],
)
def test_a_list_that_does_not_fit_is_refused(reasons: dict[str, str], complaint: str) -> None:
    assert complaint in complaints({"a/Makefile"}, reasons)
    assert complaints({"a/Makefile"}, {"*/Makefile": "x"}) == []


WORDS = {
    "a.py": ('"""One."""\nX = "# 1"  # one\n', '"""Two."""\n# two\nX = "# 1"\n'),
    "a.ts": ("/** One. */\nf(`// ${x}`); // one\n", "// two\nf(`// ${x}`);\n"),
    "a.yaml": ("a: 1 # one\nb: # c\n  - '#'\n", "# two\na: 1\nb:\n  - '#'\n"),
    "a.toml": ("# one\na = 1\n", "a = 1 # two\n"),
    "requirements.txt": ("# one\nboto3==1\n", "# two\nboto3==1\n"),
    "Makefile": ("# one\ntest: ## run\n\techo ## x\n", "# two\ntest: ## do\n\techo ## x\n"),
    "README.md": ("Run `make` at once, 2 times.\n", "Start `make`, but 2 times.\n"),
    "tests/unit/test_a.py": ("def test_one(): f()\n", "def test_two(): f()\n"),
    "tests/unit/a.test.ts": ('test("one", () => f());\n', "test('two', () => f());\n"),
}
"""The same code in two wordings, by the file's path."""

CODE = {
    "a.py": [('X = "one"\n', 'X = "two"\n'), ("f()  # noqa: S1\n", "f()\n"), ("f(\n", "f(  # a\n")],
    "a.ts": [
        ('f("// one");\n', 'f("// two");\n'),
        ("f(); // @ts-expect-error\n", "f(); // no\n"),
        # Of templates within templates nothing is known.
        ("f(`${a ? `// b` : 1}`);\n", "f(`${a ? `// c` : 1}`);\n"),
    ],
    "a.yaml": [
        ("run: |\n  # one\n  ls\n", "run: |\n  # two\n  ls\n"),
        ("a: !Ref B\n", "a: !Sub B\n"),
        ("a: 1 # checkov:skip=X\n", "a: 1\n"),
        ("a: '1'\n", "a: 1\n"),
    ],
    "a.toml": [('a = "# one"\n', 'a = "# two"\n')],
    "Makefile": [("a:\n\tls # one\n", "a:\n\tls # two\n"), ("A = b \\\n# c\n", "A = b \\\n# d\n")],
    "README.md": [
        ("Run `make`.\n", "Run `ls`.\n"),
        ("It takes 2 hours.\n", "It takes 3 hours.\n"),
        ("```sh\nls\n```\n", "```sh\nmake\n```\n"),
        ("See [it](a.md).\n", "See [it](b.md).\n"),
    ],
    "a.json": [('{"a": 1}\n', '{ "a": 1 }\n')],
    "tests/e2e/test_a.py": [("def test_one(): f()\n", "def test_two(): f()\n")],
    "tests/unit/a.test.ts": [('/a/.test("one");\n', '/a/.test("two");\n')],
}
"""What is not words."""


@pytest.mark.parametrize("path", WORDS)
def test_golden_words_are_no_code(path: str) -> None:
    one, other = WORDS[path]

    assert is_same(path, one.encode(), other.encode())


@pytest.mark.parametrize(
    ("path", "one", "other"), [(path, *pair) for path, pairs in CODE.items() for pair in pairs]
)
def test_golden_code_is_no_words(path: str, one: str, other: str) -> None:
    assert not is_same(path, one.encode(), other.encode())

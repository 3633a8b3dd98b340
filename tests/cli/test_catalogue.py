"""What `list` and `show` tell, people and programs."""

import json
import subprocess
import sys
from typing import Any

import pytest
from command import Cli

from sls_patterns_cli import catalog

LIST_MAY_IMPORT = {"sls_patterns_cli", "typer", "annotated_doc", "shellingham"}


def succeed(cli: Cli, *arguments: str) -> str:
    done = cli(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def webhook(cli: Cli, *arguments: str) -> Any:
    return json.loads(succeed(cli, "show", "scalable-webhook", "--json", *arguments))


def test_list_names_every_pattern_with_its_summary(cli: Cli) -> None:
    told = succeed(cli, "list")
    assert "\nscalable-webhook  Scalable Webhook\n  Accepts bursts of webhooks" in told
    named = [line.split("  ")[0] for line in told.splitlines() if not line.startswith(" ")]
    assert [name for name in named if name] == [pattern.slug for pattern in catalog.patterns()]


def test_list_as_json(cli: Cli) -> None:
    patterns = {pattern["slug"]: pattern for pattern in json.loads(succeed(cli, "list", "--json"))}
    pattern = patterns["scalable-webhook"]
    texts = {"slug", "title", "summary", "use", "avoid"}
    assert set(pattern) == {*texts, "topologies", "runtimes", "flavours"}
    assert pattern["title"] == "Scalable Webhook"
    topology = pattern["topologies"][0]
    assert set(topology) == {"name", "summary", "datastores"}
    assert (topology["name"], topology["datastores"][0]) == ("function", "dynamodb")
    assert pattern["runtimes"] == ["python", "typescript"]
    assert "sam" in pattern["flavours"]


def test_show_as_json_says_how_each_edge_calls_and_fails(cli: Cli) -> None:
    pattern = webhook(cli)
    assert pattern["topology"] == "function"
    edges = {(edge["from"], edge["to"]): edge for edge in pattern["edges"]}
    consumed = edges["deliveries", "process"]
    assert consumed["call"] == "async"
    assert consumed["batch_size"] == 1
    (failure,) = consumed["failures"]
    assert failure["id"] == "E1"
    assert failure["end"] == "deliveries-dlq"
    called = edges["api", "receive"]
    (failure,) = called["failures"]
    assert (called["call"], failure["end"]) == ("sync", None)
    assert failure["mechanism"] == "the caller gets an error answer"


def test_show_as_json_holds_what_list_holds_and_the_nodes_and_proofs(cli: Cli) -> None:
    pattern = webhook(cli)
    listed = json.loads(succeed(cli, "list", "--json"))
    assert {key: pattern[key] for key in listed[0]} in listed
    assert {"name": "deliveries", "kind": "queue"}.items() <= pattern["nodes"][4].items()
    assert all(set(proof) == {"id", "text", "where", "smoke"} for proof in pattern["proofs"])
    assert pattern["proofs"][0]["id"] == "scalable-webhook.accepted"


def test_show_tells_nodes_edges_failures_and_proofs(cli: Cli) -> None:
    told = succeed(cli, "show", "scalable-webhook")
    for line in (
        "Scalable Webhook (scalable-webhook)",
        "  datastore  dynamodb, aurora-postgresql",
        "  process         function   stores each event once (timeout 30)",
        "  receive -> deliveries",
        "  deliveries => process (batch size 1, max concurrency 2)",
        (
            "      ! deliveries-dlq: after maxReceiveCount receives, SQS moves the message to "
            "the queue's dead-letter queue"
        ),
    ):
        assert line in told.splitlines()
    assert "scalable-webhook.poison-in-dlq" in told


def test_show_says_which_alarm_goes_off_when_and_for_what(cli: Cli) -> None:
    told = succeed(cli, "show", "scalable-webhook")
    (letters,) = (each for each in webhook(cli)["alarms"] if each["id"] == "DeadLettersAlarm")

    assert "Alarms: a page needs somebody now, a ticket can wait" in told
    line = "DeadLettersAlarm                    page after 1 minute: Failed messages have come into"
    assert f"  {line}\n" in told
    assert (letters["tier"], letters["after"]) == ("page", "after 1 minute")
    assert letters["first"].startswith("run make dead-letters")


@pytest.mark.parametrize("slug", catalog.slugs())
def test_the_alarms_of_each_topology_are_known(slug: str) -> None:
    pattern = catalog.pattern(slug)
    for topology in pattern.topologies:
        for datastore in topology.datastores:
            assert catalog.alarms(slug, topology.name, datastore)


def test_show_says_what_the_other_topologies_are(cli: Cli) -> None:
    told = succeed(cli, "show", "notifier").splitlines()

    others = told.index("Other topologies; --topology NAME shows one")
    assert told[others + 1].split()[:3] == ["eventbridge", "An", "EventBridge"]
    assert "Other topologies" not in succeed(cli, "show", "internal-api")


def test_show_prints_filters_as_aws_has_them(cli: Cli) -> None:
    told = succeed(cli, "show", "notifier")

    assert '  orders => invoicing (filter {"type": ["placed"], "version": ["1"]})\n' in told


@pytest.mark.parametrize("command", ["show", "new", "local up", "letters list", ""])
def test_help_has_a_short_option(cli: Cli, command: str) -> None:
    assert succeed(cli, *command.split(), "-h") == succeed(cli, *command.split(), "--help")


def test_commands_find_the_project_that_the_folder_lies_in(cli: Cli) -> None:
    assert cli("new", "router", "mine", "--defaults").returncode == 0
    deeper = Cli(cli.folder / "mine/src/mine/adapters", cli.environment)

    assert succeed(deeper, "status").startswith("../../..: ")
    assert "4 edges, 0 without an end" in succeed(deeper, "check")
    refused = Cli(cli.folder, cli.environment)("status")
    assert f"{cli.folder} is not a project of sls-patterns" in refused.stderr


def test_the_diagram_is_that_of_the_projects_readme(cli: Cli) -> None:
    diagram = succeed(cli, "show", "scalable-webhook", "--mermaid")
    assert diagram.startswith("flowchart LR\n")
    assert 'deliveries ==> process["process"]\n' in diagram
    assert cli("new", "scalable-webhook").returncode == 0
    assert diagram in (cli.folder / "scalable-webhook/README.md").read_text()


def test_a_reader_that_has_seen_enough_is_no_error(cli: Cli) -> None:
    with cli.start("show", "scalable-webhook", "--json") as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == ""


def test_ascii_terminals_get_codes_for_other_characters(cli: Cli) -> None:
    done = cli("new", "scalable-wébhook", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "\\xe9" in done.stderr


def test_list_imports_nothing_slow(cli: Cli) -> None:
    program = (
        "import sys; from sls_patterns_cli.cli import commands; commands.run(['list']);"
        "names = {name.partition('.')[0] for name in sys.modules};"
        "print(*(names - sys.stdlib_module_names - {'__main__'}), file=sys.stderr)"
    )
    plain = "import sys; print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"

    def modules(code: str) -> set[str]:
        command = [sys.executable, "-c", code]
        done = subprocess.run(
            command, cwd=cli.folder, env=cli.environment, capture_output=True, text=True, check=True
        )
        return set(done.stderr.split())

    succeed(cli, "list")  # what it says is kept
    imported = {name for name in modules(program) - modules(plain) if "cython" not in name}
    assert imported <= LIST_MAY_IMPORT


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("show ", "scalable-webhook"),
        ("new scal", "scalable-webhook"),
        ("show scalable-webhook --topology ", "function"),
        ("new scalable-webhook --datastore ", "dynamodb"),
        ("new scalable-webhook --iac ", "sam"),
        ("new --runtime ", "python"),
        ("new --runtime t", "typescript"),
        ("new --region eu-n", "eu-north-1"),
        ("explain trac", "tracing"),
    ],
)
def test_completion(cli: Cli, words: str, expected: str) -> None:
    words = f"sls-patterns {words}"
    done = cli(
        _SLS_PATTERNS_COMPLETE="complete_bash",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split(" ")) - 1),
    )
    assert expected in done.stdout.splitlines()


def test_the_values_of_an_option_are_those_of_the_pattern_before_it(cli: Cli) -> None:
    words = "sls-patterns new streamer --topology "
    done = cli(
        _SLS_PATTERNS_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(words.count(" "))
    )
    assert done.stdout.split() == ["direct", "kinesis"]


def test_help_names_every_command(cli: Cli) -> None:
    told = succeed(cli, "--help")
    assert succeed(cli) == told
    for command in ("list", "show", "new", "local"):
        assert f"\n  {command} " in told
    assert succeed(cli, "--version").startswith("sls-patterns ")

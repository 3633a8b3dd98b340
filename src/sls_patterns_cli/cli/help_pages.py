"""The help of each command. `make golden` writes it; a test compares it with Typer's."""

COLUMNS = 80
"""With so many columns, and more, help looks like this."""

PAGES = {
    (): """\
Usage: sls-patterns [OPTIONS] COMMAND [ARGS]...

  Generate complete serverless projects for AWS, and prove them on this
  machine.

Options:
  --version             Show the version and exit.
  --install-completion  Install completion for the current shell.
  --show-completion     Show completion for the current shell, to copy it or
                        customize the installation.
  -h, --help            Show this message and exit.

Commands:
  list         List the patterns; with words, those that mention all of...
  choose       Name the patterns that suit what you need; a terminal asks...
  show         Show a pattern: its options, graph, failures and proofs.
  explain      Print the page of a topic that is the same in every project.
  check        Check where failures end in any SAM or CloudFormation...
  prove        Break the consumer of each asynchronous edge of any stack,...
  deploy-role  Print the template of a role with which GitHub Actions...
  dashboard    Show the CloudWatch dashboards of any SAM or...
  openapi      Print an OpenAPI document of a project's API, made from...
  doctor       Say what this machine lacks for generated projects, and...
  new          Generate a new project; a terminal asks for what is left out.
  update       Merge a newer template, or other answers, into a project,...
  fix          Apply the open fixes of the updates so far to your own...
  status       Compare a project with its template.
  local        Run a project on this machine, without AWS.
  letters      List, send back and discard the dead letters of a deployed...
""",
    ("list",): """\
Usage: sls-patterns list [OPTIONS] [WORD]...

  List the patterns; with words, those that mention all of them.

Options:
  --json      Print JSON, for programs.
  -h, --help  Show this message and exit.
""",
    ("choose",): """\
Usage: sls-patterns choose [OPTIONS]

  Name the patterns that suit what you need; a terminal asks three to five
  questions.

Options:
  --callers <str>          Who calls: people, services, or changes of files or
                           logs.
  --wait / --no-wait       Whether the caller waits for a result.
  --ordered / --unordered  Whether the order of messages matters.
  --receivers <str>        Who processes a message: one, several, or one by-
                           type.
  --json                   Print JSON, for programs.
  -h, --help               Show this message and exit.
""",
    ("show",): """\
Usage: sls-patterns show [OPTIONS] {pattern}

  Show a pattern: its options, graph, failures and proofs.

Arguments:
  pattern <str>  The pattern's name.  [required]

Options:
  --topology <str>  The topology to show; the default is the first.
  --json            Print JSON, for programs.
  --mermaid         Print a Mermaid diagram.
  -h, --help        Show this message and exit.
""",
    ("explain",): """\
Usage: sls-patterns explain [OPTIONS] [topic]

  Print the page of a topic that is the same in every project.

Arguments:
  topic <str>  What to explain; the topics if left out.

Options:
  --json      Print JSON, for programs.
  -h, --help  Show this message and exit.
""",
    ("check",): """\
Usage: sls-patterns check [OPTIONS] [paths]...

  Check where failures end in any SAM or CloudFormation template, CDK app or
  Terraform plan.

Arguments:
  paths... <list[Path]>  Templates, cdk.out folders, Terraform plans or
                         folders; by default this folder.

Options:
  --json              Print JSON, for programs.
  --sarif             Print SARIF, for code hosts.
  --strict            Fail on warnings, too.
  --explain RULE      Print the page of a rule, and check nothing.
  --at-least VERSION  Fail if this command is older or cannot read SAM, and
                      check nothing.
  -h, --help          Show this message and exit.
""",
    ("prove",): """\
Usage: sls-patterns prove [OPTIONS] [path]

  Break the consumer of each asynchronous edge of any stack, and show where
  its events end.

Arguments:
  path <path>  A template, a cdk.out folder or a project; by default this one.

Options:
  --edge A=>B    Only this edge; repeatable.
  --fault FAULT  What goes wrong: error, timeout, throttle, denied or poison;
                 repeatable.
  --json         Print JSON, for programs.
  -h, --help     Show this message and exit.
""",
    ("harness",): """\
Usage: sls-patterns harness [OPTIONS]

  Change, read and restore a stack for the proofs of a project, which start
  this themselves.

  It ends when standard input does, and restores what is still changed.

Options:
  --stack NAME  The name of the deployed stack.  [required]
  --smoke       Only smoke tests run, on a stack that may be in use.
  -h, --help    Show this message and exit.
""",
    ("deploy-role",): """\
Usage: sls-patterns deploy-role [OPTIONS] [path]

  Print the template of a role with which GitHub Actions deploys a stack, and
  no more.

Arguments:
  path <path>  A template, a cdk.out folder or a project; by default this one.

Options:
  --stack NAME        The name of the stack that the role deploys.
  --environment NAME  The environment of the job that deploys.  [default:
                      production]
  -h, --help          Show this message and exit.
""",
    ("dashboard",): """\
Usage: sls-patterns dashboard [OPTIONS] [path]

  Show the CloudWatch dashboards of any SAM or CloudFormation template or CDK
  app.

Arguments:
  path <path>  A template, cdk.out folder or folder; by default this folder.

Options:
  --svg FILE  Draw a picture into this file.
  -h, --help  Show this message and exit.
""",
    ("openapi",): """\
Usage: sls-patterns openapi [OPTIONS] [[PATH]]

  Print an OpenAPI document of a project's API, made from its models.

Arguments:
  [PATH] <path>  The project's folder; by default the one that this folder is
                 or lies in.  [default: .]

Options:
  --template <path>       A template or cdk.out folder; by default what the
                          project deploys.
  --output FILE           Write to this file.
  --server URL            The address of the API.
  --parameter NAME=VALUE  A parameter of the stack, such as IssuerUrl.
  -h, --help              Show this message and exit.
""",
    ("doctor",): """\
Usage: sls-patterns doctor [OPTIONS] [[PATH]]

  Say what this machine lacks for generated projects, and how to install it.

  In a project, or a folder below it, it is what that project needs. Exit code
  1 if something would fail.

Arguments:
  [PATH] <path>  The project's folder; by default the one that this folder is
                 or lies in.  [default: .]

Options:
  --json      Print JSON, for programs.
  -h, --help  Show this message and exit.
""",
    ("new",): """\
Usage: sls-patterns new [OPTIONS] [pattern] [dest]

  Generate a new project; a terminal asks for what is left out.

Arguments:
  pattern <str>  The pattern's name; asked for if left out.
  dest <path>    The new folder; ./<name> if left out.

Options:
  --name <str>             The project's name; by default that of DEST, or of
                           the pattern.
  --topology <str>         The arrangement of the pattern.
  --runtime <str>          The language of the functions.
  --runtime-version <str>  The Lambda runtime, such as python3.13.
  --iac <str>              The IaC flavour: sam or cdk.
  --datastore <str>        Where the data is stored.
  --region <str>           The AWS region.
  --data KEY=VALUE         Answer any other question of the template.
  --defaults               Ask nothing; take the defaults.
  --no-git                 Create no git repository.
  --json                   Print JSON, for programs.
  -h, --help               Show this message and exit.
""",
    ("update",): """\
Usage: sls-patterns update [OPTIONS] [[PATH]...]...

  Merge a newer template, or other answers, into a project, or into several.

  Your own files are not changed without --apply-fixes. Exit code: 0 if all is
  done, 3 if something is left to settle by hand, 2 if an update was refused
  and has changed nothing.

Arguments:
  [PATH]... <list[Path]>  The project's folder; by default the one that this
                          folder is or lies in.

Options:
  --to VERSION        The version; the newest if left out.
  --data KEY=VALUE    Change the answer to a question of the template.
  --source ADDRESS    Take the template from this git address: a mirror, or a
                      fork. The environment variable SLS_PATTERNS_SOURCE does
                      the same.
  --dry-run           Change nothing; show what would change.
  --apply-fixes       Also apply fixes to your own files that are as released.
  --replace           Agree that other answers replace deployed resources.
  --workspace FOLDER  Update every project in a folder and below it.
  --branch NAME       Commit each update on a new branch, from the last.
  --json              Print JSON, for programs.
  -h, --help          Show this message and exit.
""",
    ("fix",): """\
Usage: sls-patterns fix [OPTIONS] [[PATH]]

  Apply the open fixes of the updates so far to your own files that are as
  released.

  What is left is written as a patch, and as a text for each fix. Exit codes
  as for update; with --prove, that of the proof.

Arguments:
  [PATH] <path>  The project's folder; by default the one that this folder is
                 or lies in.  [default: .]

Options:
  --waive ID        Do without an open fix, for a --reason.
  --reason TEXT     Why the project does without the fix.
  --prove ID        Settle an open fix if its proof passes on this machine.
  --source ADDRESS  Take the template from this git address: a mirror, or a
                    fork. The environment variable SLS_PATTERNS_SOURCE does
                    the same.
  --dry-run         Change nothing; show what would change.
  --json            Print JSON, for programs.
  -h, --help        Show this message and exit.
""",
    ("status",): """\
Usage: sls-patterns status [OPTIONS] [[PATH]]

  Compare a project with its template.

  Shows what an update would change, which fixes are open, and which files of
  the template you have edited or removed.

Arguments:
  [PATH] <path>  The project's folder; by default the one that this folder is
                 or lies in.  [default: .]

Options:
  --source ADDRESS  Take the template from this git address: a mirror, or a
                    fork. The environment variable SLS_PATTERNS_SOURCE does
                    the same.
  --fixes           Show only the open fixes, with what they change.
  --json            Print JSON, for programs.
  -h, --help        Show this message and exit.
""",
    ("local",): """\
Usage: sls-patterns local [OPTIONS] COMMAND [ARGS]...

  Run a project on this machine, without AWS.

Options:
  -h, --help  Show this message and exit.

Commands:
  test    Deploy a project on this machine and run its proofs.
  up      Deploy a project on this machine and follow its logs.
  env     Print the variables of the stack that `local up` runs, for a...
  invoke  Invoke a function of the stack that `local up` runs, and print...
  send    Send a message, event, record or object into the stack that...
  logs    Print what the functions of the stack that `local up` runs log,...
""",
    ("local", "test"): """\
Usage: sls-patterns local test [OPTIONS] [[PATH]]

  Deploy a project on this machine and run its proofs.

  Arguments after -- go to the proofs' test runner, whose exit code is
  returned.

Arguments:
  [PATH] <path>  The project's folder; by default the one that this folder is
                 or lies in.  [default: .]

Options:
  -h, --help  Show this message and exit.
""",
    ("local", "up"): """\
Usage: sls-patterns local up [OPTIONS] [[PATH]]

  Deploy a project on this machine and follow its logs.

  PATH is a generated project, any other SAM or CDK project, a template, or a
  folder that `cdk synth` has written.

Arguments:
  [PATH] <path>  The project's folder; by default the one that this folder is
                 or lies in.  [default: .]

Options:
  --env FILE              Write what a shell or an editor needs to this file.
  --watch                 Deploy each change of the project as it is saved.
  --parameter NAME=VALUE  A parameter of the template; may be repeated.
  --trust-code            Agree that code of a project that this tool has not
                          generated is run.
  -h, --help              Show this message and exit.
""",
    ("local", "env"): """\
Usage: sls-patterns local env [OPTIONS] [[PATH]]

  Print the variables of the stack that `local up` runs, for a shell to
  evaluate.

Arguments:
  [PATH] <path>  The project's folder; by default the one that this folder is
                 or lies in.  [default: .]

Options:
  --json      Print JSON, for programs.
  -h, --help  Show this message and exit.
""",
    ("local", "invoke"): """\
Usage: sls-patterns local invoke [OPTIONS] {function} [[FILE]]

  Invoke a function of the stack that `local up` runs, and print what it
  returns.

  Without FILE the event is {}. Its log goes to the standard error; exit code
  1 if it fails.

Arguments:
  function <str>  The function's logical id, or the start of it.  [required]
  [FILE] <path>   The event, as JSON; - reads standard input.

Options:
  --project PATH  The project's folder.  [default: .]
  -h, --help      Show this message and exit.
""",
    ("local", "send"): """\
Usage: sls-patterns local send [OPTIONS] {node} {FILE}

  Send a message, event, record or object into the stack that `local up` runs.

Arguments:
  node <str>   The logical id, or the start of it, of a queue, topic, event
               bus, stream, delivery stream, bucket, table, function or state
               machine.  [required]
  FILE <path>  What is sent; - reads standard input.  [required]

Options:
  --attribute NAME=VALUE  A message attribute; may be repeated.
  --key KEY               The message group, partition key, object key or
                          execution name.
  --project PATH          The project's folder.  [default: .]
  -h, --help              Show this message and exit.
""",
    ("local", "logs"): """\
Usage: sls-patterns local logs [OPTIONS] [[PATH]]

  Print what the functions of the stack that `local up` runs log, until
  Ctrl-C.

Arguments:
  [PATH] <path>  The project's folder; by default the one that this folder is
                 or lies in.  [default: .]

Options:
  -h, --help  Show this message and exit.
""",
    ("letters",): """\
Usage: sls-patterns letters [OPTIONS] COMMAND [ARGS]...

  List, send back and discard the dead letters of a deployed stack.

Options:
  -h, --help  Show this message and exit.

Commands:
  list       List what is in each end of a stack, by cause.
  show       Show single letters; what is in them only with --payload.
  redrive    Send letters back to what failed.
  discard    Delete letters, after a copy of each to a file (JSON lines).
  pause      Disable what starts a function: event source mappings, rules...
  resume     Enable what starts a function again, where its template...
  set-aside  Move the head of a blocked message group to the dead-letter...
  policy     Print the least that a role needs for some of these...
""",
    ("letters", "list"): """\
Usage: sls-patterns letters list [OPTIONS] [path]

  List what is in each end of a stack, by cause.

Arguments:
  path <path>  A generated project, or with --stack a template; by default
               this folder's project.

Options:
  --stack NAME  The name of the deployed stack.
  --end NAME    Only this end, by its logical id; may be repeated.
  --id ID       The letter with this id; may be repeated.
  --group ID    Letters of a group of `list`; may be repeated.
  --json        Print JSON, for programs.
  -h, --help    Show this message and exit.
""",
    ("letters", "show"): """\
Usage: sls-patterns letters show [OPTIONS] [path]

  Show single letters; what is in them only with --payload.

Arguments:
  path <path>  A generated project, or with --stack a template; by default
               this folder's project.

Options:
  --stack NAME      The name of the deployed stack.
  --end NAME        Only this end, by its logical id; may be repeated.
  --id ID           The letter with this id; may be repeated.
  --group ID        Letters of a group of `list`; may be repeated.
  --older-than AGE  Letters that are older, such as 12h or 3d.
  --newer-than AGE  Letters that are newer, such as 30m.
  --payload         Also show what failed, and the error in full.
  --redact WORD     Hide fields with this word in their name, too; may be
                    repeated.
  --json            Print JSON, for programs.
  -h, --help        Show this message and exit.
""",
    ("letters", "redrive"): """\
Usage: sls-patterns letters redrive [OPTIONS] [path]

  Send letters back to what failed.

Arguments:
  path <path>  A generated project, or with --stack a template; by default
               this folder's project.

Options:
  --stack NAME      The name of the deployed stack.
  --end NAME        Only this end, by its logical id; may be repeated.
  --id ID           The letter with this id; may be repeated.
  --group ID        Letters of a group of `list`; may be repeated.
  --older-than AGE  Letters that are older, such as 12h or 3d.
  --newer-than AGE  Letters that are newer, such as 30m.
  --all             All letters.
  --execution NAME  Restart this execution, too, although it was stopped; may
                    be repeated.
  --all-readers     Send records of a delivery to all readers of its stream,
                    too.
  --rate N          Send at most so many letters a second.
  --wait SECONDS    Wait so long for the first letter of each cause, and then
                    for what fails again.
  --no-canary       Send all at once, and not one letter of each cause before
                    the others.
  --dry-run         Send nothing; say what would be sent.
  --yes             Agree; nobody is asked.
  --json            Print JSON, for programs.
  -h, --help        Show this message and exit.
""",
    ("letters", "discard"): """\
Usage: sls-patterns letters discard [OPTIONS] [path]

  Delete letters, after a copy of each to a file (JSON lines).

Arguments:
  path <path>  A generated project, or with --stack a template; by default
               this folder's project.

Options:
  --stack NAME  The name of the deployed stack.
  --end NAME    Only this end, by its logical id; may be repeated.
  --id ID       The letter with this id; may be repeated.
  --group ID    Letters of a group of `list`; may be repeated.
  --to FILE     The new file that gets a copy of each.
  --dry-run     Delete nothing; say what would be deleted.
  --yes         Agree; nobody is asked.
  --json        Print JSON, for programs.
  -h, --help    Show this message and exit.
""",
    ("letters", "pause"): """\
Usage: sls-patterns letters pause [OPTIONS] {function} [path]

  Disable what starts a function: event source mappings, rules and schedules.

Arguments:
  function <str>  The function, by its logical id or its name.  [required]
  path <path>     A generated project, or with --stack a template; by default
                  this folder's project.

Options:
  --stack NAME  The name of the deployed stack.
  --yes         Agree; nobody is asked.
  --json        Print JSON, for programs.
  -h, --help    Show this message and exit.
""",
    ("letters", "resume"): """\
Usage: sls-patterns letters resume [OPTIONS] {function} [path]

  Enable what starts a function again, where its template enables it.

Arguments:
  function <str>  The function, by its logical id or its name.  [required]
  path <path>     A generated project, or with --stack a template; by default
                  this folder's project.

Options:
  --stack NAME  The name of the deployed stack.
  --yes         Agree; nobody is asked.
  --json        Print JSON, for programs.
  -h, --help    Show this message and exit.
""",
    ("letters", "set-aside"): """\
Usage: sls-patterns letters set-aside [OPTIONS] {queue} {message_group} [path]

  Move the head of a blocked message group to the dead-letter queue.

Arguments:
  queue <str>          The FIFO queue, by its logical id or its name.
                       [required]
  message_group <str>  The id of the message group.  [required]
  path <path>          A generated project, or with --stack a template; by
                       default this folder's project.

Options:
  --stack NAME    The name of the deployed stack.
  --id ID         Only if this message is the head.
  --wait SECONDS  Wait so long for the head; by default the visibility timeout
                  and 60 s.
  --yes           Agree; nobody is asked.
  --json          Print JSON, for programs.
  -h, --help      Show this message and exit.
""",
    ("letters", "policy"): """\
Usage: sls-patterns letters policy [OPTIONS] [[VERB]... [PATH]]...

  Print the least that a role needs for some of these commands, as JSON.

Arguments:
  [VERB]... [PATH] <list[str]>  list, show, redrive, discard, pause, resume,
                                set-aside; by default list and show. Then a
                                generated project, or with --stack a template.

Options:
  --stack NAME  The name of the deployed stack.
  --end NAME    Only this end, by its logical id; may be repeated.
  -h, --help    Show this message and exit.
""",
}

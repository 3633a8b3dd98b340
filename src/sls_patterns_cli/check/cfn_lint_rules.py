"""The rules as rules of cfn-lint: `cfn-lint --append-rules sls_patterns_cli.check.cfn_lint_rules`.

cfn-lint takes the severity of a rule from the first letter of its id, so SP101 is ESP101 there.
"""

from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from cfnlint.rules import CloudFormationLintRule, RuleMatch

from sls_patterns_cli.check import pages
from sls_patterns_cli.check.finding import Finding
from sls_patterns_cli.check.report import reports
from sls_patterns_cli.check.rules import RULES, Rule
from sls_patterns_cli.errors import UserError

LETTERS = {"error": "E", "warning": "W", "note": "I"}

_FOUND: WeakKeyDictionary[Any, list[Finding]] = WeakKeyDictionary()
"""What was found in a template: cfn-lint calls each rule with it."""


def _found_in(template: Any) -> list[Finding]:
    if template not in _FOUND:
        _FOUND[template] = []  # if the check fails, one rule tells so and not each
        if not template.filename:
            raise UserError("sls-patterns checks files only, not standard input")
        file = Path(template.filename)
        _FOUND[template] = [
            finding
            for report in reports(file)
            for finding in report.findings
            if finding.suppressed is None and Path(finding.file).resolve() == file.resolve()
        ]
    return _FOUND[template]


def _class(rule: Rule) -> type:
    """cfn-lint makes a rule of each class of this module."""

    def match(_self: Any, template: Any) -> list[RuleMatch]:
        return [
            RuleMatch(
                ["Resources", finding.resource],
                f"{finding.message} {finding.mend}",
                location=(finding.line - 1, 0, finding.line - 1, 0),
            )
            for finding in _found_in(template)
            if finding.rule == rule.id
        ]

    members = {
        "id": f"{LETTERS[rule.severity]}{rule.id}",
        "shortdesc": rule.title,
        "description": pages.description(rule.id),
        "source_url": rule.url,
        "tags": ["sls-patterns"],
        "match": match,
    }
    return type(rule.id, (CloudFormationLintRule,), members)


globals().update({rule.id: _class(rule) for rule in RULES.values()})

"""Findings as SARIF 2.1.0, the form that code hosts show beside the lines.

https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from sls_patterns_cli.check import pages
from sls_patterns_cli.check.finding import Finding
from sls_patterns_cli.check.rules import RULES, Rule

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def sarif(findings: Sequence[Finding], version: str) -> dict[str, Any]:
    """The findings of a run of this tool, which has `version`, as a SARIF log.

    Files are named from the current folder, which is the repository's root where a code host is to
    find them.
    """
    found = {finding.rule for finding in findings}
    rules = [rule for rule in RULES.values() if rule.id in found]
    driver = {
        "name": "sls-patterns",
        "version": version,
        "rules": [_rule(rule) for rule in rules],
    }
    index = {rule.id: number for number, rule in enumerate(rules)}
    prints = _fingerprints(findings)
    results = [
        _result(finding, index[finding.rule], fingerprint)
        for finding, fingerprint in zip(findings, prints, strict=True)
    ]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": pages.description(rule.id)},
        "help": {"text": rule.url, "markdown": pages.page(rule.id)},
        "helpUri": rule.url,
        "defaultConfiguration": {"level": rule.severity},
    }


def _result(finding: Finding, index: int, fingerprint: str) -> dict[str, Any]:
    result = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": finding.severity,
        "message": {"text": f"{finding.message}\n\n{finding.mend}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(_path(finding))},
                    "region": {"startLine": finding.line},
                },
                "logicalLocations": [{"name": finding.resource, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"finding/v1": fingerprint},
    }
    if finding.suppressed is not None:
        suppression = {"kind": "external", "justification": finding.suppressed}
        result["suppressions"] = [suppression]
    return result


def _path(finding: Finding) -> str:
    return PurePath(os.path.relpath(finding.file)).as_posix()


def _fingerprints(findings: Sequence[Finding]) -> list[str]:
    """What tells a finding apart in any version of its file: everything but its line.

    Several of one rule, file and resource are counted.
    """
    seen: Counter[tuple[str, str, str]] = Counter()
    prints = []
    for finding in findings:
        identity = (finding.rule, _path(finding), finding.resource)
        seen[identity] += 1
        text = "\0".join((*identity, str(seen[identity])))
        prints.append(hashlib.sha256(text.encode()).hexdigest()[:32])
    return prints

"""The contract can fail: its rules for databases, on the least stack that keeps them."""

from typing import Any

import pytest
from contract import examples
from contract.changes import REMOVE, changed
from contract.check import violations
from contract.examples import allow, get, ref, resource


def database() -> dict[str, Any]:
    """Return a cluster, as far as the rules look at it."""
    return examples.template(
        {
            "Books": resource(
                "AWS::RDS::DBCluster", EnableIAMDatabaseAuthentication=True, EngineVersion="16.8"
            ),
            "BooksInstance": resource(
                "AWS::RDS::DBInstance",
                DBClusterIdentifier=ref("Books"),
                AutoMinorVersionUpgrade=False,
            ),
        },
    )


def says(*changes: tuple[str, Any]) -> list[str]:
    template = database()
    for path, value in changes:
        template = changed(template, path, value)
    return list(map(str, violations(template)))


def test_a_database_that_has_all_it_needs_keeps_the_contract() -> None:
    assert says() == []


@pytest.mark.parametrize("upgraded", [True, REMOVE])
def test_a_pinned_minor_version_is_not_upgraded_automatically(upgraded: object) -> None:
    """A14."""
    is_ = "missing" if upgraded is REMOVE else upgraded
    change = ("BooksInstance.AutoMinorVersionUpgrade", upgraded)

    assert says(change) == [
        (
            f"version BooksInstance: AutoMinorVersionUpgrade is {is_}, but must be false, "
            "since Books pins version 16.8"
        )
    ]
    assert says(change, ("Books.EngineVersion", "16")) == []

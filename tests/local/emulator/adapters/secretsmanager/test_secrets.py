"""Secrets of a template."""

from collections.abc import Callable
from typing import Any

from local.support import DeployStack

TEMPLATE = """
Resources:
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties: {GenerateSecretString: {PasswordLength: 40, ExcludePunctuation: true}}
  Pair:
    Type: AWS::SecretsManager::Secret
    Properties:
      GenerateSecretString:
        {SecretStringTemplate: '{"user": "me"}', GenerateStringKey: password, PasswordLength: 8}
Outputs: {Secret: {Value: !Ref Secret}, Pair: {Value: !Ref Pair}}
"""


def test_a_reference_is_the_arn_and_the_value_obeys_its_constraints(
    deploy_stack: DeployStack, client: Callable[[str], Any]
) -> None:
    secrets = client("secretsmanager")
    outputs = deploy_stack(TEMPLATE, "secrets")

    assert outputs["Secret"].startswith("arn:aws:secretsmanager:eu-west-1:")
    value = secrets.get_secret_value(SecretId=outputs["Secret"])["SecretString"]
    assert len(value) == 40
    assert value.isalnum()
    pair = secrets.get_secret_value(SecretId=outputs["Pair"])["SecretString"]
    assert '"user": "me"' in pair

    described = TEMPLATE.replace("{GenerateSecretString", "{Description: new, GenerateSecretString")
    updated = deploy_stack(described, "secrets")
    assert updated["Secret"] == outputs["Secret"]
    kept = secrets.get_secret_value(SecretId=outputs["Secret"])["SecretString"]
    assert kept == value

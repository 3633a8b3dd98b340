"""A secret of a template is known by its ARN, and its generated value obeys every constraint.

AWS: `Ref` of an `AWS::SecretsManager::Secret` is the secret's ARN; GenerateSecretString takes the
parameters of GetRandomPassword, such as ExcludePunctuation.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-secretsmanager-secret.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-secretsmanager-secret-generatesecretstring.html

Emulator: `Ref` is the name, which matches no policy; of the constraints it knows
ExcludeCharacters and PasswordLength.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.services import secretsmanager
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.adapters import rely_on, replace


def apply() -> None:
    rely_on(secretsmanager._get_random_password, "c69d89e32c93")
    handlers = provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]
    replace(handlers, "create", "0bae0110fce2", _create)
    replace(handlers, "update", "e87220a5ff35", _update)
    replace(handlers, "delete", "4ff615ac8289", _delete)
    replace(provisioners, "_sm_secret_string", "35e09b8c3f3d", _value)


def _create(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_secret(*arguments: Any) -> Any:
        _name, attributes = create(*arguments)
        return attributes["Arn"], attributes

    return create_secret


def _update(update: Callable[..., Any]) -> Callable[..., Any]:
    def update_secret(arn: str, *arguments: Any) -> Any:
        _name, attributes = update(_name_of(arn), *arguments)
        return attributes["Arn"], attributes

    return update_secret


def _delete(delete: Callable[..., Any]) -> Callable[..., Any]:
    def delete_secret(arn: str, properties: dict[str, Any]) -> Any:
        return delete(_name_of(arn), properties)

    return delete_secret


def _name_of(arn: str) -> str:
    return next((n for n, secret in secretsmanager._secrets.items() if secret["ARN"] == arn), arn)


def _value(_original: Callable[..., Any]) -> Callable[..., Any]:
    def secret_value(properties: dict[str, Any]) -> str:
        constraints = properties.get("GenerateSecretString")
        if not constraints:
            return str(properties.get("SecretString", ""))
        status, _, body = secretsmanager._get_random_password(constraints)
        answer = json.loads(body)
        if status >= 400:
            raise ValueError(answer["message"])
        password = str(answer["RandomPassword"])
        if template := constraints.get("SecretStringTemplate"):
            document = {**json.loads(template), constraints["GenerateStringKey"]: password}
            return json.dumps(document)
        return password

    return secret_value

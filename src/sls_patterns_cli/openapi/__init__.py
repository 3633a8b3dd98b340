"""An OpenAPI document of a project's API, made from its models, its template and `openapi.yml`."""

"""Amazon API Gateway: REST and HTTP APIs."""

"""CloudFormation as data: templates are read, expanded and put together; nothing is run."""

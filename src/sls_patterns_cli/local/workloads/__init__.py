"""SAM and CDK projects that this tool has not generated, as the local stack deploys them."""

-- Whom the service's functions sign in as: without a password, by a token that IAM lets them sign.
CREATE ROLE service LOGIN;
GRANT rds_iam TO service;

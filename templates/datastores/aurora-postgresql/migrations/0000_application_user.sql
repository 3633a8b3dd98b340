-- Whom the service's functions sign in as: without a password, by a token that IAM lets them sign.
CREATE ROLE service LOGIN;
GRANT rds_iam TO service;
-- Environments that Lambda has frozen would hold connections for ever, and a database with connections never pauses.
ALTER ROLE service SET idle_session_timeout = '60s';

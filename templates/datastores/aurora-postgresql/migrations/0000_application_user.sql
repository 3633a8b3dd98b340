-- Whom the service's functions sign in as: without a password, by a token that IAM lets them sign.
{% if 'cluster' in options %}
-- In an existing cluster its owner has made the role, for all services in the cluster.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'service') THEN
        CREATE ROLE service LOGIN;
        GRANT rds_iam TO service;
    END IF;
END
$$;
{% else %}
CREATE ROLE service LOGIN;
GRANT rds_iam TO service;
{% endif %}

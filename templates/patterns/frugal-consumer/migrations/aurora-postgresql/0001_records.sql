CREATE TABLE records (
    id text PRIMARY KEY, -- as its sender gave it
    tenant text NOT NULL,
    metric text NOT NULL,
    quantity bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    message_id text NOT NULL -- of the queue message that brought it
);

CREATE INDEX records_by_tenant ON records (tenant, metric, recorded_at);

GRANT SELECT, INSERT ON records TO service;

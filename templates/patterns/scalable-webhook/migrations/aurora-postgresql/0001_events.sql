CREATE TABLE events (
    id text PRIMARY KEY, -- as its sender gave it
    type text NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    message_id text NOT NULL, -- of the queue message that brought it
    body text NOT NULL -- JSON as it came: jsonb would change numbers and drop duplicate names
);

GRANT SELECT, INSERT ON events TO service;

CREATE TABLE events (
    id text PRIMARY KEY, -- as its sender gave it
    type text NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    message_id text NOT NULL, -- of the queue message that brought it
    data jsonb NOT NULL
);

GRANT SELECT, INSERT ON events TO service;

-- Redshift enforces no key: copies are removed by id when events are read.
CREATE TABLE events (
    id VARCHAR(64) NOT NULL,
    type VARCHAR(32) NOT NULL,
    page VARCHAR(8192) NOT NULL, -- in bytes: a character has up to four
    occurred_at TIMESTAMPTZ NOT NULL,
    received_at TIMESTAMPTZ NOT NULL
);

-- Firehose may add rows, and neither read nor change them.
GRANT INSERT ON events TO loader;

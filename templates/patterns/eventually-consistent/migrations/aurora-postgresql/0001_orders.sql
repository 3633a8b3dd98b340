CREATE TABLE order_copies (
    id text PRIMARY KEY,
    -- All three are empty in the tombstone of a deleted order.
    customer text,
    status text,
    amount bigint, -- in cents
    deleted boolean NOT NULL,
    last_updated timestamptz NOT NULL,
    sequence numeric(40, 0) NOT NULL -- of the change in the stream
);

CREATE VIEW orders AS
    SELECT id, customer, status, amount, last_updated FROM order_copies WHERE NOT deleted;

CREATE INDEX order_copies_by_customer ON order_copies (customer, status);

GRANT SELECT, INSERT, UPDATE, DELETE ON order_copies TO service;
GRANT SELECT ON orders TO service;

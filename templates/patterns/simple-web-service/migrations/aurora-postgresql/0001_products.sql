CREATE TABLE products (
    id uuid PRIMARY KEY,
    version integer NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    amount bigint NOT NULL, -- in the smallest unit of the currency
    currency text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_from text NOT NULL -- tells a request that comes again from another with its key
);

GRANT SELECT, INSERT, UPDATE, DELETE ON products TO service;

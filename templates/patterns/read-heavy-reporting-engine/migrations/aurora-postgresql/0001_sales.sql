CREATE TABLE sales (
    id text PRIMARY KEY, -- as its caller chose it
    shop text NOT NULL,
    day date NOT NULL,
    cents bigint NOT NULL
);

-- A report of a shop reads no other column.
CREATE INDEX sales_by_shop ON sales (shop, day) INCLUDE (cents);

-- Raised in the transaction that changes a report, so that a copy of it can be told from a newer one.
CREATE TABLE report_versions (
    shop text NOT NULL,
    month text NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (shop, month)
);

GRANT SELECT, INSERT, UPDATE ON sales, report_versions TO service;

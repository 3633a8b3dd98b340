-- The report that a sale last left. Its change is published again when the caller retries.
ALTER TABLE sales ADD COLUMN left_shop text, ADD COLUMN left_month text;

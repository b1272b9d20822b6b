CREATE TYPE order_state AS ENUM ('open', 'paid');
CREATE TABLE customers (
    id SERIAL PRIMARY KEY,
    name VARCHAR NOT NULL,
    email TEXT UNIQUE
);
CREATE TABLE orders (
    id UUID PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    state order_state NOT NULL DEFAULT 'open',
    total BIGINT NOT NULL,
    tags TEXT[] NOT NULL,
    details JSONB,
    placed TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

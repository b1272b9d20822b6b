-- What is dumped: each kind of object, with rows.
CREATE SCHEMA shop;
COMMENT ON SCHEMA shop IS 'what is sold';
CREATE TYPE shop.state AS ENUM ('new', 'paid', 'sent', 'it''s "lost"');
COMMENT ON TYPE shop.state IS 'of an order';
CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE shop.customer (
    id bigint GENERATED ALWAYS AS IDENTITY (START WITH 100 INCREMENT BY 5) PRIMARY KEY,
    name text NOT NULL,
    "E Mail" varchar(60) UNIQUE,
    feels mood DEFAULT 'ok' NOT NULL,
    felt mood[],
    born date CHECK (born > DATE '1900-01-01'),
    balance numeric(12,2) DEFAULT 0.00,
    notes jsonb,
    photo bytea,
    seen timestamptz,
    code char(4),
    active boolean DEFAULT true,
    ratio double precision,
    token uuid,
    tags text[]
);
COMMENT ON TABLE shop.customer IS 'who buys; ''quoted''';
COMMENT ON COLUMN shop.customer."E Mail" IS 'where to write';
CREATE TABLE shop.orders (
    id serial PRIMARY KEY,
    customer bigint NOT NULL REFERENCES shop.customer ON DELETE CASCADE,
    state shop.state DEFAULT 'new'::shop.state,
    placed timestamp DEFAULT now(),
    total numeric(10,2) NOT NULL,
    with_tax numeric(12,4) GENERATED ALWAYS AS (total * 1.2) STORED,
    CONSTRAINT positive CHECK (total > 0),
    CONSTRAINT not_lost CHECK (state <> 'it''s "lost"'::shop.state OR total < 1000)
);
CREATE INDEX orders_by_state ON shop.orders (state, placed DESC);
CREATE UNIQUE INDEX one_new ON shop.orders (customer) WHERE state = 'new'::shop.state;
CREATE INDEX lower_name ON shop.customer (lower(name));
COMMENT ON INDEX shop.lower_name IS 'for search';
COMMENT ON CONSTRAINT positive ON shop.orders IS 'nothing is free';
CREATE TABLE public.line (
    "order" int REFERENCES shop.orders (id) ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED,
    at smallint,
    what text,
    amount int DEFAULT 1,
    PRIMARY KEY ("order", at)
);
CREATE SEQUENCE public.ticket START 1000 INCREMENT 10 MAXVALUE 99999 CYCLE CACHE 3;
COMMENT ON SEQUENCE public.ticket IS 'numbers';
CREATE VIEW shop.open_orders AS
    SELECT o.id, c.name, o.state, o.total FROM shop.orders o JOIN shop.customer c ON c.id = o.customer
    WHERE o.state < 'sent'::shop.state;
COMMENT ON VIEW shop.open_orders IS 'to be sent';
CREATE MATERIALIZED VIEW public.by_state AS
    SELECT state, count(*) AS n, sum(total) AS total FROM shop.orders GROUP BY state;
CREATE UNIQUE INDEX by_state_key ON public.by_state (state);
CREATE FUNCTION public.orders_of(who bigint) RETURNS TABLE (id int, total numeric) LANGUAGE sql STABLE
    AS $$ SELECT id, total FROM shop.orders WHERE customer = who $$;
CREATE FUNCTION public.moods() RETURNS SETOF mood LANGUAGE sql IMMUTABLE
    AS $$ SELECT unnest(enum_range(NULL::public.mood)) $$;

INSERT INTO shop.customer (name, "E Mail", feels, felt, born, balance, notes, photo, seen, code, active, ratio, token, tags)
VALUES
    ('Ann', 'ann@example.org', 'happy', '{sad,happy}', '1990-05-05', 12.50, '{"a": [1, 2, null]}', '\x00ff10', '2024-02-29 12:00:00+02', 'ab', true, 0.1, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"x y",NULL,"\"q\""}'),
    (E'Bob\tTab\\ and\nline', NULL, 'sad', NULL, NULL, -3, NULL, NULL, NULL, NULL, false, 'NaN', NULL, '{}'),
    ('Çelik', 'c@example.org', DEFAULT, '{}', '2000-01-01', NULL, '"text"', '\x', 'infinity', 'wxyz', NULL, '-Infinity', NULL, NULL);
INSERT INTO shop.orders (customer, state, placed, total) VALUES
    (100, 'new', '2024-01-01 10:00', 10), (100, 'paid', '2024-01-02 11:30:00.123456', 20.5),
    (105, 'sent', '2024-01-03', 99.99), (110, 'it''s "lost"', NULL, 1);
INSERT INTO public.line VALUES (1, 1, 'pen', 2), (1, 2, 'ink', DEFAULT), (3, 1, '', 0);
SELECT nextval('public.ticket');
SELECT nextval('public.ticket');
REFRESH MATERIALIZED VIEW public.by_state;
ALTER TYPE public.mood ADD VALUE 'fine' BEFORE 'happy';

GRANT USAGE ON SCHEMA shop TO dump_reader;
GRANT SELECT ON shop.customer TO dump_reader;
GRANT SELECT (id, total), UPDATE (total) ON shop.orders TO dump_reader WITH GRANT OPTION;
GRANT USAGE ON SEQUENCE public.ticket TO dump_reader;
REVOKE USAGE ON TYPE shop.state FROM PUBLIC;
GRANT USAGE ON TYPE shop.state TO dump_reader;
REVOKE EXECUTE ON FUNCTION public.moods() FROM PUBLIC;

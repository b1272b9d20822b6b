-- A column of each type, rows of all of them, and what queries may join.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE all_types (
    a int PRIMARY KEY, b text, c timestamptz, d numeric(10, 2), e float8, f bool, g bytea, h interval, i date,
    j jsonb, k uuid, l int[], m time, n timetz, o timestamp, p int2, q int8, r float4, s varchar(20), t char(3),
    u inet, v json, w text[], x mood, y numeric);
INSERT INTO all_types
SELECT n, 't' || n, '2020-01-01 00:00+00'::timestamptz + n * interval '1 hour', n, n / 3.0, n % 2 = 0,
       decode(lpad(to_hex(n), 2, '0'), 'hex'), n * interval '1 day', date '2020-01-01' + n, jsonb_build_object('n', n),
       gen_random_uuid(), ARRAY[n, n + 1], time '01:00' + n * interval '1 minute', '01:00+01', '2020-01-01 00:00',
       n, n, n, 's' || n, 'abc', '10.0.0.1', '{"a": 1}', ARRAY['x', NULL], 'ok', n * 1.5
FROM generate_series(1, 40) AS n;
INSERT INTO all_types (a) SELECT n FROM generate_series(41, 45) AS n;
CREATE TABLE parent (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent, amount numeric(8, 2), made timestamptz DEFAULT now());
INSERT INTO parent SELECT n, 'p' || n FROM generate_series(1, 10) AS n;
INSERT INTO child SELECT n, n % 10 + 1, n FROM generate_series(1, 50) AS n;
CREATE VIEW sums AS SELECT parent, sum(amount) AS total, max(made) AS last FROM child GROUP BY parent;

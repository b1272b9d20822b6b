CREATE TABLE t (id int PRIMARY KEY, a int, b text, c numeric(10, 2));
CREATE TABLE u (id int PRIMARY KEY, t_id int REFERENCES t, d date);
INSERT INTO t SELECT g, g % 7, 'x' || g, g FROM generate_series(1, 100) g;
INSERT INTO u SELECT g, g % 100 + 1, DATE '2024-01-01' + g FROM generate_series(1, 200) g

-- Only what is asked for is read.
EXPLAIN SELECT b FROM t WHERE a = 3

-- Conditions come to both sides of a join.
EXPLAIN SELECT t.b, u.d FROM t JOIN u ON u.t_id = t.id WHERE t.a = 3 AND u.d > DATE '2024-03-01'

-- Into a view.
CREATE VIEW v AS SELECT t.id, t.a, t.b, count(u.id) AS n FROM t LEFT JOIN u ON u.t_id = t.id GROUP BY t.id, t.a, t.b

EXPLAIN SELECT n FROM v WHERE id = 5

-- Into both parts of a UNION.
EXPLAIN SELECT * FROM (SELECT id, a FROM t UNION ALL SELECT id, t_id FROM u) s WHERE a = 3

-- LIMIT, and the first rows of an order.
EXPLAIN SELECT id FROM t LIMIT 5

EXPLAIN SELECT id, c FROM t ORDER BY c DESC LIMIT 5

-- A subquery that reads the row around it becomes a join where it can, else it is run for each distinct value.
EXPLAIN SELECT t.id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.t_id = t.id AND u.d > DATE '2024-05-01')

EXPLAIN SELECT t.id, (SELECT max(u.d) FROM u WHERE u.t_id = t.id) FROM t

EXPLAIN SELECT t.id, (SELECT u.d FROM u WHERE u.t_id = t.id ORDER BY u.d LIMIT 1) FROM t

-- A series is not made before it is read.
EXPLAIN SELECT g FROM generate_series(1, 1000000000) g LIMIT 3

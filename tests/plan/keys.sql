CREATE TABLE t (id int PRIMARY KEY, code text UNIQUE, a int, b text);
CREATE INDEX t_a ON t (a);
CREATE INDEX t_lower ON t (lower(b));
INSERT INTO t SELECT g, 'c' || g, g % 7, 'X' || g FROM generate_series(1, 100) g

-- A whole key is looked up.
EXPLAIN SELECT b FROM t WHERE id = 42

EXPLAIN SELECT b FROM t WHERE code = 'c42'

-- A part of the condition beside it stays a filter.
EXPLAIN SELECT b FROM t WHERE id = 42 AND b LIKE 'X%'

-- Rows that are changed are found in the same way.
EXPLAIN UPDATE t SET b = 'y' WHERE id = 42

EXPLAIN DELETE FROM t WHERE id = 42

-- Another index, a range, an expression.
EXPLAIN SELECT b FROM t WHERE a = 3

EXPLAIN SELECT b FROM t WHERE id BETWEEN 3 AND 5

EXPLAIN SELECT id FROM t WHERE lower(b) = 'x5'

-- INSERT … ON CONFLICT looks for the row that is there.
EXPLAIN INSERT INTO t VALUES (42, 'c', 1, 'z') ON CONFLICT (id) DO UPDATE SET b = EXCLUDED.b

CREATE TABLE person (id int PRIMARY KEY, name text, born int);
CREATE TABLE knows (id int PRIMARY KEY, a int REFERENCES person, b int REFERENCES person, since int);
INSERT INTO person SELECT g, 'p' || g, 1950 + g FROM generate_series(1, 50) g;
INSERT INTO knows SELECT g, g, g % 50 + 1, 2000 + g FROM generate_series(1, 50) g

CREATE PROPERTY GRAPH g
  VERTEX TABLES (person)
  EDGE TABLES (knows SOURCE KEY (a) REFERENCES person (id) DESTINATION KEY (b) REFERENCES person (id))

-- One hop, on adjacency lists.
EXPLAIN MATCH (a:person)-[e:knows]->(b:person) RETURN a.name AS a, b.name AS b

-- same
EXPLAIN SELECT a, b FROM GRAPH_TABLE (g MATCH (a IS person)-[e IS knows]->(b IS person) COLUMNS (a.name AS a, b.name AS b))

-- The other way round.
EXPLAIN MATCH (b:person)<-[e:knows]-(a:person) RETURN a.name AS a, b.name AS b

-- same
EXPLAIN SELECT a, b FROM GRAPH_TABLE (g MATCH (b IS person)<-[e IS knows]-(a IS person) COLUMNS (a.name AS a, b.name AS b))

-- A key is looked up, conditions go into the pattern.
EXPLAIN MATCH (a:person)-[e:knows]->(b:person) WHERE a.id = 3 AND e.since > 2001 AND b.born > 1960 RETURN a.name AS a, b.name AS b

-- same
EXPLAIN SELECT a, b FROM GRAPH_TABLE (g MATCH (a IS person)-[e IS knows]->(b IS person) WHERE a.id = 3 AND e.since > 2001 AND b.born > 1960 COLUMNS (a.name AS a, b.name AS b))

-- Conditions on the elements.
EXPLAIN MATCH (a:person WHERE a.born > 1990)-[e:knows WHERE e.since = 2010]->(b) RETURN a.name AS a, b.name AS b

-- same
EXPLAIN SELECT a, b FROM GRAPH_TABLE (g MATCH (a IS person WHERE a.born > 1990)-[e IS knows WHERE e.since = 2010]->(b) COLUMNS (a.name AS a, b.name AS b))

-- A condition outside of GRAPH_TABLE comes into it.
EXPLAIN SELECT a, b FROM GRAPH_TABLE (g MATCH (a IS person)-[e IS knows]->(b IS person) COLUMNS (a.name AS a, b.name AS b, b.born AS born)) WHERE born > 1960

-- LIMIT stops the expansion.
EXPLAIN MATCH (a:person)-[e:knows]->(b:person) RETURN a.name AS a, b.name AS b LIMIT 3

-- same
EXPLAIN SELECT a, b FROM GRAPH_TABLE (g MATCH (a IS person)-[e IS knows]->(b IS person) COLUMNS (a.name AS a, b.name AS b)) LIMIT 3

-- Two hops: Cypher uses an edge once, SQL/PGQ may walk it again.
EXPLAIN MATCH (a:person)-[:knows]->(b:person)-[:knows]->(c:person) WHERE a.id = 1 RETURN c.name AS c

EXPLAIN SELECT c FROM GRAPH_TABLE (g MATCH (a IS person)-[IS knows]->(b IS person)-[IS knows]->(c IS person) WHERE a.id = 1 COLUMNS (c.name AS c))

-- A circle is closed by looking both ends up.
EXPLAIN MATCH (a:person)-[:knows]->(b:person)-[:knows]->(c:person)-[:knows]->(a) RETURN a.id AS a

-- Variable length.
EXPLAIN MATCH (a:person)-[:knows*1..3]->(b:person) WHERE a.id = 1 RETURN b.name AS b

-- The shortest path, from both ends.
EXPLAIN MATCH p = shortestPath((a:person)-[:knows*]->(b:person)) WHERE a.id = 1 AND b.id = 9 RETURN length(p) AS n

-- Patterns that may be missing, and that must be.
EXPLAIN MATCH (a:person) OPTIONAL MATCH (a)-[:knows]->(b:person) RETURN a.name AS a, b.name AS b

EXPLAIN MATCH (a:person) WHERE NOT EXISTS { MATCH (a)-[:knows]->(b:person) } RETURN a.name AS a

-- A count needs no columns.
EXPLAIN MATCH (a:person)-[:knows]->(b:person) RETURN count(*) AS n

-- Vertices that rows have the key of are looked up.
EXPLAIN UNWIND [1, 2] AS k MATCH (a:person {id: k}) RETURN a.name

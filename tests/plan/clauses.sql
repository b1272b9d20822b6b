CREATE PROPERTY GRAPH o ANY

SET graph_path = 'o'

CREATE (a:Person {name: 'Ann', born: 1970})-[:KNOWS {since: 2001}]->(b:Person {name: 'Bob', born: 1980})

-- MATCH, WHERE, RETURN.
EXPLAIN MATCH (a:Person)-[k:KNOWS]->(b:Person) WHERE k.since > 2000 RETURN a.name AS a, b.name AS b

-- A repeated pattern.
EXPLAIN MATCH (a:Person) ((x)-[:KNOWS]->(y) WHERE x.born < y.born){1,3} (b) RETURN a.name AS a, size(y) AS n

-- OPTIONAL MATCH.
EXPLAIN MATCH (a:Person) OPTIONAL MATCH (a)-[k:KNOWS]->(b) RETURN a.name AS a, b.name AS b

-- WITH, grouping, ORDER BY, SKIP, LIMIT.
EXPLAIN MATCH (a:Person) WITH a.born AS born, count(*) AS n WHERE n > 0 RETURN born, n ORDER BY n DESC SKIP 1 LIMIT 2

-- DISTINCT.
EXPLAIN MATCH (a:Person) RETURN DISTINCT a.born AS born

-- UNWIND.
EXPLAIN UNWIND [1, 2, 3] AS x RETURN x * 2 AS y

-- UNION and UNION ALL.
EXPLAIN MATCH (a:Person) RETURN a.name AS n UNION ALL MATCH (a:Person) RETURN a.name AS n

EXPLAIN MATCH (a:Person) RETURN a.name AS n UNION MATCH (a:Person) RETURN a.name AS n

-- CALL of a subquery.
EXPLAIN MATCH (a:Person) CALL { WITH a MATCH (a)-[:KNOWS]->(b) RETURN count(b) AS n } RETURN a.name AS a, n

-- CALL of an algorithm.
EXPLAIN CALL algo.pagerank({nodeLabels: ['Person']}) YIELD node, score RETURN node.name AS n, score ORDER BY score

-- CREATE, MERGE, SET, REMOVE, DELETE, DETACH DELETE, FOREACH.
EXPLAIN CREATE (p:Person {name: 'Cid'})

EXPLAIN MERGE (p:Person {name: 'Ann'}) ON CREATE SET p.born = 1 ON MATCH SET p.seen = true

EXPLAIN MATCH (p:Person) SET p.born = 1

EXPLAIN MATCH (p:Person) REMOVE p.born

EXPLAIN MATCH (:Person)-[k:KNOWS]->() DELETE k

EXPLAIN MATCH (p:Person) DETACH DELETE p

EXPLAIN MATCH (p:Person) FOREACH (x IN [1, 2] | SET p.born = x)

'use strict'
// node-postgres: parameters, types, cursors, streams, named statements, errors, notices, cancel.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { Client, Pool, types } = require('pg')
const Cursor = require('pg-cursor')
const QueryStream = require('pg-query-stream')

const SCHEMA = 'compat_node'
const SECONDS_MAX = Number(process.env.COMPAT_SECONDS_MAX || 60)
const LONG_QUERY = 'SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b'
const options = { options: `-c search_path=${SCHEMA} -c TimeZone=UTC` }
const checks = []
const check = (name, body) => checks.push({ name, body, graph: false })
const graphCheck = (name, body) => checks.push({ name, body, graph: true })

const one = async (client, text, values) => {
  const result = await client.query({ text, values, rowMode: 'array' })
  return result.rows[0][0]
}
const expectError = async (code, promise) => {
  try {
    await promise
  } catch (error) {
    assert.equal(error.code, code, error.message)
    return error
  }
  assert.fail(`no error, expected ${code}`)
}
const identity = text => text

// type, the text sent and expected back from the server in text format
const VALUES = [
  ['bool', 'true', 't'], ['bool', 'f', 'f'], ['int2', '-32768'], ['int4', '2147483647'], ['int8', '-9223372036854775808'],
  ['float4', '1.5'], ['float8', '0.1'], ['float8', '1e-305'], ['float8', 'NaN'], ['float8', '-Infinity'],
  ['numeric', '12345678901234567890.123456789'], ['numeric(10,2)', '3.145', '3.15'], ['text', 'naïve – ☃ 🐘'], ['text', ''],
  ['varchar(5)', 'abcde'], ['char(4)', 'ab', 'ab  '], ['bytea', '\\x00ff10'], ['date', '2024-02-29'], ['time', '23:59:59.999999'],
  ['timestamp', '1999-12-31 23:59:59.5'], ['timestamptz', '2024-03-10 12:00:00+05:30', '2024-03-10 06:30:00+00'],
  ['interval', '1 year 2 mons 3 days 04:05:06.7'], ['uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  ['json', '{"b": 1,  "a":2}'], ['jsonb', '{"b":[1,2.5,null],"a":"x"}', '{"a": "x", "b": [1, 2.5, null]}'],
  ['bool[]', '{t,NULL}'], ['int2[]', '{1,-2}'], ['int4[]', '{}'], ['int8[]', '{9223372036854775807}'], ['float8[]', '{0.1,-2}'],
  ['numeric[]', '{1.1,2}'], ['text[]', '{a,"b c","d\\"e",NULL,"NULL",""}'], ['varchar[]', '{x}'], ['bytea[]', '{"\\\\x01"}'],
  ['date[]', '{2020-01-02}'], ['timestamp[]', '{"2020-01-02 03:04:05"}'], ['interval[]', '{"1 day"}'],
  ['uuid[]', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'], ['jsonb[]', '{"{\\"a\\": 1}"}']
]

check('text of every type as parameter and result', async client => {
  const raw = { getTypeParser: () => identity }
  for (const [type, sent, expected] of VALUES) {
    const result = await client.query({ text: `SELECT $1::${type} AS v`, values: [sent], types: raw })
    assert.equal(result.rows[0].v, expected ?? sent, type)
    assert.equal((await client.query({ text: `SELECT $1::${type} AS v`, values: [null], types: raw })).rows[0].v, null, type)
  }
})

check('values in JavaScript types', async client => {
  const day = new Date(Date.UTC(2024, 2, 10, 6, 30))
  assert.equal(await one(client, 'SELECT $1::bool', [true]), true)
  assert.equal(await one(client, 'SELECT $1::int4', [7]), 7)
  assert.equal(await one(client, 'SELECT $1::int8', [7]), '7')
  assert.equal(await one(client, 'SELECT $1::float8 / 2', [5]), 2.5)
  assert.equal(await one(client, 'SELECT $1::numeric(6,2)', ['1.50']), '1.50')
  assert.deepEqual(await one(client, 'SELECT $1::bytea', [Buffer.from([0, 255])]), Buffer.from([0, 255]))
  assert.deepEqual(await one(client, 'SELECT $1::timestamptz', [day]), day)
  assert.deepEqual(await one(client, 'SELECT $1::jsonb', [{ a: [1, null, 'x'] }]), { a: [1, null, 'x'] })
  assert.deepEqual(await one(client, 'SELECT $1::json', [JSON.stringify([1, 2])]), [1, 2])
  assert.deepEqual(await one(client, 'SELECT $1::int4[]', [[1, null, 3]]), [1, null, 3])
  assert.deepEqual(await one(client, 'SELECT $1::text[]', [['a', 'b "c"', '{}', '']]), ['a', 'b "c"', '{}', ''])
  assert.deepEqual({ ...(await one(client, "SELECT '1 day 02:03:04'::interval")) }, { days: 1, hours: 2, minutes: 3, seconds: 4 })
  assert.equal(await one(client, 'SELECT count(*) FROM generate_series(1, 9) AS g(i) WHERE i = ANY($1)', [[2, 3, 99]]), '2')
})

check('binary results, byte for byte', async () => {
  const client = new Client({ ...options, binary: true })
  await client.connect()
  const bytes = { getTypeParser: () => value => Buffer.from(value).toString('hex') }
  // Only bytes below 0x80: node-postgres reads binary fields as UTF-8.
  const expected = [
    ['true', '01'], ['1::int2', '0001'], ['2', '00000002'], ['3::int8', '0000000000000003'], ['2::float4', '40000000'],
    ['2.5::float8', '4004000000000000'], ["'text'", '74657874'], ["'\\x007f'::bytea", '007f'], ['-12.01::numeric', '0002000040000002000c0064'],
    ["'2000-01-02'::date", '00000001'], ["'00:00:01'::time", '00000000000f4240'], ["'2000-01-01 00:00:01'::timestamp", '00000000000f4240'],
    ["'2000-01-01 00:00:01+00'::timestamptz", '00000000000f4240'], ["'1 mon 2 days 00:00:01'::interval", '00000000000f42400000000200000001'],
    ["'00112233-4455-6677-0011-223344556677'::uuid", '00112233445566770011223344556677'], ["'1'::jsonb", '0131'], ["'[1]'::json", '5b315d'],
    ['ARRAY[1, 2]', '000000010000000000000017000000020000000100000004000000010000000400000002'],
    ["'{}'::text[]", '000000000000000000000019']
  ]
  const text = `SELECT ${expected.map(([expression]) => expression).join(', ')} WHERE $1`
  const { rows } = await client.query({ text, values: [true], binary: true, rowMode: 'array', types: bytes })
  await client.end()
  assert.deepEqual(rows[0], expected.map(([, hex]) => hex))
})

check('fields of a result', async client => {
  const { fields, rows, rowCount, command } = await client.query('SELECT 1 AS a, \'x\'::varchar(3) AS "B", now() AS c')
  assert.deepEqual(fields.map(f => [f.name, f.dataTypeID]), [['a', 23], ['B', 1043], ['c', 1184]])
  assert.equal(fields[1].dataTypeModifier, 7)
  assert.deepEqual(Object.keys(rows[0]), ['a', 'B', 'c'])
  assert.deepEqual([rowCount, command], [1, 'SELECT'])
})

check('several statements in one query', async client => {
  await client.query('DROP TABLE IF EXISTS one_more')
  const results = await client.query("SELECT 1 AS a; SELECT 'two' AS b, 3 AS c; CREATE TABLE one_more (x int4)")
  assert.deepEqual(results.map(r => r.command), ['SELECT', 'SELECT', 'CREATE'])
  assert.deepEqual(results[1].rows, [{ b: 'two', c: 3 }])
  await expectError('22012', client.query('CREATE TABLE undone (x int4); SELECT 1/0'))
  await expectError('42P01', client.query('SELECT * FROM undone'))
})

check('insert, update, delete with RETURNING', async client => {
  await client.query('DROP TABLE IF EXISTS items; CREATE TABLE items (id int4 PRIMARY KEY, name text, added date DEFAULT \'2024-01-01\')')
  const inserted = await client.query('INSERT INTO items (id, name) VALUES ($1, $2), ($3, $4) RETURNING *', [1, 'one', 2, 'two'])
  assert.deepEqual(inserted.rows.map(r => [r.id, r.name]), [[1, 'one'], [2, 'two']])
  assert.equal(inserted.rowCount, 2)
  assert.equal((await client.query('UPDATE items SET name = $1 WHERE id = $2', ['ONE', 1])).rowCount, 1)
  assert.deepEqual((await client.query('DELETE FROM items WHERE id = $1 RETURNING name', [1])).rows, [{ name: 'ONE' }])
  assert.equal((await client.query('DELETE FROM items WHERE id = 77')).rowCount, 0)
})

check('named statements', async client => {
  const query = { name: 'by-id', text: 'SELECT $1::int4 AS id, $2::text AS t' }
  for (let i = 0; i < 20; i++) {
    assert.deepEqual((await client.query({ ...query, values: [i, `t${i}`] })).rows[0], { id: i, t: `t${i}` })
  }
  assert.deepEqual((await client.query("SELECT name, statement FROM pg_prepared_statements WHERE name = 'by-id'")).rows,
    [{ name: 'by-id', statement: query.text }])
  await client.query('DEALLOCATE "by-id"')
  await expectError('26000', client.query('EXECUTE "by-id" (1, \'x\')'))
})

check('cursor with a row limit', async client => {
  const cursor = client.query(new Cursor('SELECT i, i * 2 AS d FROM generate_series(1, $1::int4) AS g(i) ORDER BY i', [250]))
  const sizes = []
  let next = 1
  for (;;) {
    const rows = await cursor.read(100)
    if (rows.length === 0) break
    sizes.push(rows.length)
    for (const row of rows) assert.deepEqual({ ...row }, { i: next, d: 2 * next++ })
  }
  assert.deepEqual(sizes, [100, 100, 50])
  const closed = client.query(new Cursor('SELECT i FROM generate_series(1, 1000000) AS g(i)'))
  assert.equal((await closed.read(10)).length, 10)
  await closed.close()
  assert.equal(await one(client, 'SELECT 1'), 1)
})

check('query stream', async client => {
  let sum = 0
  const stream = client.query(new QueryStream('SELECT i FROM generate_series(1, 30000) AS g(i)', [], { batchSize: 500 }))
  for await (const row of stream) sum += row.i
  assert.equal(sum, 30000 * 30001 / 2)
  let seen = 0
  const early = client.query(new QueryStream('SELECT i FROM generate_series(1, 1000000) AS g(i)'))
  for await (const row of early) if (row.i && ++seen === 250) break
  assert.equal(await one(client, 'SELECT 1'), 1)
})

check('queries in a row without waiting', async client => {
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => one(client, 'SELECT $1::int4', [i])))
  assert.deepEqual(answers, Array.from({ length: 100 }, (_, i) => i))
})

check('errors', async client => {
  let error = await expectError('42703', client.query('SELECT nocolumn FROM pg_class'))
  assert.deepEqual([error.severity, error.position, error.message], ['ERROR', '8', 'column "nocolumn" does not exist'])
  error = await expectError('42P01', client.query('SELECT * FROM notable WHERE x = $1', [1]))
  assert.equal(error.position, '15')
  error = await expectError('42601', client.query('SELECT 1 +'))
  assert.equal(error.position, '11')
  await expectError('22P02', client.query('SELECT $1::int4', ['seven']))
  await expectError('08P01', client.query('SELECT $1::int4, $2::int4', [1]))
  await client.query('DROP TABLE IF EXISTS unique_one; CREATE TABLE unique_one (id int4 PRIMARY KEY); INSERT INTO unique_one VALUES (1)')
  error = await expectError('23505', client.query('INSERT INTO unique_one VALUES ($1)', [1]))
  assert.deepEqual([error.table, error.constraint, error.detail], ['unique_one', 'unique_one_pkey', 'Key (id)=(1) already exists.'])
  assert.equal(await one(client, 'SELECT 1'), 1)
})

check('transactions', async client => {
  await client.query('DROP TABLE IF EXISTS tx; CREATE TABLE tx (x int4)')
  await client.query('BEGIN')
  await client.query('INSERT INTO tx VALUES ($1)', [1])
  await client.query('COMMIT')
  await client.query('BEGIN')
  await client.query('INSERT INTO tx VALUES ($1)', [2])
  await expectError('22012', client.query('SELECT 1/0'))
  await expectError('25P02', client.query('SELECT 1'))
  await client.query('ROLLBACK')
  assert.deepEqual((await client.query('SELECT x FROM tx')).rows, [{ x: 1 }])
})

check('notices', async client => {
  const notices = []
  client.on('notice', notice => notices.push([notice.severity, notice.code, notice.message]))
  await client.query('DROP TABLE IF EXISTS never_was')
  assert.deepEqual(notices, [['NOTICE', '00000', 'table "never_was" does not exist, skipping']])
})

check('pool', async () => {
  const pool = new Pool({ ...options, max: 8 })
  try {
    const answers = await Promise.all(Array.from({ length: 64 }, (_, i) => pool.query('SELECT $1::int4 AS i', [i])))
    assert.deepEqual(answers.map(a => a.rows[0].i), Array.from({ length: 64 }, (_, i) => i))
  } finally {
    await pool.end()
  }
})

check('cancel', async client => {
  const other = new Client(options)
  await other.connect()
  const started = Date.now()
  setTimeout(() => client.query('SELECT pg_cancel_backend($1)', [other.processID]), 300)
  await expectError('57014', other.query(LONG_QUERY))
  assert.ok(Date.now() - started < 5000)
  assert.equal(await one(other, 'SELECT 1'), 1)
  await other.end()
  await client.query("SET statement_timeout = '200ms'")
  await expectError('57014', client.query(LONG_QUERY))
})

const withGraph = async client => {
  if (await one(client, "SELECT to_regclass('person')::text") === null) {
    await client.query(fs.readFileSync(path.join(__dirname, '../common/graph.sql'), 'utf8'))
  }
  await client.query("SET graph_path = 'compat_social'")
}

graphCheck('graph in three languages', async client => {
  await withGraph(client)
  const expected = [{ x: 'bob' }, { x: 'cid' }]
  const asked = [
    'MATCH (a:person {name: $1})-[:knows]->(b) RETURN b.name AS x ORDER BY x',
    'SELECT x FROM GRAPH_TABLE (compat_social MATCH (a IS person WHERE a.name = $1)-[IS knows]->(b IS person) COLUMNS (b.name AS x)) ORDER BY x',
    'SELECT b.name AS x FROM person a JOIN knows ON src = a.id JOIN person b ON b.id = dst WHERE a.name = $1 ORDER BY x',
    "SELECT x FROM cypher('compat_social', $$ MATCH (a:person)-[:knows]->(b) RETURN a.name AS a, b.name AS x $$) WHERE a = $1 ORDER BY x"
  ]
  for (const text of asked) assert.deepEqual((await client.query(text, ['ann'])).rows, expected, text)
})

graphCheck('graph values', async client => {
  await withGraph(client)
  const { rows, fields } = await client.query("MATCH (a:person {name: 'ann'})-[r:knows]->(b {name: 'bob'}) RETURN a, r, a.age, labels(a) AS l")
  assert.deepEqual(fields.map(f => [f.name, f.dataTypeID]), [['a', 3802], ['r', 3802], ['a.age', 23], ['l', 1009]])
  const { a, r, l } = rows[0]
  assert.deepEqual(a['~properties'], { id: 1, name: 'ann', age: 31 })
  assert.deepEqual([r['~type'], r['~start'], r['~properties']], ['knows', a['~id'], { since: '2020-01-01' }])
  assert.deepEqual([rows[0]['a.age'], l], [31, ['person']])
})

const limited = promise => {
  let timer
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${SECONDS_MAX} s`)), SECONDS_MAX * 1000)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

const main = async () => {
  types.setTypeParser(1082, identity)
  const setup = new Client()
  await setup.connect()
  const isGraphwire = (await one(setup, 'SELECT version()')).includes('graphwire')
  await setup.query(`DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE; CREATE SCHEMA ${SCHEMA}`)
  await setup.end()
  let passed = 0; let failed = 0; let skipped = 0
  for (const { name, body, graph } of checks) {
    if (!name.includes(process.env.COMPAT_ONLY || '')) continue
    if (graph && !isGraphwire) {
      console.log(`skipped  ${name}: no property graphs here`)
      skipped++
      continue
    }
    const client = new Client(options)
    client.on('error', () => {})
    try {
      await limited((async () => { await client.connect(); await body(client) })())
      console.log(`ok       ${name}`)
      passed++
    } catch (error) {
      console.log(`FAILED   ${name}: ${(process.env.COMPAT_VERBOSE && error.stack) || error.message}`.replace(/\s*\n\s*/g, ' | '))
      failed++
    }
    client.end().catch(() => {})
  }
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
  process.exit(failed || !passed ? 1 : 0)
}

main().catch(error => { console.error(`FAILED   ${error.message}`); process.exit(1) })

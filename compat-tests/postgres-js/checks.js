'use strict'
// postgres.js: tagged templates, types (it reads arrays' from pg_type), helpers, transactions, cursors, COPY, LISTEN.
const { assert, check, expectError, freshSchema, run } = require('../common/checks.js')
const { Readable, Writable } = require('node:stream')
const { pipeline } = require('node:stream/promises')
const postgres = require('postgres')

const SCHEMA = 'compat_postgres_js'
const open = more => postgres({ max: 3, onnotice: () => {}, connection: { search_path: SCHEMA, TimeZone: 'UTC' }, ...more })

const rowsOf = async query => [...(await query.values())]

check('values both ways', async sql => {
  const day = new Date('2024-03-10T06:30:00.123Z')
  const [row] = await sql`SELECT ${true}::bool AS b, ${7}::int4 AS i, ${'9223372036854775807'}::int8 AS big, ${0.1}::float8 AS f, ${'1.50'}::numeric(6,2) AS n,
    ${"it's ☃"} AS t, ${Buffer.from([0, 255])}::bytea AS y, ${day}::timestamptz AS z, ${sql.json({ a: [1, null] })}::jsonb AS j, ${[1, 2]}::int4[] AS ia,
    ${['a b', '"', '']}::text[] AS ta, ${null}::int4 AS nothing, ${'2024-02-29'}::date AS d`
  assert.deepEqual([row.b, row.i, row.big, row.f, row.n, row.t, row.nothing], [true, 7, '9223372036854775807', 0.1, '1.50', "it's ☃", null])
  assert.deepEqual([row.y, row.z, row.j, row.ia, row.ta], [Buffer.from([0, 255]), day, { a: [1, null] }, [1, 2], ['a b', '"', '']])
  assert.deepEqual(row.d, new Date('2024-02-29'))
})

check('bigint as its own type', async () => {
  const sql = open({ types: { bigint: postgres.BigInt } })
  assert.deepEqual([...(await sql`SELECT ${5n}::int8 AS a, 9007199254740993 AS b`)], [{ a: 5n, b: 9007199254740993n }])
  await sql.end()
})

check('insert, update and where helpers', async sql => {
  await sql`CREATE TABLE item (id serial PRIMARY KEY, name text UNIQUE, n int, tags text[], at timestamptz DEFAULT now())`
  const rows = [{ name: 'a', n: 1, tags: ['x'] }, { name: 'b', n: 2, tags: [] }]
  const made = await sql`INSERT INTO item ${sql(rows, 'name', 'n', 'tags')} RETURNING id, name`
  assert.deepEqual([...made], [{ id: 1, name: 'a' }, { id: 2, name: 'b' }])
  assert.deepEqual([made.count, made.command], [2, 'INSERT'])
  await sql`UPDATE item SET ${sql({ n: 10 }, 'n')} WHERE name = ${'a'}`
  const columns = ['name', 'n']
  assert.deepEqual([...(await sql`SELECT ${sql(columns)} FROM ${sql('item')} WHERE name IN ${sql(['a', 'b'])} ORDER BY n DESC`)], [{ name: 'a', n: 10 }, { name: 'b', n: 2 }])
  const part = sql`n > ${5}`
  assert.equal((await sql`SELECT 1 FROM item WHERE ${part} AND name = ANY(${['a', 'c']})`).length, 1)
  await sql`INSERT INTO item ${sql({ name: 'a', n: 3 })} ON CONFLICT (name) DO UPDATE SET n = excluded.n + item.n`
  await sql`UPDATE item SET n = v.n::int FROM (VALUES ${sql([['a', 1], ['b', 2]])}) AS v (name, n) WHERE item.name = v.name`
  assert.deepEqual(await rowsOf(sql`SELECT n FROM item ORDER BY n`), [[1], [2]])
  const described = await sql`SELECT id, name FROM item WHERE n = ${1}`.describe()
  assert.deepEqual([described.types, described.columns.map(c => [c.name, c.type])], [[23], [['id', 23], ['name', 25]]])
})

check('several statements and unsafe', async sql => {
  const results = await sql.unsafe("SELECT 1 AS a; SELECT 'x' AS b")
  assert.deepEqual(results.map(r => [...r]), [[{ a: 1 }], [{ b: 'x' }]])
  assert.deepEqual([...(await sql.unsafe('SELECT $1::int + 1 AS s', [4]))], [{ s: 5 }])
  assert.deepEqual(await rowsOf(sql`SELECT 1 AS a, 2 AS a`), [[1, 2]])
})

check('transactions, savepoints, pipelines', async sql => {
  await sql`CREATE TABLE tx (x int)`
  await sql.begin('isolation level serializable', async tx => {
    await tx`INSERT INTO tx VALUES (1)`
    await tx.savepoint(async inner => { await inner`INSERT INTO tx VALUES (2)`; throw new Error('back') }).catch(() => {})
    await Promise.all([tx`INSERT INTO tx VALUES (3)`, tx`INSERT INTO tx VALUES (4)`])
  })
  await sql.begin(async tx => { await tx`INSERT INTO tx VALUES (5)`; throw new Error('back') }).catch(() => {})
  assert.deepEqual(await rowsOf(sql`SELECT x FROM tx ORDER BY x`), [[1], [3], [4]])
  const all = await Promise.all(Array.from({ length: 200 }, (_, i) => sql`SELECT ${i}::int AS i`))
  assert.deepEqual(all.map(([row]) => row.i), Array.from({ length: 200 }, (_, i) => i))
})

check('cursor and forEach', async sql => {
  const sizes = []
  await sql`SELECT i FROM generate_series(1, 250) AS g(i)`.cursor(100, rows => { sizes.push(rows.length) })
  assert.deepEqual(sizes, [100, 100, 50])
  let sum = 0
  for await (const [row] of sql`SELECT i FROM generate_series(1, 10) AS g(i)`.cursor()) sum += row.i
  assert.equal(sum, 55)
  let seen = 0
  await sql`SELECT i FROM generate_series(1, 1000) AS g(i)`.forEach(() => seen++)
  assert.equal(seen, 1000)
})

check('COPY both ways', async sql => {
  await sql`CREATE TABLE copied (a int, b text)`
  await pipeline(Readable.from(['1\tone\n', '2\t\\N\n']), await sql`COPY copied (a, b) FROM STDIN`.writable())
  let text = ''
  await pipeline(await sql`COPY copied TO STDOUT`.readable(), new Writable({ write (chunk, _, done) { text += chunk; done() } }))
  assert.equal(text, '1\tone\n2\t\\N\n')
})

check('LISTEN and NOTIFY', async sql => {
  let tell
  const told = new Promise(resolve => { tell = resolve })
  const { unlisten } = await sql.listen('told', payload => tell(payload))
  await sql.notify('told', "it's")
  assert.equal(await told, "it's")
  await unlisten()
})

check('errors', async sql => {
  const error = await expectError('23505', sql`INSERT INTO item (name) VALUES ('b')`)
  assert.deepEqual([error.constraint_name, error.table_name, error.schema_name, error.detail], ['item_name_key', 'item', SCHEMA, 'Key (name)=(b) already exists.'])
  await expectError('42703', sql`SELECT nothing FROM item`)
  await expectError('22P02', sql`SELECT ${'x'}::int`)
  assert.deepEqual([...(await sql`SELECT 1 AS x`)], [{ x: 1 }])
})

check('cancel', async sql => {
  const query = sql`SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b`
  setTimeout(() => query.cancel(), 300)
  await expectError('57014', query.execute())
})

check('names turned to camel case', async () => {
  const sql = open({ transform: postgres.camel })
  assert.deepEqual([...(await sql`SELECT 1 AS first_name`)], [{ firstName: 1 }])
  await sql.end()
})

run({ setup: () => freshSchema(SCHEMA), open: async () => open(), close: sql => sql.end({ timeout: 1 }) })

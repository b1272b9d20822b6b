'use strict'
// Prisma's client over its adapter for node-postgres: values, conditions, relations both ways it loads them, nested
// writes, aggregates, raw queries, transactions, errors.
const { assert, check, freshSchema, run } = require('../common/checks.js')
const fs = require('node:fs')
const path = require('node:path')
const { Client } = require('pg')
const { PrismaPg } = require('@prisma/adapter-pg')
const { PrismaClient, Prisma } = require(process.env.PRISMA_CLIENT)

const SCHEMA = 'compat_prisma'
const adapter = new PrismaPg({ max: 4, options: `-c search_path=${SCHEMA}` }, { schema: SCHEMA })
const prisma = new PrismaClient({ adapter, log: process.env.COMPAT_VERBOSE ? ['query'] : [] })

const expectPrisma = async (code, promise) => {
  try { await promise } catch (error) { assert.equal(error.code, code, error.message); return error }
  assert.fail(`no error, expected ${code}`)
}

check('values of every type', async () => {
  const seen = new Date('2024-01-02T03:04:05.678Z')
  const born = new Date('2024-02-29')
  const made = await prisma.user.create({ data: { name: 'ann', age: 5, big: 9223372036854775807n, money: '3.15', ratio: 0.1, role: 'ADMIN', data: { a: [1, null] }, tags: ['a b', '"', ''], photo: Buffer.from([0, 255]), born, seen } })
  const got = await prisma.user.findUniqueOrThrow({ where: { id: made.id } })
  assert.deepEqual([got.big, got.money.toString(), got.ratio, got.active, got.role, got.data, got.tags, [...got.photo]], [9223372036854775807n, '3.15', 0.1, true, 'ADMIN', { a: [1, null] }, ['a b', '"', ''], [0, 255]])
  assert.deepEqual([got.born, got.seen], [born, seen])
  assert.match(got.token, /^[0-9a-f-]{36}$/)
  assert.ok(got.made instanceof Date && got.changed instanceof Date)
})

check('conditions, order and pages', async () => {
  const { count } = await prisma.user.createMany({ data: Array.from({ length: 20 }, (_, i) => ({ name: `u${i}`, age: i, tags: [i % 2 ? 'odd' : 'even'], data: { n: i, deep: { k: `v${i}` } } })), skipDuplicates: true })
  assert.equal(count, 20)
  const names = async where => (await prisma.user.findMany({ where, orderBy: { id: 'asc' }, select: { name: true } })).map(u => u.name)
  assert.deepEqual(await names({ age: { gte: 5, lt: 8 }, born: null }), ['u5', 'u6', 'u7'])
  assert.deepEqual(await names({ OR: [{ name: { in: ['u1', 'u2'] } }, { role: 'ADMIN' }], NOT: { name: 'u2' } }), ['ann', 'u1'])
  assert.deepEqual(await names({ name: { startsWith: 'U1', mode: 'insensitive' }, age: { gt: 17 } }), ['u18', 'u19'])
  assert.deepEqual(await names({ tags: { has: 'odd' }, age: { lt: 4 } }), ['u1', 'u3'])
  assert.deepEqual(await names({ tags: { hasSome: ['even', 'none'] }, age: { lt: 3 } }), ['u0', 'u2'])
  assert.deepEqual(await names({ data: { path: ['n'], equals: 7 } }), ['u7'])
  assert.deepEqual(await names({ data: { path: ['deep', 'k'], string_contains: 'v19' } }), ['u19'])
  const page = await prisma.user.findMany({ cursor: { name: 'u5' }, skip: 1, take: 2, orderBy: [{ age: 'asc' }, { name: 'asc' }] })
  assert.deepEqual(page.map(u => u.name).length, 2)
  const sorted = await prisma.user.findMany({ orderBy: [{ born: { sort: 'desc', nulls: 'last' } }, { age: 'desc' }], take: 2 })
  assert.deepEqual(sorted.map(u => u.name), ['ann', 'u19'])
  assert.equal((await prisma.user.findMany({ distinct: ['role'] })).length, 2)
})

check('relations, by joins and by queries', async () => {
  await prisma.user.create({ data: { name: 'bob', posts: { create: [{ title: 'p1', votes: 3, tags: { create: [{ name: 'x' }, { name: 'y' }] } }, { title: 'p2', tags: { connectOrCreate: [{ where: { name: 'x' }, create: { name: 'x' } }] } }] } } })
  for (const relationLoadStrategy of ['join', 'query']) {
    const bob = await prisma.user.findUnique({ relationLoadStrategy, where: { name: 'bob' }, include: { posts: { orderBy: { title: 'asc' }, include: { tags: { orderBy: { name: 'asc' } } } }, _count: { select: { posts: true } } } })
    assert.deepEqual(bob.posts.map(p => [p.title, p.votes, p.tags.map(t => t.name)]), [['p1', 3, ['x', 'y']], ['p2', 0, ['x']]], relationLoadStrategy)
    assert.equal(bob._count.posts, 2)
  }
  assert.equal(await prisma.post.count({ where: { author: { name: 'bob' }, tags: { some: { name: 'y' } } } }), 1)
  assert.equal(await prisma.user.count({ where: { posts: { none: {} } } }), 21)
  assert.equal((await prisma.user.findMany({ where: { posts: { every: { votes: { gte: 0 } }, some: {} } } })).length, 1)
  await prisma.post.update({ where: { id: (await prisma.post.findFirst({ where: { title: 'p2' } })).id }, data: { tags: { set: [{ name: 'y' }] }, votes: { increment: 10 } } })
  assert.deepEqual((await prisma.tag.findUnique({ where: { name: 'y' }, include: { posts: { orderBy: { votes: 'desc' } } } })).posts.map(p => p.votes), [10, 3])
  assert.equal((await prisma.user.findMany({ orderBy: { posts: { _count: 'desc' } }, take: 1 }))[0].name, 'bob')
})

check('aggregates and groups', async () => {
  const all = await prisma.user.aggregate({ _count: true, _avg: { age: true }, _sum: { age: true }, _min: { name: true }, where: { age: { lt: 4 }, name: { startsWith: 'u' } } })
  assert.deepEqual([all._count, all._avg.age, all._sum.age, all._min.name], [4, 1.5, 6, 'u0'])
  const groups = await prisma.user.groupBy({ by: ['role'], _count: { _all: true }, _max: { age: true }, having: { age: { _max: { gt: 0 } } }, orderBy: { role: 'asc' } })
  assert.deepEqual(groups.map(g => [g.role, g._count._all, g._max.age]), [['USER', 21, 19], ['ADMIN', 1, 5]])
})

check('update, upsert and delete', async () => {
  assert.equal((await prisma.user.updateMany({ where: { age: { lt: 2 }, name: { startsWith: 'u' } }, data: { age: { multiply: 10 }, tags: { push: 'new' } } })).count, 2)
  const up = await prisma.user.upsert({ where: { name: 'u1' }, update: { age: 77 }, create: { name: 'u1' } })
  assert.equal(up.age, 77)
  assert.equal((await prisma.user.upsert({ where: { name: 'fresh' }, update: {}, create: { name: 'fresh' } })).name, 'fresh')
  const many = await prisma.user.createManyAndReturn({ data: [{ name: 'r1' }, { name: 'r2' }], select: { name: true } })
  assert.deepEqual(many, [{ name: 'r1' }, { name: 'r2' }])
  const changed = await prisma.user.updateManyAndReturn({ where: { name: { in: ['r1', 'r2'] } }, data: { active: false } })
  assert.equal(changed.length, 2)
  assert.equal((await prisma.user.delete({ where: { name: 'bob' } })).name, 'bob')
  assert.equal(await prisma.post.count(), 0)
  assert.equal((await prisma.user.deleteMany({ where: { name: { startsWith: 'r' } } })).count, 2)
})

check('errors by code', async () => {
  const error = await expectPrisma('P2002', prisma.user.create({ data: { name: 'ann' } }))
  assert.ok(JSON.stringify(error.meta).includes('name'))
  await expectPrisma('P2003', prisma.post.create({ data: { title: 'x', authorId: 9999 } }))
  await expectPrisma('P2025', prisma.user.update({ where: { name: 'nobody' }, data: { age: 1 } }))
  await expectPrisma('P2000', prisma.user.create({ data: { name: 'x'.repeat(41) } }))
  await expectPrisma('P2010', prisma.$queryRawUnsafe('SELECT * FROM nowhere'))
})

check('raw queries', async () => {
  const rows = await prisma.$queryRaw`SELECT name, age + ${1}::int AS next, count(*) OVER () AS n, now() AS t FROM "User" WHERE name IN (${Prisma.join(['ann', 'u3'])}) ORDER BY name`
  assert.deepEqual(rows.map(r => [r.name, r.next, r.n]), [['ann', 6, 2n], ['u3', 4, 2n]])
  assert.ok(rows[0].t instanceof Date)
  assert.equal(await prisma.$executeRaw`UPDATE "User" SET age = age + 1 WHERE name = ${'u3'}`, 1)
})

check('transactions', async () => {
  await prisma.$transaction([prisma.tag.create({ data: { name: 't1' } }), prisma.tag.create({ data: { name: 't2' } })])
  await prisma.$transaction(async tx => { await tx.tag.create({ data: { name: 'lost' } }); throw new Error('back') }).catch(() => {})
  await prisma.$transaction(async tx => { await tx.tag.create({ data: { name: 't3' } }) }, { isolationLevel: 'Serializable' })
  assert.deepEqual((await prisma.tag.findMany({ where: { name: { in: ['t1', 't2', 't3', 'lost'] } }, orderBy: { name: 'asc' } })).map(t => t.name), ['t1', 't2', 't3'])
})

run({
  setup: async () => {
    await freshSchema(SCHEMA)
    const client = new Client({ options: `-c search_path=${SCHEMA}` })
    await client.connect()
    await client.query(fs.readFileSync(path.join(__dirname, 'schema.sql'), 'utf8'))
    await client.end()
  },
  open: async () => prisma,
  close: () => {},
  finish: () => prisma.$disconnect()
})

'use strict'
// Drizzle over node-postgres and postgres.js: typed tables, relational queries, joins, transactions, its migrations.
const { assert, check, expectError, freshSchema, run } = require('../common/checks.js')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { Pool } = require('pg')
const postgres = require('postgres')
const { drizzle } = require('drizzle-orm/node-postgres')
const { drizzle: drizzleJs } = require('drizzle-orm/postgres-js')
const { migrate } = require('drizzle-orm/node-postgres/migrator')
const pg = require('drizzle-orm/pg-core')
const { and, arrayContains, asc, avg, between, count, desc, eq, exists, gt, ilike, inArray, isNull, or, relations, sql, sum } = require('drizzle-orm')

const SCHEMA = 'compat_drizzle'
const space = pg.pgSchema(SCHEMA)
const role = space.enum('role', ['user', 'admin'])
const users = space.table('users', {
  id: pg.serial('id').primaryKey(),
  name: pg.varchar('name', { length: 40 }).notNull().unique(),
  age: pg.integer('age').default(0),
  big: pg.bigint('big', { mode: 'bigint' }),
  money: pg.numeric('money', { precision: 10, scale: 2 }),
  ratio: pg.doublePrecision('ratio'),
  active: pg.boolean('active').default(true).notNull(),
  role: role('role').default('user'),
  token: pg.uuid('token').defaultRandom(),
  data: pg.jsonb('data'),
  tags: pg.text('tags').array(),
  born: pg.date('born'),
  at: pg.time('at', { precision: 0 }),
  seen: pg.timestamp('seen', { precision: 3, withTimezone: true }),
  made: pg.timestamp('made').defaultNow()
})
const posts = space.table('posts', {
  id: pg.integer('id').primaryKey().generatedAlwaysAsIdentity(),
  title: pg.text('title').notNull(),
  votes: pg.smallint('votes').default(0),
  authorId: pg.integer('author_id').notNull().references(() => users.id, { onDelete: 'cascade' })
})
const usersRelations = relations(users, ({ many }) => ({ posts: many(posts) }))
const postsRelations = relations(posts, ({ one }) => ({ author: one(users, { fields: [posts.authorId], references: [users.id] }) }))
const schema = { users, posts, usersRelations, postsRelations }

const MIGRATION = `CREATE TYPE "${SCHEMA}"."role" AS ENUM('user', 'admin');
--> statement-breakpoint
CREATE TABLE "${SCHEMA}"."users" (
	"id" serial PRIMARY KEY NOT NULL,
	"name" varchar(40) NOT NULL,
	"age" integer DEFAULT 0,
	"big" bigint,
	"money" numeric(10, 2),
	"ratio" double precision,
	"active" boolean DEFAULT true NOT NULL,
	"role" "${SCHEMA}"."role" DEFAULT 'user',
	"token" uuid DEFAULT gen_random_uuid(),
	"data" jsonb,
	"tags" text[],
	"born" date,
	"at" time(0),
	"seen" timestamp (3) with time zone,
	"made" timestamp DEFAULT now(),
	CONSTRAINT "users_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "${SCHEMA}"."posts" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "${SCHEMA}"."posts_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"title" text NOT NULL,
	"votes" smallint DEFAULT 0,
	"author_id" integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE "${SCHEMA}"."posts" ADD CONSTRAINT "posts_author_id_users_id_fk" FOREIGN KEY ("author_id") REFERENCES "${SCHEMA}"."users"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
CREATE INDEX "posts_votes" ON "${SCHEMA}"."posts" USING btree ("votes" DESC NULLS LAST);`

const pool = new Pool({ max: 4 })
const client = postgres({ max: 2, onnotice: () => {} })

check('migrate, twice', async ({ db }) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'drizzle'))
  fs.mkdirSync(path.join(folder, 'meta'))
  fs.writeFileSync(path.join(folder, '0000_first.sql'), MIGRATION)
  fs.writeFileSync(path.join(folder, 'meta/_journal.json'), JSON.stringify({ version: '7', dialect: 'postgresql', entries: [{ idx: 0, version: '7', when: 1700000000000, tag: '0000_first', breakpoints: true }] }))
  await migrate(db, { migrationsFolder: folder, migrationsSchema: SCHEMA })
  await migrate(db, { migrationsFolder: folder, migrationsSchema: SCHEMA })
  assert.equal((await db.execute(sql`SELECT count(*)::int AS n FROM ${sql.identifier(SCHEMA)}.__drizzle_migrations`)).rows[0].n, 1)
  fs.rmSync(folder, { recursive: true })
})

check('values of every type', async ({ db }) => {
  const seen = new Date('2024-01-02T03:04:05.678Z')
  const [made] = await db.insert(users).values({ name: 'ann', age: 5, big: 9223372036854775807n, money: '3.15', ratio: 0.1, role: 'admin', data: { a: [1, null] }, tags: ['a b', '"'], born: '2024-02-29', at: '01:02:03.6', seen }).returning()
  assert.deepEqual([made.id, made.big, made.money, made.ratio, made.active, made.role, made.data, made.tags, made.born, made.at, made.seen],
    [1, 9223372036854775807n, '3.15', 0.1, true, 'admin', { a: [1, null] }, ['a b', '"'], '2024-02-29', '01:02:04', seen])
})

check('conditions and aggregates', async ({ db }) => {
  await db.insert(users).values(Array.from({ length: 20 }, (_, i) => ({ name: `u${i}`, age: i, tags: [i % 2 ? 'odd' : 'even'] })))
  const names = async condition => (await db.select({ name: users.name }).from(users).where(condition).orderBy(asc(users.id))).map(r => r.name)
  assert.deepEqual(await names(and(between(users.age, 5, 7), isNull(users.born))), ['u5', 'u6', 'u7'])
  assert.deepEqual(await names(or(inArray(users.name, ['u1', 'u2']), eq(users.role, 'admin'))), ['ann', 'u1', 'u2'])
  assert.deepEqual(await names(and(arrayContains(users.tags, ['odd']), gt(users.age, 16))), ['u17', 'u19'])
  assert.deepEqual(await names(ilike(users.name, 'U1_')).then(x => x.length), 10)
  const [row] = await db.select({ n: count(), s: sum(users.age), a: avg(users.age).mapWith(Number) }).from(users)
  assert.deepEqual(row, { n: 21, s: '195', a: 195 / 21 })
  assert.equal(await db.$count(users, gt(users.age, 10)), 9)
})

check('joins and sub-queries', async ({ db }) => {
  await db.insert(posts).values([1, 1, 2].map((authorId, i) => ({ authorId, title: `p${i}`, votes: i })))
  const rows = await db.select({ name: users.name, title: posts.title }).from(users).leftJoin(posts, eq(posts.authorId, users.id)).where(inArray(users.id, [1, 2, 3])).orderBy(users.id, desc(posts.votes))
  assert.deepEqual(rows, [{ name: 'ann', title: 'p1' }, { name: 'ann', title: 'p0' }, { name: 'u0', title: 'p2' }, { name: 'u1', title: null }])
  const best = db.select({ authorId: posts.authorId, top: sql`max(${posts.votes})`.mapWith(Number).as('top') }).from(posts).groupBy(posts.authorId).as('best')
  assert.deepEqual(await db.select({ name: users.name, top: best.top }).from(users).innerJoin(best, eq(best.authorId, users.id)).orderBy(users.id), [{ name: 'ann', top: 1 }, { name: 'u0', top: 2 }])
  const found = await db.select({ id: users.id }).from(users).where(exists(db.select().from(posts).where(eq(posts.authorId, users.id)))).orderBy(users.id)
  assert.deepEqual(found, [{ id: 1 }, { id: 2 }])
  const cte = db.$with('old').as(db.select().from(users).where(gt(users.age, 17)))
  assert.deepEqual(await db.with(cte).select({ name: cte.name }).from(cte).orderBy(cte.name), [{ name: 'u18' }, { name: 'u19' }])
  assert.equal((await db.selectDistinctOn([posts.authorId]).from(posts).orderBy(posts.authorId, desc(posts.votes))).length, 2)
})

const relational = async db => {
  const found = await db.query.users.findMany({ columns: { name: true }, with: { posts: { columns: { title: true }, orderBy: (p, { asc }) => asc(p.id), limit: 5 } }, where: (u, { lt }) => lt(u.id, 3), orderBy: (u, { asc }) => asc(u.id) })
  assert.deepEqual(found, [{ name: 'ann', posts: [{ title: 'p0' }, { title: 'p1' }] }, { name: 'u0', posts: [{ title: 'p2' }] }])
  const one = await db.query.posts.findFirst({ with: { author: true }, where: (p, { eq }) => eq(p.title, 'p2'), extras: { loud: sql`upper(${posts.title})`.as('loud') } })
  assert.deepEqual([one.author.name, one.author.role, one.loud], ['u0', 'user', 'P2'])
}

check('relational queries', async ({ db }) => relational(db))

check('relational queries over postgres.js', async ({ js }) => relational(js))

check('update, delete, conflicts', async ({ db }) => {
  assert.deepEqual(await db.update(users).set({ age: sql`${users.age} + 100` }).where(eq(users.name, 'u1')).returning({ age: users.age }), [{ age: 101 }])
  await db.insert(users).values({ name: 'u1', age: 7 }).onConflictDoUpdate({ target: users.name, set: { age: sql`excluded.age` }, setWhere: gt(users.age, 50) })
  await db.insert(users).values({ name: 'u1', age: 8 }).onConflictDoNothing()
  assert.deepEqual(await db.select({ age: users.age }).from(users).where(eq(users.name, 'u1')), [{ age: 7 }])
  assert.equal((await db.delete(users).where(gt(users.age, 18))).rowCount, 1)
  await expectError('23505', db.insert(users).values({ name: 'ann' }))
  await expectError('23503', db.insert(posts).values({ title: 'x', authorId: 999 }))
})

check('transactions', async ({ db }) => {
  await db.transaction(async tx => {
    await tx.insert(users).values({ name: 'kept' })
    await tx.transaction(async inner => { await inner.insert(users).values({ name: 'lost' }); inner.rollback() }).catch(() => {})
  }, { isolationLevel: 'repeatable read', accessMode: 'read write' })
  assert.deepEqual(await db.select({ name: users.name }).from(users).where(inArray(users.name, ['kept', 'lost'])), [{ name: 'kept' }])
  await db.transaction(async tx => { assert.equal((await tx.select().from(users).where(eq(users.id, 1)).for('update', { skipLocked: true })).length, 1) })
})

check('prepared statements', async ({ db }) => {
  const byName = db.select({ id: users.id }).from(users).where(eq(users.name, sql.placeholder('name'))).prepare('by_name')
  for (let i = 0; i < 5; i++) assert.deepEqual(await byName.execute({ name: 'ann' }), [{ id: 1 }])
})

run({ setup: () => freshSchema(SCHEMA), open: async () => ({ db: drizzle(pool, { schema }), js: drizzleJs(client, { schema }) }), close: () => {}, finish: async () => { await pool.end(); await client.end() } })

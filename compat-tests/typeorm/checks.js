'use strict'
// TypeORM: synchronize, migrations, entities with relations, the query builder, the schema it reads back.
require('reflect-metadata')
const { assert, check, expectError, freshSchema, run } = require('../common/checks.js')
const { Brackets, DataSource, EntitySchema, In, IsNull, LessThan, Like, Raw, Table, TableColumn, TableIndex, TableForeignKey, TableUnique } = require('typeorm')

const SCHEMA = 'compat_typeorm'

const User = new EntitySchema({
  name: 'User',
  tableName: 'users',
  columns: {
    id: { type: 'int', primary: true, generated: 'increment' },
    name: { type: 'varchar', length: 40, unique: true },
    bio: { type: 'text', nullable: true, comment: "what's said" },
    age: { type: 'int', default: 0 },
    big: { type: 'bigint', nullable: true },
    money: { type: 'numeric', precision: 10, scale: 2, nullable: true },
    ratio: { type: 'double precision', nullable: true },
    active: { type: 'boolean', default: true },
    role: { type: 'enum', enum: ['user', 'admin'], default: 'user' },
    roles: { type: 'enum', enum: ['a', 'b'], array: true, default: [] },
    token: { type: 'uuid', generated: 'uuid' },
    data: { type: 'jsonb', nullable: true },
    simple: { type: 'simple-array', nullable: true },
    tags: { type: 'text', array: true, nullable: true },
    photo: { type: 'bytea', nullable: true },
    born: { type: 'date', nullable: true },
    at: { type: 'time', nullable: true },
    seen: { type: 'timestamptz', nullable: true },
    exact: { type: 'timestamp', precision: 3, nullable: true },
    doubled: { type: 'int', asExpression: 'age * 2', generatedType: 'STORED', insert: false, update: false, nullable: true },
    createdAt: { type: 'timestamp', createDate: true },
    updatedAt: { type: 'timestamp', updateDate: true },
    deletedAt: { type: 'timestamp', deleteDate: true, nullable: true },
    version: { type: 'int', version: true }
  },
  indices: [{ name: 'by_age', columns: ['age', 'name'] }, { name: 'one_bio', columns: ['bio'], unique: true, where: '"active"' }],
  checks: [{ name: 'age_sane', expression: '"age" >= 0' }],
  relations: { posts: { type: 'one-to-many', target: 'Post', inverseSide: 'author', cascade: true } }
})
const Post = new EntitySchema({
  name: 'Post',
  tableName: 'posts',
  columns: {
    id: { type: 'uuid', primary: true, generated: 'uuid' },
    title: { type: 'varchar' },
    votes: { type: 'int', default: 2 }
  },
  relations: {
    author: { type: 'many-to-one', target: 'User', joinColumn: { name: 'author_id' }, onDelete: 'CASCADE', nullable: false, inverseSide: 'posts' },
    tags: { type: 'many-to-many', target: 'Tag', joinTable: true, cascade: true }
  }
})
const Tag = new EntitySchema({ name: 'Tag', tableName: 'tags', columns: { name: { type: 'varchar', primary: true } } })

class First1700000000000 {
  async up (q) { await q.query('CREATE TABLE "migrated" ("id" SERIAL NOT NULL, CONSTRAINT "PK_m" PRIMARY KEY ("id"))') }
  async down (q) { await q.query('DROP TABLE "migrated"') }
}
class Second1700000001000 {
  async up (q) { await q.addColumn('migrated', new TableColumn({ name: 'note', type: 'varchar', length: '20', isNullable: true, default: "'x'" })) }
  async down (q) { await q.dropColumn('migrated', 'note') }
}

const source = new DataSource({
  type: 'postgres',
  host: process.env.PGHOST,
  port: Number(process.env.PGPORT),
  username: process.env.PGUSER,
  password: process.env.PGPASSWORD || '',
  database: process.env.PGDATABASE,
  schema: SCHEMA,
  entities: [User, Post, Tag],
  migrations: [First1700000000000, Second1700000001000],
  logging: process.env.COMPAT_VERBOSE ? ['query'] : false,
  extra: { max: 4, options: `-c search_path=${SCHEMA}` }
})

check('synchronize, and nothing to do after it', async () => {
  await source.initialize()
  await source.synchronize()
  const { upQueries } = await source.driver.createSchemaBuilder().log()
  assert.deepEqual(upQueries.map(one => one.query), [])
})

check('migrations', async () => {
  assert.equal((await source.runMigrations()).length, 2)
  assert.equal(await source.showMigrations(), false)
  await source.undoLastMigration()
  await source.undoLastMigration()
  assert.equal(await source.showMigrations(), true)
})

check('values of every type', async () => {
  const users = source.getRepository('User')
  const exact = new Date('2024-01-02T03:04:05.678Z')
  const saved = await users.save({
    name: 'ann', bio: "it's", age: 5, big: '9223372036854775807', money: '3.15', ratio: 0.1, role: 'admin', roles: ['a', 'b'], data: { a: [1, null] },
    simple: ['x', 'y'], tags: ['a b', '"', ''], photo: Buffer.from([0, 255]), born: '2024-02-29', at: '01:02:03', seen: exact, exact
  })
  assert.ok(saved.id && saved.token && saved.createdAt && saved.version === 1)
  const got = await users.findOneByOrFail({ id: saved.id })
  assert.deepEqual([got.big, got.money, got.ratio, got.role, got.roles, got.active, got.doubled], ['9223372036854775807', '3.15', 0.1, 'admin', ['a', 'b'], true, 10])
  assert.deepEqual([got.data, got.simple, got.tags, got.photo, got.born, got.at], [{ a: [1, null] }, ['x', 'y'], ['a b', '"', ''], Buffer.from([0, 255]), '2024-02-29', '01:02:03'])
  assert.deepEqual([got.seen, got.exact], [exact, exact])
})

check('relations', async () => {
  const posts = source.getRepository('Post')
  const users = source.getRepository('User')
  await users.save({ name: 'bob', posts: [{ title: 'p1', tags: [{ name: 'x' }, { name: 'y' }] }, { title: 'p2', votes: 9 }] })
  const bob = await users.findOne({ where: { name: 'bob' }, relations: { posts: { tags: true } }, order: { posts: { title: 'ASC', tags: { name: 'ASC' } } } })
  assert.deepEqual(bob.posts.map(p => [p.title, p.votes, p.tags.map(t => t.name)]), [['p1', 2, ['x', 'y']], ['p2', 9, []]])
  assert.equal(await posts.count({ where: { author: { name: 'bob' }, tags: { name: 'x' } } }), 1)
  const page = await users.findAndCount({ relations: { posts: true }, order: { name: 'DESC' }, take: 1, skip: 0 })
  assert.deepEqual([page[0][0].name, page[0][0].posts.length, page[1]], ['bob', 2, 2])
  await expectError('23503', posts.insert({ title: 'no', author: { id: 999 } }))
  await users.remove(await users.findOneBy({ name: 'bob' }))
  assert.equal(await posts.count(), 0)
})

check('conditions', async () => {
  const users = source.getRepository('User')
  await users.insert(Array.from({ length: 20 }, (_, i) => ({ name: `u${i}`, age: i, tags: [i % 2 ? 'odd' : 'even'], data: { n: i } })))
  const names = async where => (await users.find({ where, order: { id: 'ASC' }, select: { name: true } })).map(u => u.name)
  assert.deepEqual(await names({ age: In([1, 2]), bio: IsNull() }), ['u1', 'u2'])
  assert.deepEqual(await names({ name: Like('u1_'), age: LessThan(12) }), ['u10', 'u11'])
  assert.deepEqual(await names({ data: Raw(column => `${column} @> :json::jsonb`, { json: '{"n": 7}' }) }), ['u7'])
  assert.deepEqual(await names([{ name: 'u3' }, { name: 'u4' }]), ['u3', 'u4'])
})

check('query builder', async () => {
  const users = source.getRepository('User')
  const rows = await users.createQueryBuilder('u').select('u.role', 'role').addSelect('COUNT(*)', 'n').addSelect('AVG(u.age)::float', 'mean')
    .where(new Brackets(q => q.where('u.age > :low', { low: 3 }).orWhere('u.name = :name', { name: 'ann' }))).groupBy('u.role').having('COUNT(*) > 0').orderBy('u.role').getRawMany()
  assert.deepEqual(rows, [{ role: 'user', n: '16', mean: 11.5 }, { role: 'admin', n: '1', mean: 5 }])
  const sub = await users.createQueryBuilder('u').where(q => `u.age = ${q.subQuery().select('MAX(v.age)').from('User', 'v').getQuery()}`).getOne()
  assert.equal(sub.name, 'u19')
  const updated = await users.createQueryBuilder().update().set({ age: () => 'age + 100' }).where('age < 2 AND name <> :n', { n: 'ann' }).returning(['name', 'age']).execute()
  assert.deepEqual(updated.raw.map(r => r.age).sort(), [100, 101])
  const deleted = await users.createQueryBuilder().delete().where('age > 100').execute()
  assert.equal(deleted.affected, 1)
  await users.upsert([{ name: 'u5', age: 55 }, { name: 'new', age: 1 }], { conflictPaths: ['name'], skipUpdateIfNoValuesChanged: true })
  assert.equal((await users.findOneBy({ name: 'u5' })).age, 55)
  await users.createQueryBuilder().insert().values({ name: 'u5', age: 66 }).orIgnore().execute()
  const stream = await users.createQueryBuilder('u').limit(5).getMany()
  assert.equal(stream.length, 5)
  const cte = await source.createQueryBuilder().addCommonTableExpression('SELECT 1 AS x UNION ALL SELECT 2', 'c').select('c.x', 'x').from('c', 'c').orderBy('x').getRawMany()
  assert.deepEqual(cte, [{ x: 1 }, { x: 2 }])
})

check('versions, soft removal, increments', async () => {
  const users = source.getRepository('User')
  const one = await users.findOneByOrFail({ name: 'u6' })
  one.bio = 'changed'
  await users.save(one)
  assert.equal((await users.findOneByOrFail({ name: 'u6' })).version, 2)
  await users.increment({ name: 'u6' }, 'age', 3)
  assert.equal((await users.findOneByOrFail({ name: 'u6' })).age, 9)
  await users.softDelete({ name: 'u6' })
  assert.equal(await users.countBy({ name: 'u6' }), 0)
  await users.restore({ name: 'u6' })
  assert.equal(await users.countBy({ name: 'u6' }), 1)
  await expectError('23505', users.insert({ name: 'u6' }))
  await expectError('23514', users.insert({ name: 'neg', age: -1 }))
})

check('transactions and locks', async () => {
  await source.transaction('SERIALIZABLE', async manager => {
    await manager.insert('Tag', { name: 'kept' })
    await manager.transaction(async inner => { await inner.insert('Tag', { name: 'lost' }); throw new Error('back') }).catch(() => {})
  })
  assert.deepEqual((await source.getRepository('Tag').find({ where: { name: In(['kept', 'lost']) } })).map(t => t.name), ['kept'])
  await source.transaction(async manager => {
    assert.equal((await manager.find('User', { where: { name: 'ann' }, lock: { mode: 'pessimistic_write', onLocked: 'skip_locked' } })).length, 1)
    assert.equal((await manager.find('User', { where: { name: 'ann' }, lock: { mode: 'for_no_key_update' } })).length, 1)
  })
})

check('query runner', async () => {
  const q = source.createQueryRunner()
  await q.createTable(new Table({ name: 'made', columns: [{ name: 'id', type: 'int', isPrimary: true, isGenerated: true, generationStrategy: 'increment' }, { name: 'a', type: 'varchar', isNullable: true }, { name: 'kind', type: 'enum', enum: ['x', 'y'], default: "'x'" }] }))
  await q.addColumn('made', new TableColumn({ name: 'user_id', type: 'int', isNullable: true }))
  await q.createForeignKey('made', new TableForeignKey({ columnNames: ['user_id'], referencedTableName: 'users', referencedColumnNames: ['id'], onDelete: 'SET NULL' }))
  await q.createIndex('made', new TableIndex({ name: 'made_a', columnNames: ['a'] }))
  await q.createUniqueConstraint('made', new TableUnique({ name: 'made_once', columnNames: ['a', 'kind'] }))
  await q.changeColumn('made', 'kind', new TableColumn({ name: 'kind', type: 'enum', enum: ['x', 'y', 'z'], default: "'z'" }))
  await q.renameColumn('made', 'a', 'b')
  const table = await q.getTable('made')
  assert.deepEqual(table.columns.map(c => `${c.name} ${c.type}`).sort(), ['b character varying', 'id integer', 'kind enum', 'user_id integer'])
  assert.deepEqual([table.foreignKeys[0].referencedTableName.split('.').pop(), table.foreignKeys[0].onDelete, table.uniques[0].columnNames.sort()], ['users', 'SET NULL', ['b', 'kind']])
  assert.deepEqual(table.findColumnByName('kind').enum, ['x', 'y', 'z'])
  await q.renameTable('made', 'remade')
  await q.dropTable('remade')
  assert.equal(await q.hasTable('remade'), false)
  await q.release()
})

run({ setup: () => freshSchema(SCHEMA), open: async () => source, close: () => {}, finish: () => source.destroy() })

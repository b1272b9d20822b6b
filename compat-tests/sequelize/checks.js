'use strict'
// Sequelize: models of every type, associations, bulk operations, transactions, the query interface.
const { assert, check, expectError, freshSchema, run } = require('../common/checks.js')
const { DataTypes, Op, QueryTypes, Sequelize, Transaction } = require('sequelize')

const SCHEMA = 'compat_sequelize'
const sequelize = new Sequelize(process.env.PGDATABASE, process.env.PGUSER, process.env.PGPASSWORD || '', {
  host: process.env.PGHOST,
  port: Number(process.env.PGPORT),
  dialect: 'postgres',
  logging: process.env.COMPAT_VERBOSE ? text => console.error(text) : false,
  schema: SCHEMA,
  pool: { max: 4, idle: 1000 }
})

const User = sequelize.define('User', {
  name: { type: DataTypes.STRING(40), allowNull: false, unique: true },
  email: DataTypes.TEXT,
  age: { type: DataTypes.INTEGER, validate: { min: 0 } },
  small: DataTypes.SMALLINT,
  big: DataTypes.BIGINT,
  money: DataTypes.DECIMAL(10, 2),
  ratio: DataTypes.DOUBLE,
  real: DataTypes.REAL,
  active: { type: DataTypes.BOOLEAN, defaultValue: true },
  role: { type: DataTypes.ENUM('user', 'admin'), defaultValue: 'user' },
  token: { type: DataTypes.UUID, defaultValue: DataTypes.UUIDV4 },
  data: DataTypes.JSONB,
  raw: DataTypes.JSON,
  tags: { type: DataTypes.ARRAY(DataTypes.TEXT), defaultValue: [] },
  photo: DataTypes.BLOB,
  born: DataTypes.DATEONLY,
  at: DataTypes.TIME,
  seen: DataTypes.DATE(3)
}, { paranoid: true, indexes: [{ fields: ['age', { name: 'email', order: 'DESC' }] }, { fields: ['data'], using: 'btree', name: 'user_active', where: { active: true }, fields: ['role'] }], comment: 'who' })
const Post = sequelize.define('Post', { title: DataTypes.STRING, votes: { type: DataTypes.INTEGER, defaultValue: 0 } })
const Tag = sequelize.define('Tag', { name: { type: DataTypes.STRING, primaryKey: true } }, { timestamps: false })
User.hasMany(Post, { as: 'posts', foreignKey: { name: 'authorId', allowNull: false }, onDelete: 'CASCADE' })
Post.belongsTo(User, { as: 'author', foreignKey: 'authorId' })
Post.belongsToMany(Tag, { through: 'PostTags' })
Tag.belongsToMany(Post, { through: 'PostTags' })

check('authenticate and version', async () => {
  await sequelize.authenticate()
  assert.match(await sequelize.databaseVersion(), /^15\./)
})

check('sync, again, and with alter', async () => {
  await sequelize.sync({ force: true })
  await sequelize.sync()
  await sequelize.sync({ alter: true })
})

check('values of every type', async () => {
  const seen = new Date('2024-01-02T03:04:05.678Z')
  const made = await User.create({
    name: 'ann', email: "it's", age: 3, small: -5, big: '9223372036854775807', money: '3.15', ratio: 0.1, real: 1.5, role: 'admin',
    data: { a: [1, null, { b: 'x' }] }, raw: [1, 'two'], tags: ['a', 'b "c"', ''], photo: Buffer.from([0, 255]), born: '2024-02-29', at: '01:02:03', seen
  })
  assert.equal(made.id, 1)
  const got = (await User.findByPk(1)).get()
  assert.deepEqual([got.big, got.money, got.ratio, got.real, got.active, got.role], ['9223372036854775807', '3.15', 0.1, 1.5, true, 'admin'])
  assert.deepEqual([got.data, got.raw, got.tags, got.photo, got.born, got.at], [{ a: [1, null, { b: 'x' }] }, [1, 'two'], ['a', 'b "c"', ''], Buffer.from([0, 255]), '2024-02-29', '01:02:03'])
  assert.deepEqual(got.seen, seen)
  assert.match(got.token, /^[0-9a-f-]{36}$/)
})

check('find with every kind of condition', async () => {
  await User.bulkCreate(Array.from({ length: 20 }, (_, i) => ({ name: `u${i}`, age: i, data: { n: i, nested: { k: `v${i}` } }, tags: i % 2 ? ['odd'] : ['even', 'x'] })))
  const names = async where => (await User.findAll({ where, order: [['id', 'ASC']] })).map(one => one.name)
  assert.deepEqual(await names({ age: { [Op.between]: [5, 7] } }), ['u5', 'u6', 'u7'])
  assert.deepEqual(await names({ [Op.or]: [{ name: 'ann' }, { age: { [Op.in]: [1, 2] } }], email: { [Op.is]: null } }), ['u1', 'u2'])
  assert.deepEqual(await names({ name: { [Op.iLike]: 'U1_' }, age: { [Op.gt]: 15 } }), ['u16', 'u17', 'u18', 'u19'])
  assert.deepEqual(await names({ 'data.nested.k': 'v3' }), ['u3'])
  assert.deepEqual(await names({ data: { n: { [Op.lt]: 2 } } }), ['u0', 'u1'])
  assert.deepEqual(await names({ data: { [Op.contains]: { n: 4 } } }), ['u4'])
  assert.deepEqual(await names({ tags: { [Op.contains]: ['even'] }, age: { [Op.lt]: 3 } }), ['u0', 'u2'])
  assert.deepEqual(await names({ tags: { [Op.overlap]: ['odd', 'none'] }, age: { [Op.lt]: 4 } }), ['u1', 'u3'])
  assert.deepEqual(await names({ name: { [Op.regexp]: '^u1[89]$' } }), ['u18', 'u19'])
  assert.deepEqual(await names(sequelize.where(sequelize.fn('upper', sequelize.col('name')), 'U7')), ['u7'])
  assert.deepEqual(await names({ name: { [Op.any]: ['u1', 'u2'] } }), ['u1', 'u2'])
  const { count, rows } = await User.findAndCountAll({ where: { age: { [Op.gte]: 10 } }, limit: 3, offset: 2, order: [['age', 'DESC NULLS LAST']] })
  assert.deepEqual([count, rows.map(one => one.age)], [10, [17, 16, 15]])
})

check('aggregates and groups', async () => {
  assert.equal(await User.max('age'), 19)
  assert.equal(await User.sum('age', { where: { age: { [Op.lt]: 4 } } }), 9)
  const rows = await User.findAll({ attributes: ['role', [sequelize.fn('COUNT', sequelize.col('id')), 'n']], group: 'role', order: [['role', 'ASC']], raw: true })
  assert.deepEqual(rows, [{ role: 'user', n: '20' }, { role: 'admin', n: '1' }])
})

check('associations', async () => {
  const ann = await User.findOne({ where: { name: 'ann' } })
  for (let i = 0; i < 3; i++) await ann.createPost({ title: `p${i}`, votes: i })
  const [first] = await ann.getPosts({ order: ['id'] })
  await first.setTags(await Tag.bulkCreate([{ name: 'a' }, { name: 'b' }]))
  const got = await User.findOne({ where: { name: 'ann' }, include: [{ model: Post, as: 'posts', include: [Tag], where: { votes: { [Op.gte]: 0 } } }], order: [[{ model: Post, as: 'posts' }, 'id', 'ASC'], [{ model: Post, as: 'posts' }, Tag, 'name', 'ASC']] })
  assert.deepEqual(got.posts.map(p => [p.title, p.Tags.map(t => t.name)]), [['p0', ['a', 'b']], ['p1', []], ['p2', []]])
  const limited = await User.findAll({ include: [{ model: Post, as: 'posts', required: true }], limit: 1, order: ['id'] })
  assert.equal(limited[0].posts.length, 3)
  const separate = await User.findAll({ where: { name: 'ann' }, include: [{ model: Post, as: 'posts', separate: true, limit: 2, order: [['votes', 'DESC']] }] })
  assert.deepEqual(separate[0].posts.map(p => p.votes), [2, 1])
  assert.equal(await Post.count({ include: [{ model: User, as: 'author', where: { name: 'ann' } }] }), 3)
  await expectError('23503', Post.create({ title: 'no', authorId: 999 }))
})

check('update, upsert, increment, destroy, restore', async () => {
  assert.deepEqual(await User.update({ email: 'new' }, { where: { age: { [Op.lt]: 2 } }, returning: ['name'] }).then(([n, rows]) => [n, rows.map(r => r.name).sort()]), [2, ['u0', 'u1']])
  const [row, created] = await User.upsert({ name: 'u0', age: 100 }, { conflictFields: ['name'] })
  assert.deepEqual([row.age, row.name], [100, 'u0'])
  assert.ok(created === null || typeof created === 'boolean')
  await User.bulkCreate([{ name: 'u1', age: 101 }, { name: 'fresh', age: 1 }], { updateOnDuplicate: ['age'], conflictAttributes: ['name'] })
  assert.equal((await User.findOne({ where: { name: 'u1' } })).age, 101)
  await User.increment({ age: 5 }, { where: { name: 'u1' } })
  await User.decrement('age', { by: 1, where: { name: 'u1' } })
  assert.equal((await User.findOne({ where: { name: 'u1' } })).age, 105)
  assert.equal(await User.destroy({ where: { name: 'u1' } }), 1)
  assert.equal(await User.findOne({ where: { name: 'u1' } }), null)
  await User.restore({ where: { name: 'u1' } })
  assert.equal(await User.count({ where: { name: 'u1' } }), 1)
  assert.equal(await User.destroy({ where: { name: 'fresh' }, force: true }), 1)
})

check('find or create', async () => {
  const [one, made] = await Tag.findOrCreate({ where: { name: 'once' } })
  const [again, madeAgain] = await Tag.findOrCreate({ where: { name: 'once' } })
  assert.deepEqual([one.name, made, again.name, madeAgain], ['once', true, 'once', false])
})

check('find, create, find', async () => {
  const [, made] = await Tag.findCreateFind({ where: { name: 'twice' } })
  const [, again] = await Tag.findCreateFind({ where: { name: 'twice' } })
  assert.deepEqual([made, again], [true, false])
})

check('errors by class', async () => {
  const error = await User.create({ name: 'ann' }).catch(e => e)
  assert.equal(error.name, 'SequelizeUniqueConstraintError')
  assert.deepEqual(error.fields, { name: 'ann' })
  const foreign = await Post.create({ title: 'x', authorId: 4242 }).catch(e => e)
  assert.equal(foreign.name, 'SequelizeForeignKeyConstraintError')
  await expectError('22P02', sequelize.query('SELECT CAST($1 AS int)', { bind: ['x'] }))
  await expectError('42P01', sequelize.query('SELECT * FROM nowhere'))
})

check('transactions', async () => {
  await sequelize.transaction({ isolationLevel: Transaction.ISOLATION_LEVELS.SERIALIZABLE }, async transaction => {
    await Tag.create({ name: 'kept' }, { transaction })
    await sequelize.transaction({ transaction }, async inner => {
      await Tag.create({ name: 'lost' }, { transaction: inner })
      throw new Error('back')
    }).catch(() => {})
  })
  await sequelize.transaction(async transaction => { await Tag.create({ name: 'lost too' }, { transaction }); throw new Error('back') }).catch(() => {})
  assert.deepEqual((await Tag.findAll({ where: { name: ['kept', 'lost', 'lost too'] } })).map(t => t.name), ['kept'])
  await sequelize.transaction(async transaction => {
    assert.equal((await User.findAll({ where: { name: 'ann' }, lock: transaction.LOCK.UPDATE, skipLocked: true, transaction })).length, 1)
  })
})

check('query interface', async () => {
  const q = sequelize.getQueryInterface()
  const users = { tableName: 'Users', schema: SCHEMA }
  const columns = await q.describeTable(users)
  assert.deepEqual([columns.name.type, columns.name.allowNull, columns.id.primaryKey, columns.role.special, columns.seen.type], ['CHARACTER VARYING(40)', false, true, ['user', 'admin'], 'TIMESTAMP WITH TIME ZONE'])
  await q.addColumn(users, 'extra', { type: DataTypes.STRING, defaultValue: 'x', allowNull: false })
  await q.changeColumn(users, 'extra', { type: DataTypes.TEXT, allowNull: true })
  await q.renameColumn(users, 'extra', 'more')
  await q.removeColumn(users, 'more')
  await q.addIndex(users, ['born'], { name: 'users_born', unique: false })
  assert.ok((await q.showIndex(users)).some(one => one.name === 'users_born' && one.fields[0].attribute === 'born'))
  await q.removeIndex(users, 'users_born')
  await q.addConstraint(users, { fields: ['small'], type: 'check', name: 'small_one', where: { small: { [Op.lt]: 100 } } })
  await q.removeConstraint(users, 'small_one')
  const keys = await q.getForeignKeyReferencesForTable({ tableName: 'Posts', schema: SCHEMA })
  // `alter` adds one more
  assert.deepEqual([...new Set(keys.map(k => `${k.columnName} ${k.referencedTableName} ${k.referencedColumnName}`))], ['authorId Users id'])
  await q.createTable({ tableName: 'plain', schema: SCHEMA }, { id: { type: DataTypes.INTEGER, primaryKey: true, autoIncrement: true }, kind: DataTypes.ENUM('a', 'b') })
  await q.dropTable({ tableName: 'plain', schema: SCHEMA })
})

check('raw queries', async () => {
  const rows = await sequelize.query('SELECT :a::int + $$1$$::int AS s, :list AS l'.replace(', :list AS l', ''), { replacements: { a: 1 }, type: QueryTypes.SELECT })
  assert.deepEqual(rows, [{ s: 2 }])
  const bound = await sequelize.query('SELECT $name::text AS n, $2::int AS i'.replace('$name', '$1'), { bind: ["it's", 5], type: QueryTypes.SELECT, plain: true })
  assert.deepEqual(bound, { n: "it's", i: 5 })
})

run({ setup: () => freshSchema(SCHEMA), open: async () => sequelize, close: () => {}, finish: () => sequelize.close() })

# ActiveRecord: migrations up and down, models with associations, types, queries, locks, what the schema dumper reads.
require 'active_record'
require 'stringio'
require 'timeout'

SCHEMA = 'compat_activerecord'
SECONDS_MAX = (ENV['COMPAT_SECONDS_MAX'] || 60).to_i
CONFIG = { adapter: 'postgresql', host: ENV['PGHOST'], port: ENV['PGPORT'].to_i, username: ENV['PGUSER'], password: ENV['PGPASSWORD'],
           database: ENV['PGDATABASE'], schema_search_path: SCHEMA, pool: 5 }.freeze

CHECKS = []
def check(name, &body) = CHECKS << [name, body]
def equal(got, expected, what = '')
  raise "#{what} got #{got.inspect}, expected #{expected.inspect}" unless got == expected
end
def raises(kind)
  yield
rescue kind => e
  e
else
  raise "no #{kind}"
end

class User < ActiveRecord::Base
  has_many :posts, dependent: :destroy
  has_many :comments, through: :posts
  enum role: { user: 'user', admin: 'admin' }
  validates :name, presence: true
  scope :adult, -> { where('age >= ?', 18) }
end
class Post < ActiveRecord::Base
  belongs_to :user, counter_cache: true, touch: true
  has_many :comments, dependent: :delete_all
  has_and_belongs_to_many :tags
end
class Comment < ActiveRecord::Base
  belongs_to :post
end
class Tag < ActiveRecord::Base
  has_and_belongs_to_many :posts
end

class First < ActiveRecord::Migration[6.1]
  def change
    create_table :users, comment: "who's who" do |t|
      t.string :name, limit: 40, null: false, index: { unique: true }
      t.text :bio, comment: 'about'
      t.integer :age, default: 0
      t.bigint :big
      t.decimal :money, precision: 10, scale: 2
      t.float :ratio
      t.boolean :active, default: true, null: false
      t.string :role, default: 'user'
      t.uuid :token, default: 'gen_random_uuid()'
      t.jsonb :data, default: {}
      t.json :raw
      t.text :tags, array: true, default: []
      t.binary :photo
      t.date :born
      t.time :at
      t.datetime :seen, precision: 6
      t.interval :lasts
      t.inet :ip
      t.integer :posts_count, default: 0
      t.integer :lock_version, default: 0
      t.timestamps precision: 3
    end
    create_table :posts do |t|
      t.references :user, null: false, foreign_key: { on_delete: :cascade }
      t.string :title
      t.integer :votes, limit: 2, default: 0
      t.timestamps
    end
    create_table(:comments, id: :uuid) { |t| t.belongs_to :post, foreign_key: true; t.text :body }
    create_table(:tags) { |t| t.string :name }
    create_join_table :posts, :tags
    add_index :posts, [:user_id, :votes], order: { votes: :desc }, where: 'votes > 0', name: 'popular'
    add_index :users, 'lower(name)', name: 'lower_name'
    add_check_constraint :users, 'age >= 0', name: 'user_age_sane'
  end
end
class Second < ActiveRecord::Migration[6.1]
  def up
    add_column :posts, :slug, :string, default: 'none', null: false
    change_column :posts, :title, :text
    change_column_null :posts, :title, false, 'untitled'
    change_column_default :posts, :votes, from: 0, to: 1
    rename_column :posts, :slug, :path
    add_foreign_key :posts_tags, :posts
    rename_index :posts, 'popular', 'most_popular'
    rename_table :tags, :labels
    rename_table :labels, :tags
  end
  def down
    remove_foreign_key :posts_tags, :posts
    remove_column :posts, :path
    change_column_null :posts, :title, true
    change_column :posts, :title, :string
    rename_index :posts, 'most_popular', 'popular'
  end
end

def connection = ActiveRecord::Base.connection

check 'version and schema' do
  equal connection.database_version / 10000, 15
  equal connection.current_schema, SCHEMA
  equal connection.schema_exists?(SCHEMA), true
end

check 'migrations up, down and up' do
  ActiveRecord::Migration.verbose = false
  First.migrate(:up)
  Second.migrate(:up)
  Second.migrate(:down)
  Second.migrate(:up)
  ActiveRecord::SchemaMigration.create_table
  ActiveRecord::InternalMetadata.create_table
  ActiveRecord::InternalMetadata[:environment] = 'test'
  equal ActiveRecord::InternalMetadata[:environment], 'test'
  [User, Post, Comment, Tag].each(&:reset_column_information)
end

check 'what is read back' do
  equal connection.tables.sort, %w[ar_internal_metadata comments posts posts_tags schema_migrations tags users]
  columns = User.columns.to_h { |c| [c.name, c.sql_type] }
  equal columns.values_at('name', 'money', 'tags', 'seen', 'created_at', 'ip'),
        ['character varying(40)', 'numeric(10,2)', 'text', 'timestamp(6) without time zone', 'timestamp(3) without time zone', 'inet']
  equal User.primary_key, 'id'
  equal connection.indexes(:posts).map(&:name).sort, %w[index_posts_on_user_id most_popular]
  popular = connection.indexes(:posts).find { |i| i.name == 'most_popular' }
  equal [popular.columns, popular.orders, popular.where], [%w[user_id votes], { 'votes' => :desc }, '(votes > 0)']
  equal connection.foreign_keys(:posts).map { |k| [k.column, k.to_table, k.on_delete] }, [['user_id', 'users', :cascade]]
  equal connection.check_constraints(:users).map(&:name).include?('user_age_sane'), true
  equal connection.table_comment(:users), "who's who"
  equal User.columns_hash['bio'].comment, 'about'
  out = StringIO.new
  ActiveRecord::SchemaDumper.dump(connection, out)
  ['create_table "users", comment: "who\'s who"', 't.string "name", limit: 40, null: false', 't.decimal "money", precision: 10, scale: 2',
   't.text "tags", default: [], array: true', 't.uuid "token", default: -> { "gen_random_uuid()" }', 'add_foreign_key "posts", "users", on_delete: :cascade',
   't.datetime "created_at", precision: 3', 'create_table "comments", id: :uuid'].each do |line|
    raise "the dump has no #{line}: #{out.string}" unless out.string.include?(line)
  end
end

check 'values of every type' do
  now = Time.utc(2024, 1, 2, 3, 4, 5, 123_456)
  made = User.create!(name: 'ann', bio: "it's", age: 5, big: 2**62, money: BigDecimal('3.15'), ratio: 0.1, role: 'admin', data: { 'a' => [1, nil] },
                      raw: [1, 'two'], tags: ['a b', '"', ''], photo: "\0\xff".b, born: Date.new(2024, 2, 29), at: '01:02:03', seen: now, lasts: 90.minutes, ip: '10.0.0.1')
  got = User.find(made.id)
  equal [got.big, got.money, got.ratio, got.role, got.active], [2**62, BigDecimal('3.15'), 0.1, 'admin', true]
  equal [got.data, got.raw, got.tags, got.photo, got.born], [{ 'a' => [1, nil] }, [1, 'two'], ['a b', '"', ''], "\0\xff".b, Date.new(2024, 2, 29)]
  equal [got.seen, got.at.strftime('%H:%M:%S'), got.ip.to_s], [now, '01:02:03', '10.0.0.1']
  equal got.token.length, 36
  equal got.created_at.usec % 1000, 0
end

check 'queries' do
  User.insert_all!((0...20).map { |i| { name: "u#{i}", age: i, tags: [i.odd? ? 'odd' : 'even'], data: { n: i }, created_at: Time.now, updated_at: Time.now } })
  equal User.adult.order(:id).pluck(:name), %w[u18 u19]
  equal User.where(age: 5..7).where(born: nil).order(:age).ids.length, 3
  equal User.where(age: [1, 2]).or(User.where(name: 'ann')).order(:name).pluck(:name), %w[ann u1 u2]
  equal User.where('tags @> ARRAY[?]', 'odd').count, 10
  equal User.where("data ->> 'n' = ?", '7').pick(:name), 'u7'
  equal User.where.not(role: 'user').pluck(:name), ['ann']
  equal User.group(:role).order(:role).count, { 'admin' => 1, 'user' => 20 }
  equal [User.sum(:age), User.average(:age).round(2), User.maximum(:name)], [195, BigDecimal('9.29'), 'u9']
  equal User.order(age: :desc).limit(2).offset(1).pluck(:age), [18, 17]
  equal User.having('count(*) > 5').group(:active).count, { true => 21 }
  equal User.find_each(batch_size: 7).map(&:id).length, 21
  equal User.exists?(name: 'nobody'), false
  equal User.select('name, row_number() OVER (ORDER BY age DESC, id) AS r').order('r').first.r, 1
  equal User.where('lower(name) LIKE ?', 'U1_'.downcase).count, 10
  equal User.from(User.where(age: 0..3), :users).count, 4
  equal User.find_by_sql(['SELECT * FROM users WHERE age = ?', 4]).length, 1
  equal User.where(age: 1).explain.include?('EXPLAIN'), true
end

check 'associations' do
  ann = User.find_by!(name: 'ann')
  3.times { |i| ann.posts.create!(title: "p#{i}", votes: i) }
  ann.posts.first.tags << Tag.create!([{ name: 'x' }, { name: 'y' }])
  ann.posts.order(:id).second.comments.create!([{ body: 'one' }, { body: 'two' }])
  equal ann.reload.posts_count, 3
  equal ann.comments.count, 2
  equal User.includes(posts: :tags).where(name: 'ann').flat_map { |u| u.posts.map { |p| p.tags.length } }.sort, [0, 0, 2]
  equal User.eager_load(:posts).where(posts: { title: 'p1' }).pluck('users.name'), ['ann']
  equal User.joins(posts: :comments).distinct.count, 1
  equal User.left_joins(:posts).group('users.id').order('count(posts.id) DESC, users.id').limit(1).pluck(Arel.sql('users.name, count(posts.id)')), [['ann', 3]]
  equal User.where.missing(:posts).count, 20
  equal Post.joins(:tags).merge(Tag.where(name: 'x')).pluck(:title), ['p0']
end

check 'changes, upserts and errors' do
  equal User.where(name: 'u1').update_all(['age = age + ?', 100]), 1
  User.upsert_all([{ name: 'u1', age: 7, created_at: Time.now, updated_at: Time.now }], unique_by: :name)
  equal User.find_by(name: 'u1').age, 7
  equal User.insert({ name: 'u1', created_at: Time.now, updated_at: Time.now }).rows, []
  equal User.find_or_create_by!(name: 'fresh').persisted?, true
  equal User.create_or_find_by!(name: 'fresh').id, User.find_by(name: 'fresh').id
  raises(ActiveRecord::RecordNotUnique) { User.create!(name: 'ann') }
  raises(ActiveRecord::NotNullViolation) { User.connection.execute("INSERT INTO users (age) VALUES (1)") }
  raises(ActiveRecord::InvalidForeignKey) { Post.insert!({ user_id: 9999, title: 'x', created_at: Time.now, updated_at: Time.now }) }
  raises(ActiveRecord::ValueTooLong) { User.create!(name: 'x' * 41) }
  raises(ActiveRecord::RangeError) { User.where(id: 1).update_all('age = 3000000000') }
  raises(ActiveRecord::StatementInvalid) { User.create!(name: 'neg', age: -1) }
  one, other = User.find_by(name: 'u2'), User.find_by(name: 'u2')
  one.update!(bio: 'a')
  raises(ActiveRecord::StaleObjectError) { other.update!(bio: 'b') }
  equal User.find_by(name: 'ann').destroy.posts.count, 0
  equal Comment.count, 0
end

check 'transactions and locks' do
  User.transaction(isolation: :serializable) { User.create!(name: 'kept') }
  User.transaction do
    User.create!(name: 'outer')
    User.transaction(requires_new: true) { User.create!(name: 'lost'); raise ActiveRecord::Rollback }
  end
  equal User.where(name: %w[kept outer lost]).order(:name).pluck(:name), %w[kept outer]
  User.transaction { equal User.lock('FOR UPDATE SKIP LOCKED').where(name: 'kept').to_a.length, 1 }
  User.find_by(name: 'kept').with_lock { |_| 1 }
  equal connection.get_advisory_lock(4711), true
  equal connection.release_advisory_lock(4711), true
end

check 'threads and prepared statements' do
  found = 8.times.map { |n| Thread.new { Thread.current.report_on_exception = false; ActiveRecord::Base.connection_pool.with_connection { 20.times.map { User.find_by(name: "u#{n + 3}").name }.uniq } } }.map(&:value)
  equal found, (3..10).map { |n| ["u#{n}"] }
end

check 'a view and an enumerated type' do
  connection.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
  connection.execute('CREATE VIEW grown AS SELECT id, name FROM users WHERE age > 17')
  equal connection.views, ['grown']
  connection.execute('ALTER TABLE tags ADD COLUMN feels mood DEFAULT \'ok\'')
  Tag.reset_column_information
  equal Tag.create!(name: 'z', feels: 'sad').reload.feels, 'sad'
  equal connection.data_source_exists?('grown'), true
end

ActiveRecord::Base.establish_connection(CONFIG)
ActiveRecord::Base.default_timezone = :utc
ActiveRecord::Base.logger = Logger.new($stderr) if ENV['COMPAT_VERBOSE']
connection.execute("DROP SCHEMA IF EXISTS #{SCHEMA} CASCADE")
connection.execute("CREATE SCHEMA #{SCHEMA}")
passed = failed = 0
CHECKS.each do |name, body|
  next unless name.include?(ENV['COMPAT_ONLY'] || '')
  begin
    Timeout.timeout(SECONDS_MAX, &body)
    puts "ok       #{name}"
    passed += 1
  rescue Exception => e # a check may fail in any way
    puts "FAILED   #{name}: #{e.class}: #{e.message.gsub(/\s*\n\s*/, ' | ')[0, 600]}"
    warn e.backtrace.first(8) if ENV['COMPAT_VERBOSE']
    failed += 1
  end
end
puts "#{passed} passed, #{failed} failed, 0 skipped"
exit(failed.zero? && passed.positive? ? 0 : 1)

<?php
// PDO and the pgsql extension: prepared statements, types, cursors, COPY, metadata, errors, transactions, notifications.
const SCHEMA = 'compat_php';
$checks = [];
function check(string $name, callable $body) { global $checks; $checks[$name] = $body; }
function equal($got, $expected, $what = '') {
    if ($got !== $expected) throw new Exception("$what got " . json_encode($got) . ', expected ' . json_encode($expected));
}
function open(array $options = []): PDO {
    $dsn = sprintf('pgsql:host=%s;port=%s;dbname=%s', getenv('PGHOST'), getenv('PGPORT'), getenv('PGDATABASE'));
    $pdo = new PDO($dsn, getenv('PGUSER'), getenv('PGPASSWORD') ?: null, $options + [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
    $pdo->exec('SET search_path = ' . SCHEMA);
    return $pdo;
}
function fails(string $state, callable $do) {
    try { $do(); } catch (PDOException $error) { equal($error->errorInfo[0] ?? $error->getCode(), $state, $error->getMessage()); return; }
    throw new Exception("no error, expected $state");
}

check('version', function (PDO $pdo) {
    equal(explode('.', $pdo->getAttribute(PDO::ATTR_SERVER_VERSION))[0], '15');
    equal(str_contains($pdo->getAttribute(PDO::ATTR_CONNECTION_STATUS), 'OK'), true);
});
check('values both ways', function (PDO $pdo) {
    $statement = $pdo->prepare('SELECT ?::int4 + 1 AS i, ?::text AS t, ?::numeric(6,2) AS n, ?::bool AS b, ?::float8 AS f, ?::date AS d, ?::int8 AS big, NULL AS nothing');
    $statement->execute([5, "it's ☃", '1.5', 'true', 0.5, '2024-02-29', PHP_INT_MAX]);
    equal($statement->fetch(PDO::FETCH_ASSOC), ['i' => 6, 't' => "it's ☃", 'n' => '1.50', 'b' => true, 'f' => PHP_VERSION_ID >= 80400 ? 0.5 : '0.5', 'd' => '2024-02-29', 'big' => PHP_INT_MAX, 'nothing' => null]);
    $statement = $pdo->prepare('SELECT :a::text || :b AS ab, :y::bytea AS y');
    $statement->bindValue(':a', 'x');
    $statement->bindValue(':b', 'y');
    $statement->bindValue(':y', "\0\xff'", PDO::PARAM_LOB);
    $statement->execute();
    $row = $statement->fetch(PDO::FETCH_ASSOC);
    equal($row['ab'], 'xy');
    equal(bin2hex(stream_get_contents($row['y'])), '00ff27');
});
check('without server-side statements', function () {
    $pdo = open([PDO::ATTR_EMULATE_PREPARES => true]);
    $statement = $pdo->prepare("SELECT ? || '-' AS s");
    $statement->execute(["it's \\ fine"]);
    equal($statement->fetchColumn(), "it's \\ fine-");
});
check('insert, fetch modes, last id', function (PDO $pdo) {
    $pdo->exec('CREATE TABLE item (id serial PRIMARY KEY, name varchar(20) UNIQUE, n int, at timestamp(0) DEFAULT now())');
    $statement = $pdo->prepare('INSERT INTO item (name, n) VALUES (:name, :n)');
    foreach (range(1, 20) as $n) $statement->execute(['name' => "i$n", 'n' => $n]);
    equal($pdo->lastInsertId(), '20');
    equal($pdo->lastInsertId('item_id_seq'), '20');
    equal($pdo->query('SELECT name FROM item WHERE n < 3 ORDER BY n')->fetchAll(PDO::FETCH_COLUMN), ['i1', 'i2']);
    equal($pdo->query('SELECT name, n FROM item WHERE n < 3 ORDER BY n')->fetchAll(PDO::FETCH_KEY_PAIR), ['i1' => 1, 'i2' => 2]);
    equal($pdo->query('SELECT n FROM item WHERE n = 3')->fetchObject()->n, 3);
    equal($pdo->exec('UPDATE item SET n = n + 1 WHERE n > 10'), 10);
    equal($pdo->query('INSERT INTO item (name) VALUES (\'r\') RETURNING id')->fetchColumn(), 21);
});
check('column metadata', function (PDO $pdo) {
    $statement = $pdo->query('SELECT id, name, at FROM item LIMIT 1');
    $meta = array_map(fn ($at) => $statement->getColumnMeta($at), [0, 1, 2]);
    equal(array_map(fn ($one) => [$one['name'], $one['native_type'], $one['table'] ?? null], $meta), [['id', 'int4', 'item'], ['name', 'varchar', 'item'], ['at', 'timestamp', 'item']]);
    equal($statement->columnCount(), 3);
});
check('scrollable cursor', function (PDO $pdo) {
    $pdo->beginTransaction();
    $statement = $pdo->prepare('SELECT i FROM generate_series(1, 100) AS g(i)', [PDO::ATTR_CURSOR => PDO::CURSOR_SCROLL]);
    $statement->execute();
    equal($statement->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_ABS, 50), [50]);
    equal($statement->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_PRIOR), [49]);
    equal($statement->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_LAST), [100]);
    $pdo->commit();
});
check('COPY both ways', function (PDO $pdo) {
    $pdo->exec('CREATE TABLE copied (a int, b text)');
    equal($pdo->pgsqlCopyFromArray('copied', ["1\tone\n", "2\t\\N\n"]), true);
    equal($pdo->pgsqlCopyToArray('copied'), ["1\tone\n", "2\t\\N\n"]);
});
check('transactions', function (PDO $pdo) {
    $pdo->exec('CREATE TABLE tx (x int)');
    $pdo->beginTransaction();
    $pdo->exec('INSERT INTO tx VALUES (1)');
    equal($pdo->inTransaction(), true);
    $pdo->commit();
    $pdo->beginTransaction();
    $pdo->exec('INSERT INTO tx VALUES (2)');
    fails('22012', fn () => $pdo->query('SELECT 1/0'));
    fails('25P02', fn () => $pdo->query('SELECT 1'));
    $pdo->rollBack();
    equal($pdo->query('SELECT x FROM tx')->fetchAll(PDO::FETCH_COLUMN), [1]);
});
check('errors', function (PDO $pdo) {
    fails('23505', fn () => $pdo->exec("INSERT INTO item (name) VALUES ('i1')"));
    fails('42P01', fn () => $pdo->query('SELECT * FROM nowhere'));
    fails('42601', fn () => $pdo->query('SELEC 1'));
    fails('22P02', fn () => $pdo->prepare('SELECT ?::int')->execute(['x']));
});
check('LISTEN and NOTIFY', function (PDO $pdo) {
    $pdo->exec('LISTEN told');
    open()->exec("NOTIFY told, 'hello'");
    $got = $pdo->pgsqlGetNotify(PDO::FETCH_ASSOC, 5000);
    equal([$got['message'], $got['payload']], ['told', 'hello']);
});
check('the pgsql extension', function () {
    $password = getenv('PGPASSWORD');
    $db = pg_connect(sprintf('host=%s port=%s dbname=%s user=%s%s', getenv('PGHOST'), getenv('PGPORT'), getenv('PGDATABASE'), getenv('PGUSER'), $password ? " password=$password" : ''));
    pg_query($db, 'SET search_path = ' . SCHEMA);
    $result = pg_query_params($db, 'SELECT $1::int + 1 AS a, $2::text AS b', [1, 'x']);
    equal(pg_fetch_assoc($result), ['a' => '2', 'b' => 'x']);
    equal([pg_field_type($result, 0), pg_field_name($result, 1)], ['int4', 'b']);
    pg_prepare($db, 'q', 'SELECT name FROM item WHERE n = $1');
    equal(pg_fetch_result(pg_execute($db, 'q', [1]), 0, 0), 'i1');
    equal(@pg_insert($db, SCHEMA . '.item', ['name' => 'by pg_insert', 'n' => 77], PGSQL_DML_EXEC) !== false, true, (error_get_last()['message'] ?? '') . pg_last_error($db));
    equal(pg_select($db, SCHEMA . '.item', ['n' => 77])[0]['name'], 'by pg_insert');
    equal(pg_update($db, SCHEMA . '.item', ['name' => 'changed'], ['n' => 77]), true);
    equal(pg_delete($db, SCHEMA . '.item', ['n' => 77]), true);
    $meta = pg_meta_data($db, SCHEMA . '.item');
    equal([$meta['name']['type'], $meta['id']['not null'], $meta['n']['num']], ['varchar', true, 3]);
    equal(pg_field_table($result = pg_query($db, 'SELECT id FROM item'), 0), 'item');
    equal(pg_copy_from($db, 'copied', ["3\tthree\n"]), true);
    equal(@pg_query($db, 'SELECT 1/0'), false);
    equal(str_contains(pg_last_error($db), 'division by zero'), true);
    pg_close($db);
});

$setup = new PDO(sprintf('pgsql:host=%s;port=%s;dbname=%s', getenv('PGHOST'), getenv('PGPORT'), getenv('PGDATABASE')), getenv('PGUSER'), getenv('PGPASSWORD') ?: null);
$setup->exec('DROP SCHEMA IF EXISTS ' . SCHEMA . ' CASCADE');
$setup->exec('CREATE SCHEMA ' . SCHEMA);
[$passed, $failed] = [0, 0];
foreach ($checks as $name => $body) {
    if (getenv('COMPAT_ONLY') && !str_contains($name, getenv('COMPAT_ONLY'))) continue;
    try {
        $body(open());
        echo "ok       $name\n";
        $passed++;
    } catch (Throwable $error) {
        echo "FAILED   $name: ", preg_replace('/\s*\n\s*/', ' | ', $error->getMessage()), "\n";
        $failed++;
    }
}
echo "$passed passed, $failed failed, 0 skipped\n";
exit($failed || !$passed ? 1 : 0);

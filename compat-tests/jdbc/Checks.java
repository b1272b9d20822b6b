import java.io.ByteArrayInputStream;
import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Array;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.postgresql.PGConnection;
import org.postgresql.util.PGInterval;
import org.postgresql.util.PGobject;
import org.postgresql.util.PSQLException;

/** pgjdbc: fetch size, batches, binary transfer, metadata, types, errors, cancel, COPY. */
public class Checks {
    static final String SCHEMA = "compat_jdbc";
    static final String LONG_QUERY =
        "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b";

    interface Check {
        void run(Connection connection) throws Exception;
    }

    interface Attempt {
        void run() throws Exception;
    }

    static final Map<String, Check> checks = new LinkedHashMap<>();
    static final Map<String, Check> graphChecks = new LinkedHashMap<>();

    static String env(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? otherwise : value;
    }

    static Connection connect(String... options) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", env("PGUSER", "graphwire"));
        properties.setProperty("password", env("PGPASSWORD", ""));
        properties.setProperty("currentSchema", SCHEMA);
        for (int i = 0; i < options.length; i += 2) properties.setProperty(options[i], options[i + 1]);
        String url = "jdbc:postgresql://" + env("PGHOST", "127.0.0.1") + ":" + env("PGPORT", "5432") + "/"
            + env("PGDATABASE", "graphwire");
        return DriverManager.getConnection(url, properties);
    }

    static void equal(Object got, Object expected, String what) {
        boolean same = got instanceof byte[] a && expected instanceof byte[] b ? Arrays.equals(a, b) : Objects.equals(got, expected);
        if (!same) throw new AssertionError(what + ": got " + show(got) + ", expected " + show(expected));
    }

    static String show(Object value) {
        if (value instanceof byte[] bytes) return Arrays.toString(bytes);
        return value == null ? "null" : value + " (" + value.getClass().getSimpleName() + ")";
    }

    static SQLException fails(String state, Attempt attempt) throws Exception {
        try {
            attempt.run();
        } catch (SQLException error) {
            equal(error.getSQLState(), state, "SQLSTATE of \"" + error.getMessage() + "\"");
            return error;
        }
        throw new AssertionError("no error, expected " + state);
    }

    static void execute(Connection connection, String... statements) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            for (String text : statements) statement.execute(text);
        }
    }

    static List<List<Object>> rows(ResultSet results) throws SQLException {
        List<List<Object>> rows = new ArrayList<>();
        int width = results.getMetaData().getColumnCount();
        while (results.next()) {
            List<Object> row = new ArrayList<>();
            for (int i = 1; i <= width; i++) row.add(results.getObject(i));
            rows.add(row);
        }
        return rows;
    }

    static List<List<Object>> query(Connection connection, String text, Object... values) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(text)) {
            for (int i = 0; i < values.length; i++) statement.setObject(i + 1, values[i]);
            return rows(statement.executeQuery());
        }
    }

    static Object one(Connection connection, String text, Object... values) throws SQLException {
        return query(connection, text, values).get(0).get(0);
    }

    /** A column of each row, as text. */
    static List<String> column(ResultSet results, String name) throws SQLException {
        List<String> values = new ArrayList<>();
        while (results.next()) values.add(results.getString(name));
        return values;
    }

    static PGobject object(String type, String value) throws SQLException {
        PGobject object = new PGobject();
        object.setType(type);
        object.setValue(value);
        return object;
    }

    /** Type, a value to send, the same value as JDBC gives it back. */
    static Object[][] values() throws SQLException {
        OffsetDateTime instant = OffsetDateTime.of(2024, 3, 10, 6, 30, 0, 0, ZoneOffset.UTC);
        return new Object[][] {
            {"bool", true, Boolean.class}, {"int2", 7, Integer.class}, {"int4", Integer.MIN_VALUE, Integer.class},
            {"int8", Long.MAX_VALUE, Long.class}, {"float4", 1.5f, Float.class}, {"float8", 0.1, Double.class},
            {"float8", Double.NEGATIVE_INFINITY, Double.class},
            {"numeric", new BigDecimal("12345678901234567890.123456789"), BigDecimal.class},
            {"numeric(10,2)", new BigDecimal("3.15"), BigDecimal.class}, {"numeric", new BigDecimal("-0.0001"), BigDecimal.class},
            {"text", "naïve – ☃ 🐘", String.class}, {"text", "", String.class}, {"varchar(5)", "abcde", String.class},
            {"char(4)", "ab  ", String.class}, {"bytea", new byte[] {0, -1, 16}, byte[].class},
            {"date", LocalDate.of(2024, 2, 29), LocalDate.class}, {"time", LocalTime.of(23, 59, 58, 999999000), LocalTime.class},
            {"timestamp", LocalDateTime.of(1999, 12, 31, 23, 59, 59, 500000000), LocalDateTime.class},
            {"timestamptz", instant, OffsetDateTime.class},
            {"uuid", UUID.fromString("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), UUID.class},
        };
    }

    static void types(Connection connection) throws Exception {
        for (Object[] value : values()) {
            for (int round = 0; round < 3; round++) {
                try (PreparedStatement statement = connection.prepareStatement("SELECT ?::" + value[0])) {
                    statement.setObject(1, value[1]);
                    ResultSet results = statement.executeQuery();
                    results.next();
                    Object got = value[2] == byte[].class ? results.getBytes(1) : results.getObject(1, (Class<?>) value[2]);
                    equal(got, value[1], value[0] + ", round " + round);
                    statement.setNull(1, Types.OTHER);
                    results = statement.executeQuery();
                    results.next();
                    equal(results.getObject(1), null, "NULL " + value[0]);
                }
            }
        }
        equal(one(connection, "SELECT ?::jsonb", object("jsonb", "{\"b\":[1,null],\"a\":\"x\"}")).toString(),
            "{\"a\": \"x\", \"b\": [1, null]}", "jsonb");
        equal(one(connection, "SELECT ?::json", object("json", "{\"b\":1}")).toString(), "{\"b\":1}", "json");
        equal(one(connection, "SELECT ?::interval", new PGInterval(1, 2, 3, 4, 5, 6.7)).toString(),
            "1 years 2 mons 3 days 4 hours 5 mins 6.7 secs", "interval");
        Object[][] arrays = {
            {"int4", new Integer[] {1, null, 3}}, {"int8", new Long[] {Long.MAX_VALUE}}, {"text", new String[] {"a", "b \"c\"", null, "NULL", ""}},
            {"float8", new Double[] {0.5, -2.0}}, {"bool", new Boolean[] {true, false}}, {"numeric", new BigDecimal[] {new BigDecimal("1.1")}},
            {"uuid", new UUID[] {UUID.fromString("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")}}, {"int2", new Short[] {1, -2}}, {"int4", new Integer[] {}},
        };
        for (Object[] array : arrays) {
            Array sent = connection.createArrayOf((String) array[0], (Object[]) array[1]);
            Array got = (Array) one(connection, "SELECT ?::" + array[0] + "[]", sent);
            equal(Arrays.asList((Object[]) got.getArray()), Arrays.asList((Object[]) array[1]), array[0] + "[]");
        }
    }

    static void columns(Connection connection) throws Exception {
        execute(connection, "DROP TABLE IF EXISTS typed",
            "CREATE TABLE typed (b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric(12,3), t text, v varchar(9), c char(3),"
            + " y bytea, d date, ti time, ts timestamp, tz timestamptz, iv interval, u uuid, j json, jb jsonb, ia int4[], ta text[])",
            "INSERT INTO typed VALUES (true, 1, 2, 3, 4.5, 5.25, 6.789, 'seven', 'eight', 'ni', '\\x0a', '2011-11-11', '12:12:12',"
            + " '2013-01-02 03:04:05', '2014-01-02 03:04:05+00', '15 days', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{\"k\":17}', '{\"k\": 18}', '{19,20}', '{a,b}')");
        for (int round = 0; round < 6; round++) {
            try (PreparedStatement statement = connection.prepareStatement("SELECT * FROM typed WHERE i4 = ?")) {
                statement.setInt(1, 2);
                ResultSet r = statement.executeQuery();
                r.next();
                equal(r.getBoolean("b"), true, "bool");
                equal(r.getShort("i2"), (short) 1, "int2");
                equal(r.getLong("i8"), 3L, "int8");
                equal(r.getFloat("f4"), 4.5f, "float4");
                equal(r.getDouble("f8"), 5.25, "float8");
                equal(r.getBigDecimal("n"), new BigDecimal("6.789"), "numeric");
                equal(r.getString("t") + r.getString("v") + r.getString("c"), "seveneightni ", "text, varchar, char");
                equal(r.getBytes("y"), new byte[] {10}, "bytea");
                equal(r.getDate("d"), Date.valueOf("2011-11-11"), "date");
                equal(r.getObject("ti", LocalTime.class), LocalTime.of(12, 12, 12), "time");
                equal(r.getObject("ts", LocalDateTime.class), LocalDateTime.of(2013, 1, 2, 3, 4, 5), "timestamp");
                equal(r.getTimestamp("tz").toInstant().toString(), "2014-01-02T03:04:05Z", "timestamptz");
                equal(((PGInterval) r.getObject("iv")).getDays(), 15, "interval");
                equal(r.getObject("u").toString().substring(0, 8), "a0eebc99", "uuid");
                equal(r.getString("j") + r.getString("jb"), "{\"k\":17}{\"k\": 18}", "json, jsonb");
                equal(List.of((Object[]) r.getArray("ia").getArray()), List.of(19, 20), "int4[]");
                equal(List.of((Object[]) r.getArray("ta").getArray()), List.of("a", "b"), "text[]");
                equal(r.next(), false, "one row");
            }
        }
        ResultSetMetaData meta = connection.prepareStatement("SELECT * FROM typed").getMetaData();
        equal(meta.getColumnTypeName(7) + " " + meta.getPrecision(7) + " " + meta.getScale(7), "numeric 12 3", "numeric(12,3)");
        equal(meta.getColumnTypeName(9) + " " + meta.getPrecision(9), "varchar 9", "varchar(9)");
        equal(meta.getColumnType(15), Types.TIMESTAMP, "timestamptz");
        equal(meta.getTableName(1) + "." + meta.getColumnName(1), "typed.b", "column's table");
    }

    static void fetchSize(Connection connection) throws Exception {
        connection.setAutoCommit(false);
        try (PreparedStatement statement = connection.prepareStatement("SELECT i, 'row ' || i FROM generate_series(1, ?) AS g(i) ORDER BY i")) {
            statement.setFetchSize(100);
            statement.setInt(1, 1050);
            for (int round = 0; round < 7; round++) {
                ResultSet results = statement.executeQuery();
                int expected = 0;
                while (results.next()) {
                    equal(results.getInt(1), ++expected, "row");
                    equal(results.getString(2), "row " + expected, "row");
                }
                equal(expected, 1050, "rows");
            }
            ResultSet half = statement.executeQuery();
            for (int i = 0; i < 150; i++) half.next();
            half.close();
            statement.setMaxRows(7);
            equal(rows(statement.executeQuery()).size(), 7, "setMaxRows");
        }
        try (Statement first = connection.createStatement(); Statement second = connection.createStatement()) {
            first.setFetchSize(3);
            ResultSet outer = first.executeQuery("SELECT i FROM generate_series(1, 10) AS g(i) ORDER BY i");
            int sum = 0;
            while (outer.next()) {
                ResultSet inner = second.executeQuery("SELECT " + outer.getInt(1) + " * 2");
                inner.next();
                sum += inner.getInt(1);
            }
            equal(sum, 110, "two portals at once");
        }
        connection.commit();
    }

    static void bigResultWithFetchSize(Connection connection) throws Exception {
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(5000);
            ResultSet results = statement.executeQuery("SELECT i FROM generate_series(1, 200000) AS g(i)");
            long sum = 0;
            while (results.next()) sum += results.getLong(1);
            equal(sum, 200000L * 200001 / 2, "sum");
        }
    }

    static void batches(Connection connection) throws Exception {
        execute(connection, "DROP TABLE IF EXISTS batched", "CREATE TABLE batched (id int4 PRIMARY KEY, v text)");
        try (PreparedStatement statement = connection.prepareStatement("INSERT INTO batched VALUES (?, ?)")) {
            for (int i = 0; i < 500; i++) {
                statement.setInt(1, i);
                statement.setString(2, "v" + i);
                statement.addBatch();
            }
            int[] counts = statement.executeBatch();
            equal(counts.length, 500, "counts");
            equal(Arrays.stream(counts).sum(), 500, "rows");
            statement.setInt(1, 1000);
            statement.setString(2, "x");
            statement.addBatch();
            statement.setInt(1, 3);
            statement.addBatch();
            try {
                statement.executeBatch();
                throw new AssertionError("no error from the batch");
            } catch (BatchUpdateException error) {
                equal(error.getSQLState(), "23505", "SQLSTATE of the batch");
            }
        }
        try (Statement statement = connection.createStatement()) {
            statement.addBatch("UPDATE batched SET v = 'u' WHERE id < 10");
            statement.addBatch("DELETE FROM batched WHERE id >= 490");
            equal(Arrays.toString(statement.executeBatch()), "[10, 10]", "counts of a mixed batch");
        }
        try (PreparedStatement statement = connection.prepareStatement("INSERT INTO batched VALUES (?, 'k')", Statement.RETURN_GENERATED_KEYS)) {
            statement.setInt(1, 9000);
            statement.executeUpdate();
            ResultSet keys = statement.getGeneratedKeys();
            keys.next();
            equal(keys.getInt("id"), 9000, "generated keys");
        }
        try (Connection rewriting = connect("reWriteBatchedInserts", "true");
             PreparedStatement statement = rewriting.prepareStatement("INSERT INTO batched VALUES (?, ?)")) {
            for (int i = 2000; i < 2300; i++) {
                statement.setInt(1, i);
                statement.setString(2, "r");
                statement.addBatch();
            }
            statement.executeBatch();
        }
        equal(one(connection, "SELECT count(*) FROM batched"), 791L, "rows at the end");
    }

    static void metadata(Connection connection) throws Exception {
        execute(connection, "DROP VIEW IF EXISTS meta_view", "DROP TABLE IF EXISTS meta_child", "DROP TABLE IF EXISTS meta",
            "CREATE TABLE meta (id int4 PRIMARY KEY, name varchar(20) NOT NULL, price numeric(8,2) DEFAULT 0, tags text[])",
            "CREATE TABLE meta_child (a int4, b text, meta_id int4 REFERENCES meta (id), PRIMARY KEY (b, a))",
            "CREATE VIEW meta_view AS SELECT id, name FROM meta");
        DatabaseMetaData meta = connection.getMetaData();
        equal(meta.getDatabaseProductName(), "PostgreSQL", "product");
        equal(meta.getDatabaseMajorVersion(), 15, "major version");
        equal(column(meta.getTables(null, SCHEMA, "meta%", new String[] {"TABLE"}), "TABLE_NAME").toString(), "[meta, meta_child]", "tables");
        equal(column(meta.getTables(null, SCHEMA, "meta%", new String[] {"VIEW"}), "TABLE_NAME").toString(), "[meta_view]", "views");
        equal(column(meta.getTables(null, SCHEMA, "meta%", null), "TABLE_TYPE").contains("TABLE"), true, "all kinds");
        equal(column(meta.getSchemas(), "TABLE_SCHEM").containsAll(List.of(SCHEMA, "public", "pg_catalog", "information_schema")), true, "schemas");
        equal(column(meta.getCatalogs(), "TABLE_CAT").contains(env("PGDATABASE", "graphwire")), true, "catalogs");
        equal(column(meta.getTableTypes(), "TABLE_TYPE").contains("VIEW"), true, "table types");

        List<String> columns = new ArrayList<>();
        ResultSet r = meta.getColumns(null, SCHEMA, "meta", "%");
        while (r.next()) {
            columns.add(String.join(" ", r.getString("ORDINAL_POSITION"), r.getString("COLUMN_NAME"), r.getString("TYPE_NAME"),
                r.getString("DATA_TYPE"), r.getString("COLUMN_SIZE"), r.getString("DECIMAL_DIGITS"), r.getString("IS_NULLABLE"),
                r.getString("COLUMN_DEF")));
        }
        equal(String.join("\n", columns), String.join("\n", "1 id int4 4 10 0 NO null", "2 name varchar 12 20 0 NO null",
            "3 price numeric 2 8 2 YES 0", "4 tags _text 2003 2147483647 0 YES null"), "columns");

        List<String> keys = new ArrayList<>();
        r = meta.getPrimaryKeys(null, SCHEMA, "meta_child");
        while (r.next()) keys.add(r.getString("COLUMN_NAME") + " " + r.getInt("KEY_SEQ") + " " + r.getString("PK_NAME"));
        equal(keys.toString(), "[b 1 meta_child_pkey, a 2 meta_child_pkey]", "primary key");
        r = meta.getImportedKeys(null, SCHEMA, "meta_child");
        equal(r.next(), true, "imported key");
        equal(r.getString("PKTABLE_NAME") + "." + r.getString("PKCOLUMN_NAME") + " " + r.getString("FKCOLUMN_NAME") + " " + r.getString("FK_NAME"),
            "meta.id meta_id meta_child_meta_id_fkey", "imported key");
        equal(column(meta.getExportedKeys(null, SCHEMA, "meta"), "FKTABLE_NAME").toString(), "[meta_child]", "exported keys");
        equal(column(meta.getIndexInfo(null, SCHEMA, "meta", true, false), "INDEX_NAME").toString(), "[meta_pkey]", "indexes");
        equal(column(meta.getTypeInfo(), "TYPE_NAME").containsAll(List.of("int4", "text", "jsonb", "uuid")), true, "types");
        equal(column(meta.getFunctions(null, "pg_catalog", "upper"), "FUNCTION_NAME").contains("upper"), true, "functions");
    }

    static void errors(Connection connection) throws Exception {
        PSQLException error = (PSQLException) fails("42703", () -> query(connection, "SELECT nocolumn FROM pg_class"));
        equal(error.getServerErrorMessage().getPosition(), 8, "position");
        equal(error.getServerErrorMessage().getMessage(), "column \"nocolumn\" does not exist", "message");
        fails("42P01", () -> query(connection, "SELECT * FROM notable"));
        fails("42601", () -> query(connection, "SELEC 1"));
        fails("22012", () -> query(connection, "SELECT 1 / ?", 0));
        fails("22P02", () -> query(connection, "SELECT ?::int4", "seven"));
        execute(connection, "DROP TABLE IF EXISTS strict", "CREATE TABLE strict (id int4 PRIMARY KEY, v varchar(3) NOT NULL)",
            "INSERT INTO strict VALUES (1, 'a')");
        error = (PSQLException) fails("23505", () -> execute(connection, "INSERT INTO strict VALUES (1, 'b')"));
        equal(error.getServerErrorMessage().getConstraint(), "strict_pkey", "constraint");
        equal(error.getServerErrorMessage().getTable(), "strict", "table");
        fails("23502", () -> execute(connection, "INSERT INTO strict VALUES (2, NULL)"));
        fails("22001", () -> execute(connection, "INSERT INTO strict VALUES (2, 'long')"));
        equal(one(connection, "SELECT count(*) FROM strict"), 1L, "rows");
    }

    static void transactions(Connection connection) throws Exception {
        execute(connection, "DROP TABLE IF EXISTS tx", "CREATE TABLE tx (x int4)");
        connection.setAutoCommit(false);
        execute(connection, "INSERT INTO tx VALUES (1)");
        connection.commit();
        execute(connection, "INSERT INTO tx VALUES (2)");
        connection.rollback();
        fails("22012", () -> execute(connection, "SELECT 1/0"));
        fails("25P02", () -> execute(connection, "SELECT 1"));
        connection.rollback();
        equal(query(connection, "SELECT x FROM tx").toString(), "[[1]]", "rows");
        connection.commit();
        connection.setReadOnly(true);
        fails("25006", () -> execute(connection, "INSERT INTO tx VALUES (3)"));
        connection.rollback();
        connection.setReadOnly(false);
        equal(connection.getTransactionIsolation(), Connection.TRANSACTION_READ_COMMITTED, "isolation");
    }

    static void cancel(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement()) {
            ExecutorService executor = Executors.newSingleThreadExecutor();
            executor.submit(() -> {
                Thread.sleep(400);
                statement.cancel();
                return null;
            });
            long started = System.nanoTime();
            fails("57014", () -> statement.executeQuery(LONG_QUERY));
            executor.shutdown();
            if (System.nanoTime() - started > 5e9) throw new AssertionError("cancel took seconds");
            statement.setQueryTimeout(1);
            fails("57014", () -> statement.executeQuery(LONG_QUERY));
            statement.setQueryTimeout(0);
            equal(one(connection, "SELECT 1"), 1, "after cancel");
        }
    }

    static void copy(Connection connection) throws Exception {
        execute(connection, "DROP TABLE IF EXISTS copied", "CREATE TABLE copied (i int4, t text)");
        var copy = connection.unwrap(PGConnection.class).getCopyAPI();
        equal(copy.copyIn("COPY copied FROM STDIN (FORMAT csv)", new StringReader("1,one\n2,\"t,wo\"\n3,\n")), 3L, "rows in");
        StringWriter out = new StringWriter();
        equal(copy.copyOut("COPY copied TO STDOUT (FORMAT csv, HEADER)", out), 3L, "rows out");
        equal(out.toString(), "i,t\n1,one\n2,\"t,wo\"\n3,\n", "csv out");
        fails("22P02", () -> copy.copyIn("COPY copied FROM STDIN", new ByteArrayInputStream("x\ty\n".getBytes(StandardCharsets.UTF_8))));
        equal(one(connection, "SELECT count(*) FROM copied"), 3L, "rows");
    }

    static void simpleProtocol(Connection ignored) throws Exception {
        try (Connection simple = connect("preferQueryMode", "simple")) {
            equal(one(simple, "SELECT ?::int4 + 1", 41), 42, "parameter");
            equal(query(simple, "SELECT i FROM generate_series(1, 3) AS g(i)").toString(), "[[1], [2], [3]]", "rows");
            fails("42P01", () -> query(simple, "SELECT * FROM notable"));
        }
    }

    static void severalResults(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement()) {
            equal(statement.execute("SELECT 1; SELECT 2, 3"), true, "first is a result");
            equal(rows(statement.getResultSet()).toString(), "[[1]]", "first");
            equal(statement.getMoreResults(), true, "second is a result");
            equal(rows(statement.getResultSet()).toString(), "[[2, 3]]", "second");
            equal(statement.getMoreResults() || statement.getUpdateCount() != -1, false, "end");
        }
    }

    static void updatableResult(Connection connection) throws Exception {
        execute(connection, "DROP TABLE IF EXISTS editable", "CREATE TABLE editable (id int4 PRIMARY KEY, v text)", "INSERT INTO editable VALUES (1, 'a')");
        try (Statement statement = connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
            ResultSet results = statement.executeQuery("SELECT id, v FROM editable");
            results.first();
            results.updateString("v", "changed");
            results.updateRow();
        }
        equal(one(connection, "SELECT v FROM editable"), "changed", "updated");
    }

    static void graph(Connection connection) throws Exception {
        if (one(connection, "SELECT to_regclass('person')::text") == null) {
            execute(connection, Files.readString(Path.of(System.getenv("COMPAT_GRAPH_SQL"))));
        }
        execute(connection, "SET graph_path = 'compat_social'");
        String expected = "[[bob], [cid]]";
        equal(query(connection, "MATCH (a:person {name: ?})-[:knows]->(b) RETURN b.name ORDER BY b.name", "ann").toString(), expected, "Cypher");
        equal(query(connection, "SELECT x FROM GRAPH_TABLE (compat_social MATCH (a IS person WHERE a.name = ?)-[IS knows]->(b IS person)"
            + " COLUMNS (b.name AS x)) ORDER BY x", "ann").toString(), expected, "SQL/PGQ");
        equal(query(connection, "SELECT b.name FROM person a JOIN knows ON src = a.id JOIN person b ON b.id = dst WHERE a.name = ? ORDER BY 1", "ann")
            .toString(), expected, "SQL");
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(2);
            ResultSet r = statement.executeQuery("MATCH (a:person) RETURN a, a.age AS age, [a.name] AS names ORDER BY a.id");
            equal(r.getMetaData().getColumnTypeName(1) + " " + r.getMetaData().getColumnTypeName(2) + " " + r.getMetaData().getColumnTypeName(3),
                "jsonb int4 _text", "column types");
            r.next();
            equal(r.getString(1).contains("\"ann\""), true, "node");
            equal(r.getInt("age"), 31, "age");
            equal(List.of((Object[]) r.getArray(3).getArray()), List.of("ann"), "names");
            int more = 0;
            while (r.next()) more++;
            equal(more, 3, "more rows");
        }
        connection.commit();
    }

    public static void main(String[] arguments) throws Exception {
        java.util.TimeZone.setDefault(java.util.TimeZone.getTimeZone("UTC"));
        boolean graphwire;
        try (Connection setup = connect()) {
            graphwire = one(setup, "SELECT version()").toString().contains("graphwire");
            execute(setup, "DROP SCHEMA IF EXISTS " + SCHEMA + " CASCADE", "CREATE SCHEMA " + SCHEMA);
        }
        checks.put("types in text", Checks::types);
        checks.put("types in binary", ignored -> {
            try (Connection binary = connect("prepareThreshold", "-1", "binaryTransfer", "true")) {
                types(binary);
            }
        });
        checks.put("columns of a table", Checks::columns);
        checks.put("fetch size", Checks::fetchSize);
        checks.put("big result with fetch size", Checks::bigResultWithFetchSize);
        checks.put("batches", Checks::batches);
        checks.put("metadata", Checks::metadata);
        checks.put("errors", Checks::errors);
        checks.put("transactions", Checks::transactions);
        checks.put("cancel and query timeout", Checks::cancel);
        checks.put("copy", Checks::copy);
        checks.put("simple protocol", Checks::simpleProtocol);
        checks.put("several results", Checks::severalResults);
        checks.put("updatable result", Checks::updatableResult);
        graphChecks.put("graph", Checks::graph);

        int passed = 0;
        int failed = 0;
        int skipped = 0;
        String only = env("COMPAT_ONLY", "");
        long seconds = Long.parseLong(env("COMPAT_SECONDS_MAX", "60"));
        Map<String, Check> all = new LinkedHashMap<>(checks);
        all.putAll(graphChecks);
        for (var entry : all.entrySet()) {
            String name = entry.getKey();
            if (!name.contains(only)) continue;
            if (graphChecks.containsKey(name) && !graphwire) {
                System.out.println("skipped  " + name + ": no property graphs here");
                skipped++;
                continue;
            }
            ExecutorService executor = Executors.newSingleThreadExecutor(task -> {
                Thread thread = new Thread(task);
                thread.setDaemon(true);
                return thread;
            });
            Future<Void> running = executor.submit(() -> {
                try (Connection connection = connect()) {
                    entry.getValue().run(connection);
                }
                return null;
            });
            try {
                running.get(seconds, TimeUnit.SECONDS);
                System.out.println("ok       " + name);
                passed++;
            } catch (TimeoutException late) {
                System.out.println("FAILED   " + name + ": no answer within " + seconds + " s");
                failed++;
            } catch (java.util.concurrent.ExecutionException error) {
                System.out.println("FAILED   " + name + ": " + String.valueOf(error.getCause()).replaceAll("\\s*\\n\\s*", " | "));
                if (!env("COMPAT_VERBOSE", "").isEmpty()) error.getCause().printStackTrace();
                failed++;
            }
        }
        System.out.println(passed + " passed, " + failed + " failed, " + skipped + " skipped");
        System.exit(failed > 0 || passed == 0 ? 1 : 0);
    }
}

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.postgresql.PGConnection;
import org.postgresql.PGStatement;
import org.postgresql.copy.CopyManager;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

/** A session of pgjdbc: a line of output for each operation. Arguments: URL, table, file of statements, refused statement. */
public final class Session {
    interface Operation {
        Object play() throws Exception;
    }

    static Connection connection;
    static String url;
    static String table;
    static final Properties LOGIN = new Properties();

    public static void main(String[] arguments) throws Exception {
        url = arguments[0];
        table = arguments[1];
        LOGIN.setProperty("user", System.getenv("PGUSER"));
        LOGIN.setProperty("password", System.getenv("PGPASSWORD"));
        connection = connect();
        if (arguments.length > 3) {
            refusals(arguments[3]);
        } else {
            statements(Files.readAllLines(Path.of(arguments[2])));
            parameters();
            batches();
            fetches();
            copies();
            transactions();
            metadata();
            cancels();
            settings();
            tell("the table is dropped", () -> update("DROP TABLE " + table));
        }
        connection.close();
    }

    static Connection connect(String... options) throws SQLException {
        Properties properties = new Properties();
        properties.putAll(LOGIN);
        for (int at = 0; at < options.length; at += 2) {
            properties.setProperty(options[at], options[at + 1]);
        }
        return DriverManager.getConnection(url, properties);
    }

    static void tell(String name, Operation operation) {
        Object outcome;
        try {
            outcome = operation.play();
        } catch (BatchUpdateException error) {
            SQLException cause = error.getNextException();
            outcome = "batch " + Arrays.toString(error.getUpdateCounts()) + " " + told(cause == null ? error : cause);
        } catch (SQLException error) {
            outcome = told(error);
        } catch (Exception error) {
            outcome = error.toString();
        }
        String line = name + " => " + String.valueOf(outcome);
        System.out.println(line.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r"));
    }

    static String told(SQLException error) {
        if (error instanceof PSQLException && ((PSQLException) error).getServerErrorMessage() != null) {
            ServerErrorMessage server = ((PSQLException) error).getServerErrorMessage();
            return String.join("|", List.of(
                String.valueOf(server.getSeverity()), String.valueOf(server.getSQLState()),
                String.valueOf(server.getMessage()), String.valueOf(server.getDetail()),
                String.valueOf(server.getHint()), String.valueOf(server.getPosition()),
                String.valueOf(server.getConstraint())));
        }
        return error.getSQLState() + " " + error.getMessage();
    }

    static String warnings(Statement statement) throws SQLException {
        StringBuilder found = new StringBuilder();
        for (SQLWarning at = statement.getWarnings(); at != null; at = at.getNextWarning()) {
            found.append(at.getSQLState()).append(' ').append(at.getMessage()).append(';');
        }
        return found.toString();
    }

    static String rows(ResultSet found) throws SQLException {
        ResultSetMetaData columns = found.getMetaData();
        StringBuilder text = new StringBuilder();
        for (int at = 1; at <= columns.getColumnCount(); at++) {
            text.append(columns.getColumnLabel(at)).append(':').append(columns.getColumnTypeName(at)).append(':')
                .append(columns.getColumnType(at)).append(':').append(columns.getPrecision(at)).append(' ');
        }
        while (found.next()) {
            text.append('(');
            for (int at = 1; at <= columns.getColumnCount(); at++) {
                Object value = found.getObject(at);
                text.append(value instanceof byte[] ? Arrays.toString((byte[]) value) : String.valueOf(value)).append(", ");
            }
            text.append(") ");
        }
        found.close();
        return text.toString();
    }

    /** Every result of a statement, and its warnings. */
    static String results(Statement statement, boolean first) throws SQLException {
        StringBuilder text = new StringBuilder();
        boolean isRows = first;
        while (true) {
            if (isRows) {
                text.append(rows(statement.getResultSet()));
            } else if (statement.getLargeUpdateCount() == -1) {
                return text + " " + warnings(statement);
            } else {
                text.append(statement.getLargeUpdateCount()).append(' ');
            }
            isRows = statement.getMoreResults();
        }
    }

    static String run(String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            return results(statement, statement.execute(sql));
        }
    }

    static long update(String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            return statement.executeLargeUpdate(sql);
        }
    }

    static String query(String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int at = 0; at < values.length; at++) {
                statement.setObject(at + 1, values[at]);
            }
            return rows(statement.executeQuery());
        }
    }

    static void statements(List<String> texts) {
        for (String sql : texts) {
            tell(sql, () -> run(sql));
        }
        for (String sql : texts) {
            tell("prepared: " + sql, () -> {
                try (PreparedStatement statement = connection.prepareStatement(sql)) {
                    statement.unwrap(PGStatement.class).setPrepareThreshold(-1);
                    return results(statement, statement.execute());
                }
            });
        }
        tell("made again", () -> run(texts.get(0) + ";" + texts.get(1)));
        tell("simple protocol", () -> {
            try (Connection simple = connect("preferQueryMode", "simple"); Statement statement = simple.createStatement()) {
                StringBuilder found = new StringBuilder();
                for (String sql : List.of("SELECT 1; SELECT 'x', 2.5", "SELECT 1/0", "SELECT DATE '2026-01-01'")) {
                    try {
                        found.append(results(statement, statement.execute(sql)));
                    } catch (SQLException error) {
                        found.append(told(error));
                    }
                }
                return found;
            }
        });
        tell("several statements", () -> run("SELECT 1 AS a; UPDATE " + table + " SET name = name; SELECT 'b'"));
        tell("several with an error", () -> run("SELECT 1; SELECT 1/0; SELECT 2"));
        tell("a call escape", () -> run("SELECT {fn concat('a', 'b')}, {d '2026-01-01'}"));
        tell("an empty text", () -> run(""));
    }

    static void parameters() {
        tell("parameters", () -> query("SELECT ?::int2, ?::int4, ?::int8, ?::float8, ?::numeric, ?::text, ?::bool, ?::bytea, ?::date",
            (short) 1, 2, 1L << 40, 1.5, new BigDecimal("1.10"), "ü", true, new byte[] {0, -1}, Date.valueOf("2026-01-01")));
        tell("nulls", () -> query("SELECT ?::int, ?::text", null, null));
        tell("an array", () -> query("SELECT ?::int[]", connection.createArrayOf("int4", new Object[] {1, null, 3})));
        tell("a wrong parameter", () -> query("SELECT ?::int", "x"));
        tell("parameters are described", () -> {
            try (PreparedStatement statement = connection.prepareStatement("SELECT ?::int8, ?::text[]")) {
                return statement.getParameterMetaData().getParameterTypeName(1) + statement.getParameterMetaData().getParameterTypeName(2)
                    + statement.getMetaData().getColumnTypeName(1);
            }
        });
        for (int threshold : new int[] {1, 3, 5, 0, -1}) {
            tell("threshold " + threshold, () -> {
                StringBuilder found = new StringBuilder();
                try (PreparedStatement statement = connection.prepareStatement("SELECT ? + " + threshold)) {
                    PGStatement own = statement.unwrap(PGStatement.class);
                    own.setPrepareThreshold(threshold);
                    for (int n = 0; n < 8; n++) {
                        statement.setInt(1, n);
                        found.append(rows(statement.executeQuery())).append(own.isUseServerPrepare());
                    }
                }
                return found;
            });
        }
        tell("statements of the server", () -> query("SELECT count(*) > 0 FROM pg_prepared_statements"));
        tell("a statement whose table changes", () -> {
            run("CREATE TEMP TABLE changing (a int)");
            StringBuilder found = new StringBuilder();
            try (PreparedStatement statement = connection.prepareStatement("SELECT * FROM changing")) {
                statement.unwrap(PGStatement.class).setPrepareThreshold(1);
                found.append(rows(statement.executeQuery())).append(rows(statement.executeQuery()));
                run("ALTER TABLE changing ADD COLUMN b text");
                found.append(rows(statement.executeQuery()));
            } finally {
                run("DROP TABLE changing");
            }
            return found;
        });
        tell("a statement outlives DEALLOCATE ALL", () -> {
            try (PreparedStatement statement = connection.prepareStatement("SELECT 'again'")) {
                statement.unwrap(PGStatement.class).setPrepareThreshold(1);
                String first = rows(statement.executeQuery()) + rows(statement.executeQuery());
                run("DEALLOCATE ALL");
                return first + rows(statement.executeQuery());
            }
        });
        tell("generated keys", () -> {
            try (PreparedStatement statement = connection.prepareStatement(
                    "INSERT INTO " + table + " VALUES (?, ?, 0, NULL)", new String[] {"id", "name"})) {
                statement.setInt(1, 500);
                statement.setString(2, "five");
                return statement.executeUpdate() + rows(statement.getGeneratedKeys());
            }
        });
        tell("all generated keys", () -> {
            try (Statement statement = connection.createStatement()) {
                statement.executeUpdate("INSERT INTO " + table + " VALUES (501, 'x', 1, NULL)", Statement.RETURN_GENERATED_KEYS);
                return rows(statement.getGeneratedKeys());
            }
        });
        tell("an updatable result", () -> {
            try (Statement statement = connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
                ResultSet found = statement.executeQuery("SELECT id, name FROM " + table + " WHERE id = 501");
                found.next();
                found.updateString("name", "updated");
                found.updateRow();
                found.refreshRow();
                String name = found.getString("name");
                found.deleteRow();
                return name;
            }
        });
    }

    static int[] batch(String sql, int from, int to) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int n = from; n < to; n++) {
                statement.setInt(1, n);
                statement.addBatch();
            }
            return statement.executeBatch();
        }
    }

    static void batches() {
        String insert = "INSERT INTO " + table + " VALUES (?, 'batch', 0, NULL)";
        tell("a batch", () -> Arrays.toString(batch(insert, 1000, 1500)));
        tell("a batch that fails", () -> Arrays.toString(batch(insert, 1490, 1510)));
        tell("what the failed batch left", () -> query("SELECT count(*), max(id) FROM " + table));
        tell("a batch in a transaction", () -> {
            connection.setAutoCommit(false);
            try {
                batch(insert, 2000, 2300);
                String inside = query("SELECT count(*) FROM " + table);
                connection.rollback();
                return inside + query("SELECT count(*) FROM " + table);
            } finally {
                connection.rollback();
                connection.setAutoCommit(true);
            }
        });
        tell("a failed batch in a transaction", () -> {
            connection.setAutoCommit(false);
            StringBuilder found = new StringBuilder();
            try {
                batch(insert, 1499, 1502);
            } catch (BatchUpdateException error) {
                found.append(told(error.getNextException()));
            }
            try {
                found.append(query("SELECT 1"));
            } catch (SQLException error) {
                found.append(told(error));
            }
            connection.rollback();
            connection.setAutoCommit(true);
            return found.append(query("SELECT 2"));
        });
        tell("a batch of several texts", () -> {
            try (Statement statement = connection.createStatement()) {
                for (String sql : List.of("UPDATE " + table + " SET amount = 1 WHERE id < 1010", "CREATE TEMP TABLE b (a int)",
                        "INSERT INTO b VALUES (1), (2)", "DROP TABLE b")) {
                    statement.addBatch(sql);
                }
                return Arrays.toString(statement.executeBatch());
            }
        });
        tell("a rewritten batch", () -> {
            try (Connection other = connect("reWriteBatchedInserts", "true");
                    PreparedStatement statement = other.prepareStatement("INSERT INTO " + table + " VALUES (?, ?, 0, NULL)")) {
                for (int n = 3000; n < 3333; n++) {
                    statement.setInt(1, n);
                    statement.setString(2, "r" + n);
                    statement.addBatch();
                }
                return Arrays.toString(statement.executeBatch());
            }
        });
        tell("a batch with keys", () -> {
            try (PreparedStatement statement = connection.prepareStatement(insert, new String[] {"id"})) {
                for (int n = 4000; n < 4010; n++) {
                    statement.setInt(1, n);
                    statement.addBatch();
                }
                return Arrays.toString(statement.executeBatch()) + rows(statement.getGeneratedKeys());
            }
        });
    }

    static void fetches() {
        for (int size : new int[] {0, 1, 7, 100}) {
            tell("fetch size " + size, () -> {
                connection.setAutoCommit(false);
                try (PreparedStatement statement = connection.prepareStatement("SELECT g, g::text FROM generate_series(1, ?) g")) {
                    statement.setFetchSize(size);
                    statement.setInt(1, 120);
                    return rows(statement.executeQuery());
                } finally {
                    connection.commit();
                    connection.setAutoCommit(true);
                }
            });
        }
        tell("two results by turns", () -> {
            connection.setAutoCommit(false);
            try (Statement one = connection.createStatement(); Statement two = connection.createStatement()) {
                one.setFetchSize(3);
                two.setFetchSize(5);
                ResultSet first = one.executeQuery("SELECT g FROM generate_series(1, 40) g");
                ResultSet second = two.executeQuery("SELECT -g FROM generate_series(1, 40) g");
                StringBuilder found = new StringBuilder();
                while (first.next() && second.next()) {
                    found.append(first.getInt(1)).append(second.getInt(1));
                }
                return found;
            } finally {
                connection.commit();
                connection.setAutoCommit(true);
            }
        });
        tell("rows that fail late", () -> {
            connection.setAutoCommit(false);
            int seen = 0;
            try (Statement statement = connection.createStatement()) {
                statement.setFetchSize(10);
                ResultSet found = statement.executeQuery("SELECT 1 / (50 - g) FROM generate_series(1, 100) g");
                while (found.next()) {
                    seen++;
                }
                return seen;
            } catch (SQLException error) {
                return seen + told(error);
            } finally {
                connection.rollback();
                connection.setAutoCommit(true);
            }
        });
        tell("most rows", () -> {
            try (Statement statement = connection.createStatement()) {
                statement.setMaxRows(5);
                return rows(statement.executeQuery("SELECT g FROM generate_series(1, 100) g"));
            }
        });
        tell("a scrolled result", () -> {
            try (Statement statement = connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_READ_ONLY)) {
                ResultSet found = statement.executeQuery("SELECT g FROM generate_series(1, 100) g");
                found.last();
                int last = found.getInt(1);
                found.absolute(10);
                return last + " " + found.getInt(1);
            }
        });
    }

    static void copies() {
        tell("copied in", () -> {
            StringBuilder text = new StringBuilder();
            for (int n = 10000; n < 13000; n++) {
                text.append(n).append("\tcopied\n");
            }
            return copying().copyIn("COPY " + table + " (id, name) FROM STDIN", bytes(text.toString()));
        });
        tell("a bad row copied in", () -> copying().copyIn("COPY " + table + " (id, name) FROM STDIN", bytes("bad\tx\n")));
        tell("copied out", () -> {
            ByteArrayOutputStream found = new ByteArrayOutputStream();
            long count = copying().copyOut("COPY (SELECT g, 'é' FROM generate_series(1, 2000) g) TO STDOUT (FORMAT csv)", found);
            return count + " " + found.toString(StandardCharsets.UTF_8);
        });
        tell("copied from what is missing", () -> copying().copyOut("COPY orders_mart.nowhere TO STDOUT", new ByteArrayOutputStream()));
        tell("a copy out that fails", () -> copying().copyOut("COPY (SELECT 1 / (50 - g) FROM generate_series(1, 100) g) TO STDOUT", new ByteArrayOutputStream()));
        tell("a copy that is given up", () -> {
            org.postgresql.copy.CopyIn copy = copying().copyIn("COPY " + table + " (id, name) FROM STDIN");
            copy.writeToCopy("20000\tx\n".getBytes(StandardCharsets.UTF_8), 0, 8);
            copy.cancelCopy();
            return query("SELECT count(*) FROM " + table + " WHERE id = 20000");
        });
    }

    static ByteArrayInputStream bytes(String text) {
        return new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8));
    }

    static CopyManager copying() throws SQLException {
        return connection.unwrap(PGConnection.class).getCopyAPI();
    }

    static void transactions() {
        tell("savepoints", () -> {
            connection.setAutoCommit(false);
            StringBuilder found = new StringBuilder();
            Savepoint named = connection.setSavepoint("Named One");
            update("INSERT INTO " + table + " VALUES (30000, 'lost', 0, NULL)");
            try {
                query("SELECT 1/0");
            } catch (SQLException error) {
                found.append(told(error));
            }
            connection.rollback(named);
            Savepoint other = connection.setSavepoint();
            update("INSERT INTO " + table + " VALUES (30001, 'kept', 0, NULL)");
            connection.releaseSavepoint(other);
            connection.commit();
            connection.setAutoCommit(true);
            return found.append(query("SELECT id FROM " + table + " WHERE id >= 30000"));
        });
        tell("autosave", () -> {
            try (Connection other = connect("autosave", "always"); Statement statement = other.createStatement()) {
                other.setAutoCommit(false);
                statement.execute("CREATE TEMP TABLE saved (a int)");
                try {
                    statement.execute("SELECT 1/0");
                } catch (SQLException error) {
                    statement.execute("INSERT INTO saved VALUES (1)");
                }
                other.commit();
                return rows(statement.executeQuery("SELECT * FROM saved"));
            }
        });
        tell("read only", () -> {
            connection.setReadOnly(true);
            connection.setAutoCommit(false);
            try {
                return update("DELETE FROM " + table);
            } finally {
                connection.rollback();
                connection.setAutoCommit(true);
                connection.setReadOnly(false);
            }
        });
        for (int level : new int[] {Connection.TRANSACTION_SERIALIZABLE, Connection.TRANSACTION_REPEATABLE_READ, Connection.TRANSACTION_READ_COMMITTED}) {
            tell("isolation " + level, () -> {
                connection.setTransactionIsolation(level);
                return connection.getTransactionIsolation() + query("SHOW transaction_isolation");
            });
        }
    }

    static void metadata() {
        tell("the server", () -> {
            DatabaseMetaData data = connection.getMetaData();
            return data.getDatabaseProductName() + data.getDatabaseProductVersion() + data.getDatabaseMajorVersion();
        });
        tell("schemas", () -> rows(connection.getMetaData().getSchemas()));
        tell("catalogs", () -> rows(connection.getMetaData().getCatalogs()));
        tell("table types", () -> rows(connection.getMetaData().getTableTypes()));
        tell("tables", () -> rows(connection.getMetaData().getTables(null, "orders", "%", null)));
        tell("tables and views", () -> rows(connection.getMetaData().getTables(null, "orders%", "%", new String[] {"TABLE", "VIEW"})));
        tell("columns", () -> rows(connection.getMetaData().getColumns(null, "orders", "orders", "%")));
        tell("primary keys", () -> rows(connection.getMetaData().getPrimaryKeys(null, "orders", "orders")));
        tell("imported keys", () -> rows(connection.getMetaData().getImportedKeys(null, "orders", "order_lines")));
        tell("exported keys", () -> rows(connection.getMetaData().getExportedKeys(null, "orders", "orders")));
        tell("indexes", () -> rows(connection.getMetaData().getIndexInfo(null, "orders", "orders", false, true)));
        tell("best rows", () -> rows(connection.getMetaData().getBestRowIdentifier(null, "orders", "orders", 0, true)));
        tell("procedures", () -> rows(connection.getMetaData().getProcedures(null, "orders", "%")));
        tell("functions", () -> rows(connection.getMetaData().getFunctions(null, "pg_catalog", "date_%")));
        tell("function columns", () -> rows(connection.getMetaData().getFunctionColumns(null, "pg_catalog", "date_part", "%")));
        tell("types", () -> rows(connection.getMetaData().getTypeInfo()).length());
        tell("user types", () -> rows(connection.getMetaData().getUDTs(null, null, "%", null)));
        tell("column privileges", () -> rows(connection.getMetaData().getColumnPrivileges(null, "orders", "nowhere", "%")));
        tell("keywords", () -> new TreeSet<>(List.of(connection.getMetaData().getSQLKeywords().split(","))).size());
        tell("longest name", () -> connection.getMetaData().getMaxColumnNameLength());
        tell("columns of a result", () -> {
            try (Statement statement = connection.createStatement(); ResultSet found = statement.executeQuery("SELECT id, status FROM orders.orders LIMIT 1")) {
                ResultSetMetaData data = found.getMetaData();
                return data.getTableName(1) + data.getColumnName(2) + data.isNullable(1) + data.isAutoIncrement(1);
            }
        });
    }

    static void cancels() {
        String endless = "SELECT count(*) FROM generate_series(1, 200000000)";
        tell("a query timeout", () -> {
            try (Statement statement = connection.createStatement()) {
                statement.setQueryTimeout(1);
                return rows(statement.executeQuery(endless));
            }
        });
        tell("after the timeout", () -> query("SELECT 'goes on'"));
        tell("a cancel", () -> {
            try (Statement statement = connection.createStatement()) {
                CountDownLatch over = new CountDownLatch(1);
                Thread canceller = new Thread(() -> {
                    try {
                        // A cancel that comes before its statement hits nothing.
                        while (!over.await(100, TimeUnit.MILLISECONDS)) {
                            statement.cancel();
                        }
                    } catch (InterruptedException | SQLException error) {
                        Thread.currentThread().interrupt();
                    }
                });
                canceller.start();
                try {
                    return rows(statement.executeQuery(endless));
                } finally {
                    over.countDown();
                    canceller.join();
                }
            }
        });
        tell("after the cancel", () -> query("SELECT 'goes on'"));
        tell("is valid", () -> connection.isValid(5));
        tell("is valid in a transaction", () -> {
            connection.setAutoCommit(false);
            boolean open = connection.isValid(5);
            try {
                query("SELECT 1/0");
            } catch (SQLException error) {
                return open + " " + connection.isValid(5);
            } finally {
                connection.rollback();
                connection.setAutoCommit(true);
            }
            return "no error";
        });
    }

    static void settings() {
        tell("schema", () -> {
            connection.setSchema("orders");
            String inside = connection.getSchema() + query("SELECT count(*) FROM orders");
            connection.setSchema("public");
            return inside + connection.getSchema();
        });
        tell("client info", () -> {
            connection.setClientInfo("ApplicationName", "told");
            return connection.getClientInfo("ApplicationName") + query("SHOW application_name");
        });
        tell("network timeout", () -> {
            connection.setNetworkTimeout(Runnable::run, 30000);
            return connection.getNetworkTimeout() + query("SELECT 1");
        });
        tell("parameters of the server", () -> {
            PGConnection own = connection.unwrap(PGConnection.class);
            StringBuilder found = new StringBuilder();
            for (String name : List.of("server_version", "client_encoding", "DateStyle", "IntervalStyle", "integer_datetimes",
                    "standard_conforming_strings", "TimeZone")) {
                found.append(own.getParameterStatus(name)).append(' ');
            }
            return found;
        });
        tell("an escaped identifier", () -> connection.unwrap(PGConnection.class).escapeIdentifier("a\"b"));
    }

    /** What each way of failing leaves behind. */
    static void refusals(String bad) throws Exception {
        String insert = "INSERT INTO left_behind VALUES ";
        run("CREATE TEMP TABLE left_behind (a int)");
        String left = "SELECT * FROM left_behind ORDER BY a";
        tell("alone", () -> failed(() -> run(bad)) + query(left));
        tell("prepared", () -> failed(() -> query(bad)) + query(left));
        tell("many times", () -> {
            StringBuilder found = new StringBuilder();
            for (int n = 0; n < 10; n++) {
                found.append(failed(() -> query(bad))).append(query("SELECT " + n));
            }
            return found;
        });
        tell("in a text of several", () -> failed(() -> run(insert + "(1);" + bad + ";" + insert + "(2)")) + query(left));
        for (int at : new int[] {0, 1, 2}) {
            tell("in a batch at " + at, () -> failed(() -> batchWith(bad, at)) + query(left));
        }
        connection.setAutoCommit(false);
        tell("in a transaction", () -> {
            update(insert + "(10)");
            String found = failed(() -> query(bad)) + failed(() -> query("SELECT 1"));
            connection.commit();
            return found + query(left);
        });
        tell("in a savepoint", () -> {
            update(insert + "(20)");
            Savepoint savepoint = connection.setSavepoint();
            update(insert + "(21)");
            String found = failed(() -> query(bad)) + failed(() -> query("SELECT 1"));
            connection.rollback(savepoint);
            update(insert + "(22)");
            connection.commit();
            return found + query(left);
        });
        tell("in a batch of a transaction", () -> {
            update(insert + "(30)");
            String found = failed(() -> batchWith(bad, 1)) + failed(() -> query("SELECT 1"));
            connection.rollback();
            return found + query(left);
        });
        tell("while rows are fetched", () -> {
            try (Statement statement = connection.createStatement()) {
                statement.setFetchSize(3);
                ResultSet found = statement.executeQuery("SELECT g FROM generate_series(1, 10) g");
                found.next();
                String first = failed(() -> query(bad));
                String rest = failed(() -> rows(found));
                connection.rollback();
                return first + rest + query(left);
            }
        });
        connection.rollback();
        connection.setAutoCommit(true);
        tell("is valid", () -> connection.isValid(5) + query(left));
    }

    static Object batchWith(String bad, int at) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            for (int n = 0; n < 3; n++) {
                statement.addBatch(n == at ? bad : "INSERT INTO left_behind VALUES (" + (100 + n) + ")");
            }
            return Arrays.toString(statement.executeBatch());
        }
    }

    /** Whether it failed, and not with what: that differs between a refusal and a server's error. */
    static String failed(Operation operation) throws Exception {
        try {
            return "succeeded " + operation.play() + " ";
        } catch (BatchUpdateException error) {
            return "failed " + Arrays.toString(error.getUpdateCounts()) + " ";
        } catch (SQLException error) {
            return "25P02".equals(error.getSQLState()) ? "failed as in a failed transaction " : "failed ";
        }
    }
}

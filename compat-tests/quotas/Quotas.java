import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

/** Q-07 with pgjdbc: read what the server says of a quota, wait, and succeed. */
public class Quotas {
    static Connection connect(String user, String database, String password) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", user);
        properties.setProperty("password", password);
        String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + database;
        return DriverManager.getConnection(url, properties);
    }

    static void operator(String statement) throws SQLException {
        try (Connection connection = connect("graphwire", "graphwire", System.getenv("OPERATOR_PASSWORD"));
                Statement running = connection.createStatement()) {
            running.execute(statement);
        }
    }

    static void require(boolean holds, String what) {
        if (!holds) {
            throw new IllegalStateException(what);
        }
    }

    public static void main(String[] arguments) throws Exception {
        operator("CREATE OR REPLACE QUOTA j FOR INTERVAL '100 ms' MAX queries = 5 TO TENANT beta");
        int refused = 0;
        int again = 0;
        try (Connection connection = connect("user_beta", "beta", "pencil");
                Statement statement = connection.createStatement()) {
            while (refused < 100) {
                try {
                    statement.executeQuery("SELECT 1").close();
                } catch (PSQLException error) {
                    refused++;
                    ServerErrorMessage told = error.getServerErrorMessage();
                    require("53400".equals(error.getSQLState()), error.getSQLState());
                    require("j".equals(told.getConstraint()), told.getConstraint());
                    require(told.getDetail().startsWith("tenant=beta limit=5 used=5"), told.getDetail());
                    String[] hint = told.getHint().split("=");
                    require(hint[0].equals("retry_after_ms"), told.getHint());
                    Thread.sleep(Long.parseLong(hint[1]));
                    try {
                        statement.executeQuery("SELECT 1").close();
                        again++;
                    } catch (PSQLException second) {
                        require("53400".equals(second.getSQLState()), second.getSQLState());
                    }
                }
            }
        }
        System.out.println(again + " of " + refused + " succeeded at the first retry");
        operator("SELECT graphwire.drop_quota('j')");
        System.exit(again >= 99 ? 0 : 1);
    }
}

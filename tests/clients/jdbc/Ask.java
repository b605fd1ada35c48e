import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;

/** Asks one question with clickhouse-jdbc: Ask URL SQL. Prints tab-separated rows. */
public class Ask {
    public static void main(String[] arguments) throws Exception {
        try (Connection connection = DriverManager.getConnection(arguments[0]);
                Statement statement = connection.createStatement()) {
            // Clients lower limits, and may.
            statement.setQueryTimeout(30);
            statement.setMaxRows(1000);
            ResultSet rows = statement.executeQuery(arguments[1]);
            int columns = rows.getMetaData().getColumnCount();
            while (rows.next()) {
                StringBuilder line = new StringBuilder(String.valueOf(rows.getString(1)));
                for (int column = 2; column <= columns; column++) {
                    line.append('\t').append(rows.getString(column));
                }
                System.out.println(line);
            }
        }
    }
}

//! Recognizes connection strings of other databases, to say what they are for.

/// Parts of a text that only the strings of one database have. A list of them must be there whole.
struct Mark {
    parts: &'static [&'static str],
    database: &'static str,
}

const fn mark(database: &'static str, parts: &'static [&'static str]) -> Mark {
    Mark { parts, database }
}

/// Marks in lower case, without blanks around `=`, `;` and `:`.
const MARKS: &[Mark] = &[
    mark("PostgreSQL", &["postgres://"]),
    mark("PostgreSQL", &["postgresql://"]),
    mark("PostgreSQL", &["postgis://"]),
    mark("PostgreSQL", &["jdbc:postgresql:"]),
    mark("PostgreSQL", &["postgresql+"]),
    mark("PostgreSQL", &["pgsql:host="]),
    mark("PostgreSQL", &["postgresql unicode"]),
    mark("PostgreSQL", &["postgresql ansi"]),
    mark("PostgreSQL", &["sslrootcert="]),
    mark("PostgreSQL", &["root certificate="]),
    mark("PostgreSQL", &["port=5432"]),
    mark("PostgreSQL", &[":5432/"]),
    mark("CockroachDB", &["cockroachdb://"]),
    mark("MongoDB", &["mongodb://"]),
    mark("MongoDB", &["mongodb+srv://"]),
    mark("Redis", &["redis://"]),
    mark("Redis", &["rediss://"]),
    mark("Redis", &[":6379"]),
    mark("Redis", &["abortconnect="]),
    mark("SQL Server", &["sqlserver://"]),
    mark("SQL Server", &["mssql://"]),
    mark("SQL Server", &["mssql+"]),
    mark("SQL Server", &["sqlsrv:server="]),
    mark("SQL Server", &["dblib:host="]),
    mark("SQL Server", &["for sql server}"]),
    mark("SQL Server", &["{sql server"]),
    mark("SQL Server", &["trusted_connection="]),
    mark("SQL Server", &["multipleactiveresultsets="]),
    mark("SQL Server", &["multisubnetfailover="]),
    mark("SQL Server", &["applicationintent="]),
    mark("SQL Server", &["attachdbfilename="]),
    mark("SQL Server", &["(localdb)\\"]),
    mark("SQL Server", &["\\sqlexpress"]),
    mark("SQL Server", &[".database.windows.net"]),
    mark("SQL Server", &["server=tcp:"]),
    mark("SQL Server", &["data source=tcp:"]),
    mark("SQL Server", &["integrated security=sspi"]),
    mark("SQL Server", &["initial catalog=", "encrypt="]),
    mark(
        "SQL Server",
        &["initial catalog=", "trustservercertificate="],
    ),
    mark("SQL Server", &["server=", ",1433"]),
    mark("SQL Server", &["data source=", ",1433"]),
    mark("Oracle", &["oracle://"]),
    mark("Oracle", &["oracle+"]),
    mark("Oracle", &["jdbc:oracle:"]),
    mark("Oracle", &["oci:dbname="]),
    mark("Oracle", &["(description=", "(address="]),
    mark("Oracle", &["service_name="]),
    mark("Oracle", &["@//", ":1521"]),
    mark("SQLite", &["sqlite:"]),
    mark("SQLite", &["sqlite3:"]),
    mark("SQLite", &["sqlite+"]),
    mark("SQLite", &["source=:memory:"]),
    mark("libSQL", &["libsql://"]),
    mark("ClickHouse", &["clickhouse://"]),
    mark("ClickHouse", &["jdbc:clickhouse:"]),
    mark("Snowflake", &["snowflake://"]),
    mark("Snowflake", &["jdbc:snowflake:"]),
    mark("DuckDB", &["duckdb:"]),
    mark("H2", &["jdbc:h2:"]),
    mark("Db2", &["jdbc:db2:"]),
    mark("Firebird", &["firebird://"]),
    mark("Firebird", &["jdbc:firebird"]),
    mark("Neo4j", &["neo4j://"]),
    mark("Neo4j", &["neo4j+s://"]),
    mark("Cassandra", &["cassandra://"]),
    mark("Prisma Accelerate", &["prisma://"]),
    mark("Prisma Accelerate", &["prisma+postgres://"]),
];

/// Programs that connect to one database.
const PROGRAMS: [(&str, &str); 11] = [
    ("psql", "PostgreSQL"),
    ("pg_dump", "PostgreSQL"),
    ("pg_restore", "PostgreSQL"),
    ("pgcli", "PostgreSQL"),
    ("sqlcmd", "SQL Server"),
    ("bcp", "SQL Server"),
    ("sqlplus", "Oracle"),
    ("redis-cli", "Redis"),
    ("mongosh", "MongoDB"),
    ("mongo", "MongoDB"),
    ("sqlite3", "SQLite"),
];

/// Endings of SQLite's files in a `Data Source`.
const SQLITE_FILES: [&str; 4] = [".db", ".sqlite", ".sqlite3", ".db3"];

/// Returns the name of the other database that a text is for.
pub fn other_database(text: &str) -> Option<&'static str> {
    let program = of_other_program(text);
    let text = normalized(text);
    let found = MARKS
        .iter()
        .find(|mark| mark.parts.iter().all(|part| text.contains(part)));
    program
        .or_else(|| found.map(|mark| mark.database))
        .or_else(|| is_sqlite_file(&text).then_some("SQLite"))
}

/// Returns the database of the program that a command line begins with, if that is another one.
pub fn of_other_program(text: &str) -> Option<&'static str> {
    let word = text.split_whitespace().next().unwrap_or_default();
    let name = word.rsplit('/').next().unwrap_or_default();
    let found = PROGRAMS.iter().find(|(program, _)| *program == name);
    found.map(|(_, database)| *database)
}

/// Whether a text is for another database, and for none of MySQL's kind beside it.
pub fn is_only_for_another(text: &str) -> bool {
    let lower = normalized(text);
    // A file of settings may contain the addresses of several services.
    let ours = [
        "mysql",
        "mariadb",
        "tidb",
        "db_host",
        "sslmode=verifyfull",
        "sslca=",
    ];
    other_database(text).is_some() && !ours.iter().any(|word| lower.contains(word))
}

fn is_sqlite_file(text: &str) -> bool {
    let mut values = text.split(['"', '\'', ';', '\n']).filter_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        ["data source", "datasource", "filename"]
            .contains(&key.trim())
            .then_some(value)
    });
    values.any(|value| SQLITE_FILES.iter().any(|end| value.ends_with(end)))
}

/// Returns the text in lower case, without blanks around the signs that separate keys and values.
fn normalized(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for part in text.split_inclusive(['=', ';']) {
        let (before, sign) = match part.char_indices().next_back() {
            Some((at, sign @ ('=' | ';'))) => (part.get(..at).unwrap_or_default(), Some(sign)),
            _ => (part, None),
        };
        let blank = [' ', '\t'];
        let before = match out.ends_with(['=', ';']) {
            true => before.trim_start_matches(blank),
            false => before,
        };
        out.push_str(&before.trim_end_matches(blank).to_ascii_lowercase());
        out.extend(sign);
    }
    out
}

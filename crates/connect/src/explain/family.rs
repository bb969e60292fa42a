//! Which client a string is for: by its scheme, by its form, by options that only one client has.
//! Never guesses where several are as likely: then it names them.

use super::seen::Seen;

/// Clients that read the same options in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Mysql,
    Mariadb,
    Mycli,
    Pymysql,
    Mysqlclient,
    ConnectorPython,
    AsyncPython,
    Go,
    NodeMysql2,
    NodeMariadb,
    Prisma,
    ConnectorJ,
    MariadbJ,
    R2dbcMysql,
    R2dbcMariadb,
    Sqlx,
    MysqlAsync,
    PhpPdo,
    Mysqli,
    Ruby,
    Dotnet,
    Odbc,
    PerlMariadb,
    /// Some client that takes a `mysql://` address; which one, the string does not say.
    AnyUrl,
    Unknown,
}

/// What is known of a family: its name, the clients of the table that belong to it (the first that
/// is there is shown), and the options it reads, normalised.
pub(super) struct Facts {
    pub family: Family,
    pub name: &'static str,
    pub ids: &'static [&'static str],
    pub reads: &'static [&'static str],
}

macro_rules! families {
    ($($family:ident, $name:literal, [$($id:literal),*], [$($option:literal),*];)*) => {
        pub(super) const FAMILIES: &[Facts] = &[$(
            Facts { family: Family::$family, name: $name, ids: &[$($id),*], reads: &[$($option),*] },
        )*];
    };
}

families! {
    Mysql, "MySQL's command-line client", ["mysql", "libmysqlclient"], ["sslmode", "sslca", "skipssl", "ssl", "tlsversion"];
    Mariadb, "MariaDB's command-line client", ["mariadb", "libmariadb"], ["ssl", "sslca", "sslverifyservercert", "skipssl", "tlsversion", "disablessl", "skipsslverifyservercert", "disablesslverifyservercert"];
    Mycli, "MyCLI", ["mycli"], ["ssl", "sslmode", "sslca", "sslverifyservercert", "tlsversion", "nossl"];
    Pymysql, "PyMySQL", ["pymysql", "sqlalchemy"], ["ssl", "ca", "sslca", "sslverifycert", "sslverifyidentity", "ssldisabled", "checkhostname", "verifymode"];
    Mysqlclient, "mysqlclient", ["mysqlclient", "django"], ["ssl", "ca", "sslmode", "sslca"];
    ConnectorPython, "MySQL Connector/Python", ["connector-python"], ["sslca", "sslverifycert", "sslverifyidentity", "ssldisabled", "tlsversions"];
    AsyncPython, "asyncmy or aiomysql", ["asyncmy", "aiomysql"], ["ssl", "ca"];
    Go, "Go-MySQL-Driver", ["go", "gorm"], ["tls"];
    NodeMysql2, "Node mysql2", ["node-mysql2", "sequelize", "typeorm", "drizzle"], ["ssl", "ca", "rejectunauthorized", "verifyidentity", "minversion"];
    NodeMariadb, "MariaDB's connector for Node", ["node-mariadb"], ["ssl", "ca", "rejectunauthorized", "minversion"];
    Prisma, "Prisma up to 6", ["prisma"], ["sslaccept", "sslcert", "sslidentity", "sslpassword"];
    ConnectorJ, "MySQL Connector/J", ["connectorj", "hibernate", "spring-boot", "dbeaver"], ["sslmode", "usessl", "requiressl", "verifyservercertificate", "enabledtlsprotocols", "tlsversions", "trustcertificatekeystoreurl"];
    MariadbJ, "MariaDB Connector/J", ["mariadb-connectorj"], ["sslmode", "serversslcert", "usessl", "trustservercertificate", "disablesslhostnameverification", "enabledsslprotocolsuites", "truststore"];
    R2dbcMysql, "r2dbc-mysql", ["r2dbc-mysql"], ["sslmode", "sslca", "tlsversion", "ssl"];
    R2dbcMariadb, "r2dbc-mariadb", ["r2dbc-mariadb"], ["sslmode", "serversslcert", "ssltunneldisablehostverification", "tlsprotocol"];
    Sqlx, "sqlx (Rust)", ["rust-sqlx"], ["sslmode", "sslca"];
    MysqlAsync, "mysql and mysql_async (Rust)", ["rust-mysql-async"], ["requiressl", "verifyca", "verifyidentity", "builtinroots"];
    PhpPdo, "PHP PDO", ["php-pdo", "laravel"], ["mysqlattrsslca", "mysqlattrsslverifyservercert", "attrsslca", "attrsslverifyservercert"];
    Mysqli, "mysqli or WordPress", ["mysqli", "wordpress"], ["mysqlclientflags"];
    Ruby, "Ruby mysql2", ["ruby-mysql2", "rails"], ["sslmode", "sslca", "sslcapath", "tlsversion"];
    Dotnet, "MySqlConnector (.NET)", ["dotnet-mysqlconnector"], ["sslmode", "sslca", "cacertificatefile", "tlsversion"];
    Odbc, "ODBC", ["odbc"], ["sslmode", "sslca", "sslverify", "forcetls", "tlsversion"];
    PerlMariadb, "Perl DBD::MariaDB", ["dbd-mariadb"], ["mariadbssl", "mariadbsslcafile", "mariadbsslverifyservercert", "mysqlssl", "mysqlsslcafile", "mysqlsslverifyservercert", "mysqlssloptional"];
    AnyUrl, "a client that takes a mysql:// address", [], [];
    Unknown, "a client that the string does not name", [], [];
}

impl Family {
    pub fn facts(self) -> &'static Facts {
        static NONE: Facts = Facts {
            family: Family::Unknown,
            name: "a client",
            ids: &[],
            reads: &[],
        };
        FAMILIES
            .iter()
            .find(|facts| facts.family == self)
            .unwrap_or(&NONE)
    }

    /// The family of a client of the table.
    pub fn of(id: &str) -> Option<Self> {
        FAMILIES
            .iter()
            .find(|facts| facts.ids.contains(&id))
            .map(|facts| facts.family)
    }

    /// Those an address of this kind may be for.
    pub fn others(self) -> &'static [Self] {
        match self {
            Self::AnyUrl => &[
                Self::NodeMysql2,
                Self::NodeMariadb,
                Self::Prisma,
                Self::Sqlx,
                Self::MysqlAsync,
                Self::Ruby,
            ],
            Self::Unknown => &[
                Self::Pymysql,
                Self::ConnectorPython,
                Self::NodeMysql2,
                Self::PhpPdo,
                Self::Ruby,
            ],
            _ => &[],
        }
    }
}

/// By the scheme of an address, then by its options.
pub(super) fn of_scheme(scheme: &str, seen: &Seen) -> Family {
    let driver = scheme.rsplit_once('+').map(|(_, driver)| driver);
    match (scheme, driver) {
        (_, Some("pymysql")) => Family::Pymysql,
        (_, Some("mysqldb")) => Family::Mysqlclient,
        (_, Some("mysqlconnector")) => Family::ConnectorPython,
        (_, Some("asyncmy" | "aiomysql")) => Family::AsyncPython,
        (_, Some("pyodbc")) => Family::Odbc,
        (s, _) if s.starts_with("jdbc:mariadb") => Family::MariadbJ,
        (s, _) if s.starts_with("jdbc:") => Family::ConnectorJ,
        (s, _) if s.starts_with("r2dbc") && s.contains("mariadb") => Family::R2dbcMariadb,
        (s, _) if s.starts_with("r2dbc") => Family::R2dbcMysql,
        ("mariadb", _) => Family::NodeMariadb,
        _ => of_url_options(seen),
    }
}

fn of_url_options(seen: &Seen) -> Family {
    if seen.any(&["sslaccept", "sslidentity", "connectionlimit", "pgbouncer"]) {
        Family::Prisma
    } else if seen.any(&["rejectunauthorized", "verifyidentity"]) && !seen.has("requiressl")
        || seen.has("ssl")
    {
        Family::NodeMysql2
    } else if seen.any(&["requiressl", "verifyca", "builtinroots"]) && !seen.has("usessl") {
        Family::MysqlAsync
    } else if seen.has("sslmode") {
        Family::Sqlx
    } else {
        Family::AnyUrl
    }
}

/// By words of the text and by options, where keys and values are all there is.
pub(super) fn of_pairs(text: &str, seen: &Seen) -> Family {
    let words: &[(&str, Family)] = &[
        ("pymysql", Family::Pymysql),
        ("MySQLdb", Family::Mysqlclient),
        ("django.db", Family::Mysqlclient),
        ("mysql.connector", Family::ConnectorPython),
        ("asyncmy", Family::AsyncPython),
        ("aiomysql", Family::AsyncPython),
        ("MYSQL_CLIENT_FLAGS", Family::Mysqli),
        ("mysqli", Family::Mysqli),
        ("MYSQL_ATTR_SSL", Family::PhpPdo),
        ("Pdo\\Mysql", Family::PhpPdo),
        ("Mysql2::", Family::Ruby),
        ("adapter: mysql2", Family::Ruby),
        (":verify_identity", Family::Ruby),
        ("@prisma/adapter-mariadb", Family::NodeMariadb),
        ("PrismaMariaDb", Family::NodeMariadb),
        ("rejectUnauthorized", Family::NodeMysql2),
        ("verifyIdentity", Family::NodeMysql2),
        ("createConnection", Family::NodeMysql2),
        ("createPool", Family::NodeMysql2),
        ("mysql2", Family::NodeMysql2),
        ("ssl_mode", Family::Mysqlclient),
        ("tls_versions", Family::ConnectorPython),
        ("create_default_context", Family::Pymysql),
        ("ssl_verify_identity", Family::Pymysql),
        ("ssl_verify_cert", Family::Pymysql),
        ("ssl_ca", Family::Pymysql),
    ];
    let found = words
        .iter()
        .find(|(word, _)| text.contains(word))
        .map(|(_, family)| *family);
    let python = (text.contains("ssl={") || text.contains("ssl=ssl")) && seen.has("ssl");
    let node = text.contains("ssl: {") || text.contains("ssl:{") || text.contains("ssl: true");
    found.unwrap_or(match (python, node) {
        (true, _) => Family::Pymysql,
        (_, true) => Family::NodeMysql2,
        _ => Family::Unknown,
    })
}

/// By the driver that a `;` form names.
pub(super) fn of_semicolons(seen: &Seen) -> Family {
    if seen.any(&["driver", "dsn", "sslverify", "forcetls"]) {
        Family::Odbc
    } else {
        Family::Dotnet
    }
}

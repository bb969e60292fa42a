//! Tests of what the explanation of a connection string says about TLS, chain and DNS name.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic; that is how it fails"
)]

mod support;

use support::told;
use tidegate_connect::CheckAnswer;

/// Returns the answers for TLS, chain and DNS name: `y`, `n`, `d` (depends) or `c`
/// (can't read) each.
fn answers(text: &str) -> String {
    let letter = |answer: CheckAnswer| answer.to_string().chars().next().unwrap();
    let checks = told(text).checks;
    [checks.tls, checks.chain, checks.dns_name]
        .map(letter)
        .iter()
        .collect()
}

/// Strings with a part of their client's name and the answers.
const KNOWN: &[(&str, &str, &str)] = &[
    // Command lines.
    (
        "mysql -u 'abc.root' -h db.example.com -P 4000 -D test --ssl-mode=VERIFY_IDENTITY \
         --ssl-ca=/etc/ssl/cert.pem -p",
        "MySQL's",
        "yyy",
    ),
    (
        "mysql -h db.example.com --ssl-ca=/etc/ssl/cert.pem -p",
        "MySQL's",
        "yyn",
    ),
    (
        "mysql -h db.example.com --ssl-mode=VERIFY_CA --ssl-ca=ca.pem",
        "MySQL's",
        "yyn",
    ),
    (
        "mysql -h db.example.com --ssl-mode=REQUIRED",
        "MySQL's",
        "ynn",
    ),
    (
        "mysql -h db.example.com --ssl-mode REQUIRED",
        "MySQL's",
        "ynn",
    ),
    (
        "mysql -h db.example.com --ssl-mode=DISABLED",
        "MySQL's",
        "nnn",
    ),
    ("mysql -h db.example.com", "MySQL's", "dnn"),
    (
        "mysql -h db.example.com --ssl-verify-server-cert --ssl-ca=ca.pem",
        "MariaDB's",
        "yyy",
    ),
    (
        "mariadb -h db.example.com --ssl-verify-server-cert",
        "MariaDB's",
        "yyy",
    ),
    ("mariadb -h db.example.com --ssl", "MariaDB's", "dnn"),
    ("mariadb -h db.example.com --skip-ssl", "MariaDB's", "nnn"),
    (
        "mariadb -h db.example.com --ssl-mode=VERIFY_IDENTITY",
        "MariaDB's",
        "nnn",
    ),
    (
        "mycli -u abc.root -h h.example --ssl-ca=ca.pem --ssl-verify-server-cert",
        "MyCLI",
        "yyy",
    ),
    (
        "mycli -u abc.root -h h.example --ssl-mode=on --ssl-verify-server-cert",
        "MyCLI",
        "dnn",
    ),
    (
        "mycli mysql://abc.root@h.example:4000/test --ssl-ca=ca.pem",
        "MyCLI",
        "yyn",
    ),
    // Go.
    (
        "abc.root:pw@tcp(db.example.com:4000)/test?tls=true",
        "Go",
        "yyy",
    ),
    (
        "abc.root:pw@tcp(db.example.com:4000)/test?tls=skip-verify&parseTime=true",
        "Go",
        "ynn",
    ),
    (
        "abc.root:pw@tcp(db.example.com:4000)/test?tls=preferred",
        "Go",
        "dnn",
    ),
    (
        "abc.root:pw@tcp(db.example.com:4000)/test?sslaccept=strict",
        "Go",
        "nnn",
    ),
    (
        "abc.root:pw@tcp(db.example.com:4000)/test?tls=tidegate",
        "Go",
        "ydd",
    ),
    (
        r#"db, err := sql.Open("mysql", "abc.root:pw@tcp(db.example.com:4000)/test?tls=true")"#,
        "Go",
        "yyy",
    ),
    // Node, Prisma and Rust: addresses.
    (
        r#"mysql://abc.root:pw@db.example.com:4000/test?ssl={"rejectUnauthorized":true,"verifyIdentity":true}"#,
        "mysql2",
        "yyy",
    ),
    (
        r#"mysql://abc.root:pw@db.example.com:4000/test?ssl={"rejectUnauthorized":true}"#,
        "mysql2",
        "yyn",
    ),
    (
        "mysql://abc.root:pw@db.example.com:4000/test?ssl=%7B%22rejectUnauthorized%22%3Afalse%7D",
        "mysql2",
        "ynn",
    ),
    (
        "mysql2.createConnection('mysql://abc.root:pw@db.example.com:4000/test?ssl=true')",
        "mysql2",
        "nnn",
    ),
    // The adapter of Prisma 7 verifies with it, mysql2 throws, Prisma 6 ignores it.
    (
        "mysql://abc.root:pw@db.example.com:4000/test?ssl=true",
        "mysql://",
        "ccc",
    ),
    (
        "mysql://abc.root:pw@db.example.com:4000/test?sslaccept=strict",
        "Prisma",
        "yyy",
    ),
    (
        "mysql://abc.root:pw@db.example.com:4000/test?sslaccept=accept_invalid_certs",
        "Prisma",
        "ynn",
    ),
    (
        "mysql://abc.root:pw@db.example.com:4000/test",
        "mysql://",
        "dnn",
    ),
    (
        "mysql://abc.root:pw@db.example.com:4000/test?ssl-mode=VERIFY_IDENTITY",
        "sqlx",
        "yyy",
    ),
    (
        "mysql://abc.root:pw@db.example.com:4000/test?require_ssl=true",
        "mysql_async",
        "yyy",
    ),
    (
        "mysql://abc.root:pw@db.example.com:4000/test?require_ssl=true&verify_identity=false",
        "mysql_async",
        "yyn",
    ),
    (
        "mysql.createConnection({host: 'h.example', ssl: {ca: fs.readFileSync('ca.pem'), \
         verifyIdentity: true}})",
        "mysql2",
        "yyy",
    ),
    (
        "mysql.createConnection({host: 'h.example', ssl: {minVersion: 'TLSv1.2', \
         rejectUnauthorized: true}})",
        "mysql2",
        "yyn",
    ),
    (
        "{ host: 'h.example', user: 'abc.root', password: 'pw', ssl: { rejectUnauthorized: false } \
         }",
        "mysql2",
        "ynn",
    ),
    (
        "mysql.createPool({ uri: 'mysql://abc.root:pw@h.example:4000/test', ssl: { verifyIdentity: \
         true } })",
        "mysql2",
        "yyy",
    ),
    // Python.
    (
        r#"pymysql.connect(host="h.example", user="abc.root", password="pw", ssl_ca="ca.pem")"#,
        "PyMySQL",
        "ynn",
    ),
    (
        r#"host="h.example", user="abc.root", password="pw", ssl_ca="ca.pem", ssl_verify_cert=True, ssl_verify_identity=True"#,
        "PyMySQL",
        "yyy",
    ),
    (
        r#"host="h.example", user="abc.root", password="pw", ssl_verify_cert=True, ssl_verify_identity=True"#,
        "PyMySQL",
        "yyn",
    ),
    (
        r#"host="h.example", user="abc.root", password="pw", ssl={"ca": "/etc/ssl/cert.pem"}"#,
        "PyMySQL",
        "yyy",
    ),
    (
        r#"pymysql.connect(host="h.example", ssl={"ca": "ca.pem", "check_hostname": False})"#,
        "PyMySQL",
        "yyn",
    ),
    (
        r#"MySQLdb.connect(host="h.example", ssl_mode="VERIFY_IDENTITY", ssl={"ca": "ca.pem"})"#,
        "mysqlclient",
        "yyy",
    ),
    (
        r#"MySQLdb.connect(host="h.example", ssl={"ca": "ca.pem"})"#,
        "mysqlclient",
        "yyn",
    ),
    (
        r#"mysql.connector.connect(host="h.example", user="abc.root", ssl_ca="ca.pem")"#,
        "Connector/Python",
        "dnn",
    ),
    (
        r#"mysql.connector.connect(host="h.example", ssl_ca="ca.pem", ssl_verify_cert=True, ssl_verify_identity=True)"#,
        "Connector/Python",
        "yyy",
    ),
    (
        "mysql+pymysql://abc.root:pw@h.example:4000/test?ssl_ca=/etc/ssl/cert.pem",
        "PyMySQL",
        "yyy",
    ),
    (
        "mysql+mysqldb://abc.root:pw@h.example:4000/test?ssl_mode=VERIFY_IDENTITY&ssl_ca=ca.pem",
        "mysqlclient",
        "yyy",
    ),
    (
        "mysql+mysqlconnector://abc.root:pw@h.example:4000/test",
        "Connector/Python",
        "dnn",
    ),
    // JVM.
    (
        "jdbc:mysql://h.example:4000/test?user=abc.root&password=pw&sslMode=VERIFY_IDENTITY",
        "Connector/J",
        "yyy",
    ),
    (
        "jdbc:mysql://h.example:4000/test?useSSL=true&requireSSL=true",
        "Connector/J",
        "ynn",
    ),
    (
        "jdbc:mysql://h.example:4000/test?useSSL=true&verifyServerCertificate=true",
        "Connector/J",
        "yyn",
    ),
    (
        "jdbc:mysql://h.example:4000/test?useSSL=false",
        "Connector/J",
        "nnn",
    ),
    ("jdbc:mysql://h.example:4000/test", "Connector/J", "dnn"),
    (
        "jdbc:mariadb://h.example:4000/test?sslMode=verify-full",
        "MariaDB Connector/J",
        "yyy",
    ),
    (
        "jdbc:mariadb://h.example:4000/test?useSsl=true&trustServerCertificate=true",
        "MariaDB Connector/J",
        "ynn",
    ),
    (
        "jdbc:mariadb://h.example:4000/test?sslMode=VERIFY_IDENTITY",
        "MariaDB Connector/J",
        "nnn",
    ),
    (
        "r2dbc:mysql://abc.root:pw@h.example:4000/test?sslMode=VERIFY_CA",
        "r2dbc-mysql",
        "yyn",
    ),
    (
        "r2dbc:mariadb://abc.root:pw@h.example:4000/test?sslMode=VERIFY_FULL&serverSslCert=ca.pem",
        "r2dbc-mariadb",
        "yyy",
    ),
    // Other clients.
    (
        "Server=h.example;Port=4000;User ID=abc.root;Password=pw;Database=test;SslMode=VerifyFull",
        ".NET",
        "yyy",
    ),
    (
        "Server=h.example;Uid=abc.root;Pwd=pw;SslMode=Required",
        ".NET",
        "ynn",
    ),
    (
        "Driver={MariaDB ODBC 3.1 \
         Driver};Server=h.example;UID=abc.root;PWD=pw;SSLCA=ca.pem;SSLVERIFY=1",
        "ODBC",
        "yyy",
    ),
    (
        "Driver={MariaDB};Server=h.example;UID=abc.root;PWD=pw",
        "ODBC",
        "nnn",
    ),
    (
        "new PDO('mysql:host=h.example;port=4000;dbname=test', 'abc.root', 'pw')",
        "PDO",
        "nnn",
    ),
    (
        "new PDO('mysql:host=h.example;dbname=test', $u, $p, [PDO::MYSQL_ATTR_SSL_CA => \
         '/etc/ssl/cert.pem'])",
        "PDO",
        "yyy",
    ),
    (
        "DBI->connect('DBI:MariaDB:database=test;host=h.example', 'u', 'p', { mariadb_ssl => 1, \
         mariadb_ssl_ca_file => 'f', mariadb_ssl_verify_server_cert => 1 })",
        "Perl",
        "yyy",
    ),
    (
        "Mysql2::Client.new(host: 'h.example', ssl_mode: :verify_identity, sslca: 'ca.pem')",
        "Ruby",
        "yyd",
    ),
    (
        "define('MYSQL_CLIENT_FLAGS', MYSQLI_CLIENT_SSL);",
        "mysqli",
        "ynn",
    ),
];

#[test]
fn each_known_string_is_told_what_it_verifies() {
    let mut wrong = Vec::new();
    for (text, client, wanted) in KNOWN {
        let told = told(text);
        if !told.client.contains(client)
            || told.verifies != (*wanted == "yyy")
            || answers(text) != *wanted
        {
            wrong.push(format!(
                "{} {} {} <- {text}",
                told.client,
                answers(text),
                wanted
            ));
        }
        assert!(told.verifies || !told.why.is_empty(), "no reason: {text}");
        assert!(!told.hint.forms.is_empty(), "{text}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_check_that_hangs_on_the_reading_depends() {
    let regular =
        r#"MySQLdb.connect(host="h", password=pw, ssl_mode="VERIFY_IDENTITY", ssl={"ca": "f"})"#;
    assert_eq!(answers(regular), "yyy");
    let twofold = regular.replace("pw", "p w");
    assert_eq!(answers(&twofold), "ddd");
    assert!(!told(&twofold).verifies && told(&twofold).why[0].contains("more than one way"));
}

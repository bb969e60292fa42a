//! Tests of the explanation of connection strings.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic; that is how it fails"
)]

use tidegate_connect::{Answer, Ask, EXPLAIN_MAX, ExplainError, Explanation, explain};

fn told(text: &str) -> Explanation {
    explain(text, &Ask::default()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Returns the answers for TLS, chain and DNS name: `y`, `n` or `d` each.
fn answers(text: &str) -> String {
    let letter = |answer: Answer| answer.to_string().chars().next().unwrap();
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
        "mysql -u 'abc.root' -h db.example.com -P 4000 -D test --ssl-mode=VERIFY_IDENTITY --ssl-ca=/etc/ssl/cert.pem -p",
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
        "mysql://abc.root:pw@db.example.com:4000/test?ssl=true",
        "mysql2",
        "nnn",
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
        "nnn",
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
        "mysql.createConnection({host: 'h.example', ssl: {ca: fs.readFileSync('ca.pem'), verifyIdentity: true}})",
        "mysql2",
        "yyy",
    ),
    (
        "mysql.createConnection({host: 'h.example', ssl: {minVersion: 'TLSv1.2', rejectUnauthorized: true}})",
        "mysql2",
        "yyn",
    ),
    (
        "{ host: 'h.example', user: 'abc.root', password: 'pw', ssl: { rejectUnauthorized: false } }",
        "mysql2",
        "ynn",
    ),
    (
        "mysql.createPool({ uri: 'mysql://abc.root:pw@h.example:4000/test', ssl: { verifyIdentity: true } })",
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
        "dnn",
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
        "Driver={MariaDB ODBC 3.1 Driver};Server=h.example;UID=abc.root;PWD=pw;SSLCA=ca.pem;SSLVERIFY=1",
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
        "new PDO('mysql:host=h.example;dbname=test', $u, $p, [PDO::MYSQL_ATTR_SSL_CA => '/etc/ssl/cert.pem'])",
        "PDO",
        "yyy",
    ),
    (
        "DBI->connect('DBI:MariaDB:database=test;host=h.example', 'u', 'p', { mariadb_ssl => 1, mariadb_ssl_ca_file => 'f', mariadb_ssl_verify_server_cert => 1 })",
        "Perl",
        "yyy",
    ),
    (
        "Mysql2::Client.new(host: 'h.example', ssl_mode: :verify_identity, sslca: 'ca.pem')",
        "Ruby",
        "ydd",
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
fn the_endpoint_is_read_and_goes_into_the_string_that_verifies() {
    for text in [
        "mysql://abc.root:p%40w@db.example.com:4100/app?ssl=true",
        "abc.root:p@/:w@tcp(db.example.com:4100)/app",
        "jdbc:mysql://db.example.com:4100/app?user=abc.root&password=p@w",
        "mysql -u abc.root -pp@w -h db.example.com -P 4100 -D app",
        "Server=db.example.com;Port=4100;User ID=abc.root;Password=\"p;w\";Database=app",
        r#"host="db.example.com", port=4100, user="abc.root", password="p,w", database="app""#,
        "DB_HOST=db.example.com\nDB_PORT=4100\nDB_USERNAME=abc.root\nDB_PASSWORD=p,w\nDB_DATABASE=app",
        "'host' => 'db.example.com', 'port' => '4100', 'username' => 'abc.root', 'password' => 'pw#', 'database' => 'app'",
    ] {
        let told = told(text);
        assert_eq!(told.host.as_deref(), Some("db.example.com"), "{text}");
        assert_eq!(told.port, Some(4100), "{text}");
        assert_eq!(told.user.as_deref(), Some("abc.root"), "{text}");
        assert_eq!(told.database.as_deref(), Some("app"), "{text}");
        assert!(told.holds_password, "{text}");
        let hint = &told.hint.forms[0].text;
        assert!(
            hint.contains("db.example.com") && hint.contains("4100") && hint.contains("abc.root"),
            "{hint}"
        );
    }
}

#[test]
fn an_everyday_string_shows_all_of_its_endpoint() {
    for text in [
        "mysql://abc.root:p#w@h.example:4000/app",
        "mysql://abc.root:p@w@h.example:4000/app",
        "DATABASE_URL='mysql://abc.root:pw@h.example:4000/app'",
        "spring.datasource.url=jdbc:mysql://h.example:4000/app\nspring.datasource.username=abc.root\nspring.datasource.password=p=w:x",
        "const pool = mysql.createPool({ host: 'h.example', port: 4000, user: 'abc.root', password: process.env.DB_PASSWORD, database: 'app', connectionLimit: 10 })",
        "pymysql.connect(host='h.example', port=4000, user='abc.root', password=os.environ['PW'], database='app')",
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.mysql', 'NAME': 'app', 'USER': 'abc.root', 'PASSWORD': 'p@w', 'HOST': 'h.example', 'PORT': '4000'}}",
        r#"{"host":"h.example","port":4000,"user":"abc.root","password":"p@w","database":"app"}"#,
        r"Server=h.example;Port=4000;User ID=abc.root;Password=pw==;Database=app;SslCa=C:\ca.pem",
        "Driver={MariaDB};Server=h.example;Port=4000;UID=abc.root;PWD={p;w};Database=app",
        "mysql -u abc.root -h h.example -P 4000 app -p",
        "mysql -u abc.root --password=pw -h h.example -P 4000 -D app < dump.sql",
        r#"dsn := fmt.Sprintf("abc.root:%s@tcp(h.example:4000)/app?tls=true", os.Getenv("PW"))"#,
        "'mysql' => ['driver' => 'mysql', 'host' => 'h.example', 'port' => '4000', 'database' => 'app', 'username' => 'abc.root', 'password' => 'pw', 'mode' => 'x']",
        "production:\n  adapter: mysql2\n  host: h.example\n  port: 4000\n  username: abc.root\n  password: <%= ENV['X'] %>\n  database: app",
        r#"mysql.Config{User: "abc.root", Passwd: "p@w", Net: "tcp", Addr: "h.example:4000", DBName: "app"}"#,
    ] {
        let told = told(text);
        assert_eq!(
            (told.host.as_deref(), told.port),
            (Some("h.example"), Some(4000)),
            "{text}"
        );
        assert_eq!(
            (told.user.as_deref(), told.database.as_deref()),
            (Some("abc.root"), Some("app")),
            "{text}"
        );
        assert!(told.withheld.is_empty(), "{text}");
    }
}

#[test]
fn what_often_goes_wrong_is_noted() {
    let says = |text: &str, piece: &str| {
        let told = told(text);
        let all = format!("{:?} {:?}", told.why, told.notes);
        assert!(all.contains(piece), "{text}: {all}");
    };
    says("root:pw@tcp(h.example:4000)/test?tls=true", "has no prefix");
    says("abc.root:pw@tcp(h.example:3306)/test?tls=true", "3306");
    says(
        "abc.root:pw@tcp(h.example:4000)/test?sslaccept=strict",
        "`sslaccept` is no option of Go-MySQL-Driver",
    );
    says("mysql://abc.root:p/w@h.example:4000/test", "percent-encode");
    says("mysql -h localhost -P 4000", "Unix socket");
    assert_eq!(
        told("mysql://abc.root:p/w@h.example:4000/test")
            .host
            .as_deref(),
        Some("h.example")
    );
}

#[test]
fn what_another_reading_takes_for_a_password_is_withheld_and_told_so() {
    for (text, withheld) in [
        // The login may end at two places.
        (
            "mysql://abc.root:p@a.example/w@h.example:4000/test",
            vec!["host"],
        ),
        (
            "mysql://abc.root:pw@h.example:4000/test?email=a@b.example",
            vec!["host", "port", "database"],
        ),
        // A quote inside quotes.
        (
            r#"host="h.example", user="abc.root", password="a"b", database="test""#,
            vec![],
        ),
        // Keys inside an unquoted value.
        (
            "Server=h.example;Uid=abc.root;Pwd=host=x;Database=test",
            vec!["database"],
        ),
        // One word too many.
        (
            "mysql -u abc.root -pp w -h h.example -D test '",
            vec!["host", "database"],
        ),
    ] {
        let told = told(text);
        assert_eq!(told.withheld, withheld, "{text}");
        let notes = told.notes.join(" ");
        assert!(
            notes.contains("more than one way") && notes.contains("percent-encode"),
            "{text}: {notes}"
        );
    }
}

#[test]
fn another_form_inside_a_password_hides_nothing_else() {
    for inside in [
        "mysql://x:y@z/q",
        "mysql:host=x",
        "jdbc:mysql://x:1/y",
        "@tcp(x:1)/y",
        "a, b=c",
        "host='x'",
        "@/",
    ] {
        let told = told(&format!(
            "abc.root:{inside}@tcp(db.example.com:4100)/app?tls=true"
        ));
        assert_eq!((told.form, told.verifies), ("a Go DSN", true), "{inside}");
        assert_eq!(
            (told.host.as_deref(), told.port),
            (Some("db.example.com"), Some(4100)),
            "{inside}"
        );
        assert_eq!(
            (told.user.as_deref(), told.database.as_deref()),
            (Some("abc.root"), Some("app")),
            "{inside}"
        );
    }
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

#[test]
fn a_client_that_is_named_decides() {
    let ask = Ask {
        client: Some("mariadb"),
        ..Ask::default()
    };
    let told = explain("--host=h.example --ssl-mode=VERIFY_IDENTITY", &ask);
    assert!(told.is_err() || told.is_ok_and(|told| told.client.contains("MariaDB")));
    let ask = Ask {
        client: Some("psql"),
        ..Ask::default()
    };
    assert!(matches!(
        explain("mysql://h/", &ask),
        Err(ExplainError::Connect(_))
    ));
    assert!(
        !told_candidates("mysql://u:p@h.example/db").is_empty()
            || tidegate_connect::clients().len() < 5
    );
}

fn told_candidates(text: &str) -> Vec<&'static str> {
    told(text).candidates
}

#[test]
fn what_is_no_connection_string_is_told_so() {
    assert_eq!(explain("  \n", &Ask::default()), Err(ExplainError::Empty));
    assert_eq!(
        explain("good morning", &Ask::default()),
        Err(ExplainError::NotRecognised)
    );
    assert_eq!(
        explain(&"x".repeat(EXPLAIN_MAX + 1), &Ask::default()),
        Err(ExplainError::TooLong)
    );
}

//! What is said of strings that people paste, and that no piece of a password is ever among it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic; that is how it fails"
)]

use proptest::prelude::*;
use tidegate_connect::{Answer, Ask, EXPLAIN_MAX, ExplainError, Explanation, explain};

fn told(text: &str) -> Explanation {
    explain(text, &Ask::default()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// tls, chain, dns name: `y`, `n` or `d` each.
fn answers(text: &str) -> String {
    let letter = |answer: Answer| answer.to_string().chars().next().unwrap();
    let checks = told(text).checks;
    [checks.tls, checks.chain, checks.dns_name].map(letter).iter().collect()
}

/// String, part of the client's name, answers.
const KNOWN: &[(&str, &str, &str)] = &[
    // Command lines.
    (
        "mysql -u 'abc.root' -h db.example.com -P 4000 -D test --ssl-mode=VERIFY_IDENTITY --ssl-ca=/etc/ssl/cert.pem -p",
        "MySQL's",
        "yyy",
    ),
    ("mysql -h db.example.com --ssl-ca=/etc/ssl/cert.pem -p", "MySQL's", "yyn"),
    ("mysql -h db.example.com --ssl-mode=VERIFY_CA --ssl-ca=ca.pem", "MySQL's", "yyn"),
    ("mysql -h db.example.com --ssl-mode=REQUIRED", "MySQL's", "ynn"),
    ("mysql -h db.example.com --ssl-mode REQUIRED", "MySQL's", "ynn"),
    ("mysql -h db.example.com --ssl-mode=DISABLED", "MySQL's", "nnn"),
    ("mysql -h db.example.com", "MySQL's", "dnn"),
    ("mysql -h db.example.com --ssl-verify-server-cert --ssl-ca=ca.pem", "MariaDB's", "yyy"),
    ("mariadb -h db.example.com --ssl-verify-server-cert", "MariaDB's", "yyy"),
    ("mariadb -h db.example.com --ssl", "MariaDB's", "dnn"),
    ("mariadb -h db.example.com --skip-ssl", "MariaDB's", "nnn"),
    ("mariadb -h db.example.com --ssl-mode=VERIFY_IDENTITY", "MariaDB's", "nnn"),
    ("mycli -u abc.root -h h.example --ssl-ca=ca.pem --ssl-verify-server-cert", "MyCLI", "yyy"),
    ("mycli -u abc.root -h h.example --ssl-mode=on --ssl-verify-server-cert", "MyCLI", "dnn"),
    ("mycli mysql://abc.root@h.example:4000/test --ssl-ca=ca.pem", "MyCLI", "yyn"),
    // Go.
    ("abc.root:pw@tcp(db.example.com:4000)/test?tls=true", "Go", "yyy"),
    ("abc.root:pw@tcp(db.example.com:4000)/test?tls=skip-verify&parseTime=true", "Go", "ynn"),
    ("abc.root:pw@tcp(db.example.com:4000)/test?tls=preferred", "Go", "dnn"),
    ("abc.root:pw@tcp(db.example.com:4000)/test?sslaccept=strict", "Go", "nnn"),
    ("abc.root:pw@tcp(db.example.com:4000)/test?tls=tidegate", "Go", "ydd"),
    (r#"db, err := sql.Open("mysql", "abc.root:pw@tcp(db.example.com:4000)/test?tls=true")"#, "Go", "yyy"),
    // Node, Prisma and Rust: addresses.
    (
        r#"mysql://abc.root:pw@db.example.com:4000/test?ssl={"rejectUnauthorized":true,"verifyIdentity":true}"#,
        "mysql2",
        "yyy",
    ),
    (r#"mysql://abc.root:pw@db.example.com:4000/test?ssl={"rejectUnauthorized":true}"#, "mysql2", "yyn"),
    ("mysql://abc.root:pw@db.example.com:4000/test?ssl=%7B%22rejectUnauthorized%22%3Afalse%7D", "mysql2", "ynn"),
    ("mysql://abc.root:pw@db.example.com:4000/test?ssl=true", "mysql2", "nnn"),
    ("mysql://abc.root:pw@db.example.com:4000/test?sslaccept=strict", "Prisma", "yyy"),
    ("mysql://abc.root:pw@db.example.com:4000/test?sslaccept=accept_invalid_certs", "Prisma", "ynn"),
    ("mysql://abc.root:pw@db.example.com:4000/test", "mysql://", "nnn"),
    ("mysql://abc.root:pw@db.example.com:4000/test?ssl-mode=VERIFY_IDENTITY", "sqlx", "yyy"),
    ("mysql://abc.root:pw@db.example.com:4000/test?require_ssl=true", "mysql_async", "yyy"),
    ("mysql://abc.root:pw@db.example.com:4000/test?require_ssl=true&verify_identity=false", "mysql_async", "yyn"),
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
    ("{ host: 'h.example', user: 'abc.root', password: 'pw', ssl: { rejectUnauthorized: false } }", "mysql2", "ynn"),
    (
        "mysql.createPool({ uri: 'mysql://abc.root:pw@h.example:4000/test', ssl: { verifyIdentity: true } })",
        "mysql2",
        "yyy",
    ),
    // Python.
    (r#"pymysql.connect(host="h.example", user="abc.root", password="pw", ssl_ca="ca.pem")"#, "PyMySQL", "ynn"),
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
    (r#"host="h.example", user="abc.root", password="pw", ssl={"ca": "/etc/ssl/cert.pem"}"#, "PyMySQL", "yyy"),
    (r#"pymysql.connect(host="h.example", ssl={"ca": "ca.pem", "check_hostname": False})"#, "PyMySQL", "yyn"),
    (r#"MySQLdb.connect(host="h.example", ssl_mode="VERIFY_IDENTITY", ssl={"ca": "ca.pem"})"#, "mysqlclient", "yyy"),
    (r#"MySQLdb.connect(host="h.example", ssl={"ca": "ca.pem"})"#, "mysqlclient", "yyn"),
    (r#"mysql.connector.connect(host="h.example", user="abc.root", ssl_ca="ca.pem")"#, "Connector/Python", "dnn"),
    (
        r#"mysql.connector.connect(host="h.example", ssl_ca="ca.pem", ssl_verify_cert=True, ssl_verify_identity=True)"#,
        "Connector/Python",
        "yyy",
    ),
    ("mysql+pymysql://abc.root:pw@h.example:4000/test?ssl_ca=/etc/ssl/cert.pem", "PyMySQL", "yyy"),
    ("mysql+mysqldb://abc.root:pw@h.example:4000/test?ssl_mode=VERIFY_IDENTITY&ssl_ca=ca.pem", "mysqlclient", "yyy"),
    ("mysql+mysqlconnector://abc.root:pw@h.example:4000/test", "Connector/Python", "dnn"),
    // JVM.
    ("jdbc:mysql://h.example:4000/test?user=abc.root&password=pw&sslMode=VERIFY_IDENTITY", "Connector/J", "yyy"),
    ("jdbc:mysql://h.example:4000/test?useSSL=true&requireSSL=true", "Connector/J", "ynn"),
    ("jdbc:mysql://h.example:4000/test?useSSL=true&verifyServerCertificate=true", "Connector/J", "yyn"),
    ("jdbc:mysql://h.example:4000/test?useSSL=false", "Connector/J", "nnn"),
    ("jdbc:mysql://h.example:4000/test", "Connector/J", "dnn"),
    ("jdbc:mariadb://h.example:4000/test?sslMode=verify-full", "MariaDB Connector/J", "yyy"),
    ("jdbc:mariadb://h.example:4000/test?useSsl=true&trustServerCertificate=true", "MariaDB Connector/J", "ynn"),
    ("jdbc:mariadb://h.example:4000/test?sslMode=VERIFY_IDENTITY", "MariaDB Connector/J", "nnn"),
    ("r2dbc:mysql://abc.root:pw@h.example:4000/test?sslMode=VERIFY_CA", "r2dbc-mysql", "yyn"),
    (
        "r2dbc:mariadb://abc.root:pw@h.example:4000/test?sslMode=VERIFY_FULL&serverSslCert=ca.pem",
        "r2dbc-mariadb",
        "yyy",
    ),
    // The rest.
    ("Server=h.example;Port=4000;User ID=abc.root;Password=pw;Database=test;SslMode=VerifyFull", ".NET", "yyy"),
    ("Server=h.example;Uid=abc.root;Pwd=pw;SslMode=Required", ".NET", "ynn"),
    ("Driver={MariaDB ODBC 3.1 Driver};Server=h.example;UID=abc.root;PWD=pw;SSLCA=ca.pem;SSLVERIFY=1", "ODBC", "yyy"),
    ("Driver={MariaDB};Server=h.example;UID=abc.root;PWD=pw", "ODBC", "nnn"),
    ("new PDO('mysql:host=h.example;port=4000;dbname=test', 'abc.root', 'pw')", "PDO", "nnn"),
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
    ("Mysql2::Client.new(host: 'h.example', ssl_mode: :verify_identity, sslca: 'ca.pem')", "Ruby", "ydd"),
    ("define('MYSQL_CLIENT_FLAGS', MYSQLI_CLIENT_SSL);", "mysqli", "ynn"),
];

#[test]
fn each_known_string_is_told_what_it_verifies() {
    let mut wrong = Vec::new();
    for (text, client, wanted) in KNOWN {
        let told = told(text);
        if !told.client.contains(client) || told.verifies != (*wanted == "yyy") || answers(text) != *wanted {
            wrong.push(format!("{} {} {} <- {text}", told.client, answers(text), wanted));
        }
        assert!(told.verifies || !told.why.is_empty(), "no reason: {text}");
        assert!(!told.mend.forms.is_empty(), "{text}");
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
        let mend = &told.mend.forms[0].text;
        assert!(mend.contains("db.example.com") && mend.contains("4100") && mend.contains("abc.root"), "{mend}");
    }
}

#[test]
fn what_often_goes_wrong_is_noted() {
    let says = |text: &str, piece: &str| {
        let told = told(text);
        let all = format!("{:?} {:?}", told.why, told.notes);
        assert!(all.contains(piece), "{text}: {all}");
    };
    says("root:pw@tcp(h.example:4000)/test?tls=true", "no prefix");
    says("abc.root:pw@tcp(h.example:3306)/test?tls=true", "3306");
    says("abc.root:pw@tcp(h.example:4000)/test?sslaccept=strict", "`sslaccept` is no option of Go-MySQL-Driver");
    says("mysql://abc.root:p/w@h.example:4000/test", "percent-encoded");
    says("mysql -h localhost -P 4000", "Unix socket");
    assert_eq!(told("mysql://abc.root:p/w@h.example:4000/test").host.as_deref(), Some("h.example"));
}

#[test]
fn what_another_reading_takes_for_a_password_is_withheld_and_told_so() {
    for (text, withheld) in [
        // Two places where the login may end.
        ("mysql://abc.root:p@a.example/w@h.example:4000/test", vec!["host"]),
        ("mysql://abc.root:pw@h.example:4000/test?email=a@b.example", vec!["host", "port", "database"]),
        // A quote inside the quotes.
        (r#"host="h.example", user="abc.root", password="a"b", database="test""#, vec![]),
        // Keys inside a value that stands bare.
        ("Server=h.example;Uid=abc.root;Pwd=host=x;Database=test", vec!["database"]),
        // A word too many.
        ("mysql -u abc.root -pp w -h h.example -D test '", vec!["host", "database"]),
    ] {
        let told = told(text);
        assert_eq!(told.withheld, withheld, "{text}");
        let notes = told.notes.join(" ");
        assert!(notes.contains("more than one way") && notes.contains("percent-encoded"), "{text}: {notes}");
    }
}

#[test]
fn another_form_inside_a_password_hides_nothing_else() {
    for inside in ["mysql://x:y@z/q", "mysql:host=x", "jdbc:mysql://x:1/y", "@tcp(x:1)/y", "a, b=c", "host='x'", "@/"] {
        let told = told(&format!("abc.root:{inside}@tcp(db.example.com:4100)/app?tls=true"));
        assert_eq!((told.form, told.verifies), ("a Go DSN", true), "{inside}");
        assert_eq!((told.host.as_deref(), told.port), (Some("db.example.com"), Some(4100)), "{inside}");
        assert_eq!((told.user.as_deref(), told.database.as_deref()), (Some("abc.root"), Some("app")), "{inside}");
    }
}

#[test]
fn a_check_that_hangs_on_the_reading_depends() {
    let regular = r#"MySQLdb.connect(host="h", password=pw, ssl_mode="VERIFY_IDENTITY", ssl={"ca": "f"})"#;
    assert_eq!(answers(regular), "yyy");
    let twofold = regular.replace("pw", "p w");
    assert_eq!(answers(&twofold), "ddd");
    assert!(!told(&twofold).verifies && told(&twofold).why[0].contains("more than one way"));
}

#[test]
fn a_client_that_is_named_decides() {
    let ask = Ask { client: Some("mariadb"), ..Ask::default() };
    let told = explain("--host=h.example --ssl-mode=VERIFY_IDENTITY", &ask);
    assert!(told.is_err() || told.is_ok_and(|told| told.client.contains("MariaDB")));
    let ask = Ask { client: Some("psql"), ..Ask::default() };
    assert!(matches!(explain("mysql://h/", &ask), Err(ExplainError::Connect(_))));
    assert!(!told_candidates("mysql://u:p@h.example/db").is_empty() || tidegate_connect::clients().len() < 5);
}

fn told_candidates(text: &str) -> Vec<&'static str> {
    told(text).candidates
}

#[test]
fn what_is_no_connection_string_is_told_so() {
    assert_eq!(explain("  \n", &Ask::default()), Err(ExplainError::Empty));
    assert_eq!(explain("good morning", &Ask::default()), Err(ExplainError::NotRecognised));
    assert_eq!(explain(&"x".repeat(EXPLAIN_MAX + 1), &Ask::default()), Err(ExplainError::TooLong));
}

/// Every form with a hole for the password, most as people write them, in quotes or not.
const HOLES: &[&str] = &[
    "mysql://root:{}@db.example.com:4000/test",
    "mysql://root:{}@db.example.com:4000/test?ssl={\"rejectUnauthorized\":true}",
    "mysql+pymysql://root:{}@db.example.com:4000/test?ssl_ca=/etc/ssl/cert.pem",
    "DATABASE_URL=\"mysql://root:{}@db.example.com:4000/test?sslaccept=strict\"",
    "url: 'mysql://root:{}@db.example.com/test', ssl: {ca: 'f'}",
    "mysql://:{}@db.example.com/test",
    "mycli mysql://root:{}@db.example.com:4000/test --ssl-ca=f",
    "mycli -u root -p {} -h db.example.com test",
    "mysql -u root -p{} -h db.example.com -P 4000 test",
    "mysql -u root -p'{}' -h db.example.com -P 4000 -D test",
    "mysql -u root --password={} -h db.example.com test",
    "mysql -u root -p {} -h db.example.com",
    "MYSQL_PWD={} mariadb -u root -h db.example.com test",
    "jdbc:mysql://db.example.com:4000/test?user=root&password={}&sslMode=REQUIRED",
    "jdbc:mysql://root:{}@db.example.com:4000/test",
    "jdbc:mariadb://db.example.com/test?user=root&password={}",
    "jdbc:mysql://address=(host=h)(port=1)(user=u)(password={})/db",
    "DriverManager.getConnection(\"jdbc:mysql://db.example.com/test\", \"root\", \"{}\")",
    "r2dbc:mysql://root:{}@db.example.com:4000/test?sslMode=REQUIRED",
    "root:{}@tcp(db.example.com:4000)/test?tls=skip-verify",
    "sql.Open(\"mysql\", \"root:{}@tcp(db.example.com:4000)/test\")",
    "dsn := \"root:{}@tcp(db.example.com:4000)/test\"",
    "root:{}@/test",
    "pymysql.connect(host=\"h.example\", user=\"root\", password=\"{}\", database=\"test\", ssl={\"ca\": \"f\"})",
    "pymysql.connect(host='h.example', user='root', passwd='{}', db='test')",
    "mysql.createConnection({host: 'h.example', user: 'root', password: '{}', ssl: {}})",
    "mysql.createConnection({host: `h.example`, password: `{}`, user: `root`, database: `test`})",
    "Server=h.example;User ID=root;Password={};Database=test;SslMode=Required",
    "Password={};Server=h.example;User ID=root",
    "Driver={MariaDB};SERVER=h.example;UID=root;PWD={};SSLCA=f;DATABASE=test",
    "Server=h.example;Password=\"{}\";Database=test",
    "new PDO('mysql:host=h.example;dbname=test', 'root', '{}')",
    "new PDO('mysql:host=h.example;dbname=test', $user, '{}', [PDO::MYSQL_ATTR_SSL_CA => 'f'])",
    "DBI->connect('DBI:MariaDB:host=h.example;database=test', 'root', '{}')",
    "DB_HOST=h.example\nDB_USERNAME=root\nDB_PASSWORD={}\nDB_DATABASE=test",
    "DB_HOST=h.example\nDB_PASSWORD=\"{}\"\nDB_DATABASE=test\nMYSQL_ATTR_SSL_CA=f",
    "host: h.example\nusername: root\npassword: {}\ndatabase: test\nssl_mode: verify_identity",
    "spring.datasource.url=jdbc:mysql://h.example/test\nspring.datasource.password={}",
    "'host' => 'h.example', 'username' => 'root', 'password' => '{}', 'database' => 'test'",
    "mysqli_real_connect($c, \"h.example\", \"root\", \"{}\", \"test\")",
    "host=h.example user=root password={} dbname=test",
    "user:{}@tcp(db.example.com:4000)/test",
    "DSN=root:{}@tcp(db.example.com:4000)/test?tls=true",
    "dsn: 'root:{}@tcp(db.example.com:4000)/test'",
    "url: mysql://root:{}@db.example.com/test",
    "{\"host\":\"h.example\",\"user\":\"root\",\"password\":\"{}\",\"database\":\"test\"}",
    "{\"charset\": \"utf8\", \"pw_max\": 1, \"passwd\": \"{}\", \"host\": \"h.example\"}",
    "{host:'h.example',user:'root',password:'{}',database:'test'}",
    "$db['hostname'] = 'h.example';\n$db['password'] = '{}';\n$db['database'] = 'test';",
    "ds.setUrl(\"jdbc:mysql://h.example/test\"); ds.setPassword(\"{}\");",
    "props.put(\"user\", \"root\"); props.put(\"password\", \"{}\");",
    "password := \"{}\"; dsn := \"root@tcp(h.example:4000)/test\"",
    "<user>root</user><password>{}</password><host>h.example</host>",
    "mysql.Config{User: \"root\", Passwd: \"{}\", Net: \"tcp\", Addr: \"h.example:4000\", DBName: \"test\"}",
    "mysql -u root --password '{}' -h db.example.com test --ssl-mode=REQUIRED",
    "MYSQL_PWD='{}' mysql -u root -h db.example.com",
    "mysqldump -h db.example.com -u root -p\"{}\" test > f.sql",
    "jdbc:mysql://(host=h.example,port=4000,user=root,password={})/test",
    "mysql://db.example.com:4000/test?user=root&password={}",
    "mysql://db.example.com/test?password={}&ssl-mode=REQUIRED",
    "{'ENGINE': 'django.db.backends.mysql', 'NAME': 'test', 'PASSWORD': '{}', 'HOST': 'h.example'}",
];

/// Strings with values that are all marked, as a password that was made to deceive would hold.
const INNER: &[&str] = &[
    "mysql://qZx:{}@qZx.qZx:4000/qZx",
    "jdbc:mysql://qZx.qZx:4000/qZx",
    "mysql+pymysql://qZx@qZx/qZx?ssl_ca=/qZx/qZx.pem",
    "qZx:{}@tcp(qZx:4000)/qZx?tls=true",
    "qZx:{}@/qZx",
    "mysql:host=qZx;dbname=qZx",
    "DBI:MariaDB:host=qZx;database=qZx",
    "mysql -h qZx -u qZx -p{} qZx",
    "', 'mysql://qZx@qZx/qZx', '{}",
    "\", \"qZx@tcp(qZx)/qZx",
    "\", \"qZx\": \"mysql://qZx/qZx\", \"x\": \"{}",
    "@qZx:4000/qZx",
    "@tcp(qZx:4000)/qZx?x=",
    "/qZx?qZx=qZx@qZx",
    "://qZx:qZx@qZx/qZx",
];

/// Pieces of a password carry this, and nothing that is printed by itself does.
const MARK: &str = "qZx";

fn nothing_of_it(text: &str, secret: &str) {
    for client in [None, Some("mysql"), Some("mariadb"), Some("general")] {
        match explain(text, &Ask { client, ..Ask::default() }) {
            Ok(told) => {
                let shown = format!("{}\n{told:?}", serde_json::to_string(&told).unwrap());
                let parts = (&told.host, &told.port, &told.user, &told.database);
                assert!(!shown.contains(MARK), "{secret:?} in {text:?}: {parts:?}");
            }
            Err(error) => assert!(!error.to_string().contains(MARK), "{text}: {error}"),
        }
    }
}

#[test]
fn no_piece_of_a_password_is_shown_of_any_form() {
    let plain =
        ["qZx", "qZx@qZx", "qZx:qZx", "qZx/qZx", "qZx?qZx", "qZx#qZx", "@qZx/qZx:qZx", "qZx@qZx.qZx:1/qZx?qZx=qZx"];
    let odd = [
        "qZx\"qZx",
        "qZx'qZx",
        "qZx;qZx=qZx",
        "qZx&qZx",
        "qZx%40qZx",
        "qZx qZx",
        "qZx,qZx",
        "$(qZx)",
        "{qZx}",
        "qZx)qZx",
        "\"), (\"dbi:mysql:port=1;host=qZx",
    ];
    for hole in HOLES {
        for secret in plain.iter().chain(&odd) {
            nothing_of_it(&hole.replace("{}", secret), secret);
        }
    }
}

/// What may stand between the pieces; some of it is a piece of another form, or ends one.
fn separator() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "://",
        "mysql://",
        "jdbc:mysql://",
        "r2dbc:mysql://",
        "jdbc:mysql:loadbalance://",
        "@tcp(",
        ":4000)/",
        "@/",
        "@db.example.com:4000/",
        "@qZx.example:4000/",
        "4000/",
        "mysql:host=",
        "dbi:mysql:port=1;host=",
        "dbi:mariadb:host=",
        "\", ",
        "', '",
        "\"), (\"",
        "\", \"mysql://",
        "\", \"qZx:",
        "'; \"",
        "\\\"",
        "\\",
        "\\\\\"",
        " -p ",
        " -p",
        "' '",
        " -- ",
        " := \"",
        "=>",
        "\" => \"",
        "\": \"",
        ", \"x\": \"mysql://",
        "dict(",
        "?password=",
        "&password=",
        ";password=",
        "\", password=\"",
        "{{",
        "}}",
        "%40",
        "%3A%2F%2F",
        "${x}:",
        "\u{a0}",
        "é",
        "\t",
        "\u{fffc}",
        "user:",
        "root:",
        "mysql:",
        "::",
        ": ",
    ];
    prop_oneof![
        3 => "[-@:/?#&=;,%\"'` \\\\(){}\\[\\]<>.|+!$*^~]{0,3}",
        2 => proptest::sample::select(WORDS).prop_map(str::to_owned),
    ]
}

/// A password of marked pieces and separators, raw or percent-encoded.
fn secret() -> impl Strategy<Value = String> {
    let code = |c: char| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("%{:02x}", u32::from(c)) };
    (proptest::collection::vec(separator(), 1..6), any::<bool>(), any::<bool>()).prop_map(
        move |(parts, marked, encoded)| {
            let raw: String = parts.iter().flat_map(|part| [part.as_str(), MARK]).collect();
            let raw = if marked { format!("{MARK}{raw}") } else { raw };
            if encoded && raw.is_ascii() { raw.chars().map(code).collect() } else { raw }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the password holds, in any form, alone or with text round it.
    #[test]
    fn no_piece_of_any_password_is_shown(hole in proptest::sample::select(HOLES), secret in secret()) {
        nothing_of_it(&hole.replace("{}", &secret), &secret);
    }

    /// A password that is itself a string of another form, with a password of its own.
    #[test]
    fn no_piece_of_a_string_inside_a_string_is_shown(
        outer in proptest::sample::select(HOLES),
        inner in proptest::sample::select(INNER),
        secret in secret(),
    ) {
        let secret = inner.replace("{}", &secret);
        nothing_of_it(&outer.replace("{}", &secret), &secret);
    }

    /// Any text at all is read to its end.
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}", hole in proptest::sample::select(HOLES)) {
        let _ = explain(&text, &Ask::default());
        let _ = explain(&hole.replace("{}", &text), &Ask::default());
    }
}

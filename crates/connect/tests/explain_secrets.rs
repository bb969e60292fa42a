//! Tests that no part of a password is ever in an explanation, whatever the password contains.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may panic; that is how it fails"
)]

use proptest::prelude::*;
use tidegate_connect::{ExplainOptions, explain};

/// All forms with a place for the password, quoted and unquoted, as people write them.
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
    "pymysql.connect(host=\"h.example\", user=\"root\", password=\"{}\", database=\"test\", \
     ssl={\"ca\": \"f\"})",
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
    "mysql.Config{User: \"root\", Passwd: \"{}\", Net: \"tcp\", Addr: \"h.example:4000\", DBName: \
     \"test\"}",
    "mysql -u root --password '{}' -h db.example.com test --ssl-mode=REQUIRED",
    "MYSQL_PWD='{}' mysql -u root -h db.example.com",
    "mysqldump -h db.example.com -u root -p\"{}\" test > f.sql",
    "jdbc:mysql://(host=h.example,port=4000,user=root,password={})/test",
    "mysql://db.example.com:4000/test?user=root&password={}",
    "mysql://db.example.com/test?password={}&ssl-mode=REQUIRED",
    "{'ENGINE': 'django.db.backends.mysql', 'NAME': 'test', 'PASSWORD': '{}', 'HOST': 'h.example'}",
];

/// Strings whose values all contain the mark, as a deceptive password would.
const INNER: &[&str] = &[
    "mysql://qZx:{}@qZx.qZx:4000/qZx",
    "jdbc:mysql://qZx.qZx:4000/qZx",
    "mysql+pymysql://qZx@qZx/qZx?ssl_ca=/qZx/qZx.pem",
    "mysql://qZx/qZx?{}",
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

/// Mark of every part of a password. No other output contains it.
const MARK: &str = "qZx";

fn nothing_of_it(text: &str, secret: &str) {
    for client in [None, Some("mysql"), Some("mariadb"), Some("general")] {
        match explain(
            text,
            &ExplainOptions {
                client,
                ..ExplainOptions::default()
            },
        ) {
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
    let plain = [
        "qZx",
        "qZx@qZx",
        "qZx:qZx",
        "qZx/qZx",
        "qZx?qZx",
        "qZx#qZx",
        "@qZx/qZx:qZx",
        "qZx@qZx.qZx:1/qZx?qZx=qZx",
    ];
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
        "qZx': DBI:MariaDB:host=qZx;database=qZx",
        "qZx;mysql://qZx/qZx",
        "qZx@&qZx/qZx",
        "=,,user:qZx",
        "@}}&4000/qZxqZx",
        " -- qZx",
        " - qZx",
    ];
    for hole in HOLES {
        for secret in plain.iter().chain(&odd) {
            nothing_of_it(&hole.replace("{}", secret), secret);
        }
    }
}

/// Separators between the parts. Some of them belong to another form, or end one.
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

/// Generates a password of marked parts and separators, raw or percent-encoded.
fn secret() -> impl Strategy<Value = String> {
    let code = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_string()
        } else {
            format!("%{:02x}", u32::from(c))
        }
    };
    (
        proptest::collection::vec(separator(), 1..6),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(move |(parts, marked, encoded)| {
            let raw: String = parts
                .iter()
                .flat_map(|part| [part.as_str(), MARK])
                .collect();
            let raw = if marked { format!("{MARK}{raw}") } else { raw };
            if encoded && raw.is_ascii() {
                raw.chars().map(code).collect()
            } else {
                raw
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Any password in any form, alone or with text around it.
    #[test]
    fn no_piece_of_any_password_is_shown(
        hole in proptest::sample::select(HOLES),
        secret in secret(),
    ) {
        nothing_of_it(&hole.replace("{}", &secret), &secret);
    }

    /// A password that is a connection string of another form with its own password.
    #[test]
    fn no_piece_of_a_string_inside_a_string_is_shown(
        outer in proptest::sample::select(HOLES),
        inner in proptest::sample::select(INNER),
        secret in secret(),
    ) {
        let secret = inner.replace("{}", &secret);
        nothing_of_it(&outer.replace("{}", &secret), &secret);
    }

    /// Any text is read without a panic.
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}", hole in proptest::sample::select(HOLES)) {
        let _ = explain(&text, &ExplainOptions::default());
        let _ = explain(&hole.replace("{}", &text), &ExplainOptions::default());
    }
}

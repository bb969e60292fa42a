//! Tests of the explanation of connection strings: endpoint, password, notes and errors.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic; that is how it fails"
)]

mod support;

use support::told;
use tidegate_connect::{EXPLAIN_MAX, ExplainError, ExplainOptions, explain};
use tidegate_model::Trust;

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
        "'host' => 'db.example.com', 'port' => '4100', 'username' => 'abc.root', 'password' => \
         'pw#', 'database' => 'app'",
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
        "const pool = mysql.createPool({ host: 'h.example', port: 4000, user: 'abc.root', \
         password: process.env.DB_PASSWORD, database: 'app', connectionLimit: 10 })",
        "pymysql.connect(host='h.example', port=4000, user='abc.root', password=os.environ['PW'], \
         database='app')",
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.mysql', 'NAME': 'app', 'USER': \
         'abc.root', 'PASSWORD': 'p@w', 'HOST': 'h.example', 'PORT': '4000'}}",
        r#"{"host":"h.example","port":4000,"user":"abc.root","password":"p@w","database":"app"}"#,
        r"Server=h.example;Port=4000;User ID=abc.root;Password=pw==;Database=app;SslCa=C:\ca.pem",
        "Driver={MariaDB};Server=h.example;Port=4000;UID=abc.root;PWD={p;w};Database=app",
        "mysql -u abc.root -h h.example -P 4000 app -p",
        "mysql -u abc.root --password=pw -h h.example -P 4000 -D app < dump.sql",
        r#"dsn := fmt.Sprintf("abc.root:%s@tcp(h.example:4000)/app?tls=true", os.Getenv("PW"))"#,
        "'mysql' => ['driver' => 'mysql', 'host' => 'h.example', 'port' => '4000', 'database' => \
         'app', 'username' => 'abc.root', 'password' => 'pw', 'mode' => 'x']",
        "production:\n  adapter: mysql2\n  host: h.example\n  port: 4000\n  username: abc.root\n  \
         password: <%= ENV['X'] %>\n  database: app",
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
    for (text, piece) in [
        ("root:pw@tcp(h.example:4000)/test?tls=true", "has no prefix"),
        ("abc.root:pw@tcp(h.example:3306)/test?tls=true", "3306"),
        (
            "abc.root:pw@tcp(h.example:4000)/test?sslaccept=strict",
            "`sslaccept` is no option of Go-MySQL-Driver",
        ),
        ("mysql://abc.root:p/w@h.example:4000/test", "percent-encode"),
        ("mysql -h localhost -P 4000", "Unix socket"),
    ] {
        let told = told(text);
        let all = format!("{:?} {:?}", told.why, told.notes);
        assert!(all.contains(piece), "{text}: {all}");
    }
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
fn a_bare_p_asks_and_a_word_after_it_is_the_database() {
    for (text, database, holds) in [
        ("mysql -h db.example.com -u abc.root -p", None, false),
        (
            "mysql -h db.example.com -p -u abc.root app",
            Some("app"),
            false,
        ),
        (
            "mysql -h db.example.com -u abc.root app -p",
            Some("app"),
            false,
        ),
        (
            "mysql -psecret -h db.example.com -u abc.root app",
            Some("app"),
            true,
        ),
    ] {
        let told = told(text);
        assert_eq!(told.database.as_deref(), database, "{text}");
        assert_eq!(told.holds_password, holds, "{text}");
        assert!(told.withheld.is_empty(), "{text}");
    }
    // Many people mean the word as the password.
    let told = told("mariadb -h db.example.com -u abc.root -p hunter2");
    assert!(!told.holds_password);
    assert_eq!(told.withheld, ["database"]);
    assert!(
        told.notes[0].starts_with("A word follows `-p`"),
        "{:?}",
        told.notes
    );
}

#[test]
fn the_string_that_verifies_names_the_ca_of_its_server() {
    let local = Trust::Local("/data/ca.pem".into());
    let ask = ExplainOptions {
        server_trust: Some(&local),
        ..ExplainOptions::default()
    };
    for (text, file) in [
        ("mysql -h 127.0.0.1 -P 4000 -u abc.root", "/data/ca.pem"),
        // The system's file does not contain a local CA.
        (
            "mysql -h 127.0.0.1 -P 4000 -u abc.root --ssl-ca=/etc/ssl/cert.pem",
            "/data/ca.pem",
        ),
        (
            "mysql -h 127.0.0.1 -P 4000 -u abc.root --ssl-ca=/home/me/tide.pem",
            "/home/me/tide.pem",
        ),
    ] {
        let told = explain(text, &ask).unwrap();
        let answer = &told.hint.forms[0].text;
        assert!(answer.contains(&format!("--ssl-ca={file} ")), "{answer}");
        for form in &told.hint.forms {
            assert!(!form.text.contains("/etc/ssl"), "{}", form.text);
        }
    }
}

#[test]
fn a_client_that_is_named_decides() {
    let ask = ExplainOptions {
        client: Some("mariadb"),
        ..ExplainOptions::default()
    };
    let told = explain("--host=h.example --ssl-mode=VERIFY_IDENTITY", &ask);
    assert!(told.is_err() || told.is_ok_and(|told| told.client.contains("MariaDB")));
    let ask = ExplainOptions {
        client: Some("psql"),
        ..ExplainOptions::default()
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
    assert_eq!(
        explain("  \n", &ExplainOptions::default()),
        Err(ExplainError::Empty)
    );
    assert_eq!(
        explain("good morning", &ExplainOptions::default()),
        Err(ExplainError::NotRecognised)
    );
    assert_eq!(
        explain(&"x".repeat(EXPLAIN_MAX + 1), &ExplainOptions::default()),
        Err(ExplainError::TooLong)
    );
}

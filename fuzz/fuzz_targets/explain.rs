//! A pasted connection string: any text is read to its end, and no piece of a correctly written
//! password is ever shown.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::fmt::Write;
use tidegate_connect::{ExplainOptions, explain};

/// Text that no other output contains.
const MARK: &str = "qZx";

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let _ = explain(&text, &ExplainOptions::default());

    let password = format!("{MARK}{}{MARK}", text.replace(MARK, ""));
    let mut percent = String::new();
    for byte in password.bytes() {
        if byte.is_ascii_alphanumeric() {
            percent.push(char::from(byte));
        } else {
            let _ = write!(percent, "%{byte:02X}");
        }
    }
    let quoted = password
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace(['\n', '\r'], " ");
    for text in [
        format!("mysql://root:{percent}@db.example.com:4000/test?ssl=true"),
        format!("jdbc:mysql://db.example.com/test?user=root&password={percent}&sslMode=REQUIRED"),
        format!(
            "pymysql.connect(host=\"h.example\", user=\"root\", password=\"{quoted}\", \
             ssl_ca=\"f.pem\")"
        ),
        format!("{{host: \"h.example\", password: \"{quoted}\", ssl: {{}}}}"),
        format!(
            "root:{}@tcp(db.example.com:4000)/test?tls=skip-verify",
            quoted.replace('"', "")
        ),
    ] {
        if let Ok(told) = explain(&text, &ExplainOptions::default()) {
            let shown = format!("{told:?}");
            assert!(!shown.contains(MARK), "{text}\n{shown}");
        }
    }
});

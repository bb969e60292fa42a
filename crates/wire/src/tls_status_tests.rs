//! Questions and other statements; what an engine makes of the rewritten ones is tested end to end.

use super::*;

const FACTS: TlsFacts = TlsFacts {
    version: "TLSv1.3",
    cipher: "TLS_AES_128_GCM_SHA256",
};

fn rewritten(statement: &str) -> Option<String> {
    let sql = rewrite(statement.as_bytes(), &FACTS)?;
    Some(String::from_utf8(sql).unwrap())
}

const CIPHER_ROW: &str =
    "SELECT 'Ssl_cipher' AS `Variable_name`, 'TLS_AES_128_GCM_SHA256' AS `Value`";
const VERSION_ROW: &str = "SELECT 'Ssl_version' AS `Variable_name`, 'TLSv1.3' AS `Value`";

/// Questions about the cipher alone.
const ABOUT_CIPHER: &[&str] = &[
    "SHOW STATUS LIKE 'Ssl_cipher'",
    "SHOW SESSION STATUS LIKE 'Ssl_cipher'",
    "SHOW LOCAL STATUS LIKE 'Ssl_cipher'",
    "SHOW GLOBAL STATUS LIKE 'Ssl_cipher'",
    "show status like 'ssl_cipher'",
    "SHOW STATUS LIKE 'SSL_CIPHER';",
    "SHOW STATUS LIKE \"Ssl_cipher\"",
    "SHOW STATUS LIKE'Ssl_cipher'",
    "  SHOW\tSTATUS\n LIKE  'Ssl_cipher' ; ",
    "/* who asks */ SHOW /**/ STATUS LIKE /* what */ 'Ssl_cipher' -- why",
    "# so\nSHOW STATUS LIKE 'Ssl_cipher'",
    "SHOW STATUS LIKE 'Ssl\\_cipher'",
    "SHOW STATUS LIKE 'ssl_ciphe_'",
    "SHOW STATUS WHERE Variable_name = 'Ssl_cipher'",
    "SHOW STATUS WHERE `variable_name`='ssl_cipher'",
    "SHOW SESSION STATUS WHERE VARIABLE_NAME LIKE 'Ssl_cipher'",
    "SHOW STATUS WHERE Variable_name IN ('Ssl_cipher')",
];

/// Statements that ask for other variables as well.
const ABOUT_MORE: &[&str] = &[
    "SHOW STATUS LIKE 'Ssl%'",
    "SHOW STATUS LIKE 'ssl_%'",
    "SHOW STATUS LIKE '%ssl%'",
    "SHOW STATUS LIKE '%Ssl_cipher'",
    "SHOW STATUS LIKE '%cipher%'",
    "SHOW GLOBAL STATUS LIKE 'Ssl\\_v%'",
    "SHOW STATUS WHERE Variable_name IN ('Ssl_cipher', 'Ssl_accepts')",
];

/// Conditions that are kept as they are.
const CONDITIONS: &[&str] = &[
    "Variable_name = ?",
    "Variable_name LIKE ?",
    "Variable_name IN (?, ?)",
    "Variable_name = 'Ssl_cipher' OR Variable_name = 'Ssl_version'",
    "Variable_name = 'Ssl_cipher' AND Value <> ''",
    "(`Variable_name` LIKE 'Ssl_c%') && Value != \"\"",
    "lower(Variable_name) = 'ssl_cipher'",
    "UPPER( variable_name ) IN ('SSL_CIPHER', 'SSL_VERSION')",
    "Variable_name REGEXP '^ssl_(cipher|version)$'",
    "Variable_name NOT LIKE 'Com%' AND Variable_name LIKE '%cipher'",
    "Variable_name = 'Ssl_cipher' OR 1",
    "Variable_name IN ('Ssl_cipher', 'Uptime')",
];

/// Questions in versioned comments.
const VERSIONED: &[&str] = &[
    "/*!40101 SHOW STATUS LIKE 'Ssl_cipher' */",
    "SHOW /*!50002 SESSION */ STATUS LIKE 'Ssl_cipher'",
    "SHOW STATUS LIKE /*! 'Ssl_cipher' */",
    "/*M! SHOW*/ STATUS LIKE 'Ssl_cipher'",
];

/// Statements that the engine answers unchanged.
const OTHERS: &[&str] = &[
    "",
    "SHOW",
    "SHOW STATUS",
    "SHOW STATUS LIKE",
    "SHOW STATUS LIKE ''",
    "SHOW STATUS LIKE '%'",
    "SHOW STATUS LIKE 'Threads%'",
    "SHOW STATUS LIKE 'Ssl_accepts'",
    "SHOW STATUS LIKE 'Ssl_cipher_list'",
    "SHOW STATUS LIKE 'Ssl_cipher' 'x'",
    "SHOW STATUS LIKE 'Ssl_cipher''x'",
    "SHOW STATUS LIKE 'Ssl_cipher\\''",
    "SHOW STATUS LIKE 'Ssl_cipher",
    "SHOW STATUS LIKE Ssl_cipher",
    "SHOW STATUS LIKE _utf8'Ssl_cipher'",
    "SHOW STATUS LIKE 'Ssl_cipher'; SELECT 1",
    "SHOW STATUS LIKE 'Ssl_cipher';;",
    "SHOW STATUS LIKE 'Ssl_cipher' LIMIT 1",
    "/*!50701 SHOW STATUS LIKE 'Ssl_cipher' */",
    "/*!40101 SET NAMES utf8 */",
    "SHOW STATUS LIKE 'Ssl_cipher' /* no end",
    "SHOWSTATUS LIKE 'Ssl_cipher'",
    "SHOW FULL STATUS LIKE 'Ssl_cipher'",
    "SHOW GLOBAL SESSION STATUS LIKE 'Ssl_cipher'",
    "SHOW VARIABLES LIKE 'Ssl_cipher'",
    "SHOW STATUS WHERE Variable_name IN ()",
    "SHOW STATUS WHERE `Variable_name = 'Ssl_cipher'",
    "SHOW STATUS WHERE Variable_name = 'Uptime'",
    "SHOW STATUS WHERE Variable_name = (SELECT 'Ssl_cipher')",
    "SHOW STATUS WHERE f('Ssl_cipher')",
    "SHOW STATUS WHERE Variable_name = 'Ssl_cipher'; SELECT 1",
    "SHOW STATUS WHERE Variable_name = 'Ssl_cipher' LIMIT 1",
    "SHOW STATUS WHERE @a = 'Ssl_cipher'",
    "SELECT 1",
    "SELECT 'SHOW STATUS LIKE ''Ssl_cipher'''",
    "EXPLAIN SHOW STATUS LIKE 'Ssl_cipher'",
];

#[test]
fn a_question_about_the_cipher_is_answered_with_it_whatever_its_form() {
    for question in ABOUT_CIPHER {
        let answer = format!("{CIPHER_ROW} LIMIT 8");
        assert_eq!(rewritten(question), Some(answer), "{question}");
    }
    assert_eq!(
        rewritten("SHOW STATUS LIKE 'Ssl_version'"),
        Some(format!("{VERSION_ROW} LIMIT 8"))
    );
    assert_eq!(
        rewritten("SHOW STATUS WHERE variable_name IN ( 'Ssl_version' , 'ssl_cipher' )"),
        Some(format!("{CIPHER_ROW} UNION ALL {VERSION_ROW} LIMIT 8"))
    );
}

#[test]
fn a_question_about_more_variables_keeps_its_condition() {
    for question in ABOUT_MORE {
        let answer = rewritten(question).unwrap_or_else(|| panic!("{question}"));
        let scope = if question.contains("GLOBAL") {
            "GLOBAL"
        } else {
            "SESSION"
        };
        for part in [
            &format!("information_schema.{scope}_STATUS"),
            "WHEN 'SSL_CIPHER' THEN 'TLS_AES_128_GCM_SHA256'",
            "WHEN 'SSL_VERSION' THEN 'TLSv1.3'",
        ] {
            assert!(answer.contains(part), "{question}: {answer}");
        }
    }
    let answer = rewritten("SHOW STATUS LIKE \"Ssl\\_%\"").unwrap();
    assert!(
        answer.contains("WHERE `Variable_name` LIKE 'Ssl\\_%' ORDER"),
        "{answer}"
    );
}

#[test]
fn conditions_are_kept_and_versioned_comments_opened() {
    for (condition, end) in CONDITIONS
        .iter()
        .zip([";", "", " ; -- why", "# why"].iter().cycle())
    {
        let question = format!("SHOW GLOBAL STATUS WHERE {condition}{end}");
        let answer = rewritten(&question).unwrap_or_else(|| panic!("{question}"));
        let kept = format!("AS s WHERE ({condition}) LIMIT");
        assert!(answer.contains(&kept), "{answer}");
        assert!(
            answer.contains("information_schema.GLOBAL_STATUS"),
            "{answer}"
        );
        assert_eq!(rewritten(&answer), None, "{answer}");
    }
    for question in VERSIONED {
        assert_eq!(
            rewritten(question),
            Some(format!("{CIPHER_ROW} LIMIT 8")),
            "{question}"
        );
        for cut in 0..=question.len() {
            assert!(
                may_be_question(&question.as_bytes()[..cut]),
                "{question} cut at {cut}"
            );
        }
    }
}

#[test]
fn other_statements_are_left_alone() {
    for statement in OTHERS {
        assert_eq!(rewritten(statement), None, "{statement}");
    }
    let long = format!("SHOW STATUS LIKE '{}Ssl_cipher'", "%".repeat(NAME_MAX));
    assert_eq!(rewritten(&long), None);
    let many = format!("'Ssl_cipher'{}", ", 'Ssl_cipher'".repeat(NAMES_MAX));
    let many = rewritten(&format!("SHOW STATUS WHERE Variable_name IN ({many})"));
    assert!(many.is_some_and(|answer| answer.contains("information_schema")));
}

#[test]
fn an_answer_is_no_question_and_every_beginning_of_a_question_may_become_one() {
    for question in ABOUT_CIPHER.iter().chain(ABOUT_MORE) {
        let answer = rewritten(question).unwrap();
        assert_eq!(rewritten(&answer), None, "{answer}");
        for cut in 0..=question.len() {
            let beginning = &question.as_bytes()[..cut];
            assert!(may_be_question(beginning), "{question} cut at {cut}");
        }
    }
    for other in ["SE", "SELECT 1", "SHOWS", "KILL 1", "X"] {
        assert!(!may_be_question(other.as_bytes()), "{other}");
    }
}

#[test]
fn patterns_match_as_like_does() {
    for (pattern, text, want) in [
        ("ssl_cipher", "ssl_cipher", true),
        ("SSL%", "ssl_cipher", true),
        ("%", "", true),
        ("", "", true),
        ("", "a", false),
        ("a%b%c", "aXbXbXc", true),
        ("a%b%c", "aXbXbXd", false),
        ("\\_a", "_a", true),
        ("\\_a", "xa", false),
        ("\\%", "%", true),
        ("ssl\\", "ssl\\", true),
        ("_", "", false),
        ("%_", "a", true),
    ] {
        assert_eq!(
            is_like(pattern.as_bytes(), text.as_bytes()),
            want,
            "{pattern} {text}"
        );
    }
}

//! The C libraries of MySQL and MariaDB.

use super::family::{Family, UNKNOWN};
use crate::explain::judgement::{
    ALL, CHAIN, CHAIN_ONLY, FALLS_BACK, Judgement, MAYBE, PLAIN, SWITCHED_OFF, TLS_ONLY,
    TLS_UNCHECKED, say,
};
use crate::explain::read_values::ReadValues;

pub static LIBMYSQLCLIENT: Family = Family {
    name: "MySQL's C library",
    ids: &["libmysqlclient"],
    reads: &["mysqloptsslmode", "mysqloptsslca", "mysqlopttlsversion"],
    judge: judge_libmysqlclient,
    own_words: &["MYSQL_OPT_SSL_MODE"],
    ..UNKNOWN
};

pub static LIBMARIADB: Family = Family {
    name: "MariaDB's C library",
    ids: &["libmariadb"],
    reads: &[
        "mysqloptsslverifyservercert",
        "mysqloptsslenforce",
        "mysqloptsslca",
        "mysqlopttlsversion",
        "mariadbopttlsversion",
    ],
    judge: judge_libmariadb,
    own_words: &[
        "MYSQL_OPT_SSL_VERIFY_SERVER_CERT",
        "MYSQL_OPT_SSL_ENFORCE",
        "MYSQL_OPT_SSL_CA",
    ],
    ..UNKNOWN
};

fn judge_libmysqlclient(values: &ReadValues) -> Judgement {
    if values.marked("SSL_MODE_DISABLED") {
        return say(PLAIN, &[SWITCHED_OFF]);
    }
    if values.marked("SSL_MODE_VERIFY_IDENTITY") {
        return say(ALL, &[]);
    }
    if values.marked("SSL_MODE_VERIFY_CA") || values.has("mysqloptsslca") {
        let why = "Only `SSL_MODE_VERIFY_IDENTITY` also checks the host name.";
        return say(CHAIN, &[why, CHAIN_ONLY]);
    }
    if values.marked("SSL_MODE_REQUIRED") {
        return say(
            TLS_ONLY,
            &[
                "`SSL_MODE_REQUIRED` encrypts and verifies nothing.",
                TLS_UNCHECKED,
            ],
        );
    }
    say(
        MAYBE,
        &["The default mode is `SSL_MODE_PREFERRED`.", FALLS_BACK],
    )
}

fn judge_libmariadb(values: &ReadValues) -> Judgement {
    let is_off = values.resolved("mysqloptsslverifyservercert") == Some("0");
    if values.has("mysqloptsslverifyservercert") && !is_off {
        return say(ALL, &[]);
    }
    if values.has("mysqloptsslca") {
        let why = "`MYSQL_OPT_SSL_CA` alone checks the chain; \
                   `MYSQL_OPT_SSL_VERIFY_SERVER_CERT` also checks the host name.";
        return say(CHAIN, &[why, CHAIN_ONLY]);
    }
    if values.has("mysqloptsslenforce") {
        let why = "`MYSQL_OPT_SSL_ENFORCE` alone encrypts and verifies nothing.";
        return say(TLS_ONLY, &[why, TLS_UNCHECKED]);
    }
    say(
        MAYBE,
        &["Up to 3.3 it verifies nothing by default.", FALLS_BACK],
    )
}

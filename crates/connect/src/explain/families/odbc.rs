//! MariaDB's and MySQL's ODBC drivers.

use super::family::{Family, UNKNOWN};
use crate::explain::judgement::{
    ALL, CHAIN, CHAIN_ONLY, Judgement, NOTHING_ASKS, PLAIN, TLS_ONLY, TLS_UNCHECKED, judge_mode,
    say,
};
use crate::explain::read_values::ReadValues;

pub static ODBC: Family = Family {
    name: "ODBC",
    ids: &["odbc"],
    reads: &["sslmode", "sslca", "sslverify", "forcetls", "tlsversion"],
    judge: judge_odbc,
    drivers: &["pyodbc"],
    own_words: &["\nDriver = ", "\nDriver="],
    has_semicolon_options: |values| values.any(&["driver", "dsn", "sslverify", "forcetls"]),
    ..UNKNOWN
};

fn judge_odbc(values: &ReadValues) -> Judgement {
    if values.has("sslmode") {
        return judge_mode(values);
    }
    if !values.has("sslca") && !values.on("forcetls") {
        return say(
            PLAIN,
            &[
                "MariaDB's driver speaks plain text without `SSLCA`.",
                NOTHING_ASKS,
            ],
        );
    }
    if values.on("sslverify") {
        return say(ALL, &[]);
    }
    if !values.has("sslca") {
        let why = "`FORCETLS=1` alone checks nothing: `SSLVERIFY=1` checks chain and host name.";
        return say(TLS_ONLY, &[why, TLS_UNCHECKED]);
    }
    say(
        CHAIN,
        &[
            "Without `SSLVERIFY=1` the host name is not checked.",
            CHAIN_ONLY,
        ],
    )
}

//! DBD::MariaDB of Perl.

use super::family::{Family, UNKNOWN};
use crate::explain::judgement::{
    ALL, CHAIN, CHAIN_ONLY, Judgement, NOTHING_ASKS, PLAIN, TLS_ONLY, TLS_UNCHECKED, say,
};
use crate::explain::read_values::ReadValues;

pub static PERL: Family = Family {
    name: "Perl DBD::MariaDB",
    ids: &["dbd-mariadb"],
    reads: &[
        "mariadbssl",
        "mariadbsslcafile",
        "mariadbsslverifyservercert",
        "mysqlssl",
        "mysqlsslcafile",
        "mysqlsslverifyservercert",
        "mysqlssloptional",
    ],
    judge: judge_perl,
    source_heads: &["dbi:mariadb:", "dbi:mysql:"],
    ..UNKNOWN
};

fn judge_perl(values: &ReadValues) -> Judgement {
    let on = values.on("mariadbssl") || values.on("mysqlssl");
    if !on {
        return say(
            PLAIN,
            &[
                "Without `mariadb_ssl=1` the driver stays in plain text, even if it is told to \
                 verify.",
                NOTHING_ASKS,
            ],
        );
    }
    if !values.any(&["mariadbsslcafile", "mysqlsslcafile"]) {
        return say(
            TLS_ONLY,
            &["Without a CA file it verifies nothing.", TLS_UNCHECKED],
        );
    }
    if values.on("mariadbsslverifyservercert") || values.on("mysqlsslverifyservercert") {
        return say(ALL, &[]);
    }
    say(
        CHAIN,
        &[
            "Without `mariadb_ssl_verify_server_cert=1` the host name is not checked.",
            CHAIN_ONLY,
        ],
    )
}

//! MySqlConnector of .NET.

use super::family::{Family, UNKNOWN};
use crate::explain::judgement::{
    ALL, CHAIN, CHAIN_ONLY, FALLS_BACK, Judgement, MAYBE, PLAIN, SWITCHED_OFF, TLS_ONLY,
    TLS_UNCHECKED, UNKNOWN_MODE, UNREADABLE, say,
};
use crate::explain::read_values::ReadValues;

pub static DOTNET: Family = Family {
    name: "MySqlConnector (.NET)",
    ids: &["dotnet-mysqlconnector"],
    reads: &["sslmode", "sslca", "cacertificatefile", "tlsversion"],
    judge: judge_dotnet,
    own_words: &[
        "MySqlConnector",
        "new MySqlConnection(",
        "MySqlSslMode",
        "UseMySql",
        "UseMySQL",
        "ConnectionStrings",
    ],
    ..UNKNOWN
};

fn judge_dotnet(values: &ReadValues) -> Judgement {
    match values.word("sslmode").as_deref() {
        Some("verifyfull" | "verifyidentity") => say(ALL, &[]),
        Some("verifyca") => say(
            CHAIN,
            &[
                "`VerifyCA` does not check the host name; `VerifyFull` checks both.",
                CHAIN_ONLY,
            ],
        ),
        Some("required") => say(
            TLS_ONLY,
            &["`Required` encrypts and verifies nothing.", TLS_UNCHECKED],
        ),
        Some("none" | "disabled") => say(PLAIN, &[SWITCHED_OFF]),
        None | Some("preferred" | "prefered") => {
            say(MAYBE, &["The default is `SslMode=Preferred`.", FALLS_BACK])
        }
        Some(_) => say(UNREADABLE, &[UNKNOWN_MODE]),
    }
}

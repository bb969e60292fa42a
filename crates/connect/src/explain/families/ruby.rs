//! The gem mysql2 of Ruby.

use super::family::{Family, UNKNOWN};
use crate::explain::judgement::{DEPENDS, Judgement, judge_mode, say};
use crate::explain::read_values::ReadValues;

pub static RUBY: Family = Family {
    name: "Ruby mysql2",
    ids: &["ruby-mysql2", "rails"],
    reads: &["sslmode", "sslca", "sslcapath", "tlsversion"],
    judge: judge_ruby,
    own_words: &["Mysql2::", "adapter: mysql2", ":verify_identity"],
    ..UNKNOWN
};

fn judge_ruby(values: &ReadValues) -> Judgement {
    if values.is("sslmode", &["verifyidentity"]) {
        let why = "The gem checks the host name only if it is built on MySQL's library; on \
                   MariaDB's (Debian) it never does, and without a CA it checks nothing.";
        return say(DEPENDS, &[why]);
    }
    judge_mode(values)
}

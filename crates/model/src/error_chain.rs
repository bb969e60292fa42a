//! An error with its causes as one line, for logs and for text that leaves the process.

use std::error::Error;
use std::sync::Arc;

/// A cause that several errors share.
pub type SharedError = Arc<dyn Error + Send + Sync>;

/// Returns the message of an error, followed by those of its sources: `outer: cause: root cause`.
///
/// A source whose text is already part of the line is left out: some libraries repeat their source
/// in their own message.
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        next = cause.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Nested {
        #[error("the file could not be read")]
        Outer(#[source] Box<Nested>),
        #[error("the socket failed: {0}")]
        Repeats(#[source] std::io::Error),
    }

    #[test]
    fn each_cause_is_named_once() {
        let root = std::io::Error::other("connection reset");
        let error = Nested::Outer(Box::new(Nested::Repeats(root)));
        assert_eq!(
            error_chain(&error),
            "the file could not be read: the socket failed: connection reset"
        );
    }
}

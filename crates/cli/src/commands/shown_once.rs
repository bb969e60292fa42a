//! Secrets that are shown only once: if standard output failed, the command says that what it made
//! exists, and how to get another secret.

use crate::context::Context;
use crate::failure::Failure;
use crate::screen;
use crate::server_options::ServerOptions;
use crate::standard_output::{is_closed, is_lost};
use anyhow::Result;

/// Secret that a command prints only once.
#[derive(Debug)]
pub struct ShownOnce {
    /// Words for the thing that exists now, such as `cluster shop exists`.
    pub made: String,
    /// Name of the secret.
    pub secret: &'static str,
    /// How to get another one.
    pub hint: String,
}

impl ShownOnce {
    /// The password of a cluster's root.
    pub fn root_password(cluster: &str) -> Self {
        Self {
            made: format!("cluster {cluster} exists"),
            secret: "password",
            hint: format!("`tidegate cluster password {cluster}` prints a new one"),
        }
    }

    /// Returns the result of printing it. If it was not shown, the failure says so.
    pub fn check(self, context: &Context, printed: Result<()>) -> Result<()> {
        screen::flush();
        let failure = Failure::new(
            format!("{}, but the {} was not shown", self.made, self.secret),
            self.hint.clone(),
        );
        match printed {
            Err(error) => Err(error.context(failure)),
            Ok(()) if is_lost() => Err(failure.caused_by("standard output has failed").into()),
            // Not a failure: a program may have given /dev/null on purpose.
            Ok(()) => {
                if is_closed() {
                    let hint = ServerOptions::of(&context.global).add_to(&self.hint);
                    screen::say(&format!(
                        "warning: {}, because standard output is closed\n  hint: {hint}",
                        failure.cause
                    ));
                }
                Ok(())
            }
        }
    }
}

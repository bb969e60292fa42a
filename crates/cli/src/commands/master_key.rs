//! `tidegate key rotate-master`: replaces the master key, in the running server or, if none runs,
//! in the data directory.

use super::trust::need_owner;
use crate::context::{Context, ask};
use crate::failure::Failure;
use crate::screen;
use anyhow::Result;
use tidegate_console::ClientError;
use tidegate_console::types::MasterKeyRotation;
use tidegate_model::printable;
use tidegate_tls::{MasterKey, StateFolder, TlsError};

pub fn rotate(context: &Context) -> Result<()> {
    let rotated = match rotate_in_server(context)? {
        Some(rotated) => rotated,
        None => rotate_at_rest(context)?,
    };
    if context.global.json {
        return screen::print_json(&rotated);
    }
    screen::say(&format!(
        "the master key is now {}; files encrypted again: {}",
        rotated.key, rotated.files
    ));
    for file in &rotated.unreadable {
        screen::say(&format!(
            "{} was left as it is: no key of this server opens it",
            printable(file)
        ));
    }
    let file = MasterKey::path_in(&context.data);
    screen::say(&format!("back up the new {}", file.display()));
    Ok(())
}

/// Returns `None` if no server runs.
fn rotate_in_server(context: &Context) -> Result<Option<MasterKeyRotation>> {
    let client = context.client();
    ask(async {
        match client.rotate_master_key().await {
            Ok(rotated) => Ok(Some(rotated)),
            Err(ClientError::NoServer { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    })
}

fn rotate_at_rest(context: &Context) -> Result<MasterKeyRotation> {
    let file = MasterKey::path_in(&context.data);
    // Opening would make a key: of a server whose service manager passes it, or in a wrong folder.
    if !file.exists() {
        let cause = format!("no server runs here, and there is no {}", file.display());
        let hint = "name the server's data directory with --data DIR; if the service manager \
                    passes the key, replace it there";
        return Err(Failure::new(cause, hint).into());
    }
    need_owner(context)?;
    // Locked, so that no server starts in between.
    let dir = crate::compose::lock(&context.data)?;
    let values = StateFolder::of_files(dir.root());
    let master = MasterKey::open(dir.root(), values).map_err(at_rest_failure)?;
    Ok(master.rotate().map_err(at_rest_failure)?.into())
}

fn at_rest_failure(error: TlsError) -> Failure {
    let hint = match &error {
        TlsError::FormerAccount(_) => {
            "start the server once, which rewrites the accounts of its CAs; if the file is still \
             in the way, remove it, which gives up that account"
        }
        _ => "fix the cause, then run the command again",
    };
    Failure::of(error, hint)
}

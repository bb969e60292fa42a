//! `tidegate open`: signs a browser of this desktop in to the console, or prints the link.

use super::operator::{print_link, say_browser_warning};
use crate::context::{Context, ask};
use crate::{paths, screen};
use anyhow::Result;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tidegate_console::types::Secret;

/// Page in the user's runtime directory that leads the browser to the link.
const PAGE: &str = "tidegate-open.html";

pub fn run(context: &Context) -> Result<()> {
    let link = ask(context.client().sign_in_link())?;
    if context.global.json {
        return screen::print_json(&link);
    }
    match desktop_folder() {
        Some(folder) if open_browser(&folder, &link.url) => {
            screen::say("opened the console in the browser; the link signs in once");
            say_browser_warning(context)
        }
        _ => print_link(context, &link.url),
    }
}

/// Returns the user's private runtime directory, if this is a session with a desktop.
fn desktop_folder() -> Option<PathBuf> {
    from_env("DISPLAY").or_else(|| from_env("WAYLAND_DISPLAY"))?;
    from_env("XDG_RUNTIME_DIR")
}

fn from_env(name: &str) -> Option<PathBuf> {
    paths::path_from_env(|name| std::env::var_os(name), name)
}

/// Opens the link in the desktop's browser. Returns false if that failed.
///
/// All users of the machine see the arguments of a process, and the link signs in whoever has it.
/// So the browser gets the path of a private page, which leads to it.
fn open_browser(folder: &Path, link: &Secret) -> bool {
    let page = folder.join(PAGE);
    if write_page(&page, link.reveal()).is_err() {
        return false;
    }
    let opened = Command::new("xdg-open")
        .arg(&page)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let is_open = opened.is_ok_and(|status| status.success());
    if !is_open {
        let _ = std::fs::remove_file(&page);
    }
    is_open
}

fn write_page(page: &Path, link: &str) -> std::io::Result<()> {
    match std::fs::remove_file(page) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(page)?;
    // The server makes links of a host, a port and hexadecimal digits: nothing needs escaping.
    writeln!(
        file,
        "<!doctype html><meta charset=utf-8><title>Tidegate</title>\
         <meta http-equiv=refresh content=\"0;url={link}\"><a href=\"{link}\">Sign in</a>"
    )
}

//! Runs a tool of the system, with limits of time and output and in the C locale. No shell is used.

use super::user::StoreUser;
use crate::context::block_on;
use crate::failure::Failure;
use crate::limits::{STORE_TOOL_MAX, TOOL_OUTPUT_MAX};
use anyhow::{Context, Result};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

/// Folders of administrators' tools, searched even if sudo or a service left them out of $PATH.
const MORE_FOLDERS: [&str; 4] = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"];

/// Result of a tool.
pub struct ToolResult {
    pub ok: bool,
    pub out: Vec<u8>,
    /// Last line of its output, for people.
    pub said: String,
}

/// Finds a program by name in the system whose files are under `root`.
pub fn find(root: &Path, name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(MORE_FOLDERS.iter().map(PathBuf::from));
    folders
        .map(|folder| files_under(root, &folder).join(name))
        .find(|program| program.is_file())
}

/// Returns a path of the system whose files are under `root`.
pub fn files_under(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Runs a tool to its end.
pub fn run<A: AsRef<OsStr>>(
    program: &Path,
    args: &[A],
    env: &[(&str, &str)],
) -> Result<ToolResult> {
    let mut command = Command::new(program);
    command.args(args).envs(env.iter().copied());
    run_command(program, command)
}

/// Runs a tool as a user, with that user's home. Only root can become another.
pub fn run_as<A: AsRef<OsStr>>(program: &Path, args: &[A], user: &StoreUser) -> Result<ToolResult> {
    let mut command = Command::new(program);
    command.args(args).env("HOME", &user.home).current_dir("/");
    if rustix::process::geteuid().as_raw() != user.uid {
        // The standard library drops root's other groups when it changes the user.
        command.uid(user.uid).gid(user.gid);
    }
    run_command(program, command)
}

fn run_command(program: &Path, mut command: Command) -> Result<ToolResult> {
    command
        .env("LC_ALL", "C")
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let ended = block_on(async { tokio::time::timeout(STORE_TOOL_MAX, to_end(command)).await })?;
    ended
        .map_err(|_| {
            Failure::new(
                format!(
                    "{} did not end within {STORE_TOOL_MAX:?}",
                    program.display()
                ),
                "run the command again",
            )
        })?
        .with_context(|| format!("running {}", program.display()))
}

/// Runs a tool, and returns its output. A tool that fails is an error with its last line.
pub fn must<A: AsRef<OsStr>>(program: &Path, args: &[A], env: &[(&str, &str)]) -> Result<Vec<u8>> {
    succeeded(program, run(program, args, env)?)
}

/// Runs a tool as a user, like [`must`].
pub fn must_as<A: AsRef<OsStr>>(program: &Path, args: &[A], user: &StoreUser) -> Result<Vec<u8>> {
    succeeded(program, run_as(program, args, user)?)
}

fn succeeded(program: &Path, ran: ToolResult) -> Result<Vec<u8>> {
    if ran.ok {
        return Ok(ran.out);
    }
    let cause = format!("{} failed: {}", program.display(), ran.said);
    Err(Failure::new(
        cause,
        "fix that, then run the same command again: the steps already done are kept",
    )
    .into())
}

async fn to_end(mut command: Command) -> std::io::Result<ToolResult> {
    let mut child = command.spawn()?;
    let out = child.stdout.take();
    let err = child.stderr.take();
    // At the same time: a tool that fills one pipe would block while the other is read.
    let (out, err, status) = tokio::join!(read(out), read(err), child.wait());
    let out = out?;
    let err = err?;
    // Some tools print errors on standard output.
    let words = [&out, &err].map(|text| String::from_utf8_lossy(text).trim().to_owned());
    let said = words
        .iter()
        .rev()
        .find(|text| !text.is_empty())
        .and_then(|text| text.lines().last());
    Ok(ToolResult {
        ok: status?.success(),
        said: said.unwrap_or("it printed nothing").to_owned(),
        out,
    })
}

async fn read(pipe: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    if let Some(mut pipe) = pipe {
        (&mut pipe)
            .take(TOOL_OUTPUT_MAX)
            .read_to_end(&mut text)
            .await?;
        // The rest is read and dropped, because otherwise the tool would block on a full pipe.
        tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_fails_is_quoted_with_its_last_line() {
        let shell = Path::new("/bin/sh");
        assert_eq!(
            must(shell, &["-c", "echo $A"], &[("A", "yes")]).unwrap(),
            b"yes\n"
        );
        let error = must(shell, &["-c", "echo one; echo two >&2; exit 3"], &[])
            .unwrap_err()
            .to_string();
        assert_eq!(error, "/bin/sh failed: two");
        assert!(run(Path::new("/nowhere/tool"), &[""; 0], &[]).is_err());
    }
}

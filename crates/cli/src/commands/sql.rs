//! `tidegate sql`: replaces itself with this machine's own client, with the options that verify the
//! server. The client gets the password in a private file in memory, never in an argument, in its
//! environment or in a file on disk.

use super::installed_client::{INSTALL_HINT, InstalledClient};
use crate::args::SqlArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::{screen, terminal};
use anyhow::Result;
use rustix::fs::{MemfdFlags, Mode, fchmod, memfd_create};
use rustix::io::{FdFlags, fcntl_setfd};
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use zeroize::Zeroizing;

/// Environment variable with the password.
pub const PASSWORD_ENV: &str = "TIDEGATE_PASSWORD";

/// Errors of a login to a database that is not there, or that the user can't use.
const NO_DATABASE: [&str; 2] = ["ERROR 1044 ", "ERROR 1049 "];

pub fn run(context: &Context, args: &SqlArgs) -> Result<()> {
    let endpoint = super::endpoint::endpoint(context, &args.name, &args.user)?;
    let client = InstalledClient::find().ok_or_else(|| {
        let hint = format!(
            "{INSTALL_HINT}, or connect with another client: `tidegate connect {}`",
            args.name
        );
        Failure::new("neither `mariadb` nor `mysql` is on PATH", hint)
    })?;
    let password = password(args, &endpoint.user)?;
    let options = options_file(&password)?;
    // `exec` runs no destructors, so the password is wiped here.
    drop(password);
    let flags = tidegate_connect::argv(client.id, &endpoint)?;
    let database = match &args.database {
        Some(database) => Some(database.as_str()),
        None => usable_database(&client, &flags, &options, &endpoint.database),
    };
    let mut command = client_command(&client, &flags, &options, database);
    if let Some(sql) = &args.execute {
        command.arg("-e").arg(sql);
    }
    command.args(&args.client_arguments);
    let error = command.exec();
    Err(Failure::new(
        format!("{} can't be run", client.program.display()),
        "check that it is installed completely and that this user may run it",
    )
    .caused_by(error)
    .into())
}

/// Returns the client's command line for a session in this database.
fn client_command(
    client: &InstalledClient,
    flags: &[String],
    options: &File,
    database: Option<&str>,
) -> Command {
    let mut command = Command::new(&client.program);
    // --defaults-file, not --defaults-extra-file: a ~/.my.cnf with other TLS options or another
    // password would take precedence over an extra file.
    command.arg(format!(
        "--defaults-file=/proc/self/fd/{}",
        options.as_raw_fd()
    ));
    // The first word is the name of the program.
    let mut flags = flags.iter().skip(1);
    while let Some(flag) = flags.next() {
        match flag.as_str() {
            // The option file has the password, so the client must not ask for it.
            "-p" => {}
            "-D" => drop(flags.next()),
            _ => drop(command.arg(flag)),
        }
    }
    command.args(database.map(|name| format!("--database={name}")));
    // mysql reads a login path after all other files, even after --defaults-file.
    command
        .env("MYSQL_TEST_LOGIN_FILE", "/dev/null")
        .env_remove(PASSWORD_ENV)
        .env_remove("MYSQL_PWD");
    command
}

/// Returns the database, unless this user can't use it or it does not exist: only the engine knows,
/// and a client whose login names such a database gets no session.
fn usable_database<'a>(
    client: &InstalledClient,
    flags: &[String],
    options: &File,
    database: &'a str,
) -> Option<&'a str> {
    let mut command = client_command(client, flags, options, Some(database));
    let tried = command.args(["-e", "DO 0"]).stdin(Stdio::null()).output();
    // Another error is the same at the next login, which shows it.
    let said = String::from_utf8_lossy(&tried.ok()?.stderr).into_owned();
    if !NO_DATABASE.iter().any(|error| said.contains(error)) {
        return Some(database);
    }
    screen::say(&format!(
        "no database is selected, because this user can't use {database:?}; -D NAME selects one"
    ));
    None
}

fn password(args: &SqlArgs, user: &str) -> Result<Zeroizing<String>> {
    if let Some(file) = &args.password_file {
        let text = std::fs::read_to_string(file)
            .map(Zeroizing::new)
            .map_err(|error| {
                Failure::new(
                    format!("the password file {} can't be read", file.display()),
                    "check the path and its permissions",
                )
                .caused_by(error)
            })?;
        return Ok(Zeroizing::new(
            text.lines().next().unwrap_or_default().to_owned(),
        ));
    }
    if let Ok(password) = std::env::var(PASSWORD_ENV) {
        return Ok(Zeroizing::new(password));
    }
    terminal::password(&format!("Password for {user}: ")).map_err(|error| {
        Failure::new(
            "there is no terminal to ask for the password",
            format!("give it with --password-file FILE, or in ${PASSWORD_ENV}"),
        )
        .caused_by(error)
        .into()
    })
}

/// Writes an option file in memory that the client inherits and nobody else can open.
fn options_file(password: &str) -> Result<File> {
    let fd = memfd_create("tidegate-sql", MemfdFlags::CLOEXEC)?;
    // The clients ignore an option file that other users may write.
    fchmod(&fd, Mode::RUSR | Mode::WUSR)?;
    let mut file = File::from(fd);
    let line = Zeroizing::new(format!("[client]\npassword=\"{}\"\n", *escaped(password)));
    file.write_all(line.as_bytes())?;
    file.rewind()?;
    // The client must inherit the file: it opens it by its number.
    fcntl_setfd(&file, FdFlags::empty())?;
    Ok(file)
}

/// Escapes a password for a value in double quotes of an option file.
fn escaped(password: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(password.len() * 2));
    for c in password.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_option_file_is_private_and_escapes_what_it_must() {
        let mut file = options_file("a\"b\\c#d e'f").unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "[client]\npassword=\"a\\\"b\\\\c#d e'f\"\n");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn the_real_client_reads_that_very_password() {
        let Some(found) = InstalledClient::find() else {
            let _ = std::io::stderr().write_all(b"\nnot run: no command-line client is on PATH\n");
            return;
        };
        for password in [
            "plain",
            "a\"b",
            "c\\d",
            "e#f",
            " g ",
            "h'i;j",
            "k\\n",
            "\u{e4}\u{20ac}",
        ] {
            let file = options_file(password).unwrap();
            let out = Command::new(&found.program)
                .arg(format!(
                    "--defaults-file=/proc/self/fd/{}",
                    file.as_raw_fd()
                ))
                // Prints the password as the client read it. Newer clients mask it; then it can't
                // be compared.
                .arg("--print-defaults")
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&out.stdout).into_owned();
            assert!(text.contains("--password="), "{text}");
            if !text.contains("--password=*") {
                assert!(
                    text.contains(&format!("--password={password}")),
                    "{password:?} became {text}"
                );
            }
        }
    }
}

//! The measured use of a cluster beside its limits: in `cluster show`, its JSON and the console,
//! compared with what the kernel says of the engine.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::path::Path;
use std::process::Command;
use tidegate_e2e::console::Console;
use tidegate_e2e::session::Session;

/// Limits as the command line takes them.
const LIMITS: [&str; 8] = [
    "--memory-max",
    "512M",
    "--disk-max",
    "1G",
    "--cpu-weight",
    "70",
    "--tasks-max",
    "200",
];

/// Value of a row of `cluster show`.
fn row_of(shown: &str, label: &str) -> String {
    let row = shown.lines().find_map(|line| line.strip_prefix(label));
    row.unwrap_or_else(|| panic!("no {label} in\n{shown}"))
        .trim()
        .to_owned()
}

/// Value beside a label in the part of the console's page about the machine.
fn part_of(page: &str, label: &str) -> String {
    let part = page.split("data-part=machine").nth(1);
    let part = part.or_else(|| page.split("data-part=\"machine\"").nth(1));
    let part = part.unwrap_or_else(|| panic!("no such part in {page}"));
    let row = part.split(&format!("<dt>{label}</dt><dd>")).nth(1);
    let row = row.or_else(|| part.split(&format!("<dt>{label}<dd>")).nth(1));
    let row = row.unwrap_or_else(|| panic!("no {label} in {part}"));
    row.split('<').next().unwrap().trim().to_owned()
}

/// Bytes of "127.5 MB".
fn bytes_of(text: &str) -> f64 {
    let (number, unit) = text.split_once(' ').unwrap_or_else(|| panic!("{text:?}"));
    let factor = match unit {
        "bytes" => 1.0,
        "KB" => 1024.0,
        "MB" => 1024.0 * 1024.0,
        "GB" => 1024.0 * 1024.0 * 1024.0,
        _ => panic!("{text:?}"),
    };
    number.parse::<f64>().unwrap() * factor
}

/// Checks "USED of LIMIT" against these bytes, which were measured at another moment.
fn assert_bytes(what: &str, text: &str, real: f64, limit: f64) {
    let (used, most) = text
        .split_once(" of ")
        .unwrap_or_else(|| panic!("{what}: {text}"));
    let used = bytes_of(used);
    assert!(
        (used / real - 1.0).abs() < 0.25,
        "{what}: {text}, really {real}"
    );
    assert!(
        (bytes_of(most) / limit - 1.0).abs() < 1e-6,
        "{what}: {text}"
    );
}

/// Memory without a file behind it, in bytes.
fn anonymous(pid: u32) -> f64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Anonymous:"));
    let kb: f64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kb * 1024.0
}

/// CPU time of a process in seconds.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}

fn tasks(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/task"))
        .unwrap()
        .count()
}

/// Bytes of blocks below a folder.
fn disk_use(folder: &Path) -> f64 {
    let du = Command::new("du")
        .args(["-s", "-B1"])
        .arg(folder)
        .output()
        .unwrap();
    let text = String::from_utf8(du.stdout).unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

fn number_before(text: &str, after: &str) -> f64 {
    let number = text.split(after).next().unwrap();
    let number = number.rsplit(' ').next().unwrap();
    number
        .parse()
        .unwrap_or_else(|_| panic!("no number before {after:?} in {text:?}"))
}

#[test]
fn measured_use_stands_beside_each_limit_in_all_places() {
    const MB: f64 = 1024.0 * 1024.0;
    let console = Console::start("");
    let cookie = format!("Cookie: {}", console.sign_in());
    let server = &console.server;
    let cluster = server.create("used");
    server.succeed(&[&["cluster", "set", "used"], &LIMITS[..]].concat());
    let mut session = Session::open(&cluster);
    let other = Session::open(&cluster);
    session.run("CREATE TABLE t ENGINE=MyISAM SELECT REPEAT('x', 60000) a FROM seq_1_to_2000");
    session.value("SELECT BENCHMARK(5000000, SHA2('x', 512))");
    let pid = server.engine();
    let id = std::fs::read_dir(server.data().join("engines")).unwrap();
    let folder = id.map(|entry| entry.unwrap().path()).next().unwrap();
    // A disk limit that is set is measured at once; the use is measured again soon.
    server.succeed(&["cluster", "set", "used", "--disk-max", "1G"]);
    tidegate_e2e::limits::soon("a measurement of the table", || {
        let json = server.json(&["cluster", "show", "used"]);
        (json["usage"]["disk_bytes"].as_f64()? > 115.0 * MB).then_some(())
    });
    let before = cpu_seconds(pid);
    assert!(before > 1.5, "the engine has worked: {before} s");
    let json = server.json(&["cluster", "show", "used"]);
    let shown = String::from_utf8(server.succeed(&["cluster", "show", "used"]).stdout).unwrap();
    let page = console.ask("/clusters/used", &["-H", &cookie]).body;
    let after = cpu_seconds(pid);

    let usage = &json["usage"];
    let real = [
        (
            "memory",
            "Memory",
            "memory_bytes",
            anonymous(pid),
            512.0 * MB,
        ),
        ("disk", "Disk", "disk_bytes", disk_use(&folder), 1024.0 * MB),
    ];
    for (row, label, field, real, limit) in real {
        let number = usage[field].as_f64().unwrap();
        assert!(
            (number / real - 1.0).abs() < 0.25,
            "{field}: {usage}, really {real}"
        );
        assert_bytes(row, &row_of(&shown, row), real, limit);
        assert_bytes(label, &part_of(&page, label), real, limit);
    }
    let cpu = row_of(&shown, "cpu");
    assert!(cpu.starts_with("weight 70, "), "{cpu}");
    let page_cpu = part_of(&page, "CPU");
    assert!(page_cpu.starts_with("weight 70, "), "{page_cpu}");
    // The command line shows whole seconds.
    for seconds in [
        usage["cpu_seconds"].as_f64().unwrap(),
        number_before(&cpu, " s used"),
        number_before(&page_cpu, " s used"),
    ] {
        assert!(
            (before - 1.1..after + 0.2).contains(&seconds),
            "{seconds} s, really {before} to {after}"
        );
    }
    let threads = tasks(pid) as f64;
    for count in [
        usage["tasks"].as_f64().unwrap(),
        number_before(&row_of(&shown, "tasks"), " of 200"),
        number_before(&part_of(&page, "Tasks"), " of 200"),
    ] {
        assert!(
            (count - threads).abs() <= 4.0,
            "{count} tasks, really {threads}"
        );
    }
    assert_eq!(json["sessions"], 2);
    let sessions = row_of(&shown, "sessions");
    assert!(sessions.starts_with("2 of 200"), "{sessions}");
    session.quit();
    other.quit();
}

//! Every page with made-up facts, full and empty. `TIDEGATE_PAGES=DIR cargo test -p
//! tidegate-console --lib samples` writes them as files, to be looked at.

use super::engine_form::EngineForms;
use super::frame::{Frame, Notice, WarningView};
use super::views::*;
use super::words::Moment;
use crate::types::{Secret, Warning};
use askama::Template;
use tidegate_connect::{Endpoint, TlsMinimum, Wish};
use tidegate_model::{ClusterState, Trust};
use zeroize::Zeroizing;

fn frame(title: &str, place: &'static str) -> Frame {
    Frame {
        operator: Some("admin".to_owned()),
        csrf: "c5f3".to_owned(),
        live: place == "clusters",
        ..Frame::new(title, place)
    }
}

fn row(name: &str, state: ClusterState, sessions: u32) -> ClusterRow {
    ClusterRow {
        name: name.to_owned(),
        state,
        failure: (state == ClusterState::Failed).then(|| "no space left on device".to_owned()),
        login: "k7m2q9x4w3tz.root".to_owned(),
        sleeps: true,
        sessions,
        sessions_max: 200,
        created: Moment::from_unix(1_795_376_042),
    }
}

fn clusters(rows: Vec<ClusterRow>, notice: Option<Notice>) -> String {
    let page = ClustersPage {
        frame: Frame {
            notice,
            ..frame("Clusters", "clusters")
        },
        endpoint: "db.example.com:4000".to_owned(),
        trust: "public",
        ready: true,
        total: rows.len(),
        awake: rows
            .iter()
            .filter(|row| row.state == ClusterState::Awake)
            .count(),
        find: String::new(),
        pages: Pages {
            number: 1,
            of: 2,
            before: None,
            after: Some("find=&page=2".to_owned()),
        },
        rows,
        wanted: String::new(),
        engine_forms: EngineForms::of("token", std::iter::empty()),
    };
    page.render().unwrap()
}

fn cluster(state: ClusterState, full: bool) -> String {
    let at = |s: i64| Moment::from_unix(1_795_376_042 + s);
    let session = |id, client: &str, age: &str| SessionRow {
        id,
        user: "root".to_owned(),
        client: client.to_owned(),
        tls: "TLS 1.3".to_owned(),
        age: age.to_owned(),
    };
    let wake = |s: i64, ms, recovery| WakeRow {
        at: at(s),
        ms,
        part: ms * 100 / 640,
        recovery,
    };
    let refusal = |s: i64, kind: tidegate_model::RefusalKind| {
        let entry = kind.entry();
        RefusalRow {
            at: at(s),
            client: "203.0.113.9".to_owned(),
            slug: Some(entry.slug),
            text: entry.text.to_owned(),
            code: entry.code,
        }
    };
    let page = ClusterPage {
        frame: frame("shop", "clusters"),
        row: row("shop", state, 2),
        endpoint: "db.example.com:4000".to_owned(),
        database: "test",
        engine: "mariadb".to_owned(),
        accounts: full.then(|| WarningView::from(&Warning::incomplete_accounts("shop"))),
        sessions_open: if full { 2 } else { 0 },
        sessions: if full {
            vec![
                session(2_147_483_655, "203.0.113.9:51234", "4 min 10 s"),
                session(2_147_483_661, "[2001:db8::17]:40022", "12 s"),
            ]
        } else {
            Vec::new()
        },
        wakes: if full {
            vec![
                wake(90, 84, false),
                wake(40, 101, false),
                wake(3, 640, true),
            ]
        } else {
            Vec::new()
        },
        refusals: if full {
            vec![
                refusal(80, tidegate_model::RefusalKind::AccessDenied),
                refusal(20, tidegate_model::RefusalKind::TooManyConnections),
            ]
        } else {
            Vec::new()
        },
        sleep_after: "5 min".to_owned(),
        transaction_idle_max: "1 h".to_owned(),
        since: at(-86_400),
        machine: vec![
            ("Memory", "812 MB of 1G".to_owned()),
            ("Disk", "3.9 GB of 4G".to_owned()),
            ("CPU", "weight 100, 12345.6 s used".to_owned()),
            ("Tasks", "38 of 512".to_owned()),
        ],
        limits: LimitsForm {
            connections_max: "200".to_owned(),
            sleep_after: Length {
                number: "5".to_owned(),
                unit: "m",
            },
            transaction_idle_max: Length {
                number: "1".to_owned(),
                unit: "h",
            },
            memory_max: "1G".to_owned(),
            disk_max: "4G".to_owned(),
            cpu_weight: "100".to_owned(),
            tasks_max: "512".to_owned(),
            open: full,
        },
        deleting: full,
    };
    page.render().unwrap()
}

fn connect(with: &str, password: Option<&str>, trust: Trust, fresh: bool) -> String {
    let local = matches!(trust, Trust::Local(_));
    let endpoint = Endpoint {
        host: "db.example.com".to_owned(),
        port: 4000,
        user: "k7m2q9x4w3tz.root".to_owned(),
        database: "test".to_owned(),
        trust,
    };
    let strings = tidegate_connect::render(
        with,
        &endpoint,
        Wish {
            os: Some("debian"),
            tls: TlsMinimum::Tls12,
            password,
        },
    );
    let strings = strings.map_err(|e| e.to_string());
    let step = |name: &str, ok, ms, detail: &str| StepView {
        name: name.to_owned(),
        ok,
        ms,
        detail: detail.to_owned(),
    };
    let page = ConnectPage {
        frame: frame("Connect to shop", "clusters"),
        row: row("shop", ClusterState::Asleep, 0),
        wish: Chosen {
            with: with.to_owned(),
            os: "debian".to_owned(),
            tls: "1.2".to_owned(),
        },
        clients: super::views::groups(),
        platforms: tidegate_connect::platforms(),
        forms: strings
            .as_ref()
            .map(|s| s.forms.iter().map(FormView::from).collect())
            .unwrap_or_default(),
        fails: strings
            .as_ref()
            .map(|s| s.fails.iter().map(FailsView::from).collect())
            .unwrap_or_default(),
        strings,
        password: password.map(|p| Secret::new(Zeroizing::new(p.to_owned()))),
        fresh,
        trust: if local { "local" } else { "public" },
        ca_offered: local,
        steps: match password {
            None => Vec::new(),
            Some(_) => vec![
                step("Reach the endpoint", true, Some(1), "127.0.0.1:4000"),
                step("TLS", true, Some(4), "TLS 1.3, chain and name verified"),
                step("Log in", true, Some(88), "the cluster was woken"),
                step(
                    "First row",
                    false,
                    None,
                    "refused with 1040: The cluster is still waking up.",
                ),
            ],
        },
    };
    page.render().unwrap()
}

fn certificate(full: bool) -> String {
    let leaf = LeafView {
        heading: "Served now",
        key: "ecdsa".to_owned(),
        names: vec![
            "db.example.com".to_owned(),
            "console.example.com".to_owned(),
        ],
        issuer: "C=US, O=Let's Encrypt, CN=E7".to_owned(),
        serial: "04:9c:71:2f:6a:8b:cc:10:5e:97:3d:2b:a4:f0:1c:88:de:5a".to_owned(),
        not_before: Moment::from_unix(1_792_000_000),
        not_after: Moment::from_unix(1_799_776_000),
        spent: 43,
        left: "51 days left".to_owned(),
        renewal: "about 13 Dec 2026, by ACME".to_owned(),
    };
    let link = |role, subject: &str, ends: &str| ChainLink {
        role,
        subject: subject.to_owned(),
        ends: ends.to_owned(),
    };
    let page = CertificatePage {
        frame: frame("Certificate", "certificate"),
        trust_line: "Publicly trusted: clients need no file of yours.",
        ca_offered: !full,
        alarms: if full {
            vec!["The last two orders failed: connection refused on port 80.".to_owned()]
        } else {
            Vec::new()
        },
        leaves: vec![leaf],
        chain: if full {
            vec![
                link("Certificate", "CN=db.example.com", "12 Jan 2027"),
                link("Issuer", "C=US, O=Let's Encrypt, CN=E7", "12 Mar 2027"),
            ]
        } else {
            Vec::new()
        },
        history: if full {
            vec![HistoryRow {
                at: Moment::from_unix(1_795_376_042),
                what: "A new certificate is served".to_owned(),
                class: "good",
            }]
        } else {
            Vec::new()
        },
    };
    page.render().unwrap()
}

fn keys(full: bool) -> String {
    let moment = |s: i64| Moment::from_unix(1_795_376_042 + s);
    let key = |id: &str, name: &str, expires: Option<i64>, used: Option<i64>| KeyRow {
        id: id.to_owned(),
        name: name.to_owned(),
        scopes: vec!["clusters:shop-*".to_owned(), "read".to_owned()],
        created: moment(0),
        expires: expires.map(moment),
        ended: expires.is_some_and(|s| s < 0),
        used: used.map(moment),
    };
    let long = "nightly copy of the shop's orders into the company's reports";
    let made = || MadeKey {
        name: "terraform".to_owned(),
        key: Secret::new(Zeroizing::new("tg_5f2c".repeat(9))),
    };
    let page = KeysPage {
        frame: frame("API keys", "keys"),
        rows: if full {
            vec![
                key("k7m2q9x4w3tz", "terraform", None, None),
                key("k7m2q9x4w3ty", "old", Some(-90_000), Some(-99_000)),
                key("k7m2q9x4w3tx", long, Some(7_776_000), Some(-600)),
            ]
        } else {
            Vec::new()
        },
        made: full.then(made),
        wanted: String::new(),
        ca_offered: full,
        profile: super::keys::profile_line("https://console.example.com", full),
        curl: super::keys::curl_line("https://console.example.com", full),
    };
    page.render().unwrap()
}

fn pages() -> Vec<(&'static str, String)> {
    use ClusterState::{Asleep, Awake, Draining, Failed, Waking};
    let refused = Notice {
        text: "There is already a cluster \"shop\".".to_owned(),
        hint: "`tidegate cluster list` shows those that exist.".to_owned(),
    };
    let all = vec![
        row("shop", Awake, 2),
        row("blog-comments", Asleep, 0),
        row("ledger", Waking, 0),
        row("metrics", Draining, 0),
        row("old", Failed, 0),
    ];
    let local = || Trust::Local("/var/lib/tidegate/ca.pem".into());
    let door = |title: &str| Frame::new(title, "");
    vec![
        (
            "sign-in",
            SignInPage {
                frame: door("Sign in"),
                ended: true,
            }
            .render()
            .unwrap(),
        ),
        (
            "link",
            LinkPage {
                frame: door("Sign in"),
            }
            .render()
            .unwrap(),
        ),
        ("empty", clusters(Vec::new(), None)),
        ("clusters", clusters(all, Some(refused))),
        ("cluster", cluster(Awake, true)),
        ("cluster-asleep", cluster(Asleep, false)),
        ("cluster-failed", cluster(Failed, false)),
        ("connect", connect("mysql", None, Trust::Public, false)),
        ("connect-new", connect("general", None, local(), true)),
        (
            "connect-password",
            connect("pymysql", Some("Wm4qL9-xT2vKc7Rd"), local(), false),
        ),
        ("certificate", certificate(true)),
        ("certificate-fresh", certificate(false)),
        ("keys", keys(true)),
        ("keys-empty", keys(false)),
        ("help", super::help::index(door("Help")).render().unwrap()),
        (
            "refusal",
            super::help::refusal(door("x"), "insecure-transport")
                .unwrap()
                .render()
                .unwrap(),
        ),
        (
            "problem",
            ProblemPage {
                frame: door("Not found"),
                status: 404,
                heading: "There is nothing here".to_owned(),
                text: "The address may be mistyped, or what it named was deleted.".to_owned(),
            }
            .render()
            .unwrap(),
        ),
    ]
}

#[test]
fn every_page_is_whole_and_brings_nothing_inline() {
    let folder = std::env::var_os("TIDEGATE_PAGES").map(std::path::PathBuf::from);
    for (name, html) in pages() {
        if let Some(folder) = &folder {
            std::fs::write(folder.join(format!("{name}.html")), &html).unwrap();
        }
        assert_eq!(html.matches("<h1").count(), 1, "{name}");
        assert!(
            html.contains("<html lang=\"en\">") && html.trim_end().ends_with("</html>"),
            "{name}"
        );
        assert!(
            !html.contains(" style=") && !html.contains("<style") && !html.contains(" onclick="),
            "{name}"
        );
        assert_eq!(
            html.matches("<script").count(),
            1,
            "{name}: one, by its address"
        );
        assert!(html.len() < 60_000, "{name}: {}", html.len());
    }
}

#[test]
fn every_form_that_changes_something_carries_its_csrf_field() {
    for (name, html) in pages() {
        // The link itself is the proof there: nobody is signed in yet.
        if name == "link" {
            continue;
        }
        for form in html.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap();
            assert_eq!(
                form.contains("method=\"post\""),
                form.contains("name=\"csrf\""),
                "{name}: {form}"
            );
        }
    }
}

#[test]
fn what_is_shown_is_escaped() {
    let odd = row("<b>x</b>", ClusterState::Awake, 0);
    let html = clusters(vec![odd], None);
    assert!(!html.contains("<b>x</b>"));
}

#[test]
fn a_book_that_lacks_accounts_is_told_with_a_hint_and_no_other() {
    let told = cluster(ClusterState::Awake, true);
    assert!(
        told.contains("The account book lacks some of the cluster&#39;s accounts"),
        "{told}"
    );
    assert!(
        told.contains("<code>tidegate cluster sleep shop</code>"),
        "{told}"
    );
    assert!(!cluster(ClusterState::Awake, false).contains("account book"));
}

#[test]
fn a_full_disk_is_told_on_a_page_of_an_operator() {
    let mut page = ProblemPage {
        frame: frame("Not found", ""),
        status: 404,
        heading: "There is nothing here".to_owned(),
        text: String::new(),
    };
    let usual = page.render().unwrap();
    assert!(!usual.contains("The disk is full") && usual.contains("data-part=\"disk-full\""));
    let reason = "the file system of /data has 12 MB left";
    page.frame.disk_full = Some(WarningView::from(&Warning::disk_full(reason)));
    let told = page.render().unwrap();
    assert!(told.contains("<strong>The disk is full</strong>"), "{told}");
    assert!(
        told.contains(reason) && told.contains("Free space on that file system"),
        "{told}"
    );
}

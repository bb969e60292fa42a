//! Tests of the configuration: order of precedence, errors with line and hint, the example file.

use super::*;

fn global(config: Option<&Path>) -> Global {
    Global {
        data: None,
        config: config.map(Path::to_owned),
        server: None,
        json: false,
        output: None,
    }
}

fn load_text(text: &str) -> Result<Config> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE_NAME), text).unwrap();
    Config::load(&global(None), dir.path(), &ServeArgs::default(), |_| None)
}

fn failure(text: &str) -> (String, String) {
    let error = load_text(text).unwrap_err();
    let failure = error.downcast::<Failure>().unwrap();
    assert!(failure.is_usage());
    (failure.cause, failure.hint)
}

#[test]
fn every_default_is_within_its_own_bounds() {
    let config = Config::defaults().unwrap();
    assert_eq!(
        config.duration("cluster.sleep_after").unwrap(),
        Duration::from_secs(300)
    );
    assert_eq!(
        config.addresses("gateway.listen").unwrap(),
        ["127.0.0.1:4000".parse().unwrap()]
    );
}

#[test]
fn defaults_agree_with_the_rooms() {
    let config = Config::defaults().unwrap();
    let limits = tidegate_model::ClusterLimits::default();
    assert_eq!(
        config.duration("cluster.sleep_after").unwrap(),
        limits.sleep_after
    );
    assert_eq!(
        config.duration("cluster.transaction_idle_max").unwrap(),
        limits.transaction_idle_max
    );
    assert_eq!(
        config.count("cluster.connections_max").unwrap(),
        u64::from(limits.connections_max)
    );
    assert_eq!(
        config.size("cluster.memory_max").unwrap(),
        limits.memory_max_bytes
    );
    assert_eq!(
        config.size("cluster.disk_max").unwrap(),
        limits.disk_max_bytes
    );
    assert_eq!(
        config.count("cluster.cpu_weight").unwrap(),
        u64::from(limits.cpu_weight)
    );
    assert_eq!(
        config.count("cluster.tasks_max").unwrap(),
        u64::from(limits.tasks_max)
    );
}

#[test]
fn file_beats_default_environment_beats_file_flag_beats_all() {
    let dir = tempfile::tempdir().unwrap();
    let text = "[gateway]\nlisten = [\"127.0.0.1:1\"]\n[log]\nlevel = \"warn\"\n[cluster]\n\
                sleep_after = \"2s\"\n";
    std::fs::write(dir.path().join(FILE_NAME), text).unwrap();
    let flags = ServeArgs {
        listen: vec!["127.0.0.1:2".parse().unwrap()],
        ..ServeArgs::default()
    };
    let env = |name: &str| (name == "TIDEGATE_LOG").then(|| "debug".to_owned());
    let config = Config::load(&global(None), dir.path(), &flags, env).unwrap();
    assert_eq!(config.addresses("gateway.listen").unwrap(), flags.listen);
    assert_eq!(config.text("log.level").unwrap(), "debug");
    assert_eq!(
        config.duration("cluster.sleep_after").unwrap(),
        Duration::from_secs(2)
    );
    for (key, origin) in [
        ("gateway.listen", "--listen"),
        ("log.level", "$TIDEGATE_LOG"),
        ("log.format", "default"),
    ] {
        assert_eq!(config.settings[key].origin.to_string(), origin, "{key}");
    }
    let origin = config.settings["cluster.sleep_after"].origin.to_string();
    assert!(origin.ends_with("tidegate.toml:6"), "{origin}");
}

#[test]
fn an_unknown_key_is_an_error_that_names_line_and_nearest() {
    let (cause, hint) = failure("[cluster]\n\nsleep_afer = \"2s\"\n");
    assert!(
        cause.ends_with("tidegate.toml:3: there is no key `sleep_afer` in [cluster]"),
        "{cause}"
    );
    assert_eq!(hint, "did you mean `sleep_after`?");
    let (cause, hint) = failure("[gatway]\n");
    assert!(
        cause.ends_with(":1: there is no section `gatway`"),
        "{cause}"
    );
    assert_eq!(hint, "did you mean `gateway`?");
    let (_, hint) = failure("listen = 1\n");
    assert_eq!(hint, "the key `listen` belongs in [gateway]");
    let (_, hint) = failure("[quux]\n");
    assert_eq!(
        hint,
        "the sections are: gateway, tls, acme, acme_fallback, acme_fallback_2, engine, cluster, \
         console, metrics, log"
    );
}

#[test]
fn values_of_the_wrong_kind_or_out_of_bounds_are_errors() {
    for (text, want) in [
        ("[cluster]\nsleep_after = 5\n", "must be a duration such as"),
        (
            "[cluster]\nsleep_after = \"5\"\n",
            "must be a number with a unit",
        ),
        (
            "[cluster]\nsleep_after = \"0s\"\n",
            "must be between 1s and 30d",
        ),
        (
            "[cluster]\nsleep_after = \"31d\"\n",
            "must be between 1s and 30d",
        ),
        ("[cluster]\nsleep_after = \"Never\"\n", "or \"never\""),
        (
            "[cluster]\ntransaction_idle_max = \"never\"\n",
            "must be a number with a unit",
        ),
        (
            "[cluster]\nconnections_max = -1\n",
            "must be a whole number",
        ),
        (
            "[cluster]\nconnections_max = 0\n",
            "must be between 1 and 10000; it is 0",
        ),
        (
            "[cluster]\nmemory_max = \"512\"\n",
            "must be a whole number with a unit",
        ),
        ("[cluster]\nmemory_max = 512\n", "must be a size such as"),
        (
            "[cluster]\nmemory_max = \"1M\"\n",
            "must be between 128M and 64T; it is 1M",
        ),
        (
            "[cluster]\ndisk_max = \"0G\"\n",
            "must be between 256M and 1024T; it is 0",
        ),
        (
            "[gateway]\nlisten = \"127.0.0.1:4000\"\n",
            "must be a list of",
        ),
        ("[gateway]\nlisten = []\n", "must contain at least one"),
        ("[gateway]\nlisten = [\"localhost\"]\n", "not ADDRESS:PORT"),
        (
            "[gateway]\nproxy_networks = [\"10.0.0.0/33\"]\n",
            "not ADDRESS/BITS",
        ),
        (
            "[log]\nformat = \"xml\"\n",
            "must be one of auto, human, json",
        ),
        (
            "[engine]\ncgroup = \"relative/path\"\n",
            "must be \"auto\", \"off\"",
        ),
        (
            "[engine]\ncgroup = \"/a/../b\"\n",
            "must be \"auto\", \"off\"",
        ),
        ("[log]\nlevel = \"loud\"\n", "must be error, warn"),
        ("[tls]\ncertificate = \"/x\"\n", "tls.key is not"),
        ("[tls]\nca = \"/x\"\n", "without tls.certificate"),
        ("gateway = 1\n", "is a section"),
        ("[gateway\n", "tidegate.toml:1: "),
    ] {
        let (cause, hint) = failure(text);
        assert!(cause.contains(want), "{text:?} gave {cause:?}");
        assert!(!hint.is_empty(), "{text:?}");
    }
}

#[test]
fn a_file_that_was_asked_for_and_is_not_there_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("nowhere.toml");
    assert!(
        Config::load(
            &global(Some(&missing)),
            dir.path(),
            &ServeArgs::default(),
            |_| None
        )
        .is_err()
    );
    assert!(Config::load(&global(None), dir.path(), &ServeArgs::default(), |_| None).is_ok());
}

#[test]
fn the_example_file_is_the_defaults_and_is_up_to_date() {
    let example = show::example();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tidegate.example.toml");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &example).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        example,
        "run script/docs, which writes it (this test with UPDATE=1)"
    );
    // With every `#key = value` made real, it must load and change nothing.
    let live: String = example
        .lines()
        .map(|l| match l.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') => format!("{key}\n"),
            _ => format!("{l}\n"),
        })
        .collect();
    let config = load_text(&live).unwrap();
    let defaults = Config::defaults().unwrap();
    for (name, setting) in &config.settings {
        assert_eq!(setting.value, defaults.settings[name].value, "{name}");
        assert!(
            matches!(setting.origin, Origin::File { .. }),
            "{name} is missing in the example"
        );
    }
}

/// Returns the Rust files under a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() => sources(&path),
            path => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// Reads a key as `config.READER(key)` does.
fn read_as(config: &Config, reader: &str, key: &str) -> Result<()> {
    match reader {
        "text" => config.text(key).map(drop),
        "count" => config.count(key).map(drop),
        "size" => config.size(key).map(drop),
        "duration" => config.duration(key).map(drop),
        "addresses" => config.addresses(key).map(drop),
        "networks" => config.networks(key).map(drop),
        "names" => config.names(key).map(drop),
        "file" => config.file(key).map(drop),
        other => panic!("{other}"),
    }
}

#[test]
fn every_key_in_the_sources_exists_and_is_read_as_its_kind() {
    let config = Config::defaults().unwrap();
    let mut read = 0;
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = std::fs::read_to_string(&path).unwrap();
        for reader in [
            "text",
            "count",
            "size",
            "duration",
            "addresses",
            "networks",
            "names",
            "file",
        ] {
            for after in text.split(&format!(".{reader}(\"")).skip(1) {
                let (key, _) = after.split_once('"').unwrap();
                // Other types have readers of these names too, but no keys with a section.
                if !key.contains('.') {
                    continue;
                }
                read_as(&config, reader, key).unwrap_or_else(|e| panic!("{path:?}: {e}"));
                read += 1;
            }
        }
    }
    assert!(read > 40, "only {read} reads were found");
}

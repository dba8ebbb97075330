//! The sample file is the defaults; every refusal names file, key, value and what is allowed.

use super::*;

const SAMPLE: &str = include_str!("../../config/dockside.toml");
const MACHINE: Machine = Machine { free_memory: 2 << 30, cores: 2 };

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, "dockside.toml", &MACHINE)
}

fn refusal(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn the_sample_file_is_the_defaults() {
    let defaults = Config::defaults(&MACHINE);
    assert_eq!(parse(SAMPLE).unwrap(), defaults);
    assert_eq!(parse("").unwrap(), defaults);
    assert_eq!(defaults.limits.max_drive_bytes, 4_398_046_511_104);
}

#[test]
fn the_sample_file_has_every_key_and_its_comments_parse() {
    // what stands behind "# " and looks like TOML
    let is_toml = |line: &str| line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
    let all: Vec<_> = SAMPLE.lines().map(|line| line.strip_prefix("# ").filter(|rest| is_toml(rest)).unwrap_or(line)).collect();
    let config = parse(&all.join("\n")).unwrap();
    assert_eq!(config.state_dir, Some(PathBuf::from("/var/lib/dockside")));
    let store = &config.stores[&"labdata".parse().unwrap()];
    assert_eq!(store.url, "azure://labdata");
    assert!(store.endpoint.is_some() && store.credentials_file.is_some());
    assert_eq!(config.ledger, Ledger { keep_days: 90, pause_below: 1 << 30 });
    assert_eq!(config.transfer, Transfer { byte_budget: 256 << 20, uploads: 16, retry_seconds: 300, set_content_md5: false });
    for (section, count) in [("limits", 10), ("transfer", 4), ("ledger", 2)] {
        let known = refusal(&format!("[{section}]\nnone = 1"));
        let keys: Vec<_> = known.split_once("known here: ").unwrap().1.split(", ").collect();
        assert_eq!(keys.len(), count);
        assert!(keys.iter().all(|key| all.iter().any(|line| line.starts_with(&format!("{key} = ")))), "{keys:?}");
    }
}

#[test]
fn sizes_have_units_and_the_machine_sets_the_rest() {
    let config = parse("[transfer]\nbyte_budget = \"100 MiB\"\n[limits]\nmax_drive_bytes = \"5 TiB\"").unwrap();
    assert_eq!((config.transfer.byte_budget, config.transfer.uploads), (100 << 20, 8));
    assert_eq!(config.limits.max_drive_bytes, 5 << 40);
    let on = |free_memory, cores| Config::defaults(&Machine { free_memory, cores }).transfer;
    assert_eq!(on(0, 1), Transfer { byte_budget: 64 << 20, uploads: 4, retry_seconds: 300, set_content_md5: false });
    assert_eq!(on(2 << 30, 6), Transfer { byte_budget: 512 << 20, uploads: 24, retry_seconds: 300, set_content_md5: false });
    assert_eq!(on(1 << 40, 128), Transfer { byte_budget: 1 << 30, uploads: 64, retry_seconds: 300, set_content_md5: false });
    let here = Machine::here();
    assert!(here.cores > 0 && here.free_memory > 0);
}

#[test]
fn a_bad_value_is_shown_with_file_key_and_range() {
    let limit = "[limits]\nmax_recovery_protectors = 0";
    assert_eq!(refusal(limit), "dockside.toml: limits.max_recovery_protectors = 0: allowed is a number from 1 to 64");
    for (text, parts) in [
        ("[transfer]\nuploads = -1", ["transfer.uploads = -1", "1 to 1024"]),
        ("[transfer]\nuploads = \"4\"", ["transfer.uploads = \"4\"", "a number"]),
        ("[transfer]\nbyte_budget = \"1 MB\"", ["transfer.byte_budget = \"1 MB\"", "from 8 MiB to 1 TiB"]),
        ("[transfer]\nbyte_budget = 1", ["transfer.byte_budget = 1", "from 8 MiB"]),
        ("transfer = 3", ["transfer = 3", "[transfer]"]),
        ("stores = 3", ["stores = 3", "[stores]"]),
        ("[stores]\nlab = 3", ["stores.lab = 3", "[stores.NAME]"]),
        ("state_dir = \"var\"", ["state_dir = \"var\"", "an absolute path"]),
        ("state_dir = 1", ["state_dir = 1", "a text"]),
        ("[stores.a_b]\nurl = \"azure://x\"", ["a_b", "3 to 24 lower-case"]),
        ("[stores.lab]\nurl = \"s3://x\"", ["stores.lab.url = \"s3://x\"", "azure://… or file://…"]),
        ("[stores.lab]\nurl = \"azure://\"", ["stores.lab.url", "azure://…"]),
        ("[stores.lab]\nurl = \"file:///x\"\nendpoint = \"127.0.0.1\"", ["stores.lab.endpoint", "https://… or http://…"]),
        ("[stores.lab]\nendpoint = \"http://x\"", ["stores.lab.url is missing", "azure://<account>"]),
    ] {
        let shown = refusal(text);
        assert!(shown.starts_with("dockside.toml") && parts.iter().all(|part| shown.contains(part)), "{shown}");
    }
}

#[test]
fn unknown_keys_are_refused_everywhere() {
    assert_eq!(
        refusal("[transfer]\nupload = 4"),
        "dockside.toml: there is no key transfer.upload; known here: byte_budget, uploads, retry_seconds, set_content_md5"
    );
    assert!(refusal("stat_dir = \"/x\"").contains("no key stat_dir; known here: state_dir, stores, limits, transfer"));
    assert!(refusal("[limits.deep]\nx = 1").contains("no key limits.deep"));
    assert!(refusal("\"\\u001b[31m\" = 1").contains("\\u{1b}[31m"));
}

#[test]
fn no_message_shows_a_credential() {
    let secret = "c2VjcmV0";
    for text in [
        format!("[stores.lab]\nurl = \"azure://lab\"\naccount_key = \"{secret}\""),
        format!("[stores.lab]\nurl = \"azure://lab?sig={secret}\""),
        format!("[stores.lab]\nurl = \"https://u:{secret}@lab\""),
        format!("[stores.lab]\nurl = \"azure://lab\"\nendpoint = \"https://lab/?sig={secret}\""),
        format!("[stores.lab]\naccount_key = \"{secret}"),
        format!("[stores.lab]\naccount_key = {secret}=="),
    ] {
        let error = parse(&text).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(secret) && shown.contains("dockside.toml"), "{shown}");
    }
}

#[test]
fn what_is_not_toml_is_refused_with_its_line() {
    assert!(refusal("[limits]\n\nmax_read_errors = = 3").starts_with("dockside.toml, line 3: not TOML: "));
    assert!(refusal("a = 1\na = 2").starts_with("dockside.toml, line 2"));
}

#[test]
fn a_named_file_must_exist_and_the_usual_one_need_not() {
    let folder = tempfile::tempdir().unwrap();
    let (named, usual) = (folder.path().join("named"), folder.path().join("usual"));
    let load = |named: Option<&Path>| Config::load_or(named, &usual, &MACHINE);
    assert_eq!(load(None).unwrap(), Config::defaults(&MACHINE));
    assert!(matches!(load(Some(&named)), Err(ConfigError::Read { file, .. }) if file.ends_with("named")));
    std::fs::write(&usual, "state_dir = \"/usual\"").unwrap();
    std::fs::write(&named, "state_dir = \"/named\"").unwrap();
    assert_eq!(load(None).unwrap().state_dir, Some(PathBuf::from("/usual")));
    assert_eq!(load(Some(&named)).unwrap().state_dir, Some(PathBuf::from("/named")));
    std::fs::write(&named, "#".repeat(2 << 20)).unwrap();
    assert!(matches!(load(Some(&named)), Err(ConfigError::Read { .. })));
    assert!(load(Some(folder.path())).is_err());
}

#[test]
fn the_state_folder_is_found_in_order() {
    let mut config = Config::defaults(&MACHINE);
    let both = |name: &str| match name {
        "XDG_STATE_HOME" => Some(OsString::from("/xdg")),
        "HOME" => Some(OsString::from("/home/op")),
        _ => None,
    };
    let home = |name: &str| both(name).filter(|_| name == "HOME");
    let relative = |name: &str| if name == "XDG_STATE_HOME" { Some(OsString::from("xdg")) } else { both(name) };
    let none = |_: &str| None;
    let found = |named: Option<&str>, config: &Config, variable: &dyn Fn(&str) -> Option<OsString>| {
        state_dir(named.map(Path::new), config, variable).map(|path| path.display().to_string())
    };
    assert_eq!(found(None, &config, &both).unwrap(), "/xdg/dockside");
    assert_eq!(found(None, &config, &home).unwrap(), "/home/op/.local/state/dockside");
    assert_eq!(found(None, &config, &relative).unwrap(), "/home/op/.local/state/dockside");
    assert!(matches!(found(None, &config, &none), Err(ConfigError::NoStateDir)));
    config.state_dir = Some(PathBuf::from("/var/lib/dockside"));
    assert_eq!(found(None, &config, &both).unwrap(), "/var/lib/dockside");
    assert_eq!(found(Some("here"), &config, &none).unwrap(), "here");
}

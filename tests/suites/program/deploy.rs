//! What `config/deploy` ships: containers and units, as far as that can be known
//! without running them. Each compose file is one deployment that nothing is wrong
//! with, and every file that is named is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use cleave_tests::program::{path, run};
use serde_norway::Value;

use super::folder;
use super::topologies::names;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn deploy() -> PathBuf {
    root().join("config/deploy")
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A compose file as compose reads it, variables replaced and aliases merged.
fn composed(name: &str) -> Value {
    let text = replaced(&text(&deploy().join("compose").join(name)));
    let mut file: Value = serde_norway::from_str(&text).expect("YAML");
    file.apply_merge().expect("aliases that can be merged");
    file
}

/// `${NAME:-value}` by its value, and what has none by a secret that is long enough.
fn replaced(text: &str) -> String {
    let mut parts = text.split("${");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (variable, rest) = part.split_once('}').expect("it ends");
        let default = variable.split_once(":-").map(|(_, value)| value);
        assert!(
            default.is_some() || variable.contains(":?"),
            "{variable} would be empty where it is forgotten"
        );
        whole.push_str(default.unwrap_or("a-secret-of-more-than-32-characters"));
        whole.push_str(rest);
    }
    whole
}

/// A service with what it extends.
struct Service {
    own: Value,
    base: Value,
}

impl Service {
    fn of(file: &Value, name: &str) -> Self {
        let own = file["services"][name].clone();
        let from = own["extends"]["file"].as_str().expect("a file");
        let what = own["extends"]["service"].as_str().expect("a service");
        let base = composed(from)["services"][what].clone();
        assert!(base.is_mapping(), "{name}: {what} is not in {from}");
        Self { own, base }
    }

    fn get(&self, key: &str) -> &Value {
        match &self.own[key] {
            Value::Null => &self.base[key],
            own => own,
        }
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let pairs = [&self.base, &self.own].into_iter();
        let pairs = pairs.filter_map(|it| it["environment"].as_mapping());
        let word = |value: &Value| value.as_str().expect("text").to_owned();
        pairs
            .flatten()
            .map(|(name, value)| (word(name), word(value)))
            .collect()
    }

    fn words(&self) -> Vec<&str> {
        let words = self.get("command").as_sequence().into_iter().flatten();
        words.filter_map(Value::as_str).collect()
    }

    /// A process of the program that stays.
    fn serves(&self) -> bool {
        self.base["image"] == "cleave" && self.words().first().is_none_or(|it| *it == "serve")
    }
}

fn services(file: &Value) -> BTreeMap<String, Service> {
    let names = file["services"].as_mapping().expect("services").keys();
    names
        .map(|name| name.as_str().expect("a name"))
        .map(|name| (name.to_owned(), Service::of(file, name)))
        .collect()
}

/// What the image tells every process.
fn image() -> Vec<(String, String)> {
    let file = text(&root().join("Dockerfile"));
    let words = file.split_whitespace();
    words
        .filter_map(|word| word.split_once('='))
        .filter(|(name, _)| name.starts_with("CLEAVE__"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The settings of a process as a file.
fn settings(service: &Service) -> String {
    let mut set: BTreeMap<String, String> = image().into_iter().collect();
    set.extend(service.environment());
    let words = service.words();
    if let Some(at) = words.iter().position(|word| *word == "--only") {
        set.insert(
            "CLEAVE__TOPOLOGY__ONLY".to_owned(),
            words[at + 1].to_owned(),
        );
    }
    let line = |(name, value): (String, String)| {
        let name = name.trim_start_matches("CLEAVE__").to_lowercase();
        format!("{} = \"{value}\"\n", name.replace("__", "."))
    };
    set.into_iter().map(line).collect()
}

#[test]
fn each_topology_has_a_compose_file_that_nothing_is_wrong_with() {
    let here = folder();
    for name in names() {
        let file = composed(&format!("{name}.yaml"));
        let services = services(&file);
        let mut words = vec!["topology".to_owned(), "check".to_owned()];
        for (process, service) in services.iter().filter(|(_, it)| it.serves()) {
            let path = here.path().join(format!("{name}-{process}.toml"));
            std::fs::write(&path, settings(service)).expect("it is written");
            words.push(path.display().to_string());
        }
        let processes = std::fs::read_dir(root().join("config/topologies").join(&name));
        let processes = processes.expect("the folder is there");
        let shared = |entry: &std::fs::DirEntry| entry.file_name() == "shared.toml";
        let processes = processes.filter(|it| !shared(it.as_ref().expect("an entry")));
        assert_eq!(words.len() - 2, processes.count(), "{name}");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ended = run(here.path(), &words, &[]);
        assert!(ended.status.success(), "{name}: {}", ended.err);
    }
}

#[test]
fn a_compose_file_names_nothing_that_is_not_there() {
    for name in names() {
        let file = composed(&format!("{name}.yaml"));
        let services = services(&file);
        let declared = |kind: &str, name: &str| {
            let declared = file[kind].as_mapping();
            declared.is_some_and(|it| it.contains_key(name))
        };
        for (service, it) in &services {
            let volumes = [&it.own, &it.base].into_iter();
            let volumes = volumes.filter_map(|it| it["volumes"].as_sequence());
            for volume in volumes.flatten().filter_map(Value::as_str) {
                let volume = volume.split(':').next().expect("a name");
                assert!(declared("volumes", volume), "{name}: {service}: {volume}");
            }
            for network in it.own["networks"].as_sequence().into_iter().flatten() {
                let network = network.as_str().expect("a name");
                assert!(
                    declared("networks", network),
                    "{name}: {service}: {network}"
                );
            }
            for other in it.own["depends_on"].as_mapping().into_iter().flatten() {
                let other = other.0.as_str().expect("a name");
                assert!(services.contains_key(other), "{name}: {service}: {other}");
            }
            for url in it.environment().values().filter(|it| it.contains("://")) {
                for url in url.split(',') {
                    let url = reqwest::Url::parse(url).expect("a URL");
                    let host = url.host_str().expect("a host");
                    assert!(services.contains_key(host), "{name}: {service}: {host}");
                }
            }
            if let Some(build) = it.base["build"].as_str() {
                let dockerfile = deploy().join("compose").join(build).join("Dockerfile");
                assert!(dockerfile.exists(), "{name}: {service}: {build}");
            }
        }
    }
}

#[test]
fn clients_reach_one_process_and_what_is_between_them_stays_inside() {
    for name in names() {
        let services = services(&composed(&format!("{name}.yaml")));
        let published = services.iter().filter(|(_, it)| !it.own["ports"].is_null());
        let published: Vec<_> = published.collect();
        assert_eq!(published.len(), 1, "{name}");
        let (_, front) = published[0];
        let ports = front.own["ports"].as_sequence().expect("ports");
        assert_eq!(ports.len(), 1, "{name}");
        assert!(ports[0].as_str().expect("text").starts_with("127.0.0.1:"));
        let split = services.values().filter(|it| it.serves()).count() > 1;
        for (service, it) in services.iter().filter(|_| split) {
            let inside = it.own["networks"].as_sequence().expect("networks");
            assert_eq!(inside[0], "inside", "{name}: {service}");
            let outside = !it.own["ports"].is_null();
            assert_eq!(inside.len() > 1, outside, "{name}: {service}");
        }
    }
}

#[test]
fn what_the_image_is_built_from_is_there() {
    let file = text(&root().join("Dockerfile"));
    let copied = file.lines().filter_map(|line| line.strip_prefix("COPY "));
    for line in copied.filter(|line| !line.starts_with("--from")) {
        let from = line.split_whitespace().next().expect("a path");
        assert!(root().join(from).exists(), "{line}");
    }
}

/// The units, by their file names.
fn units() -> Vec<(String, String)> {
    let entries = std::fs::read_dir(deploy().join("systemd")).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|it| it == "service"))
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy();
            (name.into_owned(), text(&path))
        })
        .collect()
}

#[test]
fn a_unit_reads_files_that_are_shipped_and_waits_for_who_answers() {
    let units = units();
    assert_eq!(units.len(), 3);
    let readme = text(&deploy().join("README.md"));
    for (name, unit) in units {
        let read = unit
            .lines()
            .filter_map(|it| it.strip_prefix("EnvironmentFile="));
        for file in read.filter(|file| !file.contains('%')) {
            let file = file.strip_prefix("/etc/cleave/").expect("in the folder");
            assert!(
                deploy().join("systemd").join(file).exists(),
                "{name}: {file}"
            );
        }
        let serves = unit.contains("cleave serve");
        assert_eq!(unit.contains("Type=notify"), serves, "{name}");
        assert_eq!(unit.contains("LimitNOFILE=65536"), serves, "{name}");
        assert!(readme.contains(&format!("systemd/{name}")), "{name}");
    }
    let paths = readme
        .split_whitespace()
        .filter(|it| it.starts_with("config/"));
    for path in paths.filter(|it| !it.contains(['$', '*'])) {
        assert!(root().join(path).exists(), "{path}");
    }
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        return;
    }
    let here = folder();
    let program = path().display().to_string();
    let files = units().into_iter().map(|(name, unit)| {
        let file = here.path().join(name.replace('@', "@front"));
        let unit = unit.replace("/usr/local/bin/cleave", &program);
        std::fs::write(&file, unit).expect("it is written");
        file
    });
    let files: Vec<_> = files.collect();
    let verified = Command::new("systemd-analyze")
        .arg("verify")
        .args(files)
        .output();
    let verified = verified.expect("it runs");
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && said.is_empty(), "{said}");
}

#[test]
fn a_service_manager_is_told_when_the_program_answers() {
    let here = folder();
    let socket = here.path().join("notify");
    let manager = std::os::unix::net::UnixDatagram::bind(&socket).expect("a socket");
    let socket = socket.display().to_string();
    let told = [("NOTIFY_SOCKET", socket.as_str())];
    let shop = cleave_tests::program::Program::serve(here.path(), &[], &told);
    let patience = Some(std::time::Duration::from_secs(20));
    manager.set_read_timeout(patience).expect("a limit");
    let mut datagram = [0; 64];
    let length = manager.recv(&mut datagram).expect("it is told in time");
    assert_eq!(&datagram[..length], b"READY=1");
    shop.stop();
    let length = manager.recv(&mut datagram).expect("it is told in time");
    assert_eq!(&datagram[..length], b"STOPPING=1");
}

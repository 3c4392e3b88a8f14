//! The real program in a process of its own: started, asked, killed, started again.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use parking_lot::Mutex;

/// Where the program is: beside the suites, as cargo lays it out; or the one of another
/// profile, which `CLEAVE_TEST_PROFILE` names by its folder.
///
/// # Panics
/// Where it has not been built.
pub fn path() -> PathBuf {
    let mut path = std::env::current_exe().expect("this program has a path");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    if let Some(profile) = std::env::var_os("CLEAVE_TEST_PROFILE") {
        path.set_file_name(profile);
    }
    path.push("cleave");
    assert!(
        path.exists(),
        "{} is missing: `cargo build --bin cleave` makes it, as tests/run does",
        path.display()
    );
    path
}

/// A run of the program that ends by itself: its status, and what it printed.
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs the program to its end in `folder`, with an environment of its own.
pub fn run(folder: &Path, words: &[&str], environment: &[(&str, &str)]) -> Ended {
    let output = command(folder, words, environment)
        .output()
        .expect("the program starts");
    Ended {
        status: output.status,
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs the program with a reader of its standard output that goes away at once.
///
/// # Panics
/// Where it cannot be started.
pub fn run_unread(folder: &Path, words: &[&str]) -> Ended {
    let mut process = command(folder, words, &[])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(process.stdout.take());
    let output = process.wait_with_output().expect("it ends");
    Ended {
        status: output.status,
        out: String::new(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn command(folder: &Path, words: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(path());
    command.args(words).current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CLEAVE") {
            command.env_remove(name);
        }
    }
    command.envs(environment.iter().copied());
    command
}

/// A server in a process of its own; killed with the value.
pub struct Program {
    process: Child,
    /// Where it listens.
    pub address: String,
    log: Arc<Mutex<String>>,
    /// Ends when the process has closed its standard error.
    ended: Receiver<()>,
}

impl Program {
    /// Starts `cleave serve` with further words over the data folder, and waits until it is ready.
    ///
    /// # Panics
    /// Where it ends before it is ready; with its log.
    pub fn serve(data: &Path, words: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::try_serve(data, words, environment)
            .unwrap_or_else(|log| panic!("the server did not start:\n{log}"))
    }

    /// The same, or what it said when it ended before it was ready.
    pub fn try_serve(
        data: &Path,
        words: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self, String> {
        let data_dir = data.to_str().expect("a path in UTF-8");
        let mut all = vec!["serve", "--listen", "127.0.0.1:0", "--data-dir", data_dir];
        all.extend_from_slice(words);
        let mut process = command(data, &all, environment)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the program starts");
        let lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let (ready, readiness) = channel();
        let (open, ended) = channel::<()>();
        let kept = log.clone();
        std::thread::spawn(move || {
            let _open = open;
            for line in lines.map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("ready: http://") {
                    let address = address
                        .split(['"', ' ', '\u{1b}'])
                        .next()
                        .unwrap_or_default();
                    let _ = ready.send(address.to_owned());
                }
                let mut kept = kept.lock();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        let Ok(address) = readiness.recv() else {
            let _ = process.wait();
            return Err(log.lock().clone());
        };
        Ok(Self {
            process,
            address,
            log,
            ended,
        })
    }

    /// The base of its URLs.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().clone()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ends it as a crash does: `kill -9`.
    pub fn kill(mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Takes its processors away (`SIGSTOP`): it is there, and does nothing.
    ///
    /// # Panics
    /// Where that can't be done.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on where it was.
    ///
    /// # Panics
    /// Where that can't be done.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.process.id().to_string()])
            .status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "the process can be sent {name}"
        );
    }

    /// Asks it to stop (`SIGTERM`) and waits for its end.
    ///
    /// # Panics
    /// Where it can't be asked, or does not end within 20 seconds.
    pub fn stop(mut self) -> (ExitStatus, String) {
        self.signal("TERM");
        let ended = self.ended.recv_timeout(Duration::from_secs(20));
        assert!(
            ended != Err(std::sync::mpsc::RecvTimeoutError::Timeout),
            "it did not stop in time:\n{}",
            self.log()
        );
        let status = self.process.wait().expect("it ends");
        (status, self.log())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

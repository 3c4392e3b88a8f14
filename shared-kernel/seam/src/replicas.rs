//! Where a context is served, and which of its replicas a call goes to. A replica
//! that can't be reached rests while others do its work, and nothing is sent to one
//! that has long been silent before it has answered a question of no consequence
//! (the *gate*), which all calls to it await together: so a host that vanished costs
//! each of them a second at the most, and leaves nothing in doubt. What was sent is
//! never moved to another replica, unless the caller says that it may be.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use cleave_vocabulary::{Clock, Timestamp};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use metrics::{Gauge, gauge};
use parking_lot::Mutex;

/// What is asked at the gate; whatever is answered, somebody is there.
const GATE: &str = "/health/live";
/// How long that may take.
const GATE_LIMIT: Duration = Duration::from_secs(1);
/// Silence after which nothing is sent without the gate.
const SILENCE: Duration = Duration::from_secs(10);
/// The same, while calls are under way there that should have been answered.
const SILENCE_UNDER_LOAD: Duration = Duration::from_secs(1);
/// The first rest; each further one is twice as long.
const REST: Duration = Duration::from_secs(1);
/// The longest rest.
const REST_LIMIT: Duration = Duration::from_secs(15);

/// The replicas of a context; often there is one.
pub struct Replicas {
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    all: Box<[Arc<Replica>]>,
    /// Whose turn it is.
    turn: AtomicUsize,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum SendError {
    /// The gate stayed shut: nothing was sent.
    Unreached(Arc<str>),
    /// As the client says it.
    Failed(reqwest::Error),
}

impl SendError {
    /// Whether certainly nothing was sent.
    pub fn is_unsent(&self) -> bool {
        match self {
            Self::Unreached(_) => true,
            Self::Failed(error) => error.is_connect(),
        }
    }
}

impl fmt::Display for SendError {
    /// Without addresses, which are the deployment's own affair.
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreached(why) => to.write_str(why),
            Self::Failed(error) => {
                let mut causes = std::iter::successors(error.source(), |cause| (**cause).source());
                to.write_str("the request failed")?;
                causes.try_for_each(|cause| write!(to, ": {cause}"))
            }
        }
    }
}

impl Error for SendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreached(_) => None,
            Self::Failed(error) => error.source(),
        }
    }
}

impl Replicas {
    /// Those of `context` at `base_urls`: one, or several with commas between.
    pub fn new(
        http: reqwest::Client,
        context: &str,
        base_urls: &str,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let bases = base_urls.split(',').zip(1..);
        let replica = |(base, number): (&str, u32)| {
            let (context, replica) = (context.to_owned(), number.to_string());
            Arc::new(Replica {
                base: base.trim_end_matches('/').to_owned(),
                heard: AtomicI64::new(Timestamp::EPOCH.as_micros()),
                in_flight: AtomicUsize::new(0),
                until: AtomicI64::new(AWAKE),
                step: AtomicU32::new(0),
                gate: Mutex::default(),
                resting: gauge!("cleave_replica_resting", "context" => context, "replica" => replica),
            })
        };
        Self {
            http,
            clock,
            all: bases.map(replica).collect(),
            turn: AtomicUsize::new(0),
        }
    }

    /// Whether there is more than one.
    pub fn are_several(&self) -> bool {
        self.all.len() > 1
    }

    /// What asks them, for whoever asks each of them.
    pub fn client(&self) -> &reqwest::Client {
        &self.http
    }

    /// Sends what `request` makes for a base URL, and again to the next replica where
    /// nothing was sent or `may_move` says so of the error. With one replica, `request`
    /// is called once at the most.
    pub async fn send(
        &self,
        mut request: impl FnMut(&reqwest::Client, &str) -> reqwest::RequestBuilder,
        may_move: impl Fn(&reqwest::Error) -> bool,
    ) -> Result<reqwest::Response, SendError> {
        let first = self.turn.fetch_add(1, Relaxed);
        // Takes no memory before something has failed.
        let mut tried = Vec::new();
        loop {
            let now = self.clock.now();
            let index = self.next(first, &tried, now);
            let replica = &self.all[index];
            let sent = self
                .send_to(replica, now, |base| request(&self.http, base))
                .await;
            tried.push(index);
            match sent {
                Err(error) if tried.len() < self.all.len() && moves(&error, &may_move) => {}
                sent => return sent,
            }
        }
    }

    /// The next that was not tried: of those that are awake in their turn, else the
    /// one that has rested nearly enough.
    fn next(&self, first: usize, tried: &[usize], now: Timestamp) -> usize {
        let count = self.all.len();
        let in_turn = (0..count).map(|offset| first.wrapping_add(offset) % count);
        let untried = in_turn.filter(|index| !tried.contains(index));
        let awake = untried.clone().find(|index| self.all[*index].wakes(now));
        let resting = || untried.min_by_key(|index| self.all[*index].until.load(Relaxed));
        awake.or_else(resting).unwrap_or_default()
    }

    async fn send_to(
        &self,
        replica: &Arc<Replica>,
        now: Timestamp,
        request: impl FnOnce(&str) -> reqwest::RequestBuilder,
    ) -> Result<reqwest::Response, SendError> {
        if replica.is_doubtful(now) {
            replica.pass_gate(&self.http, &self.clock).await?;
        }
        let _under_way = UnderWay::on(&replica.in_flight);
        match request(&replica.base).send().await {
            Ok(answer) => {
                replica.answered(self.clock.now());
                Ok(answer)
            }
            Err(error) => {
                // One failure of many at once makes one rest.
                if error.is_connect() && !replica.is_resting() {
                    replica.rest(self.clock.now(), &error);
                }
                Err(SendError::Failed(error))
            }
        }
    }
}

fn moves(error: &SendError, may_move: impl Fn(&reqwest::Error) -> bool) -> bool {
    match error {
        SendError::Failed(sent) if !error.is_unsent() => may_move(sent),
        _ => true,
    }
}

/// The end of no rest.
const AWAKE: i64 = 0;

struct Replica {
    base: String,
    /// When it last answered anything.
    heard: AtomicI64,
    in_flight: AtomicUsize,
    /// The end of its rest, or [`AWAKE`].
    until: AtomicI64,
    /// How many rests it has had since it last answered.
    step: AtomicU32,
    gate: Mutex<Option<WeakShared<Gate>>>,
    /// Counts who passes it over.
    resting: Gauge,
}

type Gate = BoxFuture<'static, Result<(), Arc<str>>>;

impl Replica {
    fn is_resting(&self) -> bool {
        self.until.load(Relaxed) != AWAKE
    }

    /// Whether a call may go there now. When a rest is over, one call finds that out
    /// for all: the others see it resting for as long as that may take.
    fn wakes(&self, now: Timestamp) -> bool {
        let until = self.until.load(Relaxed);
        if until == AWAKE {
            return true;
        }
        let tried = now.plus(GATE_LIMIT * 2).as_micros();
        until <= now.as_micros()
            && self
                .until
                .compare_exchange(until, tried, Relaxed, Relaxed)
                .is_ok()
    }

    /// Whether somebody should be heard there before anything is sent.
    fn is_doubtful(&self, now: Timestamp) -> bool {
        let silent = now.since(Timestamp::from_micros(self.heard.load(Relaxed)));
        silent > SILENCE_UNDER_LOAD
            && (silent > SILENCE || self.in_flight.load(Relaxed) > 0 || self.is_resting())
    }

    /// Waits for the one question that is under way, which is asked where there is none.
    /// Whoever waits drives it; it ends with the last of them.
    async fn pass_gate(
        self: &Arc<Self>,
        http: &reqwest::Client,
        clock: &Arc<dyn Clock>,
    ) -> Result<(), SendError> {
        let asked = {
            let mut gate = self.gate.lock();
            let under_way = gate.as_ref().and_then(WeakShared::upgrade);
            under_way.unwrap_or_else(|| {
                let asked = self.clone().ask(http.clone(), clock.clone());
                let asked: Shared<Gate> = asked.boxed().shared();
                *gate = asked.downgrade();
                asked
            })
        };
        asked.await.map_err(SendError::Unreached)
    }

    async fn ask(
        self: Arc<Self>,
        http: reqwest::Client,
        clock: Arc<dyn Clock>,
    ) -> Result<(), Arc<str>> {
        let asked = http.get(format!("{}{GATE}", self.base)).timeout(GATE_LIMIT);
        match asked.send().await {
            Ok(_) => {
                self.answered(clock.now());
                Ok(())
            }
            Err(error) => {
                self.rest(clock.now(), &error);
                Err(crate::client::with_causes(&error.without_url()).into())
            }
        }
    }

    fn answered(&self, now: Timestamp) {
        self.heard.store(now.as_micros(), Relaxed);
        if self.is_resting() && self.until.swap(AWAKE, Relaxed) != AWAKE {
            self.step.store(0, Relaxed);
            self.resting.decrement(1);
            tracing::info!(base = self.base, "a replica is reached again");
        }
    }

    fn rest(&self, now: Timestamp, error: &reqwest::Error) {
        // What it said before the failure shall not spare anybody the gate.
        self.heard.store(Timestamp::EPOCH.as_micros(), Relaxed);
        let step = self.step.fetch_add(1, Relaxed);
        let rest = REST.saturating_mul(1 << step.min(10)).min(REST_LIMIT);
        let rest = rest.mul_f64(0.8 + 0.4 * rand::random::<f64>());
        let until = now.plus(rest).as_micros();
        if self.until.swap(until, Relaxed) == AWAKE {
            self.resting.increment(1);
            tracing::warn!(base = self.base, %error, "a replica can't be reached and is passed over for a while");
        }
    }
}

/// Counts a call for as long as it is under way.
struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    fn on(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

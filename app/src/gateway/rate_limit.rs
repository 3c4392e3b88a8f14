//! How much one client may ask: the generic cell rate algorithm, a bucket for
//! each client. Every answer says how much is left, in the IETF's fields
//! (draft-ietf-httpapi-ratelimit-headers-10). Memory is bounded by the traffic
//! of the last moments: a bucket that has filled up again is forgotten.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::Request;
use cleave_web::Problem;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::client::Client;
use super::settings::{GatewaySettings, RateLimitSettings};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");
const REQUESTS_PER_UPKEEP: u32 = 4096;

/// The limits of one gateway. Time is the limiter's own, monotonic one: a clock
/// that is set back must not lock anyone out.
pub(super) struct RateLimit<C: Clock = DefaultClock> {
    requests: Bucket<C>,
    sign_ins: Bucket<C>,
    proxies: usize,
}

impl RateLimit {
    /// None where the settings want none.
    pub(super) fn new(settings: &GatewaySettings) -> Option<Self> {
        let wanted = settings.rate_limit.enabled;
        wanted.then(|| Self::with_clock(settings, &DefaultClock::default()))
    }
}

impl<C: Clock + Clone> RateLimit<C> {
    fn with_clock(settings: &GatewaySettings, clock: &C) -> Self {
        let RateLimitSettings {
            requests_per_second,
            burst,
            sign_ins_per_second,
            sign_in_burst,
            ..
        } = settings.rate_limit;
        Self {
            requests: Bucket::new("default", requests_per_second, burst, clock),
            sign_ins: Bucket::new("sign-in", sign_ins_per_second, sign_in_burst, clock),
            proxies: settings.trusted_proxies,
        }
    }

    /// Counts a request, and says whether it may pass; none where it is not counted.
    pub(super) fn admit(&self, request: &Request) -> Option<Admission> {
        let path = request.uri().path();
        if path.starts_with("/health/") || path == "/metrics" {
            // A probe that is turned away would take a healthy process down.
            return None;
        }
        let (extensions, headers) = (request.extensions(), request.headers());
        Some(if is_sign_in(request.method(), path) {
            // Guesses at passwords are counted by where they come from.
            let client = Client::at(extensions, headers, self.proxies);
            self.sign_ins.admit(client)
        } else {
            let client = Client::of(extensions, headers, self.proxies);
            self.requests.admit(client)
        })
    }
}

/// What costs a hash of a password.
fn is_sign_in(method: &Method, path: &str) -> bool {
    *method == Method::POST && matches!(path, "/api/v1/users" | "/api/v1/users/sessions")
}

struct Bucket<C: Clock> {
    name: &'static str,
    per_second: u32,
    burst: u32,
    policy: HeaderValue,
    limiter: RateLimiter<Client, DashMapStateStore<Client>, C, StateInformationMiddleware>,
    clock: C,
    until_upkeep: AtomicU32,
}

impl<C: Clock + Clone> Bucket<C> {
    fn new(name: &'static str, per_second: NonZeroU32, burst: NonZeroU32, clock: &C) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(burst);
        let window = burst.get().div_ceil(per_second.get());
        let limiter = RateLimiter::dashmap_with_clock(quota, clock.clone());
        Self {
            name,
            per_second: per_second.get(),
            burst: burst.get(),
            policy: value(&format!("\"{name}\";q={burst};w={window}")),
            limiter: limiter.with_middleware(),
            clock: clock.clone(),
            until_upkeep: AtomicU32::new(0),
        }
    }

    fn admit(&self, client: Client) -> Admission {
        self.keep_up();
        let (left, retry_after) = match self.limiter.check_key(&client) {
            Ok(state) => (state.remaining_burst_capacity(), None),
            Err(until) => {
                let wait = until.wait_time_from(self.clock.now());
                (0, Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)))
            }
        };
        let full_in = (self.burst - left.min(self.burst)).div_ceil(self.per_second);
        Admission {
            policy: self.policy.clone(),
            state: value(&format!("\"{}\";r={left};t={full_in}", self.name)),
            retry_after,
        }
    }

    /// Every so many requests, forgets the clients whose buckets are full again.
    fn keep_up(&self) {
        let count = self.until_upkeep.fetch_add(1, Ordering::Relaxed);
        if count % REQUESTS_PER_UPKEEP == REQUESTS_PER_UPKEEP - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
    }
}

fn value(text: &str) -> HeaderValue {
    // Names and digits are always a header's value.
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Whether a request may pass, and what its answer says about that.
pub(super) struct Admission {
    policy: HeaderValue,
    state: HeaderValue,
    /// Seconds to wait, where it may not.
    retry_after: Option<u64>,
}

impl Admission {
    /// 429 `rate_limited`, where it may not pass.
    pub(super) fn refusal(&self) -> Option<Problem> {
        let seconds = self.retry_after?.max(1);
        let problem = Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            "Too many requests. Wait for as many seconds as `Retry-After` says.",
        );
        Some(problem.retry_after(seconds))
    }

    /// Tells the client how it stands.
    pub(super) fn tell(self, headers: &mut HeaderMap) {
        headers.insert(POLICY, self.policy);
        headers.insert(STATE, self.state);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::*;

    fn limits(clock: &FakeRelativeClock) -> RateLimit<FakeRelativeClock> {
        let count = |count| NonZeroU32::new(count).expect("not zero");
        let rate_limit = RateLimitSettings {
            enabled: true,
            requests_per_second: count(2),
            burst: count(5),
            sign_ins_per_second: count(1),
            sign_in_burst: count(1),
        };
        let settings = GatewaySettings {
            rate_limit,
            ..GatewaySettings::default()
        };
        RateLimit::with_clock(&settings, clock)
    }

    fn admitted(limits: &RateLimit<FakeRelativeClock>, request: &Request) -> (String, Option<u64>) {
        let admission = limits.admit(request).expect("counted");
        let refused = admission.refusal().and_then(|problem| problem.retry_after);
        let mut headers = HeaderMap::new();
        admission.tell(&mut headers);
        (headers[STATE].to_str().expect("text").to_owned(), refused)
    }

    fn request(method: Method, path: &str) -> Request {
        let request = Request::builder().method(method).uri(path);
        request.body(axum::body::Body::empty()).expect("a request")
    }

    #[test]
    fn a_burst_passes_and_then_as_much_as_each_second_allows() {
        let clock = FakeRelativeClock::default();
        let limits = limits(&clock);
        let request = request(Method::GET, "/api/v1/orders");
        let states: Vec<_> = (0..6).map(|_| admitted(&limits, &request)).collect();
        assert_eq!(states[0], ("\"default\";r=4;t=1".into(), None));
        assert_eq!(states[4], ("\"default\";r=0;t=3".into(), None));
        assert_eq!(states[5], ("\"default\";r=0;t=3".into(), Some(1)));
        clock.advance(Duration::from_millis(500));
        assert_eq!(admitted(&limits, &request).1, None);
        assert_eq!(admitted(&limits, &request).1, Some(1));
    }

    #[test]
    fn sign_ins_have_a_bucket_of_their_own_and_probes_none() {
        let clock = FakeRelativeClock::default();
        let limits = limits(&clock);
        let sign_in = request(Method::POST, "/api/v1/users/sessions");
        assert_eq!(admitted(&limits, &sign_in).1, None);
        assert_eq!(admitted(&limits, &sign_in).1, Some(1));
        let other = request(Method::GET, "/api/v1/users");
        assert_eq!(admitted(&limits, &other).1, None);
        assert!(
            limits
                .admit(&request(Method::GET, "/health/live"))
                .is_none()
        );
        assert!(limits.admit(&request(Method::GET, "/metrics")).is_none());
    }

    #[test]
    fn clients_that_went_away_are_forgotten() {
        let clock = FakeRelativeClock::default();
        let bucket = Bucket::new("default", NonZeroU32::MIN, NonZeroU32::MIN, &clock);
        for user in 0..u128::from(REQUESTS_PER_UPKEEP) - 1 {
            bucket.admit(Client::User(user));
        }
        assert_eq!(bucket.limiter.len(), 4095);
        clock.advance(Duration::from_mins(1));
        bucket.admit(Client::Unknown);
        assert_eq!(bucket.limiter.len(), 1);
    }
}

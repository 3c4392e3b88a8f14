//! Events in the `CloudEvents` 1.0 envelope (<https://cloudevents.io>), JSON format.
//! `subject` is the aggregate's id and the ordering key: events of one subject
//! are handled in the order in which they were written.

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::call::{CallContext, CorrelationId, TraceParent};
use crate::clock::{Clock, Timestamp};
use crate::id::{EventId, IdSource};

/// The payload of one type of event, as the contract of its context declares it.
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The type on the wire: `order.paid`.
    const TYPE: &'static str;
    /// Rises only when the meaning changes; optional fields may be added within one.
    const VERSION: u32 = 1;

    /// The id of the aggregate that the event is about: the ordering key.
    fn subject(&self) -> String;
}

/// An event on its way, with what `CloudEvents` asks of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Envelope {
    /// Always `1.0`.
    pub specversion: Cow<'static, str>,
    /// Stable through every retry and redelivery.
    pub id: EventId,
    /// `/contexts/order`.
    pub source: Cow<'static, str>,
    /// `order.paid`.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The aggregate's id: the ordering key.
    pub subject: String,
    /// When it became true.
    pub time: Timestamp,
    /// Always `application/json`.
    pub datacontenttype: Cow<'static, str>,
    /// `urn:cleave:event:order.paid:v1`.
    pub dataschema: Cow<'static, str>,
    /// What the request that caused it was called.
    pub correlationid: CorrelationId,
    /// The id of the event, or the key of the command, that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causationid: Option<String>,
    /// The W3C trace that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<TraceParent>,
    /// The payload, still as JSON: whoever handles it knows its type.
    pub data: Box<RawValue>,
}

impl Envelope {
    /// The payload, where the event is of type `E`.
    pub fn decode<E: Event>(&self) -> Result<E, serde_json::Error> {
        serde_json::from_str(self.data.get())
    }

    /// The version at the end of `dataschema`; 1 where it names none.
    pub fn version(&self) -> u32 {
        let version = self
            .dataschema
            .rsplit_once(":v")
            .map(|(_, version)| version.parse());
        version.and_then(Result::ok).unwrap_or(1)
    }

    /// The context of a call that handling this event makes.
    pub fn call(&self) -> CallContext {
        CallContext {
            correlation: self.correlationid.clone(),
            trace: self.traceparent.clone(),
            causation: Some(self.id.to_string()),
            deadline: None,
        }
    }
}

/// Makes the events of one context: knows its name, its clock and its ids.
#[derive(Clone)]
pub struct EventSource {
    source: &'static str,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
}

impl EventSource {
    /// For the context whose events come from `source`: `/contexts/order`.
    pub fn new(source: &'static str, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Self {
        Self { source, clock, ids }
    }

    /// The event, as true now and caused by `call`.
    pub fn event<E: Event>(&self, call: &CallContext, event: &E) -> Envelope {
        let data = serde_json::value::to_raw_value(event).unwrap_or_else(|error| {
            // Only a map with keys that are no strings can fail; events are structs.
            unreachable!("event {} cannot be written as JSON: {error}", E::TYPE)
        });
        Envelope {
            specversion: "1.0".into(),
            id: self.ids.next(),
            source: self.source.into(),
            kind: E::TYPE.into(),
            subject: event.subject(),
            time: self.clock.now(),
            datacontenttype: "application/json".into(),
            dataschema: format!("urn:cleave:event:{}:v{}", E::TYPE, E::VERSION).into(),
            correlationid: call.correlation.clone(),
            causationid: call.causation.clone(),
            traceparent: call.trace.clone(),
            data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::id::SequentialIds;

    #[derive(Serialize, Deserialize)]
    struct Painted {
        wall: String,
    }

    impl Event for Painted {
        const TYPE: &'static str = "house.painted";
        const VERSION: u32 = 2;

        fn subject(&self) -> String {
            self.wall.clone()
        }
    }

    #[test]
    fn the_envelope_is_cloudevents_json() {
        let ids = Arc::new(SequentialIds::default());
        let source = EventSource::new("/contexts/house", Arc::new(ManualClock::default()), ids);
        let call = CallContext::of("c-1".parse().expect("an id")).caused_by("k");
        let envelope = source.event(
            &call,
            &Painted {
                wall: "north".into(),
            },
        );
        let json = serde_json::to_string(&envelope).expect("json");
        assert_eq!(
            json,
            format!(
                r#"{{"specversion":"1.0","id":"{}","source":"/contexts/house","type":"house.painted","subject":"north","time":"2026-01-02T03:04:05.678Z","datacontenttype":"application/json","dataschema":"urn:cleave:event:house.painted:v2","correlationid":"c-1","causationid":"k","data":{{"wall":"north"}}}}"#,
                envelope.id
            )
        );
        let back: Envelope = serde_json::from_str(&json).expect("json");
        assert_eq!(back.version(), 2);
        assert_eq!(back.decode::<Painted>().expect("payload").wall, "north");
    }
}

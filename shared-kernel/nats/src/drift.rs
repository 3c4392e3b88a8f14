//! How what exists at the broker differs from what the settings want, field by
//! field: what can be changed is told with both values, what can't is refused.
//! It sees what servers before 2.10 know of a stream.

use std::fmt::Debug;

use async_nats::jetstream::stream::Config;

use crate::NatsError;

/// Two values of one field, where they differ.
pub(crate) fn change<T: PartialEq + Debug>(name: &str, has: &T, wanted: &T) -> Option<String> {
    (has != wanted).then(|| format!("{name}: {has:?} -> {wanted:?}"))
}

/// What of a stream differs and can be changed.
pub(crate) fn changes(has: &Config, wanted: &Config) -> Vec<String> {
    let what_it_keeps = [
        change("subjects", &has.subjects, &wanted.subjects),
        change("discard", &has.discard, &wanted.discard),
        change(
            "discard_new_per_subject",
            &has.discard_new_per_subject,
            &wanted.discard_new_per_subject,
        ),
        change("replicas", &has.num_replicas, &wanted.num_replicas),
        change("max_bytes", &has.max_bytes, &wanted.max_bytes),
        change("max_msgs", &has.max_messages, &wanted.max_messages),
        change(
            "max_msgs_per_subject",
            &has.max_messages_per_subject,
            &wanted.max_messages_per_subject,
        ),
        change(
            "max_msg_size",
            &unbounded(has.max_message_size),
            &unbounded(wanted.max_message_size),
        ),
        change("max_age", &has.max_age, &wanted.max_age),
    ];
    let how_it_answers = [
        change(
            "duplicate_window",
            &has.duplicate_window,
            &wanted.duplicate_window,
        ),
        change("no_ack", &has.no_ack, &wanted.no_ack),
        change("sources", &has.sources.is_some(), &wanted.sources.is_some()),
        change("allow_rollup", &has.allow_rollup, &wanted.allow_rollup),
        change("allow_direct", &has.allow_direct, &wanted.allow_direct),
        change(
            "republish",
            &has.republish.is_some(),
            &wanted.republish.is_some(),
        ),
    ];
    let all = what_it_keeps.into_iter().chain(how_it_answers);
    all.flatten().collect()
}

/// The broker writes no bound in two ways.
fn unbounded(bound: i32) -> i32 {
    if bound == 0 { -1 } else { bound }
}

/// Refuses a stream whose nature is another, or whose description does not tell
/// that it is this program's.
pub(crate) fn check_owner(has: &Config, wanted: &Config, marked: bool) -> Result<(), NatsError> {
    let foreign = |what: String| NatsError::Foreign {
        stream: wanted.name.clone(),
        what,
    };
    let nature = [
        change("retention", &has.retention, &wanted.retention),
        change("storage", &has.storage, &wanted.storage),
        change("mirror", &has.mirror.is_some(), &wanted.mirror.is_some()),
    ];
    let nature: Vec<String> = nature.into_iter().flatten().collect();
    if !nature.is_empty() {
        return Err(foreign(nature.join(", ")));
    }
    if !marked {
        return Err(foreign("its description lacks the mark".to_owned()));
    }
    Ok(())
}

/// Refuses what was changed by hand and can't be changed back.
pub(crate) fn check_for_good(has: &Config, wanted: &Config) -> Result<(), NatsError> {
    let changed = [
        change(
            "max_consumers",
            &unbounded(has.max_consumers),
            &unbounded(wanted.max_consumers),
        ),
        change("sealed", &has.sealed, &wanted.sealed),
        change("deny_purge", &has.deny_purge, &wanted.deny_purge),
        change("deny_delete", &has.deny_delete, &wanted.deny_delete),
    ];
    let changed: Vec<String> = changed.into_iter().flatten().collect();
    if changed.is_empty() {
        return Ok(());
    }
    Err(NatsError::Drift {
        stream: wanted.name.clone(),
        what: format!("what nobody can change any more ({})", changed.join(", ")),
        fix: "restore a backup of it that lacks that, and run with it".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told_with_both_values() {
        let wanted = Config {
            max_messages: -1,
            ..Config::default()
        };
        assert!(changes(&wanted, &wanted).is_empty());
        let has = Config {
            max_messages: 7,
            no_ack: true,
            ..wanted.clone()
        };
        assert_eq!(
            changes(&has, &wanted),
            ["max_msgs: 7 -> -1", "no_ack: true -> false"]
        );
    }

    #[test]
    fn what_can_not_be_changed_back_is_refused() {
        let wanted = Config::default();
        let has = Config {
            max_consumers: 3,
            ..wanted.clone()
        };
        check_for_good(&wanted, &wanted).expect("the same");
        let told = check_for_good(&has, &wanted).expect_err("refused");
        assert!(
            told.to_string().contains("max_consumers: 3 -> -1"),
            "{told}"
        );
    }
}

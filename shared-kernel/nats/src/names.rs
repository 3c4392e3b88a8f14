//! What things are called at the broker. A type's first word is its family:
//! `order.paid` is of the family `order`, which has one stream and, because a
//! type belongs to one context, one publisher.
//!
//! ```text
//! stream    <prefix>-order
//! subject   <prefix>.order.<partition>.paid
//! consumer  notification-tell_of_orders-<partition>-<generation>
//! ```
//!
//! The key of an event picks its partition and is not part of its subject: the
//! broker keeps an index of all subjects in memory, which would grow with every
//! order.

use std::fmt::Write as _;

use cleave_messaging::family;

/// What follows the family; the family again where nothing does.
fn rest(kind: &str) -> &str {
    kind.split_once('.').map_or(kind, |(_, rest)| rest)
}

/// The stream of a family.
pub(crate) fn stream(prefix: &str, family: &str) -> String {
    format!("{prefix}-{}", plain(family))
}

/// The family in the name of a stream with this prefix, spelt as there.
pub(crate) fn family_of_stream<'a>(prefix: &str, stream: &'a str) -> Option<&'a str> {
    let family = stream.strip_prefix(prefix)?.strip_prefix('-')?;
    // A longer prefix that begins like this one is another deployment's.
    (!family.contains('-')).then_some(family)
}

/// Whether a type is of the family that is spelt so in a stream's name.
pub(crate) fn is_family(kind: &str, spelt: &str) -> bool {
    plain(family(kind)) == spelt
}

/// The subjects of a family's stream.
pub(crate) fn subjects(prefix: &str, family: &str) -> String {
    format!("{prefix}.{}.*.*", plain(family))
}

/// Where an event of a type goes.
pub(crate) fn subject(prefix: &str, kind: &str, partition: u16) -> String {
    let (family, rest) = (plain(family(kind)), plain(rest(kind)));
    format!("{prefix}.{family}.{partition}.{rest}")
}

/// The narrowest filter that lets all of these types of one family through:
/// servers before 2.10 take one filter for a consumer.
pub(crate) fn filter(prefix: &str, family: &str, partition: u16, kinds: &[String]) -> String {
    match kinds {
        [kind] => subject(prefix, kind, partition),
        _ => format!("{prefix}.{}.{partition}.*", plain(family)),
    }
}

/// The part of the name that all generations of a consumer share.
pub(crate) fn consumer(name: &str, partition: u16) -> String {
    format!("{}-{partition}-", plain(name))
}

/// The generation in a consumer's name that begins like this.
pub(crate) fn generation(base: &str, name: &str) -> Option<u64> {
    name.strip_prefix(base)?.parse().ok()
}

/// The part of a stream that holds the events of a key: FNV-1a, because every
/// version of this program must give the same answer.
pub(crate) fn partition(key: &str, partitions: u16) -> u16 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let hash = key.bytes().fold(OFFSET, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    });
    // Short keys that differ in their last letters alone differ in few bits of
    // it: mixed as MurmurHash3 ends (its `fmix64`).
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    let part = (mixed ^ (mixed >> 33)) % u64::from(partitions.max(1));
    u16::try_from(part).unwrap_or_default()
}

/// A name as one word of a subject: whatever means something to the broker is spelt out.
fn plain(name: &str) -> String {
    let mut word = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => word.push(c),
            '.' => word.push('-'),
            other => {
                // Writing to a string can't fail.
                let _ = write!(word, "={:x}=", u32::from(other));
            }
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_its_stream_and_its_subject() {
        assert_eq!(stream("cleave", family("order.paid")), "cleave-order");
        assert_eq!(subject("cleave", "order.paid", 3), "cleave.order.3.paid");
        assert_eq!(subject("c", "a.b.c", 0), "c.a.0.b-c");
        assert_eq!(subject("c", "a.b>*", 0), "c.a.0.b=3e==2a=");
        assert_eq!(subjects("c", "a"), "c.a.*.*");
    }

    #[test]
    fn a_stream_is_known_by_its_prefix() {
        assert_eq!(family_of_stream("c", "c-order"), Some("order"));
        assert_eq!(family_of_stream("c", "c-b-order"), None);
        assert_eq!(family_of_stream("c", "cd-order"), None);
        assert!(is_family("order.paid", "order") && !is_family("orders.paid", "order"));
    }

    #[test]
    fn a_filter_is_as_narrow_as_one_may_be() {
        let kinds = |kinds: &[&str]| kinds.iter().map(ToString::to_string).collect::<Vec<_>>();
        let one = filter("c", "order", 1, &kinds(&["order.paid"]));
        assert_eq!(one, "c.order.1.paid");
        let two = filter("c", "order", 1, &kinds(&["order.paid", "order.shipped"]));
        assert_eq!(two, "c.order.1.*");
    }

    #[test]
    fn generations_are_told_apart() {
        let base = consumer("order.read_model", 2);
        assert_eq!(base, "order-read_model-2-");
        assert_eq!(generation(&base, "order-read_model-2-17"), Some(17));
        assert_eq!(generation(&base, "order-read_model-21-17"), None);
        assert_eq!(generation(&base, "order-read_model-2-x"), None);
    }

    #[test]
    fn keys_are_spread_over_the_partitions_and_stay_where_they_are() {
        assert_eq!(partition("ord_01h455vb4pex5vsknk084sn02q", 4), 2);
        let mut counts = [0; 4];
        for number in 0..1000 {
            counts[usize::from(partition(&format!("subject-{number}"), 4))] += 1;
        }
        assert!(counts.iter().all(|count| *count > 150), "{counts:?}");
    }
}

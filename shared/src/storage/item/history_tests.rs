//! Tests of the stored form of the history.

use chrono::{DateTime, Utc};

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn sequence(number: u16) -> Sequence {
    Sequence::try_from(number).unwrap()
}

fn primary_of(number: u16, is_active: bool) -> Primary {
    Primary { sequence: sequence(number), is_active }
}

fn client(name: &str, channel: &str) -> Actor {
    Actor::Client { name: Label::cut(name), channel: Label::cut(channel) }
}

fn entry(actor: Actor, correlation_id: &str) -> Entry {
    Entry {
        at: at("2026-11-23T10:00:00.123Z"),
        origin: Origin { actor, correlation_id: Label::cut(correlation_id) },
        subject: sequence(1023),
        before: Some(RecurringStatus::Created),
        after: RecurringStatus::Active,
        cause: EntryCause::CardStored,
        primary_before: Some(primary_of(1023, false)),
        primary_after: Some(primary_of(1, true)),
    }
}

fn read(bytes: &[u8]) -> Option<History> {
    let bytes = serde::de::value::BytesDeserializer::<serde::de::value::Error>::new(bytes);
    deserialize(bytes).ok()
}

/// The layout must not change: it is in stored items.
#[test]
fn an_entry_has_a_fixed_layout() {
    let uuid = "0a1b2c3d-4711-4e5f-8a9b-0c1d2e3f4a5b";
    let bytes = entry_bytes(&entry(client("ab-c", "app"), uuid));
    let milliseconds = at("2026-11-23T10:00:00.123Z").timestamp_millis();
    assert_eq!(bytes[..6], milliseconds.to_be_bytes()[2..]);
    #[rustfmt::skip]
    let rest = [
        0xff, 0xca, 0xff, 0xc8, 0x00, 0x60,
        4, b'a', b'b', b'-', b'c', 3, b'a', b'p', b'p',
        255, 0x0a, 0x1b, 0x2c, 0x3d, 0x47, 0x11, 0x4e, 0x5f, 0x8a, 0x9b, 0x0c, 0x1d, 0x2e, 0x3f, 0x4a, 0x5b,
    ];
    assert_eq!(bytes[6..], rest);
}

#[test]
fn every_entry_reads_back() {
    let mut entries = Vec::new();
    for actor in [
        client("", ""),
        client("tests-api", ""),
        client("a-name-of-exactly-thirty-two-byt", "sixteen bytes ch"),
        Actor::Time,
        Actor::Nets,
    ] {
        for id in [
            "",
            "a",
            "0A1B2C3D-4711-4E5F-8A9B-0C1D2E3F4A5B",
            "0a1b2c3d-4711-4e5f-8a9b-0c1d2e3f4a5b",
        ] {
            entries.push(entry(actor.clone(), id));
        }
    }
    let base = entry(Actor::Time, "");
    for before in [None, Some(RecurringStatus::Created), Some(RecurringStatus::Expired)] {
        for after in
            [RecurringStatus::Created, RecurringStatus::Expired, RecurringStatus::Cancelled]
        {
            entries.push(Entry { before, after, ..base.clone() });
        }
    }
    for cause in [
        EntryCause::First,
        EntryCause::Requested,
        EntryCause::CardStored,
        EntryCause::Ended,
        EntryCause::Expired,
        EntryCause::Abandoned,
        EntryCause::ChoiceAbandoned,
    ] {
        let (primary_before, primary_after) =
            (None, Some(primary_of(7, cause == EntryCause::First)));
        entries.push(Entry { cause, primary_before, primary_after, ..base.clone() });
        let (primary_before, primary_after) = (Some(primary_of(1, true)), None);
        entries.push(Entry { cause, primary_before, primary_after, ..base.clone() });
    }
    for one in &entries {
        let history = read(&entry_bytes(one));
        assert_eq!(history, Some(History::from_entries(vec![one.clone()])));
    }
    let bytes: Vec<u8> = entries.iter().flat_map(entry_bytes).collect();
    assert_eq!(read(&bytes), Some(History::from_entries(entries)));
    assert_eq!(read(&[]), Some(History::default()));
}

/// The longest texts are cut: 99 bytes. A typical entry has 42, one by time 15.
#[test]
fn an_entry_has_at_most_99_bytes() {
    let long = "x".repeat(200);
    assert_eq!(entry_bytes(&entry(client(&long, &long), &long)).len(), 99);
    let uuid = "0a1b2c3d-4711-4e5f-8a9b-0c1d2e3f4a5b";
    assert_eq!(entry_bytes(&entry(client("company-app", ""), uuid)).len(), 42);
    assert_eq!(entry_bytes(&entry(Actor::Time, "")).len(), 15);
    let wide = entry(client(&"ø".repeat(20), ""), "");
    assert_eq!(wide.origin.actor, client(&"ø".repeat(16), ""));
}

#[test]
fn other_bytes_are_not_a_history() {
    let bytes = entry_bytes(&entry(client("ab-c", "app"), "id"));
    for length in 1..bytes.len() {
        assert_eq!(read(&bytes[..length]), None, "{length}");
    }
    for (index, value) in [(7, 0b111), (7, 0), (9, 7 << 2), (11, 0b11 << 3), (13, 0xff)] {
        let mut wrong = bytes.clone();
        wrong[index] = value;
        assert_eq!(read(&wrong), None, "{index}");
    }
}

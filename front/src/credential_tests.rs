//! Tests of what a credential may do.

use std::time::Duration;

use bytes::Bytes;

use super::*;

const HOST: Host = *b"420000";
const SECOND: Duration = Duration::from_secs(1);

fn credential() -> Credential {
    Credential::new(1, Key { certificate: Bytes::new(), authorization: None, is_local: true })
}

fn granted(units: i64, now: Instant) -> Credential {
    let made = credential();
    let (hosts, until, group) = (Some(vec![HOST]), now + SECOND, Group::default());
    group.add(units);
    assert!(made.grant(Grant { hosts, until, in_flight_max: 2, group }));
    made
}

fn refusal(now: Instant, ends_streams: bool) -> Denial {
    Denial { status: Status::new(7, "", &[]), kind: "".into(), until: now + SECOND, ends_streams }
}

fn word(standing: &Standing) -> &'static str {
    match standing {
        Standing::Granted => "granted",
        Standing::Unknown => "unknown",
        Standing::OtherHost => "other host",
        Standing::Crowded => "crowded",
        Standing::Denied(..) => "denied",
    }
}

#[test]
fn a_grant_lasts_for_its_units_and_its_time() {
    let now = Instant::now();
    assert_eq!(word(&credential().admit(HOST, 1, now)), "unknown");
    let one = granted(3, now);
    assert_eq!(word(&one.admit(*b"110000", 1, now)), "other host");
    assert_eq!(word(&one.admit(HOST, 3, now)), "granted");
    assert_eq!(one.take_wanted(), 0);
    assert_eq!(word(&one.admit(HOST, 1, now)), "unknown");
    assert_eq!(word(&one.admit(HOST, 4096, now)), "unknown");
    assert_eq!((one.take_wanted(), one.take_wanted()), (4096, 0), "the most that one call needs");
    let other = granted(3, now);
    assert_eq!(word(&other.admit(HOST, 1, now + SECOND)), "unknown");
}

#[test]
fn a_group_has_a_bound() {
    let now = Instant::now();
    let one = granted(9, now);
    let group = one.group().unwrap();
    group.in_flight.set(2);
    assert_eq!(word(&one.admit(HOST, 1, now)), "crowded");
    assert_eq!(word(&one.admit_stream(now)), "crowded");
    group.in_flight.set(1);
    assert_eq!(word(&one.admit_stream(now)), "granted");
}

#[test]
fn a_stream_goes_on_while_python_is_asked_and_a_new_call_waits() {
    let now = Instant::now();
    let one = granted(9, now);
    one.streams.set(1);
    assert!(one.lapse(now) && !one.lapse(now) && !one.ask(now));
    assert!(one.has_units() && one.take_message(HOST));
    assert!(!one.take_message(*b"110000"));
    assert_eq!(word(&one.admit(HOST, 1, now)), "unknown");
    one.open.set(1);
    assert!(one.take());
    assert!(one.deny(refusal(now, true)));
    assert!(!one.has_units() && one.denial().is_some());
    assert_eq!(word(&one.admit(HOST, 1, now)), "denied");
    assert_eq!(word(&one.admit(HOST, 1, now + SECOND)), "unknown");
}

#[test]
fn a_stream_that_is_held_back_is_not_ended_and_a_new_call_is_refused() {
    let now = Instant::now();
    let one = granted(1, now);
    assert!(one.deny(refusal(now, false)));
    assert!(one.held_until().is_some() && one.denial().is_none() && !one.has_units());
    assert_eq!(word(&one.admit(HOST, 1, now)), "denied");
    assert_eq!(word(&one.admit_stream(now)), "denied");
}

#[test]
fn nothing_is_asked_for_callers_who_have_gone() {
    let one = credential();
    assert!(one.ask(Instant::now()));
    assert!(!one.take());
    assert!(one.asking.since().is_none());
}

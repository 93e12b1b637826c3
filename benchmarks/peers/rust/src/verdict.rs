//! The verdict on one code: the code's claim, the records beside it, and who recognises whom.

use crate::code::{self, Claims};
use crate::statuses::{Statuses, newest};
use crate::trust::TrustList;
use crate::v1::{Authenticity, Decision, Level, Reason, Recognition, Scope, Status, Verdict};

const NATIONAL: &str = "000000";

pub struct Checker {
    pub trust: TrustList,
    pub statuses: Statuses,
    pub skew_s: f64,
}

impl Checker {
    /// Decides on one code at one moment, in Unix seconds.
    pub fn check(&self, code: &[u8], host: &str, now_s: f64) -> Verdict {
        match code::authenticate(code, &self.trust, now_s, self.skew_s) {
            Ok(claims) => self.decide(claims, host, now_s),
            Err((authenticity, reason)) => Verdict {
                decision: Decision::Refuse.into(),
                authenticity: authenticity.into(),
                reason: reason.into(),
                ..Verdict::default()
            },
        }
    }

    fn decide(&self, claims: Claims, host: &str, now_s: f64) -> Verdict {
        let records = self.statuses.get(&claims.subject).map(Vec::as_slice).unwrap_or_default();
        // A code that is newer than the record counts instead of it.
        let own = newest(records, &claims.home, Scope::National, now_s)
            .filter(|record| record.effective_at_s >= claims.issued_at_s);
        let national =
            if claims.home == NATIONAL { own } else { newest(records, NATIONAL, Scope::National, now_s) };
        let host_region = self.trust.regions.get(host);
        let adopts = host_region.is_some_and(|region| region.adopts_national);
        let local = adopts.then(|| newest(records, host, Scope::Local, now_s)).flatten();

        let level_of = |record: Option<&crate::statuses::Record>| record.map(|one| one.level).unwrap_or_default();
        let worst_beside = level_of(national).max(level_of(local));
        let mut level = own.map_or(claims.level, |record| record.level);
        if level != Level::Unspecified || worst_beside == Level::Red {
            level = level.max(worst_beside);
        }
        let in_date = now_s <= self.trust.ends_s;
        let (decision, shown, reason) = if level_of(national) == Level::Red {
            (Decision::Refuse, Level::Red, Reason::RedByNationalAuthority)
        } else if level_of(local) == Level::Red {
            (Decision::Refuse, Level::Red, Reason::RedByHost)
        } else if host_region.is_none() {
            (Decision::Check, Level::Unspecified, Reason::HostUnknown)
        } else {
            match level {
                Level::Red => (Decision::Refuse, Level::Red, Reason::Red),
                Level::Yellow => (Decision::Check, Level::Yellow, Reason::Yellow),
                Level::Green if in_date => (Decision::Admit, Level::Green, Reason::Green),
                Level::Green => (Decision::Check, Level::Unspecified, Reason::TrustListOutOfDate),
                Level::Unspecified => (Decision::Check, Level::Unspecified, Reason::LevelUnmapped),
            }
        };
        let recognition = host_region.map_or(Recognition::UnknownHost, |_| Recognition::Recognised);
        let is_known = own.or(national).or(local).is_some();
        Verdict {
            decision: decision.into(),
            level: shown.into(),
            authenticity: Authenticity::Valid.into(),
            status: if is_known { Status::Current } else { Status::None }.into(),
            recognition: recognition.into(),
            reason: reason.into(),
            home_region: claims.home,
            ..Verdict::default()
        }
    }
}

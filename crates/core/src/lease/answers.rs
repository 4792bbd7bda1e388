//! What an answer changes.

use std::sync::Arc;

use super::{Answer, Asked, Election, Record, Role, Seen, Tenure, Uptime, Why};

impl Election {
    /// How the last ask ended. An answer that nobody waits for says nothing.
    pub fn answered(&mut self, answer: Answer, now: Uptime) {
        let Some((asked, sent)) = self.asked.take() else { return };
        match (answer, asked) {
            (Answer::Record(record), Asked::Read) => self.read(record, now),
            (Answer::Written(version), Asked::Hold { transitions, renewals }) => {
                self.held(version, transitions, renewals, sent);
            }
            // A blank record is looked at; with one that was given back it is over.
            (Answer::Written(_), Asked::Free) | (Answer::Conflict, _) => self.conflict(now),
            (Answer::Failed | Answer::Record(_) | Answer::Written(_), _) => self.failed(now),
        }
    }

    fn read(&mut self, record: Option<Record>, now: Uptime) {
        self.doubtful = false;
        self.next = now.plus(self.timing.renewal());
        match &mut self.role {
            Role::Ended(_) => {}
            Role::Standby => {
                // A blank one is no past: it stands in place of one that was deleted.
                if let Some(record) = record.as_ref().filter(|record| !record.is_blank()) {
                    let age = (record.transitions, record.renewals);
                    if age < self.highest {
                        self.role = Role::Ended(Why::PastCameBack);
                    }
                    self.highest = age;
                }
            }
            Role::Leading(tenure) => {
                self.next = now;
                match &record {
                    // Deleted: nobody takes a new one sooner than a held one, so it is still ours to write.
                    None => tenure.version = None,
                    Some(record) if record.is_blank() => tenure.version = Some(Arc::clone(&record.version)),
                    Some(record) if record.holder.as_ref() != Some(&self.identity) => {
                        let back = record.transitions < tenure.term;
                        self.role = Role::Ended(if back { Why::PastCameBack } else { Why::Taken });
                    }
                    // A renewal that was thought to have failed, or somebody edited a label.
                    Some(record)
                        if record.transitions == tenure.term
                            && (tenure.accepted..=tenure.sent).contains(&record.renewals) =>
                    {
                        tenure.version = Some(Arc::clone(&record.version));
                    }
                    Some(_) => self.role = Role::Ended(Why::PastCameBack),
                }
            }
        }
        let version = |record: &Option<Record>| record.as_ref().map(|record| Arc::clone(&record.version));
        if self.seen.as_ref().is_none_or(|seen| version(&seen.record) != version(&record)) {
            self.seen = Some(Seen { record, since: now });
        }
    }

    fn held(&mut self, version: Arc<str>, transitions: u64, renewals: u64, sent: Uptime) {
        self.next = sent.plus(self.timing.renewal());
        // Counted from when it was sent: nobody can have seen it before.
        let until = sent.plus(self.timing.fence());
        match &mut self.role {
            Role::Leading(tenure) => {
                (tenure.version, tenure.accepted, tenure.until) = (Some(version), renewals, until);
            }
            Role::Standby => {
                self.role = Role::Leading(Tenure {
                    term: transitions,
                    until,
                    version: Some(version),
                    accepted: renewals,
                    sent: renewals,
                    resigning: false,
                });
            }
            Role::Ended(_) => {}
        }
    }

    fn conflict(&mut self, now: Uptime) {
        self.doubtful = true;
        self.next = now;
        self.give_up_resigning();
    }

    fn failed(&mut self, now: Uptime) {
        // A leader's next renewal meets a conflict if this one has landed; a standby's claim could be its own.
        self.doubtful |= self.role == Role::Standby;
        self.next = now.plus(self.timing.retry());
        self.give_up_resigning();
    }

    /// The others wait for as long as they must: a second try could keep this process from ending.
    fn give_up_resigning(&mut self) {
        if matches!(&self.role, Role::Leading(tenure) if tenure.resigning) {
            self.role = Role::Ended(Why::Resigned);
        }
    }
}

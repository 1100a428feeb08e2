//! The log record of an event. What others typed stands last and quoted, so that no name can pass for an address.

use super::Record;

/// Records of this target are logged whatever `log.level` says.
pub const TARGET: &str = "portcullis::audit";

/// Writes it.
pub(super) fn write(record: &Record) {
    let subject = record.subject.as_ref();
    tracing::info!(
        target: TARGET,
        audit = true,
        event = %record.action,
        outcome = %record.outcome,
        reason = record.reason.as_ref().map(display),
        client = record.client.map(display),
        request_id = Some(&record.request_id).filter(|id| !id.is_empty()).map(display),
        account = record.actor.account.map(display),
        subject_account = subject.and_then(|subject| subject.account).map(display),
        subject = subject.map(|subject| subject.name.as_str()),
        user = Some(record.actor.name.as_str()).filter(|name| !name.is_empty()),
    );
}

//! One change, in a transaction that the caller has begun and will end. `Put` updates in place: a replaced row would
//! take what refers to it along.

use countersign_model::{
    Device, DeviceId, Exception, Fact, Group, PostureAspect, PostureValue, Resource, Review, ReviewId, ReviewLine,
    Subject,
};
use rusqlite::{Params, Transaction, params};

use super::row::{json, word};
use crate::{Change, KeyRecord, PasskeyRecord, SessionRecord, StoreError, TokenPurpose, TokenRecord};

/// Runs one statement and tells how many rows it touched.
fn run(transaction: &Transaction<'_>, sql: &str, values: impl Params) -> Result<usize, StoreError> {
    Ok(transaction.prepare_cached(sql)?.execute(values)?)
}

pub(super) fn apply(t: &Transaction<'_>, change: &Change) -> Result<(), StoreError> {
    match change {
        Change::PutSubject(subject) => put_subject(t, subject)?,
        Change::RemoveSubject(id) => {
            run(t, "DELETE FROM subjects WHERE id = ?1", [id.to_string()])?;
        }
        Change::PutGroup(group) => put_group(t, group)?,
        Change::RemoveGroup(id) => {
            run(t, "DELETE FROM groups WHERE id = ?1", [id.as_str()])?;
        }
        Change::PutSegment(segment) => {
            run(
                t,
                "INSERT INTO segments (id, display_name, source) VALUES (?1, ?2, ?3)
                 ON CONFLICT (id) DO UPDATE SET display_name = excluded.display_name, source = excluded.source",
                params![segment.id.as_str(), segment.display_name, word(&segment.source)?],
            )?;
        }
        Change::RemoveSegment(id) => {
            run(t, "DELETE FROM segments WHERE id = ?1", [id.as_str()])?;
        }
        Change::PutResource(resource) => put_resource(t, resource)?,
        Change::RemoveResource(id) => {
            run(t, "DELETE FROM resources WHERE id = ?1", [id.as_str()])?;
        }
        Change::PutException(exception) => put_exception(t, exception)?,
        Change::PutReview(review) => put_review(t, review)?,
        Change::PutReviewLine { review, line } => put_review_line(t, review, line)?,
        Change::PutDevice(device) => put_device(t, device)?,
        Change::RemoveDevice(id) => {
            run(t, "DELETE FROM devices WHERE id = ?1", [id.as_str()])?;
        }
        Change::PutPosture { device, facts } => {
            for (aspect, fact) in facts {
                put_posture(t, device, *aspect, fact)?;
            }
        }
        Change::PutRisk(record) => {
            run(
                t,
                "INSERT INTO subject_risk (subject, risk, reason, changed) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (subject) DO UPDATE SET
                 risk = excluded.risk, reason = excluded.reason, changed = excluded.changed",
                params![record.subject.to_string(), record.risk, record.reason, record.changed.millis()],
            )?;
        }
        Change::SubjectUsed { id, at } => {
            let sql = "UPDATE subjects SET last_used = MAX(COALESCE(last_used, ?2), ?2) WHERE id = ?1";
            run(t, sql, params![id.to_string(), at.millis()])?;
        }
        Change::PutPasskey(record) => put_passkey(t, record)?,
        Change::RemovePasskey { credential } => {
            run(t, "DELETE FROM passkeys WHERE credential = ?1", [credential])?;
        }
        Change::PutKey(record) => put_key(t, record)?,
        Change::RemoveKey(id) => {
            run(t, "DELETE FROM api_keys WHERE id = ?1", [id.as_str()])?;
        }
        Change::KeyUsed { id, at } => {
            run(t, "UPDATE api_keys SET last_used = ?2 WHERE id = ?1", params![id.as_str(), at.millis()])?;
        }
        Change::PutSession(record) => put_session(t, record)?,
        Change::RemoveSession(id) => {
            run(t, "DELETE FROM sessions WHERE id = ?1", [id.to_string()])?;
        }
        Change::SessionUsed { id, at } => {
            run(t, "UPDATE sessions SET last_used = ?2 WHERE id = ?1", params![id.to_string(), at.millis()])?;
        }
        Change::PutToken(record) => put_token(t, record)?,
        Change::ConsumeToken { hash, now } => {
            let sql = "DELETE FROM tokens WHERE hash = ?1 AND expires > ?2";
            if run(t, sql, params![hash, now.millis()])? != 1 {
                return Err(StoreError::AlreadyUsed);
            }
        }
        Change::RemoveToken { hash } => {
            run(t, "DELETE FROM tokens WHERE hash = ?1", params![hash])?;
        }
        Change::PutLink(link) => {
            run(
                t,
                "INSERT INTO provider_links (issuer, provider_subject, subject, linked) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (issuer, provider_subject) DO UPDATE SET
                 subject = excluded.subject, linked = excluded.linked",
                params![link.issuer, link.provider_subject, link.subject.to_string(), link.linked.millis()],
            )?;
        }
        Change::RemoveLink { issuer, provider_subject } => {
            let sql = "DELETE FROM provider_links WHERE issuer = ?1 AND provider_subject = ?2";
            run(t, sql, params![issuer, provider_subject])?;
        }
        Change::UseOnce { purpose, id, expires } => {
            let sql = "INSERT INTO used_once (purpose, id, expires) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
            if run(t, sql, params![purpose, id, expires.millis()])? != 1 {
                return Err(StoreError::AlreadyUsed);
            }
        }
        Change::PutBlob { name, value } => {
            let sql = "INSERT INTO blobs (name, value) VALUES (?1, ?2)
                       ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            run(t, sql, params![name, value])?;
        }
        Change::RemoveBlob { name } => {
            run(t, "DELETE FROM blobs WHERE name = ?1", [name])?;
        }
        Change::Forget { before } => {
            run(t, "DELETE FROM sessions WHERE expires <= ?1", [before.millis()])?;
            run(t, "DELETE FROM tokens WHERE expires <= ?1", [before.millis()])?;
            run(t, "DELETE FROM used_once WHERE expires <= ?1", [before.millis()])?;
        }
    }
    Ok(())
}

fn put_subject(t: &Transaction<'_>, subject: &Subject) -> Result<(), StoreError> {
    let id = subject.id.to_string();
    run(
        t,
        "INSERT INTO subjects (id, display_name, email, owner, acts_for, state, source, created, last_used)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (id) DO UPDATE SET
         display_name = excluded.display_name, email = excluded.email, owner = excluded.owner,
         acts_for = excluded.acts_for, state = excluded.state, source = excluded.source,
         created = excluded.created,
         last_used = COALESCE(MAX(excluded.last_used, subjects.last_used), excluded.last_used, subjects.last_used)",
        params![
            id,
            subject.display_name,
            subject.email,
            subject.owner.as_ref().map(ToString::to_string),
            subject.acts_for.as_ref().map(ToString::to_string),
            word(&subject.state)?,
            word(&subject.source)?,
            subject.created.millis(),
            subject.last_used.map(|at| at.millis()),
        ],
    )?;
    run(t, "DELETE FROM subject_groups WHERE subject = ?1", [&id])?;
    for group in &subject.groups {
        let sql = "INSERT INTO subject_groups (subject, group_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        run(t, sql, params![id, group.as_str()])?;
    }
    Ok(())
}

fn put_group(t: &Transaction<'_>, group: &Group) -> Result<(), StoreError> {
    run(
        t,
        "INSERT INTO groups (id, display_name, source) VALUES (?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET display_name = excluded.display_name, source = excluded.source",
        params![group.id.as_str(), group.display_name, word(&group.source)?],
    )?;
    run(t, "DELETE FROM group_groups WHERE group_id = ?1", [group.id.as_str()])?;
    for parent in &group.member_of {
        let sql = "INSERT INTO group_groups (group_id, member_of) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        run(t, sql, params![group.id.as_str(), parent.as_str()])?;
    }
    Ok(())
}

fn put_resource(t: &Transaction<'_>, resource: &Resource) -> Result<(), StoreError> {
    run(
        t,
        "INSERT INTO resources (id, display_name, kind, tier, segment, owner, source, routes, upstream, rules,
         entitled, observe_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (id) DO UPDATE SET
         display_name = excluded.display_name, kind = excluded.kind, tier = excluded.tier,
         segment = excluded.segment, owner = excluded.owner, source = excluded.source,
         routes = excluded.routes, upstream = excluded.upstream, rules = excluded.rules,
         entitled = excluded.entitled, observe_until = excluded.observe_until",
        params![
            resource.id.as_str(),
            resource.display_name,
            word(&resource.kind)?,
            word(&resource.tier)?,
            resource.segment.as_ref().map(|segment| segment.as_str().to_owned()),
            resource.owner.as_ref().map(ToString::to_string),
            word(&resource.source)?,
            json(&resource.routes)?,
            json(&resource.upstream)?,
            json(&resource.rules)?,
            json(&resource.entitled)?,
            resource.observe_until.map(|until| until.millis()),
        ],
    )?;
    Ok(())
}

fn put_exception(t: &Transaction<'_>, exception: &Exception) -> Result<(), StoreError> {
    run(
        t,
        "INSERT INTO exceptions (id, requester, behind, owner, reason, scope, relaxes, control, requested, expires,
         approval, ended, reviews)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (id) DO UPDATE SET
         requester = excluded.requester, behind = excluded.behind, owner = excluded.owner, reason = excluded.reason,
         scope = excluded.scope, relaxes = excluded.relaxes, control = excluded.control,
         requested = excluded.requested, expires = excluded.expires, approval = excluded.approval,
         ended = excluded.ended, reviews = excluded.reviews",
        params![
            exception.id.as_str(),
            exception.requester.to_string(),
            json(&exception.behind)?,
            exception.owner.to_string(),
            exception.reason,
            json(&exception.scope)?,
            json(&exception.relaxes)?,
            json(&exception.control)?,
            exception.requested.millis(),
            exception.expires.millis(),
            exception.approval.as_ref().map(json).transpose()?,
            exception.end.as_ref().map(json).transpose()?,
            json(&exception.reviews)?,
        ],
    )?;
    Ok(())
}

fn put_review(t: &Transaction<'_>, review: &Review) -> Result<(), StoreError> {
    let written = Review { lines: Vec::new(), ..review.clone() };
    run(
        t,
        "INSERT INTO reviews (id, opened, written) VALUES (?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET opened = excluded.opened, written = excluded.written",
        params![review.id.as_str(), review.opened.millis(), json(&written)?],
    )?;
    run(t, "DELETE FROM review_lines WHERE review = ?1", [review.id.as_str()])?;
    review.lines.iter().try_for_each(|line| put_review_line(t, &review.id, line))
}

fn put_review_line(t: &Transaction<'_>, review: &ReviewId, line: &ReviewLine) -> Result<(), StoreError> {
    run(
        t,
        "INSERT INTO review_lines (review, number, written) VALUES (?1, ?2, ?3)
         ON CONFLICT (review, number) DO UPDATE SET written = excluded.written",
        params![review.as_str(), line.number, json(line)?],
    )?;
    Ok(())
}

fn put_device(t: &Transaction<'_>, device: &Device) -> Result<(), StoreError> {
    run(
        t,
        "INSERT INTO devices
         (id, display_name, owner, managed, state, certificate, certificate_expires, enrolled)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (id) DO UPDATE SET
         display_name = excluded.display_name, owner = excluded.owner, managed = excluded.managed,
         state = excluded.state, certificate = excluded.certificate,
         certificate_expires = excluded.certificate_expires, enrolled = excluded.enrolled",
        params![
            device.id.as_str(),
            device.display_name,
            device.owner.to_string(),
            device.managed,
            word(&device.state)?,
            device.certificate,
            device.certificate_expires.millis(),
            device.enrolled.millis(),
        ],
    )?;
    run(t, "DELETE FROM device_posture WHERE device = ?1", [device.id.as_str()])?;
    for (aspect, fact) in &device.posture {
        put_posture(t, &device.id, *aspect, fact)?;
    }
    Ok(())
}

fn put_posture(
    t: &Transaction<'_>,
    device: &DeviceId,
    aspect: PostureAspect,
    fact: &Fact<PostureValue>,
) -> Result<(), StoreError> {
    run(
        t,
        "INSERT INTO device_posture (device, aspect, value, source, observed, max_age)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (device, aspect) DO UPDATE SET value = excluded.value, source = excluded.source,
         observed = excluded.observed, max_age = excluded.max_age",
        params![
            device.as_str(),
            word(&aspect)?,
            json(&fact.value)?,
            word(&fact.source)?,
            fact.observed.millis(),
            i64::try_from(fact.max_age.as_secs()).unwrap_or(i64::MAX),
        ],
    )?;
    Ok(())
}

fn put_passkey(t: &Transaction<'_>, record: &PasskeyRecord) -> Result<(), StoreError> {
    // The owner of a credential never changes: an authenticator that comes back with another's id is refused.
    let touched = run(
        t,
        "INSERT INTO passkeys (credential, subject, user_handle, name, public_key, created, last_used)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (credential) DO UPDATE SET
         name = excluded.name, public_key = excluded.public_key, created = excluded.created,
         last_used = excluded.last_used
         WHERE subject = excluded.subject AND user_handle = excluded.user_handle",
        params![
            record.credential,
            record.subject.to_string(),
            format!("{:032x}", record.user_handle),
            record.name,
            record.public_key,
            record.created.millis(),
            record.last_used.map(|at| at.millis()),
        ],
    )?;
    match touched {
        1 => Ok(()),
        _ => Err(StoreError::Conflict("the passkey belongs to another subject".to_owned())),
    }
}

fn put_key(t: &Transaction<'_>, record: &KeyRecord) -> Result<(), StoreError> {
    run(
        t,
        "INSERT INTO api_keys (id, hash, subject, owner, scope, created, expires, last_used)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (id) DO UPDATE SET
         hash = excluded.hash, subject = excluded.subject, owner = excluded.owner, scope = excluded.scope,
         created = excluded.created, expires = excluded.expires, last_used = excluded.last_used",
        params![
            record.id.as_str(),
            record.hash,
            record.subject.to_string(),
            record.owner.to_string(),
            json(&record.scope)?,
            record.created.millis(),
            record.expires.millis(),
            record.last_used.map(|at| at.millis()),
        ],
    )?;
    Ok(())
}

fn put_session(t: &Transaction<'_>, record: &SessionRecord) -> Result<(), StoreError> {
    let id = record.id.to_string();
    let provider = record.provider.as_ref();
    run(
        t,
        "INSERT INTO sessions (id, subject, device, address, methods, authenticated, created, last_used, expires,
         provider_issuer, provider_subject, provider_session, passkey)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (id) DO UPDATE SET
         subject = excluded.subject, device = excluded.device, address = excluded.address,
         methods = excluded.methods, authenticated = excluded.authenticated, created = excluded.created,
         last_used = excluded.last_used, expires = excluded.expires, provider_issuer = excluded.provider_issuer,
         provider_subject = excluded.provider_subject, provider_session = excluded.provider_session, passkey = excluded.passkey",
        params![
            id,
            record.subject.to_string(),
            record.device.as_ref().map(|device| device.as_str().to_owned()),
            record.address.to_string(),
            json(&record.methods)?,
            record.authenticated.millis(),
            record.created.millis(),
            record.last_used.millis(),
            record.expires.millis(),
            provider.map(|provider| provider.issuer.as_str()),
            provider.map(|provider| provider.subject.as_str()),
            provider.and_then(|provider| provider.session.as_deref()),
            record.passkey,
        ],
    )?;
    run(t, "DELETE FROM session_secrets WHERE session = ?1", [&id])?;
    for (host, hash) in &record.secrets {
        run(t, "INSERT INTO session_secrets (session, host, hash) VALUES (?1, ?2, ?3)", params![id, host, hash])?;
    }
    Ok(())
}

fn put_token(t: &Transaction<'_>, record: &TokenRecord) -> Result<(), StoreError> {
    let (purpose, subject, device) = match &record.purpose {
        TokenPurpose::Invitation { subject } => ("invitation", subject, None),
        TokenPurpose::DeviceEnrolment { owner, device } => ("device-enrolment", owner, Some(device.as_str())),
    };
    run(
        t,
        "INSERT INTO tokens (hash, purpose, subject, device, made_by, created, expires)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            record.hash,
            purpose,
            subject.to_string(),
            device,
            record.made_by.to_string(),
            record.created.millis(),
            record.expires.millis(),
        ],
    )?;
    Ok(())
}

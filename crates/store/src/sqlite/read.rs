//! What the store is asked. Every list has an order, so that two reads of the same state are equal.

use std::collections::BTreeMap;

use countersign_model::{
    Device, Exception, Fact, Group, GroupId, NameError, Posture, PostureAspect, Resource, ResourceId, Review, Segment,
    SegmentId, Subject, SubjectId, Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::row::{bits, from_json, from_word, hash, instant, maybe_instant, maybe_json, maybe_parsed, parsed, span};
use crate::{
    Hash, KeyRecord, LinkRecord, PasskeyRecord, ProviderSession, RiskRecord, SessionRecord, StoreError, TokenPurpose,
    TokenRecord,
};

type Read<T> = Result<T, StoreError>;

fn all<T>(c: &Connection, sql: &str, values: impl Params, read: fn(&Row<'_>) -> rusqlite::Result<T>) -> Read<Vec<T>> {
    let mut statement = c.prepare_cached(sql)?;
    let rows = statement.query_map(values, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn one<T>(
    c: &Connection,
    sql: &str,
    values: impl Params,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Read<Option<T>> {
    Ok(c.prepare_cached(sql)?.query_row(values, read).optional()?)
}

fn each<T>(c: &Connection, sql: &str, read: fn(&Row<'_>) -> rusqlite::Result<T>, visit: &mut dyn FnMut(T)) -> Read<()> {
    let mut statement = c.prepare_cached(sql)?;
    for record in statement.query_map([], read)? {
        visit(record?);
    }
    Ok(())
}

/// A JSON list of names, as the aggregate in the query built it.
fn names<T: From<countersign_model::Name>>(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<T>> {
    let names: Vec<countersign_model::Name> = from_json(row, column)?;
    Ok(names.into_iter().map(T::from).collect())
}

pub(super) fn subjects(c: &Connection, visit: &mut dyn FnMut(Subject)) -> Read<()> {
    let sql = "SELECT id, display_name, email, owner, acts_for, state, source, created, last_used,
               (SELECT json_group_array(group_id ORDER BY group_id) FROM subject_groups WHERE subject = id)
               FROM subjects ORDER BY id";
    each(
        c,
        sql,
        |row| {
            Ok(Subject {
                id: parsed(row, 0)?,
                display_name: row.get(1)?,
                email: row.get(2)?,
                owner: maybe_parsed(row, 3)?,
                acts_for: maybe_parsed(row, 4)?,
                state: from_word(row, 5)?,
                source: from_word(row, 6)?,
                created: instant(row, 7)?,
                last_used: maybe_instant(row, 8)?,
                groups: names(row, 9)?,
            })
        },
        visit,
    )
}

/// A device and its posture come from two ordered reads that are merged, in one transaction.
pub(super) fn devices(c: &Connection, visit: &mut dyn FnMut(Device)) -> Read<()> {
    let transaction = c.unchecked_transaction()?;
    let mut facts = transaction.prepare_cached(
        "SELECT device, aspect, value, source, observed, max_age FROM device_posture ORDER BY device, aspect",
    )?;
    let mut facts = facts
        .query_map([], |row| {
            let fact = Fact {
                value: from_json(row, 2)?,
                source: from_word(row, 3)?,
                observed: instant(row, 4)?,
                max_age: span(row, 5)?,
            };
            Ok((row.get::<_, String>(0)?, from_word::<PostureAspect>(row, 1)?, fact))
        })?
        .peekable();
    let mut devices = transaction.prepare_cached(
        "SELECT id, display_name, owner, managed, state, certificate, certificate_expires, enrolled
         FROM devices ORDER BY id",
    )?;
    let devices = devices.query_map([], |row| {
        Ok(Device {
            id: parsed(row, 0)?,
            display_name: row.get(1)?,
            owner: parsed(row, 2)?,
            managed: row.get(3)?,
            state: from_word(row, 4)?,
            certificate: row.get(5)?,
            certificate_expires: instant(row, 6)?,
            enrolled: instant(row, 7)?,
            posture: Posture::new(),
        })
    })?;
    for device in devices {
        let mut device = device?;
        while let Some(fact) =
            facts.next_if(|fact| fact.as_ref().map_or(true, |(id, ..)| id.as_str() == device.id.as_str()))
        {
            let (_, aspect, fact) = fact?;
            device.posture.insert(aspect, fact);
        }
        visit(device);
    }
    Ok(())
}

pub(super) fn risks(c: &Connection, visit: &mut dyn FnMut(RiskRecord)) -> Read<()> {
    let read = |row: &Row<'_>| {
        Ok(RiskRecord { subject: parsed(row, 0)?, risk: row.get(1)?, reason: row.get(2)?, changed: instant(row, 3)? })
    };
    each(c, "SELECT subject, risk, reason, changed FROM subject_risk ORDER BY subject", read, visit)
}

pub(super) fn sessions(c: &Connection, visit: &mut dyn FnMut(SessionRecord)) -> Read<()> {
    let sql = "SELECT id, subject, device, address, methods, authenticated, created, last_used, expires,
               provider_issuer, provider_subject, provider_session,
               (SELECT json_group_object(host, hex(hash)) FROM session_secrets WHERE session = id),
               passkey
               FROM sessions ORDER BY id";
    each(
        c,
        sql,
        |row| {
            let provider = match (row.get(9)?, row.get(10)?) {
                (Some(issuer), Some(subject)) => Some(ProviderSession { issuer, subject, session: row.get(11)? }),
                _ => None,
            };
            let secrets: BTreeMap<String, HexHash> = from_json(row, 12)?;
            Ok(SessionRecord {
                id: parsed(row, 0)?,
                subject: parsed(row, 1)?,
                device: maybe_parsed(row, 2)?,
                address: parsed(row, 3)?,
                methods: from_json(row, 4)?,
                authenticated: instant(row, 5)?,
                created: instant(row, 6)?,
                last_used: instant(row, 7)?,
                expires: instant(row, 8)?,
                passkey: row.get(13)?,
                provider,
                secrets: secrets.into_iter().map(|(host, hash)| (host, hash.0)).collect(),
            })
        },
        visit,
    )
}

/// A hash inside JSON: 64 hexadecimal digits.
#[derive(serde::Deserialize)]
#[serde(try_from = "String")]
struct HexHash(Hash);

impl TryFrom<String> for HexHash {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut hash = Hash::default();
        if text.len() != 2 * hash.len() || !text.is_ascii() {
            return Err("a hash has 64 hexadecimal digits");
        }
        for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| "a hash has only ASCII digits")?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| "a hash has only hexadecimal digits")?;
        }
        Ok(Self(hash))
    }
}

pub(super) fn groups(c: &Connection) -> Read<Vec<Group>> {
    let sql = "SELECT id, display_name, source,
               (SELECT json_group_array(member_of ORDER BY member_of) FROM group_groups WHERE group_id = id)
               FROM groups ORDER BY id";
    all(c, sql, [], |row| {
        Ok(Group {
            id: parsed::<GroupId>(row, 0)?,
            display_name: row.get(1)?,
            source: from_word(row, 2)?,
            member_of: names(row, 3)?,
        })
    })
}

pub(super) fn segments(c: &Connection) -> Read<Vec<Segment>> {
    all(c, "SELECT id, display_name, source FROM segments ORDER BY id", [], |row| {
        Ok(Segment { id: parsed::<SegmentId>(row, 0)?, display_name: row.get(1)?, source: from_word(row, 2)? })
    })
}

pub(super) fn resources(c: &Connection) -> Read<Vec<Resource>> {
    let sql = "SELECT id, display_name, kind, tier, segment, owner, source, routes, upstream, rules, entitled,
               observe_until FROM resources ORDER BY id";
    all(c, sql, [], |row| {
        Ok(Resource {
            id: parsed::<ResourceId>(row, 0)?,
            display_name: row.get(1)?,
            kind: from_word(row, 2)?,
            tier: from_word(row, 3)?,
            segment: maybe_parsed(row, 4)?,
            owner: maybe_parsed(row, 5)?,
            source: from_word(row, 6)?,
            routes: from_json(row, 7)?,
            upstream: from_json(row, 8)?,
            rules: from_json(row, 9)?,
            entitled: from_json(row, 10)?,
            observe_until: maybe_instant(row, 11)?,
        })
    })
}

/// Both reads see one state: a line is never without its review.
pub(super) fn reviews(c: &Connection) -> Read<Vec<Review>> {
    let transaction = c.unchecked_transaction()?;
    let mut all: Vec<Review> =
        self::all(&transaction, "SELECT written FROM reviews ORDER BY id", [], |row| from_json(row, 0))?;
    for review in &mut all {
        let sql = "SELECT written FROM review_lines WHERE review = ?1 ORDER BY number";
        review.lines = self::all(&transaction, sql, [review.id.as_str()], |row| from_json(row, 0))?;
    }
    Ok(all)
}

pub(super) fn exceptions(c: &Connection) -> Read<Vec<Exception>> {
    let sql = "SELECT id, requester, behind, owner, reason, scope, relaxes, control, requested, expires, approval,
               ended, reviews FROM exceptions ORDER BY id";
    all(c, sql, [], |row| {
        Ok(Exception {
            id: parsed(row, 0)?,
            requester: parsed(row, 1)?,
            behind: from_json(row, 2)?,
            owner: parsed(row, 3)?,
            reason: row.get(4)?,
            scope: from_json(row, 5)?,
            relaxes: from_json(row, 6)?,
            control: from_json(row, 7)?,
            requested: instant(row, 8)?,
            expires: instant(row, 9)?,
            approval: maybe_json(row, 10)?,
            end: maybe_json(row, 11)?,
            reviews: from_json(row, 12)?,
        })
    })
}

pub(super) fn keys(c: &Connection) -> Read<Vec<KeyRecord>> {
    let sql = "SELECT id, hash, subject, owner, scope, created, expires, last_used FROM api_keys ORDER BY id";
    all(c, sql, [], |row| {
        Ok(KeyRecord {
            id: parsed(row, 0)?,
            hash: hash(row, 1)?,
            subject: parsed(row, 2)?,
            owner: parsed(row, 3)?,
            scope: from_json(row, 4)?,
            created: instant(row, 5)?,
            expires: instant(row, 6)?,
            last_used: maybe_instant(row, 7)?,
        })
    })
}

fn read_passkey(row: &Row<'_>) -> rusqlite::Result<PasskeyRecord> {
    Ok(PasskeyRecord {
        credential: row.get(0)?,
        subject: parsed(row, 1)?,
        user_handle: bits(row, 2)?,
        name: row.get(3)?,
        public_key: row.get(4)?,
        created: instant(row, 5)?,
        last_used: maybe_instant(row, 6)?,
    })
}

pub(super) fn passkey(c: &Connection, credential: &str) -> Read<Option<PasskeyRecord>> {
    let sql = "SELECT credential, subject, user_handle, name, public_key, created, last_used FROM passkeys WHERE credential = ?1";
    one(c, sql, [credential], read_passkey)
}

pub(super) fn passkeys_of(c: &Connection, subject: &SubjectId) -> Read<Vec<PasskeyRecord>> {
    let sql = "SELECT credential, subject, user_handle, name, public_key, created, last_used FROM passkeys
               WHERE subject = ?1 ORDER BY created, credential";
    all(c, sql, [subject.to_string()], read_passkey)
}

const TOKEN: &str = "SELECT hash, purpose, subject, device, made_by, created, expires FROM tokens";

fn read_token(row: &Row<'_>) -> rusqlite::Result<TokenRecord> {
    let purpose = match (row.get_ref(1)?.as_str()?, maybe_parsed(row, 3)?) {
        ("invitation", None) => TokenPurpose::Invitation { subject: parsed(row, 2)? },
        ("device-enrolment", Some(device)) => TokenPurpose::DeviceEnrolment { owner: parsed(row, 2)?, device },
        _ => {
            let error = Box::new(NameError::Empty);
            return Err(rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, error));
        }
    };
    Ok(TokenRecord {
        hash: hash(row, 0)?,
        purpose,
        made_by: parsed(row, 4)?,
        created: instant(row, 5)?,
        expires: instant(row, 6)?,
    })
}

pub(super) fn token(c: &Connection, hash: &Hash, now: Timestamp) -> Read<Option<TokenRecord>> {
    one(c, &format!("{TOKEN} WHERE hash = ?1 AND expires > ?2"), params![hash, now.millis()], read_token)
}

pub(super) fn tokens(c: &Connection, now: Timestamp) -> Read<Vec<TokenRecord>> {
    all(c, &format!("{TOKEN} WHERE expires > ?1 ORDER BY created, hash"), [now.millis()], read_token)
}

fn read_link(row: &Row<'_>) -> rusqlite::Result<LinkRecord> {
    Ok(LinkRecord {
        issuer: row.get(0)?,
        provider_subject: row.get(1)?,
        subject: parsed(row, 2)?,
        linked: instant(row, 3)?,
    })
}

pub(super) fn link(c: &Connection, issuer: &str, provider_subject: &str) -> Read<Option<LinkRecord>> {
    let sql = "SELECT issuer, provider_subject, subject, linked FROM provider_links
               WHERE issuer = ?1 AND provider_subject = ?2";
    one(c, sql, params![issuer, provider_subject], read_link)
}

pub(super) fn links_of(c: &Connection, subject: &SubjectId) -> Read<Vec<LinkRecord>> {
    let sql = "SELECT issuer, provider_subject, subject, linked FROM provider_links
               WHERE subject = ?1 ORDER BY issuer, provider_subject";
    all(c, sql, [subject.to_string()], read_link)
}

pub(super) fn blob(c: &Connection, name: &str) -> Read<Option<Vec<u8>>> {
    one(c, "SELECT value FROM blobs WHERE name = ?1", [name], |row| row.get(0))
}

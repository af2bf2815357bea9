-- Identifiers are text, instants are milliseconds since 1970 in UTC, spans are seconds, hashes are 32 bytes.
-- What is only ever read as a whole (routes, rules, scope) is JSON; what is looked for or referred to is a column.

CREATE TABLE subjects (
    id           TEXT    NOT NULL PRIMARY KEY,
    display_name TEXT    NOT NULL,
    email        TEXT,
    -- No reference: an orphaned service is a finding, and has to be representable.
    owner        TEXT,
    acts_for     TEXT,
    state        TEXT    NOT NULL,
    source       TEXT    NOT NULL,
    created      INTEGER NOT NULL,
    last_used    INTEGER
) STRICT;

CREATE TABLE groups (
    id           TEXT NOT NULL PRIMARY KEY,
    display_name TEXT NOT NULL,
    source       TEXT NOT NULL
) STRICT;

CREATE TABLE subject_groups (
    subject  TEXT NOT NULL REFERENCES subjects (id) ON DELETE CASCADE,
    group_id TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    PRIMARY KEY (subject, group_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX subject_groups_by_group ON subject_groups (group_id);

CREATE TABLE group_groups (
    group_id  TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    member_of TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, member_of)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_groups_by_parent ON group_groups (member_of);

CREATE TABLE segments (
    id           TEXT NOT NULL PRIMARY KEY,
    display_name TEXT NOT NULL,
    source       TEXT NOT NULL
) STRICT;

CREATE TABLE resources (
    id           TEXT NOT NULL PRIMARY KEY,
    display_name TEXT NOT NULL,
    kind         TEXT NOT NULL,
    tier         TEXT NOT NULL,
    segment      TEXT REFERENCES segments (id),
    owner        TEXT,
    source       TEXT NOT NULL,
    routes       TEXT NOT NULL,
    upstream     TEXT NOT NULL,
    rules        TEXT NOT NULL,
    entitled     TEXT NOT NULL
) STRICT;
CREATE INDEX resources_by_segment ON resources (segment);

CREATE TABLE devices (
    id                  TEXT    NOT NULL PRIMARY KEY,
    display_name        TEXT    NOT NULL,
    -- No reference: the record of a revoked device outlives its owner.
    owner               TEXT    NOT NULL,
    managed             INTEGER NOT NULL CHECK (managed IN (0, 1)),
    state               TEXT    NOT NULL,
    certificate         TEXT    NOT NULL UNIQUE,
    certificate_expires INTEGER NOT NULL,
    enrolled            INTEGER NOT NULL
) STRICT;

CREATE TABLE device_posture (
    device   TEXT    NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    aspect   TEXT    NOT NULL,
    value    TEXT    NOT NULL,
    source   TEXT    NOT NULL,
    observed INTEGER NOT NULL,
    max_age  INTEGER NOT NULL,
    PRIMARY KEY (device, aspect)
) STRICT, WITHOUT ROWID;

CREATE TABLE subject_risk (
    subject TEXT    NOT NULL PRIMARY KEY REFERENCES subjects (id) ON DELETE CASCADE,
    risk    INTEGER NOT NULL CHECK (risk BETWEEN 0 AND 100),
    reason  TEXT    NOT NULL,
    changed INTEGER NOT NULL
) STRICT;

CREATE TABLE passkeys (
    credential TEXT    NOT NULL PRIMARY KEY,
    subject    TEXT    NOT NULL REFERENCES subjects (id) ON DELETE CASCADE,
    -- Random, 32 hexadecimal digits: what an authenticator knows the person by.
    user_handle TEXT   NOT NULL,
    name       TEXT    NOT NULL,
    -- The public credential; the private key never leaves the authenticator.
    public_key TEXT    NOT NULL,
    created    INTEGER NOT NULL,
    last_used  INTEGER
) STRICT;
CREATE INDEX passkeys_by_subject ON passkeys (subject);

CREATE TABLE api_keys (
    id        TEXT    NOT NULL PRIMARY KEY,
    hash      BLOB    NOT NULL UNIQUE,
    subject   TEXT    NOT NULL REFERENCES subjects (id) ON DELETE CASCADE,
    owner     TEXT    NOT NULL,
    scope     TEXT    NOT NULL,
    created   INTEGER NOT NULL,
    expires   INTEGER NOT NULL,
    last_used INTEGER
) STRICT;
CREATE INDEX api_keys_by_subject ON api_keys (subject);

CREATE TABLE sessions (
    id               TEXT    NOT NULL PRIMARY KEY,
    subject          TEXT    NOT NULL REFERENCES subjects (id) ON DELETE CASCADE,
    device           TEXT,
    address          TEXT    NOT NULL,
    methods          TEXT    NOT NULL,
    authenticated    INTEGER NOT NULL,
    created          INTEGER NOT NULL,
    last_used        INTEGER NOT NULL,
    expires          INTEGER NOT NULL,
    passkey          TEXT,
    provider_issuer  TEXT,
    provider_subject TEXT,
    provider_session TEXT
) STRICT;
CREATE INDEX sessions_by_subject ON sessions (subject);

CREATE TABLE session_secrets (
    session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    host    TEXT NOT NULL,
    hash    BLOB NOT NULL UNIQUE,
    PRIMARY KEY (session, host)
) STRICT, WITHOUT ROWID;

-- One-time links: an invitation has no device, a device enrolment has one.
CREATE TABLE tokens (
    hash    BLOB    NOT NULL PRIMARY KEY,
    purpose TEXT    NOT NULL,
    subject TEXT    NOT NULL REFERENCES subjects (id) ON DELETE CASCADE,
    device  TEXT,
    made_by TEXT    NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX tokens_by_subject ON tokens (subject);

CREATE TABLE provider_links (
    issuer           TEXT    NOT NULL,
    provider_subject TEXT    NOT NULL,
    subject          TEXT    NOT NULL REFERENCES subjects (id) ON DELETE CASCADE,
    linked           INTEGER NOT NULL,
    PRIMARY KEY (issuer, provider_subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX provider_links_by_subject ON provider_links (subject);

-- Identifiers of assertions and reports that have been accepted, kept until they would have expired anyway.
CREATE TABLE used_once (
    purpose TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (purpose, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX used_once_by_expiry ON used_once (expires);

CREATE TABLE blobs (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

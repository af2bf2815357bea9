-- Documented deviations. What refers to people, groups, resources and policies refers by name alone: an exception is
-- evidence, and outlives what it was about.
CREATE TABLE exceptions (
    id        TEXT    NOT NULL PRIMARY KEY,
    requester TEXT    NOT NULL,
    behind    TEXT    NOT NULL,
    owner     TEXT    NOT NULL,
    reason    TEXT    NOT NULL,
    scope     TEXT    NOT NULL,
    relaxes   TEXT    NOT NULL,
    control   TEXT    NOT NULL,
    requested INTEGER NOT NULL,
    expires   INTEGER NOT NULL,
    approval  TEXT,
    ended     TEXT,
    reviews   TEXT    NOT NULL
) STRICT;

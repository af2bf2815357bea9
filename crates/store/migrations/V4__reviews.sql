-- Campaigns in which access is looked at again. They refer to people, groups, resources and policies by name alone: a review
-- is evidence, and outlives what it was about. A line is written again when it is decided, without the others.
CREATE TABLE reviews (
    id      TEXT    NOT NULL PRIMARY KEY,
    opened  INTEGER NOT NULL,
    -- All of it but its lines.
    written TEXT    NOT NULL
) STRICT;

CREATE TABLE review_lines (
    review  TEXT    NOT NULL REFERENCES reviews (id),
    number  INTEGER NOT NULL,
    written TEXT    NOT NULL,
    PRIMARY KEY (review, number)
) STRICT;

-- Everything of a local home. Instants are microseconds since the epoch; bodies are stored once, by content.

CREATE TABLE bodies (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,              -- SHA-256 of the body
    body BLOB NOT NULL
);

CREATE TABLE groups (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE               -- collections_workflow
);

CREATE TABLE collections (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE               -- the first part of payload ids
);

CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    grp INTEGER NOT NULL REFERENCES groups,
    key TEXT NOT NULL UNIQUE,               -- store key of the payload id
    full_id TEXT,                           -- the payload id, where its key is cut
    state INTEGER NOT NULL,                 -- numbered in alphabetical order
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    claimed_at INTEGER,
    execution INTEGER,                      -- the current one
    last_error TEXT,
    outputs TEXT,                           -- JSON array of URLs
    output_collections TEXT,                -- JSON array of names
    attempts INTEGER NOT NULL DEFAULT 0,    -- how many executions it has
    failure INTEGER REFERENCES failures     -- the kind of its failure
);
CREATE INDEX records_by_state ON records (grp, state, updated);
CREATE INDEX records_by_error ON records (last_error) WHERE last_error IS NOT NULL;
CREATE INDEX records_by_attempts ON records (attempts) WHERE attempts > 1;

CREATE INDEX records_by_failure ON records (failure, updated) WHERE failure IS NOT NULL;

CREATE TABLE failures (                     -- kinds of failures
    id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,
    workflow TEXT NOT NULL,
    step TEXT NOT NULL,                     -- the state that failed, empty where none is known
    message TEXT NOT NULL                   -- what its failures have in common
);

CREATE TABLE transitions (
    slot INTEGER NOT NULL,                  -- its beginning
    state INTEGER NOT NULL,
    n INTEGER NOT NULL,                     -- how many records entered the state in it
    PRIMARY KEY (slot, state)
) WITHOUT ROWID;

CREATE TABLE executions (
    id INTEGER PRIMARY KEY,
    name BLOB NOT NULL UNIQUE,              -- the execution id
    record INTEGER NOT NULL REFERENCES records,
    n INTEGER NOT NULL,                     -- attempt, from 1
    status TEXT NOT NULL,
    input INTEGER NOT NULL REFERENCES bodies,
    output INTEGER REFERENCES bodies,
    definition INTEGER REFERENCES bodies,
    error TEXT,
    cause TEXT,
    started INTEGER NOT NULL,
    stopped INTEGER,
    owner TEXT,
    priority INTEGER NOT NULL DEFAULT 0     -- of the message; the chain's next ones get it
);
CREATE INDEX executions_by_record ON executions (record, n);
CREATE INDEX executions_running ON executions (owner) WHERE stopped IS NULL;

CREATE TABLE items (
    item TEXT NOT NULL,
    made INTEGER NOT NULL,                  -- 1: the execution made it; 0: it was given it
    execution INTEGER NOT NULL REFERENCES executions,
    collection TEXT NOT NULL,               -- empty for none
    PRIMARY KEY (item, made, execution, collection)
) WITHOUT ROWID;

CREATE TABLE journal (
    execution INTEGER NOT NULL REFERENCES executions,
    seq INTEGER NOT NULL,
    event BLOB NOT NULL,
    body INTEGER REFERENCES bodies,
    PRIMARY KEY (execution, seq)
) WITHOUT ROWID;

CREATE TABLE logs (
    id INTEGER PRIMARY KEY,
    execution INTEGER NOT NULL REFERENCES executions,
    ref INTEGER NOT NULL,
    state TEXT NOT NULL,
    task TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER,
    error TEXT,
    text BLOB NOT NULL,                     -- deflated
    UNIQUE (execution, ref)
);

CREATE TABLE forms (                        -- of events: their addresses without payload and execution
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    type TEXT NOT NULL,
    record INTEGER,                         -- NULL where the event is about no record
    execution INTEGER,                      -- of its form
    form INTEGER REFERENCES forms,
    rest TEXT                               -- JSON: what the other columns do not tell
);
CREATE INDEX events_by_record ON events (record);

CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    body INTEGER NOT NULL REFERENCES bodies,
    key TEXT,                               -- store key of the payload id, where it is known
    priority INTEGER NOT NULL,
    collections INTEGER NOT NULL,           -- 0 where the payload id is not known
    grp INTEGER NOT NULL,                   -- 0 where the payload id is not known
    visible INTEGER NOT NULL DEFAULT 0,     -- leased or put off until then; 0: waits
    owner TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    queued INTEGER NOT NULL
);
CREATE INDEX messages_by_key ON messages (key) WHERE key IS NOT NULL;
CREATE INDEX messages_waiting ON messages (priority, collections, grp) WHERE visible = 0;
CREATE INDEX messages_away ON messages (visible) WHERE visible > 0;

CREATE TABLE pauses (
    kind TEXT NOT NULL,                     -- deployment, workflow or collections
    name TEXT NOT NULL,
    at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;

CREATE TABLE slots (                        -- attempts at limited tasks
    task TEXT NOT NULL,
    owner TEXT NOT NULL,
    held INTEGER NOT NULL,                  -- under way
    wanted INTEGER NOT NULL,                -- that wait
    PRIMARY KEY (task, owner)
) WITHOUT ROWID;

CREATE TABLE debts (
    name TEXT PRIMARY KEY,                  -- what a rate is about
    until INTEGER NOT NULL                  -- when what has begun is paid off
) WITHOUT ROWID;

CREATE TABLE quarantine (
    name TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    body INTEGER NOT NULL REFERENCES bodies
) WITHOUT ROWID;

CREATE INDEX quarantine_by_time ON quarantine (at);

CREATE TABLE names (
    key TEXT PRIMARY KEY,                   -- of the payload store: tmp/oversized, tmp/batch
    body INTEGER NOT NULL REFERENCES bodies,
    at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX names_by_time ON names (at);

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    target TEXT NOT NULL,
    kind TEXT NOT NULL,
    payload_id TEXT NOT NULL,
    body INTEGER REFERENCES bodies,         -- NULL once it is sent
    due INTEGER NOT NULL DEFAULT 0,         -- put off until then; 0: never was
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    sent INTEGER,                           -- when
    parked INTEGER                          -- when
);
CREATE INDEX outbox_waiting ON outbox (target, due) WHERE sent IS NULL AND parked IS NULL;
CREATE INDEX outbox_put_off ON outbox (target, payload_id) WHERE sent IS NULL AND parked IS NULL AND due > 0;
CREATE INDEX outbox_parked ON outbox (target, id) WHERE parked IS NOT NULL;

CREATE TABLE owners (
    name TEXT PRIMARY KEY,
    until INTEGER NOT NULL,
    about TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE locks (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    until INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE tombstones (                   -- of records that were deleted
    key TEXT PRIMARY KEY,                   -- store key of the payload id
    executions TEXT NOT NULL,               -- JSON array of the ids that must never be used again, oldest first
    at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE expired (                      -- how far histories and logs have been removed
    kind TEXT NOT NULL,
    grp INTEGER NOT NULL REFERENCES groups,
    state INTEGER NOT NULL,
    upto INTEGER NOT NULL,                  -- `updated` of the last record that was looked at
    PRIMARY KEY (kind, grp, state)
) WITHOUT ROWID;

CREATE TABLE sweeps (                       -- one row: removing bodies that nothing refers to
    epoch INTEGER NOT NULL,                 -- odd while a sweep is under way
    wanted INTEGER NOT NULL,                -- something was removed since the last one
    at INTEGER NOT NULL,
    took INTEGER NOT NULL                   -- microseconds
);
INSERT INTO sweeps (epoch, wanted, at, took) VALUES (0, 0, 0, 0);

CREATE TABLE kept (                         -- bodies that were found or stored while a sweep was under way
    body INTEGER PRIMARY KEY
);

CREATE TABLE cancels (
    execution INTEGER PRIMARY KEY
);

CREATE TABLE callbacks (
    token TEXT PRIMARY KEY,
    execution INTEGER NOT NULL REFERENCES executions,
    place TEXT NOT NULL,                    -- where in the execution
    activity TEXT,
    input BLOB,
    called INTEGER NOT NULL DEFAULT 0       -- the token was handed out
) WITHOUT ROWID;
CREATE INDEX callbacks_by_execution ON callbacks (execution);
CREATE INDEX callbacks_by_activity ON callbacks (activity, execution, place) WHERE activity IS NOT NULL AND called = 0;

CREATE TABLE answers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    execution INTEGER NOT NULL REFERENCES executions,
    place TEXT NOT NULL,
    kind TEXT NOT NULL,
    output BLOB,
    error TEXT,
    cause TEXT
);

CREATE TABLE campaigns (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    created INTEGER NOT NULL,
    options TEXT NOT NULL,                  -- JSON
    about TEXT NOT NULL,                    -- how its members were chosen
    reason TEXT,                            -- why it is in its state
    total INTEGER NOT NULL DEFAULT 0,
    fed INTEGER NOT NULL,                   -- up to when its rate has been used
    proven INTEGER NOT NULL DEFAULT 0       -- its canaries came good
);

CREATE TABLE members (                      -- of campaigns
    campaign INTEGER NOT NULL REFERENCES campaigns,
    n INTEGER NOT NULL,
    payload_id TEXT NOT NULL,
    execution BLOB NOT NULL,                -- the one that it had when it was chosen
    released INTEGER,                       -- when it was queued
    outcome TEXT,
    fingerprint TEXT,                       -- of its failure
    PRIMARY KEY (campaign, n)
) WITHOUT ROWID;
CREATE INDEX members_open ON members (campaign, n) WHERE released IS NOT NULL AND outcome IS NULL;
CREATE INDEX members_waiting ON members (campaign, n) WHERE released IS NULL AND outcome IS NULL;

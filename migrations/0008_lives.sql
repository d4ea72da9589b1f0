-- The lives of Redis' data, as far as the store has seen them; the last one is the present one.
-- starts_after = the last stream entry of the time before ('' = none). The counts are those of the deliveries that Redis had answered:
-- base = at the beginning (NULL = until the first entry says it), answered = with the last entry that was read; recorded = what these entries
-- held. So answered - base - recorded of them are nowhere.
-- repaired = when the bridge had made up for the end of the life before; lost = how many of its deliveries are nowhere, as far as it is known.
CREATE TABLE lives (
    number       BIGINT NOT NULL PRIMARY KEY,
    epoch        TEXT   NOT NULL,
    began        BIGINT NOT NULL,
    starts_after TEXT   NOT NULL,
    base         BIGINT,
    answered     BIGINT NOT NULL,
    recorded     BIGINT NOT NULL,
    lost         BIGINT,
    repaired     BIGINT
);
CREATE UNIQUE INDEX lives_by_epoch ON lives (epoch);

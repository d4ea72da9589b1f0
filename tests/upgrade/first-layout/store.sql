PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO _sqlx_migrations VALUES(1,'ledger','2026-11-26 21:13:44',1,X'3ee7b5235fc0af24d41e78219826bc4744d5b76c8cd3eddf79aff21615a8d5b00b50673c77a9835c333dd5c63605a7cd',2107900);
INSERT INTO _sqlx_migrations VALUES(2,'pages','2026-11-26 21:13:44',1,X'1dc88922d7315aebed70f7fee33d448d582adec1af8350bee20ed562beacb47cdc2af688159e294e8337409eab1624a6',777240);
INSERT INTO _sqlx_migrations VALUES(3,'notices','2026-11-26 21:13:44',1,X'bf8366a32f62dc4874cd841afd78d4887acb5a99042f363546e05a409a8706d5ba6ee4a073c8de4453a9c6b16cee1723',804911);
INSERT INTO _sqlx_migrations VALUES(4,'retention','2026-11-26 21:13:44',1,X'beb0f9d946e6b32c546965b344fdc2c5ab79a4546daf14c39a216763bd19c859ef7900d3c7e07928c9071fef89ee73fa',493911);
INSERT INTO _sqlx_migrations VALUES(5,'wiki','2026-11-26 21:13:44',1,X'cdebacfa6b5bb2fdd7c2a2f190264658fc1c766099d136d8e7fe9699af2cbee4e40ba47a2b3604bf26dbadbd08d9a9fd',1311321);
CREATE TABLE ledger_position (
    id       BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    position TEXT   NOT NULL
);
INSERT INTO ledger_position VALUES(1,'1795727627477-1');
CREATE TABLE events (
    seq            BIGINT NOT NULL,
    place          BIGINT NOT NULL,
    delivery_key   TEXT   NOT NULL,
    event_id       TEXT   NOT NULL,
    webhook_id     BIGINT,
    batch          BIGINT NOT NULL,
    source         TEXT   NOT NULL,
    kind           TEXT   NOT NULL,
    table_id       BIGINT,
    received       BIGINT NOT NULL,
    payload        BYTEA  NOT NULL,
    duplicates     BIGINT NOT NULL DEFAULT 0,
    last_duplicate BIGINT,
    PRIMARY KEY (seq, place)
);
INSERT INTO events VALUES(7531827557751062529,0,'1-8eb5eb63-874e-489e-8d89-e2e8a5ab9576-0','8eb5eb63-874e-489e-8d89-e2e8a5ab9576',1,0,'projet-changed','created',2,1795727624337,X'2b010000f3097b227461626c655f6964223a20322c2022646174616261731200c8312c2022776f726b737061631300626562686f6f6b3600002400526576656e740f00f5172238656235656236332d383734652d343839652d386438392d653265386135616239353736223400f11474797065223a2022726f77732e63726561746564222c20226974656d73223a205b7b229c00006600506f726465722d003f312e30010000003700304e6f6d21004253796e634800f006537461747574223a206e756c6c2c2022436c69656e1000205b5dee00a36f636d6f73745f706167df00032700041900b075726c223a2022227d5d7d',0,NULL);
INSERT INTO events VALUES(7531827559437172737,0,'1-201c5bff-3825-42d4-bedc-62430efa3a5b-0','201c5bff-3825-42d4-bedc-62430efa3a5b',1,0,'projet-changed','created',2,1795727624758,X'29010000f3097b227461626c655f6964223a20322c2022646174616261731200c8312c2022776f726b737061631300626562686f6f6b3600002400526576656e740f00f5172232303163356266662d333832352d343264342d626564632d363234333065666133613562223400f51474797065223a2022726f77732e63726561746564222c20226974656d73223a205b7b229c00506f726465722d003f322e30010000003700304e6f6d2100314465614600f006537461747574223a206e756c6c2c2022436c69656e1000205b5dec00a36f636d6f73745f706167dd00032700041900b075726c223a2022227d5d7d',0,NULL);
INSERT INTO events VALUES(7531827560523497473,0,'1-293e2fc5-b47b-4b70-871a-cb22af49133c-0','293e2fc5-b47b-4b70-871a-cb22af49133c',1,0,'projet-changed','created',2,1795727625017,X'2c010000f3097b227461626c655f6964223a20322c2022646174616261731200c8312c2022776f726b737061631300626562686f6f6b3600002400526576656e740f00f5172232393365326663352d623437622d346237302d383731612d636232326166343931333363223400f11474797065223a2022726f77732e63726561746564222c20226974656d73223a205b7b229c0090332c20226f726465722d003f332e30010000003700304e6f6d21007052756e6e696e671200f006537461747574223a206e756c6c2c2022436c69656e1000205b5def00a36f636d6f73745f706167e000032700041900b075726c223a2022227d5d7d',0,NULL);
INSERT INTO events VALUES(7531827561374941185,0,'1-fc90b596-75fc-4ed6-be21-45aefc961566-0','fc90b596-75fc-4ed6-be21-45aefc961566',1,0,'projet-changed','created',2,1795727625221,X'29010000f3097b227461626c655f6964223a20322c2022646174616261731200c8312c2022776f726b737061631300626562686f6f6b3600002400526576656e740f00f5172266633930623539362d373566632d346564362d626532312d343561656663393631353636223400fe2a74797065223a2022726f77732e63726561746564222c20226974656d73223a205b7b226964223a20342c20226f72646572223a2022342e30300200003700304e6f6d4e003148656c4600f006537461747574223a206e756c6c2c2022436c69656e1000205b5dec00a36f636d6f73745f706167dd00032700041900b075726c223a2022227d5d7d',0,NULL);
INSERT INTO events VALUES(7531827566542323713,0,'1-9912a9b3-59cc-48e8-bb06-2cfb55bab70c-0','9912a9b3-59cc-48e8-bb06-2cfb55bab70c',1,0,'projet-changed','created',2,1795727626452,X'2b010000f3097b227461626c655f6964223a20322c2022646174616261731200c8312c2022776f726b737061631300626562686f6f6b3600002400526576656e740f00f5172239393132613962332d353963632d343865382d626230362d326366623535626162373063223400f11474797065223a2022726f77732e63726561746564222c20226974656d73223a205b7b229c0090352c20226f726465722d003f352e30010000003700304e6f6d210042517565754800f006537461747574223a206e756c6c2c2022436c69656e1000205b5dee00a36f636d6f73745f706167df00032700041900b075726c223a2022227d5d7d',0,NULL);
INSERT INTO events VALUES(7531827570837291009,0,'1-b03e5d7f-2d32-49ef-a613-a3716b64d9db-0','b03e5d7f-2d32-49ef-a613-a3716b64d9db',1,0,'projet-changed','updated',2,1795727627477,X'53020000f3097b227461626c655f6964223a20322c2022646174616261731200c8312c2022776f726b737061631300626562686f6f6b3600002400526576656e740f00f5172262303365356437662d326433322d343965662d613631332d613337313662363464396462223400f11474797065223a2022726f77732e75706461746564222c20226974656d73223a205b7b229c00006600506f726465722d003f312e30010000003700304e6f6d2100c053796e636564206c617465721700f006537461747574223a206e756c6c2c2022436c69656e1000205b5df400a36f636d6f73745f706167e500f7172230316132313962352d303966352d373439322d623237352d633461623630666538383034223b003075726c7800ff1e687474703a2f2f3132372e302e302e313a32333130302f702f4c6a57516f6a50704375227d5d2c20226f6c645fe300310fdd007a604375227d5d7d',0,NULL);
CREATE TABLE items (
    seq          BIGINT NOT NULL,
    place        BIGINT NOT NULL,
    item         BIGINT NOT NULL,
    table_id     BIGINT,
    row_id       BIGINT,
    outcome      TEXT,
    reason       TEXT,
    closed_at    BIGINT,
    closed_seq   BIGINT,
    closed_place BIGINT, job TEXT,
    PRIMARY KEY (seq, place, item),
    FOREIGN KEY (seq, place) REFERENCES events (seq, place)
);
INSERT INTO items VALUES(7531827557751062529,0,0,2,1,'synced',NULL,1795727624716,7531827559261011968,0,NULL);
INSERT INTO items VALUES(7531827559437172737,0,0,2,2,'dead','permanent',1795727624799,7531827559604944896,0,NULL);
INSERT INTO items VALUES(7531827560523497473,0,0,2,3,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO items VALUES(7531827561374941185,0,0,2,4,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO items VALUES(7531827566542323713,0,0,2,5,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO items VALUES(7531827570837291009,0,0,2,1,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE attempts (
    seq     BIGINT NOT NULL,
    place   BIGINT NOT NULL,
    job     TEXT   NOT NULL,
    covers  BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    worker  TEXT   NOT NULL,
    started BIGINT NOT NULL,
    ended   BIGINT NOT NULL,
    ending  TEXT   NOT NULL,
    verdict TEXT   NOT NULL,
    steps   TEXT   NOT NULL,
    PRIMARY KEY (seq, place)
);
INSERT INTO attempts VALUES(7531827559261011968,0,'t2/r1',7531827557751062529,1,'worker-01m8cva26x8sb608ppvh84ft9e',1795727624666,1795727624716,'done','{"done":{"outcome":"synced"}}','[{"name":"list_tables","request":"GET baserow tables/all-tables/","status":200,"duration_ms":2},{"name":"list_fields","request":"GET baserow fields/table/2/","status":200,"duration_ms":1},{"name":"list_fields","request":"GET baserow fields/table/3/","status":200,"duration_ms":0},{"name":"read_row","request":"GET baserow rows/table/2/1/?user_field_names=true","status":200,"duration_ms":1},{"name":"find_by_label","request":"POST docmost labels/pages","status":200,"duration_ms":8},{"name":"find_space","request":"POST docmost spaces","status":200,"duration_ms":1},{"name":"create_page","request":"POST docmost pages/create","status":200,"duration_ms":3},{"name":"label_page","request":"POST docmost pages/labels/add","status":200,"duration_ms":5},{"name":"write_back","request":"PATCH baserow rows/table/2/1/?user_field_names=true&send_webhook_events=false","status":200,"duration_ms":14}]');
INSERT INTO attempts VALUES(7531827559604944896,0,'t2/r2',7531827559437172737,1,'worker-01m8cva26x8sb608ppvh84ft9e',1795727624761,1795727624799,'bury','{"bury":{"reason":"permanent","failure":{"class":"permanent","target":"docmost","message":"refused","status":400,"body":"{\"message\":\"refused\",\"error\":\"Bad Request\",\"statusCode\":400}"}}}','[{"name":"read_row","request":"GET baserow rows/table/2/2/?user_field_names=true","status":200,"duration_ms":1},{"name":"find_by_label","request":"POST docmost labels/pages","status":200,"duration_ms":4},{"name":"create_page","request":"POST docmost pages/create","status":400,"duration_ms":2,"note":"refused"}]');
INSERT INTO attempts VALUES(7531827561454632960,0,'t2/r4',7531827561374941185,1,'worker-01m8cva26x8sb608ppvh84ft9e',1795727625224,1795727625239,'hold','{"hold":{"after_ms":697046,"failure":{"class":"throttled","target":"docmost","message":"Too many requests","status":429,"body":"{\"statusCode\":429,\"message\":\"Too many requests\"}"}}}','[{"name":"read_row","request":"GET baserow rows/table/2/4/?user_field_names=true","status":200,"duration_ms":2},{"name":"find_by_label","request":"POST docmost labels/pages","status":200,"duration_ms":1},{"name":"create_page","request":"POST docmost pages/create","status":429,"duration_ms":2,"note":"Too many requests"}]');
INSERT INTO attempts VALUES(7531827563388207104,0,'notice/incident-docmost-1795727625238/73141008c9233058',0,1,'worker-01m8cva26x8sb608ppvh84ft9e',1795727625651,1795727625701,'done','{"done":{"outcome":"synced"}}','[{"name":"send_mail","request":"smtp 127.0.0.1:22525 to 1 recipients","status":200,"duration_ms":44}]');
CREATE TABLE operator_acts (
    seq          BIGINT NOT NULL,
    place        BIGINT NOT NULL,
    act          TEXT   NOT NULL,
    letter       TEXT   NOT NULL,
    job          TEXT   NOT NULL,
    delivery_key TEXT,
    operator     TEXT   NOT NULL,
    why          TEXT,
    at           BIGINT NOT NULL,
    PRIMARY KEY (seq, place)
);
CREATE TABLE unreadable_records (
    seq   BIGINT NOT NULL,
    place BIGINT NOT NULL,
    error TEXT   NOT NULL,
    bytes BYTEA  NOT NULL,
    PRIMARY KEY (seq, place)
);
CREATE TABLE tallies (
    name   TEXT   NOT NULL PRIMARY KEY,
    amount BIGINT NOT NULL
);
INSERT INTO tallies VALUES('deliveries',6);
INSERT INTO tallies VALUES('items',6);
INSERT INTO tallies VALUES('outcome/synced',1);
INSERT INTO tallies VALUES('outcome/dead',1);
CREATE TABLE links (
    table_id     BIGINT NOT NULL,
    row_id       BIGINT NOT NULL,
    slot         TEXT   NOT NULL,
    page_id      TEXT   NOT NULL,
    slug_id      TEXT   NOT NULL,
    space        TEXT   NOT NULL,
    content_hash TEXT   NOT NULL,
    written      BIGINT NOT NULL,
    PRIMARY KEY (table_id, row_id, slot)
);
INSERT INTO links VALUES(2,1,'page','01a219b5-09f5-7492-b275-c4ab60fe8804','LjWQojPpCu','Agence','ba1a970723f9410007bc3aa6fad3b5f54a0d72835cec548b1309d798890b48f0',1795727624699);
CREATE TABLE intents (
    table_id BIGINT NOT NULL,
    row_id   BIGINT NOT NULL,
    slot     TEXT   NOT NULL,
    started  BIGINT NOT NULL,
    asked    BIGINT NOT NULL,
    PRIMARY KEY (table_id, row_id, slot)
);
INSERT INTO intents VALUES(2,3,'page',1795727625039,1);
CREATE TABLE notices (
    id      TEXT   NOT NULL PRIMARY KEY,
    kind    TEXT   NOT NULL,
    channel TEXT   NOT NULL,
    rule    TEXT   NOT NULL,
    subject TEXT,
    seq     BIGINT,
    place   BIGINT,
    args    TEXT   NOT NULL,
    created BIGINT NOT NULL,
    state   TEXT   NOT NULL,
    ended   BIGINT,
    tries   BIGINT NOT NULL DEFAULT 0,
    error   TEXT
);
INSERT INTO notices VALUES('notice/incident-docmost-1795727625238/73141008c9233058','outage-opened','mail','outage',NULL,NULL,NULL,'{"version":"1","key":"notice/incident-docmost-1795727625238/73141008c9233058","kind":"outage-opened","to":"admin","template":"outage-opened","context":{"target":"docmost","since":"2026-11-26T21:13:45.238Z","reason":"it asked us to wait: too many requests","waiting":0}}',1795727625648,'sent',1795727625697,0,NULL);
CREATE TABLE retired (
    name   TEXT   NOT NULL PRIMARY KEY,
    amount BIGINT NOT NULL
);
CREATE TABLE page_rows (
    page_id      TEXT   NOT NULL,
    table_id     BIGINT NOT NULL,
    row_id       BIGINT,
    content_hash TEXT   NOT NULL,
    started      BIGINT NOT NULL,
    PRIMARY KEY (page_id, table_id)
);
CREATE TABLE known_shares (
    share_id TEXT   NOT NULL PRIMARY KEY,
    page_id  TEXT   NOT NULL,
    seen     BIGINT NOT NULL,
    reported BIGINT
);
CREATE TABLE doubts (
    table_id BIGINT NOT NULL,
    row_id   BIGINT NOT NULL,
    slot     TEXT   NOT NULL,
    since    BIGINT NOT NULL,
    PRIMARY KEY (table_id, row_id, slot)
);
CREATE INDEX events_by_event_id ON events (event_id);
CREATE INDEX events_by_delivery_key ON events (delivery_key);
CREATE INDEX items_open ON items (table_id, row_id) WHERE outcome IS NULL;
CREATE INDEX items_by_row ON items (table_id, row_id, seq);
CREATE INDEX attempts_by_job ON attempts (job, covers);
CREATE INDEX operator_acts_by_job ON operator_acts (job, seq);
CREATE INDEX links_by_page ON links (page_id);
CREATE INDEX notices_waiting ON notices (created) WHERE state = 'waiting';
CREATE INDEX notices_by_event ON notices (seq, place);
CREATE INDEX notices_by_time ON notices (created);
CREATE INDEX items_open_jobs ON items (job) WHERE outcome IS NULL AND job IS NOT NULL;
CREATE INDEX items_by_job ON items (job, seq) WHERE job IS NOT NULL;
COMMIT;

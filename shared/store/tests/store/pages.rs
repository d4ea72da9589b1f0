//! Links and intents, on both databases.

use crate::databases::Database;
use passerelle_model::id::{PageId, RowId, RowKey, Slot, TableId};
use passerelle_model::time::Timestamp;
use passerelle_store::{Link, LinkState};
use rstest::rstest;

fn row(row: u64) -> anyhow::Result<RowKey> {
    Ok(RowKey {
        table: TableId::new(2)?,
        row: RowId::new(row)?,
    })
}

pub(crate) fn link(row: RowKey, slot: &str, page: &str) -> anyhow::Result<Link> {
    Ok(Link {
        row,
        slot: Slot::parse(slot)?,
        page: PageId::parse(page)?,
        slug_id: "aB3x".to_owned(),
        space: "Agence".to_owned(),
        state: LinkState::Synced("00ff".to_owned()),
        written: Timestamp::from_millis(1_732_280_000_120),
        as_of: None,
        version: 0,
    })
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn a_saved_link_is_read_back_replaced_and_forgotten(#[case] database: anyhow::Result<Database>) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    let first = link(row(5).unwrap(), "page", "page-1").unwrap();
    assert_eq!(store.link(row(5).unwrap(), &Slot::page()).await.unwrap(), None);
    let saved = store.save_link(&first).await.unwrap();
    assert_eq!(saved, Link { version: 1, ..first });
    assert_eq!(
        store.link(row(5).unwrap(), &Slot::page()).await.unwrap(),
        Some(saved.clone())
    );

    let page = PageId::parse("page-2").unwrap();
    let second = store.save_link(&Link { page, ..saved }).await.unwrap();
    store
        .save_link(&link(row(5).unwrap(), "bloc-17", "page-3").unwrap())
        .await
        .unwrap();
    store
        .save_link(&link(row(6).unwrap(), "page", "page-4").unwrap())
        .await
        .unwrap();
    let pages: Vec<String> = store
        .links(row(5).unwrap())
        .await
        .unwrap()
        .into_iter()
        .map(|link| link.page.into())
        .collect();
    assert_eq!(pages, ["page-3", "page-2"]);

    let holders = |slot| store.rows_with_slot(TableId::new(2).unwrap(), slot);
    let bloc = Slot::parse("bloc-17").unwrap();
    assert_eq!(holders(&bloc).await.unwrap(), [RowId::new(5).unwrap()]);
    assert_eq!(holders(&Slot::page()).await.unwrap().len(), 2);

    store.forget_link(&second).await.unwrap();
    assert_eq!(store.link(row(5).unwrap(), &Slot::page()).await.unwrap(), None);
    assert_eq!(store.links(row(6).unwrap()).await.unwrap().len(), 1);
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn the_links_of_a_table_are_read_in_the_order_of_its_rows_some_at_a_time(
    #[case] database: anyhow::Result<Database>,
) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    for (number, slot, page) in [(7, "page", "c"), (5, "page", "b"), (5, "bloc-1", "a"), (9, "page", "d")] {
        let link = link(row(number).unwrap(), slot, page).unwrap();
        store.save_link(&link).await.unwrap();
    }
    let table = TableId::new(2).unwrap();
    let pages = async |after: Option<u64>, count| {
        let after = after.map(|row| RowId::new(row).unwrap());
        let links = store.links_of_table(table, after, count).await.unwrap();
        links.into_iter().map(|link| link.page.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(pages(None, 2).await, ["a", "b"]);
    assert_eq!(pages(Some(5), 10).await, ["c", "d"]);
    assert_eq!(
        store.links_of_table(TableId::new(3).unwrap(), None, 10).await.unwrap(),
        []
    );
}

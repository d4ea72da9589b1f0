//! A rule that no row can be carried out by.

use passerelle_model::ledger::Verdict;

use crate::world::World;

#[tokio::test]
async fn a_field_that_is_gone_holds_its_table_and_the_admin_is_told_once_with_the_cure() {
    let world = World::with_page("", "{{ row.Disparu }}").await.unwrap();
    for name in ["Un", "Deux"] {
        let row = world.project(name).await.unwrap();
        let settlement = world.attempt(row).await;
        let Verdict::Hold { failure, .. } = settlement.verdict else {
            panic!("{:?}", settlement.verdict)
        };
        let cure = "the table has no field \"Disparu\", which page.md of rule \"projet\" names";
        assert!(failure.message.contains(cure), "{failure:?}");
    }
    let held = world.context.queue.held_tables().await.unwrap();
    assert_eq!((held.len(), held[0].table.as_str()), (1, "t2"));
    let told = world.context.store.latest_notices(None, 10).await.unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].kind, "rule-broken");
    assert!(
        told[0].args.contains("projet (t2)") && told[0].args.contains("Disparu"),
        "{}",
        told[0].args
    );
    assert_eq!(world.pages().await.unwrap().len(), 0);
}

//! Which calls a fault meets, and when a waiting one is released.

use super::*;

fn create(body: &[u8]) -> Target<'_> {
    Target {
        method: "POST",
        path: "/api/pages/create",
        body,
        origin: None,
        spared_by_wedge: false,
    }
}

#[test]
fn a_fault_meets_as_many_calls_as_it_says_after_those_it_skips() {
    let switches = Switches::default();
    switches.set(vec![
        Fault {
            skip: 1,
            ..Fault::on("/api/pages", FaultKind::Reset)
        }
        .times(2),
    ]);
    let met: Vec<bool> = (0..4).map(|_| switches.choose(&create(b"")).is_some()).collect();
    assert_eq!(met, [false, true, true, false]);
    assert_eq!(switches.list()[0].used, 2);
}

#[test]
fn a_fault_meets_only_the_calls_it_describes() {
    let switches = Switches::default();
    let fault: Fault =
        serde_json::from_str(r#"{"path":"/api/pages","method":"post","body_contains":"row 7","kind":"down"}"#).unwrap();
    switches.set(vec![fault]);
    assert!(switches.choose(&create(b"row 8")).is_none());
    assert!(switches.choose(&create(b"row 7")).is_some());
    let other = Target {
        path: "/api/spaces",
        ..create(b"row 7")
    };
    assert!(switches.choose(&other).is_none());
}

#[test]
fn a_fault_for_one_origin_spares_the_others() {
    let switches = Switches::default();
    let fault = serde_json::from_str(r#"{"origin":"bridge","kind":"reset"}"#).unwrap();
    switches.set(vec![fault]);
    assert!(switches.choose(&create(b"")).is_none());
    let bridge = Target {
        origin: Some("bridge"),
        ..create(b"")
    };
    assert!(switches.choose(&bridge).is_some());
}

#[test]
fn a_wedge_spares_the_sign_of_life() {
    let switches = Switches::default();
    switches.set(vec![Fault::on("*", FaultKind::Wedge)]);
    let live = Target {
        spared_by_wedge: true,
        ..create(b"")
    };
    assert!(switches.choose(&live).is_none());
    assert!(switches.choose(&create(b"")).is_some());
}

#[tokio::test]
async fn a_waiting_call_is_released_when_its_fault_is_cleared_and_not_when_another_is_added() {
    let switches = Switches::default();
    let id = switches.add(Fault::on("*", FaultKind::Hang));
    let waiting = switches.released(id);
    tokio::pin!(waiting);
    switches.add(Fault::on("/other", FaultKind::Hang));
    assert!(futures::poll!(waiting.as_mut()).is_pending());
    switches.clear();
    waiting.await;
}

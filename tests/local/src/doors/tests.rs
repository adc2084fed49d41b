use std::cell::Cell;

use axum::response::IntoResponse;

use super::*;

/// Has a change pass: whether it was done, and whether an answer came.
async fn pass(doors: &Doors, done: &Cell<u32>) -> bool {
    let perform = async {
        done.set(done.get() + 1);
        "done".into_response()
    };
    let answer = doors.pass(Change::new("PutItem Things"), perform).await;
    axum::body::to_bytes(answer.into_body(), usize::MAX).await.is_ok()
}

#[tokio::test]
async fn the_change_whose_turn_it_is_is_held_before_or_after_it_is_done() {
    for (moment, expected) in [(Moment::Before, 2), (Moment::After, 3)] {
        let (doors, done) = (Doors::default(), Cell::new(0));
        let mut held = doors.hold(2, moment);
        let met = async {
            let change = held.met().await;
            assert_eq!(done.get(), expected);
            drop(held);
            change.map(|change| change.to_string())
        };
        let all = async {
            [pass(&doors, &done).await, pass(&doors, &done).await, pass(&doors, &done).await]
        };
        let (met, answered) = tokio::join!(met, all);
        assert_eq!(met.as_deref(), Some("PutItem Things"));
        assert_eq!(answered, [true, true, false]);
        assert!(pass(&doors, &done).await, "one, and no more");
        assert_eq!(doors.passed().len(), 4);
    }
}

#[tokio::test]
async fn what_was_forgotten_is_not_held() {
    let (doors, done) = (Doors::default(), Cell::new(0));
    let mut held = doors.hold(0, Moment::Before);
    doors.forget();
    assert_eq!(held.met().await, None);
    assert!(pass(&doors, &done).await);
    assert_eq!(doors.passed(), [Change::new("PutItem Things")]);
}

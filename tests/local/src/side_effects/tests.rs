use std::cell::Cell;

use axum::response::IntoResponse;

use super::*;

/// Executes a side effect that increments `executed`. Returns whether a response arrived.
async fn execute(side_effects: &SideEffects, executed: &Cell<u32>) -> bool {
    let operation = async {
        executed.set(executed.get() + 1);
        "done".into_response()
    };
    let answer = side_effects.execute(SideEffect::new("PutItem Things"), operation).await;
    axum::body::to_bytes(answer.into_body(), usize::MAX).await.is_ok()
}

#[tokio::test]
async fn the_selected_side_effect_is_held_before_or_after_it_is_executed() {
    for (point, expected) in [(HoldPoint::Before, 2), (HoldPoint::After, 3)] {
        let (side_effects, executed) = (SideEffects::default(), Cell::new(0));
        let mut held = side_effects.hold(2, point);
        let reached = async {
            let side_effect = held.reached().await;
            assert_eq!(executed.get(), expected);
            drop(held);
            side_effect.map(|side_effect| side_effect.to_string())
        };
        let all = async {
            [
                execute(&side_effects, &executed).await,
                execute(&side_effects, &executed).await,
                execute(&side_effects, &executed).await,
            ]
        };
        let (reached, answered) = tokio::join!(reached, all);
        assert_eq!(reached.as_deref(), Some("PutItem Things"));
        assert_eq!(answered, [true, true, false]);
        assert!(execute(&side_effects, &executed).await, "only one is held");
        assert_eq!(side_effects.recorded().len(), 4);
    }
}

#[tokio::test]
async fn clearing_cancels_a_pending_hold() {
    let (side_effects, executed) = (SideEffects::default(), Cell::new(0));
    let mut held = side_effects.hold(0, HoldPoint::Before);
    side_effects.clear();
    assert_eq!(held.reached().await, None);
    assert!(execute(&side_effects, &executed).await);
    assert_eq!(side_effects.recorded(), [SideEffect::new("PutItem Things")]);
}

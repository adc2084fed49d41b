//! Tokens, as the gateway, the authorizer and the functions judge them together.

use serde_json::json;

use crate::{PAYMENTS, World};

#[tokio::test]
async fn a_token_for_another_audience_is_told_the_expected_one() {
    let world = World::new().await;
    let token = world.token("partner-demo", json!({ "audience": "https://a.example" })).await;
    let answer =
        world.call_as(&token, "GET", &format!("{PAYMENTS}?customerNumber=4711"), None).await;
    assert_eq!(answer.problem(), (401, "unauthorized".to_owned()));
    assert_eq!(
        answer.json()["detail"],
        r#"Get a new token: the token must be for the audience "https://api.entur.io"."#
    );
}

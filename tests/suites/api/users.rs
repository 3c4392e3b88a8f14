//! `/api/v1/users`.

use cleave_tests::story::{Somebody, Story};
use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{errors, shop, shop_with};

const USERS: &str = "/api/v1/users";
const ME: &str = "/api/v1/users/me";
const SESSIONS: &str = "/api/v1/users/sessions";
const REFRESH: &str = "/api/v1/users/sessions/refresh";

fn ada() -> Value {
    json!({"email": "ada@shop.example", "password": "a long password", "name": "Ada Lovelace"})
}

fn credentials() -> Value {
    json!({"email": "ada@shop.example", "password": "a long password"})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anyone_registers_once_for_each_address() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let made = story.post(USERS).json(&ada()).send().await;
    assert_eq!(made.header("location"), format!("{USERS}/{}", made.id()));
    story.note("The address is taken, in whatever case it is written.");
    let mut again = ada();
    again["email"] = "ADA@shop.example".into();
    story.post(USERS).json(&again).send().await;
    story.note("Every field that breaks a rule is named.");
    let bad = json!({"email": "ada", "password": "short", "name": " ", "role": "admin"});
    story.post(USERS).json(&bad).send().await;
    story.post(USERS).json(&json!({})).send().await;
    let long = json!({"email": "b@shop.example", "password": "x".repeat(1025), "name": "a\u{7}"});
    story.post(USERS).json(&long).showing(errors).send().await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_begins_with_a_password() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    story.post(USERS).json(&ada()).send().await;
    story.post(SESSIONS).json(&credentials()).send().await;
    story.note("A wrong password and an unknown address get one answer.");
    for (email, password) in [
        ("ada@shop.example", "a wrong password"),
        ("nobody@shop.example", "a long password"),
    ] {
        let body = json!({"email": email, "password": password});
        story.post(SESSIONS).json(&body).send().await;
    }
    let bad = json!({"email": "", "password": 7});
    story.post(SESSIONS).json(&bad).send().await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_is_good_for_one_exchange() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    story.post(USERS).json(&ada()).send().await;
    let first = story.post(SESSIONS).json(&credentials()).send().await;
    let used = json!({"refresh_token": first.body["refresh_token"]});
    let second = story.post(REFRESH).json(&used).send().await;
    assert_ne!(second.body["refresh_token"], used["refresh_token"]);
    story.note("Used twice, it ends its session: the next token is worth nothing, either.");
    story.post(REFRESH).json(&used).send().await;
    let next = json!({"refresh_token": second.body["refresh_token"]});
    story.post(REFRESH).json(&next).send().await;
    story.note("What is no refresh token.");
    let other = json!({"refresh_token": "nonsense"});
    story.post(REFRESH).json(&other).send().await;
    story.post(REFRESH).json(&json!({})).send().await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_access_token_runs_out_and_is_renewed() {
    let shop = shop_with(&[("user.access_token_ttl", "1s")]).await;
    let mut story = Story::of(&shop).await;
    story.post(USERS).json(&ada()).send().await;
    let session = story.post(SESSIONS).json(&credentials()).send().await;
    let token = session.body["access_token"].as_str().expect("a token");
    let ended = |body: &Value| body["code"] == "token_expired";
    let ada = Somebody::with("ada", token);
    story.get(ME).by(&ada).until(ended).send().await;
    let refresh = json!({"refresh_token": session.body["refresh_token"]});
    story.post(REFRESH).json(&refresh).send().await;
    assert_snapshot!(story.text());
    // Whoever would ask for the books has run out of time as well.
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_out_ends_the_session() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    story.post(USERS).json(&ada()).send().await;
    let session = story.post(SESSIONS).json(&credentials()).send().await;
    let token = session.body["access_token"].as_str().expect("a token");
    let ada = Somebody::with("ada", token);
    story.delete(SESSIONS).by(&ada).send().await;
    let refresh = json!({"refresh_token": session.body["refresh_token"]});
    story.post(REFRESH).json(&refresh).send().await;
    story.note("What has ended may be ended again.");
    story.delete(SESSIONS).by(&ada).send().await;
    story.delete(SESSIONS).send().await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_sees_and_changes_ones_own_account() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let ada = shop.customer("ada").await;
    story.get(ME).by(&ada).send().await;
    story.get(ME).send().await;
    let change = json!({
        "name": "Ada King",
        "phone": "+44 20 7946 0000",
        "default_address": {
            "name": "Ada King",
            "line1": "12 St James's Square",
            "city": "London",
            "postal_code": "SW1Y 4JH",
            "country": "GB",
        },
    });
    story
        .patch(ME)
        .by(&ada)
        .header("if-match", "\"1\"")
        .json(&change)
        .send()
        .await;
    story.note("What is absent stays, what is null goes.");
    story
        .patch(ME)
        .by(&ada)
        .header("if-match", "\"2\"")
        .json(&json!({"phone": null}))
        .send()
        .await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_ones_account_may_be_refused() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let ada = shop.customer("ada").await;
    let name = json!({"name": "Ada King"});
    story.patch(ME).json(&name).send().await;
    story.note("Without the version that is to change, and with another one.");
    story.patch(ME).by(&ada).json(&name).send().await;
    story
        .patch(ME)
        .by(&ada)
        .header("if-match", "\"7\"")
        .json(&name)
        .send()
        .await;
    story.note("Every field that breaks a rule is named.");
    let bad = json!({
        "name": null,
        "phone": "call me",
        "email": "other@shop.example",
        "default_address": {
            "name": "",
            "line1": "x".repeat(201),
            "line2": 7,
            "postal_code": "N1\n9GU",
            "country": "UK",
        },
    });
    story
        .patch(ME)
        .by(&ada)
        .header("if-match", "\"1\"")
        .json(&bad)
        .send()
        .await;
    assert_snapshot!(story.text());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admins_look_over_the_accounts() {
    let shop = shop().await;
    let mut story = Story::of(&shop).await;
    let (admin, ada) = (shop.operator(), shop.customer("ada").await);
    let page = story
        .get(format!("{USERS}?limit=1"))
        .by(&admin)
        .send()
        .await;
    let cursor = page.body["next_cursor"].as_str().expect("there is more");
    let next = format!("{USERS}?limit=1&cursor={cursor}");
    story.get(next).by(&admin).send().await;
    let id = page.body["items"][0]["id"].as_str().expect("an id");
    let one = format!("{USERS}/{id}");
    story.get(&one).by(&admin).send().await;
    story.note("Nobody else does, be it their own.");
    for path in [USERS, &one] {
        story.get(path).by(&ada).send().await;
        story.get(path).send().await;
    }
    story.note("What is not there, and what is no id.");
    let nobody = format!("{USERS}/usr_00000000000000000000000000");
    for path in [&nobody, "/api/v1/users/7"] {
        story.get(path).by(&admin).send().await;
    }
    assert_snapshot!(story.text());
    shop.close().await;
}

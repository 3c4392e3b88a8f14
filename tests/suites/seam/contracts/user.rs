//! Accounts on the wire.

use cleave_user_contract::port::{self, *};

use super::book::{Book, held};

#[tokio::test]
async fn accounts_are_called_as_they_always_were() {
    let mut book = Book::of(&PORT, include_str!("older/user.json"));
    let key = serde_json::json!({ "kty": "OKP", "crv": "Ed25519", "kid": "1", "x": "AA" });
    let keys = SigningKeys {
        jwks: serde_json::json!({ "keys": [key] }),
    };
    held!(book, port, signing_keys, GetSigningKeys {}, keys, []);
    let (today, understood) = book.close();
    insta::assert_json_snapshot!("user", today);
    insta::assert_json_snapshot!("user_older", understood);
}

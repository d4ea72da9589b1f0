//! Captured conversations, replayed: the same frames go in, the same frames come out.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use passerelle_sandbox::docmost::{BRIDGE_EMAIL, OWNER_EMAIL, Options};
use passerelle_sandbox::faults::{Fault, FaultKind};
use serde_json::{Value, json};

use crate::client::{Server, Socket};

/// The captures that are not replayed here, and why.
const NOT_PLAYED: [(&str, &str); 5] = [
    ("12-nul-poison", "`storing` has it: what counts is what is stored"),
    ("15-section-content", "what the captured client put into the section"),
    ("17-beside-a-human", "`people` has it: a person beside a raw client"),
    ("21-empty-append", "`storing` has it"),
    (
        "22-create-with-section-in-markdown",
        "the bridge creates pages as JSON; the sandbox reads no blocks of HTML in Markdown",
    ),
];

const TOKEN: &[u8] = b"\x0c<collab-jwt>";

/// What a server says, in a form that can be compared.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Heard {
    kind: String,
    bytes: Vec<u8>,
}

struct Capture {
    name: String,
    page: String,
    frames: Vec<Value>,
}

fn folder() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/contract/captures/docmost-collab")
}

impl Capture {
    fn read(name: &str) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(format!("{}/{name}.json", folder()))?;
        let capture: Value = serde_json::from_str(&text)?;
        let frames = capture["frames"].as_array().cloned().unwrap_or_default();
        let frames: Vec<Value> = frames.into_iter().filter(|frame| frame["base64"].is_string()).collect();
        let document = frames[0]["decoded"]["document"].as_str().unwrap_or_default();
        Ok(Self {
            name: name.to_owned(),
            page: document.trim_start_matches("page.").to_owned(),
            frames,
        })
    }

    /// The document that the server had, base64.
    fn state(&self) -> Option<String> {
        let frame = self
            .frames
            .iter()
            .find(|frame| frame["decoded"]["sync"] == "1 SyncStep2")?;
        let bytes = bytes_of(frame);
        Some(BASE64.encode(payload(&bytes)))
    }

    /// Whether the visit loaded the document: it is sent the whole of it unasked, too.
    fn has_loaded(&self) -> bool {
        let size = |sync: &str| {
            let frame = self.frames.iter().find(|frame| frame["decoded"]["sync"] == sync)?;
            frame["decoded"]["payloadBytes"].as_u64()
        };
        size("2 Update") == size("1 SyncStep2")
    }

    /// Plays it on a server that has its page.
    async fn play(&self, server: &Server, token: &str) -> anyhow::Result<Vec<String>> {
        let mut other = Socket::open(server, "/collab").await?;
        if self.state().is_some() && !self.has_loaded() {
            other
                .send(with_token(
                    bytes_of(&self.frames[0]),
                    &server.token(OWNER_EMAIL, "collab", 3600).await?,
                ))
                .await?;
            other.hear().await?;
        }
        let mut socket = Socket::open(server, "/collab").await?;
        let mut differences = Vec::new();
        let mut frames = self.frames.iter().peekable();
        while let Some(frame) = frames.next() {
            if self.name == "10-sigterm" && frame["decoded"]["type"] == "7 CLOSE" {
                server
                    .control(reqwest::Method::DELETE, "collab?stored=true", &json!({}))
                    .await?;
            }
            let mut expected = Vec::new();
            if frame["dir"] == "client→server" {
                socket.send(with_token(bytes_of(frame), token)).await?;
            } else {
                expected.push(heard(&bytes_of(frame)));
            }
            while let Some(next) = frames.next_if(|next| next["dir"] == "server→client" && !is_closing(next)) {
                expected.push(heard(&bytes_of(next)));
            }
            let mut own = Vec::new();
            for _ in 0..expected.len() {
                own.push(heard(&socket.hear().await?));
            }
            // The whole document, which the visit that loads it is sent, comes before or after.
            expected.sort();
            own.sort();
            if expected != own {
                let kinds = |list: &[Heard]| list.iter().map(|heard| heard.kind.clone()).collect::<Vec<_>>();
                differences.push(format!(
                    "{}: {:?} was captured, not {:?}",
                    self.name,
                    kinds(&expected),
                    kinds(&own)
                ));
            }
        }
        Ok(differences)
    }
}

fn is_closing(frame: &Value) -> bool {
    frame["decoded"]["text"] == "Reset Connection"
}

fn bytes_of(frame: &Value) -> Vec<u8> {
    BASE64
        .decode(frame["base64"].as_str().unwrap_or_default())
        .unwrap_or_default()
}

/// What follows the name, the type and the kind of a sync frame, without its length.
fn payload(frame: &[u8]) -> &[u8] {
    let after_name = &frame[44..];
    let length = after_name.iter().take_while(|byte| **byte >= 0x80).count() + 1;
    &after_name[length..]
}

fn with_token(frame: Vec<u8>, token: &str) -> Vec<u8> {
    let Some(at) = frame.windows(TOKEN.len()).position(|window| window == TOKEN) else {
        return frame;
    };
    let mut bytes = frame[..at].to_vec();
    let mut length = token.len();
    while length >= 0x80 {
        bytes.push(u8::try_from(length % 0x80).unwrap_or_default() | 0x80);
        length /= 0x80;
    }
    bytes.push(u8::try_from(length).unwrap_or_default());
    bytes.extend(token.as_bytes());
    bytes.extend(&frame[at + TOKEN.len()..]);
    bytes
}

/// A frame; of state vectors the clients in one order, of whole documents what they say.
fn heard(frame: &[u8]) -> Heard {
    use yrs::updates::decoder::Decode as _;
    use yrs::{Doc, GetString as _, StateVector, Transact as _, Update};
    let (kind, bytes) = match frame[42..] {
        [0, 0, ..] => {
            let vector = StateVector::decode_v1(payload(frame)).unwrap_or_default();
            let mut clients: Vec<String> = vector.iter().map(|client| format!("{client:?}")).collect();
            clients.sort();
            ("0 vector", clients.concat().into_bytes())
        }
        [0, kind, ..] => {
            let doc = Doc::new();
            let root = doc.get_or_insert_xml_fragment("default");
            let update = Update::decode_v1(payload(frame)).unwrap_or_default();
            let _ = doc.transact_mut().apply_update(update);
            let text = root.get_string(&doc.transact());
            let tags: Vec<String> = text.split('<').map(in_one_order).collect();
            (
                if kind == 1 { "1 state" } else { "2 update" },
                tags.concat().into_bytes(),
            )
        }
        _ => ("other", frame.to_vec()),
    };
    Heard {
        kind: kind.to_owned(),
        bytes,
    }
}

/// The words of a tag, sorted: attributes have no order.
fn in_one_order(tag: &str) -> String {
    let mut words: Vec<&str> = tag.split([' ', '>']).collect();
    words.sort_unstable();
    words.join(" ")
}

#[tokio::test]
async fn every_captured_conversation_is_answered_as_it_was() {
    let mut differences = Vec::new();
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|file| Some(file.ok()?.file_name().to_str()?.trim_end_matches(".json").to_owned()))
        .filter(|name| !NOT_PLAYED.iter().any(|(excused, _)| excused == name) && name != "20-collab-token")
        .collect();
    names.sort();
    assert_eq!(names.len(), 15, "{names:?}");
    for name in names {
        let capture = Capture::read(&name).unwrap();
        let server = Server::with(Options {
            docmost_socket_patience_ms: if name == "13-idle" { 300 } else { 60_000 },
            docmost_role_cache_ms: 0,
            ..Options::default()
        })
        .unwrap();
        let token = prepare(&server, &capture).await.unwrap();
        differences.extend(capture.play(&server, &token).await.unwrap());
    }
    assert_eq!(differences.join("\n"), "");
}

/// Makes the server as the captured one was, and gives the token that was used.
async fn prepare(server: &Server, capture: &Capture) -> anyhow::Result<String> {
    let name = capture.name.as_str();
    let page = json!({"title": "Page", "spaceSlug": "agence", "state": capture.state()});
    if name != "04-unknown-page" {
        let path = format!("pages/{}", capture.page);
        server.control(reqwest::Method::PUT, &path, &page).await?;
    }
    let space = server.ask("spaces/info", json!({"spaceId": "agence"})).await?["id"].clone();
    let me = server.ask("users/me", json!({})).await?["user"]["id"].clone();
    match name {
        "05-not-a-member" => {
            let theirs = server
                .owner("spaces/create", json!({"name": "Privé", "slug": "prive"}))
                .await?;
            anyhow::ensure!(theirs["id"].is_string());
            let page = json!({"title": "Page", "spaceSlug": "prive", "state": null});
            let path = format!("pages/{}", capture.page);
            server.control(reqwest::Method::PUT, &path, &page).await?;
        }
        "06-reader" => {
            let body = json!({"spaceId": space, "userId": me, "role": "reader"});
            server.owner("spaces/members/change-role", body).await?;
        }
        "08-trashed" => {
            server.owner("pages/delete", json!({"pageId": capture.page})).await?;
        }
        "11-auth-postgres-down" => {
            let down = FaultKind::Status {
                status: 500,
                headers: [].into(),
                body: None,
            };
            server.running.faults.set(vec![Fault::on("/collab/auth", down)]);
        }
        _ => {}
    }
    let seconds = if name == "03-expired-token" { -10 } else { 3600 };
    server.token(BRIDGE_EMAIL, "collab", seconds).await
}

#[tokio::test]
async fn a_collab_token_is_given_to_whoever_is_signed_in_and_opens_documents_only() {
    let server = Server::start().unwrap();
    let answer = server.ask("auth/collab-token", json!({})).await.unwrap();
    let token = answer["token"].as_str().unwrap();
    let claims = base64::prelude::BASE64_URL_SAFE_NO_PAD
        .decode(token.split('.').nth(1).unwrap())
        .unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["type"], "collab");
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        86_400
    );
    assert!(
        claims.get("sessionId").is_none() && claims.get("email").is_none(),
        "{claims}"
    );
}

//! A person in a browser: the page's document, open in an editor that speaks to the real socket.
//!
//! Like the real editor it writes as soon as it opens a page (ids, directions, a paragraph at the
//! end), deletes what its schema does not know, and goes on working while it is offline.

mod acts;
mod schema;
mod section;

use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::{SinkExt as _, StreamExt as _};
use rand::distr::{Distribution as _, Uniform};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use yrs::updates::decoder::Decode as _;
use yrs::updates::encoder::Encode as _;
use yrs::{
    ClientID, Doc, OffsetKind, Options, ReadTxn as _, StateVector, Transact as _, TransactionMut, Update,
    XmlFragmentRef,
};

use super::collab::{Answer, frames, tree};

/// How long a person waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// A page that is open in a browser.
pub struct Editor {
    url: String,
    token: String,
    name: String,
    doc: Doc,
    root: XmlFragmentRef,
    /// None while it is offline.
    socket: Option<WebSocketStream<TcpStream>>,
    /// The server's vector when it was last heard, for what to send when it is online again.
    heard: StateVector,
}

impl std::fmt::Debug for Editor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Editor")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Editor {
    /// Opens a page of the sandbox at this URL, as the account with this e-mail.
    ///
    /// # Errors
    /// If the account may not, or the server is away.
    pub async fn open(url: &str, email: &str, page: &str) -> anyhow::Result<Self> {
        let answer = reqwest::Client::builder()
            .timeout(PATIENCE)
            .build()?
            .post(format!("{url}/_sandbox/tokens"))
            .json(&json!({"email": email, "type": "collab"}))
            .send()
            .await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        let doc = Doc::with_options(Options {
            offset_kind: OffsetKind::Utf16,
            ..Options::with_client_id(ClientID::new(u64::from(rand::random::<u32>())))
        });
        let mut editor = Self {
            url: url.to_owned(),
            token: answer["token"].as_str().context("a token")?.to_owned(),
            name: format!("page.{page}"),
            root: tree::root(&doc),
            doc,
            socket: None,
            heard: StateVector::default(),
        };
        editor.online().await?;
        Ok(editor)
    }

    /// Connects, sends what was done meanwhile, and hears of what others did.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn online(&mut self) -> anyhow::Result<()> {
        let host = self.url.strip_prefix("http://").context("an http URL")?;
        let stream = TcpStream::connect(host).await?;
        let (socket, _) = tokio_tungstenite::client_async(format!("ws://{host}/collab"), stream).await?;
        self.socket = Some(socket);
        self.send(frames::token(&self.name, &self.token)).await?;
        let cursor = json!({"user": {"name": "Hélène", "color": "#f00"}}).to_string();
        self.send(frames::awareness(&self.name, &awareness(&cursor))).await?;
        let vector = self.doc.transact().state_vector().encode_v1();
        self.send(frames::has(&self.name, &vector)).await?;
        loop {
            match self.hear().await? {
                Answer::Denied => bail!("the account may not open {}", self.name),
                Answer::Lacks(_) => break,
                _ => {}
            }
        }
        let lacking = self.doc.transact().encode_state_as_update_v1(&self.heard);
        if lacking != [0, 0] {
            self.send_update(&lacking).await?;
        }
        self.tidy().await
    }

    /// The network goes away; the person goes on typing.
    pub fn offline(&mut self) {
        self.socket = None;
    }

    /// Closes the page.
    ///
    /// # Errors
    /// If the connection is broken already.
    pub async fn close(mut self) -> anyhow::Result<()> {
        if let Some(mut socket) = self.socket.take() {
            socket.close(None).await?;
            while let Some(Ok(_)) = socket.next().await {}
        }
        Ok(())
    }

    /// The page as the person sees it now.
    pub fn content(&self) -> Value {
        tree::json(&self.doc.transact(), &self.root)
    }

    /// The texts of the blocks, in order.
    pub fn texts(&self) -> Vec<String> {
        let content = self.content();
        let blocks = content["content"].as_array().cloned().unwrap_or_default();
        blocks.iter().map(text_of).collect()
    }

    /// Waits until the page fulfils a condition, hearing of what others do.
    ///
    /// # Errors
    /// If it does not in time; the error shows the page.
    pub async fn until(&mut self, holds: impl Fn(&Value) -> bool) -> anyhow::Result<()> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !holds(&self.content()) {
            match tokio::time::timeout_at(deadline, self.hear()).await {
                Ok(heard) => {
                    heard?;
                }
                Err(_) => bail!("the page never became as expected: {}", self.content()),
            }
            self.tidy().await?;
        }
        Ok(())
    }

    /// Does something to the page, in one transaction, and waits until the server has taken it.
    async fn act<T>(&mut self, act: impl FnOnce(&mut TransactionMut<'_>, &XmlFragmentRef) -> T) -> anyhow::Result<T> {
        let (done, update) = {
            let mut txn = self.doc.transact_mut();
            let done = act(&mut txn, &self.root);
            txn.commit();
            (done, txn.encode_update_v1())
        };
        if self.socket.is_some() && update != [0, 0] {
            self.send_update(&update).await?;
        }
        Ok(done)
    }

    async fn send_update(&mut self, update: &[u8]) -> anyhow::Result<()> {
        self.send(frames::update(&self.name, update)).await?;
        loop {
            match self.hear().await? {
                Answer::Taken(true) => return Ok(()),
                Answer::Taken(false) => bail!("the page may only be read"),
                _ => {}
            }
        }
    }

    async fn send(&mut self, frame: Vec<u8>) -> anyhow::Result<()> {
        let socket = self.socket.as_mut().context("the editor is offline")?;
        Ok(socket.send(Message::Binary(frame.into())).await?)
    }

    /// The next frame; what others did is in the document then.
    async fn hear(&mut self) -> anyhow::Result<Answer> {
        let socket = self.socket.as_mut().context("the editor is offline")?;
        let answer = loop {
            let message = tokio::time::timeout(PATIENCE, socket.next())
                .await
                .context("nothing was heard")?;
            match message.context("the server hung up")?? {
                Message::Binary(frame) => break frames::read(&frame)?,
                Message::Close(reason) => bail!("the server closed the socket: {reason:?}"),
                _ => {}
            }
        };
        match &answer {
            Answer::Has(vector) => self.heard = StateVector::decode_v1(vector)?,
            Answer::Lacks(update) | Answer::Update(update) => {
                let update = Update::decode_v1(update)?;
                self.doc.transact_mut().apply_update(update)?;
            }
            _ => {}
        }
        Ok(answer)
    }
}

/// The text of a node.
fn text_of(node: &Value) -> String {
    let own = node["text"].as_str().unwrap_or_default().to_owned();
    let children = node["content"].as_array().into_iter().flatten();
    own + &children.map(text_of).collect::<String>()
}

/// The cursor of one client, as it is sent to the others.
fn awareness(state: &str) -> Vec<u8> {
    use yrs::encoding::write::Write as _;
    let mut states = Vec::new();
    states.write_var(1_u32);
    states.write_var(rand::random::<u32>());
    states.write_var(1_u32);
    states.write_string(state);
    states
}

/// Twelve letters.
fn new_id() -> String {
    let letters = Uniform::new(b'a', b'z' + 1);
    let mut rng = rand::rng();
    letters.map_or_else(
        |_| String::new(),
        |letters| (0..12).map(|_| char::from(letters.sample(&mut rng))).collect(),
    )
}

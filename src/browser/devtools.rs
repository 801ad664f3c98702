//! The DevTools protocol: commands in JSON over one WebSocket, each answered by its number.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// A connection to a browser. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct DevTools {
    commands: mpsc::UnboundedSender<String>,
    waiting: Arc<Waiting>,
    next: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Waiting(Mutex<HashMap<u64, oneshot::Sender<Value>>>);

impl Waiting {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, oneshot::Sender<Value>>> {
        // No code panics while holding the lock, and the map is valid between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DevTools {
    pub(super) async fn connect(address: &str) -> Result<Self, String> {
        let connecting = tokio_tungstenite::connect_async(address);
        let (socket, _) = tokio::time::timeout(ANSWER_TIMEOUT, connecting)
            .await
            .map_err(|_| "the browser does not answer".to_owned())?
            .map_err(|error| format!("the browser cannot be driven: {error}"))?;
        let (mut sink, mut stream) = socket.split();
        let (commands, mut outgoing) = mpsc::unbounded_channel::<String>();
        let waiting = Arc::new(Waiting::default());
        let answered = Arc::clone(&waiting);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    command = outgoing.recv() => {
                        let Some(command) = command else { break };
                        if sink.send(Message::text(command)).await.is_err() {
                            break;
                        }
                    }
                    message = stream.next() => match message {
                        Some(Ok(Message::Text(text))) => answer(&answered, &text),
                        Some(Ok(_)) => {}
                        Some(Err(_)) | None => break,
                    },
                }
            }
            // Who still waits learns that nothing will come.
            answered.lock().clear();
        });
        Ok(DevTools { commands, waiting, next: Arc::new(AtomicU64::new(1)) })
    }

    /// Whether the browser has ended, or the connection to it.
    pub(super) fn is_gone(&self) -> bool {
        self.commands.is_closed()
    }

    /// Sends a command, to a session when there is one, and returns its result.
    pub(super) async fn call(&self, session: Option<&str>, method: &str, params: Value) -> Result<Value, String> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (told, answer) = oneshot::channel();
        self.waiting.lock().insert(id, told);
        let mut command = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        let gone = || format!("the browser has ended during {method}");
        self.commands.send(command.to_string()).map_err(|_| gone())?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, answer).await;
        self.waiting.lock().remove(&id);
        let mut answer = answer.map_err(|_| format!("the browser does not answer {method}"))?.map_err(|_| gone())?;
        match answer.pointer("/error/message").and_then(Value::as_str) {
            Some(message) => Err(format!("{method}: {message}")),
            None => Ok(answer["result"].take()),
        }
    }
}

fn answer(waiting: &Waiting, text: &str) {
    let Ok(message) = serde_json::from_str::<Value>(text) else { return };
    // Messages without a number are events, which nobody here listens to.
    let told = message["id"].as_u64().and_then(|id| waiting.lock().remove(&id));
    if let Some(told) = told {
        // Whoever asked may have given up.
        let _ = told.send(message);
    }
}

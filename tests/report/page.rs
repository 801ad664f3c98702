//! A report as a person has it open: headless Chromium on a file, and all that it complains of or asks the network for.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// How long anything here may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A page in a browser of its own.
pub struct Page {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: String,
    next: u64,
    /// What the page complained of: exceptions, and what is written to the console or the log.
    pub complaints: Vec<String>,
    /// The addresses that it asked for.
    pub asked: Vec<String>,
    _child: Child,
    _profile: tempfile::TempDir,
}

impl Page {
    /// Opens a file in a window of this size, light or dark.
    pub async fn open(file: &Path, (width, height): (u32, u32), scheme: &str) -> Self {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new("chromium");
        command
            .args(["--headless=new", "--remote-debugging-port=0", "--no-first-run", "--disable-gpu", "--no-sandbox"])
            .args(["--disable-dev-shm-usage", "--disable-extensions", "--disable-background-networking"])
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("chromium starts");
        let mut says = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let address = timeout(LIMIT, async {
            loop {
                let line = says.next_line().await.expect("readable").expect("chromium says where it can be driven");
                if let Some(address) = line.strip_prefix("DevTools listening on ") {
                    break address.to_owned();
                }
            }
        });
        let address = address.await.expect("in time");
        // What else it says is read, so that it is never stopped by a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = says.next_line().await {} });
        let (socket, _) = tokio_tungstenite::connect_async(address).await.expect("a connection");
        let mut page = Page {
            socket,
            session: String::new(),
            next: 0,
            complaints: Vec::new(),
            asked: Vec::new(),
            _child: child,
            _profile: profile,
        };
        let target = page.call("Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = page.call("Target.attachToTarget", attach).await["sessionId"].as_str().map(str::to_owned);
        page.session = session.expect("a session");
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), json!({})).await;
        }
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        page.call("Emulation.setDeviceMetricsOverride", size).await;
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        page.call("Emulation.setEmulatedMedia", features).await;
        page.call("Page.navigate", json!({ "url": format!("file://{}", file.display()) })).await;
        page.until("document.readyState === 'complete' && location.protocol === 'file:'").await;
        page
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let mut command = json!({ "id": self.next, "method": method, "params": params });
        if !self.session.is_empty() {
            command["sessionId"] = self.session.as_str().into();
        }
        self.socket.send(Message::text(command.to_string())).await.expect("the browser listens");
        let deadline = Instant::now() + LIMIT;
        loop {
            let message = timeout_at(deadline, self.socket.next()).await.expect("the browser answers in time");
            let Some(Ok(Message::Text(text))) = message else { continue };
            let mut message: Value = serde_json::from_str(&text).expect("JSON");
            if message["id"] == self.next {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].take();
            }
            self.hear(&message);
        }
    }

    fn hear(&mut self, event: &Value) {
        let params = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => self.complaints.push(params["exceptionDetails"].to_string()),
            "Runtime.consoleAPICalled" => self.complaints.push(params["args"].to_string()),
            "Log.entryAdded" => self.complaints.push(params["entry"].to_string()),
            "Network.requestWillBeSent" => {
                self.asked.extend(params.pointer("/request/url").and_then(Value::as_str).map(str::to_owned));
            }
            _ => {}
        }
    }

    /// The value of an expression; promises are waited for.
    pub async fn value(&mut self, expression: &str) -> Value {
        let params =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true });
        let mut answer = self.call("Runtime.evaluate", params).await;
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].take()
    }

    /// Waits until an expression is true.
    pub async fn until(&mut self, expression: &str) {
        let each_frame = format!(
            "new Promise(done => {{ const look = () => ({expression}) === true ? done(true) : requestAnimationFrame(look); look(); }})"
        );
        timeout(LIMIT, self.value(&each_frame)).await.unwrap_or_else(|_| panic!("in time: {expression}"));
    }

    /// Presses and releases a key.
    pub async fn press(&mut self, key: &str, code: &str, virtual_key: u32) {
        let text = match key {
            "Enter" => "\r",
            one if one.chars().count() == 1 => one,
            _ => "",
        };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let key =
                json!({ "type": kind, "key": key, "code": code, "windowsVirtualKeyCode": virtual_key, "text": text });
            self.call("Input.dispatchKeyEvent", key).await;
        }
    }

    /// Types a text into what has the focus.
    pub async fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text })).await;
    }

    /// A picture of what is seen, as base64 of PNG.
    pub async fn picture(&mut self, whole: bool) -> String {
        let picture = self.call("Page.captureScreenshot", json!({ "captureBeyondViewport": whole })).await;
        picture["data"].as_str().unwrap_or_default().to_owned()
    }

    /// The page as it is printed, as base64 of PDF.
    pub async fn print(&mut self) -> String {
        let printed = self.call("Page.printToPDF", json!({ "printBackground": false })).await;
        printed["data"].as_str().unwrap_or_default().to_owned()
    }
}

/// Texts whose contrast with what is behind them is below 4.5, or 3 where they are large.
pub const FAINT: &str = r"(() => {
  const channel = c => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const parse = text => { const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number); return { r, g, b, a }; };
  const light = c => 0.2126 * channel(c.r) + 0.7152 * channel(c.g) + 0.0722 * channel(c.b);
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const ground = parse(getComputedStyle(e).backgroundColor);
      if (ground.a > 0) return ground;
    }
    return { r: 255, g: 255, b: 255 };
  };
  const faint = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.matches('script, .unseen') || !element.checkVisibility()) continue;
    seen += 1;
    const style = getComputedStyle(element);
    const [one, other] = [light(parse(style.color)), light(behind(element))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    const large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5)) faint.add(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return { seen, faint: [...faint] };
})()";

//! The wish that a run ends early, for all who take part in it.

use std::sync::Arc;

use tokio::sync::watch;

/// Whether a run should end early. Clones share it.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Stop(Arc::new(watch::Sender::new(false)))
    }
}

impl Stop {
    /// Asks for it. Whether it was the first time.
    pub fn ask(&self) -> bool {
        !self.0.send_replace(true)
    }

    /// Whether it was asked for.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is asked for.
    pub async fn asked(&self) {
        // The sender lives as long as this does.
        let _ = self.0.subscribe().wait_for(|asked| *asked).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_hears_of_it_whether_before_or_after() {
        let stop = Stop::default();
        let waiting = tokio::spawn({
            let stop = stop.clone();
            async move { stop.asked().await }
        });
        assert!(!stop.is_asked());
        assert!(stop.ask());
        assert!(!stop.ask());
        waiting.await.expect("it ends");
        stop.asked().await;
        assert!(stop.is_asked());
    }
}
